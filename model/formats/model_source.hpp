#pragma once
// A published model as it was published: configuration values by key, tensors by name. What they mean is for
// the families (model/families) to say.
#include "model/stored_tensor.hpp"
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

class input_file;

/// The two ways in which models are published here. They differ in the names of keys and tensors, and in a
/// few conventions.
enum class publication : uint8_t { gguf, hugging_face };

struct source_tensor {
  std::string_view name;
  std::string_view type_name;      // As the file spells it.
  std::optional<tensor_type> type; // Nothing: a type that no kernel reads.
  uint64_t rows = 0;               // Product of the outer dimensions.
  uint64_t columns = 0;            // The inner dimension.
  std::shared_ptr<const byte_source> from; // Its file,
  uint64_t offset = 0, bytes = 0;          // and where in it it is.
};

/// A tensor that a family has used: what it is called in each publication, and where it is here. What saving a
/// model needs.
struct published_tensor {
  std::string gguf_name, hugging_face_name; // The other publication's name counts only if it has such a tensor.
  std::vector<uint64_t> shape;              // As it was published, the outer dimension first.
  bool is_transposed = false;               // `view` is [columns, rows] of the shape.
  /// All of it. A model's tensor may be some of its rows, or of a vector's elements: then it is within these bytes.
  stored_tensor view;
};

/// Read-only. Texts handed out are views into it; tensors share its files.
class model_source {
public:
  virtual ~model_source() = default;
  virtual publication published_as() const = 0;
  virtual const std::filesystem::path& path() const = 0;

  // Typed values: nothing when the key is absent; input_error when the value is of another kind. Any integer
  // that is not negative serves as unsigned, any number as a number. Keys of nested objects are written
  // "outer.inner".
  virtual bool has(std::string_view key) const = 0;
  virtual std::optional<uint64_t> find_unsigned(std::string_view key) const = 0;
  virtual std::optional<double> find_number(std::string_view key) const = 0;
  virtual std::optional<bool> find_bool(std::string_view key) const = 0;
  virtual std::optional<std::string_view> find_string(std::string_view key) const = 0;

  /// False: a configuration only, without tensors as yet. Then none is found, and all are made as they are
  /// asked for.
  virtual bool has_tensors() const { return true; }

  // Tensors are numbered in the order of their names, which are all different.
  virtual size_t tensor_count() const = 0;
  virtual source_tensor tensor(size_t index) const = 0;
  std::optional<size_t> find_index(std::string_view name) const;

  /// The files that the tensors are in.
  virtual std::vector<std::shared_ptr<const input_file>> files() const = 0;

  /// Throws input_error: "<path>: <place>: <reason>", with the path of the file that the key or tensor is in.
  [[noreturn]] void fail(std::string_view key, std::string_view reason) const;
  [[noreturn]] void fail_tensor(std::string_view name, std::string_view reason) const;

protected:
  virtual const std::filesystem::path& path_of_keys() const = 0;
  virtual const std::filesystem::path&
  path_of_tensor(std::string_view name) const = 0; // Also for one that is missing.
};

} // namespace troupe
