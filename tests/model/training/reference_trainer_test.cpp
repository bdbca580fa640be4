// Claims: a training step has the same bits for any number of shards, any cut of the batch and every instruction set; its forward
// results are those of inference; what it says of a step is true.
#include "model/error.hpp"
#include "model/reference.hpp"
#include "model/training/training_support.hpp"
#include "support/catch.hpp"
#include <cmath>
#include <cstring>

using namespace troupe;
using namespace troupe::testing;

namespace {

tiny_model_options options_of(const std::string& family, bool tied) {
  tiny_model_options options;
  options.architecture = family;
  options.width = 44;
  options.heads = 4;
  options.kv_heads = 2;
  options.head_dim = 12;
  options.feed_forward = 50;
  options.vocabulary = 83;
  options.context = 80;
  options.tied = tied;
  options.with_tokenizer = false;
  return options;
}

std::vector<model_kind> all_models() {
  std::vector<model_kind> all{{"gpt2", options_of("gpt2", true)},
                              {"llama", options_of("llama", false)},
                              {"qwen2", options_of("qwen2", false)},
                              {"qwen3", options_of("qwen3", true)}};
  for (const char* architecture : {"BertForMaskedLM", "BertForSequenceClassification", "ViTForImageClassification",
                                   "BartForConditionalGeneration", "MarianMTModel"})
    all.push_back({architecture, options_of("", true), architecture});
  return all;
}

/// Everything that an update changes, and the norms of the gradients.
struct state {
  std::vector<tensor_values> tensors;
  std::vector<double> norms;
  bool operator==(const state& other) const {
    if (norms != other.norms) return false;
    for (size_t i = 0; i < tensors.size(); ++i)
      for (const auto& [key, values] : tensors[i]) {
        const auto& others = other.tensors[i].at(key);
        if (values.size() != others.size() || std::memcmp(values.data(), others.data(), values.size() * sizeof(float)) != 0) return false;
      }
    return true;
  }
};

constexpr uint64_t steps = 3;

state train(const small_model& model, uint32_t shards, const std::vector<uint32_t>& counts) {
  const optimiser_options options{0.9, 0.99, 1e-8, 0.1, 0.5};
  const rate_schedule schedule{schedule_kind::cosine, 1e-2, 0, 2, 10};
  reference_trainer trainer(model.trainable(shards, 4));
  state result;
  for (uint64_t step = 1; step <= steps; ++step) {
    const micro_batch batch = random_batch(model.file.spec, {3, 17, 1, 70, 9}, 6, step);
    result.norms.push_back(trainer.step(cut(batch, counts), options, schedule, step, 0.1f).gradient_norm);
  }
  for (const auto what : {&parameter::value, &parameter::first_moment, &parameter::second_moment})
    result.tensors.push_back(gather(trainer.model(), what));
  return result;
}

} // namespace

TEST_CASE("weights after some steps have the same bits for any number of shards", "[training]") {
  for (const auto& kind : all_models()) {
    const small_model model(kind);
    INFO(kind.name);
    const state one = train(model, 1, {5});
    REQUIRE(one.tensors[0] != model.values);
    for (const uint32_t shards : {2u, 3u, 4u, 5u, 17u}) { // Of the last some have nothing.
      INFO("shards " << shards);
      REQUIRE(train(model, shards, {5}) == one);
    }
  }
}

TEST_CASE("weights after some steps have the same bits however whole sequences are put into micro-batches", "[training]") {
  for (const auto& kind : all_models()) {
    const small_model model(kind);
    INFO(kind.name);
    const state whole = train(model, 1, {5});
    const std::vector<uint32_t> cuts[] = {{1}, {2}, {3, 2}, {1, 4}};
    for (const auto& counts : cuts) {
      INFO("the first of " << counts[0] << " sequences");
      REQUIRE(train(model, 2, counts) == whole);
    }
  }
}

