#include "model/training/data/prepare_tokens.hpp"
#include "model/error.hpp"
#include "model/formats/atomic_file.hpp"
#include "model/tokenizer/make_tokenizer.hpp"
#include "model/training/data/text_lines.hpp"
#include "model/training/data/text_pieces.hpp"
#include "model/training/data/token_format.hpp"
#include <atomic>
#include <bit>

namespace troupe {

namespace {

constexpr size_t piece_bytes_max = size_t(1) << 20;
constexpr uint64_t chunk_bytes = uint64_t(256) << 10; // Text of a job: long enough that starting one costs nothing beside it.
constexpr uint64_t wave_bytes = uint64_t(32) << 20;   // Text whose tokens are in memory at once: enough jobs for 64 threads.

void add_id(content_hash& hash, const std::optional<uint32_t>& id) { hash.add(id ? uint64_t(*id) + 1 : 0); }

void add_words(content_hash& hash, const vocabulary& words) {
  hash.add(uint64_t(words.kind));
  hash.add(words.pre_tokenizer);
  hash.add(uint64_t(words.pieces.size()));
  for (const auto& piece : words.pieces) hash.add(piece);
  for (const float score : words.scores) hash.add(uint64_t(std::bit_cast<uint32_t>(score)));
  for (const piece_kind kind : words.kinds) hash.add(uint64_t(kind));
  hash.add(uint64_t(words.merges.size()));
  for (const auto& merge : words.merges) hash.add(merge);
  for (const auto& id : {words.bos, words.eos, words.unknown}) add_id(hash, id);
  hash.add(uint64_t(words.prefix));
  const bool composes = words.rules.size() == 1 && words.rules.front().kind == text_rule_kind::nfc;
  hash.add(uint64_t(composes) + 2 * words.whole_words_first + 4 * words.splits_at_spaces + 8 * words.fuses_unknown);
  if (!composes && !words.rules.empty()) { // Files of vocabularies without other rules keep the hash that they have.
    for (const auto& rule : words.rules) {
      hash.add(uint64_t(rule.kind) * 64 + 32 * rule.is_expression + 16 * rule.left + 8 * rule.right + 4 * rule.drops_spaces +
               2 * rule.adds_space + uint64_t(rule.marks_spaces));
      hash.add(rule.pattern);
      hash.add(rule.content);
    }
  }
  if (words.split != word_split::none || words.kind == tokenizer_kind::word_piece) {
    hash.add(uint64_t(words.split));
    hash.add(words.continuing_prefix);
    hash.add(uint64_t(words.word_characters_max));
  }
  if (words.cutter) add_words(hash, *words.cutter);
  hash.add(uint64_t(words.patterns.size()));
  for (const auto& pattern : words.patterns) {
    hash.add(pattern.expression);
    hash.add(uint64_t(pattern.drops_rest));
  }
  // Text of documents never becomes a special token, but it does become other added tokens.
  hash.add(uint64_t(words.added_tokens ? words.added_tokens->size() + 1 : 0));
  if (words.added_tokens)
    for (const auto& one : *words.added_tokens)
      hash.add(uint64_t(one.id) * 16 + 8 * one.single_word + 4 * one.lstrip + 2 * one.rstrip + uint64_t(one.normalized));
}

/// What of a document is encoded.
std::string_view text_of(const data_source& source, const token_options& options, uint64_t document, std::string& buffer) {
  const bool is_target = source.options().kind == source_kind::pairs && options.side == pair_side::target;
  return is_target ? source.target(document, buffer) : source.text(document, buffer);
}

/// A job's work: some pieces of text, each with what goes around it, and what becomes of them.
struct chunk {
  struct piece {
    uint64_t document;
    bool begins, ends;     // The document.
    std::string_view text; // Of a document that was cut, where it had to be read as a whole for that; lies in `keep`.
    uint64_t bytes;        // Of the file: the share of the work.
    std::optional<uint64_t> offset = {}; // Of a plain text that was cut: this piece's bytes in the document. The job reads them.
  };
  std::vector<piece> pieces;
  std::shared_ptr<const std::string> keep; // What `text` may lie in.
  uint64_t bytes = 0;
  std::vector<uint32_t> ids;
  std::vector<uint64_t> ends; // Where in ids the documents end that end here.
};

/// Walks through the documents and hands out chunks in order.
class chunk_walk {
public:
  chunk_walk(const data_source& source, const token_options& options) : source_(source), options_(options) {}
  /// No pieces: there are no more.
  chunk next() {
    if (!cut_.empty()) return next_of_cut();
    chunk result;
    while (next_ < source_.documents()) {
      const uint64_t bytes = source_.file_bytes(next_);
      if (result.bytes > 0 && result.bytes + bytes > chunk_bytes) break;
      if (bytes > piece_bytes_max) {
        cut(next_++);
        return next_of_cut();
      }
      result.bytes += bytes;
      result.pieces.push_back({next_++, true, true, {}, bytes});
    }
    return result;
  }

private:
  void cut(uint64_t document) {
    if (source_.options().kind == source_kind::text) return cut_plain(document);
    auto buffer = std::make_shared<std::string>();
    const auto pieces = cut_text(text_of(source_, options_, document, *buffer), piece_bytes_max);
    uint64_t left = source_.file_bytes(document); // A text may be shorter than what it is in the file.
    for (size_t i = 0; i < pieces.size(); ++i) {
      const bool ends = i + 1 == pieces.size();
      cut_.push_back({document, i == 0, ends, pieces[i], ends ? left : pieces[i].size()});
      left -= cut_.back().bytes;
    }
    keep_ = std::move(buffer);
    next_of_cut_ = 0;
  }

