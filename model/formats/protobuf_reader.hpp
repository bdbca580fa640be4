#pragma once
// Protocol Buffers' wire format, as far as sentencepiece's model files need it: these must be read without the library, whose copy in
// libsentencepiece does not get on with ours in one process.
#include "model/formats/byte_reader.hpp"
#include <optional>
#include <span>
#include <string>

namespace troupe {

/// The fields of one message, in the order of the file. The bytes are not trusted. They must outlive the reader and what it hands out.
class protobuf_reader {
public:
  struct field {
    uint32_t number = 0;
    enum class wire_type : uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 } type = wire_type::varint;
    uint64_t value = 0;              // varint, fixed64, fixed32.
    std::span<const std::byte> bytes; // bytes: a string, or a message of its own.
    uint64_t offset = 0;             // Where it is in the file, for errors.
  };

  /// A message that begins at byte `offset` of the file `name`; both are for errors only.
  protobuf_reader(std::span<const std::byte> message, std::string name, uint64_t offset = 0)
      : bytes_(message), name_(std::move(name)), offset_(offset) {}

  /// Nothing at the end. Throws input_error with the place in the file.
  std::optional<field> next();

  // What a field holds; input_error when it is of another type.
  std::string text(const field& of) const;
  bool flag(const field& of) const { return number(of) != 0; }
  uint64_t number(const field& of) const;
  float float32(const field& of) const;
  protobuf_reader message(const field& of) const;
  [[noreturn]] void fail(uint64_t offset, const std::string& reason) const;

private:
  uint64_t varint();
  void require(const field& of, field::wire_type type, const char* wanted) const;

  byte_reader bytes_;
  std::string name_;
  uint64_t offset_;
};

} // namespace troupe
