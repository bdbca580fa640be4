#include "apps/troupe/logits/token_batch.hpp"
#include "model/formats/safetensors.hpp"
#include <algorithm>
#include <limits>
#include <string>

namespace troupe {
namespace {

constexpr uint64_t most = std::numeric_limits<uint32_t>::max();

std::string place_of(size_t row, size_t column) {
  return "row " + std::to_string(row) + ", column " + std::to_string(column);
}

struct shape {
  uint64_t batch = 1, length = 0;
};

shape shape_of(const safetensors_reader& file, const safetensors_tensor& tensor) {
  if (tensor.shape.empty() || tensor.shape.size() > 2) file.fail(tensor.name, "wanted [batch, length] or [length]");
  const shape result{tensor.shape.size() == 2 ? tensor.shape[0] : 1, tensor.shape.back()};
  if (result.batch == 0 || result.length == 0) file.fail(tensor.name, "is empty");
  if (result.length > most || result.batch > most) file.fail(tensor.name, "is too large");
  return result;
}

/// The columns of a row that take part.
struct unmasked {
  uint32_t first = 0, count = 0;
};

unmasked find_unmasked(const safetensors_reader& file, const std::string& name, std::span<const int64_t> mask, size_t row) {
  for (size_t column = 0; column < mask.size(); ++column) {
    if (mask[column] != 0 && mask[column] != 1) {
      file.fail(name, place_of(row, column) + " is " + std::to_string(mask[column]) + ", wanted 0 or 1");
    }
  }
  const auto begin = std::find(mask.begin(), mask.end(), 1);
  const auto end = std::find(begin, mask.end(), 0);
  if (const auto again = std::find(end, mask.end(), 1); again != mask.end()) {
    file.fail(name, place_of(row, static_cast<size_t>(end - mask.begin()))
                                  + " is a hole: 0 between ones; only padding at the ends is supported");
  }
  return {static_cast<uint32_t>(begin - mask.begin()), static_cast<uint32_t>(end - begin)};
}

/// The values of the columns that take part.
std::vector<uint32_t> take_values(const safetensors_reader& file, const std::string& name, std::span<const int64_t> row_of_values,
                                  unmasked columns, size_t row) {
  std::vector<uint32_t> result;
  for (size_t column = columns.first; column < columns.first + columns.count; ++column) {
    const int64_t value = row_of_values[column];
    if (value < 0 || value > static_cast<int64_t>(most)) {
      file.fail(name, place_of(row, column) + " is " + std::to_string(value) + ", which is no id");
    }
    result.push_back(static_cast<uint32_t>(value));
  }
  return result;
}

/// The values of a tensor that may be there, of the same shape as another; empty when it is not.
std::vector<int64_t> find_values(const safetensors_reader& file, const std::string& name, const safetensors_tensor& like) {
  const safetensors_tensor* found = file.find(name);
  if (found == nullptr) return {};
  if (found->shape != like.shape) file.fail(name, "its shape is not that of " + like.name);
  return file.integers(name);
}

token_batch read_batch(const safetensors_reader& file, const std::string& ids_name, const std::string& mask_name,
                       const std::string& segments_name) {
  const safetensors_tensor& tensor = file.get(ids_name);
  const auto [batch, length] = shape_of(file, tensor);
  const auto ids = file.integers(ids_name), mask = find_values(file, mask_name, tensor),
             segments = find_values(file, segments_name, tensor);
  token_batch result;
  result.length = static_cast<uint32_t>(length);
  for (size_t row = 0; row < batch; ++row) {
    const auto row_of = [&](const std::vector<int64_t>& all) { return std::span(all).subspan(row * length, length); };
    const unmasked columns = mask.empty() ? unmasked{0, result.length} : find_unmasked(file, mask_name, row_of(mask), row);
    token_row one{columns.first, take_values(file, ids_name, row_of(ids), columns, row), {}};
    if (!segments.empty()) one.segments = take_values(file, segments_name, row_of(segments), columns, row);
    result.rows.push_back(std::move(one));
  }
  return result;
}

} // namespace

uint64_t token_batch::tokens() const {
  uint64_t sum = 0;
  for (const token_row& row : rows) sum += row.tokens.size();
  return sum;
}

namespace {

/// of_one: the shape of the features of one row of the batch, which stand for so many rows of tokens.
model_input read_features(const safetensors_reader& file, const char* name, const std::vector<uint64_t>& of_one, uint32_t rows) {
  std::vector<uint64_t> shape = file.get(name).shape, wanted = of_one;
  if (shape.size() == of_one.size()) shape.insert(shape.begin(), 1);
  wanted.insert(wanted.begin(), shape.empty() ? 0 : shape.front());
  uint64_t elements = 1;
  std::string text = "[batch";
  for (const uint64_t side : of_one) {
    elements *= side;
    text += ", " + std::to_string(side);
  }
  if (shape != wanted) file.fail(name, "wanted " + text + "], the size that the model takes");
  if (shape.front() == 0) file.fail(name, "is empty");
  const auto values = file.floats(name);
  model_input result;
  result.tokens.length = rows;
  for (auto first = values.begin(); first != values.end(); first += std::ptrdiff_t(elements)) {
    result.features.emplace_back(first, first + std::ptrdiff_t(elements));
    result.tokens.rows.push_back({0, std::vector<uint32_t>(rows), {}});
  }
  return result;
}

void read_decoder(const safetensors_reader& file, model_input& into) {
  if (file.find("decoder_input_ids") == nullptr) return;
  into.decoder = read_batch(file, "decoder_input_ids", "decoder_attention_mask", "decoder_token_type_ids");
  if (into.decoder->rows.size() != into.tokens.rows.size()) file.fail("decoder_input_ids", "has other rows than what the encoder gets");
}

} // namespace

model_input read_images(const std::filesystem::path& path, const image_spec& image) {
  return read_features(safetensors_reader{path}, "pixel_values", {image.channels, image.height, image.width}, image.rows());
}

model_input read_sounds(const std::filesystem::path& path, const audio_spec& audio) {
  const safetensors_reader file{path};
  auto result = read_features(file, "input_features", {audio.bins, audio.frames}, audio.rows());
  read_decoder(file, result);
  return result;
}

model_input read_model_input(const std::filesystem::path& path) {
  const safetensors_reader file{path};
  model_input result{read_batch(file, "input_ids", "attention_mask", "token_type_ids"), std::nullopt, {}};
  read_decoder(file, result);
  return result;
}

} // namespace troupe
