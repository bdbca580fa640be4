#pragma once
// How gguf.cpp walks through a file's header. Not for other files.
#include "model/formats/byte_reader.hpp"
#include "model/formats/gguf_values.hpp"
#include <filesystem>

namespace troupe::detail {

/// Size in bytes of a scalar of this type; 0 for strings, arrays and unknown types.
uint32_t scalar_bytes(gguf_type type);

/// The scalar at `bytes`, which holds scalar_bytes(type) of them. Booleans other than 0 and 1 read as true.
gguf_value load_scalar(gguf_type type, const std::byte* bytes);

/// The header is longer than what of it is in memory, though not than the file.
struct header_continues {};

/// Every function throws input_error, or header_continues.
class gguf_parser {
public:
  /// `header`: the first bytes of a file of `file_bytes` bytes.
  gguf_parser(const std::filesystem::path& path, std::span<const std::byte> header, uint64_t file_bytes)
      : path_(path), reader_(header), bytes_(header), file_bytes_(file_bytes) {}

  struct counts {
    uint32_t version;
    uint64_t tensors, entries;
  };
  counts read_header();
  std::vector<gguf_entry> read_entries(uint64_t count);
  std::vector<gguf_tensor> read_tensors(uint64_t count, uint64_t alignment);

private:
  struct placed_tensor {
    gguf_tensor tensor;
    uint64_t offset, size;
  };

  std::string_view read_string(std::string_view place);
  gguf_entry read_entry(uint64_t index);
  gguf_value read_value(std::string_view place, gguf_type type);
  gguf_array read_array(std::string_view place);
  placed_tensor read_tensor(uint64_t index);
  void read_dimensions(std::string_view place, gguf_tensor& tensor);
  void place_tensors(std::vector<placed_tensor>& placed, uint64_t alignment) const;

  uint64_t remaining() const { return file_bytes_ - reader_.offset(); } // Of the file.
  /// The next bytes, or nothing when fewer are left of the file.
  std::optional<std::span<const std::byte>> take(uint64_t count);
  template <class T>
  T read(std::string_view place, std::string_view what);
  [[noreturn]] void fail(std::string_view place, std::string_view reason) const;
  [[noreturn]] void fail_truncated(std::string_view place, std::string_view what, uint64_t needed) const;

  const std::filesystem::path& path_;
  byte_reader reader_;
  std::span<const std::byte> bytes_;
  uint64_t file_bytes_;
};

} // namespace troupe::detail
