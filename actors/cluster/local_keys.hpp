#pragma once
// Keys for the workers that an engine starts itself.
#include "actors/cluster/keys.hpp"
#include <filesystem>
#include <string>

namespace troupe {

/// An authority and keys that nobody else has, in a folder that only this user can read, and that goes with this object. A process that is
/// killed leaves the folder behind.
class local_keys {
public:
  /// Throws input_error.
  explicit local_keys(std::span<const std::string> nodes);
  ~local_keys();
  local_keys(const local_keys&) = delete;
  local_keys& operator=(const local_keys&) = delete;
  const std::filesystem::path& folder() const { return folder_; }

private:
  std::filesystem::path folder_;
};

} // namespace troupe
