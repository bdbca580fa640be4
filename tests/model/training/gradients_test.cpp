// Claims: the gradients of every parameter of every kind of model are the differences of the loss in float64, and so is the loss.
//
// Differences: a float32 parameter is changed by 2^-12 to either side and the loss computed in float64 from the formulas
// (float64_model.hpp). The change is taken as it was rounded, so what is left are the third derivative by 2^-24 / 6, the second by the
// 2^-25 that rounding makes the sides differ by, and 1e-15 / 2^-12 of noise: 1e-7 in all, far less than what float32 loses on the way
// back. For relu, which has no second derivative, the change must not reach a kink: it is 2^-16.
#include "model/float64_model.hpp"
#include "model/training/training_support.hpp"
#include "support/catch.hpp"
#include <cmath>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct kind_of_model : model_kind {
  void (*change)(model_spec& spec) = [](model_spec&) {};
};

template <class Change> void each_layer(model_spec& spec, Change change) {
  for (layer_spec& layer : spec.layers) change(layer);
}

template <activation_kind Kind> void use_activation(model_spec& spec) {
  each_layer(spec, [](layer_spec& layer) { layer.feed_forward.activation = Kind; });
}

std::vector<kind_of_model> all_kinds() {
  const auto sized = [](const char* family, uint32_t kv_heads, bool tied, bool with_biases) {
    tiny_model_options options;
    options.architecture = family;
    options.layers = 2;
    options.width = 8;
    options.heads = 4;
    options.kv_heads = kv_heads;
    options.head_dim = 4;
    options.feed_forward = 10;
    options.vocabulary = 11;
    options.context = 7;
    options.tied = tied;
    options.with_biases = with_biases;
    options.with_tokenizer = false;
    return options;
  };
  const tiny_model_options folder = sized("", 2, true, true);
  return {
      {{"gpt2", sized("gpt2", 4, true, true)}},
      {{"gpt2 with the exact gelu", sized("gpt2", 4, true, true)}, use_activation<activation_kind::gelu_erf>},
      {{"gpt2 with relu, untied", sized("gpt2", 4, false, true)}, use_activation<activation_kind::relu>},
      {{"gpt2 that sees all positions", sized("gpt2", 4, true, true)},
       [](model_spec& spec) { each_layer(spec, [](layer_spec& layer) { layer.attention.causal = false; }); }},
      {{"llama", sized("llama", 2, false, false)}},
      {{"llama, tied, with biases, turning some of a head only", sized("llama", 1, true, true)},
       [](model_spec& spec) {
         each_layer(spec, [](layer_spec& layer) {
           layer.attention.rope.dimensions = 2;
           layer.attention.scale = 0.7f;
         });
       }},
      {{"qwen2", sized("qwen2", 2, false, false)}},
      {{"qwen3", sized("qwen3", 2, true, false)}},
      {{"bert that finds masked tokens", folder, "BertForMaskedLM"}},
      {{"bert that classifies", folder, "BertForSequenceClassification"}},
      {{"vit", folder, "ViTForImageClassification"}},
      {{"bart", folder, "BartForConditionalGeneration"}},
      {{"marian", folder, "MarianMTModel"}},
      {{"marian, norms before blocks, sines beside cosines, a scaled output", folder, "MarianMTModel"},
       [](model_spec& spec) {
         for (stack_spec* stack : {static_cast<stack_spec*>(&spec), &*spec.encoder}) {
           stack->embedding.positions = position_kind::sinusoidal;
           for (layer_spec& layer : stack->layers) layer.norms = norm_place::before;
         }
         spec.output.scale = 0.5f;
       }},
  };
}

/// The mean loss of a batch in float64, by its formula.
double loss_of(const model_file& file, const micro_batch& batch, double smoothing) {
  double loss = 0;
  const size_t image_elements = file.spec.embedding.image ? file.spec.embedding.image->elements() : 0;
  size_t first = 0, source_first = 0, sequence = 0, result = 0;
  for (const uint32_t length : batch.lengths) {
    const auto some = [](const std::vector<uint32_t>& all, size_t begin, size_t count) {
      return all.empty() ? std::span<const uint32_t>{} : std::span(all).subspan(begin, count);
    };
    const uint32_t source_length = batch.source.empty() ? 0 : batch.source_lengths[sequence];
    const float64_matrix logits = float64_logits(file, some(batch.tokens, first, length), some(batch.segments, first, length),
                                                 some(batch.source, source_first, source_length),
                                                 std::span(batch.pixels).subspan(sequence * image_elements, image_elements));
    source_first += source_length;
    ++sequence;
    for (Eigen::Index i = 0; i < logits.rows(); ++i) {
      const int32_t target = batch.targets[result++];
      if (target == no_target) continue;
      const auto row = logits.row(i);
      const double top = row.maxCoeff();
      loss += top + std::log((row.array() - top).exp().sum()) - (1 - smoothing) * row[target] - smoothing * row.mean();
    }
    first += length;
  }
  return loss / double(batch.target_count());
}

