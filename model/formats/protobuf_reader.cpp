#include "model/formats/protobuf_reader.hpp"
#include "model/error.hpp"

namespace troupe {

using wire_type = protobuf_reader::field::wire_type;

void protobuf_reader::fail(uint64_t offset, const std::string& reason) const {
  throw input_error(name_ + ": byte " + std::to_string(offset) + ": " + reason);
}

uint64_t protobuf_reader::varint() {
  const uint64_t begin = offset_ + bytes_.offset();
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const auto byte = bytes_.take<uint8_t>();
    if (!byte) fail(begin, "a number is cut off by the end of its message");
    value |= uint64_t(*byte & 0x7F) << shift;
    if (*byte < 0x80) return value;
  }
  fail(begin, "a number has more than ten bytes");
}

std::optional<protobuf_reader::field> protobuf_reader::next() {
  if (bytes_.remaining() == 0) return std::nullopt;
  field found;
  found.offset = offset_ + bytes_.offset();
  const uint64_t tag = varint();
  if (tag >> 3 == 0 || tag >> 3 > 0x1FFFFFFF) fail(found.offset, "there is no field " + std::to_string(tag >> 3));
  found.number = static_cast<uint32_t>(tag >> 3);
  found.type = static_cast<wire_type>(tag & 7);
  const auto take_number = [&]<class T>(T) {
    const auto value = bytes_.take<T>();
    if (!value) fail(found.offset, "field " + std::to_string(found.number) + " is cut off by the end of its message");
    found.value = *value;
  };
  switch (found.type) {
  case wire_type::varint:
    found.value = varint();
    return found;
  case wire_type::fixed64:
    take_number(uint64_t());
    return found;
  case wire_type::fixed32:
    take_number(uint32_t());
    return found;
  case wire_type::bytes: {
    const uint64_t size = varint();
    const auto bytes = bytes_.take(size);
    if (!bytes)
      fail(found.offset, "field " + std::to_string(found.number) + " has " + std::to_string(size) + " bytes, but only " +
                             std::to_string(bytes_.remaining()) + " follow");
    found.bytes = *bytes;
    return found;
  }
  }
  fail(found.offset, "field " + std::to_string(found.number) + " is of the type " + std::to_string(tag & 7) + ", which is not supported");
}

void protobuf_reader::require(const field& of, wire_type type, const char* wanted) const {
  if (of.type != type) fail(of.offset, "field " + std::to_string(of.number) + ": wanted " + wanted);
}

std::string protobuf_reader::text(const field& of) const {
  require(of, wire_type::bytes, "a string");
  return std::string(reinterpret_cast<const char*>(of.bytes.data()), of.bytes.size());
}

uint64_t protobuf_reader::number(const field& of) const {
  require(of, wire_type::varint, "a number");
  return of.value;
}

float protobuf_reader::float32(const field& of) const {
  require(of, wire_type::fixed32, "a float");
  return std::bit_cast<float>(static_cast<uint32_t>(of.value));
}

protobuf_reader protobuf_reader::message(const field& of) const {
  require(of, wire_type::bytes, "a message");
  const uint64_t end = offset_ + bytes_.offset(); // It is the field that was read last.
  return {of.bytes, name_, end - of.bytes.size()};
}

} // namespace troupe
