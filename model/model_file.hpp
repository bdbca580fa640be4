#pragma once
// A model as it comes from a file: its spec, its tensors, its tokenizer's vocabulary.
#include "model/formats/mapped_file.hpp"
#include "model/spec.hpp"
#include "model/tokenizer/vocabulary.hpp"
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace troupe {

/// Immutable, shared. Keeps the file mapped; all tensor views point into it.
struct model_file {
  std::filesystem::path path;
  model_spec spec;
  model_tensors tensors;
  vocabulary words;
  uint64_t file_bytes = 0;
  uint64_t parameters = 0;
  std::vector<std::pair<std::string, uint64_t>> tensor_types; // "Q8_0" -> how many tensors.
  std::shared_ptr<const mapped_file> mapping;                 // What the views point into.

  /// The tensor has been packed, and what is in the file is hardly needed again: see mapped_file::release.
  void release(const tensor_view& tensor) const;
};

/// Opens a GGUF file, checks all of it that is used later, and describes it by the rules of its family.
/// Throws input_error naming file, place and reason. Allocates in proportion to what the file really holds.
std::shared_ptr<const model_file> open_model(const std::filesystem::path& path);

} // namespace troupe
