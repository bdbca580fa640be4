#include "model/formats/hf_decoding.hpp"
#include "model/error.hpp"
#include "model/formats/json.hpp"
#include <algorithm>
#include <array>

namespace troupe {
namespace {

constexpr uint64_t file_bytes_max = 16 << 20;
constexpr uint64_t tokens_max = 1 << 30;

// Each changes the result when it is neither null, false, 0 nor empty; the second list, when it is not 1.
constexpr std::array<std::string_view, 7> not_done{"do_sample",          "sequence_bias",      "diversity_penalty",
                                                   "encoder_no_repeat_ngram_size", "renormalize_logits", "force_words_ids",
                                                   "exponential_decay_length_penalty"};
constexpr std::array<std::string_view, 3> must_be_one{"repetition_penalty", "encoder_repetition_penalty", "num_beam_groups"};

class decoding_reader {
public:
  decoding_reader(const json_node& config, uint32_t vocabulary) : config_(config), vocabulary_(vocabulary) {}

  decoding_defaults read(const std::vector<uint32_t>& end_tokens) {
    found_.rules.end_tokens = end_tokens;
    read_lengths();
    read_search();
    read_rules();
    read_unsupported();
    return std::move(found_);
  }

private:
  /// Reads the value of a key, where there is one. One that `take` refuses is ignored as a whole.
  template <class Take> void read_key(std::string_view key, Take take) {
    if (const auto node = config_.find(key)) try_value(key, *node, take);
  }
  template <class Take> void try_value(std::string_view key, const json_node& node, Take take) {
    try {
      take(node);
    } catch (const input_error& error) {
      found_.ignored.push_back({std::string(key), error.what()});
    }
  }

  /// Lengths of whole sequences include the token that the decoder begins with.
  void read_lengths() {
    auto& most = found_.tokens_max;
    read_key("max_new_tokens", [&](const json_node& node) {
      const auto generated = uint32_t(node.natural(tokens_max));
      if (generated == 0) node.fail_kind("at least 1");
      most = generated;
    });
    if (!most)
      read_key("max_length", [&](const json_node& node) {
        const uint64_t whole = node.natural(tokens_max);
        if (whole < 2) node.fail_kind("at least 2: the token that the decoder begins with counts");
        most = uint32_t(whole - 1);
      });
    std::optional<uint32_t> least;
    read_key("min_new_tokens", [&](const json_node& node) { least = uint32_t(node.natural(tokens_max)); });
    if (!least)
      read_key("min_length", [&](const json_node& node) { least = uint32_t(std::max<uint64_t>(1, node.natural(tokens_max)) - 1); });
    found_.rules.tokens_min = least.value_or(0);
  }

  void read_search() {
    const auto set = [&](const json_node& node, auto beam_options::*member, auto value) {
      beam_options search = found_.search;
      search.*member = value;
      if (const auto reason = invalid(search); !reason.empty()) node.fail(reason);
      found_.search = search;
    };
    read_key("num_beams", [&](const json_node& node) { set(node, &beam_options::beams, uint32_t(node.natural(tokens_max))); });
    read_key("length_penalty", [&](const json_node& node) { set(node, &beam_options::length_penalty, float(node.number())); });
    read_key("early_stopping", [&](const json_node& node) {
      if (node.is_text() && node.text() != "never") node.fail_kind("true, false or \"never\"");
      found_.search.stopping = node.is_text() ? early_stopping::never : node.flag() ? early_stopping::yes : early_stopping::no;
    });
  }

  void read_rules() {
    auto& rules = found_.rules;
    read_key("no_repeat_ngram_size", [&](const json_node& node) { rules.no_repeat_ngram = uint32_t(node.natural(tokens_max)); });
    read_key("forced_bos_token_id", [&](const json_node& node) {
      if (node.is_array() && node.size() != 1) node.fail_kind("one token");
      rules.forced_first = check_token(node.is_array() ? node[0] : node);
    });
    // Where several are forced, all are as likely as can be: greedy decoding and beam search take the lowest.
    read_key("forced_eos_token_id", [&](const json_node& node) {
      std::optional<uint32_t> lowest;
      for (const json_node& token : node.is_array() ? node.elements() : std::vector{node})
        lowest = std::min(check_token(token), lowest.value_or(vocabulary_));
      rules.forced_last = lowest;
    });
    read_key("suppress_tokens", [&](const json_node& node) { rules.suppressed = suppressed(node); });
    read_key("begin_suppress_tokens", [&](const json_node& node) { rules.suppressed_first = suppressed(node); });
    read_key("bad_words_ids", [&](const json_node& node) {
      for (const json_node& sequence : node.elements())
        try_value("bad_words_ids", sequence, [&](const json_node& one) { forbid(one); });
    });
  }

