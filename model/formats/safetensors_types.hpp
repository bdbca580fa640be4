#pragma once
// The element types of safetensors as a table. Not for other files than safetensors*.cpp.
#include "model/formats/safetensors.hpp"
#include <array>
#include <optional>

namespace troupe::detail {

struct safetensors_traits {
  safetensors_type type;
  std::string_view name;
  uint32_t bytes;
};

constexpr std::array safetensors_types{
    safetensors_traits{safetensors_type::boolean, "BOOL", 1},
    safetensors_traits{safetensors_type::uint8, "U8", 1},
    safetensors_traits{safetensors_type::int8, "I8", 1},
    safetensors_traits{safetensors_type::float8_e4m3, "F8_E4M3", 1},
    safetensors_traits{safetensors_type::float8_e5m2, "F8_E5M2", 1},
    safetensors_traits{safetensors_type::uint16, "U16", 2},
    safetensors_traits{safetensors_type::int16, "I16", 2},
    safetensors_traits{safetensors_type::float16, "F16", 2},
    safetensors_traits{safetensors_type::bfloat16, "BF16", 2},
    safetensors_traits{safetensors_type::uint32, "U32", 4},
    safetensors_traits{safetensors_type::int32, "I32", 4},
    safetensors_traits{safetensors_type::float32, "F32", 4},
    safetensors_traits{safetensors_type::uint64, "U64", 8},
    safetensors_traits{safetensors_type::int64, "I64", 8},
    safetensors_traits{safetensors_type::float64, "F64", 8},
};

/// The longest header, read or written.
constexpr uint64_t safetensors_header_max = uint64_t(16) << 20;

/// Bytes of a tensor of this shape, or nothing when 64 bits are not enough.
std::optional<uint64_t> safetensors_size(safetensors_type type, const std::vector<uint64_t>& shape);

} // namespace troupe::detail
