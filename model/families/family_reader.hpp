#pragma once
// What the families share: names in both publications, hyperparameters within bounds, tensors of the right
// shape.
#include "model/families/family.hpp"
#include "model/formats/model_source.hpp"
#include "model/spec.hpp"
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// How a key or a tensor is called in a GGUF file and in a Hugging Face folder. Empty: it does not exist
/// there.
struct published_name {
  std::string gguf, hugging_face;

  published_name operator+(const published_name& end) const {
    return {gguf + end.gguf, end.hugging_face.empty() ? "" : hugging_face + end.hugging_face};
  }
  published_name operator+(const char* end) const { return *this + published_name{end, end}; }
};

std::string text_of(double value); // For error texts, with nine digits.

/// A closed range of what makes sense.
struct bounds {
  double low, high;
};

/// Reads configuration values. In a GGUF file a key is "<architecture>.<key>". Errors name the full key, what
/// was wanted and what was found.
class hyperparameters {
public:
  hyperparameters(const model_source& source, std::string_view architecture)
      : source_(source), architecture_(architecture) {}

  uint32_t count(const published_name& key, bounds wanted) const;
  uint32_t count(const published_name& key, bounds wanted,
                 uint32_t otherwise) const; // When the key is absent.
  float number(const published_name& key, bounds wanted) const;
  float number(const published_name& key, bounds wanted, float otherwise) const;
  std::optional<std::string_view> text(const published_name& key) const;
  std::optional<bool> flag(const published_name& key) const;
  bool has(const published_name& key) const;
  bool is_hugging_face() const { return source_.published_as() == publication::hugging_face; }
  std::string full(const published_name& key) const; // Empty where the publication has no such key.
  /// Input_error unless the text under `key` is one of these.
  void require_text(const published_name& key, std::initializer_list<std::string_view> supported) const;
  [[noreturn]] void fail(const published_name& key, std::string_view reason) const;

private:
  const model_source& source_;
  std::string architecture_;
};

/// Looks up the model's tensors by name, checks their shapes, and remembers which were used. Where the source has
/// no tensors, those that must be there are made: float32 zeros, each once, a Conv1D's the way round that it is
/// used.
class tensor_lookup {
public:
  explicit tensor_lookup(const model_source& source) : source_(source), is_used_(source.tensor_count()) {}

  bool makes_tensors() const { return !source_.has_tensors(); }

  /// [rows, columns]. Throws input_error when it is missing or has another shape.
  stored_tensor matrix(const published_name& name, uint64_t rows, uint64_t columns);
  /// A tensor of more dimensions, all but the innermost of which are the rows here.
  stored_tensor matrix(const published_name& name, std::vector<uint64_t> shape);
  std::optional<stored_tensor> find_matrix(const published_name& name, uint64_t rows, uint64_t columns);
  /// [1, length], not quantised: norms, biases.
  stored_tensor vector(const published_name& name, uint64_t length);
  std::optional<stored_tensor> find_vector(const published_name& name, uint64_t length);
  /// [?, columns], at most rows_max rows: the file says how many.
  stored_tensor table(const published_name& name, uint64_t rows_max, uint64_t columns);

  /// "<name>.weight" [rows, columns] and "<name>.bias" [1, rows]. Where there is to be no bias, one in the
  /// file stays unused.
  enum class bias { none, optional, required };
  projection_tensors projection(const published_name& name, uint64_t rows, uint64_t columns,
                                bias with = bias::optional);
  /// The same, for a weight that Hugging Face stores as [columns, rows], as its class Conv1D does: then it
  /// is in a transposed copy.
  projection_tensors conv1d(const published_name& name, uint64_t rows, uint64_t columns, bias with);
  /// "<name>.weight" [outputs, channels, height, width] and "<name>.bias" [outputs], a convolution's: as [outputs, the rest].
  projection_tensors convolution(const published_name& name, std::vector<uint64_t> shape);
  norm_tensors norm(const published_name& name, uint64_t width, bias with);