TEST_CASE("weights after some steps have the same bits on every instruction set", "[training]") {
  for (const auto& kind : all_models()) {
    const small_model model(kind);
    std::optional<state> first;
    on_each_isa([&](const std::string& isa) {
      INFO(kind.name << " on " << isa);
      const state result = train(model, 3, {2});
      if (!first) first = result;
      REQUIRE(result == *first);
    });
  }
}

TEST_CASE("the logits of training are those of inference, bit for bit", "[training]") {
  std::vector<model_kind> kinds = all_models();
  for (const char* family : {"gpt2", "llama", "qwen2", "qwen3"})
    for (const bool tied : {false, true}) {
      tiny_model_options options = options_of(family, tied);
      options.with_biases = tied;
      kinds.push_back({std::string(family) + (tied ? " tied, with biases" : ""), options});
    }
  on_each_isa([&](const std::string& isa) {
    for (const model_kind& kind : kinds) {
      const small_model model(kind);
      const auto parts = make_parts(std::make_shared<const model_file>(model.file), {});
      std::vector<float> expected;
      const micro_batch batch = random_batch(model.file.spec, {70, 1, 13}, 0, 23);
      for (const micro_batch& one : cut(batch, {1})) {
        reference_model reference(parts);
        if (model.file.spec.encoder) reference.encode(one.source);
        const auto logits = one.pixels.empty() ? reference.forward(one.tokens, nullptr, one.segments) : reference.forward_image(one.pixels);
        expected.insert(expected.end(), logits.begin(), logits.end());
      }
      for (const uint32_t shards : {1u, 3u}) {
        std::vector<float> logits;
        reference_trainer trainer(model.trainable(shards, 8));
        trainer.accumulate(batch, 1, 0, &logits);
        INFO(kind.name << " in " << shards << " shards on " << isa);
        REQUIRE(logits.size() == expected.size());
        REQUIRE(std::memcmp(logits.data(), expected.data(), logits.size() * sizeof(float)) == 0);
      }
    }
  });
}

TEST_CASE("the figures of a step are those of its logits and gradients", "[training]") {
  const small_model model(options_of("llama", false));
  const uint32_t vocabulary = model.file.spec.vocabulary;
  const float smoothing = 0.2f;
  reference_trainer trainer(model.trainable(3, 4));
  micro_batch batch = random_batch(model.file.spec, {11, 20}, 4, 29);
  std::vector<float> logits;
  trainer.accumulate(batch, 0, smoothing, &logits);
  const auto row_of = [&](size_t row) { return std::span(logits).subspan(row * vocabulary, vocabulary); };
  for (size_t row = 0; row < 8; ++row) // Some that are right.
    batch.targets[row] = int32_t(std::ranges::max_element(row_of(row)) - row_of(row).begin());
  double loss = 0;
  uint64_t targets = 0, hits = 0;
  for (size_t row = 0; row < batch.rows(); ++row) {
    if (batch.targets[row] == no_target) continue;
    const auto x = row_of(row);
    const float top = *std::ranges::max_element(x), at_target = x[size_t(batch.targets[row])];
    double sum = 0, total = 0;
    for (const float value : x) {
      sum += std::exp(double(value) - double(top));
      total += double(value);
    }
    loss += double(top) + std::log(sum) - (1 - double(smoothing)) * double(at_target) - double(smoothing) * total / vocabulary;
    ++targets;
    if (at_target == top) ++hits;
  }
  REQUIRE(hits >= 8);
  REQUIRE(batch.target_count() == targets);
  const loss_sums evaluated = trainer.evaluate(batch, smoothing);
  REQUIRE(evaluated.loss == Approx(loss).epsilon(1e-6));
  REQUIRE(evaluated.targets == targets);
  REQUIRE(evaluated.hits == hits);
  const loss_sums accumulated = trainer.accumulate(batch, float(1 / double(targets)), smoothing);
  REQUIRE(accumulated.loss == evaluated.loss);
  REQUIRE(accumulated.hits == hits);
  double squares = 0;
  for (const auto& [key, values] : gather(trainer.model(), &parameter::gradient))
    for (const float value : values) squares += double(value) * double(value);
  const double norm = trainer.gradient_norm();
  REQUIRE(norm == Approx(std::sqrt(squares)).epsilon(1e-12));
  REQUIRE(norm > 0);

  for (parameter* one : trainer.model().parameters()) zero_gradients(*one);
  const step_figures figures = trainer.step(cut(batch, {1}), {}, {schedule_kind::constant, 1e-3, 0, 0, 1}, 1, smoothing);
  REQUIRE(figures.loss == Approx(loss / double(targets)).epsilon(1e-6));
  REQUIRE(figures.targets == targets);
  REQUIRE(figures.hits == hits);
  REQUIRE(figures.gradient_norm == norm);
  REQUIRE(trainer.gradient_norm() == 0); // The update uses them up.
}

