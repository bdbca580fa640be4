#pragma once
// What bert and distilbert share: an embedding with learned positions and a norm, a post-norm stack, and four kinds of output.
#include "model/families/layer_stack.hpp"

namespace troupe {

struct bert_names {
  const char* architecture;
  const char* prefix; // Of the base model's tensors in classes with a head.
  const char *width, *epsilon; // Keys; no key for the epsilon: 1e-12.
  const char *layers, *segments;     // Of tensors: what layers begin with; the table of segments, or null.
  layer_keys keys;
  layer_names layer;
  // The head for masked tokens: its transform, its norm, the bias of the tied output; what may be stored as a copy of the embedding.
  const char *masked_transform, *masked_norm, *masked_bias, *masked_copy;
  const char *pooler, *classifier; // Of the head for classes.
  activation_kind pooler_activation;
};

enum class bert_head : uint8_t { none, masked_tokens, classes, answers };

model_description describe_bert_like(const model_source& source, const bert_names& names, bert_head head);

} // namespace troupe
