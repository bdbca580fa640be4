#include "model/training/data/train_vocabulary.hpp"
#include "model/error.hpp"
#include "model/formats/byte_reader.hpp"
#include "model/training/data/random_order.hpp"
#include "model/training/data/text_lines.hpp"
#include "model/training/data/text_pieces.hpp"
#include <algorithm>
#include <array>
#include <charconv>
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>
#include <unordered_map>

namespace troupe {

namespace {

/// Lines longer than this are cut at spaces: the library leaves out sentences beyond a length of its own.
constexpr size_t sentence_bytes_max = 4096;

std::vector<uint32_t> sample(const data_source& source, std::span<const uint32_t> documents, const vocabulary_options& options) {
  std::vector<uint32_t> order(documents.begin(), documents.end());
  uint64_t bytes = 0;
  for (const uint32_t document : order) bytes += source.file_bytes(document);
  if (bytes <= options.sample_bytes) return order;
  shuffle(order, options.seed, 0, order_purpose::vocabulary_sample);
  bytes = 0;
  size_t count = 0;
  // The first is taken however long it is: add_lines() ends it in time.
  while (count < order.size() && (count == 0 || bytes + source.file_bytes(order[count]) <= options.sample_bytes))
    bytes += source.file_bytes(order[count++]);
  order.resize(count);
  std::sort(order.begin(), order.end()); // The order of reading, and of the files' pages.
  return order;
}

/// Hands the library one line after the other; of text only one document is in memory.
class sentences final : public sentencepiece::SentenceIterator {
public:
  sentences(const data_source& source, std::span<const uint32_t> documents, uint64_t bytes_max)
      : source_(source), documents_(documents), bytes_max_(bytes_max) {
    Next();
  }
  uint64_t bytes() const { return bytes_; }

  bool done() const override { return is_done_; }
  const std::string& value() const override { return value_; }
  sentencepiece::util::Status status() const override { return {}; }
  void Next() override {
    while (position_ == lines_.size() && next_document_ < documents_.size() && bytes_ < bytes_max_) read_document();
    is_done_ = position_ == lines_.size() || bytes_ >= bytes_max_;
    if (is_done_) return;
    value_ = lines_[position_++];
    bytes_ += value_.size();
  }

private:
  void read_document() {
    const uint32_t document = documents_[next_document_++];
    lines_.clear();
    position_ = 0;
    lines_bytes_ = 0;
    if (source_.options().kind == source_kind::text) return add_lines(source_.lines(document));
    add_lines(line_walk(source_.text(document, buffer_)));
    if (source_.options().kind == source_kind::pairs) add_lines(line_walk(source_.target(document, buffer_)));
  }

  /// No more lines than are wanted, so that a file that is one long document does not take memory for all of them.
  template <class Lines> void add_lines(Lines lines) {
    while (bytes_ + lines_bytes_ < bytes_max_) {
      const auto line = lines.next();
      if (!line) break;
      for (const auto part : cut_text(line->text, sentence_bytes_max)) add_parts(part);
    }
  }

