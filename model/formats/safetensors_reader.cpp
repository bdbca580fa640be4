#include "model/error.hpp"
#include "model/formats/byte_reader.hpp"
#include "model/formats/safetensors.hpp"
#include "model/formats/safetensors_types.hpp"
#include "model/kernels/dequantize.hpp"
#include "model/tensor.hpp"
#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

namespace troupe {
namespace {

using nlohmann::json;

/// A tensor of the header with its place among the data, not yet checked against the file.
struct described_tensor {
  safetensors_tensor tensor;
  uint64_t begin = 0, end = 0;
};

/// Walks through the header's JSON and turns it into tensor descriptions.
class header_reader {
public:
  explicit header_reader(const safetensors_reader& file) : file_(file) {}

  std::vector<described_tensor> read(std::string_view text) const {
    const json header = parse(text);
    if (!header.is_object())
      file_.fail("header", "wanted a JSON object, found " + std::string(header.type_name()));
    std::vector<described_tensor> tensors;
    for (const auto& [name, description] : header.items()) {
      if (name != "__metadata__") tensors.push_back(read_tensor(name, description));
    }
    return tensors;
  }

private:
  /// nlohmann keeps the last of two equal keys silently; here the second one is an error. Nothing in a header
  /// is nested deeper than a shape, so deep nesting is refused before it is built.
  json parse(std::string_view text) const {
    std::set<std::string> names;
    const auto check = [&](int depth, json::parse_event_t event, json& value) {
      if (depth > 4) file_.fail("header", "its JSON is nested too deeply");
      if (event == json::parse_event_t::key && depth == 1) {
        const auto& name = value.get_ref<const std::string&>();
        if (!names.insert(name).second)
          file_.fail("tensor " + in_quotes(name), "appears twice in the header");
      }
      return true;
    };
    try {
      return json::parse(text.begin(), text.end(), check);
    } catch (const json::exception& error) {
      file_.fail("header", "is not valid JSON: " + in_quotes(error.what()));
    }
  }

  described_tensor read_tensor(const std::string& name, const json& description) const {
    const std::string place = "tensor " + in_quotes(name);
    if (!description.is_object()) file_.fail(place, "wanted an object with dtype, shape and data_offsets");
    described_tensor result;
    result.tensor.name = name;
    result.tensor.type = read_type(place, field(place, description, "dtype"));
    for (const auto& dimension : array(place, description, "shape")) {
      result.tensor.shape.push_back(natural(place, "shape", dimension));
    }
    const json& offsets = array(place, description, "data_offsets");
    if (offsets.size() != 2) file_.fail(place, "data_offsets: wanted two numbers");
    result.begin = natural(place, "data_offsets", offsets[0]);
    result.end = natural(place, "data_offsets", offsets[1]);
    return result;
  }

  const json& field(const std::string& place, const json& description, const char* key) const {
    const auto found = description.find(key);
    if (found == description.end()) file_.fail(place, std::string(key) + " is missing");
    return *found;
  }

  const json& array(const std::string& place, const json& description, const char* key) const {
    const json& value = field(place, description, key);
    if (!value.is_array())
      file_.fail(place, std::string(key) + ": wanted an array, found a " + value.type_name());
    return value;
  }

  uint64_t natural(const std::string& place, const char* key, const json& value) const {
    if (!value.is_number_unsigned())
      file_.fail(place, std::string(key) + ": wanted integers that are not negative");
    return value.get<uint64_t>();
  }

  safetensors_type read_type(const std::string& place, const json& value) const {
    const std::string name = value.is_string() ? value.get<std::string>() : "";
    for (const auto& known : detail::safetensors_types) {
      if (known.name == name) return known.type;
    }
    file_.fail(place, "dtype " + in_quotes(name) + " is unknown");
  }

