#include "model/formats/gguf_values.hpp"

namespace troupe {

std::string_view describe(gguf_type type) {
  switch (type) {
  case gguf_type::uint8:
  case gguf_type::uint16:
  case gguf_type::uint32:
  case gguf_type::uint64:
    return "an unsigned integer";
  case gguf_type::int8:
  case gguf_type::int16:
  case gguf_type::int32:
  case gguf_type::int64:
    return "a signed integer";
  case gguf_type::float32:
  case gguf_type::float64:
    return "a floating-point number";
  case gguf_type::boolean:
    return "a boolean";
  case gguf_type::string:
    return "a string";
  case gguf_type::array:
    return "an array";
  }
  return "a value of unknown type";
}

} // namespace troupe
