#include "apps/service/serving/model_identity.hpp"

#include "actors/engine.hpp"
#include "model/chat/chat_template.hpp"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <optional>
#include <span>

namespace troupe::service {
namespace {

/// 64 bits of what was added, in that order: FNV-1a.
class digest {
public:
  void add(std::span<const std::byte> bytes) {
    for (const auto one : bytes) sum_ = (sum_ ^ uint64_t(one)) * 0x100000001B3u;
  }
  void add(const std::string& text) {
    add(text.size());
    add(std::as_bytes(std::span(text)));
  }
  void add(uint64_t number) { add(std::as_bytes(std::span(&number, 1))); }
  std::string text() const {
    char digits[17];
    std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(sum_));
    return digits;
  }

private:
  uint64_t sum_ = 0xCBF29CE484222325u;
};

/// Raised when the same model, run in the same way, gives other results or other events than with the version of troupe before.
constexpr uint64_t results_version = 1;

void add_sample(digest& to, const stored_tensor& tensor) {
  if (!tensor.from) return;
  constexpr uint64_t most = 4096;
  std::vector<std::byte> bytes(std::min(tensor.bytes(), most));
  tensor.from->read(tensor.offset, bytes);
  to.add(bytes);
  tensor.from->read(tensor.offset + tensor.bytes() - bytes.size(), bytes);
  to.add(bytes);
}

// Of everything in a spec that changes results. What may be absent or of any length says first whether it is there, or how long it is.

void add(digest& to, uint64_t number) { to.add(number); }
void add(digest& to, float number) { to.add(uint64_t(std::bit_cast<uint32_t>(number))); }
template <class Element> void add(digest& to, const std::vector<Element>& all) {
  to.add(all.size());
  for (const auto& one : all) add(to, one);
}
template <class Value> void add(digest& to, const std::optional<Value>& found) {
  to.add(uint64_t(found.has_value()));
  if (found) add(to, *found);
}
void add(digest& to, const norm_spec& norm) {
  add(to, uint64_t(norm.kind));
  add(to, norm.epsilon);
}
void add(digest& to, const yarn_spec& yarn) {
  for (const float one : {yarn.factor, yarn.beta_fast, yarn.beta_slow, yarn.magnitude}) add(to, one);
  add(to, uint64_t(yarn.original_context));
  add(to, uint64_t(yarn.has_whole_bounds));
}
void add(digest& to, const relative_positions_spec& positions) {
  for (const uint64_t one : {positions.buckets, positions.distance_max, uint32_t(positions.bidirectional)}) add(to, one);
}
void add(digest& to, const attention_spec& attention) {
  const auto& rope = attention.rope;
  for (const uint64_t one : {attention.heads, attention.kv_heads, attention.head_dim, uint32_t(attention.causal), uint32_t(rope.kind),
                             rope.dimensions})
    add(to, one);
  for (const float one : {attention.scale, rope.base, rope.scaling_factor}) add(to, one);
  add(to, rope.factors);
  add(to, rope.yarn);
  add(to, attention.relative_positions);
  add(to, attention.query_key_norm);
}
void add(digest& to, const layer_spec& layer) {
  add(to, layer.attention);
  add(to, layer.cross_attention);
  const auto& forward = layer.feed_forward;
  for (const uint64_t one : {uint32_t(forward.gated), uint32_t(forward.activation), forward.width, uint32_t(layer.norms)}) add(to, one);
  add(to, layer.norm);
}
void add(digest& to, const image_spec& image) {
  for (const uint64_t one : {image.channels, image.height, image.width, image.patch_height, image.patch_width}) add(to, one);
}
void add(digest& to, const audio_spec& audio) {
  for (const uint64_t one : {audio.bins, audio.frames}) add(to, one);
}
void add(digest& to, const stack_spec& stack) {
  const auto& embedding = stack.embedding;
  add(to, embedding.scale);
  for (const uint64_t one : {uint32_t(embedding.positions), embedding.position_offset, embedding.segments, stack.context_length})
    add(to, one);
  add(to, embedding.image);
  add(to, embedding.audio);
  add(to, embedding.norm);
  add(to, stack.layers);
  add(to, stack.final_norm);
}
void add(digest& to, const output_spec::transform_spec& transform) {
  add(to, uint64_t(transform.activation));
  add(to, transform.norm);
}
void add(digest& to, const model_spec& spec) {
  add(to, static_cast<const stack_spec&>(spec));
  for (const uint64_t one : {spec.vocabulary, spec.width, spec.start_token, uint32_t(spec.output.kind), spec.output.columns,
                             uint32_t(spec.output.of_first_row)})
    add(to, one);
  add(to, spec.encoder);
  add(to, spec.output.scale);
  add(to, spec.output.transform);
}

/// How text becomes tokens, and tokens text.
void add(digest& to, const vocabulary& words) {
  to.add(uint64_t(words.kind));
  for (const auto& piece : words.pieces) to.add(piece);
  add(to, words.scores);
  for (const auto kind : words.kinds) add(to, uint64_t(kind));
  for (const auto& merge : words.merges) to.add(merge);
  add(to, words.rules.size());
  for (const auto& rule : words.rules) {
    for (const auto* text : {&rule.pattern, &rule.content}) to.add(*text);
    for (const uint64_t one : {unsigned(rule.kind), unsigned(rule.is_expression), unsigned(rule.left), unsigned(rule.right),
                               unsigned(rule.drops_spaces), unsigned(rule.adds_space), unsigned(rule.marks_spaces)})
      add(to, one);
  }
  add(to, words.patterns.size());
  for (const auto& pattern : words.patterns) {
    to.add(pattern.expression);
    add(to, uint64_t(pattern.drops_rest));
  }
  for (const auto* text : {&words.pre_tokenizer, &words.continuing_prefix, &words.unknown_text}) to.add(*text);
  for (const uint64_t one : {unsigned(words.split), unsigned(words.prefix), unsigned(words.whole_words_first),
                             unsigned(words.splits_at_spaces), unsigned(words.fuses_unknown), unsigned(words.word_characters_max),
                             unsigned(words.drops_first_space), unsigned(words.drops_first_spaces), unsigned(words.cleans_up),
                             unsigned(words.add_bos), unsigned(words.add_eos)})
    add(to, one);
  add(to, uint64_t(words.added_tokens.has_value()));
  if (words.added_tokens)
    for (const auto& one : *words.added_tokens)
      for (const uint64_t part : {one.id, unsigned(one.single_word), unsigned(one.lstrip), unsigned(one.rstrip), unsigned(one.normalized)})
        add(to, part);
  for (const auto& id : {words.bos, words.eos, words.unknown, words.padding}) add(to, id ? uint64_t(*id) + 1 : 0);
  add(to, words.end_of_generation.size());
  for (const uint32_t id : words.end_of_generation) add(to, uint64_t(id));
  for (const auto* items : {&words.single, &words.pair}) {
    add(to, items->size());
    for (const auto& item : *items)
      for (const uint64_t part : {unsigned(item.kind), item.id, unsigned(item.segment)}) add(to, part);
  }
  add(to, uint64_t(words.cutter != nullptr));
  if (words.cutter) add(to, *words.cutter);
}

} // namespace

std::string model_identity(const model_file& model, const engine_options& options) {
  digest sum;
  sum.add(results_version);
  for (const auto& one : model.published) {
    sum.add(one.gguf_name);
    sum.add(uint64_t(one.view.type));
    for (const uint64_t length : one.shape) sum.add(length);
    add_sample(sum, one.view);
  }
  add(sum, model.spec);
  add(sum, model.words);
  sum.add(chat_template_source(model.words));
  sum.add(uint64_t(options.cached.value_or(cache_type::f32)));
  sum.add(options.as_q8_0);
  return sum.text();
}

} // namespace troupe::service
