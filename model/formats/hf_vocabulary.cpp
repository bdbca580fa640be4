#include "model/formats/hf_vocabulary.hpp"
#include "model/error.hpp"
#include "model/formats/byte_reader.hpp"
#include "model/formats/hf_pipeline.hpp"
#include "model/formats/sentencepiece_model.hpp"
#include "model/tokenizer/normalizer.hpp"
#include "model/tokenizer/pre_tokenizer.hpp"
#include "model/utf8.hpp"
#include <algorithm>
#include <cmath>
#include <set>
#include <unordered_map>

namespace troupe {
namespace {

bool exists_in(const std::filesystem::path& folder, const char* name) {
  std::error_code ignored; // What exists and cannot be read fails when it is opened.
  return std::filesystem::exists(folder / name, ignored);
}

/// A sentencepiece model that is all of a tokenizer. Under other names (spiece.model, sentencepiece.bpe.model) they are parts of one whose
/// ids are others.
std::optional<std::filesystem::path> sentencepiece_model_in(const std::filesystem::path& folder) {
  for (const char* name : {"spm.model", "tokenizer.model"})
    if (exists_in(folder, name)) return folder / name;
  return std::nullopt;
}

/// Fills a vocabulary from the files of a folder.
class hf_vocabulary_reader {
public:
  hf_vocabulary_reader(std::filesystem::path folder, uint32_t embedding_rows)
      : folder_(std::move(folder)), rows_(embedding_rows) {}

  vocabulary read() {
    if (has_file("tokenizer.json"))
      read_tokenizer_json();
    else if (has_file("source.spm"))
      read_marian();
    else if (const auto model = sentencepiece_model_in(folder_))
      read_sentencepiece(*model);
    else {
      words_.end_of_generation = read_end_tokens(); // Token ids have an end, too.
      return std::move(words_);
    }
    read_special_tokens();
    fill_up();
    return std::move(words_);
  }

private:
  void read_tokenizer_json() {
    const json_file file(folder_ / "tokenizer.json");
    const json_node tokenizer = file.root();
    tokenizer.require_only({"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
                            "post_processor", "decoder", "model"});
    detail::read_pipeline(tokenizer, words_);
    if (words_.kind == tokenizer_kind::byte_pair)
      check([&] { const pre_tokenizer patterns(words_); }, tokenizer.get("pre_tokenizer"));
    if (!words_.rules.empty()) check([&] { const normalizer rules(words_); }, tokenizer.get("normalizer"));
    read_model(tokenizer.get("model"));
    read_added_tokens(tokenizer);
    detail::read_post_processor(tokenizer, rows_, words_);
  }

  /// What is made of the file's content must be possible, or `node` is to blame.
  template <class make_function>
  static void check(const make_function& make, const json_node& node) {
    try {
      make();
    } catch (const input_error& error) {
      node.fail(error.what());
    }
  }

  void read_sentencepiece(const std::filesystem::path& path) {
    words_ = read_sentencepiece_model(path);
    if (words_.pieces.size() > rows_) {
      throw input_error(path.string() + ": the file: has " + std::to_string(words_.pieces.size()) + " pieces, but the model embeds only " +
                        std::to_string(rows_));
    }
    for (uint32_t id = 0; id < words_.pieces.size(); ++id)
      if (words_.kinds[id] != piece_kind::unused) ids_.emplace(words_.pieces[id], id);
    words_.pieces.resize(rows_);
    words_.scores.resize(rows_);
    words_.kinds.resize(rows_, piece_kind::unused);
  }

  /// The target's model is not needed: every piece that it has is in vocab.json, and decoding goes by the pieces.
  void read_marian() {
    words_.cutter = std::make_shared<const vocabulary>(read_sentencepiece_model(folder_ / "source.spm"));
    const json_file file(folder_ / "vocab.json");
    const json_node vocab = file.root();
    words_.kind = tokenizer_kind::marian;
    words_.pieces.resize(rows_);
    words_.kinds.resize(rows_, piece_kind::unused);
    read_vocab(vocab);
    const auto config = find_file("tokenizer_config.json");
    const auto special = [&](const char* key, const char* by_default) {
      if (config && config->root().find(key)) return *find_token(config->root(), key);
      return get_piece(vocab, by_default);
    };
    words_.eos = special("eos_token", "</s>");
    words_.padding = special("pad_token", "<pad>");
    for (const uint32_t id : {*words_.eos, *words_.padding}) words_.kinds[id] = piece_kind::control;
    set_unknown(special("unk_token", "<unk>"));
    words_.add_eos = true;
  }

