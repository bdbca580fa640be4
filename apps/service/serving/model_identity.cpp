#include "apps/service/serving/model_identity.hpp"

#include "actors/engine.hpp"
#include "model/chat/chat_template.hpp"
#include "model/content_hash.hpp"
#include "model/description_hash.hpp"

#include <algorithm>
#include <cstdio>
#include <span>

namespace troupe::service {
namespace {

/// Raised when the same model, run in the same way, gives other results or other events than with the version of troupe before.
constexpr uint64_t results_version = 1;

void add_sample(content_hash& to, const stored_tensor& tensor) {
  if (!tensor.from) return;
  constexpr uint64_t most = 4096;
  std::vector<std::byte> bytes(std::min(tensor.bytes(), most));
  tensor.from->read(tensor.offset, bytes);
  to.add(bytes);
  tensor.from->read(tensor.offset + tensor.bytes() - bytes.size(), bytes);
  to.add(bytes);
}

/// How text becomes tokens, and tokens text.
void add(content_hash& to, const vocabulary& words) {
  to.add(uint64_t(words.kind));
  for (const auto& piece : words.pieces) to.add(piece);
  to.add(words.scores.size());
  to.add(std::as_bytes(std::span(words.scores)));
  for (const auto kind : words.kinds) to.add(uint64_t(kind));
  for (const auto& merge : words.merges) to.add(merge);
  to.add(words.rules.size());
  for (const auto& rule : words.rules) {
    for (const auto* text : {&rule.pattern, &rule.content}) to.add(*text);
    for (const uint64_t one : {unsigned(rule.kind), unsigned(rule.is_expression), unsigned(rule.left), unsigned(rule.right),
                               unsigned(rule.drops_spaces), unsigned(rule.adds_space), unsigned(rule.marks_spaces)})
      to.add(one);
  }
  to.add(words.patterns.size());
  for (const auto& pattern : words.patterns) {
    to.add(pattern.expression);
    to.add(uint64_t(pattern.drops_rest));
  }
  for (const auto* text : {&words.pre_tokenizer, &words.continuing_prefix, &words.unknown_text}) to.add(*text);
  for (const uint64_t one : {unsigned(words.split), unsigned(words.prefix), unsigned(words.whole_words_first),
                             unsigned(words.splits_at_spaces), unsigned(words.fuses_unknown), unsigned(words.word_characters_max),
                             unsigned(words.drops_first_space), unsigned(words.drops_first_spaces), unsigned(words.cleans_up),
                             unsigned(words.add_bos), unsigned(words.add_eos)})
    to.add(one);
  to.add(uint64_t(words.added_tokens.has_value()));
  if (words.added_tokens)
    for (const auto& one : *words.added_tokens)
      for (const uint64_t part : {one.id, unsigned(one.single_word), unsigned(one.lstrip), unsigned(one.rstrip), unsigned(one.normalized)})
        to.add(part);
  for (const auto& id : {words.bos, words.eos, words.unknown, words.padding}) to.add(id ? uint64_t(*id) + 1 : 0);
  to.add(words.end_of_generation.size());
  for (const uint32_t id : words.end_of_generation) to.add(uint64_t(id));
  for (const auto* items : {&words.single, &words.pair}) {
    to.add(items->size());
    for (const auto& item : *items)
      for (const uint64_t part : {unsigned(item.kind), item.id, unsigned(item.segment)}) to.add(part);
  }
  to.add(uint64_t(words.cutter != nullptr));
  if (words.cutter) add(to, *words.cutter);
}

} // namespace

std::string model_identity(const model_file& model, const engine_options& options) {
  content_hash sum;
  sum.add(results_version);
  sum.add(description_hash(model));
  for (const auto& one : model.published) add_sample(sum, one.view);
  add(sum, model.words);
  sum.add(chat_template_source(model.words));
  sum.add(uint64_t(options.cached.value_or(cache_type::f32)));
  sum.add(uint64_t(options.as_q8_0));
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(sum.value()));
  return digits;
}

} // namespace troupe::service
