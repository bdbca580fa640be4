#pragma once
// A model that listens as whisper.cpp's programs publish it (ggml-base.bin): one file with sizes, words and tensors.
#include "model/decoding/decoding_defaults.hpp"
#include "model/formats/hf_source.hpp"
#include "model/formats/input_file.hpp"
#include "model/tokenizer/vocabulary.hpp"
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace troupe {

/// Whether the file begins as one does. Throws input_error for a file that cannot be read.
bool is_whisper_bin(const std::filesystem::path& path);

/// Its tensors under the names that Hugging Face gives them, and its sizes as keys of config.json, so that it is the family's own.
///
/// The file: 12 sizes; the bands of pitch, which are computed here; the words of text by id, as bytes; tensors (dimensions, name, type,
/// content), one behind the other. What it does not hold is whisper's convention: the names and places of the special tokens behind the
/// words, which of them never come, and what may come first. Merges are those that make each word of two earlier ones.
class whisper_bin final : public hf_source {
public:
  /// Throws input_error naming the file, the place and the reason.
  explicit whisper_bin(const std::filesystem::path& path);
  ~whisper_bin() override;

  const std::filesystem::path& path() const override { return file_->path(); }
  size_t tensor_count() const override { return tensors_.size(); }
  source_tensor tensor(size_t index) const override;
  std::vector<std::shared_ptr<const input_file>> files() const override { return {file_}; }

  const vocabulary& words() const { return words_; }
  const decoding_defaults& decoding() const { return decoding_; }

private:
  struct contents;
  struct named_tensor {
    std::string name, type_name;
    source_tensor tensor; // Its name and type's name: those above.
  };
  explicit whisper_bin(std::unique_ptr<contents> all);
  const std::filesystem::path& path_of_tensor(std::string_view) const override { return file_->path(); }

  std::shared_ptr<const input_file> file_;
  std::vector<named_tensor> tensors_; // Sorted by name.
  vocabulary words_;
  decoding_defaults decoding_;
};

} // namespace troupe
