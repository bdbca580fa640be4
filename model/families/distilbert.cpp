// DistilBERT (Sanh et al. 2019): bert without segments and without a pooler.
#include "model/families/bert.hpp"

namespace troupe {
namespace {

const bert_names distilbert{.architecture = "distilbert",
                            .prefix = "distilbert.",
                            .width = "dim",
                            .epsilon = nullptr,
                            .layers = "transformer.layer.",
                            .segments = nullptr,
                            .keys = {"n_layers", "n_heads", "hidden_dim", "activation"},
                            .layer = {.attention = {"attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin",
                                                    "sa_layer_norm"},
                                      .up = "ffn.lin1",
                                      .down = "ffn.lin2",
                                      .feed_forward_norm = "output_layer_norm",
                                      .cross_attention = std::nullopt},
                            .masked_transform = "vocab_transform",
                            .masked_norm = "vocab_layer_norm",
                            .masked_bias = "vocab_projector.bias",
                            .masked_copy = "vocab_projector",
                            .pooler = "pre_classifier",
                            .classifier = "classifier",
                            .pooler_activation = activation_kind::relu};

} // namespace

model_description describe_distilbert(const model_source& source) { return describe_bert_like(source, distilbert, bert_head::none); }
model_description describe_distilbert_for_masked_lm(const model_source& source) {
  return describe_bert_like(source, distilbert, bert_head::masked_tokens);
}
model_description describe_distilbert_for_classification(const model_source& source) {
  return describe_bert_like(source, distilbert, bert_head::classes);
}
model_description describe_distilbert_for_question_answering(const model_source& source) {
  return describe_bert_like(source, distilbert, bert_head::answers);
}

} // namespace troupe
