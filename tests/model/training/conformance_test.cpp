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

/// The encoder-decoder of 2017: post-norm, sinusoidal positions, one embedding for source, target and output.
reference_model_of read_seq2seq(const std::filesystem::path& file, const json& config) {
  reference_model_of model;
  reader read(file, model);
  const uint32_t heads = config["heads"], width = config["d"];
  const norm_spec norm{norm_kind::layer, 1e-5f};
  const auto attention = [&](const std::string& at, uint32_t l, bool of_encoder, role query, role key, role value, role output) {
    attention_tensors tensors;
    tensors.query = read.projection(at + "q", {l, query, false, of_encoder});
    tensors.key = read.projection(at + "k", {l, key, false, of_encoder});
    tensors.value = read.projection(at + "v", {l, value, false, of_encoder});
    tensors.output = read.projection(at + "o", {l, output, false, of_encoder});
    return tensors;
  };
  const auto read_stack = [&](stack_spec& spec, stack_tensors& tensors, const std::string& side, uint32_t layers, bool of_encoder) {
    spec.context_length = 16;
    spec.embedding.scale = std::sqrt(float(width));
    spec.embedding.positions = position_kind::sinusoidal;
    for (uint32_t l = 0; l < layers; ++l) {
      layer_spec layer;
      layer.attention = {heads, heads, width / heads, !of_encoder, {}, {}, {}, 1 / std::sqrt(float(width / heads))};
      if (!of_encoder) layer.cross_attention = {heads, heads, width / heads, false, {}, {}, {}, 1 / std::sqrt(float(width / heads))};
      layer.feed_forward = {false, activation_kind::relu, config["ff"]};
      layer.norm = norm;
      layer.norms = norm_place::after;
      spec.layers.push_back(layer);
      const std::string at = side + "." + std::to_string(l) + ".";
      const auto read_norm = [&](const char* name, role as) { return read.norm(at + name, {l, as, false, of_encoder}); };
      layer_tensors of;
      of.attention_norm = read_norm("norm1", role::attention_norm);
      of.attention = attention(at + "self_attn.", l, of_encoder, role::query, role::key, role::value, role::attention_output);
      if (!of_encoder) {
        of.cross_attention_norm = read_norm("norm2", role::cross_attention_norm);
        of.cross_attention = attention(at + "cross_attn.", l, of_encoder, role::cross_query, role::cross_key, role::cross_value,
                                       role::cross_attention_output);
      }
      of.feed_forward_norm = read_norm(of_encoder ? "norm2" : "norm3", role::feed_forward_norm);
      of.feed_forward.up = read.projection(at + "ffn.w1", {l, role::up, false, of_encoder});
      of.feed_forward.down = read.projection(at + "ffn.w2", {l, role::down, false, of_encoder});
      tensors.layers.push_back(of);
    }
  };
  model.spec.vocabulary = config["vocab"];
  model.spec.width = width;
  model.tensors.embedding = read.matrix("embedding.weight", {0, role::token_embedding});
  model.tensors.output.weight = model.tensors.embedding;
  model.tensors.encoder.emplace().embedding = model.tensors.embedding;
  read_stack(model.spec, model.tensors, "decoder", config["dec"], false);
  read_stack(model.spec.encoder.emplace(), *model.tensors.encoder, "encoder", config["enc"], true);
  return model;
}

reference_model_of read_model(const std::string& name, const std::filesystem::path& file, const json& config) {
  return name == "gpt" ? read_gpt(file, config) : name == "llama" ? read_llama(file, config) : read_seq2seq(file, config);
}

/// Sequences without their padding, which is 0 at the end.
void read_sequences(const safetensors_reader& file, const std::string& name, std::vector<uint32_t>& tokens,
                    std::vector<uint32_t>& lengths) {
  const auto all = file.integers(name);
  const size_t columns = file.get(name).shape[1];
  for (size_t first = 0; first < all.size(); first += columns) {
    size_t length = columns;
    while (length > 0 && all[first + length - 1] == 0) --length;
    tokens.insert(tokens.end(), all.begin() + ptrdiff_t(first), all.begin() + ptrdiff_t(first + length));
    lengths.push_back(uint32_t(length));
  }
}

