#pragma once
// The tokenizer of a Hugging Face folder, as data: tokenizer.json, or Marian's source.spm with vocab.json, or a sentencepiece model
// (spm.model, tokenizer.model), the first of these that is there; and what tokenizer_config.json, generation_config.json and
// config.json say about special tokens.
#include "model/formats/hf_folder.hpp"
#include "model/tokenizer/vocabulary.hpp"
#include <filesystem>

namespace troupe {

/// Reads the vocabulary of the folder; kind none where it has none of these. `embedding_rows` is how
/// many ids the model knows: an id that is not below is refused, since it could not be embedded; ids without
/// a piece get unused ones, "[PAD<id>]". So pieces and kinds (and scores, for unigram) have embedding_rows
/// elements each, and all special ids are below that. Throws input_error naming file, place and reason: also
/// for whatever the file asks for that no tokenizer here does.
vocabulary read_hf_vocabulary(const std::filesystem::path& folder, uint32_t embedding_rows);

/// False: kind none would be read.
bool has_hf_vocabulary(const std::filesystem::path& folder);

/// How many ids the folder's tokenizer gives out: one more than the largest. Throws input_error, also where there is none.
uint32_t hf_vocabulary_size(const std::filesystem::path& folder);

inline vocabulary read_vocabulary(const hf_folder& folder, uint32_t embedding_rows) {
  return read_hf_vocabulary(folder.path(), embedding_rows);
}

} // namespace troupe
