#include "model/formats/gguf_parser.hpp"
#include "model/error.hpp"
#include <algorithm>

namespace troupe::detail {
namespace {

// Sizes that no real file reaches: they bound the memory that a header may cost.
constexpr uint64_t entries_max = 65536;
constexpr uint64_t tensors_max = 65536;
constexpr uint64_t key_bytes_max = 65535; // The format's own limit.
constexpr uint64_t name_bytes_max = 64;   // The format's own limit.
constexpr uint32_t dimensions_max = 4;    // The format's own limit.

// The fewest bytes a metadata entry and a tensor description can take: a count above what is left of the file
// divided by these is wrong, which is known before memory is reserved for it.
constexpr uint64_t entry_bytes_min = 8 + 1 + 4 + 1;
constexpr uint64_t tensor_bytes_min = 8 + 1 + 4 + 8 + 4 + 8;

std::string number(uint64_t value) { return std::to_string(value); }

} // namespace

uint32_t scalar_bytes(gguf_type type) {
  switch (type) {
  case gguf_type::uint8:
  case gguf_type::int8:
  case gguf_type::boolean:
    return 1;
  case gguf_type::uint16:
  case gguf_type::int16:
    return 2;
  case gguf_type::uint32:
  case gguf_type::int32:
  case gguf_type::float32:
    return 4;
  case gguf_type::uint64:
  case gguf_type::int64:
  case gguf_type::float64:
    return 8;
  case gguf_type::string:
  case gguf_type::array:
    break;
  }
  return 0;
}

gguf_value load_scalar(gguf_type type, const std::byte* bytes) {
  switch (type) {
  case gguf_type::uint8:
    return uint64_t{load<uint8_t>(bytes)};
  case gguf_type::int8:
    return int64_t{load<int8_t>(bytes)};
  case gguf_type::uint16:
    return uint64_t{load<uint16_t>(bytes)};
  case gguf_type::int16:
    return int64_t{load<int16_t>(bytes)};
  case gguf_type::uint32:
    return uint64_t{load<uint32_t>(bytes)};
  case gguf_type::int32:
    return int64_t{load<int32_t>(bytes)};
  case gguf_type::float32:
    return double{load<float>(bytes)};
  case gguf_type::boolean:
    return load<uint8_t>(bytes) != 0;
  case gguf_type::uint64:
    return load<uint64_t>(bytes);
  case gguf_type::int64:
    return load<int64_t>(bytes);
  case gguf_type::float64:
    return load<double>(bytes);
  case gguf_type::string:
  case gguf_type::array:
    break;
  }
  throw_broken_invariant("a scalar type", __FILE__, __LINE__);
}

void gguf_parser::fail(std::string_view place, std::string_view reason) const {
  throw input_error(path_.string() + ": " + std::string(place) + ": " + std::string(reason));
}

void gguf_parser::fail_truncated(std::string_view place, std::string_view what, uint64_t needed) const {
  fail(place, std::string(what) + " needs " + number(needed) + " bytes at offset " +
                  number(reader_.offset()) + ", but the file has only " + number(remaining()) +
                  " left");
}

std::optional<std::span<const std::byte>> gguf_parser::take(uint64_t count) {
  const auto bytes = reader_.take(count);
  if (!bytes && count <= remaining()) throw header_continues{};
  return bytes;
}

template <class T>
T gguf_parser::read(std::string_view place, std::string_view what) {
  const auto bytes = take(sizeof(T));
  if (!bytes) fail_truncated(place, what, sizeof(T));
  return load<T>(bytes->data());
}

gguf_parser::counts gguf_parser::read_header() {
  const auto magic = take(4);
  if (!magic || std::memcmp(magic->data(), "GGUF", 4) != 0) {
    fail("offset 0", "not a GGUF file: it does not start with \"GGUF\"");
  }
  const auto version = read<uint32_t>("header", "the version");
  if (version != 0 && (version & 0xffff) == 0) {
    fail("header", "a big-endian file (its version reads as " + number(version) +
                       "); only little-endian GGUF is supported");
  }
  if (version != 2 && version != 3) {
    fail("header", "GGUF version " + number(version) + " is not supported; wanted 2 or 3");
  }
  counts result{version, 0, 0};
  result.tensors = read<uint64_t>("header", "the tensor count");
  result.entries = read<uint64_t>("header", "the metadata count");
  const uint64_t tensors_fit = std::min(tensors_max, remaining() / tensor_bytes_min);
  const uint64_t entries_fit = std::min(entries_max, remaining() / entry_bytes_min);
  if (result.tensors > tensors_fit) {
    fail("header", "claims " + number(result.tensors) + " tensors, more than a file of " +
                       number(file_bytes_) + " bytes can describe (at most " + number(tensors_fit) + ")");
  }
  if (result.entries > entries_fit) {
    fail("header", "claims " + number(result.entries) + " metadata entries, more than a file of " +
                       number(file_bytes_) + " bytes can hold (at most " + number(entries_fit) + ")");
  }
  return result;
}

std::string_view gguf_parser::read_string(std::string_view place) {
  const auto length = read<uint64_t>(place, "a string's length");
  const auto bytes = take(length);
  if (!bytes) fail_truncated(place, "a string", length);
  return {reinterpret_cast<const char*>(bytes->data()), bytes->size()};
}

std::vector<gguf_entry> gguf_parser::read_entries(uint64_t count) {
  std::vector<gguf_entry> entries;
  entries.reserve(count);
  for (uint64_t i = 0; i < count; ++i) entries.push_back(read_entry(i));
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  const auto twice = std::adjacent_find(entries.begin(), entries.end(),
                                        [](const auto& a, const auto& b) { return a.key == b.key; });
  if (twice != entries.end()) fail("key " + in_quotes(twice->key), "appears twice");
  return entries;
}

gguf_entry gguf_parser::read_entry(uint64_t index) {
  gguf_entry entry;
  entry.key = read_string("metadata entry " + number(index));
  const std::string place = "key " + in_quotes(entry.key);
  if (entry.key.empty() || entry.key.size() > key_bytes_max) {
    fail(place, "its length is " + number(entry.key.size()) + "; wanted 1 to " + number(key_bytes_max));
  }
  entry.type = gguf_type{read<uint32_t>(place, "the value's type")};
  entry.value = read_value(place, entry.type);
  return entry;
}

gguf_value gguf_parser::read_value(std::string_view place, gguf_type type) {
  if (type == gguf_type::string) return read_string(place);
  if (type == gguf_type::array) return read_array(place);
  const uint32_t size = scalar_bytes(type);
  if (size == 0) fail(place, "unknown value type " + number(uint32_t(type)));
  const auto bytes = take(size);
  if (!bytes) fail_truncated(place, "the value", size);
  if (type == gguf_type::boolean && load<uint8_t>(bytes->data()) > 1) {
    fail(place, "a boolean must be 0 or 1, found " + number(load<uint8_t>(bytes->data())));
  }
  return load_scalar(type, bytes->data());
}

gguf_array gguf_parser::read_array(std::string_view place) {
  gguf_array array;
  array.element = gguf_type{read<uint32_t>(place, "the array's element type")};
  array.count = read<uint64_t>(place, "the array's length");
  if (array.element == gguf_type::array) fail(place, "arrays of arrays are not supported");
  const uint64_t start = reader_.offset();
  if (array.element == gguf_type::string) {
    if (array.count > remaining() / 8) {
      fail(place, "an array of " + number(array.count) + " strings does not fit into the " +
                      number(remaining()) + " bytes left");
    }
    for (uint64_t i = 0; i < array.count; ++i) read_string(place);
  } else {
    const uint32_t size = scalar_bytes(array.element);
    if (size == 0) fail(place, "unknown element type " + number(uint32_t(array.element)));
    const auto total = checked_product(array.count, size);
    if (!total || !take(*total)) {
      fail(place, "an array of " + number(array.count) + " elements of " + number(size) +
                      " bytes does not fit into the " + number(remaining()) + " bytes left");
    }
  }
  array.bytes = bytes_.subspan(start, reader_.offset() - start);
  return array;
}

std::vector<gguf_tensor> gguf_parser::read_tensors(uint64_t count, uint64_t alignment) {
  std::vector<placed_tensor> placed;
  placed.reserve(count);
  for (uint64_t i = 0; i < count; ++i) placed.push_back(read_tensor(i));
  place_tensors(placed, alignment);

  std::vector<gguf_tensor> tensors;
  tensors.reserve(count);
  for (const auto& p : placed) tensors.push_back(p.tensor);
  std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  const auto twice = std::adjacent_find(tensors.begin(), tensors.end(),
                                        [](const auto& a, const auto& b) { return a.name == b.name; });
  if (twice != tensors.end()) fail("tensor " + in_quotes(twice->name), "appears twice");
  return tensors;
}

gguf_parser::placed_tensor gguf_parser::read_tensor(uint64_t index) {
  placed_tensor placed{};
  gguf_tensor& tensor = placed.tensor;
  tensor.name = read_string("tensor " + number(index));
  const std::string place = "tensor " + in_quotes(tensor.name);
  if (tensor.name.empty() || tensor.name.size() > name_bytes_max) {
    fail(place,
         "its name has " + number(tensor.name.size()) + " bytes; wanted 1 to " + number(name_bytes_max));
  }
  read_dimensions(place, tensor);
  const auto type_number = read<uint32_t>(place, "its type");
  const tensor_type_traits* traits = find_tensor_type(type_number);
  if (traits == nullptr) fail(place, "tensor type " + number(type_number) + " is unknown or not supported");
  tensor.type = traits->type;
  if (tensor.columns % traits->block_elements != 0) {
    fail(place, "rows of " + number(tensor.columns) + " elements are not whole blocks of " +
                    number(traits->block_elements) + ", as " + std::string(traits->name) + " wants");
  }
  placed.offset = read<uint64_t>(place, "its offset");
  const auto row_bytes = checked_product(tensor.columns / traits->block_elements, traits->block_bytes);
  const auto size = row_bytes ? checked_product(*row_bytes, tensor.rows) : std::nullopt;
  if (!size) fail(place, "its size overflows 64 bits");
  placed.size = *size;
  return placed;
}

void gguf_parser::read_dimensions(std::string_view place, gguf_tensor& tensor) {
  const auto dimensions = read<uint32_t>(place, "its number of dimensions");
  if (dimensions == 0 || dimensions > dimensions_max) {
    fail(place, "has " + number(dimensions) + " dimensions; wanted 1 to " + number(dimensions_max));
  }
  tensor.columns = read<uint64_t>(place, "its dimensions");
  tensor.rows = 1;
  bool is_empty = tensor.columns == 0;
  for (uint32_t i = 1; i < dimensions; ++i) {
    const auto dimension = read<uint64_t>(place, "its dimensions");
    is_empty = is_empty || dimension == 0;
    const auto rows = checked_product(tensor.rows, dimension);
    if (!rows) fail(place, "the product of its dimensions overflows 64 bits");
    tensor.rows = *rows;
  }
  if (is_empty) fail(place, "one of its dimensions is 0");
}

void gguf_parser::place_tensors(std::vector<placed_tensor>& placed, uint64_t alignment) const {
  const uint64_t start = (reader_.offset() + alignment - 1) / alignment * alignment;
  const uint64_t available = start <= file_bytes_ ? file_bytes_ - start : 0;
  for (auto& p : placed) {
    const std::string place = "tensor " + in_quotes(p.tensor.name);
    if (p.offset % alignment != 0) {
      fail(place,
           "its offset " + number(p.offset) + " is not a multiple of the alignment " + number(alignment));
    }
    if (p.offset > available || p.size > available - p.offset) {
      fail(place, "its " + number(p.size) + " bytes at offset " + number(p.offset) +
                      " of the data section (" + number(available) +
                      " bytes) lie beyond the end of the file");
    }
    p.tensor.offset = start + p.offset;
    p.tensor.bytes = p.size;
  }
  // Tensors that share bytes would let a small file describe a model of any size.
  std::sort(placed.begin(), placed.end(), [](const auto& a, const auto& b) { return a.offset < b.offset; });
  for (size_t i = 1; i < placed.size(); ++i) {
    if (placed[i].offset - placed[i - 1].offset < placed[i - 1].size) {
      fail("tensor " + in_quotes(placed[i].tensor.name),
           "overlaps with tensor " + in_quotes(placed[i - 1].tensor.name));
    }
  }
}

} // namespace troupe::detail
