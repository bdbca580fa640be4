// BERT (Devlin et al. 2019): a post-norm stack in which every token sees every other, with learned positions and segments.
#include "model/families/bert.hpp"
#include "model/families/labels.hpp"

namespace troupe {
namespace {

const bert_names bert{.architecture = "bert",
                      .prefix = "bert.",
                      .width = "hidden_size",
                      .epsilon = "layer_norm_eps",
                      .layers = "encoder.layer.",
                      .segments = "embeddings.token_type_embeddings.weight",
                      .keys = {"num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act"},
                      .layer = {.attention = {"attention.self.query", "attention.self.key", "attention.self.value",
                                              "attention.output.dense", "attention.output.LayerNorm"},
                                .up = "intermediate.dense",
                                .down = "output.dense",
                                .feed_forward_norm = "output.LayerNorm",
                                .cross_attention = std::nullopt},
                      .masked_transform = "cls.predictions.transform.dense",
                      .masked_norm = "cls.predictions.transform.LayerNorm",
                      .masked_bias = "cls.predictions.bias",
                      .masked_copy = "cls.predictions.decoder",
                      .pooler = "bert.pooler.dense",
                      .classifier = "classifier",
                      .pooler_activation = activation_kind::tanh};

void read_bert_embedding(const hyperparameters& parameters, tensor_lookup& tensors, const bert_names& names, const std::string& base,
                         const norm_spec& norm, model_description& model) {
  const uint32_t width = model.spec.width;
  model.spec.embedding.positions = position_kind::learned;
  model.tensors.positions =
      tensors.matrix({"", base + "embeddings.position_embeddings.weight"}, model.spec.context_length, width);
  if (names.segments != nullptr) {
    model.spec.embedding.segments = parameters.count({"", "type_vocab_size"}, {1, 1024});
    model.tensors.segments = tensors.matrix({"", base + names.segments}, model.spec.embedding.segments, width);
  }
  model.spec.embedding.norm = norm;
  model.tensors.embedding_norm = tensors.norm({"", base + "embeddings.LayerNorm"}, width, tensor_lookup::bias::required);
}

void read_head(const hyperparameters& parameters, tensor_lookup& tensors, const bert_names& names, bert_head head,
               const norm_spec& norm, model_description& model) {
  using bias = tensor_lookup::bias;
  const uint32_t width = model.spec.width;
  output_spec& output = model.spec.output;
  switch (head) {
  case bert_head::none:
    output.kind = output_spec::result::hidden_states;
    output.columns = width;
    return;
  case bert_head::masked_tokens:
    output.transform = {read_activation(parameters, {"", names.keys.activation}), norm};
    model.tensors.output_transform = tensors.projection({"", names.masked_transform}, width, width, bias::required);
    model.tensors.output_transform_norm = tensors.norm({"", names.masked_norm}, width, bias::required);
    if (!parameters.flag({"", "tie_word_embeddings"}).value_or(true))
      parameters.fail({"", "tie_word_embeddings"}, "only an output that is tied to the embedding is supported");
    model.tensors.output = {model.tensors.embedding, tensors.vector({"", names.masked_bias}, model.spec.vocabulary)};
    tensors.ignore_copy({"", std::string(names.masked_copy) + ".weight"}, model.tensors.embedding);
    tensors.ignore_copy({"", std::string(names.masked_copy) + ".bias"}, *model.tensors.output.bias);
    return;
  case bert_head::classes:
    output.kind = output_spec::result::labels;
    output.of_first_row = true;
    output.transform = {names.pooler_activation, std::nullopt};
    model.tensors.output_transform = tensors.projection({"", names.pooler}, width, width, bias::required);
    read_classifier(parameters, tensors, names.classifier, model);
    return;
  case bert_head::answers:
    output.kind = output_spec::result::spans;
    output.columns = 2;
    model.tensors.output = tensors.projection({"", "qa_outputs"}, 2, width, bias::required);
    output.labels = {"start", "end"};
    return;
  }
}

} // namespace

model_description describe_bert_like(const model_source& source, const bert_names& names, bert_head head) {
  const hyperparameters parameters(source, names.architecture);
  tensor_lookup tensors(source);
  const std::string base = head == bert_head::none ? tensors.prefix_if_used(names.prefix) : names.prefix;
  if (const auto kind = parameters.text({"", "position_embedding_type"}); kind && *kind != "absolute")
    parameters.require_text({"", "position_embedding_type"}, {"absolute"});
  tensors.ignore_endings({"embeddings.position_ids"});
  if (head != bert_head::classes) tensors.ignore_beginnings({names.pooler, "pooler.", "cls.seq_relationship."});
  if (head == bert_head::none) tensors.ignore_beginnings({"cls.", "vocab_"});

  decoder_sizes sizes{};
  sizes.width = parameters.count({"", names.width}, width_bounds);
  sizes.context_length = parameters.count({"", "max_position_embeddings"}, {1, double(context_max)});
  const norm_spec norm{norm_kind::layer, names.epsilon != nullptr ? parameters.number({"", names.epsilon}, epsilon_bounds) : 1e-12f};
  model_description model;
  model.tensors.embedding = read_embedding(parameters, tensors, base + "embeddings.word_embeddings.weight", sizes.width);
  model.spec = start_spec(source, names.architecture, sizes, model.tensors.embedding);
  read_bert_embedding(parameters, tensors, names, base, norm, model);
  read_layers(parameters, tensors, base + names.layers, names.keys, names.layer, sizes.width, norm.epsilon, model.spec,
                        model.tensors);
  read_head(parameters, tensors, names, head, norm, model);
  tensors.finish(model);
  return model;
}

model_description describe_bert(const model_source& source) { return describe_bert_like(source, bert, bert_head::none); }
model_description describe_bert_for_masked_lm(const model_source& source) {
  return describe_bert_like(source, bert, bert_head::masked_tokens);
}
model_description describe_bert_for_classification(const model_source& source) {
  return describe_bert_like(source, bert, bert_head::classes);
}
model_description describe_bert_for_question_answering(const model_source& source) {
  return describe_bert_like(source, bert, bert_head::answers);
}

} // namespace troupe
