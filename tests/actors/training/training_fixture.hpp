#pragma once
// A tiny model, batches for it, and what its weights must be after some updates, by the sequential reference.
#include "actors/tree/training_tree.hpp"
#include "actors/training/parameter_owner.hpp"
#include "actors/training/run_tracker.hpp"
#include "model/model_file.hpp"
#include "model/testing/tiny_model.hpp"
#include "model/training/reference_trainer.hpp"
#include <cstring>
#include <memory>
#include <vector>

namespace troupe::testing {

/// Batches of random tokens: sequences of different lengths, some targets ignored.
struct made_up_batches {
  uint32_t vocabulary, context;
  uint32_t micro_batches = 3;
  float dropped = 0;

  std::vector<micro_batch> get(const v1::BatchName& name) const {
    raw_bits bits{name.number() * 2 + (name.validation() ? 1 : 0) + 1000};
    std::vector<micro_batch> batch(micro_batches);
    for (auto& one : batch)
      for (uint64_t sequences = 1 + bits.below(3); sequences > 0; --sequences) {
        one.lengths.push_back(uint32_t(2 + bits.below(context - 2)));
        for (uint32_t i = 0; i < one.lengths.back(); ++i) {
          one.tokens.push_back(uint32_t(bits.below(vocabulary)));
          one.targets.push_back(bits.below(5) == 0 ? no_target : int32_t(bits.below(vocabulary)));
        }
      }
    return batch;
  }

  v1::TrainingBatch message(const v1::BatchName& name) const {
    v1::TrainingBatch message;
    uint64_t targets = 0;
    const auto batch = get(name);
    for (const auto& one : batch) targets += one.target_count();
    message.set_targets(targets);
    uint32_t first_row = 0;
    for (uint32_t i = 0; i < batch.size(); ++i) {
      auto& part = *message.add_micro_batches();
      if (dropped > 0) {
        auto& drops = *part.mutable_batch()->mutable_dropout();
        drops.set_share(dropped);
        drops.set_seed(5);
        drops.set_update(name.number());
        drops.set_first_row(first_row);
      }
      first_row += batch[i].rows();
      part.mutable_batch()->set_index(i);
      part.mutable_batch()->mutable_lengths()->Add(batch[i].lengths.begin(), batch[i].lengths.end());
      part.mutable_batch()->set_evaluate(name.validation());
      part.mutable_batch()->set_loss_scale(float(1.0 / double(targets)));
      part.mutable_batch()->set_smoothing(0.1f);
      part.mutable_tokens()->Add(batch[i].tokens.begin(), batch[i].tokens.end());
      part.mutable_targets()->Add(batch[i].targets.begin(), batch[i].targets.end());
    }
    return message;
  }
};

struct training_job {
  std::shared_ptr<const model_file> file;
  std::shared_ptr<const trainable_builder> model;
  made_up_batches batches;
  optimiser_options optimiser{0.9, 0.95, 1e-8, 0.1, 1.0};
  rate_schedule schedule{schedule_kind::cosine, 0.01, 0.001, 2, 20};

  training_job(const tiny_model_options& shape, uint32_t shards, uint32_t leaf_rows_min = 16)
      : file(open_model(write_tiny_model(shape))),
        model(std::make_shared<const trainable_builder>(file->spec, file->tensors, shards, leaf_rows_min)),
        batches{file->spec.vocabulary, 12} {}

  training_tree_config tree() const {
    training_tree_config config;
    config.model = model;
    config.trainer.optimiser = optimiser;
    config.trainer.schedule = schedule;
    config.make_source = [batches = batches]() -> batch_source {
      return [batches](const v1::BatchName& name) { return batches.message(name); };
    };
    return config;
  }

  model_state first_state() const {
    model_state state;
    each_owner(*model, [&](const std::string& path, const std::vector<parameter*>& parameters) {
      model->fill(parameters);
      state.emplace(path, caf::make_message(make_state(path, 0, parameters)));
    });
    return state;
  }

  /// Figures of each update, and the model after them.
  std::pair<std::vector<step_figures>, trainable_model> by_reference(uint64_t updates) const {
    reference_trainer trainer(model->all());
    std::vector<step_figures> figures;
    for (uint64_t update = 0; update < updates; ++update) {
      v1::BatchName name;
      name.set_number(update);
      figures.push_back(trainer.step(batches.get(name), optimiser, schedule, update + 1, 0.1f, {batches.dropped, 5, 0, 0}));
    }
    return {std::move(figures), std::move(trainer.model())};
  }
};

/// The first slice that differs in any bit from the model's; empty if none does.
inline std::string difference(const model_state& state, trainable_model& model) {
  std::map<tensor_slice, const parameter*> wanted;
  for (const parameter* one : model.parameters()) wanted.emplace(one->slice, one);
  size_t seen = 0;
  for (const auto& [path, message] : state)
    for (const auto& slice : message.get_as<v1::ParameterState>(0).slices()) {
      const auto found = wanted.find(to_slice(slice.slice()));
      if (found == wanted.end()) return path + " has a slice that the reference has not";
      ++seen;
      const auto same = [](const auto& a, const auto& b) {
        return size_t(a.size()) == b.size() && std::memcmp(a.data(), b.data(), b.size() * sizeof(float)) == 0;
      };
      if (!same(slice.values(), found->second->value) || !same(slice.first_moments(), found->second->first_moment) ||
          !same(slice.second_moments(), found->second->second_moment))
        return path + ": " + to_string(found->first.key);
    }
  return seen == wanted.size() ? "" : "a slice is missing";
}

} // namespace troupe::testing