  /// As transformers has it: what is beyond the vocabulary suppresses nothing.
  std::vector<uint32_t> suppressed(const json_node& node) const {
    std::vector<uint32_t> tokens;
    for (const json_node& token : node.elements())
      if (const uint64_t id = token.natural(); id < vocabulary_) tokens.push_back(uint32_t(id));
    return tokens;
  }

  void forbid(const json_node& sequence) {
    auto& rules = found_.rules;
    std::vector<uint32_t> tokens;
    for (const json_node& token : sequence.elements()) tokens.push_back(check_token(token));
    if (tokens.empty()) sequence.fail("is empty");
    // As transformers has it: what ends a sequence is not forbidden by its place in this list.
    if (tokens.size() > 1 || !rules.ends(tokens.front())) rules.forbidden.push_back(std::move(tokens));
  }

  void read_unsupported() {
    for (const auto key : not_done)
      read_key(key, [](const json_node& node) {
        if (!is_off(node)) node.fail("is not supported");
      });
    for (const auto key : must_be_one)
      read_key(key, [](const json_node& node) {
        if (node.number() != 1) node.fail("is not supported");
      });
  }

  static bool is_off(const json_node& value) {
    if (value.is_flag()) return !value.flag();
    if (value.is_array()) return value.size() == 0;
    if (value.is_object()) return value.members().empty();
    return value.is_text() ? value.text().empty() : value.number() == 0;
  }

  uint32_t check_token(const json_node& node) const {
    const uint64_t id = node.natural();
    if (id < vocabulary_) return uint32_t(id);
    node.fail("token " + std::to_string(id) + " is outside the vocabulary of " + std::to_string(vocabulary_));
  }

  json_node config_;
  uint32_t vocabulary_;
  decoding_defaults found_;
};

/// Replaces what the file says.
void read_speech(const json_node& config, uint64_t vocabulary, speech_tokens& into) {
  const auto token = [&](const json_node& node) {
    const uint64_t id = node.natural();
    if (id >= vocabulary) node.fail("token " + std::to_string(id) + " is outside the vocabulary of " + std::to_string(vocabulary));
    return uint32_t(id);
  };
  if (const auto languages = config.find("lang_to_id")) {
    into.languages.clear();
    for (const auto& member : languages->members())
      if (const auto name = between_bars(member.name); !name.empty()) into.languages.emplace_back(name, token(languages->of(member)));
  }
  if (const auto tasks = config.find("task_to_id")) {
    if (const auto id = tasks->find("transcribe")) into.transcribe = token(*id);
    if (const auto id = tasks->find("translate")) into.translate = token(*id);
  }
  if (const auto id = config.find("no_timestamps_token_id")) into.no_timestamps = token(*id);
  if (const auto id = config.find("prev_sot_token_id")) into.previous = token(*id);
  if (const auto most = config.find("max_initial_timestamp_index")) into.initial_timestamp_max = uint32_t(most->natural(1 << 20));
  if (config.flag_or("is_multilingual", true)) return;
  into.languages.clear();
  into.transcribe = into.translate = std::nullopt;
}

} // namespace

std::optional<speech_tokens> read_speech_tokens(const std::filesystem::path& folder, const std::vector<std::string>& pieces,
                                                uint32_t vocabulary, uint32_t start) {
  if (pieces.empty()) return std::nullopt;
  speech_tokens found = find_speech_tokens(pieces, start);
  std::error_code ignored;
  if (const auto own = folder / "generation_config.json"; std::filesystem::exists(own, ignored)) {
    const json_file file(own, file_bytes_max);
    read_speech(file.root(), vocabulary, found);
  }
  if (found.first_timestamp() && *found.first_timestamp() >= vocabulary) found.no_timestamps = std::nullopt;
  return found;
}

decoding_defaults read_decoding_defaults(const std::filesystem::path& folder, uint32_t vocabulary,
                                         const std::vector<uint32_t>& end_tokens) {
  const auto own = folder / "generation_config.json";
  std::error_code ignored;
  try {
    const json_file file(std::filesystem::exists(own, ignored) ? own : folder / "config.json", file_bytes_max);
    file.root().members(); // Must be an object.
    return decoding_reader(file.root(), vocabulary).read(end_tokens);
  } catch (const input_error&) { // The vocabulary, which has end tokens from there, has a warning of it.
    decoding_defaults nothing;
    nothing.rules.end_tokens = end_tokens;
    return nothing;
  }
}

} // namespace troupe
