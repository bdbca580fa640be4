// Training against another implementation (PyTorch): the gradients of the first step and the weights after each of 20 steps, of the
// models in `train/` of the references, see the README there.
#include "model/formats/safetensors.hpp"
#include "model/training/reference_trainer.hpp"
#include "model/training/training_support.hpp"
#include "support/catch.hpp"
#include "support/references.hpp"
#include <cmath>
#include <deque>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

using namespace troupe;
using json = nlohmann::json;

namespace {

std::filesystem::path train_references() { return testing::references() / "train"; }

/// What a reference model is, with its tensors under the reference's names.
struct reference_model_of {
  model_spec spec;
  model_tensors tensors;
  std::map<std::string, tensor_key> names;
  std::deque<std::vector<float>> values;
};

class reader {
public:
  reader(const std::filesystem::path& file, reference_model_of& into) : file_(file), into_(into) {}

  stored_tensor matrix(const std::string& name, tensor_key key) {
    const auto& tensor = file_.get(name);
    const auto& values = into_.values.emplace_back(file_.floats(name));
    into_.names.emplace(name, key);
    const bool is_vector = tensor.shape.size() == 1;
    return {name, tensor_type::f32, is_vector ? 1 : tensor.shape[0], tensor.shape.back(),
            std::make_shared<const testing::borrowed_values>(values)};
  }
  projection_tensors projection(const std::string& name, tensor_key key) {
    projection_tensors tensors{matrix(name + ".weight", key), {}};
    key.is_bias = true;
    if (file_.find(name + ".bias") != nullptr) tensors.bias = matrix(name + ".bias", key);
    return tensors;
  }
  norm_tensors norm(const std::string& name, tensor_key key) {
    auto [weight, bias] = projection(name, key);
    return {weight, bias};
  }

private:
  safetensors_reader file_;
  reference_model_of& into_;
};

using role = tensor_role;

reference_model_of read_gpt(const std::filesystem::path& file, const json& config) {
  reference_model_of model;
  reader read(file, model);
  const uint32_t heads = config["heads"], width = config["d"];
  model.spec.vocabulary = config["vocab"];
  model.spec.width = width;
  model.spec.context_length = config["ctx"];
  model.spec.embedding.positions = position_kind::learned;
  model.spec.final_norm = {norm_kind::layer, 1e-5f};
  model.tensors.embedding = read.matrix("tok.weight", {0, role::token_embedding});
  model.tensors.positions = read.matrix("pos.weight", {0, role::position_embedding});
  for (uint32_t l = 0; l < config["layers"]; ++l) {
    layer_spec layer;
    layer.attention = {heads, heads, width / heads, true, {}, {}, {}, 1 / std::sqrt(float(width / heads))};
    layer.feed_forward = {false, activation_kind::gelu_tanh, config["ff"]};
    layer.norm = *model.spec.final_norm;
    model.spec.layers.push_back(layer);
    const std::string at = "blocks." + std::to_string(l) + ".";
    layer_tensors tensors;
    tensors.attention_norm = read.norm(at + "ln1", {l, role::attention_norm});
    tensors.feed_forward_norm = read.norm(at + "ln2", {l, role::feed_forward_norm});
    tensors.attention.query = read.projection(at + "attn.q", {l, role::query});
    tensors.attention.key = read.projection(at + "attn.k", {l, role::key});
    tensors.attention.value = read.projection(at + "attn.v", {l, role::value});
    tensors.attention.output = read.projection(at + "attn.o", {l, role::attention_output});
    tensors.feed_forward.up = read.projection(at + "ffn.w1", {l, role::up});
    tensors.feed_forward.down = read.projection(at + "ffn.w2", {l, role::down});
    model.tensors.layers.push_back(tensors);
  }
  model.tensors.final_norm = read.norm("ln_f", {0, role::final_norm});
  model.tensors.output.weight = model.tensors.embedding;
  return model;
}

reference_model_of read_llama(const std::filesystem::path& file, const json& config) {
  reference_model_of model;
  reader read(file, model);
  const uint32_t head_dim = config["hd"];
  model.spec.vocabulary = config["vocab"];
  model.spec.width = config["d"];
  model.spec.context_length = 16;
  model.spec.final_norm = {norm_kind::rms, config["eps"]};
  model.tensors.embedding = read.matrix("tok.weight", {0, role::token_embedding});
  for (uint32_t l = 0; l < config["layers"]; ++l) {
    layer_spec layer;
    rope_spec rope;
    rope.kind = rope_kind::half_split;
    rope.dimensions = head_dim;
    rope.base = config["theta"];
    layer.attention = {config["heads"], config["kv"], head_dim, true, rope, {}, {}, 1 / std::sqrt(float(head_dim))};
    layer.feed_forward = {true, activation_kind::silu, config["ff"]};
    layer.norm = *model.spec.final_norm;
    model.spec.layers.push_back(layer);
    const std::string at = "blocks." + std::to_string(l) + ".";
    layer_tensors tensors;
    tensors.attention_norm = read.norm(at + "attn_norm", {l, role::attention_norm});
    tensors.feed_forward_norm = read.norm(at + "ffn_norm", {l, role::feed_forward_norm});
    tensors.attention.query = read.projection(at + "q", {l, role::query});
    tensors.attention.key = read.projection(at + "k", {l, role::key});
    tensors.attention.value = read.projection(at + "v", {l, role::value});
    tensors.attention.output = read.projection(at + "o", {l, role::attention_output});
    tensors.feed_forward.gate = read.projection(at + "gate", {l, role::gate});
    tensors.feed_forward.up = read.projection(at + "up", {l, role::up});
    tensors.feed_forward.down = read.projection(at + "down", {l, role::down});
    model.tensors.layers.push_back(tensors);
  }
  model.tensors.final_norm = read.norm("norm", {0, role::final_norm});
  model.tensors.output = read.projection("head", {0, role::output});
  return model;
}

micro_batch read_batch(const safetensors_reader& file, const std::string& name) {
  const auto tokens = file.integers(name + ".input"), targets = file.integers(name + ".target");
  const auto& shape = file.get(name + ".input").shape;
  micro_batch batch;
  batch.tokens.assign(tokens.begin(), tokens.end());
  for (const int64_t target : targets) batch.targets.push_back(target < 0 ? no_target : int32_t(target));
  batch.lengths.assign(shape[0], uint32_t(shape[1]));
  return batch;
}

/// The sequences one after the other, some at a time.
std::vector<micro_batch> cut(const micro_batch& whole, size_t sequences) {
  std::vector<micro_batch> pieces;
  size_t row = 0;
  for (size_t i = 0; i < whole.lengths.size(); ++i) {
    if (i % sequences == 0) pieces.emplace_back();
    for (uint32_t k = 0; k < whole.lengths[i]; ++k, ++row) {
      pieces.back().tokens.push_back(whole.tokens[row]);
      pieces.back().targets.push_back(whole.targets[row]);
    }
    pieces.back().lengths.push_back(whole.lengths[i]);
  }
  return pieces;
}

enum class part_of : uint8_t { value, gradient };

/// The whole tensor, put together from the slices that the shards have.
std::vector<float> gather(trainable_model& model, tensor_key key, part_of what) {
  std::vector<std::pair<uint32_t, parameter*>> slices;
  for (parameter* one : model.parameters())
    if (one->slice.key == key) slices.emplace_back(one->slice.rows.first, one);
  std::sort(slices.begin(), slices.end());
  std::vector<float> whole;
  for (const auto& [first, one] : slices) {
    const auto& values = what == part_of::value ? one->value : one->gradient;
    whole.insert(whole.end(), values.begin(), values.end());
  }
  return whole;
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(double(a[i]) - double(b[i])));
  return largest;
}

} // namespace

