#pragma once
// Bodies of forms with files: multipart/form-data (RFC 7578, 2046). They are not trusted.
#include <string>
#include <string_view>
#include <vector>

namespace troupe::service {

struct form_part {
  std::string name;
  std::string file_name;     // Empty: it has none.
  std::string_view content;  // Within the body.
};

struct multipart_form {
  std::vector<form_part> parts; // At most 64.

  /// The last one of that name; null: there is none.
  const form_part* find(std::string_view name) const;
  /// All of them.
  std::vector<std::string_view> all(std::string_view name) const;
};

/// content_type: of the request. Refers to `body`. Throws api_error: 415 for another type; 400 for a body that is no such form, ends early,
/// or has more than 64 parts, a part with more than 4 KiB of headers, or one without a name.
multipart_form read_form(std::string_view content_type, std::string_view body);

} // namespace troupe::service
