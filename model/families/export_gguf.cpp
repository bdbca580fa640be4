#include "model/families/export_gguf.hpp"
#include "model/error.hpp"
#include "model/formats/byte_reader.hpp"
#include "model/formats/gguf_vocabulary.hpp"
#include "model/formats/gguf_writer.hpp"
#include "model/kernels/dequantize.hpp"
#include "model/kernels/quantize.hpp"
#include <algorithm>
#include <cmath>
#include <map>

namespace troupe {
namespace {

constexpr const char* factors_name = "rope_freqs.weight";

/// Writes one model.
class gguf_export {
public:
  gguf_export(const model_file& model, tensor_type type) : model_(model), spec_(model.spec), type_(type) {
    if (!can_quantize(type)) {
      fail("tensors of the type " + std::string(traits_of(type).name) +
           " cannot be written; wanted F32, F16 or Q8_0");
    }
    find_heads_to_turn();
  }

  void write(const std::filesystem::path& path) {
    if (spec_.embedding.image) fail("models of images have no form in GGUF files: --folder writes one");
    std::vector<gguf_plan> plan;
    const bool adds_factors = !rope().factors.empty() && !model_.config.empty();
    if (adds_factors) plan.push_back({factors_name, tensor_type::f32, {rope().factors.size()}});
    for (const auto& tensor : model_.published) plan.push_back(plan_of(tensor));
    gguf_writer writer(path, metadata(), plan);
    if (adds_factors) writer.write(std::as_bytes(std::span(rope().factors)));
    for (size_t i = 0; i < model_.published.size(); ++i)
      write_tensor(writer, model_.published[i], plan[i + size_t(adds_factors)].type);
    writer.finish();
  }

private:
  std::string title() const {
    if (!spec_.name.empty()) return spec_.name;
    return model_.path.empty() ? "the new model" : model_.path.string();
  }
  [[noreturn]] void fail(const std::string& reason) const { throw input_error(title() + ": " + reason); }

  const layer_spec& layer() const { return spec_.layers.front(); } // All layers are alike in every family.
  const rope_spec& rope() const { return layer().attention.rope; }

  /// Queries and keys, by name, whose heads have to be put into the order of interleaved pairs.
  void find_heads_to_turn() {
    if (model_.gguf_rope != rope_kind::interleaved || rope().kind != rope_kind::half_split) return;
    for (const auto& of_layer : model_.tensors.layers) {
      for (const auto* projection : {&of_layer.attention.query, &of_layer.attention.key}) {
        turned_.insert({projection->weight.name, layer().attention.head_dim});
        if (projection->bias) turned_.insert({projection->bias->name, layer().attention.head_dim});
      }
    }
  }

  gguf_plan plan_of(const published_tensor& tensor) const {
    const stored_tensor& view = tensor.view;
    if (tensor.shape.size() == 1) return {tensor.gguf_name, tensor_type::f32, {view.columns}};
    const bool is_positions = model_.tensors.positions && model_.tensors.positions->name == view.name;
    const bool fits = view.columns % traits_of(type_).block_elements == 0;
    return {tensor.gguf_name, fits && !is_positions ? type_ : tensor_type::f32, {view.columns, view.rows}};
  }