TEST_CASE("gradients, losses and weights over 20 steps are those of another implementation") {
  if (!std::filesystem::is_directory(train_references())) TROUPE_SKIP("no training references in " + train_references().string());
  const std::string name = GENERATE("gpt", "llama");
  const auto folder = train_references() / name;
  const json golden = json::parse(std::ifstream(folder / "golden.json"));
  const json& config = golden["config"];
  auto reference = name == "gpt" ? read_gpt(folder / "init.safetensors", config) : read_llama(folder / "init.safetensors", config);
  const safetensors_reader batches(folder / "batches.safetensors"), gradients(folder / "grads_step1.safetensors"),
      weights(folder / "weights.safetensors");
  const uint32_t shards = GENERATE(1u, 2u, 3u);
  INFO(name << " in " << shards << " shards");
  reference_trainer trainer(trainable_builder(reference.spec, reference.tensors, shards, 8).all());
  const auto exempt = golden.value("zero_gradient_parameters", std::vector<std::string>{});
  const json& tolerance = golden["tolerance"];

  const micro_batch first = read_batch(batches, "batch0");
  std::vector<float> logits;
  trainer.accumulate(first, float(1.0 / double(first.target_count())), 0, &logits);
  trainer.model().collect_copies();
  CHECK(largest_difference(logits, gradients.floats("logits")) < 1e-5);
  for (const auto& [tensor, key] : reference.names) {
    INFO("gradient of " << tensor);
    CHECK(largest_difference(gather(trainer.model(), key, part_of::gradient), gradients.floats(tensor)) <
          tolerance["gradients_step1"]["atol"].get<double>());
  }
  for (parameter* one : trainer.model().parameters()) zero_gradients(*one);

  rate_schedule schedule{schedule_kind::cosine, config["lr"], config["min_lr"], config["warmup"], 20};
  const optimiser_options options{config["betas"][0], config["betas"][1], 1e-8, config["wd"], 1.0};
  for (uint64_t step = 1; step <= 20; ++step) {
    const auto batch = read_batch(batches, "batch" + std::to_string((step - 1) % 3));
    const step_figures figures = trainer.step(cut(batch, step % 4 + 1), options, schedule, step);
    INFO("step " << step);
    CHECK(schedule.at(step) == Approx(golden["lr"][step - 1].get<double>()).epsilon(1e-12));
    CHECK(std::abs(figures.loss - golden["losses"][step - 1].get<double>()) < tolerance["loss"]["atol"].get<double>());
    CHECK(figures.gradient_norm == Approx(golden["grad_norms_before_clipping"][step - 1].get<double>()).epsilon(1e-4));
    char label[16];
    std::snprintf(label, sizeof label, "step%02u.", unsigned(step));
    for (const auto& [tensor, key] : reference.names) {
      if (std::count(exempt.begin(), exempt.end(), tensor) > 0) continue;
      INFO("weights of " << tensor);
      CHECK(largest_difference(gather(trainer.model(), key, part_of::value), weights.floats(label + tensor)) <
            tolerance["weights"]["atol_by_step"].get<std::vector<double>>()[step - 1]);
    }
  }
}
