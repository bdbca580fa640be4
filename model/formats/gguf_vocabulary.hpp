#pragma once
// The tokenizer that a GGUF file carries, as data.
#include "model/formats/gguf.hpp"
#include "model/formats/gguf_writer.hpp"
#include "model/tokenizer/vocabulary.hpp"

namespace troupe {

/// Reads the keys "tokenizer.*". `embedding_rows` is how many ids the model knows: a vocabulary with more
/// pieces is refused, since those ids could not be embedded; one with fewer is filled up with unused pieces
/// "[PAD<id>]", since the model may still choose those ids. So pieces, kinds and (sentencepiece) scores have
/// embedding_rows elements each, and all special ids are below that. A file without "tokenizer.ggml.model"
/// gets kind none and no pieces. What is absent gets the value that llama.cpp takes for that kind of
/// tokenizer. A missing tokenizer.ggml.pre is one of the warnings. Throws input_error naming the key.
vocabulary read_vocabulary(const gguf& file, uint32_t embedding_rows);

/// Adds the keys "tokenizer.*" by which read_vocabulary, and llama.cpp, read these words. They then give the same
/// ids, but for what the format does not know: composition to NFC, which goes by the name of the pre-tokenizer, and of added tokens that
/// they take white space beside them or stand as single words only.
/// - sentencepiece: as "llama".
/// - character_pair: as "llama" too, where merging by scores comes to the same: the merges of a piece follow each
///   other, and every way to put a piece together from two others is among the merges. So it is in vocabularies that
///   were sentencepiece's once. The score of a piece is minus the rank of its first merge.
/// - byte_pair: as "gpt2", with the name of its pre-tokenizer (tokenizer.ggml.pre), where its patterns have one.
/// - none: as "no_vocab".
/// Ends of generation: eos and two more have keys. Readers also count the pieces that are called like ends.
/// Throws input_error, which begins with `of`, for other vocabularies, and where the above does not hold.
void add_vocabulary(gguf_header& header, const vocabulary& words, std::string_view of);

} // namespace troupe