  void write_tensor(gguf_writer& writer, const published_tensor& tensor, tensor_type type) const {
    auto values = dequantize(tensor.view);
    if (!std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); }))
      fail("tensor " + in_quotes(tensor.view.name) + " has values that are not finite");
    if (const auto turned = turned_.find(tensor.view.name); turned != turned_.end()) {
      const bool is_vector = tensor.shape.size() == 1;
      values = interleaved(values, is_vector ? 1 : tensor.view.columns, turned->second);
    }
    writer.write(quantize(type, values));
  }

  /// Rows of a head from pairs (i, i + size/2) to pairs (2i, 2i+1).
  static std::vector<float> interleaved(const std::vector<float>& rows, size_t columns, size_t head) {
    std::vector<float> out(rows.size());
    for (size_t row = 0; row < rows.size() / columns; ++row) {
      const size_t in_head = row % head, pair = in_head % (head / 2), second = in_head / (head / 2);
      const size_t to = row - in_head + 2 * pair + second;
      std::copy_n(rows.begin() + static_cast<ptrdiff_t>(row * columns), columns,
                  out.begin() + static_cast<ptrdiff_t>(to * columns));
    }
    return out;
  }

  gguf_header metadata() const {
    gguf_header header;
    header.add_string("general.architecture", spec_.architecture);
    header.add_string("general.type", "model");
    header.add_string("general.name", spec_.name.empty() ? spec_.architecture : spec_.name);
    header.add_u32("general.file_type", type_ == tensor_type::f32 ? 0 : type_ == tensor_type::f16 ? 1 : 7);
    header.add_u32("general.quantization_version", 2);
    add_sizes(header);
    if (rope().kind != rope_kind::none) add_rope(header);
    add_vocabulary(header, model_.words, title());
    return header;
  }

  std::string key(const char* name) const { return spec_.architecture + "." + name; }

  void add_sizes(gguf_header& header) const {
    const auto& attention = layer().attention;
    header.add_u32(key("block_count"), static_cast<uint32_t>(spec_.layers.size()));
    header.add_u32(key("context_length"), spec_.context_length);
    header.add_u32(key("embedding_length"), spec_.width);
    header.add_u32(key("feed_forward_length"), layer().feed_forward.width);
    header.add_u32(key("attention.head_count"), attention.heads);
    header.add_u32(key("attention.head_count_kv"), attention.kv_heads);
    if (attention.heads * attention.head_dim != spec_.width) {
      header.add_u32(key("attention.key_length"), attention.head_dim);
      header.add_u32(key("attention.value_length"), attention.head_dim);
    }
    const bool is_rms = layer().norm.kind == norm_kind::rms;
    header.add_f32(key(is_rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon"),
                   layer().norm.epsilon);
    header.add_u32(key("vocab_size"), spec_.vocabulary);
  }

  void add_rope(gguf_header& header) const {
    header.add_u32(key("rope.dimension_count"), rope().dimensions);
    header.add_f32(key("rope.freq_base"), rope().base);
    if (rope().scaling_factor != 1) {
      header.add_string(key("rope.scaling.type"), "linear");
      header.add_f32(key("rope.scaling.factor"), rope().scaling_factor);
    }
    if (rope().yarn) add_yarn(header, *rope().yarn);
    // llama.cpp reads the tensor "rope_freqs.weight" for llama, and refuses it for the others.
    if (!rope().factors.empty() && model_.gguf_rope != rope_kind::interleaved)
      fail("rotary positions with a factor for each pair are known in llama's GGUF files only");
  }

  void add_yarn(gguf_header& header, const yarn_spec& yarn) const {
    if (!yarn.has_whole_bounds) fail("GGUF files know no YaRN whose range is not bounded by whole pairs (truncate in config.json)");
    header.add_string(key("rope.scaling.type"), "yarn");
    header.add_f32(key("rope.scaling.factor"), yarn.factor);
    header.add_u32(key("rope.scaling.original_context_length"), yarn.original_context);
    header.add_f32(key("rope.scaling.yarn_beta_fast"), yarn.beta_fast);
    header.add_f32(key("rope.scaling.yarn_beta_slow"), yarn.beta_slow);
    // Readers multiply it with what the paper says.
    header.add_f32(key("rope.scaling.attn_factor"), yarn.magnitude / float(1 + 0.1 * std::log(double(yarn.factor))));
  }

  const model_file& model_;
  const model_spec& spec_;
  tensor_type type_;
  std::map<std::string, uint32_t, std::less<>> turned_; // The size of a head, by name.
};

} // namespace

void export_gguf(const std::filesystem::path& path, const model_file& model, tensor_type type) {
  gguf_export(model, type).write(path);
}

} // namespace troupe
