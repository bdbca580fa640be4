#include "actors/cluster/local_keys.hpp"

#include "model/error.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>

namespace troupe {

local_keys::local_keys(std::span<const std::string> nodes) {
  std::string name = (std::filesystem::temp_directory_path() / "troupe-keys-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw input_error(name + ": cannot be made: " + std::strerror(errno));
  folder_ = name;
  try {
    make_keys(folder_, nodes, {.validity = std::chrono::hours(365 * 24)});
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
    throw;
  }
}

local_keys::~local_keys() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

} // namespace troupe
