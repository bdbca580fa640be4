#pragma once
// Images with labels to train on, as they lie in folders: each image's label is the name of the folder that it is in.
#include "model/images/preparation.hpp"
#include "model/training/data/data_source.hpp"
#include "model/training/data/prepare_tokens.hpp"
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace troupe {

/// The images that data_source_options of kind images name, in the order of their paths, with the names of their labels: those that the
/// options give, else those of all folders, sorted by bytes. Throws input_error: what find_source_files refuses, and a folder whose name is
/// no label.
struct labelled_images {
  explicit labelled_images(const data_source_options& options);
  std::vector<std::filesystem::path> files;
  std::vector<uint32_t> labels; // Of each file: a place in `names`.
  std::vector<std::string> names;
};

/// Images at a model's size, in memory: 3 bytes for each pixel. Immutable and thread-safe.
class image_data {
public:
  image_data(const image_spec& model, const image_preparation& how, std::vector<uint8_t> pixels);
  uint64_t images() const { return pixels_.size() / model_.elements(); }
  uint32_t rows() const { return model_.rows(); } // Of an image, in the model.
  uint64_t elements() const { return model_.elements(); }
  /// [channels, height, width], as inference would prepare it.
  void read(uint64_t image, std::span<float> out) const;

private:
  image_spec model_;
  image_preparation how_;
  std::vector<uint8_t> pixels_; // [images, height, width, 3]
};

/// Reads all files; image i is files[i]. Null: it was stopped. Throws input_error with the file's name for one that is no image, is damaged
/// or does not come out at the model's size.
std::shared_ptr<const image_data> read_images(const std::vector<std::filesystem::path>& files, const image_preparation& how,
                                              const image_spec& model, const preparation& lent = {});

} // namespace troupe