  const safetensors_reader& file_;
};

/// Gives every tensor its bytes. The format allows neither gaps nor overlaps, so sizes alone decide all
/// offsets.
std::vector<safetensors_tensor> place(const safetensors_reader& file, std::vector<described_tensor> described,
                                      uint64_t data_begin, uint64_t data_bytes) {
  // Empty tensors sort before the one that begins where they end.
  std::sort(described.begin(), described.end(), [](const auto& a, const auto& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t expected = 0;
  std::vector<safetensors_tensor> tensors;
  for (auto& [tensor, begin, end] : described) {
    const std::string where = "tensor " + in_quotes(tensor.name);
    const auto size = detail::safetensors_size(tensor.type, tensor.shape);
    if (!size) file.fail(where, "the product of its shape overflows 64 bits");
    if (begin > end || end > data_bytes) {
      file.fail(where, "its bytes " + std::to_string(begin) + " to " + std::to_string(end) +
                           " are not within the " + std::to_string(data_bytes) + " bytes of data");
    }
    if (end - begin != *size) {
      file.fail(where, "has " + std::to_string(end - begin) + " bytes; its type and shape want " +
                           std::to_string(*size));
    }
    if (begin != expected) {
      file.fail(where, begin < expected ? "overlaps with another tensor" : "leaves a gap before it");
    }
    expected = end;
    tensor.offset = data_begin + begin;
    tensor.bytes = *size;
    tensors.push_back(std::move(tensor));
  }
  if (expected != data_bytes) {
    file.fail("data", std::to_string(data_bytes - expected) + " bytes at the end belong to no tensor");
  }
  return tensors;
}

template <class T>
void append(std::span<const std::byte> bytes, std::vector<int64_t>& out) {
  for (size_t i = 0; i < bytes.size(); i += sizeof(T))
    out.push_back(static_cast<int64_t>(load<T>(&bytes[i])));
}

} // namespace

safetensors_reader::safetensors_reader(const std::filesystem::path& path)
    : file_(std::make_shared<const input_file>(path)) {
  if (file_->size() < sizeof(uint64_t)) fail("header", "the file has fewer than 8 bytes");
  uint64_t length = 0;
  file_->read(0, std::as_writable_bytes(std::span(&length, 1)));
  if (length > detail::safetensors_header_max) {
    fail("header", "claims " + std::to_string(length) + " bytes; wanted at most " +
                       std::to_string(detail::safetensors_header_max));
  }
  const uint64_t left = file_->size() - sizeof length;
  if (length > left) {
    fail("header", "claims " + std::to_string(length) + " bytes, but the file has only " + std::to_string(left) + " left");
  }
  std::string text(length, '\0');
  file_->read(sizeof length, std::as_writable_bytes(std::span(text)));
  tensors_ = place(*this, header_reader(*this).read(text), sizeof length + length, left - length);
}

std::vector<std::byte> safetensors_reader::read(const safetensors_tensor& tensor) const {
  std::vector<std::byte> bytes(tensor.bytes);
  file_->read(tensor.offset, bytes);
  return bytes;
}

void safetensors_reader::fail(std::string_view place, std::string_view reason) const {
  throw input_error(file_->path().string() + ": " + std::string(place) + ": " + std::string(reason));
}

const safetensors_tensor* safetensors_reader::find(std::string_view name) const {
  const auto at = std::find_if(tensors_.begin(), tensors_.end(),
                               [&](const safetensors_tensor& tensor) { return tensor.name == name; });
  return at == tensors_.end() ? nullptr : &*at;
}

const safetensors_tensor& safetensors_reader::get(std::string_view name) const {
  const safetensors_tensor* tensor = find(name);
  if (tensor == nullptr) fail("tensor " + in_quotes(name), "is missing");
  return *tensor;
}

std::vector<int64_t> safetensors_reader::integers(std::string_view name) const {
  const safetensors_tensor& tensor = get(name);
  const auto bytes = read(tensor);
  std::vector<int64_t> values;
  values.reserve(tensor.elements());
  switch (tensor.type) {
  case safetensors_type::boolean:
  case safetensors_type::uint8:
    append<uint8_t>(bytes, values);
    break;
  case safetensors_type::int8:
    append<int8_t>(bytes, values);
    break;
  case safetensors_type::uint16:
    append<uint16_t>(bytes, values);
    break;
  case safetensors_type::int16:
    append<int16_t>(bytes, values);
    break;
  case safetensors_type::uint32:
    append<uint32_t>(bytes, values);
    break;
  case safetensors_type::int32:
    append<int32_t>(bytes, values);
    break;
  case safetensors_type::int64:
    append<int64_t>(bytes, values);
    break;
  case safetensors_type::uint64:
    append<uint64_t>(bytes, values);
    if (std::any_of(values.begin(), values.end(), [](int64_t value) { return value < 0; })) {
      fail("tensor " + in_quotes(name), "holds integers of 2^63 and more");
    }
    break;
  default:
    fail("tensor " + in_quotes(name), "wanted integers, found " + std::string(name_of(tensor.type)));
  }
  return values;
}

std::vector<float> safetensors_reader::floats(std::string_view name) const {
  const safetensors_tensor& tensor = get(name);
  const auto bytes = read(tensor);
  tensor_view view{tensor.name, tensor_type::f32, 1, tensor.elements(), bytes};
  switch (tensor.type) {
  case safetensors_type::float16:
    view.type = tensor_type::f16;
    break;
  case safetensors_type::bfloat16:
    view.type = tensor_type::bf16;
    break;
  case safetensors_type::float32:
    break;
  case safetensors_type::float64: {
    std::vector<float> values;
    values.reserve(tensor.elements());
    for (size_t i = 0; i < bytes.size(); i += 8)
      values.push_back(float(load<double>(&bytes[i])));
    return values;
  }
  default:
    fail("tensor " + in_quotes(name),
         "wanted floating-point numbers, found " + std::string(name_of(tensor.type)));
  }
  return view.columns == 0 ? std::vector<float>{} : dequantize(view);
}

} // namespace troupe
