#pragma once
// What the families share: hyperparameters within bounds, tensors of the right shape.
#include "model/formats/gguf.hpp"
#include "model/spec.hpp"
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// A closed range of what makes sense.
struct bounds {
  double low, high;
};

/// Reads the keys "<architecture>.<key>". Errors name the full key, what was wanted and what was found.
class hyperparameters {
public:
  hyperparameters(const gguf& file, std::string_view architecture)
      : file_(file), architecture_(architecture) {}

  uint32_t count(std::string_view key, bounds wanted) const;
  uint32_t count(std::string_view key, bounds wanted, uint32_t otherwise) const; // When the key is absent.
  float number(std::string_view key, bounds wanted) const;
  float number(std::string_view key, bounds wanted, float otherwise) const;
  std::optional<std::string_view> text(std::string_view key) const { return file_.find_string(full(key)); }
  std::optional<bool> flag(std::string_view key) const { return file_.find_bool(full(key)); }
  bool has(std::string_view key) const { return file_.find(full(key)) != nullptr; }
  [[noreturn]] void fail(std::string_view key, std::string_view reason) const {
    file_.fail(full(key), reason);
  }

private:
  std::string full(std::string_view key) const { return architecture_ + "." + std::string(key); }

  const gguf& file_;
  std::string architecture_;
};

/// Looks up the file's tensors by name, checks their shapes, and remembers which were used.
class tensor_lookup {
public:
  explicit tensor_lookup(const gguf& file) : file_(file), is_used_(file.tensors().size()) {}

  /// [rows, columns]. Throws input_error when it is missing or has another shape.
  tensor_view matrix(const std::string& name, uint64_t rows, uint64_t columns);
  std::optional<tensor_view> find_matrix(const std::string& name, uint64_t rows, uint64_t columns);
  /// [1, length], not quantised: norms, biases.
  tensor_view vector(const std::string& name, uint64_t length);
  std::optional<tensor_view> find_vector(const std::string& name, uint64_t length);
  /// [?, columns], at most rows_max rows: the file says how many.
  tensor_view table(const std::string& name, uint64_t rows_max, uint64_t columns);

  /// "<name>.weight" [rows, columns] and "<name>.bias" [1, rows]. Where there is to be no bias, one in the
  /// file stays unused.
  enum class bias { none, optional, required };
  projection_tensors projection(const std::string& name, uint64_t rows, uint64_t columns,
                                bias with = bias::optional);
  norm_tensors norm(const std::string& name, uint64_t width, bias with);

  /// Throws input_error when a tensor of the file was not used: then the model is not what its family takes it for, and its
  /// results would be wrong.
  void require_all_used() const;

private:
  const gguf_tensor* use(const std::string& name);
  std::optional<tensor_view> read_bias(const std::string& name, uint64_t length, bias with);

  const gguf& file_;
  std::vector<bool> is_used_; // By index in file_.tensors().
};

/// The sizes of a decoder-only transformer, as all of our families write them.
struct decoder_sizes {
  uint32_t width, layers, context_length, feed_forward, heads, kv_heads, head_dim;
};
decoder_sizes read_sizes(const gguf& file, const hyperparameters& parameters);

/// The spec's general part: names, sizes, vocabulary; no layers yet.
model_spec start_spec(const gguf& file, std::string_view architecture, const decoder_sizes& sizes,
                      const tensor_view& embedding);

/// "output" [vocabulary, width]; the embedding itself where the file has none ("tied").
projection_tensors read_output(tensor_lookup& tensors, const tensor_view& embedding);

/// Rotary positions from "rope.*" and the tensor "rope_freqs.weight".
rope_spec read_rope(const gguf& file, const hyperparameters& parameters, tensor_lookup& tensors,
                    rope_kind kind, uint32_t head_dim);

// Bounds that keep every later product within 64 bits and every allocation within reason; no published model
// comes near.
constexpr bounds width_bounds{8, 1 << 17};
constexpr bounds epsilon_bounds{1e-20, 1};
constexpr uint64_t vocabulary_max = 1 << 24;

} // namespace troupe
