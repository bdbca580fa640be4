#pragma once
// Who may use the service: keys, and what goes with them.
#include "apps/service/api/generation_fields.hpp"
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::service {

struct tenant_key {
  std::string key, name;
  float weight = 1;           // Its share of the work, in proportion to the others'.
  uint32_t requests_max = 0;  // At once; 0: no limit.
  int32_t priority_max = 100; // Of its requests.
};

/// A key a line: KEY [name=NAME] [weight=W] [requests=N] [priority=P]. Without a name the tenant is "key <line>". Empty lines and those that
/// begin with # are skipped. Throws input_error naming file and line.
std::vector<tenant_key> read_keys(const std::filesystem::path& file);

/// Of the headers authorization ("Bearer KEY") and x-api-key. Compared in a time that does not tell how much of a key is right.
const tenant_key* find_key(const std::vector<tenant_key>& keys, std::string_view authorization, std::string_view api_key);

} // namespace troupe::service
