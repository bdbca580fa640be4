#pragma once
// Events of a long answer that are not kept in memory, in a file without a name: it goes with its last owner, or with the process.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::service {

/// Throws input_error: the folder takes no file, the disk is full or fails.
class event_file {
public:
  explicit event_file(const std::filesystem::path& folder);
  ~event_file();
  event_file(const event_file&) = delete;
  event_file& operator=(const event_file&) = delete;

  /// name: without a line break.
  void append(std::string_view name, std::string_view data);
  size_t count() const { return ends_.size(); }
  /// Name and data. number < count().
  std::pair<std::string, std::string> read(size_t number) const;

private:
  int descriptor_;
  std::vector<uint64_t> ends_; // In the file, by number.
};

} // namespace troupe::service
