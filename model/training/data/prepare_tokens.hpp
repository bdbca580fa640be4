#pragma once
// Tokenizes training data once, into a token file.
#include "model/jobs.hpp"
#include "model/tokenizer/tokenizer.hpp"
#include "model/training/data/token_file.hpp"
#include <memory>
#include <optional>

namespace troupe {

/// Of a pair.
enum class pair_side : uint8_t { source, target };

struct token_options {
  bool add_bos = false; // Before each document.
  bool add_eos = true;  // After each document, so that the model learns where one ends.
  std::optional<uint32_t> bos = {}, eos = {}; // Those tokens; absent: the vocabulary's own.
  pair_side side = pair_side::source; // Of pairs: which of the two texts.
};

/// Throws input_error when the vocabulary has no such tokens.
void require_valid(const token_options& options, const vocabulary& words);

/// What a token file depends on: the contents of the source's files (see fingerprint_of), how documents are found in them, the
/// vocabulary, the options, the version of the layout.
uint64_t token_fingerprint(const data_source_options& source, const std::vector<std::shared_ptr<const input_file>>& files,
                           const vocabulary& words, const token_options& options);

/// What the caller lends to the work. The defaults do without.
struct preparation {
  job_runner run = run_in_order;
  progress_callback progress = {}; // The share of the documents' bytes that are encoded.
  stop_predicate stop = {};        // True: give up, soon, and leave nothing behind.
};

struct prepared_tokens {
  std::shared_ptr<const token_file> file; // Null when it was stopped.
  bool is_reused = false;
};

/// The token file at `path`, if it is whole and made from the same: then nothing is tokenized. Otherwise all documents are, and the
/// file is replaced once the new one is complete. Document i of the file is document i of data_source(source).
///
/// Text never becomes a control token by its spelling. A text of more than a mebibyte is encoded in pieces, cut at spaces
/// between words; where a vocabulary has tokens that span words, the result may differ at such a cut from that of the whole text. In
/// return memory does not grow with documents.
///
/// Encoding runs as independent jobs of about 256 KiB of text; the same bytes result however many run at once.
/// Throws input_error: what data_source refuses; text that the vocabulary cannot represent, with file and line; a disk that is
/// full; a path in a folder of the source, where the file would be read as text.
prepared_tokens prepare_tokens(const std::filesystem::path& path, const data_source_options& source, const tokenizer& tokenizer,
                               const token_options& options, const preparation& lent = {});

} // namespace troupe
