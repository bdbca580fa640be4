#pragma once
// The tokenizer that a GGUF file carries, as data.
#include "model/formats/gguf.hpp"
#include "model/tokenizer/vocabulary.hpp"

namespace troupe {

/// Reads the keys "tokenizer.*". `embedding_rows` is how many ids the model knows: a vocabulary with more
/// pieces is refused, since those ids could not be embedded; one with fewer is filled up with unused pieces
/// "[PAD<id>]", since the model may still choose those ids. So pieces, kinds and (sentencepiece) scores have
/// embedding_rows elements each, and all special ids are below that. A file without "tokenizer.ggml.model"
/// gets kind none and no pieces. What is absent gets the value that llama.cpp takes for that kind of
/// tokenizer. Throws input_error naming the key.
vocabulary read_vocabulary(const gguf& file, uint32_t embedding_rows);

} // namespace troupe
