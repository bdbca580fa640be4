#pragma once
// Small models whose values may be changed, batches, and what the shards have put together, for the tests of training.
#include "model/families/new_model.hpp"
#include "model/kernels/dequantize.hpp"
#include "model/kernels/isa.hpp"
#include "model/model_file.hpp"
#include "model/testing/tiny_model.hpp"
#include "model/training/reference_trainer.hpp"
#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace troupe::testing {

/// Values that belong to somebody else, as the content of a tensor.
class borrowed_values final : public byte_source {
public:
  explicit borrowed_values(const std::vector<float>& values) : bytes_(std::as_bytes(std::span(values))) {}
  std::string name() const override { return "values"; }
  uint64_t size() const override { return bytes_.size(); }
  void read(uint64_t offset, std::span<std::byte> out) const override { std::ranges::copy(bytes_.subspan(offset, out.size()), out.begin()); }

private:
  std::span<const std::byte> bytes_;
};

/// What a model of the tests is: a file of one of the families that GGUF has, or a folder's configuration.
struct model_kind {
  std::string name;
  tiny_model_options options;
  std::string architecture = {}; // Of a folder: "BertForMaskedLM", with the options' sizes.
};

inline std::string config_of(const model_kind& kind) {
  const auto& [options, architecture] = std::tie(kind.options, kind.architecture);
  const auto number = [](const char* key, uint64_t value) { return "\"" + std::string(key) + "\": " + std::to_string(value) + ", "; };
  std::string text = "{\"architectures\": [\"" + architecture + "\"], " + number("vocab_size", options.vocabulary) +
                     number("max_position_embeddings", options.context);
  if (architecture.starts_with("Bert"))
    return text + number("hidden_size", options.width) + number("num_hidden_layers", options.layers) +
           number("num_attention_heads", options.heads) + number("intermediate_size", options.feed_forward) +
           R"("model_type": "bert", "hidden_act": "gelu", "type_vocab_size": 2, "layer_norm_eps": 1e-5,
              "id2label": {"0": "bad", "1": "so so", "2": "good"}})";
  if (architecture.starts_with("ViT")) // 6 patches of 2 x 2, and a line that belongs to none.
    return "{\"architectures\": [\"" + architecture + "\"], " + number("hidden_size", options.width) +
           number("num_hidden_layers", options.layers) + number("num_attention_heads", options.heads) +
           number("intermediate_size", options.feed_forward) + R"("model_type": "vit", "hidden_act": "gelu", "layer_norm_eps": 1e-5,
              "image_size": 5, "patch_size": 2, "num_channels": 3, "id2label": {"0": "bad", "1": "so so", "2": "good"}})";
  for (const std::string side : {"encoder", "decoder"})
    text += number((side + "_layers").c_str(), options.layers) + number((side + "_attention_heads").c_str(), options.heads) +
            number((side + "_ffn_dim").c_str(), options.feed_forward);
  return text + number("d_model", options.width) + R"("activation_function": "gelu", "scale_embedding": true, "decoder_start_token_id": 1,
    "model_type": ")" + (architecture.starts_with("Bart") ? "bart" : "marian") + "\"}";
}

/// A model of one of the families with its values in float32, in memory of its own: the tensors of `file` are `values`.
struct small_model {
  explicit small_model(const tiny_model_options& options) : small_model(*open_model(write_tiny_model(options))) {}
  /// Of a folder: with random values, those of norms and biases too.
  explicit small_model(const model_kind& kind)
      : small_model(kind.architecture.empty() ? *open_model(write_tiny_model(kind.options)) : *new_model(config_of(kind), {}, 1)) {
    if (kind.architecture.empty()) return;
    raw_bits bits{7};
    const float most = 1.5f / std::sqrt(float(file.spec.width));
    for (auto& [key, all] : values)
      for (float& value : all) value = bits.uniform(-most, most) + (is_norm(key.role) && !key.is_bias ? 1.0f : 0.0f);
  }
  explicit small_model(const model_file& of) : file(of) {
    const bool tied = is_tied(file.tensors), shared = shares_embedding(file.tensors);
    for (const auto& [key, view] : keyed_tensors(file.tensors)) {
      std::vector<float>& copy = values[key] = dequantize(*view);
      auto& own = const_cast<stored_tensor&>(*view); // Of file.tensors, which is ours.
      own.type = tensor_type::f32;
      own.from = std::make_shared<const borrowed_values>(copy);
      own.offset = 0;
    }
    if (tied) file.tensors.output.weight = file.tensors.embedding;
    if (shared) file.tensors.encoder->embedding = file.tensors.embedding;
  }
  small_model(const small_model&) = delete;