  /// Without having all of it in memory.
  void cut_plain(uint64_t document) {
    const uint64_t size = source_.file_bytes(document);
    std::string buffer;
    for (uint64_t done = 0; done < size;) {
      const auto window = source_.raw_text(document, done, std::min<uint64_t>(piece_bytes_max + 2, size - done), buffer);
      const uint64_t bytes = first_piece(window, piece_bytes_max);
      cut_.push_back({document, done == 0, done + bytes == size, {}, bytes, done});
      done += bytes;
    }
    next_of_cut_ = 0;
  }

  chunk next_of_cut() {
    chunk result;
    result.pieces.push_back(cut_[next_of_cut_++]);
    result.bytes = result.pieces.front().bytes;
    result.keep = keep_;
    if (next_of_cut_ == cut_.size()) {
      cut_.clear();
      keep_.reset();
    }
    return result;
  }

  const data_source& source_;
  const token_options& options_;
  uint64_t next_ = 0; // Document.
  std::vector<chunk::piece> cut_;
  size_t next_of_cut_ = 0;
  std::shared_ptr<const std::string> keep_;
};

class encoder {
public:
  encoder(const data_source& source, const tokenizer& whole, const token_options& options)
      : source_(source), tokenizer_(whole), options_(options) {}

  /// Called before chunks with pieces of cut documents are encoded: the second and later ones continue a text, so no space
  /// is put before them.
  void prepare_for_cut() {
    if (inner_) return;
    vocabulary words = tokenizer_.words();
    words.prefix = space_prefix::none;
    inner_ = make_tokenizer(words);
  }

  void encode(chunk& work) const {
    const auto& words = tokenizer_.words();
    std::string buffer;
    for (const auto& piece : work.pieces) {
      if (piece.begins && options_.add_bos) work.ids.push_back(options_.bos ? *options_.bos : *words.bos);
      const auto text = text_of(piece, buffer);
      const auto ids = encode_text(piece, text);
      work.ids.insert(work.ids.end(), ids.begin(), ids.end());
      if (!piece.ends) continue;
      if (options_.add_eos) work.ids.push_back(options_.eos ? *options_.eos : *words.eos);
      work.ends.push_back(work.ids.size());
    }
  }

private:
  std::string_view text_of(const chunk::piece& piece, std::string& buffer) const {
    if (!piece.text.empty()) return piece.text;
    if (!piece.offset) return troupe::text_of(source_, options_, piece.document, buffer);
    source_.raw_text(piece.document, *piece.offset, piece.bytes, buffer);
    drop_carriage_returns(buffer);
    return buffer;
  }

