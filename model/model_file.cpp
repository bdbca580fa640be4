#include "model/model_file.hpp"
#include "model/error.hpp"
#include "model/families/family.hpp"
#include "model/formats/gguf_vocabulary.hpp"
#include "model/formats/hf_decoding.hpp"
#include "model/formats/hf_vocabulary.hpp"
#include "model/formats/whisper_bin.hpp"
#include <algorithm>

namespace troupe {
namespace {

std::unique_ptr<const gguf> open_file(const std::filesystem::path& path) {
  return std::make_unique<const gguf>(std::make_shared<const input_file>(path));
}

std::unique_ptr<const hf_folder> open_folder(const std::filesystem::path& folder,
                                             const std::filesystem::path& path) {
  auto source = std::make_unique<const hf_folder>(folder);
  if (path.extension() == ".safetensors") {
    const auto files = source->files();
    const bool is_part = std::any_of(files.begin(), files.end(), [&](const auto& file) {
      return file->path().filename() == path.filename();
    });
    if (!is_part) throw input_error(path.string() + ": the file: is not part of the model in its folder");
  }
  return source;
}

std::shared_ptr<model_file> describe(const model_source& source, model_description description,
                                     const std::filesystem::path& path) {
  auto model = make_model_file(std::move(description));
  model->path = path.has_filename() ? path : path.parent_path();
  model->files = source.files();
  for (const auto& file : model->files) model->file_bytes += file->size();
  return model;
}

} // namespace

std::shared_ptr<model_file> make_model_file(model_description description) {
  auto model = std::make_shared<model_file>();
  model->spec = std::move(description.spec);
  model->tensors = std::move(description.tensors);
  model->parameters = description.parameters;
  model->tensor_types = std::move(description.tensor_types);
  model->published = std::move(description.published);
  model->config = std::move(description.config);
  model->gguf_rope = description.gguf_rope;
  if (const auto& image = model->spec.embedding.image) model->images = usual_preparation(*image);
  if (const auto& audio = model->spec.input().audio) model->audio = usual_preparation(*audio);
  return model;
}

std::shared_ptr<const model_file> open_model(const std::filesystem::path& path) {
  if (const auto folder = hf_folder_of(path)) {
    const auto source = open_folder(*folder, path);
    auto model = describe(*source, describe_model(*source), path);
    if (const auto& image = model->spec.embedding.image) { // Its class token is no word.
      model->images = read_image_preparation(*folder, *image);
      return model;
    }
    model->words = read_vocabulary(*source, model->spec.vocabulary);
    if (const auto& audio = model->spec.input().audio) model->audio = read_audio_preparation(*folder, *audio);
    if (model->spec.encoder) model->decoding = read_decoding_defaults(*folder, model->spec.vocabulary, model->words.end_of_generation);
    if (model->audio)
      model->decoding.speech = read_speech_tokens(*folder, model->words.pieces, model->spec.vocabulary, model->spec.start_token);
    return model;
  }
  if (is_whisper_bin(path)) {
    const whisper_bin source(path);
    auto model = describe(source, describe_model(source), path);
    model->words = source.words();
    model->decoding = source.decoding();
    return model;
  }
  const auto source = open_file(path);
  auto model = describe(*source, describe_model(*source), path);
  model->words = read_vocabulary(*source, model->spec.vocabulary);
  return model;
}

std::unique_ptr<const model_source> open_source(const std::filesystem::path& path) {
  if (const auto folder = hf_folder_of(path)) return open_folder(*folder, path);
  if (is_whisper_bin(path)) return std::make_unique<const whisper_bin>(path);
  return open_file(path);
}

} // namespace troupe
