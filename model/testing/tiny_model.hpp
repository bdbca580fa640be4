#pragma once
// Small, valid model files for tests: any family, any tensor type, random weights from a seed. The same
// options give the same bytes everywhere. Activations stay finite and logits differ clearly from token to
// token.
#include "model/tensor.hpp"
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <set>
#include <string>

namespace troupe::testing {

class gguf_builder;

struct tiny_model_options {
  std::string architecture = "llama"; // llama, qwen2, qwen3, gpt2.
  /// Of the matrices. Norms and biases are F32, as is a matrix whose rows are not whole blocks of this type.
  tensor_type type = tensor_type::f32;
  uint32_t layers = 2;
  uint32_t width = 64;
  uint32_t heads = 4;
  uint32_t kv_heads = 2;  // gpt2 takes `heads`.
  uint32_t head_dim = 16; // gpt2 takes width / heads.
  uint32_t feed_forward = 96;
  uint32_t vocabulary = 320;
  uint32_t context = 128;
  uint64_t seed = 1;
  bool tied = false; // The output matrix is the embedding: no output.weight.
  bool with_biases =
      false; // Also where the family does not demand them (llama's q, k, v, output and feed-forward).
  /// llama gets a sentencepiece vocabulary (<unk> <s> </s>, 256 bytes, words; at least 259), the others
  /// byte-level BPE (256 bytes, merges, <|endoftext|>; at least 257). Smaller vocabularies and `false` give a
  /// file without tokenizer.
  bool with_tokenizer = true;
  /// Every value of this id's embedding row is `poison`: a prompt with it gives rows that are not finite. Not together with
  /// `tied`, which would make every logits row so.
  std::optional<uint32_t> poisoned_token = std::nullopt;
  float poison = std::numeric_limits<float>::quiet_NaN();
  /// For files that are not quite right: keys and tensors to leave out, and whatever else is to be added
  /// (what is both left out and added has been replaced).
  std::set<std::string, std::less<>> without = {};
  std::function<void(gguf_builder&)> also = {};
};

/// The file's bytes.
std::string tiny_model_bytes(const tiny_model_options& options = {});

/// Writes the file into this process's temporary directory, under a name of its own, and returns its path.
/// The directory goes when the process ends.
std::filesystem::path write_tiny_model(const tiny_model_options& options = {});

/// A new path in that directory, with nothing there yet; an empty folder; a file with these bytes.
std::filesystem::path temporary_path(const std::string& suffix = "");
std::filesystem::path temporary_folder();
std::filesystem::path write_temporary(const std::string& bytes, const std::string& suffix = "");

/// A generator whose raw bits are the same everywhere (SplitMix64, Steele et al. 2014).
struct raw_bits {
  uint64_t state;
  uint64_t next();
  uint64_t below(uint64_t limit) { return next() % limit; }
  float uniform(float low, float high); // [low, high)
};

/// Where a block of a quantised type has its scale d, a binary16.
size_t scale_position(tensor_type type);

/// `count` random elements in this format, a multiple of its block, with mean about 0 and standard deviation
/// about `deviation`, as little-endian bytes. `value`, where given, replaces every element as far as the
/// format can say it (quantised: as the scale of every block).
std::string random_elements(tensor_type type, uint64_t count, float deviation, raw_bits& bits,
                            std::optional<float> value = std::nullopt);

} // namespace troupe::testing