  std::vector<uint32_t> encode_text(const chunk::piece& piece, std::string_view text) const {
    try {
      return (piece.begins ? tokenizer_ : *inner_).encode(text, special_tokens::never);
    } catch (const input_error& reason) {
      throw input_error(source_.place(piece.document) + ": " + reason.what());
    }
  }

  const data_source& source_;
  const tokenizer& tokenizer_;
  std::shared_ptr<const tokenizer> inner_;
  const token_options& options_;
};

class token_writer {
public:
  token_writer(const std::filesystem::path& path, uint64_t vocabulary_size) : file_(path) {
    std::memcpy(header_.magic, token_file_magic, sizeof header_.magic);
    header_.version = token_file_version;
    header_.bytes_per_token = bytes_for_ids(vocabulary_size);
    header_.vocabulary_size = vocabulary_size;
    file_.write(std::as_bytes(std::span(&header_, 1)));
  }

  void add(const chunk& encoded) {
    for (const uint64_t end : encoded.ends) offsets_.push_back(header_.tokens + end);
    header_.tokens += encoded.ids.size();
    if (header_.bytes_per_token == 4) return write(std::as_bytes(std::span(encoded.ids)));
    narrow_.assign(encoded.ids.begin(), encoded.ids.end());
    write(std::as_bytes(std::span(narrow_)));
  }

  void finish(uint64_t fingerprint, const source_figures& figures) {
    const uint64_t zeros = 0, bytes = header_.tokens * header_.bytes_per_token;
    write(std::as_bytes(std::span(&zeros, 1)).first((8 - bytes % 8) % 8));
    write(std::as_bytes(std::span(offsets_)));
    header_.fingerprint = fingerprint;
    header_.documents = offsets_.size() - 1;
    header_.source_files = figures.files;
    header_.source_bytes = figures.bytes;
    header_.invalid_utf8 = figures.invalid_utf8;
    header_.empty = figures.empty;
    header_.content = content_.value();
    header_.header = header_hash(header_);
    file_.overwrite(0, std::as_bytes(std::span(&header_, 1)));
    file_.commit();
  }

private:
  void write(std::span<const std::byte> bytes) {
    content_.add(bytes);
    file_.write(bytes);
  }

  atomic_file file_;
  token_file_header header_{};
  content_hash content_;
  std::vector<uint64_t> offsets_{0};
  std::vector<uint16_t> narrow_;
};

/// Encodes the chunks of a wave, each in a job of its own. False: it was stopped.
bool run_wave(std::vector<chunk>& wave, const encoder& encode, const preparation& lent, std::atomic<uint64_t>& bytes_done,
              uint64_t bytes_total) {
  std::atomic<bool> is_stopped = false;
  std::vector<std::function<void()>> jobs;
  for (auto& work : wave)
    jobs.push_back([&] {
      if (is_stopped || (lent.stop && lent.stop())) {
        is_stopped = true;
        return;
      }
      encode.encode(work);
      const uint64_t done = bytes_done += work.bytes;
      if (lent.progress) lent.progress(static_cast<double>(done) / static_cast<double>(bytes_total));
    });
  lent.run(std::move(jobs));
  return !is_stopped;
}

/// A token file among the files it is made from would be read as text the next time.
void refuse_within_source(const std::filesystem::path& path, const data_source_options& source,
                          const std::vector<std::shared_ptr<const input_file>>& files) {
  std::error_code error; // What cannot be resolved is not the same file.
  const auto target = std::filesystem::weakly_canonical(path, error);
  const auto refuse = [&](const std::string& where) {
    throw input_error(path.string() + ": the token file would lie in " + where + ", which holds the training data itself");
  };
  for (const auto& file : files)
    if (std::filesystem::weakly_canonical(file->path(), error) == target) refuse(file->path().string());
  for (const auto& name : source.paths) {
    if (!std::filesystem::is_directory(name, error)) continue;
    const auto within = target.lexically_relative(std::filesystem::weakly_canonical(name, error));
    if (!within.empty() && *within.begin() != "..") refuse(name);
  }
}

std::shared_ptr<const token_file> usable(const std::filesystem::path& path, uint64_t fingerprint, uint64_t vocabulary_size) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return nullptr;
  try {
    auto file = std::make_shared<const token_file>(path);
    return file->fingerprint() == fingerprint && file->vocabulary_size() == vocabulary_size ? file : nullptr;
  } catch (const input_error&) {
    return nullptr; // Damaged, or of another version: it is made anew.
  }
}

} // namespace