TEST_CASE("sequences do not see each other", "[training]") {
  for (const auto& kind : all_models()) {
    const small_model model(kind);
    reference_trainer trainer(model.trainable(1, 4));
    const micro_batch batch = random_batch(model.file.spec, {9, 5, 14}, 0, 31);
    std::vector<float> together, alone;
    trainer.accumulate(batch, 1, 0, &together);
    for (const micro_batch& piece : cut(batch, {1})) {
      std::vector<float> logits;
      trainer.accumulate(piece, 1, 0, &logits);
      alone.insert(alone.end(), logits.begin(), logits.end());
    }
    REQUIRE(together == alone);
  }
}

TEST_CASE("rows without a target give neither loss nor gradient", "[training]") {
  for (const auto& kind : all_models()) {
    const small_model model(kind);
    reference_trainer some(model.trainable(2, 4)), more(model.trainable(2, 4)), none(model.trainable(2, 4));
    const micro_batch counted = random_batch(model.file.spec, {9, 5}, 0, 37), ignored = random_batch(model.file.spec, {12}, 1, 41);
    micro_batch both = counted;
    const auto append = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
    append(both.lengths, ignored.lengths);
    append(both.tokens, ignored.tokens);
    append(both.targets, ignored.targets);
    append(both.segments, ignored.segments);
    append(both.source, ignored.source);
    append(both.source_lengths, ignored.source_lengths);
    append(both.pixels, ignored.pixels);
    INFO(kind.name);
    REQUIRE(some.accumulate(counted, 0.1f, 0.1f).loss == more.accumulate(both, 0.1f, 0.1f).loss);
    REQUIRE(gather(some.model(), &parameter::gradient) == gather(more.model(), &parameter::gradient));
    const step_figures figures = none.step({ignored}, {}, {schedule_kind::constant, 1, 1, 0, 1}, 1, 0.1f);
    REQUIRE(figures.loss == 0);
    REQUIRE(figures.targets == 0);
    REQUIRE(figures.gradient_norm == 0);
    REQUIRE(gather(none.model(), &parameter::value) == model.values);
  }
}

TEST_CASE("copies have the values of their owners after an update, and no gradient", "[training]") {
  const small_model model(options_of("qwen3", true));
  reference_trainer trainer(model.trainable(3, 4));
  const micro_batch batch = random_batch(model.file.spec, {9, 5}, 0, 43);
  trainer.step({batch}, {}, {schedule_kind::constant, 0.1, 0, 0, 1}, 1);
  trainable_model& trained = trainer.model();
  const auto values = gather(trained, &parameter::value);
  const auto check = [&](const parameter& copy) {
    REQUIRE(copy.value == values.at(copy.slice.key));
    REQUIRE(copy.value != model.values.at(copy.slice.key));
    REQUIRE(copy.gradient == std::vector<float>(copy.gradient.size()));
  };
  check(trained.embedding.table);
  for (auto& layer : trained.heads)
    for (auto& head : layer)
      for (const auto* norm : {&head.query_norm, &head.key_norm}) check((*norm)->weight);
  // Nobody but the owner is asked to update one.
  for (const parameter* one : trained.parameters()) REQUIRE(one != &trained.embedding.table);
}

