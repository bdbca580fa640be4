#pragma once
// Makes GGUF files in memory, right or deliberately wrong: what the tests of the reader feed it.
#include "model/formats/gguf_writer.hpp"
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::testing {

/// Collects metadata and tensors; bytes() gives the file. Does not check whether they are valid.
class gguf_builder : public gguf_header {
public:
  uint64_t alignment = 32;                     // Of the tensors' data. No key is written for it.
  std::set<std::string, std::less<>> left_out; // Keys and tensors whose add_...() does nothing.

  /// dimensions: the inner one first. The offset follows from the tensors before.
  void add_tensor(std::string_view name, const std::vector<uint64_t>& dimensions, uint32_t type,
                  std::string data);
  /// A description whose offset and data are what the caller says.
  void add_tensor_at(std::string_view name, const std::vector<uint64_t>& dimensions, uint32_t type,
                     uint64_t offset, std::string data = {});

  std::string bytes() const;

private:
  bool wants(std::string_view name) const override { return !left_out.contains(name); }

  std::string data_;
};

/// The little-endian bytes of a number; a string with its length in front.
template <class T>
std::string bytes_of(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}
std::string length_and(std::string_view text);

} // namespace troupe::testing