void require_valid(const token_options& options, const vocabulary& words) {
  if (options.add_bos && !options.bos && !words.bos)
    throw input_error("documents are to begin with a token that the vocabulary lacks: BOS");
  if (options.add_eos && !options.eos && !words.eos)
    throw input_error("documents are to end with a token that the vocabulary lacks: EOS");
}

uint64_t token_fingerprint(const data_source_options& source, const std::vector<std::shared_ptr<const input_file>>& files,
                           const vocabulary& words, const token_options& options) {
  content_hash hash;
  hash.add(uint64_t(token_file_version));
  hash.add(uint64_t(source.kind));
  if (source.kind == source_kind::text) {
    hash.add(uint64_t(source.separator.has_value()));
    hash.add(source.separator.value_or(""));
  }
  if (source.kind == source_kind::json_lines) hash.add(source.field);
  hash.add(fingerprint_of(files));
  add_words(hash, words);
  hash.add(uint64_t(options.add_bos));
  hash.add(uint64_t(options.add_eos));
  if (options.bos) hash.add(uint64_t(*options.bos) + 1);
  if (options.eos) hash.add(uint64_t(*options.eos) + 1);
  if (source.kind == source_kind::pairs) hash.add(uint64_t(options.side));
  return hash.value();
}

prepared_tokens prepare_tokens(const std::filesystem::path& path, const data_source_options& options,
                               const tokenizer& tokenizer, const token_options& tokens, const preparation& lent) {
  const auto& words = tokenizer.words();
  require_valid(options);
  require_valid(tokens, words);
  const auto files = open_source_files(options.paths);
  refuse_within_source(path, options, files);
  const uint64_t fingerprint = token_fingerprint(options, files, words, tokens);
  if (auto file = usable(path, fingerprint, words.pieces.size())) return {std::move(file), true};

  const data_source source(options, files);
  uint64_t bytes_total = 0;
  for (uint64_t i = 0; i < source.documents(); ++i) bytes_total += source.file_bytes(i);
  std::atomic<uint64_t> bytes_done = 0;
  token_writer writer(path, words.pieces.size());
  encoder encode(source, tokenizer, tokens);
  chunk_walk chunks(source, tokens);
  for (bool is_last = false; !is_last;) {
    std::vector<chunk> wave;
    for (uint64_t bytes = 0; bytes < wave_bytes && !is_last;) {
      auto work = chunks.next();
      is_last = work.pieces.empty();
      if (is_last) break;
      bytes += work.bytes;
      if (!work.pieces.front().begins) encode.prepare_for_cut();
      wave.push_back(std::move(work));
    }
    if (!run_wave(wave, encode, lent, bytes_done, bytes_total)) return {};
    for (const auto& work : wave) writer.add(work);
  }
  source.require_unchanged();
  writer.finish(fingerprint, source.figures());
  return {std::make_shared<const token_file>(path), false};
}

} // namespace troupe