struct run_of_model {
  tensor_values gradients;
  double loss = 0;
};

run_of_model run(const small_model& model, const micro_batch& batch, float smoothing) {
  reference_trainer trainer(model.trainable(2, 3));
  run_of_model result;
  result.loss = trainer.accumulate(batch, float(1 / double(batch.target_count())), smoothing).loss / double(batch.target_count());
  trainer.model().collect_copies();
  result.gradients = gather(trainer.model(), &parameter::gradient);
  return result;
}

float step_of(const kind_of_model& kind) { return kind.name.find("relu") == std::string::npos ? 0x1p-12f : 0x1p-16f; }

double largest_of(const std::vector<double>& values) {
  double largest = 0;
  for (const double value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

} // namespace

TEST_CASE("gradients of every parameter are the differences of the loss, for every kind of model", "[training]") {
  for (const kind_of_model& kind : all_kinds())
    for (const float smoothing : {0.0f, 0.1f}) {
      if (smoothing > 0 && kind.options.architecture == "qwen2") continue; // Enough.
      small_model model{static_cast<const model_kind&>(kind)};
      kind.change(model.file.spec);
      const micro_batch batch = random_batch(model.file.spec, {5, 1, 7}, smoothing > 0 ? 0 : 4, 17);
      const run_of_model actual = run(model, batch, smoothing);
      INFO(kind.name << ", smoothing " << smoothing);
      CHECK(std::abs(actual.loss - loss_of(model.file, batch, double(smoothing))) < 2e-6);
      REQUIRE(actual.gradients.size() == model.values.size());
      for (auto& [key, values] : model.values) {
        const std::vector<float>& gradient = actual.gradients.at(key);
        REQUIRE(gradient.size() == values.size());
        std::vector<double> expected;
        for (float& value : values) {
          const float before = value, above = before + step_of(kind), below = before - step_of(kind);
          value = above;
          const double loss_above = loss_of(model.file, batch, double(smoothing));
          value = below;
          expected.push_back((loss_above - loss_of(model.file, batch, double(smoothing))) / (double(above) - double(below)));
          value = before;
        }
        // The sums that the elements of a tensor come from have terms of alike sizes. The gradient of a key's bias is 0, as it changes
        // all scores of a row alike: what is left of it is rounding.
        const double tolerance = 4e-6 * largest_of(expected) + 1e-7;
        for (size_t i = 0; i < gradient.size(); ++i) {
          INFO(to_string(key) << " element " << i << ": " << gradient[i] << ", expected " << expected[i]);
          if (std::abs(double(gradient[i]) - expected[i]) > tolerance) FAIL("more than " << tolerance << " from it");
        }
      }
    }
}

TEST_CASE("gradients through long sequences are the differences of the loss along a random direction", "[training]") {
  // Longer than a block of queries, with more rows in all than are taken at once on the way back.
  for (const kind_of_model& kind : all_kinds()) {
    model_kind longer = kind;
    longer.options.context = 140;
    small_model model(longer);
    kind.change(model.file.spec);
    const micro_batch batch = random_batch(model.file.spec, {130, 65, 3, 64}, 5, 18);
    const run_of_model actual = run(model, batch, 0.05f);
    INFO(kind.name);
    CHECK(std::abs(actual.loss - loss_of(model.file, batch, double(0.05f))) < 2e-6);
    raw_bits bits{19};
    for (auto& [key, values] : model.values) {
      const std::vector<float> before = values, &gradient = actual.gradients.at(key);
      std::vector<float> direction(values.size());
      double sum = 0, terms = 0;
      for (float& one : direction) one = bits.uniform(-1, 1) * step_of(kind);
      for (size_t i = 0; i < values.size(); ++i) values[i] = before[i] + direction[i];
      const double above = loss_of(model.file, batch, double(0.05f));
      for (size_t i = 0; i < values.size(); ++i) {
        const double change = double(values[i]) - double(before[i] - direction[i]);
        sum += double(gradient[i]) * change;
        terms += std::pow(double(gradient[i]) * change, 2);
        values[i] = before[i] - direction[i];
      }
      const double difference = above - loss_of(model.file, batch, double(0.05f));
      std::ranges::copy(before, values.begin()); // The views stay where they are.
      INFO(to_string(key) << ": " << sum << ", expected " << difference);
      CHECK(std::abs(sum - difference) < 1e-5 * std::sqrt(terms) + 1e-7 * double(step_of(kind)));
    }
  }
}