  void add_piece(std::string_view piece, uint32_t id, piece_kind kind) {
    words_.pieces[id] = piece;
    words_.kinds[id] = kind;
    ids_.emplace(piece, id);
  }

  uint32_t check_id(const json_node& node) const {
    const uint64_t id = node.natural();
    if (id < rows_) return static_cast<uint32_t>(id);
    node.fail("id " + std::to_string(id) + " is outside the vocabulary of " + std::to_string(rows_));
  }

  std::optional<uint32_t> find_piece(std::string_view piece) const {
    const auto found = ids_.find(std::string(piece));
    return found == ids_.end() ? std::nullopt : std::optional(found->second);
  }

  uint32_t get_piece(const json_node& node, const std::string& piece) const {
    const auto id = find_piece(piece);
    if (!id) node.fail(in_quotes(piece) + " is not in the vocabulary");
    return *id;
  }

  static bool is_byte(std::string_view piece) {
    const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); };
    return piece.size() == 6 && piece.starts_with("<0x") && piece[5] == '>' && is_digit(piece[3]) &&
           is_digit(piece[4]);
  }

  void read_model(const json_node& model) {
    words_.pieces.resize(rows_);
    words_.kinds.resize(rows_, piece_kind::unused);
    has_bytes_ = model.flag_or("byte_fallback", false);
    if (words_.kind == tokenizer_kind::unigram) return read_unigram(model);
    if (words_.kind == tokenizer_kind::word_piece) return read_word_piece(model);
    model.require_only(
        {"type", "dropout", "unk_token", "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges"});
    if (const auto dropout = model.find("dropout"); dropout && dropout->number() != 0) {
      dropout->fail("merging at random is not supported");
    }
    if (has_bytes_ && words_.kind == tokenizer_kind::byte_pair) {
      model.get("byte_fallback").fail("is not supported with ByteLevel");
    }
    read_vocab(model.get("vocab"));
    words_.whole_words_first = model.flag_or("ignore_merges", false);
    words_.fuses_unknown = model.flag_or("fuse_unk", false);
    if (words_.whole_words_first && words_.kind != tokenizer_kind::byte_pair) {
      model.get("ignore_merges").fail("is supported only with ByteLevel");
    }
    if (const auto unknown = model.find("unk_token")) set_unknown(get_piece(*unknown, unknown->text()));
    for (const json_node& merge : model.get("merges").elements()) read_merge(merge);
  }

  void read_vocab(const json_node& vocab) {
    for (const auto& entry : vocab.members()) {
      const uint32_t id = check_id(vocab.of(entry));
      if (words_.kinds[id] != piece_kind::unused) {
        vocab.of(entry).fail("id " + std::to_string(id) + " is also that of " + in_quotes(words_.pieces[id]));
      }
      add_piece(entry.name, id, has_bytes_ && is_byte(entry.name) ? piece_kind::byte : piece_kind::normal);
    }
  }

