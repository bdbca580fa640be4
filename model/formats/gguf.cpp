#include "model/formats/gguf.hpp"
#include "model/error.hpp"
#include "model/formats/gguf_parser.hpp"
#include <algorithm>
#include <bit>

namespace troupe {
namespace {

/// "a string", "a negative integer", "an array of strings".
std::string describe(const gguf_entry& entry) {
  if (const auto* array = std::get_if<gguf_array>(&entry.value)) {
    return "an array of " + std::to_string(array->count) + " elements, each " +
           std::string(troupe::describe(array->element));
  }
  if (const auto* integer = std::get_if<int64_t>(&entry.value))
    return "the integer " + std::to_string(*integer);
  return std::string(troupe::describe(entry.type));
}

[[noreturn]] void fail_kind(const gguf& file, const gguf_entry& entry, std::string_view wanted) {
  file.fail(entry.key, "wanted " + std::string(wanted) + ", found " + describe(entry));
}

template <class Value>
Value require(const gguf& file, std::string_view key, const std::optional<Value>& value) {
  if (!value) file.fail(key, "this key is missing");
  return *value;
}

} // namespace

gguf::gguf(std::shared_ptr<const input_file> file) : file_(std::move(file)) {
  constexpr uint64_t header_bytes_max = uint64_t(1) << 30; // No real file comes near.
  for (uint64_t bytes = uint64_t(1) << 20;; bytes *= 4) {
    header_.resize(std::min(bytes, file_->size()));
    file_->read(0, header_);
    try {
      parse();
      return;
    } catch (const detail::header_continues&) {
      if (bytes >= header_bytes_max) fail("header", "goes on beyond the first " + std::to_string(bytes) + " bytes");
    }
  }
}

void gguf::parse() {
  detail::gguf_parser parser(file_->path(), header_, file_->size());
  const auto header = parser.read_header();
  version_ = header.version;
  entries_ = parser.read_entries(header.entries);
  if (const auto alignment = find_unsigned("general.alignment")) {
    if (!std::has_single_bit(*alignment) || *alignment > (uint64_t(1) << 30)) {
      fail("general.alignment", "wanted a power of two up to 2^30, found " + std::to_string(*alignment));
    }
    alignment_ = *alignment;
  }
  tensors_ = parser.read_tensors(header.tensors, alignment_);
}

source_tensor gguf::tensor(size_t index) const {
  const gguf_tensor& found = tensors_[index];
  return {found.name, traits_of(found.type).name, found.type, found.rows, found.columns, file_, found.offset, found.bytes};
}

const gguf_entry* gguf::find(std::string_view key) const {
  const auto at = std::lower_bound(entries_.begin(), entries_.end(), key,
                                   [](const gguf_entry& entry, std::string_view k) { return entry.key < k; });
  return at != entries_.end() && at->key == key ? &*at : nullptr;
}

const gguf_tensor* gguf::find_tensor(std::string_view name) const {
  const auto at =
      std::lower_bound(tensors_.begin(), tensors_.end(), name,
                       [](const gguf_tensor& tensor, std::string_view n) { return tensor.name < n; });
  return at != tensors_.end() && at->name == name ? &*at : nullptr;
}

std::optional<uint64_t> gguf::find_unsigned(std::string_view key) const {
  const gguf_entry* entry = find(key);
  if (entry == nullptr) return std::nullopt;
  if (const auto* value = std::get_if<uint64_t>(&entry->value)) return *value;
  if (const auto* value = std::get_if<int64_t>(&entry->value); value && *value >= 0) return uint64_t(*value);
  fail_kind(*this, *entry, "an unsigned integer");
}

std::optional<double> gguf::find_number(std::string_view key) const {
  const gguf_entry* entry = find(key);
  if (entry == nullptr) return std::nullopt;
  if (const auto* value = std::get_if<double>(&entry->value)) return *value;
  if (const auto* value = std::get_if<uint64_t>(&entry->value)) return double(*value);
  if (const auto* value = std::get_if<int64_t>(&entry->value)) return double(*value);
  fail_kind(*this, *entry, "a number");
}

std::optional<bool> gguf::find_bool(std::string_view key) const {
  const gguf_entry* entry = find(key);
  if (entry == nullptr) return std::nullopt;
  if (const auto* value = std::get_if<bool>(&entry->value)) return *value;
  fail_kind(*this, *entry, "a boolean");
}

std::optional<std::string_view> gguf::find_string(std::string_view key) const {
  const gguf_entry* entry = find(key);
  if (entry == nullptr) return std::nullopt;
  if (const auto* value = std::get_if<std::string_view>(&entry->value)) return *value;
  fail_kind(*this, *entry, "a string");
}

const gguf_array* gguf::find_array(std::string_view key) const {
  const gguf_entry* entry = find(key);
  if (entry == nullptr) return nullptr;
  if (const auto* value = std::get_if<gguf_array>(&entry->value)) return value;
  fail_kind(*this, *entry, "an array");
}

uint64_t gguf::get_unsigned(std::string_view key) const { return require(*this, key, find_unsigned(key)); }
double gguf::get_number(std::string_view key) const { return require(*this, key, find_number(key)); }
std::string_view gguf::get_string(std::string_view key) const {
  return require(*this, key, find_string(key));
}

void gguf::for_each_string(std::string_view key, const gguf_array& array,
                           const std::function<void(std::string_view)>& take) const {
  if (array.element != gguf_type::string) {
    fail(key,
         "wanted an array of strings, found elements that are each " + std::string(describe(array.element)));
  }
  byte_reader reader(array.bytes);
  for (uint64_t i = 0; i < array.count; ++i) {
    // The parser has walked through these bytes already: that they are all there is an invariant by now.
    const auto length = reader.take<uint64_t>();
    TROUPE_ASSERT(length.has_value());
    const auto bytes = reader.take(*length);
    TROUPE_ASSERT(bytes.has_value());
    take({reinterpret_cast<const char*>(bytes->data()), bytes->size()});
  }
}

void gguf::for_each_number(std::string_view key, const gguf_array& array,
                           const std::function<void(double)>& take) const {
  const uint32_t size = detail::scalar_bytes(array.element);
  if (size == 0 || array.element == gguf_type::boolean) {
    fail(key,
         "wanted an array of numbers, found elements that are each " + std::string(describe(array.element)));
  }
  TROUPE_ASSERT(array.bytes.size() == array.count * size);
  for (uint64_t i = 0; i < array.count; ++i) {
    const gguf_value value = detail::load_scalar(array.element, array.bytes.data() + i * size);
    if (const auto* real = std::get_if<double>(&value)) take(*real);
    if (const auto* natural = std::get_if<uint64_t>(&value)) take(double(*natural));
    if (const auto* integer = std::get_if<int64_t>(&value)) take(double(*integer));
  }
}

} // namespace troupe
