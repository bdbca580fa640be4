#pragma once
// Sentencepiece's own model files (spm.model, tokenizer.model, source.spm).
#include "model/tokenizer/vocabulary.hpp"
#include <filesystem>

namespace troupe {

/// A vocabulary of kind unigram or sentencepiece (its BPE), with the pieces, kinds and rules of the file, as sentencepiece
/// reads it: control pieces are in no text, user-defined ones in any; no BOS and EOS are added, though they have their ids.
/// Throws input_error naming file, place and reason, also for what the file asks for that no tokenizer here does.
vocabulary read_sentencepiece_model(const std::filesystem::path& path);

} // namespace troupe
