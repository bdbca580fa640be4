#pragma once
#include "model/formats/gguf.hpp"
#include <span>
#include <string>

namespace troupe::testing {

/// The bytes of a tensor, from its file.
inline std::string content(const gguf& file, const gguf_tensor& tensor) {
  std::string bytes(tensor.bytes, '\0');
  file.file()->read(tensor.offset, std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

} // namespace troupe::testing
