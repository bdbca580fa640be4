#include "model/formats/open_vocabulary.hpp"
#include "model/formats/gguf.hpp"
#include "model/formats/gguf_vocabulary.hpp"
#include "model/formats/hf_vocabulary.hpp"
#include "model/formats/json.hpp"
#include "model/formats/sentencepiece_model.hpp"
#include <algorithm>

namespace troupe {
namespace {

constexpr uint64_t ids_max = 1 << 24;

bool is_there(const std::filesystem::path& path) {
  std::error_code ignored; // What exists and cannot be read fails when it is opened.
  return std::filesystem::exists(path, ignored);
}

vocabulary open_folder(const std::filesystem::path& folder) {
  if (!has_hf_vocabulary(folder)) return {};
  uint64_t rows = hf_vocabulary_size(folder);
  if (is_there(folder / "config.json")) {
    const json_file config(folder / "config.json");
    if (const auto size = config.root().find("vocab_size")) rows = std::max(rows, size->natural(ids_max));
  }
  return read_hf_vocabulary(folder, uint32_t(rows));
}

vocabulary open_gguf(const std::filesystem::path& path) {
  const gguf file(std::make_shared<const input_file>(path));
  const auto* tokens = file.find_array("tokenizer.ggml.tokens");
  uint64_t rows = tokens == nullptr ? 0 : tokens->count;
  if (const auto embedding = file.find_index("token_embd.weight")) rows = std::max(rows, file.tensor(*embedding).rows);
  return read_vocabulary(file, uint32_t(std::min(rows, ids_max)));
}

} // namespace

vocabulary open_vocabulary(const std::filesystem::path& path) {
  const auto extension = path.extension();
  if (extension == ".model" || extension == ".spm") return read_sentencepiece_model(path);
  if (const auto folder = hf_folder_of(path)) return open_folder(*folder);
  if (path.filename() == "tokenizer.json") return open_folder(path.has_parent_path() ? path.parent_path() : ".");
  return open_gguf(path);
}

} // namespace troupe