  trainable_model trainable(uint32_t shards, uint32_t leaf_rows_min) const {
    return trainable_builder(file.spec, file.tensors, shards, leaf_rows_min).all();
  }

  model_file file;
  std::map<tensor_key, std::vector<float>> values;
};

/// Random tokens and targets (of images pixels, and as many rows as each has), and what else the model takes; every `ignored`-th row has no target, or every `ignored`-th sequence where
/// the output is of first rows.
inline micro_batch random_batch(const model_spec& spec, std::vector<uint32_t> lengths, uint32_t ignored, uint64_t seed) {
  raw_bits bits{seed};
  micro_batch batch;
  batch.lengths = std::move(lengths);
  if (const auto& image = spec.embedding.image) {
    std::ranges::fill(batch.lengths, image->rows());
    batch.pixels.resize(batch.lengths.size() * image->elements());
    for (float& pixel : batch.pixels) pixel = bits.uniform(-1, 1);
  }
  for (const uint32_t length : batch.lengths)
    for (uint32_t i = 0; i < length; ++i) {
      batch.tokens.push_back(uint32_t(bits.below(spec.vocabulary)));
      if (spec.output.of_first_row && i > 0) continue;
      const auto target = int32_t(bits.below(spec.output.columns));
      batch.targets.push_back(ignored > 0 && (batch.targets.size() + 1) % ignored == 0 ? no_target : target);
    }
  if (spec.embedding.segments > 0)
    for (size_t i = 0; i < batch.tokens.size(); ++i) batch.segments.push_back(uint32_t(bits.below(spec.embedding.segments)));
  if (!spec.encoder) return batch;
  for (size_t i = batch.lengths.size(); i-- > 0;) { // Of other lengths.
    batch.source_lengths.push_back(batch.lengths[i]);
    for (uint32_t k = 0; k < batch.lengths[i]; ++k) batch.source.push_back(uint32_t(bits.below(spec.vocabulary)));
  }
  return batch;
}

/// The sequences in order, cut into pieces of so many; where there are more sequences, it begins with the first count again.
inline std::vector<micro_batch> cut(const micro_batch& whole, const std::vector<uint32_t>& counts) {
  std::vector<micro_batch> pieces;
  size_t row = 0, source_row = 0, target = 0, pixel = 0;
  uint32_t left = 0;
  const auto move_rows = [](const auto& from, auto& to, size_t& first, size_t count) {
    if (from.empty()) return;
    to.insert(to.end(), from.begin() + ptrdiff_t(first), from.begin() + ptrdiff_t(first + count));
    first += count;
  };
  const bool has_target_of_each_row = whole.targets.size() == whole.tokens.size();
  for (size_t i = 0; i < whole.lengths.size(); ++i) {
    if (left == 0) {
      left = counts[pieces.size() % counts.size()];
      pieces.emplace_back();
    }
    --left;
    micro_batch& piece = pieces.back();
    const uint32_t length = whole.lengths[i];
    piece.lengths.push_back(length);
    size_t segment_row = row;
    move_rows(whole.segments, piece.segments, segment_row, length);
    move_rows(whole.tokens, piece.tokens, row, length);
    move_rows(whole.targets, piece.targets, target, has_target_of_each_row ? length : 1);
    move_rows(whole.pixels, piece.pixels, pixel, whole.pixels.size() / whole.lengths.size());
    if (whole.source_lengths.empty()) continue;
    piece.source_lengths.push_back(whole.source_lengths[i]);
    move_rows(whole.source, piece.source, source_row, whole.source_lengths[i]);
  }
  return pieces;
}

using tensor_values = std::map<tensor_key, std::vector<float>>;

/// Whole tensors, put together from the slices that the parts have. `what`: &parameter::value, for example.
inline tensor_values gather(trainable_model& model, std::vector<float> parameter::* what) {
  std::vector<parameter*> all = model.parameters();
  std::ranges::sort(all, {}, [](const parameter* one) { return one->slice; });
  tensor_values whole;
  for (const parameter* one : all) {
    std::vector<float>& to = whole[one->slice.key];
    to.insert(to.end(), (one->*what).begin(), (one->*what).end());
  }
  return whole;
}

/// Pins every instruction set of this machine in turn, and the one in use again at the end.
template <class Run> void on_each_isa(Run run) {
  struct restore {
    std::string name;
    ~restore() { pin_isa(name); }
  } at_end{current_isa()};
  for (const std::string& name : available_isas()) {
    pin_isa(name);
    run(name);
  }
}

} // namespace troupe::testing
