#include "apps/service/dashboard/page.hpp"

#include <algorithm>

namespace troupe::service {

const page_file* find_page_file(std::string_view path) {
  const auto files = page_files();
  const auto found = std::ranges::find(files, path, &page_file::path);
  return found == files.end() ? nullptr : &*found;
}

http::response page_response(const page_file& file) {
  return {.status = 200, .content_type = std::string(file.content_type), .body = std::string(file.body),
          .headers = {{"cache-control", "no-cache"},
                      {"content-security-policy",
                       "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
                       "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
                      {"cross-origin-resource-policy", "same-origin"},
                      {"referrer-policy", "no-referrer"},
                      {"x-content-type-options", "nosniff"}}};
}

} // namespace troupe::service
