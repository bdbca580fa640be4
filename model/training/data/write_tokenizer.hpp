#pragma once
// A vocabulary in the form that Hugging Face's libraries load.
#include "model/tokenizer/vocabulary.hpp"
#include <filesystem>

namespace troupe {

/// Writes tokenizer.json and tokenizer_config.json into `folder`, which exists; each appears only once it is whole.
/// The `tokenizers` library then gives the ids that troupe gives: a space is put before every stretch of text between special tokens,
/// spaces become U+2581, bytes stand for what has no piece.
/// - sentencepiece: as BPE. A piece can be merged from every two pieces it is made of, at the rank of its score. That library tells
///   two ways to the same piece apart by rank, where we take the leftmost first; where the two ways compete for one character,
///   the ids would differ. No text has been seen that gets there with pieces that were trained.
/// - unigram: as Unigram. Its byte pieces get scores so low that text which is spelled like one, "<0x41>", does not become it.
/// Throws input_error for another kind of vocabulary, and what cannot be written.
void write_tokenizer_json(const std::filesystem::path& folder, const vocabulary& words);

} // namespace troupe
