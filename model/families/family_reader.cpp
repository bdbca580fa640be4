#include "model/families/family_reader.hpp"
#include "model/error.hpp"
#include "model/formats/byte_reader.hpp"
#include "model/utf8.hpp"
#include <algorithm>
#include <cstring>
#include <map>
#include <sstream>

namespace troupe {

std::string text_of(double value) {
  std::ostringstream text;
  text.precision(9);
  text << value;
  return text.str();
}

namespace {

std::string range_of(bounds wanted) { return "from " + text_of(wanted.low) + " to " + text_of(wanted.high); }

std::string shape_text(uint64_t rows, uint64_t columns) {
  return "[" + std::to_string(rows) + ", " + std::to_string(columns) + "]";
}

stored_tensor view_of(const source_tensor& tensor) {
  return {std::string(tensor.name), *tensor.type, tensor.rows, tensor.columns, tensor.from, tensor.offset};
}

/// Of tensors of one type and shape.
bool have_same_bytes(const stored_tensor& a, const stored_tensor& b) {
  bool are_same = true;
  for_each_piece(a, 1, [&](const tensor_view& piece, uint64_t first_row) {
    if (!are_same) return;
    const auto other = read_bytes(b.row_slice(first_row, piece.rows));
    are_same = std::equal(other.begin(), other.end(), piece.bytes.begin(), piece.bytes.end());
  });
  return are_same;
}

/// out[column, row] = in[row, column], in squares that stay in the cache.
template <class Element>
void transpose(std::span<const std::byte> in, std::span<std::byte> out, uint64_t rows, uint64_t columns) {
  constexpr uint64_t square = 32;
  for (uint64_t top = 0; top < rows; top += square) {
    for (uint64_t left = 0; left < columns; left += square) {
      for (uint64_t row = top; row < std::min(top + square, rows); ++row) {
        for (uint64_t column = left; column < std::min(left + square, columns); ++column) {
          std::memcpy(&out[(column * rows + row) * sizeof(Element)],
                      &in[(row * columns + column) * sizeof(Element)], sizeof(Element));
        }
      }
    }
  }
}

} // namespace

std::string hyperparameters::full(const published_name& key) const {
  if (is_hugging_face()) return key.hugging_face;
  return key.gguf.empty() ? "" : architecture_ + "." + key.gguf;
}

bool hyperparameters::has(const published_name& key) const {
  const std::string name = full(key);
  return !name.empty() && source_.has(name);
}

std::optional<std::string_view> hyperparameters::text(const published_name& key) const {
  const std::string name = full(key);
  return name.empty() ? std::nullopt : source_.find_string(name);
}

std::optional<bool> hyperparameters::flag(const published_name& key) const {
  const std::string name = full(key);
  return name.empty() ? std::nullopt : source_.find_bool(name);
}

void hyperparameters::require_text(const published_name& key,
                                   std::initializer_list<std::string_view> supported) const {
  const auto found = text(key);
  if (!found) fail(key, "this key is missing");
  std::string list;
  for (const auto& known : supported) {
    if (known == *found) return;
    list += (list.empty() ? "" : ", ") + std::string(known);
  }
  fail(key, in_quotes(*found) + " is not supported; supported are " + list);
}

void hyperparameters::fail(const published_name& key, std::string_view reason) const {
  source_.fail(full(key), reason);
}

uint32_t hyperparameters::count(const published_name& key, bounds wanted) const {
  const auto value = source_.find_unsigned(full(key));
  if (!value) fail(key, "this key is missing");
  if (double(*value) < wanted.low || double(*value) > wanted.high) {
    fail(key, "wanted an integer " + range_of(wanted) + ", found " + std::to_string(*value));
  }
  return static_cast<uint32_t>(*value);
}

uint32_t hyperparameters::count(const published_name& key, bounds wanted, uint32_t otherwise) const {
  return has(key) ? count(key, wanted) : otherwise;
}

float hyperparameters::number(const published_name& key, bounds wanted) const {
  const auto value = source_.find_number(full(key));
  if (!value) fail(key, "this key is missing");
  const bool is_within = *value >= wanted.low && *value <= wanted.high; // False for NaN.
  if (!is_within) fail(key, "wanted a number " + range_of(wanted) + ", found " + text_of(*value));
  return static_cast<float>(*value);
}

float hyperparameters::number(const published_name& key, bounds wanted, float otherwise) const {
  return has(key) ? number(key, wanted) : otherwise;
}

const std::string& tensor_lookup::name_here(const published_name& name) const {
  return is_hugging_face() ? name.hugging_face : name.gguf;
}

std::optional<source_tensor> tensor_lookup::use(const std::string& name) {
  const auto index = source_.find_index(name);
  if (!index) return std::nullopt;
  is_used_[*index] = true;
  const source_tensor tensor = source_.tensor(*index);
  if (!tensor.type) {
    source_.fail_tensor(name, "its type " + std::string(tensor.type_name) +
                                  " is not supported; wanted F32, F16 or BF16");
  }
  return tensor;
}

stored_tensor tensor_lookup::record(const published_name& name, std::vector<uint64_t> shape, stored_tensor view) {
  published_.push_back({name.gguf, name.hugging_face, std::move(shape), false, view});
  return view;
}

stored_tensor tensor_lookup::make(const published_name& name, uint64_t rows, uint64_t columns,
                                std::vector<uint64_t> shape) {
  copies_.push_back(std::make_shared<byte_memory>(std::vector<std::byte>(rows * columns * sizeof(float))));
  return record(name, std::move(shape), {name_here(name), tensor_type::f32, rows, columns, copies_.back()});
}

std::optional<stored_tensor> tensor_lookup::find(const published_name& name, uint64_t rows, uint64_t columns,
                                               std::vector<uint64_t> shape) {
  const auto tensor = use(name_here(name));
  if (!tensor) return std::nullopt;
  if (tensor->rows != rows || tensor->columns != columns) {
    source_.fail_tensor(tensor->name,
                        "wanted " + shape_text(rows, columns) + ", found " +
                            shape_text(tensor->rows, tensor->columns));
  }
  return record(name, std::move(shape), view_of(*tensor));
}

std::optional<stored_tensor> tensor_lookup::find_matrix(const published_name& name, uint64_t rows,
                                                      uint64_t columns) {
  return find(name, rows, columns, {rows, columns});
}

void tensor_lookup::fail_missing(const published_name& name, const std::string& wanted) const {
  source_.fail_tensor(name_here(name), "is missing; wanted " + wanted);
}

stored_tensor tensor_lookup::matrix(const published_name& name, uint64_t rows, uint64_t columns) {
  if (makes_tensors()) return make(name, rows, columns, {rows, columns});
  auto found = find_matrix(name, rows, columns);
  if (!found) fail_missing(name, shape_text(rows, columns));
  return *std::move(found);
}

stored_tensor tensor_lookup::matrix(const published_name& name, std::vector<uint64_t> shape) {
  const uint64_t columns = shape.back();
  uint64_t rows = 1;
  for (size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
  if (makes_tensors()) return make(name, rows, columns, std::move(shape));
  auto found = find(name, rows, columns, std::move(shape));
  if (!found) fail_missing(name, shape_text(rows, columns));
  return *std::move(found);
}

projection_tensors tensor_lookup::convolution(const published_name& name, std::vector<uint64_t> shape) {
  const uint64_t outputs = shape.front();
  stored_tensor weight = matrix(name + ".weight", std::move(shape));
  // The same elements in the same order. It has no blocks that would notice: folders have none.
  weight.columns *= weight.rows / outputs;
  weight.rows = outputs;
  return {weight, vector(name + ".bias", outputs)};
}

std::optional<stored_tensor> tensor_lookup::find_vector(const published_name& name, uint64_t length) {
  auto found = find(name, 1, length, {length});
  if (found && traits_of(found->type).block_elements != 1) {
    source_.fail_tensor(found->name,
                        "wanted F32, F16 or BF16, found " + std::string(traits_of(found->type).name));
  }
  return found;
}

stored_tensor tensor_lookup::vector(const published_name& name, uint64_t length) {
  if (makes_tensors()) return make(name, 1, length, {length});
  auto found = find_vector(name, length);
  if (!found) fail_missing(name, shape_text(1, length));
  return *std::move(found);
}

stored_tensor tensor_lookup::table(const published_name& name, uint64_t rows_max, uint64_t columns) {
  const auto tensor = use(name_here(name));
  if (!tensor) fail_missing(name, std::to_string(columns) + " columns");
  if (tensor->columns != columns || tensor->rows > rows_max) {
    source_.fail_tensor(tensor->name, "wanted " + std::to_string(columns) + " columns and at most " +
                                          std::to_string(rows_max) + " rows, found " +
                                          shape_text(tensor->rows, tensor->columns));
  }
  return record(name, {tensor->rows, tensor->columns}, view_of(*tensor));
}

std::optional<stored_tensor> tensor_lookup::read_bias(const published_name& name, uint64_t length, bias with) {
  if (with == bias::none) return std::nullopt;
  return with == bias::required ? vector(name + ".bias", length) : find_vector(name + ".bias", length);
}

projection_tensors tensor_lookup::projection(const published_name& name, uint64_t rows, uint64_t columns,
                                             bias with) {
  return {matrix(name + ".weight", rows, columns), read_bias(name, rows, with)};
}

projection_tensors tensor_lookup::conv1d(const published_name& name, uint64_t rows, uint64_t columns,
                                         bias with) {
  if (!is_hugging_face()) return projection(name, rows, columns, with);
  const auto weight = makes_tensors() ? make(name + ".weight", rows, columns, {columns, rows})
                                      : transposed(matrix(name + ".weight", columns, rows));
  published_.back().is_transposed = true;
  published_.back().view = weight;
  return {weight, read_bias(name, rows, with)};
}

stored_tensor tensor_lookup::transposed(const stored_tensor& tensor) {
  const uint32_t element_bytes = traits_of(tensor.type).block_bytes;
  TROUPE_ASSERT(element_bytes == 2 || element_bytes == 4);
  std::vector<std::byte> copy(tensor.bytes());
  const auto in_order = element_bytes == 2 ? transpose<uint16_t> : transpose<uint32_t>;
  in_order(read_bytes(tensor), copy, tensor.rows, tensor.columns);
  copies_.push_back(std::make_shared<byte_memory>(std::move(copy)));
  return {tensor.name, tensor.type, tensor.columns, tensor.rows, copies_.back()};
}

norm_tensors tensor_lookup::norm(const published_name& name, uint64_t width, bias with) {
  return {vector(name + ".weight", width), read_bias(name, width, with)};
}

std::string tensor_lookup::prefix_if_used(std::string_view prefix) const {
  if (makes_tensors()) return std::string(prefix);
  for (size_t i = 0; i < source_.tensor_count(); ++i) {
    if (source_.tensor(i).name.starts_with(prefix)) return std::string(prefix);
  }
  return "";
}

void tensor_lookup::ignore_endings(std::initializer_list<std::string_view> endings) {
  for (size_t i = 0; i < source_.tensor_count(); ++i) {
    for (const auto ending : endings)
      is_ignored_[i] = is_ignored_[i] || source_.tensor(i).name.ends_with(ending);
  }
}

void tensor_lookup::ignore_beginnings(std::initializer_list<std::string_view> beginnings) {
  for (size_t i = 0; i < source_.tensor_count(); ++i) {
    for (const auto beginning : beginnings)
      is_ignored_[i] = is_ignored_[i] || source_.tensor(i).name.starts_with(beginning);
  }
}

void tensor_lookup::ignore_copy(const published_name& name, const stored_tensor& other) {
  const auto index = source_.find_index(name_here(name));
  if (!index) return;
  const source_tensor tensor = source_.tensor(*index);
  const bool is_same = tensor.type == other.type && tensor.rows == other.rows && tensor.columns == other.columns &&
                       have_same_bytes(view_of(tensor), other);
  if (!is_same) {
    source_.fail_tensor(tensor.name,
                        "the configuration says that it is the same as " + other.name + ", but it is not");
  }
  is_ignored_[*index] = true;
}

void tensor_lookup::finish(model_description& model) {
  std::map<tensor_type, uint64_t> counts;
  for (size_t i = 0; i < is_used_.size(); ++i) {
    const source_tensor tensor = source_.tensor(i);
    if (!is_used_[i] && !is_ignored_[i]) {
      source_.fail_tensor(tensor.name, "is not part of this architecture as it is known here");
    }
  }
  for (const auto& tensor : published_) {
    ++counts[tensor.view.type];
    model.parameters += tensor.view.rows * tensor.view.columns; // Tensors do not overlap: the sum is bounded by the files.
  }
  for (const auto& [type, count] : counts) model.tensor_types.emplace_back(traits_of(type).name, count);
  model.copies = std::move(copies_);
  model.published = std::move(published_);
}

decoder_sizes read_sizes(const model_source& source, const hyperparameters& parameters,
                         const decoder_keys& keys) {
  const published_name experts{"expert_count", ""}, causal{"attention.causal", ""},
      value_length{"attention.value_length", ""};
  if (const auto count = parameters.count(experts, {0, 1 << 20}, 0); count > 0) {
    parameters.fail(experts, "mixtures of experts are not supported (" + std::to_string(count) + " experts)");
  }
  if (!parameters.flag(causal).value_or(true)) parameters.fail(causal, "only causal attention is supported");
  decoder_sizes sizes{};
  sizes.width = parameters.count(keys.width, width_bounds);
  sizes.layers = parameters.count(keys.layers, {1, 2048});
  sizes.context_length = parameters.count(keys.context_length, {1, double(context_max)});
  const bool may_lack_feed_forward = parameters.is_hugging_face() && keys.feed_forward_times_width > 0;
  sizes.feed_forward = may_lack_feed_forward && !parameters.has(keys.feed_forward)
                           ? keys.feed_forward_times_width * sizes.width
                           : parameters.count(keys.feed_forward, {1, 1 << 20});
  sizes.heads = parameters.count(keys.heads, {1, 1024});
  sizes.kv_heads = parameters.count(keys.kv_heads, {1, 1024}, sizes.heads);
  if (sizes.heads % sizes.kv_heads != 0) {
    parameters.fail(keys.kv_heads, std::to_string(sizes.heads) + " query heads cannot share " +
                                       std::to_string(sizes.kv_heads) + " key/value heads evenly");
  }
  if (!parameters.has(keys.head_dim) && sizes.width % sizes.heads != 0) {
    parameters.fail(keys.width, "a width of " + std::to_string(sizes.width) + " does not divide among " +
                                    std::to_string(sizes.heads) + " heads, and their size is not given");
  }
  const bounds head_bounds{1, 1024};
  sizes.head_dim = parameters.count(keys.head_dim, head_bounds, sizes.width / sizes.heads);
  if (sizes.head_dim < 1 || sizes.head_dim > head_bounds.high) {
    parameters.fail(keys.heads, "heads of " + std::to_string(sizes.head_dim) + " elements; wanted " +
                                    range_of(head_bounds));
  }
  if (const auto length = parameters.count(value_length, head_bounds, sizes.head_dim);
      length != sizes.head_dim) {
    parameters.fail(value_length, "values of another length (" + std::to_string(length) + ") than keys (" +
                                      std::to_string(sizes.head_dim) + ") are not supported");
  }
  if (source.has_tensors() && sizes.layers > source.tensor_count()) {
    parameters.fail(keys.layers, std::to_string(sizes.layers) + " layers, but there are only " +
                                     std::to_string(source.tensor_count()) + " tensors");
  }
  return sizes;
}

stored_tensor read_embedding(const hyperparameters& parameters, tensor_lookup& tensors,
                           const std::string& hugging_face_name, uint32_t width) {
  const published_name name{"token_embd.weight", hugging_face_name}, size{"", "vocab_size"};
  if (tensors.makes_tensors())
    return tensors.matrix(name, parameters.count(size, {1, double(vocabulary_max)}), width);
  const auto embedding = tensors.table(name, vocabulary_max, width);
  const auto rows = static_cast<uint32_t>(embedding.rows);
  if (parameters.count(size, {1, double(vocabulary_max)}, rows) != rows) {
    parameters.fail(size, "the embedding has " + std::to_string(rows) + " rows");
  }
  return embedding;
}

model_spec start_spec(const model_source& source, std::string_view architecture, const decoder_sizes& sizes,
                      const stored_tensor& embedding) {
  const bool is_folder = source.published_as() == publication::hugging_face;
  const std::string folder_name = is_folder ? source.path().filename().string() : "";
  model_spec spec;
  spec.architecture = architecture;
  const auto name = source.find_string(is_folder ? "_name_or_path" : "general.name").value_or(folder_name);
  spec.name = is_utf8(name) ? std::string(name) : in_quotes(name);
  spec.vocabulary = spec.output.columns = static_cast<uint32_t>(embedding.rows);
  spec.width = sizes.width;
  spec.context_length = sizes.context_length;
  return spec;
}

projection_tensors read_output(const hyperparameters& parameters, tensor_lookup& tensors,
                               const stored_tensor& embedding, bool tied_by_default) {
  const published_name weight{"output.weight", "lm_head.weight"};
  if (!tensors.is_hugging_face()) {
    auto found = tensors.find_matrix(weight, embedding.rows, embedding.columns);
    return {found ? *std::move(found) : embedding, tensors.find_vector({"output.bias", ""}, embedding.rows)};
  }
  if (!parameters.flag({"", "tie_word_embeddings"}).value_or(tied_by_default)) {
    return {tensors.matrix(weight, embedding.rows, embedding.columns), std::nullopt};
  }
  tensors.ignore_copy(weight, embedding);
  return {embedding, std::nullopt};
}

} // namespace troupe
