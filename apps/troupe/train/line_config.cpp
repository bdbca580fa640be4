#include "apps/troupe/train/line_config.hpp"
#include "model/error.hpp"
#include "model/formats/atomic_file.hpp"
#include <nlohmann/json.hpp>

namespace troupe {
namespace {

namespace fs = std::filesystem;

/// Pieces need text to be learned from: about one for each 100 bytes, beyond the bytes themselves.
uint64_t vocabulary_size(uint64_t text_bytes) {
  uint64_t size = 512;
  while (size < 8192 && size * 200 <= text_bytes) size *= 2;
  return size;
}

uint64_t bytes_of(const std::string& file) {
  std::error_code error;
  const auto bytes = fs::file_size(file, error);
  if (error) throw input_error(file + ": cannot be read: " + error.message());
  return bytes;
}

} // namespace

fs::path write_line_config(const line_options& options) {
  uint64_t bytes = 0;
  auto paths = nlohmann::ordered_json::array();
  for (const auto& file : options.files) {
    bytes += bytes_of(file);
    paths.push_back(fs::absolute(file).lexically_normal().string());
  }
  const nlohmann::ordered_json config{
    {"output", "."},
    {"model",
     {{"model_type", "llama"}, {"architectures", {"LlamaForCausalLM"}}, {"hidden_size", 128}, {"intermediate_size", 384},
      {"num_hidden_layers", 4}, {"num_attention_heads", 4}, {"num_key_value_heads", 4}, {"head_dim", 32},
      {"max_position_embeddings", 256}, {"rms_norm_eps", 1e-5}, {"rope_theta", 10000.0}, {"hidden_act", "silu"},
      {"tie_word_embeddings", true}}},
    {"vocabulary", {{"method", "bpe"}, {"size", vocabulary_size(bytes)}, {"at_most", true}, {"byte_fallback", true}}},
    {"data", {{"kind", "lines"}, {"paths", std::move(paths)}, {"validation_share", 0.2}}},
    {"batches", {{"mode", "packed"}, {"sequence_length", 64}, {"tokens", 64 * 64}, {"micro_batch_tokens", 1024}}},
    {"optimizer", {{"beta1", 0.9}, {"beta2", 0.999}}},
    {"schedule", {{"kind", "constant"}, {"peak", 1e-3}}},
    {"epochs", options.epochs},
    {"seed", 1}};
  std::error_code error;
  fs::create_directories(options.output, error);
  if (error) throw input_error(options.output.string() + ": cannot make this folder: " + error.message());
  const fs::path path = options.output / "config.json";
  if (fs::exists(path, error))
    throw input_error(path.string() + ": there is a run already; go on with troupe train " + path.string() +
                      " --resume, or choose another --output");
  const std::string text = config.dump(2) + "\n";
  atomic_file file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
  return path;
}

} // namespace troupe
