#include "model/testing/gguf_builder.hpp"

namespace troupe::testing {
namespace {

void pad(std::string& bytes, uint64_t alignment) {
  if (alignment > 1) bytes.resize((bytes.size() + alignment - 1) / alignment * alignment);
}

} // namespace

std::string length_and(std::string_view text) { return bytes_of(uint64_t(text.size())) + std::string(text); }

void gguf_builder::add_tensor(std::string_view name, const std::vector<uint64_t>& dimensions, uint32_t type,
                              std::string data) {
  pad(data_, alignment);
  add_tensor_at(name, dimensions, type, data_.size(), std::move(data));
}

void gguf_builder::add_tensor_at(std::string_view name, const std::vector<uint64_t>& dimensions,
                                 uint32_t type, uint64_t offset, std::string data) {
  if (!wants(name)) return;
  add_description(name, dimensions, type, offset);
  data_ += data;
}

std::string gguf_builder::bytes() const {
  std::string result = header();
  pad(result, alignment);
  return result + data_;
}

} // namespace troupe::testing
