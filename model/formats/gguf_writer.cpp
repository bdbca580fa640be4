#include "model/formats/gguf_writer.hpp"
#include "model/error.hpp"
#include "model/formats/gguf_values.hpp"

namespace troupe {
namespace {

constexpr uint64_t padding_after(uint64_t bytes) {
  return (gguf_writer::alignment - bytes % gguf_writer::alignment) % gguf_writer::alignment;
}

template <class T>
std::string little_endian(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

std::string with_length(std::string_view text) { return little_endian(uint64_t(text.size())) + std::string(text); }

template <class T>
std::string array_of(gguf_type element, const std::vector<T>& values) {
  std::string bytes = little_endian(uint32_t(element)) + little_endian(uint64_t(values.size()));
  for (const T value : values) bytes += little_endian(value);
  return bytes;
}

uint64_t bytes_of(const gguf_plan& plan) {
  const auto& traits = traits_of(plan.type);
  uint64_t elements = 1;
  for (const uint64_t dimension : plan.dimensions) elements *= dimension;
  TROUPE_ASSERT(!plan.dimensions.empty());
  TROUPE_ASSERT(plan.dimensions.front() % traits.block_elements == 0);
  return elements / traits.block_elements * traits.block_bytes;
}

} // namespace

void gguf_header::add_raw(std::string_view key, uint32_t type, std::string_view bytes) {
  if (!wants(key)) return;
  metadata_ += with_length(key) + little_endian(type);
  metadata_ += bytes;
  ++entries_;
}

void gguf_header::add_u32(std::string_view key, uint32_t value) {
  add_raw(key, uint32_t(gguf_type::uint32), little_endian(value));
}

void gguf_header::add_i32(std::string_view key, int32_t value) {
  add_raw(key, uint32_t(gguf_type::int32), little_endian(value));
}

void gguf_header::add_u64(std::string_view key, uint64_t value) {
  add_raw(key, uint32_t(gguf_type::uint64), little_endian(value));
}

void gguf_header::add_f32(std::string_view key, float value) {
  add_raw(key, uint32_t(gguf_type::float32), little_endian(value));
}

void gguf_header::add_bool(std::string_view key, bool value) {
  add_raw(key, uint32_t(gguf_type::boolean), little_endian(uint8_t(value)));
}

void gguf_header::add_string(std::string_view key, std::string_view value) {
  add_raw(key, uint32_t(gguf_type::string), with_length(value));
}

void gguf_header::add_strings(std::string_view key, const std::vector<std::string>& values) {
  std::string bytes = little_endian(uint32_t(gguf_type::string)) + little_endian(uint64_t(values.size()));
  for (const auto& value : values) bytes += with_length(value);
  add_raw(key, uint32_t(gguf_type::array), bytes);
}

void gguf_header::add_floats(std::string_view key, const std::vector<float>& values) {
  add_raw(key, uint32_t(gguf_type::array), array_of(gguf_type::float32, values));
}

void gguf_header::add_ints(std::string_view key, const std::vector<int32_t>& values) {
  add_raw(key, uint32_t(gguf_type::array), array_of(gguf_type::int32, values));
}

void gguf_header::add_description(std::string_view name, const std::vector<uint64_t>& dimensions, uint32_t type,
                                  uint64_t offset) {
  if (!wants(name)) return;
  descriptions_ += with_length(name) + little_endian(uint32_t(dimensions.size()));
  for (const uint64_t dimension : dimensions) descriptions_ += little_endian(dimension);
  descriptions_ += little_endian(type) + little_endian(offset);
  ++tensors_;
}

std::string gguf_header::header(uint64_t claimed_tensors, uint64_t claimed_entries) const {
  return "GGUF" + little_endian(version) + little_endian(claimed_tensors) + little_endian(claimed_entries) + metadata_ +
         descriptions_;
}

gguf_writer::gguf_writer(const std::filesystem::path& path, gguf_header metadata, const std::vector<gguf_plan>& plan)
    : file_(path) {
  TROUPE_ASSERT(metadata.tensors() == 0);
  uint64_t offset = 0;
  for (const auto& tensor : plan) {
    metadata.add_description(tensor.name, tensor.dimensions, uint32_t(tensor.type), offset);
    sizes_.push_back(bytes_of(tensor));
    TROUPE_ASSERT(sizes_.back() > 0);
    offset += sizes_.back() + padding_after(sizes_.back());
  }
  std::string header = metadata.header();
  header.resize(header.size() + padding_after(header.size()));
  file_.write(std::as_bytes(std::span(header)));
}

void gguf_writer::write(std::span<const std::byte> bytes) {
  constexpr std::byte zeros[alignment] = {};
  while (!bytes.empty()) {
    TROUPE_ASSERT(at_ < sizes_.size());
    const auto some = bytes.first(std::min<uint64_t>(bytes.size(), sizes_[at_] - written_));
    file_.write(some);
    bytes = bytes.subspan(some.size());
    written_ += some.size();
    if (written_ < sizes_[at_]) continue;
    file_.write(std::span(zeros).first(padding_after(written_)));
    written_ = 0;
    ++at_;
  }
}

void gguf_writer::finish() {
  TROUPE_ASSERT(at_ == sizes_.size());
  file_.commit();
}

} // namespace troupe
