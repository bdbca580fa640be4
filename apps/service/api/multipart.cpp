#include "apps/service/api/multipart.hpp"

#include "apps/service/api/api_error.hpp"
#include "apps/service/http/request.hpp"

#include <algorithm>
#include <optional>

namespace troupe::service {
namespace {

constexpr size_t parts_max = 64, head_bytes_max = 4096, boundary_max = 70; // RFC 2046: at most 70 characters.

[[noreturn]] void refuse(const std::string& why) { throw api_error(400, "invalid_form", "the body is no form: " + why); }

std::string_view without_spaces(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

/// Takes `; name=value` or `; name="value"` from the front of what follows a type. Nothing: there is no more.
struct parameter {
  std::string_view name;
  std::string value;
};
std::optional<parameter> take_parameter(std::string_view& rest) {
  const size_t begin = rest.find(';');
  if (begin == std::string_view::npos) return std::nullopt;
  rest.remove_prefix(begin + 1);
  const size_t equals = rest.find('=');
  if (equals == std::string_view::npos) return std::nullopt;
  parameter one{without_spaces(rest.substr(0, equals)), {}};
  rest.remove_prefix(equals + 1);
  if (!rest.starts_with('"')) {
    one.value = without_spaces(rest.substr(0, rest.find(';')));
    return one;
  }
  for (size_t i = 1; i < rest.size(); ++i) {
    if (rest[i] == '"') {
      rest.remove_prefix(i + 1);
      return one;
    }
    if (rest[i] == '\\' && i + 1 < rest.size()) ++i;
    one.value += rest[i];
  }
  return std::nullopt; // The quotes are not closed.
}

std::string boundary_of(std::string_view content_type) {
  auto rest = content_type;
  const auto type = without_spaces(rest.substr(0, rest.find(';')));
  if (!http::equal_ignoring_case(type, "multipart/form-data"))
    throw api_error(415, "unsupported_media_type", "wanted a form with a file: Content-Type: multipart/form-data");
  while (const auto one = take_parameter(rest))
    if (http::equal_ignoring_case(one->name, "boundary")) {
      if (one->value.empty() || one->value.size() > boundary_max) break;
      return one->value;
    }
  refuse("its Content-Type has no boundary of 1 to 70 characters");
}

/// head: lines of a part before its content.
form_part read_head(std::string_view head) {
  form_part part;
  while (!head.empty()) {
    const size_t end = head.find("\r\n");
    const auto line = head.substr(0, end);
    head.remove_prefix(end == std::string_view::npos ? head.size() : end + 2);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) refuse("a line of a part's head has no colon");
    if (!http::equal_ignoring_case(without_spaces(line.substr(0, colon)), "content-disposition")) continue;
    auto rest = line.substr(colon + 1);
    while (auto one = take_parameter(rest)) {
      if (http::equal_ignoring_case(one->name, "name")) part.name = std::move(one->value);
      else if (http::equal_ignoring_case(one->name, "filename")) part.file_name = std::move(one->value);
    }
  }
  if (part.name.empty()) refuse("a part has no name");
  return part;
}

} // namespace

const form_part* multipart_form::find(std::string_view name) const {
  const auto found = std::find_if(parts.rbegin(), parts.rend(), [&](const form_part& one) { return one.name == name; });
  return found == parts.rend() ? nullptr : &*found;
}

std::vector<std::string_view> multipart_form::all(std::string_view name) const {
  std::vector<std::string_view> contents;
  for (const auto& one : parts)
    if (one.name == name) contents.push_back(one.content);
  return contents;
}

multipart_form read_form(std::string_view content_type, std::string_view body) {
  const std::string line = "--" + boundary_of(content_type), between = "\r\n" + line;
  multipart_form form;
  // What stands before the first boundary means nothing; usually that is nothing.
  size_t at = body.starts_with(line) ? line.size() : body.find(between);
  if (at == std::string_view::npos) refuse("its boundary does not occur");
  if (!body.starts_with(line)) at += between.size();
  for (;;) {
    auto rest = body.substr(at);
    if (rest.starts_with("--")) return form;
    while (rest.starts_with(' ') || rest.starts_with('\t')) rest.remove_prefix(1);
    if (!rest.starts_with("\r\n")) refuse("a boundary is followed by something else");
    rest.remove_prefix(2);
    if (form.parts.size() == parts_max) refuse("it has more than " + std::to_string(parts_max) + " parts");
    const size_t head_end = rest.substr(0, head_bytes_max + 4).find("\r\n\r\n");
    if (head_end == std::string_view::npos) refuse("a part's head does not end within " + std::to_string(head_bytes_max) + " bytes");
    auto part = read_head(rest.substr(0, head_end));
    rest.remove_prefix(head_end + 4);
    const size_t end = rest.find(between);
    if (end == std::string_view::npos) refuse("it ends within a part");
    part.content = rest.substr(0, end);
    form.parts.push_back(std::move(part));
    at = body.size() - rest.size() + end + between.size();
  }
}

} // namespace troupe::service