  /// The library refuses text with U+0000: it separates, as a line feed does.
  void add_parts(std::string_view text) {
    while (!text.empty()) {
      const size_t end = std::min(text.find('\0'), text.size());
      if (const auto part = text.substr(0, end); !is_blank(part)) {
        lines_.emplace_back(part);
        lines_bytes_ += part.size();
      }
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }

  const data_source& source_;
  std::span<const uint32_t> documents_;
  uint64_t bytes_max_, bytes_ = 0; // Handed out.
  uint64_t lines_bytes_ = 0;       // Of the lines of the current document.
  size_t next_document_ = 0, position_ = 0;
  std::string buffer_, value_;
  std::vector<std::string> lines_; // Of the current document.
  bool is_done_ = false;
};

std::string comma_separated(const std::vector<std::string>& values) {
  std::string out;
  for (const auto& value : values) {
    out += out.empty() ? "\"" : ",\"";
    for (const char c : value) out += c == '"' ? std::string("\"\"") : std::string(1, c);
    out += '"';
  }
  return out;
}

std::string decimal(double value) {
  std::array<char, 32> text{}; // Not std::to_string: neither its precision nor its locale.
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

std::unordered_map<std::string, std::string> arguments(const vocabulary_options& options) {
  const auto flag = [](bool value) { return std::string(value ? "true" : "false"); };
  return {{"model_type", options.method == vocabulary_method::unigram ? "unigram" : "bpe"},
          {"vocab_size", std::to_string(options.size)},
          {"hard_vocab_limit", flag(!options.at_most)},
          {"character_coverage", decimal(options.character_coverage)},
          {"byte_fallback", flag(options.byte_fallback)},
          {"split_digits", flag(options.split_digits)},
          {"unk_id", "0"}, {"bos_id", "1"}, {"eos_id", "2"}, {"pad_id", options.padding ? "3" : "-1"},
          {"unk_piece", options.unknown}, {"bos_piece", options.bos}, {"eos_piece", options.eos},
          {"pad_piece", options.padding.value_or("<pad>")},
          {"user_defined_symbols", comma_separated(options.user_defined)},
          {"normalization_rule_name", "identity"},
          {"remove_extra_whitespaces", "false"},
          {"add_dummy_prefix", "true"},
          {"input_sentence_size", "0"}, // All; the sample is ours, and so is its order.
          {"shuffle_input_sentence", "false"},
          {"max_sentence_length", std::to_string(2 * sentence_bytes_max)},
          {"num_threads", "1"},
          {"minloglevel", "4"}}; // Above the highest: silent.
}

/// "Internal: ./src/x.cc(580) [condition] What a person can read." -> the last part.
std::string reason_of(const std::string& message) {
  const size_t end = message.find("] ");
  return end == std::string::npos || end + 2 == message.size() ? message : message.substr(end + 2);
}

vocabulary words_of(const sentencepiece::SentencePieceProcessor& model, const vocabulary_options& options) {
  vocabulary words;
  words.kind = options.method == vocabulary_method::unigram ? tokenizer_kind::unigram : tokenizer_kind::sentencepiece;
  for (int id = 0; id < model.GetPieceSize(); ++id) {
    words.pieces.push_back(model.IdToPiece(id));
    words.scores.push_back(model.GetScore(id));
    const auto& user_defined = options.user_defined;
    words.kinds.push_back(model.IsUnknown(id)   ? piece_kind::unknown
                          : model.IsControl(id) ? piece_kind::control
                          : model.IsByte(id)    ? piece_kind::byte
                          : model.IsUnused(id)  ? piece_kind::unused
                          : std::find(user_defined.begin(), user_defined.end(), words.pieces.back()) != user_defined.end()
                              ? piece_kind::user_defined
                              : piece_kind::normal);
  }
  words.unknown = 0;
  words.bos = 1;
  words.eos = 2;
  if (options.padding) words.padding = 3;
  words.end_of_generation = {2};
  words.add_bos = options.add_bos;
  words.add_eos = options.add_eos;
  words.prefix = space_prefix::always;
  words.drops_first_space = true;
  return words;
}

} // namespace

trained_vocabulary train_vocabulary(const data_source& source, std::span<const uint32_t> documents,
                                    const vocabulary_options& options) {
  require_valid(options);
  const auto chosen = sample(source, documents, options);
  sentences text(source, chosen, options.sample_bytes);
  if (text.done()) throw input_error("there is no text to learn a vocabulary from");
  trained_vocabulary result;
  const auto trained =
      sentencepiece::SentencePieceTrainer::Train(arguments(options), &text, &result.sentencepiece_model);
  if (!trained.ok()) throw input_error("cannot make the vocabulary: " + reason_of(trained.ToString()));
  sentencepiece::SentencePieceProcessor model;
  const auto loaded = model.LoadFromSerializedProto(result.sentencepiece_model);
  if (!loaded.ok()) throw input_error("cannot make the vocabulary: " + reason_of(loaded.ToString()));
  result.words = words_of(model, options);
  result.documents = chosen.size();
  result.bytes = text.bytes();
  return result;
}

} // namespace troupe
