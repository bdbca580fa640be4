#include "model/families/save_model.hpp"
#include "model/error.hpp"
#include "model/formats/atomic_file.hpp"
#include "model/formats/hf_folder.hpp"
#include "model/formats/safetensors.hpp"
#include "model/kernels/dequantize.hpp"
#include "model/kernels/quantize.hpp"
#include "model/training/data/write_tokenizer.hpp"
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <new>
#include <nlohmann/json.hpp>
#include <system_error>

namespace troupe {
namespace {

using json = nlohmann::ordered_json;

// What a folder has beside its weights that goes with every set of them.
constexpr std::array copied_files{"tokenizer.json",         "tokenizer_config.json", "special_tokens_map.json",
                                  "generation_config.json", "chat_template.jinja",   "source.spm",
                                  "target.spm",             "vocab.json",            "spm.model",
                                  "tokenizer.model"};

constexpr uint64_t copied_bytes_max = 1 << 30;

void write_text(const std::filesystem::path& path, const std::string& text) {
  atomic_file file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

void write_json(const std::filesystem::path& path, const json& content) { write_text(path, content.dump(2) + "\n"); }

void write_config(const std::filesystem::path& folder, const model_file& like, tensor_type type) {
  json config = json::parse(like.config);
  const bool has_dtype = config.contains("dtype");
  const char* name = type == tensor_type::f16 ? "float16" : "float32";
  if (has_dtype) config["dtype"] = name;
  if (!has_dtype || config.contains("torch_dtype")) config["torch_dtype"] = name; // Known for longer.
  write_json(folder / "config.json", config);
}

/// As read_image_preparation reads it.
void write_preparation(const std::filesystem::path& path, const image_preparation& how) {
  using target = image_preparation::target;
  json config{{"image_processor_type", "ViTImageProcessor"},
              {"do_resize", how.resizes_to != target::none},
              {"resample", how.how == resampling::bilinear ? 2 : how.how == resampling::bicubic ? 3 : 4},
              {"do_center_crop", how.crops},
              {"do_rescale", how.factor != 1},
              {"rescale_factor", how.factor},
              {"do_normalize", true},
              {"image_mean", how.mean},
              {"image_std", how.deviation}};
  if (how.resizes_to == target::exact) config["size"] = {{"height", how.height}, {"width", how.width}};
  if (how.resizes_to == target::shortest_side) config["size"] = {{"shortest_edge", how.height}};
  if (how.crops) config["crop_size"] = {{"height", how.crop_height}, {"width", how.crop_width}};
  write_json(path, config);
}

void write_preparation(const std::filesystem::path& path, const audio_preparation& how) {
  write_json(path, {{"feature_extractor_type", "WhisperFeatureExtractor"},
                    {"feature_size", how.bins},
                    {"sampling_rate", how.rate},
                    {"n_fft", how.window},
                    {"hop_length", how.hop},
                    {"n_samples", how.samples()},
                    {"nb_max_frames", how.frames},
                    {"chunk_length", how.samples() / how.rate},
                    {"padding_side", "right"},
                    {"padding_value", 0.0}});
}

/// A published tensor with the model's tensors that it consists of.
struct saved_tensor {
  const published_tensor* published;
  std::vector<const keyed_tensor*> parts;
};

bool is_within(const stored_tensor& part, const stored_tensor& whole) {
  return part.name == whole.name && part.from == whole.from && part.offset >= whole.offset &&
         part.offset + part.bytes() <= whole.offset + whole.bytes();
}

std::vector<saved_tensor> saved_tensors(const model_file& like, const std::vector<keyed_tensor>& keyed) {
  std::map<std::string_view, std::vector<const keyed_tensor*>> by_name;
  for (const auto& tensor : keyed) by_name[tensor.view->name].push_back(&tensor);
  std::vector<saved_tensor> all;
  for (const auto& published : like.published) {
    saved_tensor saved{&published, by_name.at(published.view.name)};
    for (const auto* part : saved.parts) TROUPE_ASSERT(is_within(*part->view, published.view));
    all.push_back(std::move(saved));
  }
  std::ranges::sort(all, {}, [](const saved_tensor& saved) { return saved.published->hugging_face_name; });
  return all;
}

/// All of a published tensor, as it is published.
std::vector<float> gather(const saved_tensor& saved, const tensor_values& values) {
  const stored_tensor& view = saved.published->view;
  const size_t size = view.rows * view.columns, element_bytes = traits_of(view.type).block_bytes;
  std::vector<float> whole(size);
  size_t filled = 0;
  for (const auto* part : saved.parts) {
    const auto some = values(part->key);
    TROUPE_ASSERT(some.size() == part->view->rows * part->view->columns);
    const auto offset = (part->view->offset - view.offset) / element_bytes;
    std::copy(some.begin(), some.end(), whole.begin() + static_cast<ptrdiff_t>(offset));
    filled += some.size();
  }
  TROUPE_ASSERT(filled == size);
  if (!saved.published->is_transposed) return whole;
  std::vector<float> turned(size);
  for (size_t row = 0; row < view.rows; ++row)
    for (size_t column = 0; column < view.columns; ++column)
      turned[column * view.rows + row] = whole[row * view.columns + column];
  return turned;
}

void require_in_range(const saved_tensor& saved, const std::vector<float>& values, const model_file& like) {
  constexpr float f16_max = 65504;
  if (std::ranges::all_of(values, [](float value) { return std::abs(value) <= f16_max; })) return;
  throw input_error(like.path.string() + ": tensor " + in_quotes(saved.published->hugging_face_name) +
                    " has values that F16 does not hold");
}

void write_weights(const std::filesystem::path& path, const model_file& like, const tensor_values& values, tensor_type type) {
  const auto written_type = type == tensor_type::f16 ? safetensors_type::float16 : safetensors_type::float32;
  const auto keyed = keyed_tensors(like.tensors);
  const auto all = saved_tensors(like, keyed);
  std::vector<safetensors_plan> plan;
  for (const auto& saved : all)
    plan.push_back({saved.published->hugging_face_name, written_type, saved.published->shape});
  // Without this entry Hugging Face's library refuses the file.
  safetensors_writer writer(path, plan, {{"format", "pt"}});
  for (const auto& saved : all) {
    const auto whole = gather(saved, values);
    if (type == tensor_type::f16) require_in_range(saved, whole, like);
    writer.write(quantize(type, whole));
  }
  writer.finish();
}

/// Without the pieces that fill a vocabulary up: they come back when it is read.
vocabulary without_filling(vocabulary words) {
  while (!words.pieces.empty() && words.kinds.back() == piece_kind::unused &&
         words.pieces.back() == "[PAD" + std::to_string(words.pieces.size() - 1) + "]") {
    words.pieces.pop_back();
    words.kinds.pop_back();
    if (!words.scores.empty()) words.scores.pop_back();
  }
  return words;
}

void write_generation_config(const std::filesystem::path& path, const vocabulary& words) {
  json config = json::object();
  if (words.bos) config["bos_token_id"] = *words.bos;
  if (words.end_of_generation.size() == 1) config["eos_token_id"] = words.end_of_generation.front();
  if (words.end_of_generation.size() > 1) config["eos_token_id"] = words.end_of_generation;
  if (words.padding) config["pad_token_id"] = *words.padding;
  write_json(path, config);
}

void write_words(const std::filesystem::path& folder, const model_file& like) {
  if (like.path.empty()) {
    if (like.words.kind == tokenizer_kind::none) return;
    write_tokenizer_json(folder, without_filling(like.words));
    write_generation_config(folder / "generation_config.json", like.words);
    return;
  }
  const auto from = hf_folder_of(like.path);
  TROUPE_ASSERT(from.has_value());
  const auto has = [&](const char* name) {
    std::error_code ignored;
    return std::filesystem::exists(*from / name, ignored);
  };
  const bool needs_tokenizer_json =
      like.words.kind != tokenizer_kind::none && !has("source.spm") && !has("spm.model") && !has("tokenizer.model");
  for (const char* name : copied_files) {
    std::error_code ignored; // What exists and cannot be read fails when it is opened.
    const bool is_there = std::filesystem::exists(*from / name, ignored);
    const bool is_needed = name == std::string_view("tokenizer.json") && needs_tokenizer_json;
    if (is_there || is_needed) write_text(folder / name, read_text(*from / name, copied_bytes_max));
  }
}

void require_empty(const std::filesystem::path& folder) {
  std::error_code error;
  const bool is_empty = std::filesystem::is_directory(folder, error) && std::filesystem::is_empty(folder, error);
  if (error == std::errc::not_enough_memory) throw std::bad_alloc();
  if (error || !is_empty) throw input_error(folder.string() + ": wanted an empty folder");
}

} // namespace

tensor_values values_of(const model_file& model) {
  return [keyed = keyed_tensors(model.tensors)](const tensor_key& key) {
    const auto found = std::ranges::lower_bound(keyed, key, {}, &keyed_tensor::key);
    TROUPE_ASSERT(found != keyed.end());
    TROUPE_ASSERT(found->key == key);
    return dequantize(*found->view);
  };
}

void save_folder(const std::filesystem::path& folder, const model_file& like, const tensor_values& values, tensor_type type) {
  TROUPE_ASSERT(type == tensor_type::f32 || type == tensor_type::f16);
  if (like.config.empty()) {
    throw input_error(like.path.string() +
                      ": a model from a GGUF file cannot be saved as a folder: it has no config.json");
  }
  require_empty(folder);
  try {
    write_config(folder, like, type);
    write_words(folder, like);
    if (like.images) write_preparation(folder / "preprocessor_config.json", *like.images);
    if (like.audio) write_preparation(folder / "preprocessor_config.json", *like.audio);
    write_weights(folder / "model.safetensors", like, values, type);
    sync_to_disk(folder);
  } catch (...) {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored))
      std::filesystem::remove_all(entry.path(), ignored);
    throw;
  }
}

} // namespace troupe
