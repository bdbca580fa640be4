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

unmasked find_unmasked(const safetensors_reader& file, std::span<const int64_t> mask, size_t row) {
  for (size_t column = 0; column < mask.size(); ++column) {
    if (mask[column] != 0 && mask[column] != 1) {
      file.fail("attention_mask", place_of(row, column) + " is " + std::to_string(mask[column]) + ", wanted 0 or 1");
    }
  }
  const auto begin = std::find(mask.begin(), mask.end(), 1);
  const auto end = std::find(begin, mask.end(), 0);
  if (const auto again = std::find(end, mask.end(), 1); again != mask.end()) {
    file.fail("attention_mask", place_of(row, static_cast<size_t>(end - mask.begin()))
                                  + " is a hole: 0 between ones; only padding at the ends is supported");
  }
  return {static_cast<uint32_t>(begin - mask.begin()), static_cast<uint32_t>(end - begin)};
}

token_row take_row(const safetensors_reader& file, std::span<const int64_t> ids, unmasked columns, size_t row) {
  token_row result{columns.first, {}};
  for (size_t column = columns.first; column < columns.first + columns.count; ++column) {
    const int64_t id = ids[column];
    if (id < 0 || id > static_cast<int64_t>(most)) {
      file.fail("input_ids", place_of(row, column) + " is " + std::to_string(id) + ", which is no token id");
    }
    result.tokens.push_back(static_cast<uint32_t>(id));
  }
  return result;
}

} // namespace

uint64_t token_batch::tokens() const {
  uint64_t sum = 0;
  for (const token_row& row : rows) sum += row.tokens.size();
  return sum;
}

token_batch read_token_batch(const std::filesystem::path& path) {
  const safetensors_reader file{path};
  const safetensors_tensor& tensor = file.get("input_ids");
  const auto [batch, length] = shape_of(file, tensor);
  const std::vector<int64_t> ids = file.integers("input_ids");
  std::vector<int64_t> mask;
  if (const safetensors_tensor* given = file.find("attention_mask")) {
    if (given->shape != tensor.shape) file.fail("attention_mask", "its shape is not that of input_ids");
    mask = file.integers("attention_mask");
  }
  token_batch result;
  result.length = static_cast<uint32_t>(length);
  for (size_t row = 0; row < batch; ++row) {
    const auto row_of = [&](const std::vector<int64_t>& all) { return std::span(all).subspan(row * length, length); };
    const unmasked columns = mask.empty() ? unmasked{0, result.length} : find_unmasked(file, row_of(mask), row);
    result.rows.push_back(take_row(file, row_of(ids), columns, row));
  }
  return result;
}

} // namespace troupe