  void read_word_piece(const json_node& model) {
    model.require_only({"type", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab"});
    constexpr uint64_t word_characters_max = 1 << 20;
    if (const auto most = model.find("max_input_chars_per_word")) words_.word_characters_max = uint32_t(most->natural(word_characters_max));
    words_.continuing_prefix = model.text_or("continuing_subword_prefix", "##");
    read_vocab(model.get("vocab"));
    const auto unknown = model.find("unk_token");
    if (unknown)
      set_unknown(get_piece(*unknown, unknown->text()));
    else if (const auto usual = find_piece("[UNK]"))
      set_unknown(*usual);
  }

  void read_merge(const json_node& merge) {
    std::string left, right;
    if (merge.is_text()) {
      const std::string& text = merge.text();
      const size_t space = text.find(' ', 1);
      if (space != std::string::npos) left = text.substr(0, space), right = text.substr(space + 1);
    } else if (merge.size() == 2) {
      left = merge[0].text(), right = merge[1].text();
    }
    if (left.empty() || right.empty() || left.find(' ', 1) != std::string::npos ||
        right.find(' ') != std::string::npos) {
      merge.fail("wanted two pieces without spaces in them");
    }
    for (const auto& piece : {left, right, left + right}) get_piece(merge, piece);
    words_.merges.push_back(left + " " + right);
  }

  void read_unigram(const json_node& model) {
    model.require_only({"type", "unk_id", "vocab", "byte_fallback"});
    const json_node vocab = model.get("vocab");
    words_.scores.resize(rows_);
    if (vocab.size() > rows_) {
      vocab.fail("has " + std::to_string(vocab.size()) + " pieces, but the model embeds only " +
                 std::to_string(rows_));
    }
    for (uint32_t id = 0; id < vocab.size(); ++id) {
      const json_node entry = vocab[id];
      if (entry.size() != 2) entry.fail("wanted a piece and its score");
      const double score = entry[1].number();
      if (!(std::abs(score) <= 1e30)) entry[1].fail("wanted a number from -1e30 to 1e30");
      const std::string& piece = entry[0].text();
      if (!piece.empty() && find_piece(piece)) entry.fail("the piece " + in_quotes(piece) + " comes twice");
      add_piece(piece, id, has_bytes_ && is_byte(piece) ? piece_kind::byte : piece_kind::normal);
      words_.scores[id] = static_cast<float>(score);
    }
    if (const auto unknown = model.find("unk_id")) {
      const uint32_t id = check_id(*unknown);
      if (words_.kinds[id] == piece_kind::unused) unknown->fail("there is no piece " + std::to_string(id));
      set_unknown(id);
    }
  }

  void set_unknown(uint32_t id) {
    words_.unknown = id;
    words_.kinds[id] = piece_kind::unknown;
  }

  void read_added_tokens(const json_node& tokenizer) {
    words_.added_tokens.emplace();
    const auto list = tokenizer.find("added_tokens");
    if (!list) return;
    std::set<uint32_t> seen;
    for (const json_node& entry : list->elements()) {
      const uint32_t id = check_id(entry.get("id"));
      const json_node content = entry.get("content");
      if (content.text().empty()) content.fail("is empty");
      const auto same_text = find_piece(content.text());
      const bool is_other = words_.kinds[id] != piece_kind::unused && words_.pieces[id] != content.text();
      if (is_other || (same_text && *same_text != id) || !seen.insert(id).second) {
        entry.fail("id " + std::to_string(id) + " and " + in_quotes(content.text()) +
                   " do not belong together elsewhere");
      }
      const bool is_special = entry.flag_or("special", false);
      const auto kind = !is_special            ? piece_kind::user_defined
                        : words_.unknown == id ? piece_kind::unknown
                                               : piece_kind::control;
      add_piece(content.text(), id, kind);
      words_.added_tokens->push_back({.id = id,
                                      .single_word = entry.flag_or("single_word", false),
                                      .lstrip = entry.flag_or("lstrip", false),
                                      .rstrip = entry.flag_or("rstrip", false),
                                      .normalized = entry.flag_or("normalized", !is_special)});
    }
  }

  bool has_file(const char* name) const { return exists_in(folder_, name); }

  /// A file of the folder that holds an object, or nothing.
  std::unique_ptr<const json_file> find_file(const char* name) const {
    if (!has_file(name)) return nullptr;
    auto file = std::make_unique<const json_file>(folder_ / name);
    file->root().members();
    return file;
  }

  /// A token written as its text, or as an object with its text.
  std::optional<uint32_t> find_token(const json_node& config, const char* key) const {
    const auto token = config.find(key);
    if (!token) return std::nullopt;
    const json_node text = token->is_object() ? token->get("content") : *token;
    return get_piece(text, text.text());
  }

  /// Tells once what is left out of a configuration, because it only matters to who generates.
  void warn(const input_error& error) {
    auto& warnings = words_.warnings;
    const std::string warning = std::string(error.what()) + " (ignored)";
    if (std::find(warnings.begin(), warnings.end(), warning) == warnings.end()) warnings.push_back(warning);
  }

  /// One id or several, without those that are no tokens: no text will ever have them.
  std::vector<uint32_t> find_ids(const json_node& config, const char* key) {
    std::vector<uint32_t> ids;
    const auto found = config.find(key);
    if (!found) return ids;
    for (const json_node& id : found->is_array() ? found->elements() : std::vector{*found}) {
      try {
        ids.push_back(check_id(id));
      } catch (const input_error& error) {
        warn(error);
      }
    }
    return ids;
  }

  void read_special_tokens() {
    if (const auto tokenizer = find_file("tokenizer_config.json")) read_tokenizer_config(tokenizer->root());
    auto& ends = words_.end_of_generation;
    ends = read_end_tokens();
    if (const auto config = find_file("config.json")) {
      const auto bos = find_ids(config->root(), "bos_token_id"),
                 eos = find_ids(config->root(), "eos_token_id");
      if (!words_.bos && !bos.empty()) words_.bos = bos.front();
      if (!words_.eos && !eos.empty()) words_.eos = eos.front();
    }
    if (words_.eos) ends.push_back(*words_.eos);
    std::sort(ends.begin(), ends.end());
    ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
    read_chat_template();
  }

  /// What the model's configuration says; newer folders have it in a file of its own.
  std::vector<uint32_t> read_end_tokens() {
    for (const char* name : {"generation_config.json", "config.json"}) {
      try {
        const auto file = find_file(name);
        if (!file) continue;
        if (auto ends = find_ids(file->root(), "eos_token_id"); !ends.empty()) return ends;
      } catch (const input_error& error) {
        warn(error);
      }
    }
    return {};
  }

  void read_tokenizer_config(const json_node& config) {
    // The template of tokenizer.json has decided already where it names tokens.
    if (const auto bos = find_token(config, "bos_token"); bos && !words_.bos) words_.bos = bos;
    if (const auto eos = find_token(config, "eos_token"); eos && !words_.eos) words_.eos = eos;
    if (const auto padding = config.find("pad_token"); padding && padding->is_text()) {
      words_.padding = find_piece(padding->text());
    }
    for (const auto& [key, flag, id] : {std::tuple("add_bos_token", &words_.add_bos, words_.bos),
                                        std::tuple("add_eos_token", &words_.add_eos, words_.eos)}) {
      const auto found = config.find(key);
      if (!found) continue;
      *flag = found->flag();
      if (*flag && !id) found->fail("wants a token that nothing names");
    }
    const auto chat = config.find("chat_template");
    if (!chat) return;
    const auto take = [&](const json_node& text) {
      if (text.text().size() > chat_template_bytes_max) {
        text.fail("has more than " + std::to_string(chat_template_bytes_max) + " bytes");
      }
      words_.chat_template = text.text();
    };
    if (chat->is_text()) return take(*chat);
    for (const json_node& entry : chat->elements()) {
      if (entry.get("name").text() == "default") take(entry.get("template"));
    }
  }

  /// Newer folders have it in a file of its own.
  void read_chat_template() {
    if (!has_file("chat_template.jinja")) return;
    const auto path = folder_ / "chat_template.jinja";
    std::string text = read_text(path, chat_template_bytes_max);
    if (!is_utf8(text)) throw input_error(path.string() + ": the file: is not UTF-8");
    words_.chat_template = std::move(text);
  }

  void fill_up() {
    for (uint32_t id = 0; id < rows_; ++id) {
      if (words_.kinds[id] == piece_kind::unused) words_.pieces[id] = "[PAD" + std::to_string(id) + "]";
    }
  }

  std::filesystem::path folder_;
  uint32_t rows_;
  bool has_bytes_ = false;
  vocabulary words_;
  std::unordered_map<std::string, uint32_t> ids_;
};

} // namespace

vocabulary read_hf_vocabulary(const std::filesystem::path& folder, uint32_t embedding_rows) {
  return hf_vocabulary_reader(folder, embedding_rows).read();
}

bool has_hf_vocabulary(const std::filesystem::path& folder) {
  return exists_in(folder, "tokenizer.json") || exists_in(folder, "source.spm") || sentencepiece_model_in(folder).has_value();
}

uint32_t hf_vocabulary_size(const std::filesystem::path& folder) {
  constexpr uint64_t id_max = (1 << 20) - 1;
  const auto size_of = [](const json_node& vocab) {
    uint64_t size = 0;
    for (const auto& entry : vocab.members()) size = std::max(size, vocab.of(entry).natural(id_max) + 1);
    return size;
  };
  if (!exists_in(folder, "tokenizer.json")) {
    if (exists_in(folder, "source.spm")) return uint32_t(size_of(json_file(folder / "vocab.json").root()));
    if (const auto model = sentencepiece_model_in(folder)) return uint32_t(read_sentencepiece_model(*model).pieces.size());
  }
  const json_file file(folder / "tokenizer.json");
  const json_node vocab = file.root().get("model").get("vocab");
  uint64_t size = 0;
  if (vocab.is_array()) {
    size = vocab.size(); // unigram: pieces in the order of their ids.
    if (size > id_max) vocab.fail("has " + std::to_string(size) + " pieces; " + std::to_string(id_max) + " are supported");
  } else {
    size = size_of(vocab);
  }
  if (const auto added = file.root().find("added_tokens"))
    for (const json_node& entry : added->elements()) size = std::max(size, entry.get("id").natural(id_max) + 1);
  return uint32_t(size);
}

} // namespace troupe
