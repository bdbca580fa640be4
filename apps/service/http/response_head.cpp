#include "apps/service/http/header_parser.hpp" // First: Beast 1.74 needs <utility> before it.
#include "apps/service/http/response_head.hpp"
#include <algorithm>
#include <array>
#include <boost/beast/http/status.hpp>
#include <cstdio>

namespace troupe::http {
namespace {

void add_header(std::string& text, std::string_view name, std::string_view value) {
  const auto is_line = [](std::string_view part) {
    return std::none_of(part.begin(), part.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  };
  TROUPE_ASSERT(!name.empty() && is_line(name) && is_line(value) && name.find_first_of(": ") == std::string_view::npos);
  text.append(name).append(": ").append(value).append("\r\n");
}

} // namespace

std::string http_date(std::time_t time) {
  static constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT", days[static_cast<size_t>(parts.tm_wday)], parts.tm_mday,
                months[static_cast<size_t>(parts.tm_mon)], parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
  return text.data();
}

bool has_no_body(int status) { return status < 200 || status == 204 || status == 304; }

std::string to_text(const response_head& head, std::time_t now) {
  TROUPE_ASSERT(head.status >= 200 && head.status <= 599);
  const auto reason = boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(static_cast<unsigned>(head.status)));
  std::string text = "HTTP/1.1 " + std::to_string(head.status) + " ";
  text.append(reason.data(), reason.size()).append("\r\n");
  add_header(text, "Date", http_date(now));
  add_header(text, "Server", "troupe");
  if (!head.content_type.empty()) add_header(text, "Content-Type", head.content_type);
  if (head.content_length) add_header(text, "Content-Length", std::to_string(*head.content_length));
  if (head.chunked) add_header(text, "Transfer-Encoding", "chunked");
  if (!head.keeps_alive) add_header(text, "Connection", "close");
  if (head.keeps_alive && !head.http_1_1) add_header(text, "Connection", "keep-alive");
  add_header(text, "x-request-id", head.request_id);
  for (const auto& [name, value] : head.headers) add_header(text, name, value);
  return text + "\r\n";
}

} // namespace troupe::http
