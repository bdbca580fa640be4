#include "apps/service/http/request.hpp"
#include "model/utf8.hpp"
#include <algorithm>

namespace troupe::http {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

std::string percent_decoded(std::string_view text, bool plus_is_space, const char* where) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1, low = high < 0 ? -1 : hex_digit(text[i + 2]);
      if (low < 0) throw http_error(400, "bad_target", std::string("the ") + where + " has '%' without two hexadecimal digits behind it");
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      decoded += plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
  if (!is_utf8(decoded)) throw http_error(400, "bad_target", std::string("the ") + where + " is not valid UTF-8");
  return decoded;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

} // namespace

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view request::header(std::string_view name) const {
  for (const auto& [present, value] : headers) {
    if (equal_ignoring_case(present, name)) return value;
  }
  return {};
}

std::map<std::string, std::string> request::query_parameters() const {
  std::map<std::string, std::string> parameters;
  std::string_view rest = query;
  while (!rest.empty()) {
    const std::string_view one = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    if (one.empty()) continue;
    const size_t equals = std::min(one.find('='), one.size());
    const std::string_view value = equals == one.size() ? std::string_view() : one.substr(equals + 1);
    parameters[percent_decoded(one.substr(0, equals), true, "query")] = percent_decoded(value, true, "query");
  }
  return parameters;
}

void set_target(request& to, std::string_view target) {
  if (target == "*" && to.method == "OPTIONS") {
    to.path = "*";
    return;
  }
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!equal_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
    const size_t path = target.find_first_of("/?", scheme.size());
    if (path == scheme.size() || target.size() == scheme.size()) {
      throw http_error(400, "bad_target", "the target of the request names no host");
    }
    target = path == std::string_view::npos ? std::string_view("/") : target.substr(path);
    break;
  }
  const size_t question = std::min(target.find('?'), target.size());
  std::string_view path = target.substr(0, question);
  if (question < target.size()) to.query = target.substr(question + 1);
  if (path.empty() && question < target.size()) path = "/"; // http://host?query
  if (!path.starts_with('/')) throw http_error(400, "bad_target", "the target of the request is not a path that begins with '/'");
  if (target.find('#') != std::string_view::npos) throw http_error(400, "bad_target", "the target of the request has a fragment ('#')");
  std::string decoded = percent_decoded(path, false, "path");
  if (std::any_of(decoded.begin(), decoded.end(), is_control)) {
    throw http_error(400, "bad_target", "the path has a control character");
  }
  to.path = std::move(decoded);
}

bool is_sane_request_id(std::string_view id) {
  return !id.empty() && id.size() <= 128 && std::all_of(id.begin(), id.end(), [](char c) {
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == ':';
  });
}

} // namespace troupe::http
