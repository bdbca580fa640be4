#include "model/formats/model_source.hpp"
#include "model/error.hpp"
#include "model/formats/byte_reader.hpp"

namespace troupe {

std::optional<size_t> model_source::find_index(std::string_view name) const {
  size_t low = 0, high = tensor_count();
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (tensor(middle).name < name) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < tensor_count() && tensor(low).name == name ? std::optional(low) : std::nullopt;
}

void model_source::fail(std::string_view key, std::string_view reason) const {
  throw input_error(path_of_keys().string() + ": " + std::string(key) + ": " + std::string(reason));
}

void model_source::fail_tensor(std::string_view name, std::string_view reason) const {
  throw input_error(path_of_tensor(name).string() + ": tensor " + in_quotes(name) + ": " +
                    std::string(reason));
}

} // namespace troupe