  bool is_hugging_face() const { return source_.published_as() == publication::hugging_face; }
  [[noreturn]] void fail(const published_name& name, std::string_view reason) const {
    source_.fail_tensor(name_here(name), reason);
  }
  /// `prefix` where names of the source begin with it or are made, else nothing: Hugging Face's base models are
  /// stored without.
  std::string prefix_if_used(std::string_view prefix) const;
  /// Tensors whose names end so do not count as unused: constants that some versions stored.
  void ignore_endings(std::initializer_list<std::string_view> endings);
  /// Nor those whose names begin so: parts of a model that its class does not use.
  void ignore_beginnings(std::initializer_list<std::string_view> beginnings);
  /// The tensor is as good as used when it holds the same bytes as `other`; input_error when it holds others.
  void ignore_copy(const published_name& name, const stored_tensor& other);

  /// Hands over the copies and what was used, and counts that. Throws input_error when a tensor was not:
  /// then the model is not what its family takes it for, and its results would be wrong.
  void finish(model_description& model);

private:
  const std::string& name_here(const published_name& name) const;
  std::optional<source_tensor> use(const std::string& name);
  stored_tensor record(const published_name& name, std::vector<uint64_t> shape, stored_tensor view);
  stored_tensor make(const published_name& name, uint64_t rows, uint64_t columns, std::vector<uint64_t> shape);
  std::optional<stored_tensor> find(const published_name& name, uint64_t rows, uint64_t columns,
                                  std::vector<uint64_t> shape);
  std::optional<stored_tensor> read_bias(const published_name& name, uint64_t length, bias with);
  [[noreturn]] void fail_missing(const published_name& name, const std::string& wanted) const;
  stored_tensor transposed(const stored_tensor& tensor);

  const model_source& source_;
  std::vector<bool> is_used_; // By index in source_.
  std::vector<bool> is_ignored_ = std::vector<bool>(is_used_.size());
  std::vector<std::shared_ptr<byte_memory>> copies_;
  std::vector<published_tensor> published_;
};

/// The keys of decoder_sizes.
struct decoder_keys {
  published_name width, layers, context_length, feed_forward, heads, kv_heads, head_dim;
  /// Where Hugging Face lets the key `feed_forward` be absent: how many times the width it is then. 0: it
  /// must be there.
  uint32_t feed_forward_times_width = 0;
};

/// The sizes of a decoder-only transformer, as all of our families write them.
struct decoder_sizes {
  uint32_t width, layers, context_length, feed_forward, heads, kv_heads, head_dim;
};
decoder_sizes read_sizes(const model_source& source, const hyperparameters& parameters,
                         const decoder_keys& keys);

/// "token_embd" or what Hugging Face calls it, [vocabulary, width].
stored_tensor read_embedding(const hyperparameters& parameters, tensor_lookup& tensors,
                           const std::string& hugging_face_name, uint32_t width);

/// The spec's general part: names, sizes, vocabulary; no layers yet.
model_spec start_spec(const model_source& source, std::string_view architecture, const decoder_sizes& sizes,
                      const stored_tensor& embedding);

/// "output" [vocabulary, width], or the embedding itself ("tied"). A GGUF file is tied when it has no such
/// tensor, a folder when its configuration says so, or, where it says nothing, by the default of its family.
projection_tensors read_output(const hyperparameters& parameters, tensor_lookup& tensors,
                               const stored_tensor& embedding, bool tied_by_default);

/// Rotary positions. `kind` is that of a GGUF file: Hugging Face's weights are always for half_split. YaRN extends sizes.context_length
/// to the original context times its factor, where that is more: published configurations leave it as it was.
rope_spec read_rope(const hyperparameters& parameters, tensor_lookup& tensors, rope_kind kind, decoder_sizes& sizes);

// Bounds that keep every later product within 64 bits and every allocation within reason; no published model
// comes near.
constexpr bounds width_bounds{8, 1 << 17};
constexpr bounds epsilon_bounds{1e-20, 1};
constexpr uint64_t vocabulary_max = 1 << 24;
constexpr uint32_t context_max = 1 << 20; // Positions: tables of positions are made for all of them.

} // namespace troupe
