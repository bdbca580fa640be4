#include "model/training/data/write_tokenizer.hpp"
#include "model/error.hpp"
#include "model/formats/atomic_file.hpp"
#include "model/utf8.hpp"
#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

namespace troupe {

namespace {

using json = nlohmann::ordered_json;

constexpr const char* space_mark = "\xE2\x96\x81"; // U+2581

struct merge_rule {
  float score; // Of what the two become.
  uint32_t whole, left, right;
};

/// Every way in which two pieces make a third, best first.
std::vector<merge_rule> merges_of(const vocabulary& words) {
  std::unordered_map<std::string_view, uint32_t> ids;
  for (uint32_t id = 0; id < words.pieces.size(); ++id)
    if (words.kinds[id] == piece_kind::normal) ids.emplace(words.pieces[id], id);
  std::vector<merge_rule> rules;
  for (const auto& [text, whole] : ids)
    for (size_t cut = utf8_next(text, 0).bytes; cut < text.size(); cut += utf8_next(text, cut).bytes) {
      const auto left = ids.find(text.substr(0, cut)), right = ids.find(text.substr(cut));
      if (left != ids.end() && right != ids.end())
        rules.push_back({words.scores[whole], whole, left->second, right->second});
    }
  std::sort(rules.begin(), rules.end(), [](const merge_rule& a, const merge_rule& b) {
    if (a.score != b.score) return a.score > b.score;
    return std::tie(a.whole, a.left, a.right) < std::tie(b.whole, b.left, b.right);
  });
  return rules;
}

json byte_pair_model(const vocabulary& words, bool byte_fallback) {
  json vocab = json::object(), merges = json::array();
  for (uint32_t id = 0; id < words.pieces.size(); ++id) vocab[words.pieces[id]] = id;
  for (const auto& rule : merges_of(words)) merges.push_back(json::array({words.pieces[rule.left], words.pieces[rule.right]}));
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", words.unknown ? json(words.pieces[*words.unknown]) : json(nullptr)},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", false}, // One unknown token for each character that has no piece, as we give.
          {"byte_fallback", byte_fallback},
          {"ignore_merges", false},
          {"vocab", std::move(vocab)},
          {"merges", std::move(merges)}};
}

json unigram_model(const vocabulary& words, bool byte_fallback) {
  double lowest = 0;
  for (uint32_t id = 0; id < words.pieces.size(); ++id)
    if (words.kinds[id] == piece_kind::normal) lowest = std::min(lowest, double(words.scores[id]));
  json vocab = json::array();
  for (uint32_t id = 0; id < words.pieces.size(); ++id) {
    // The six characters of a byte piece, each at the lowest score, are still better than it.
    const double score = words.kinds[id] == piece_kind::byte ? 8 * lowest - 100 : double(words.scores[id]);
    vocab.push_back(json::array({words.pieces[id], score}));
  }
  return {{"type", "Unigram"},
          {"unk_id", words.unknown ? json(*words.unknown) : json(nullptr)},
          {"vocab", std::move(vocab)},
          {"byte_fallback", byte_fallback}};
}

json added_tokens(const vocabulary& words) {
  json tokens = json::array();
  for (uint32_t id = 0; id < words.pieces.size(); ++id) {
    const auto kind = words.kinds[id];
    const bool special = kind == piece_kind::control || kind == piece_kind::unknown;
    if (!special && kind != piece_kind::user_defined) continue;
    tokens.push_back({{"id", id},
                      {"content", words.pieces[id]},
                      {"single_word", false},
                      {"lstrip", false},
                      {"rstrip", false},
                      {"normalized", false},
                      {"special", special}});
  }
  return tokens;
}

json normalizer(const vocabulary& words) {
  const json replace{{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", space_mark}};
  if (words.prefix == space_prefix::none) return replace;
  return {{"type", "Sequence"}, {"normalizers", {json{{"type", "Prepend"}, {"prepend", space_mark}}, replace}}};
}

json decoder(const vocabulary& words) {
  json steps = json::array();
  steps.push_back({{"type", "Replace"}, {"pattern", {{"String", space_mark}}}, {"content", " "}});
  steps.push_back({{"type", "ByteFallback"}});
  steps.push_back({{"type", "Fuse"}});
  if (words.prefix != space_prefix::none) steps.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  return {{"type", "Sequence"}, {"decoders", std::move(steps)}};
}

/// Adds BOS and EOS as the vocabulary asks.
json post_processor(const vocabulary& words) {
  if (!words.add_bos && !words.add_eos) return nullptr;
  json single = json::array(), pair = json::array(), special = json::object();
  const auto add_special = [&](json& to, uint32_t id, int type) {
    const auto& text = words.pieces[id];
    to.push_back({{"SpecialToken", {{"id", text}, {"type_id", type}}}});
    special[text] = {{"id", text}, {"ids", json::array({id})}, {"tokens", json::array({text})}};
  };
  const auto add_sequence = [&](json& to, const char* name, int type) {
    if (words.add_bos) add_special(to, *words.bos, type);
    to.push_back({{"Sequence", {{"id", name}, {"type_id", type}}}});
    if (words.add_eos) add_special(to, *words.eos, type);
  };
  add_sequence(single, "A", 0);
  add_sequence(pair, "A", 0);
  add_sequence(pair, "B", 1);
  return {{"type", "TemplateProcessing"},
          {"single", std::move(single)},
          {"pair", std::move(pair)},
          {"special_tokens", std::move(special)}};
}

json config(const vocabulary& words) {
  json out{{"add_bos_token", words.add_bos}, {"add_eos_token", words.add_eos}, {"clean_up_tokenization_spaces", false}};
  const auto name = [&](const char* key, const std::optional<uint32_t>& id) {
    if (id) out[key] = words.pieces[*id];
  };
  name("bos_token", words.bos);
  name("eos_token", words.eos);
  name("unk_token", words.unknown);
  name("pad_token", words.padding);
  if (!words.chat_template.empty()) out["chat_template"] = words.chat_template;
  // The class that takes tokenizer.json as it is. LlamaTokenizer of newer versions builds another normalizer than the file's.
  out["tokenizer_class"] = "PreTrainedTokenizerFast";
  return out;
}

void write(const std::filesystem::path& path, const json& value) {
  std::string text;
  try {
    text = value.dump(1) + '\n';
  } catch (const json::type_error&) {
    throw input_error(path.string() + ": a piece of the vocabulary is not UTF-8, which JSON cannot hold");
  }
  atomic_file file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

} // namespace

void write_tokenizer_json(const std::filesystem::path& folder, const vocabulary& words) {
  if (words.kind != tokenizer_kind::sentencepiece && words.kind != tokenizer_kind::unigram)
    throw input_error(folder.string() + ": only sentencepiece and unigram vocabularies can be written as tokenizer.json");
  TROUPE_ASSERT(words.scores.size() == words.pieces.size() && words.kinds.size() == words.pieces.size());
  const bool byte_fallback = std::count(words.kinds.begin(), words.kinds.end(), piece_kind::byte) == 256;
  json file{{"version", "1.0"}, {"truncation", nullptr}, {"padding", nullptr}};
  file["added_tokens"] = added_tokens(words);
  file["normalizer"] = normalizer(words);
  file["pre_tokenizer"] = nullptr;
  file["post_processor"] = post_processor(words);
  file["decoder"] = decoder(words);
  file["model"] = words.kind == tokenizer_kind::unigram ? unigram_model(words, byte_fallback)
                                                        : byte_pair_model(words, byte_fallback);
  write(folder / "tokenizer.json", file);
  write(folder / "tokenizer_config.json", config(words));
}

} // namespace troupe
