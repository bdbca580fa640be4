#include "model/error.hpp"
#include "model/formats/byte_reader.hpp"
#include "model/formats/safetensors.hpp"
#include "model/formats/safetensors_types.hpp"
#include "model/utf8.hpp"
#include <nlohmann/json.hpp>

namespace troupe {
namespace detail {

std::optional<uint64_t> safetensors_size(safetensors_type type, const std::vector<uint64_t>& shape) {
  std::optional<uint64_t> size = bytes_of(type);
  for (const uint64_t dimension : shape) {
    if (size) size = checked_product(*size, dimension);
  }
  return size;
}

namespace {

const safetensors_traits& traits_of(safetensors_type type) {
  for (const auto& known : safetensors_types) {
    if (known.type == type) return known;
  }
  throw_broken_invariant("a known safetensors_type", __FILE__, __LINE__);
}

} // namespace
} // namespace detail

std::string_view name_of(safetensors_type type) { return detail::traits_of(type).name; }
uint32_t bytes_of(safetensors_type type) { return detail::traits_of(type).bytes; }

safetensors_writer::safetensors_writer(std::filesystem::path path, const std::vector<safetensors_plan>& plan,
                                       const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  for (const auto& tensor : plan) {
    const auto size = detail::safetensors_size(tensor.type, tensor.shape);
    uint64_t end = 0;
    if (!size || __builtin_add_overflow(remaining_, *size, &end)) {
      throw input_error(path.string() + ": tensor " + in_quotes(tensor.name) + ": its size overflows 64 bits");
    }
    if (header.contains(tensor.name) || tensor.name == "__metadata__" || !is_utf8(tensor.name)) {
      throw input_error(path.string() + ": tensor " + in_quotes(tensor.name) +
                        ": its name is taken, reserved, or not UTF-8");
    }
    header[tensor.name] = {
        {"dtype", name_of(tensor.type)}, {"shape", tensor.shape}, {"data_offsets", {remaining_, end}}};
    remaining_ = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' '); // So that the data is aligned.
  if (text.size() > detail::safetensors_header_max) throw input_error(path.string() + ": too many tensors");

  file_.emplace(std::move(path));
  const uint64_t length = text.size();
  file_->write(std::as_bytes(std::span(&length, 1)));
  file_->write(std::as_bytes(std::span(text)));
}

void safetensors_writer::write(std::span<const std::byte> bytes) {
  TROUPE_ASSERT(bytes.size() <= remaining_);
  remaining_ -= bytes.size();
  file_->write(bytes);
}

void safetensors_writer::finish() {
  TROUPE_ASSERT(remaining_ == 0);
  file_->commit();
}

} // namespace troupe
