#pragma once
// The request line and the header fields, as Boost.Beast reads them.
#include <utility>
#include "apps/service/http/request.hpp"
#include <boost/beast/http/basic_parser.hpp>

namespace troupe::http {

/// Reads one header. Bodies are not its business: see body_reader.
class header_parser : private boost::beast::http::basic_parser<true> {
public:
  header_parser(size_t bytes_max, size_t count_max);

  /// How much of `input` is used up. What is not has to come again, with more behind it. Throws http_error.
  size_t take(std::string_view input);
  bool complete() const { return is_header_done(); }
  bool keeps_alive() const { return keep_alive(); } // Once complete; so are the rest.
  bool is_http_1_1() const { return http_1_1_; }
  std::string take_method() { return std::move(method_); }
  const std::string& target() const { return target_; }
  header_list take_headers() { return std::move(headers_); }

private:
  using error_code = boost::beast::error_code;
  using string_view = boost::beast::string_view;
  void on_request_impl(boost::beast::http::verb, string_view method, string_view target, int version, error_code&) override;
  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_field_impl(boost::beast::http::field, string_view name, string_view value, error_code&) override;
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(string_view, error_code&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view, error_code&) override { return 0; }
  void on_finish_impl(error_code&) override {}

  size_t bytes_max_, count_max_, bytes_ = 0, blank_ = 0;
  bool http_1_1_ = false;
  std::string method_, target_;
  header_list headers_;
};

} // namespace troupe::http
