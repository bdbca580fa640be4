#include "apps/service/http/header_parser.hpp"
#include <algorithm>
#include <limits>

namespace troupe::http {
namespace {

namespace beast_http = boost::beast::http;

http_error too_large(size_t bytes_max) {
  return http_error(431, "header_too_large", "the header is larger than " + std::to_string(bytes_max) + " bytes");
}

} // namespace

header_parser::header_parser(size_t bytes_max, size_t count_max) : bytes_max_(bytes_max), count_max_(count_max) {
  header_limit(static_cast<std::uint32_t>(std::min<size_t>(bytes_max, std::numeric_limits<std::uint32_t>::max())));
  skip(true);
}

size_t header_parser::take(std::string_view input) {
  // Empty lines before a request are no harm (RFC 9112, 2.2).
  size_t blank = 0;
  while (bytes_ == 0 && input.substr(blank).starts_with("\r\n")) blank += 2;
  blank_ += blank;
  if (blank_ > 16) throw http_error(400, "bad_request", "there are too many empty lines before the request");
  input.remove_prefix(blank);
  if (input.empty() || (bytes_ == 0 && input == "\r")) return blank;
  // Beast looks for the end of the header first. What cannot be a request at all, such as TLS, need not wait for it.
  const char first = input.front();
  if (bytes_ == 0 && !(first >= 'A' && first <= 'Z') && !(first >= 'a' && first <= 'z')) {
    throw http_error(400, "bad_request",
                     first == '\x16' ? "this is TLS, and the server speaks plain HTTP here" : "this is not a request of HTTP");
  }
  boost::beast::error_code error;
  const size_t used = put(boost::asio::const_buffer(input.data(), input.size()), error);
  bytes_ += used;
  const size_t whole = bytes_ + (is_header_done() ? 0 : input.size() - used);
  if (error == beast_http::error::header_limit || whole > bytes_max_) throw too_large(bytes_max_);
  if (error == beast_http::error::bad_version) {
    throw http_error(505, "bad_version", "the request line does not end in HTTP/1.1 or HTTP/1.0");
  }
  if (error && error != beast_http::error::need_more) throw http_error(400, "bad_request", "the header cannot be read: " + error.message());
  return blank + used;
}

void header_parser::on_request_impl(beast_http::verb, string_view method, string_view target, int version, error_code&) {
  method_ = std::string(method.data(), method.size());
  target_ = std::string(target.data(), target.size());
  http_1_1_ = version == 11;
}

void header_parser::on_field_impl(beast_http::field, string_view name, string_view value, error_code&) {
  if (headers_.size() == count_max_) {
    throw http_error(431, "too_many_headers", "there are more than " + std::to_string(count_max_) + " header fields");
  }
  std::string lower_case(name.data(), name.size());
  for (char& c : lower_case) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  headers_.emplace_back(std::move(lower_case), std::string(value.data(), value.size()));
}

} // namespace troupe::http
