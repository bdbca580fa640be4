#include "actors/testing/training_job.hpp"

#include "actors/training/parameter_owner.hpp"
#include "model/families/new_model.hpp"
#include "model/testing/tiny_model.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace troupe::testing {
namespace {

constexpr float label_smoothing = 0.1f;
constexpr uint64_t dropout_seed = 5;

template <class A, class B> bool same_bits(const A& a, const B& b) {
  return size_t(a.size()) == size_t(b.size()) && std::memcmp(a.data(), b.data(), size_t(b.size()) * sizeof(float)) == 0;
}

/// Which of a slice's arrays differs; null: none.
const char* difference(const v1::SliceState& got, const kept_parameter& wanted) {
  if (!same_bits(got.values(), wanted.value)) return "";
  if (!same_bits(got.first_moments(), wanted.first_moment)) return "first moments of ";
  return same_bits(got.second_moments(), wanted.second_moment) ? nullptr : "second moments of ";
}

} // namespace

std::vector<micro_batch> made_up_batches::get(const v1::BatchName& name) const {
  raw_bits bits{name.number() * 2 + (name.validation() ? 1 : 0) + 1000};
  const auto draw_tokens = [&](std::vector<uint32_t>& lengths, std::vector<uint32_t>& tokens) {
    lengths.push_back(uint32_t(2 + bits.below(longest - 2)));
    for (uint32_t i = 0; i < lengths.back(); ++i) tokens.push_back(uint32_t(bits.below(vocabulary)));
  };
  std::vector<micro_batch> batch(micro_batches);
  for (auto& one : batch)
    for (uint64_t sequences = 1 + bits.below(3); sequences > 0; --sequences) {
      if (image) {
        one.lengths.push_back(image->rows());
        one.tokens.resize(one.tokens.size() + image->rows());
        one.targets.push_back(int32_t(bits.below(targets)));
        for (uint64_t i = 0; i < image->elements(); ++i) one.pixels.push_back(bits.uniform(-1, 1));
        continue;
      }
      if (has_source) draw_tokens(one.source_lengths, one.source);
      one.lengths.push_back(uint32_t(2 + bits.below(longest - 2)));
      for (uint32_t i = 0; i < one.lengths.back(); ++i) {
        one.tokens.push_back(uint32_t(bits.below(vocabulary)));
        if (segments > 0) one.segments.push_back(uint32_t(bits.below(segments)));
        if (!of_first_row || i == 0) one.targets.push_back(bits.below(5) == 0 ? no_target : int32_t(bits.below(targets)));
      }
    }
  return batch;
}

training_job::training_job(std::shared_ptr<const model_file> of, uint32_t shards, uint32_t leaf_rows_min)
    : file(std::move(of)), model(std::make_shared<const trainable_builder>(file->spec, file->tensors, shards, leaf_rows_min)),
      batches{file->spec.vocabulary, std::min(12u, file->spec.context_length), model->columns()} {
  batches.has_source = file->spec.encoder.has_value();
  batches.of_first_row = file->spec.output.of_first_row;
  batches.segments = file->spec.embedding.segments;
  batches.image = file->spec.embedding.image;
}

training_tree_config training_job::tree() const {
  training_tree_config config;
  config.model = model;
  config.trainer.optimiser = optimiser;
  config.trainer.schedule = schedule;
  config.make_source = [batches = batches]() -> batch_source {
    return [batches](const v1::BatchName& name) {
      return make_training_batch(batches.get(name), name.validation(), label_smoothing,
                                 {batches.dropped, dropout_seed, name.number(), 0});
    };
  };
  return config;
}

model_state training_job::first_state() const {
  model_state state;
  each_owner(*model, [&](const std::string& path, const std::vector<parameter*>& parameters) {
    model->fill(parameters);
    state.emplace(path, caf::make_message(make_state(path, 0, parameters)));
  });
  return state;
}

reference_run training_job::by_reference(uint64_t updates) const {
  reference_trainer trainer(model->all());
  reference_run run;
  v1::BatchName name;
  for (uint64_t update = 0; update < updates; ++update) {
    name.set_number(update);
    name.set_validation(false);
    run.figures.push_back(trainer.step(batches.get(name), optimiser, schedule, update + 1, label_smoothing,
                                       {batches.dropped, dropout_seed, 0, 0}));
    auto& kept = run.states.emplace_back();
    for (const parameter* one : trainer.model().parameters())
      kept.emplace(one->slice, kept_parameter{one->value, one->first_moment, one->second_moment});
    name.set_validation(true);
    double& loss = run.evaluations.emplace_back();
    for (const auto& batch : batches.get(name)) loss += trainer.evaluate(batch, label_smoothing).loss;
  }
  return run;
}

namespace {

/// Small batches, so that there are many messages for what is computed.
training_job shrunk(training_job job) {
  job.batches.longest = 6;
  job.batches.dropped = 0.1f;
  return job;
}

training_job new_job(const std::string& config, uint32_t shards) { return shrunk({new_model(config, {}, 3), shards, 4}); }

} // namespace

training_job make_tiny_training_job(uint32_t shards) {
  tiny_model_options shape;
  shape.architecture = "qwen3";
  shape.layers = 2;
  shape.width = 16;
  shape.heads = 4;
  shape.kv_heads = 2;
  shape.head_dim = 4;
  shape.feed_forward = 24;
  shape.vocabulary = 48;
  shape.context = 16;
  shape.tied = true;
  shape.with_tokenizer = false;
  return shrunk({open_model(write_tiny_model(shape)), shards, 4});
}

training_job make_tiny_translation_job(uint32_t shards) {
  return new_job(R"({"model_type": "bart", "architectures": ["BartForConditionalGeneration"], "vocab_size": 48, "d_model": 16,
    "encoder_layers": 1, "decoder_layers": 2, "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 24, "activation_function": "gelu", "scale_embedding": true, "decoder_start_token_id": 2, "init_std": 0.2,
    "max_position_embeddings": 16})",
                 shards);
}

training_job make_tiny_classification_job(uint32_t shards) {
  return new_job(R"({"model_type": "bert", "architectures": ["BertForSequenceClassification"], "vocab_size": 48, "hidden_size": 16,
    "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24, "hidden_act": "gelu", "type_vocab_size": 2,
    "layer_norm_eps": 1e-5, "num_labels": 6, "initializer_range": 0.2, "max_position_embeddings": 16})",
                 shards);
}

training_job make_tiny_image_job(uint32_t shards) {
  return new_job(R"({"model_type": "vit", "architectures": ["ViTForImageClassification"], "hidden_size": 16, "num_hidden_layers": 2,
    "num_attention_heads": 2, "intermediate_size": 24, "hidden_act": "gelu", "layer_norm_eps": 1e-5, "image_size": 6, "patch_size": 3,
    "num_labels": 6, "initializer_range": 0.2})",
                 shards);
}

std::string difference(const model_state& got, const kept_parameters& wanted) {
  size_t seen = 0;
  for (const auto& [path, message] : got)
    for (const auto& slice : message.get_as<v1::ParameterState>(0).slices()) {
      const auto found = wanted.find(to_slice(slice.slice()));
      if (found == wanted.end()) return "a slice of " + path + " that should not be there";
      ++seen;
      if (const char* what = difference(slice, found->second))
        return std::string(what) + "tensor " + to_string(found->first.key) + " (of " + path + ")";
    }
  return seen == wanted.size() ? "" : "a slice that is missing";
}

} // namespace troupe::testing
