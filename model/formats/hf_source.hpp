#pragma once
// A model in Hugging Face's way: keys are those of config.json.
#include "model/formats/json.hpp"
#include "model/formats/model_source.hpp"
#include <filesystem>
#include <optional>
#include <string>

namespace troupe {

class hf_source : public model_source {
public:
  /// All of config.json.
  json_node config() const { return config_.root(); }
  const std::string& config_text() const { return text_; }

  publication published_as() const override { return publication::hugging_face; }
  bool has(std::string_view key) const override { return find(key).has_value(); }
  std::optional<uint64_t> find_unsigned(std::string_view key) const override;
  std::optional<double> find_number(std::string_view key) const override;
  std::optional<bool> find_bool(std::string_view key) const override;
  std::optional<std::string_view> find_string(std::string_view key) const override;

protected:
  /// `path` is for errors only. Throws input_error when the text is not a JSON object.
  hf_source(const std::filesystem::path& path, std::string text);

private:
  const std::filesystem::path& path_of_keys() const override { return config_.path(); }
  std::optional<json_node> find(std::string_view key) const;

  std::string text_;
  json_file config_;
};

/// A configuration without tensors: they come into being, as float32 zeros, when a family asks for them
/// (tensor_lookup).
class config_source final : public hf_source {
public:
  /// Throws input_error when the text is not a JSON object.
  explicit config_source(std::string text) : hf_source("config.json", std::move(text)) {}

  bool has_tensors() const override { return false; }
  const std::filesystem::path& path() const override { return path_; }
  size_t tensor_count() const override { return 0; }
  source_tensor tensor(size_t) const override { return {}; }
  std::vector<std::shared_ptr<const input_file>> files() const override { return {}; }

private:
  const std::filesystem::path& path_of_tensor(std::string_view) const override { return path_; }

  std::filesystem::path path_; // Empty.
};

} // namespace troupe