micro_batch read_batch(const safetensors_reader& file, const std::string& name) {
  if (file.find(name + ".src") != nullptr) {
    micro_batch batch;
    read_sequences(file, name + ".src", batch.source, batch.source_lengths);
    read_sequences(file, name + ".tgt_in", batch.tokens, batch.lengths);
    std::vector<uint32_t> targets, lengths;
    read_sequences(file, name + ".tgt_out", targets, lengths);
    REQUIRE(lengths == batch.lengths);
    batch.targets.assign(targets.begin(), targets.end());
    return batch;
  }
  const auto tokens = file.integers(name + ".input"), targets = file.integers(name + ".target");
  const auto& shape = file.get(name + ".input").shape;
  micro_batch batch;
  batch.tokens.assign(tokens.begin(), tokens.end());
  for (const int64_t target : targets) batch.targets.push_back(target < 0 ? no_target : int32_t(target));
  batch.lengths.assign(shape[0], uint32_t(shape[1]));
  return batch;
}

/// The rows of sequences of these lengths, of a matrix that gives each as many rows as the first batch's shape says.
std::vector<float> without_padding(const std::vector<float>& padded, const std::vector<uint32_t>& lengths) {
  const size_t of_sequence = padded.size() / lengths.size(), longest = std::ranges::max(lengths), columns = of_sequence / longest;
  std::vector<float> rows;
  for (size_t i = 0; i < lengths.size(); ++i)
    rows.insert(rows.end(), padded.begin() + ptrdiff_t(i * of_sequence),
                padded.begin() + ptrdiff_t(i * of_sequence + lengths[i] * columns));
  return rows;
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
  const std::string name = GENERATE("gpt", "llama", "seq2seq");
  const auto folder = train_references() / name;
  const json golden = json::parse(std::ifstream(folder / "golden.json"));
  const json& config = golden["config"];
  auto reference = read_model(name, folder / "init.safetensors", config);
  const safetensors_reader batches(folder / "batches.safetensors"), gradients(folder / "grads_step1.safetensors"),
      weights(folder / "weights.safetensors");
  const uint32_t shards = GENERATE(1u, 2u, 3u);
  INFO(name << " in " << shards << " shards");
  reference_trainer trainer(trainable_builder(reference.spec, reference.tensors, shards, 8).all());
  const auto exempt = golden.value("zero_gradient_parameters", std::vector<std::string>{});
  const json& tolerance = golden["tolerance"];

  const micro_batch first = read_batch(batches, "batch0");
  std::vector<float> logits;
  const float smoothing = name == "seq2seq" ? 0.1f : 0.0f;
  trainer.accumulate(first, float(1.0 / double(first.target_count())), smoothing, &logits);
  trainer.model().collect_copies();
  CHECK(largest_difference(logits, without_padding(gradients.floats("logits"), first.lengths)) < 1e-5);
  for (const auto& [tensor, key] : reference.names) {
    INFO("gradient of " << tensor);
    CHECK(largest_difference(gather(trainer.model(), key, part_of::gradient), gradients.floats(tensor)) <
          tolerance["gradients_step1"]["atol"].get<double>());
  }
  for (parameter* one : trainer.model().parameters()) zero_gradients(*one);

  const json& optimiser = golden["optimizer"];
  const optimiser_options options{optimiser["betas"][0], optimiser["betas"][1], optimiser["eps"], optimiser["weight_decay"],
                                  optimiser["gradient_clipping"].is_null() ? 0.0 : 1.0};
  rate_schedule schedule;
  if (name == "seq2seq") {
    const double warmup = config["warmup"], width = config["d"], factor = config["factor"];
    schedule = {schedule_kind::inverse_square_root, factor / std::sqrt(width * warmup), 0, uint64_t(warmup), 20};
  } else {
    schedule = {schedule_kind::cosine, config["lr"], config["min_lr"], config["warmup"], 20};
  }
  for (uint64_t step = 1; step <= 20; ++step) {
    const auto batch = read_batch(batches, "batch" + std::to_string((step - 1) % 3));
    const step_figures figures = trainer.step(testing::cut(batch, {uint32_t(step % 4 + 1)}), options, schedule, step, smoothing);
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
