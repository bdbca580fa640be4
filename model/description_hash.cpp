#include "model/description_hash.hpp"

#include "model/content_hash.hpp"

#include <bit>
#include <optional>
#include <vector>

namespace troupe {
namespace {

struct description : content_hash {}; // So that the functions here are those that templates find.

// Of everything in a spec that changes results. What may be absent or of any length says first whether it is there, or how long it is.

void add(description& to, uint64_t number) { to.add(number); }
void add(description& to, float number) { to.add(uint64_t(std::bit_cast<uint32_t>(number))); }
template <class Element> void add(description& to, const std::vector<Element>& all) {
  to.add(all.size());
  for (const auto& one : all) add(to, one);
}
template <class Value> void add(description& to, const std::optional<Value>& found) {
  to.add(uint64_t(found.has_value()));
  if (found) add(to, *found);
}
void add(description& to, const norm_spec& norm) {
  add(to, uint64_t(norm.kind));
  add(to, norm.epsilon);
}
void add(description& to, const yarn_spec& yarn) {
  for (const float one : {yarn.factor, yarn.beta_fast, yarn.beta_slow, yarn.magnitude}) add(to, one);
  add(to, uint64_t(yarn.original_context));
  add(to, uint64_t(yarn.has_whole_bounds));
}
void add(description& to, const relative_positions_spec& positions) {
  for (const uint64_t one : {positions.buckets, positions.distance_max, uint32_t(positions.bidirectional)}) add(to, one);
}
void add(description& to, const attention_spec& attention) {
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
void add(description& to, const layer_spec& layer) {
  add(to, layer.attention);
  add(to, layer.cross_attention);
  const auto& forward = layer.feed_forward;
  for (const uint64_t one : {uint32_t(forward.gated), uint32_t(forward.activation), forward.width, uint32_t(layer.norms)}) add(to, one);
  add(to, layer.norm);
}
void add(description& to, const image_spec& image) {
  for (const uint64_t one : {image.channels, image.height, image.width, image.patch_height, image.patch_width}) add(to, one);
}
void add(description& to, const audio_spec& audio) {
  for (const uint64_t one : {audio.bins, audio.frames}) add(to, one);
}
void add(description& to, const stack_spec& stack) {
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
void add(description& to, const output_spec::transform_spec& transform) {
  add(to, uint64_t(transform.activation));
  add(to, transform.norm);
}
void add(description& to, const model_spec& spec) {
  add(to, static_cast<const stack_spec&>(spec));
  for (const uint64_t one : {spec.vocabulary, spec.width, spec.start_token, uint32_t(spec.output.kind), spec.output.columns,
                             uint32_t(spec.output.of_first_row)})
    add(to, one);
  add(to, spec.encoder);
  add(to, spec.output.scale);
  add(to, spec.output.transform);
}

} // namespace

uint64_t description_hash(const model_file& model) {
  description sum;
  for (const auto& one : model.published) {
    sum.add(one.gguf_name);
    sum.add(uint64_t(one.view.type));
    for (const uint64_t length : one.shape) sum.add(length);
  }
  add(sum, model.spec);
  return sum.value();
}

} // namespace troupe
