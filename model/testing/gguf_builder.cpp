#include "model/testing/gguf_builder.hpp"

namespace troupe::testing {
namespace {

void pad(std::string& bytes, uint64_t alignment) {
  if (alignment > 1) bytes.resize((bytes.size() + alignment - 1) / alignment * alignment);
}

template <class T>
std::string array_of(uint32_t element_type, const std::vector<T>& values) {
  std::string bytes = bytes_of(element_type) + bytes_of(uint64_t(values.size()));
  for (const T value : values) bytes += bytes_of(value);
  return bytes;
}

} // namespace

std::string length_and(std::string_view text) { return bytes_of(uint64_t(text.size())) + std::string(text); }

void gguf_builder::add_raw(std::string_view key, uint32_t type, std::string_view bytes) {
  if (left_out.contains(key)) return;
  metadata_ += length_and(key) + bytes_of(type);
  metadata_ += bytes;
  ++entries_;
}

void gguf_builder::add_u32(std::string_view key, uint32_t value) { add_raw(key, 4, bytes_of(value)); }
void gguf_builder::add_i32(std::string_view key, int32_t value) { add_raw(key, 5, bytes_of(value)); }
void gguf_builder::add_u64(std::string_view key, uint64_t value) { add_raw(key, 10, bytes_of(value)); }
void gguf_builder::add_f32(std::string_view key, float value) { add_raw(key, 6, bytes_of(value)); }
void gguf_builder::add_bool(std::string_view key, bool value) { add_raw(key, 7, bytes_of(uint8_t(value))); }
void gguf_builder::add_string(std::string_view key, std::string_view value) {
  add_raw(key, 8, length_and(value));
}

void gguf_builder::add_strings(std::string_view key, const std::vector<std::string>& values) {
  std::string bytes = bytes_of(uint32_t(8)) + bytes_of(uint64_t(values.size()));
  for (const auto& value : values) bytes += length_and(value);
  add_raw(key, 9, bytes);
}

void gguf_builder::add_floats(std::string_view key, const std::vector<float>& values) {
  add_raw(key, 9, array_of(6, values));
}

void gguf_builder::add_ints(std::string_view key, const std::vector<int32_t>& values) {
  add_raw(key, 9, array_of(5, values));
}

void gguf_builder::add_tensor(std::string_view name, const std::vector<uint64_t>& dimensions, uint32_t type,
                              std::string data) {
  pad(data_, alignment);
  add_tensor_at(name, dimensions, type, data_.size(), std::move(data));
}

void gguf_builder::add_tensor_at(std::string_view name, const std::vector<uint64_t>& dimensions,
                                 uint32_t type, uint64_t offset, std::string data) {
  if (left_out.contains(name)) return;
  descriptions_ += length_and(name) + bytes_of(uint32_t(dimensions.size()));
  for (const uint64_t dimension : dimensions) descriptions_ += bytes_of(dimension);
  descriptions_ += bytes_of(type) + bytes_of(offset);
  data_ += data;
  ++tensors_;
}

std::string gguf_builder::header(uint64_t claimed_tensors, uint64_t claimed_entries) const {
  return "GGUF" + bytes_of(version) + bytes_of(claimed_tensors) + bytes_of(claimed_entries) + metadata_ +
         descriptions_;
}

std::string gguf_builder::bytes() const {
  std::string result = header();
  pad(result, alignment);
  return result + data_;
}

} // namespace troupe::testing
