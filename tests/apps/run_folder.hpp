#pragma once
// A small training run for tests of commands: text, a configuration, and what `troupe train` makes of them.
#include "apps/process.hpp"
#include "model/testing/tiny_model.hpp"
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

namespace troupe::testing {

inline std::string text_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// A folder with text to train on and a configuration, which may be changed.
struct run_folder {
  std::filesystem::path path = temporary_path();
  nlohmann::json config;

  explicit run_folder(uint64_t steps = 6) {
    std::filesystem::create_directories(path);
    std::ofstream text(path / "train.txt");
    const char* names[] = {"Ann", "Bob", "Cleo", "Dan"};
    const char* things[] = {"a red kite", "an old boat", "the moon", "a loaf of bread", "some rain"};
    for (int i = 0; i < 120; ++i)
      text << names[i % 4] << " saw " << things[i % 5] << " and told " << names[(i + 1) % 4] << " about " << things[(i + 2) % 5] << ".\n\n";
    config = {{"output", "run"},
              {"model",
               {{"model_type", "llama"},
                {"architectures", {"LlamaForCausalLM"}},
                {"hidden_size", 32},
                {"intermediate_size", 64},
                {"num_hidden_layers", 2},
                {"num_attention_heads", 4},
                {"num_key_value_heads", 2},
                {"head_dim", 8},
                {"max_position_embeddings", 64},
                {"rms_norm_eps", 1e-5},
                {"rope_theta", 10000.0},
                {"hidden_act", "silu"},
                {"tie_word_embeddings", true}}},
              {"vocabulary", {{"method", "bpe"}, {"size", 320}}},
              {"data", {{"kind", "text"}, {"paths", {"train.txt"}}, {"validation_share", 0.1}}},
              {"batches", {{"sequence_length", 32}, {"tokens", 256}, {"micro_batch_tokens", 64}}},
              {"schedule", {{"kind", "cosine"}, {"peak", 0.01}, {"warmup", 2}}},
              {"steps", steps},
              {"validate_every", 3},
              {"seed", 7}};
  }
  std::string write() const {
    std::ofstream(path / "config.json") << config.dump(2);
    return (path / "config.json").string();
  }
  outcome train(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments{"train", write()};
    if (std::find(more.begin(), more.end(), "--threads") == more.end()) arguments.insert(arguments.end(), {"--threads", "2"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_troupe(arguments);
  }
  std::filesystem::path last() const { return path / "run" / "last"; }
  /// All that the next step depends on.
  std::string weights() const { return text_of(last() / "model.safetensors") + text_of(last() / "optimizer.safetensors"); }
};

} // namespace troupe::testing
