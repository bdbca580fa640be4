#include "model/formats/hf_decoding.hpp"
#include "model/formats/json.hpp"
#include <algorithm>
#include <array>

namespace troupe {
namespace {

constexpr uint64_t file_bytes_max = 16 << 20;
constexpr uint64_t tokens_max = 1 << 30;

// Each changes the result when it is neither null, false, 0 nor empty; the second list, when it is not 1.
constexpr std::array<std::string_view, 9> not_done{"do_sample",          "suppress_tokens",   "begin_suppress_tokens",
                                                   "sequence_bias",      "diversity_penalty", "encoder_no_repeat_ngram_size",
                                                   "renormalize_logits", "force_words_ids",   "exponential_decay_length_penalty"};
constexpr std::array<std::string_view, 3> must_be_one{"repetition_penalty", "encoder_repetition_penalty", "num_beam_groups"};

class decoding_reader {
public:
  decoding_reader(const json_node& config, uint32_t vocabulary) : config_(config), vocabulary_(vocabulary) {}

  decoding_defaults read(const std::vector<uint32_t>& end_tokens) const {
    decoding_defaults found;
    found.rules.end_tokens = end_tokens;
    read_lengths(found);
    read_search(found.search);
    read_rules(found.rules);
    read_ignored(found.ignored);
    return found;
  }

private:
  /// Lengths of whole sequences include the token that the decoder begins with.
  void read_lengths(decoding_defaults& found) const {
    if (const auto generated = config_.find("max_new_tokens")) {
      found.tokens_max = uint32_t(generated->natural(tokens_max));
      if (*found.tokens_max == 0) generated->fail_kind("at least 1");
    } else if (const auto length = config_.find("max_length")) {
      const uint64_t whole = length->natural(tokens_max);
      if (whole < 2) length->fail_kind("at least 2: the token that the decoder begins with counts");
      found.tokens_max = uint32_t(whole - 1);
    }
    if (const auto generated = config_.find("min_new_tokens"))
      found.rules.tokens_min = uint32_t(generated->natural(tokens_max));
    else if (const auto length = config_.find("min_length"))
      found.rules.tokens_min = uint32_t(std::max<uint64_t>(1, length->natural(tokens_max)) - 1);
  }

  void read_search(beam_options& search) const {
    const auto check = [&](const json_node& node) {
      if (const auto reason = invalid(search); !reason.empty()) node.fail(reason);
    };
    if (const auto beams = config_.find("num_beams")) {
      search.beams = uint32_t(beams->natural(tokens_max));
      check(*beams);
    }
    if (const auto penalty = config_.find("length_penalty")) {
      search.length_penalty = float(penalty->number());
      check(*penalty);
    }
    const auto stopping = config_.find("early_stopping");
    if (!stopping) return;
    if (stopping->is_text()) {
      if (stopping->text() != "never") stopping->fail_kind("true, false or \"never\"");
      search.stopping = early_stopping::never;
    } else {
      search.stopping = stopping->flag() ? early_stopping::yes : early_stopping::no;
    }
  }

  void read_rules(token_rules& rules) const {
    if (const auto size = config_.find("no_repeat_ngram_size")) rules.no_repeat_ngram = uint32_t(size->natural(tokens_max));
    rules.forced_first = find_token("forced_bos_token_id");
    rules.forced_last = find_token("forced_eos_token_id");
    const auto forbidden = config_.find("bad_words_ids");
    if (!forbidden) return;
    for (const json_node& sequence : forbidden->elements()) {
      std::vector<uint32_t> tokens;
      for (const json_node& token : sequence.elements()) tokens.push_back(check_token(token));
      if (tokens.empty()) sequence.fail("is empty");
      // As transformers has it: what ends a sequence is not forbidden by its place in this list.
      if (tokens.size() > 1 || !rules.ends(tokens.front())) rules.forbidden.push_back(std::move(tokens));
    }
  }

  void read_ignored(std::vector<std::string>& ignored) const {
    for (const auto key : not_done)
      if (const auto found = config_.find(key); found && !is_off(*found)) ignored.emplace_back(key);
    for (const auto key : must_be_one)
      if (const auto found = config_.find(key); found && found->number() != 1) ignored.emplace_back(key);
  }

  static bool is_off(const json_node& value) {
    if (value.is_flag()) return !value.flag();
    if (value.is_array()) return value.size() == 0;
    if (value.is_object()) return value.members().empty();
    return value.is_text() ? value.text().empty() : value.number() == 0;
  }

  std::optional<uint32_t> find_token(std::string_view key) const {
    auto found = config_.find(key);
    if (!found) return std::nullopt;
    if (!found->is_array()) return check_token(*found);
    if (found->size() != 1) found->fail_kind("one token");
    return check_token((*found)[0]);
  }

  uint32_t check_token(const json_node& node) const {
    const uint64_t id = node.natural();
    if (id < vocabulary_) return uint32_t(id);
    node.fail("token " + std::to_string(id) + " is outside the vocabulary of " + std::to_string(vocabulary_));
  }

  json_node config_;
  uint32_t vocabulary_;
};

} // namespace

decoding_defaults read_decoding_defaults(const std::filesystem::path& folder, uint32_t vocabulary,
                                         const std::vector<uint32_t>& end_tokens) {
  const auto own = folder / "generation_config.json";
  std::error_code ignored; // What exists and cannot be read fails when it is opened.
  const json_file file(std::filesystem::exists(own, ignored) ? own : folder / "config.json", file_bytes_max);
  return decoding_reader(file.root(), vocabulary).read(end_tokens);
}

} // namespace troupe
