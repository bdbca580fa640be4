#include "model/families/family_reader.hpp"
#include "model/formats/byte_reader.hpp"
#include "model/kernels/dequantize.hpp"
#include "model/utf8.hpp"
#include <cmath>
#include <sstream>

namespace troupe {
namespace {

std::string text_of(double value) {
  std::ostringstream text;
  text.precision(9);
  text << value;
  return text.str();
}

std::string text_of(bounds wanted) { return "from " + text_of(wanted.low) + " to " + text_of(wanted.high); }

std::string shape(uint64_t rows, uint64_t columns) {
  return "[" + std::to_string(rows) + ", " + std::to_string(columns) + "]";
}

tensor_view view_of(const gguf_tensor& tensor) {
  return {std::string(tensor.name), tensor.type, tensor.rows, tensor.columns, tensor.bytes};
}

} // namespace

uint32_t hyperparameters::count(std::string_view key, bounds wanted) const {
  const uint64_t value = file_.get_unsigned(full(key));
  if (double(value) < wanted.low || double(value) > wanted.high) {
    fail(key, "wanted an integer " + text_of(wanted) + ", found " + std::to_string(value));
  }
  return static_cast<uint32_t>(value);
}

uint32_t hyperparameters::count(std::string_view key, bounds wanted, uint32_t otherwise) const {
  return has(key) ? count(key, wanted) : otherwise;
}

float hyperparameters::number(std::string_view key, bounds wanted) const {
  const double value = file_.get_number(full(key));
  const bool is_within = value >= wanted.low && value <= wanted.high; // False for NaN.
  if (!is_within) fail(key, "wanted a number " + text_of(wanted) + ", found " + text_of(value));
  return static_cast<float>(value);
}

float hyperparameters::number(std::string_view key, bounds wanted, float otherwise) const {
  return has(key) ? number(key, wanted) : otherwise;
}

const gguf_tensor* tensor_lookup::use(const std::string& name) {
  const gguf_tensor* tensor = file_.find_tensor(name);
  if (tensor != nullptr) is_used_[tensor - file_.tensors().data()] = true;
  return tensor;
}

std::optional<tensor_view> tensor_lookup::find_matrix(const std::string& name, uint64_t rows, uint64_t columns) {
  const gguf_tensor* tensor = use(name);
  if (tensor == nullptr) return std::nullopt;
  if (tensor->rows != rows || tensor->columns != columns) {
    file_.fail("tensor " + name,
               "wanted " + shape(rows, columns) + ", found " + shape(tensor->rows, tensor->columns));
  }
  return view_of(*tensor);
}

tensor_view tensor_lookup::matrix(const std::string& name, uint64_t rows, uint64_t columns) {
  auto found = find_matrix(name, rows, columns);
  if (!found) file_.fail("tensor " + name, "is missing; wanted " + shape(rows, columns));
  return *std::move(found);
}

std::optional<tensor_view> tensor_lookup::find_vector(const std::string& name, uint64_t length) {
  auto found = find_matrix(name, 1, length);
  if (found && traits_of(found->type).block_elements != 1) {
    file_.fail("tensor " + name,
               "wanted F32, F16 or BF16, found " + std::string(traits_of(found->type).name));
  }
  return found;
}

tensor_view tensor_lookup::vector(const std::string& name, uint64_t length) {
  auto found = find_vector(name, length);
  if (!found) file_.fail("tensor " + name, "is missing; wanted " + shape(1, length));
  return *std::move(found);
}

tensor_view tensor_lookup::table(const std::string& name, uint64_t rows_max, uint64_t columns) {
  const gguf_tensor* tensor = use(name);
  if (tensor == nullptr)
    file_.fail("tensor " + name, "is missing; wanted " + std::to_string(columns) + " columns");
  if (tensor->columns != columns || tensor->rows > rows_max) {
    file_.fail("tensor " + name, "wanted " + std::to_string(columns) + " columns and at most " +
                                     std::to_string(rows_max) + " rows, found " +
                                     shape(tensor->rows, tensor->columns));
  }
  return view_of(*tensor);
}

std::optional<tensor_view> tensor_lookup::read_bias(const std::string& name, uint64_t length, bias with) {
  if (with == bias::none) return std::nullopt;
  return with == bias::required ? vector(name + ".bias", length) : find_vector(name + ".bias", length);
}

projection_tensors tensor_lookup::projection(const std::string& name, uint64_t rows, uint64_t columns, bias with) {
  return {matrix(name + ".weight", rows, columns), read_bias(name, rows, with)};
}

norm_tensors tensor_lookup::norm(const std::string& name, uint64_t width, bias with) {
  return {vector(name + ".weight", width), read_bias(name, width, with)};
}

void tensor_lookup::require_all_used() const {
  for (size_t i = 0; i < is_used_.size(); ++i) {
    if (!is_used_[i]) {
      file_.fail("tensor " + in_quotes(file_.tensors()[i].name),
                 "is not part of this architecture as it is known here");
    }
  }
}

decoder_sizes read_sizes(const gguf& file, const hyperparameters& parameters) {
  if (const auto experts = parameters.count("expert_count", {0, 1 << 20}, 0); experts > 0) {
    parameters.fail("expert_count",
                    "mixtures of experts are not supported (" + std::to_string(experts) + " experts)");
  }
  if (!parameters.flag("attention.causal").value_or(true)) {
    parameters.fail("attention.causal", "only causal attention is supported");
  }
  decoder_sizes sizes{};
  sizes.width = parameters.count("embedding_length", width_bounds);
  sizes.layers = parameters.count("block_count", {1, 2048});
  // 2^20 positions: tables of positions are made for all of them.
  sizes.context_length = parameters.count("context_length", {1, 1 << 20});
  sizes.feed_forward = parameters.count("feed_forward_length", {1, 1 << 20});
  sizes.heads = parameters.count("attention.head_count", {1, 1024});
  sizes.kv_heads = parameters.count("attention.head_count_kv", {1, 1024}, sizes.heads);
  if (sizes.heads % sizes.kv_heads != 0) {
    parameters.fail("attention.head_count_kv", std::to_string(sizes.heads) + " query heads cannot share " +
                                                   std::to_string(sizes.kv_heads) +
                                                   " key/value heads evenly");
  }
  if (!parameters.has("attention.key_length") && sizes.width % sizes.heads != 0) {
    parameters.fail("embedding_length", "a width of " + std::to_string(sizes.width) +
                                            " does not divide among " + std::to_string(sizes.heads) +
                                            " heads, and attention.key_length is missing");
  }
  const bounds head_bounds{1, 1024};
  sizes.head_dim = parameters.count("attention.key_length", head_bounds, sizes.width / sizes.heads);
  if (sizes.head_dim < 1 || sizes.head_dim > head_bounds.high) {
    parameters.fail("attention.head_count", "heads of " + std::to_string(sizes.head_dim) +
                                                " elements; wanted " + text_of(head_bounds));
  }
  const auto value_length = parameters.count("attention.value_length", head_bounds, sizes.head_dim);
  if (value_length != sizes.head_dim) {
    parameters.fail("attention.value_length", "values of another length (" + std::to_string(value_length) +
                                                  ") than keys (" + std::to_string(sizes.head_dim) +
                                                  ") are not supported");
  }
  if (sizes.layers > file.tensors().size()) {
    parameters.fail("block_count", std::to_string(sizes.layers) + " layers, but the file has only " +
                                       std::to_string(file.tensors().size()) + " tensors");
  }
  return sizes;
}

model_spec start_spec(const gguf& file, std::string_view architecture, const decoder_sizes& sizes,
                      const tensor_view& embedding) {
  model_spec spec;
  spec.architecture = architecture;
  const auto name = file.find_string("general.name").value_or("");
  spec.name = is_utf8(name) ? std::string(name) : in_quotes(name);
  spec.vocabulary = static_cast<uint32_t>(embedding.rows);
  spec.width = sizes.width;
  spec.context_length = sizes.context_length;
  return spec;
}

projection_tensors read_output(tensor_lookup& tensors, const tensor_view& embedding) {
  auto weight = tensors.find_matrix("output.weight", embedding.rows, embedding.columns);
  return {weight ? *std::move(weight) : embedding, tensors.find_vector("output.bias", embedding.rows)};
}

rope_spec read_rope(const gguf& file, const hyperparameters& parameters, tensor_lookup& tensors,
                    rope_kind kind, uint32_t head_dim) {
  rope_spec rope;
  rope.kind = kind;
  rope.dimensions = parameters.count("rope.dimension_count", {2, double(head_dim)}, head_dim);
  if (rope.dimensions % 2 != 0) {
    parameters.fail("rope.dimension_count",
                    "rotary positions turn pairs; " + std::to_string(rope.dimensions) + " is odd");
  }
  rope.base = parameters.number("rope.freq_base", {1, 1e12}, 10000.0f);

  // A factor without a type is linear, as is the older key. A factor of 0 stands for none.
  const auto type = parameters.text("rope.scaling.type").value_or("linear");
  if (type != "none" && type != "linear") {
    parameters.fail("rope.scaling.type",
                    in_quotes(type) + " is not supported; supported are none and linear");
  }
  if (type == "linear") {
    const auto key = parameters.has("rope.scaling.factor") ? "rope.scaling.factor" : "rope.scale_linear";
    const float factor = parameters.number(key, {0, 1e6}, 1.0f);
    if (factor != 0 && factor < 1e-3f) parameters.fail(key, "wanted 0, or a number from 0.001 to 1e+06");
    rope.scaling_factor = factor == 0 ? 1.0f : factor;
  }

  if (const auto factors = tensors.find_vector("rope_freqs.weight", rope.dimensions / 2)) {
    rope.factors = dequantize(*factors);
    for (const float factor : rope.factors) {
      const bool is_sane = factor >= 1e-6f && factor <= 1e6f; // False for NaN.
      if (!is_sane) {
        file.fail("tensor rope_freqs.weight", "wanted numbers from 1e-06 to 1e+06, found " + text_of(factor));
      }
    }
  }
  return rope;
}

} // namespace troupe