TEST_CASE("some steps on one batch learn it by heart", "[training]") {
  for (const auto& kind : all_models()) {
    const small_model model(kind);
    reference_trainer trainer(model.trainable(2, 4));
    const micro_batch batch = random_batch(model.file.spec, {8, 8}, 0, 47);
    step_figures figures;
    for (uint64_t step = 1; step <= 30; ++step)
      figures = trainer.step({batch}, {0.9, 0.95, 1e-8, 0, 1}, {schedule_kind::constant, 1e-2, 0, 0, 1}, step);
    INFO(kind.name << ": loss " << figures.loss);
    REQUIRE(figures.loss < 0.05);
    REQUIRE(figures.hits == figures.targets);
  }
}

TEST_CASE("a trainable model has every tensor once, with the values of the file", "[training]") {
  for (const auto& kind : all_models())
    for (const uint32_t shards : {1u, 3u, 20u}) {
      const small_model model(kind);
      trainable_model trainable = model.trainable(shards, 4);
      REQUIRE(gather(trainable, &parameter::value) == model.values);
      for (const parameter* one : trainable.parameters()) {
        uint32_t next = one->slice.rows.first; // The pieces are the slice.
        for (const range piece : one->pieces) {
          REQUIRE(piece.first == next);
          next += piece.count;
        }
        REQUIRE(next == one->slice.rows.first + one->slice.rows.count);
        REQUIRE(one->decays() == (!one->slice.key.is_bias && one->slice.columns > 1));
      }
    }
}

TEST_CASE("a model without values is all zeros, tied or not as its tensors say", "[training]") {
  for (const bool tied : {false, true}) {
    small_model model(options_of("llama", tied));
    for (const auto& [key, view] : keyed_tensors(model.file.tensors)) const_cast<stored_tensor&>(*view).from = nullptr;
    if (tied) model.file.tensors.output.weight = model.file.tensors.embedding;
    trainable_model trainable = model.trainable(2, 4);
    INFO((tied ? "tied" : "untied"));
    REQUIRE(trainable.is_tied == tied);
    const auto values = gather(trainable, &parameter::value);
    REQUIRE(values.size() == model.values.size());
    for (const auto& [key, zeros] : values) REQUIRE(zeros == std::vector<float>(model.values.at(key).size()));
    for (parameter* one : trainable.parameters()) load_values(*one, model.values.at(one->slice.key)); // As a new model gets them.
    REQUIRE(gather(trainable, &parameter::value) == model.values);
  }
}

TEST_CASE("a batch that does not fit the model is refused", "[training]") {
  const small_model model(options_of("llama", false));
  reference_trainer trainer(model.trainable(1, 4));
  const auto vocabulary = model.file.spec.vocabulary;
  const micro_batch good{{1, 2, 3}, {2, 3, no_target}, {2, 1}};
  REQUIRE_NOTHROW(trainer.evaluate(good));
  micro_batch bad = good;
  bad.tokens[1] = vocabulary;
  REQUIRE_THROWS_AS(trainer.evaluate(bad), broken_invariant);
  bad = good;
  bad.targets[1] = int32_t(vocabulary);
  REQUIRE_THROWS_AS(trainer.evaluate(bad), broken_invariant);
  bad.targets[1] = -2;
  REQUIRE_THROWS_AS(trainer.evaluate(bad), broken_invariant);
  bad = good;
  bad.targets.pop_back();
  REQUIRE_THROWS_AS(trainer.evaluate(bad), broken_invariant);
  bad = good;
  bad.lengths = {2};
  REQUIRE_THROWS_AS(trainer.evaluate(bad), broken_invariant);
}

TEST_CASE("a sequence longer than the context is refused", "[training]") {
  for (const auto& kind : all_models()) {
    const small_model model(kind);
    if (model.file.spec.embedding.image) continue; // All are as long as the context.
    reference_trainer trainer(model.trainable(1, 4));
    REQUIRE_NOTHROW(trainer.evaluate(random_batch(model.file.spec, {kind.options.context}, 0, 53)));
    REQUIRE_THROWS_AS(trainer.evaluate(random_batch(model.file.spec, {3, kind.options.context + 1}, 0, 53)), broken_invariant);
  }
}
