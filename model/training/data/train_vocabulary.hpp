#pragma once
// Makes a vocabulary from text.
#include "model/tokenizer/vocabulary.hpp"
#include "model/training/data/data_source.hpp"
#include "model/training/data/vocabulary_options.hpp"
#include <span>
#include <string>
#include <vector>

namespace troupe {

struct trained_vocabulary {
  vocabulary words;
  std::string sentencepiece_model; // The same as a `tokenizer.model`, for other programs.
  uint64_t documents = 0, bytes = 0; // What it was learnt from.
};

/// Trains with the sentencepiece library (Kudo and Richardson 2018), without its normalization: text is taken as it is. Its lines
/// are what the library calls sentences; no piece holds a line feed. documents: numbers in `source`, ascending: those of the training
/// split; of pairs both sides are used. If they are longer than sample_bytes, some are drawn by the seed. The same input gives the same
/// vocabulary: the library runs in one thread, since its sums depend on how many there are. Prints nothing.
/// Throws input_error with the library's reason: text too short for so many pieces, more characters than pieces, ...
trained_vocabulary train_vocabulary(const data_source& source, std::span<const uint32_t> documents,
                                    const vocabulary_options& options);

} // namespace troupe
