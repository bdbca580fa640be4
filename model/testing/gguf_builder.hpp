#pragma once
// Writes GGUF files byte by byte, right or deliberately wrong: what the tests of the reader feed it.
#include "model/tensor.hpp"
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::testing {

/// Collects metadata and tensors; bytes() gives the file. Does not check whether they are valid.
class gguf_builder {
public:
  uint32_t version = 3;
  uint64_t alignment = 32;                     // Of the tensors' data. No key is written for it.
  std::set<std::string, std::less<>> left_out; // Keys and tensors whose add_...() does nothing.

  void add_u32(std::string_view key, uint32_t value);
  void add_i32(std::string_view key, int32_t value);
  void add_u64(std::string_view key, uint64_t value);
  void add_f32(std::string_view key, float value);
  void add_bool(std::string_view key, bool value);
  void add_string(std::string_view key, std::string_view value);
  void add_strings(std::string_view key, const std::vector<std::string>& values);
  void add_floats(std::string_view key, const std::vector<float>& values);
  void add_ints(std::string_view key, const std::vector<int32_t>& values);
  /// Any value: its type's number and its bytes.
  void add_raw(std::string_view key, uint32_t type, std::string_view bytes);

  /// dimensions: the inner one first. The offset follows from the tensors before.
  void add_tensor(std::string_view name, const std::vector<uint64_t>& dimensions, uint32_t type,
                  std::string data);
  /// A description whose offset and data are what the caller says.
  void add_tensor_at(std::string_view name, const std::vector<uint64_t>& dimensions, uint32_t type,
                     uint64_t offset, std::string data = {});

  uint64_t tensors() const { return tensors_; }
  uint64_t entries() const { return entries_; }
  /// Metadata and descriptions, with the header, up to the padding before the data.
  std::string header() const { return header(tensors_, entries_); }
  std::string header(uint64_t claimed_tensors, uint64_t claimed_entries) const;
  std::string bytes() const;

private:
  std::string metadata_, descriptions_, data_;
  uint64_t tensors_ = 0, entries_ = 0;
};

/// The little-endian bytes of a number; a string with its length in front.
template <class T>
std::string bytes_of(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}
std::string length_and(std::string_view text);

} // namespace troupe::testing
