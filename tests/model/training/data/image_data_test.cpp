// Goal: images in folders become examples with the labels of their folders, prepared as inference prepares them.
#include "model/error.hpp"
#include "model/testing/image_files.hpp"
#include "model/testing/tiny_model.hpp"
#include "model/training/data/example_batches.hpp"
#include "support/catch.hpp"
#include <filesystem>
#include <fstream>

using namespace troupe;
using namespace troupe::testing;

namespace {

namespace fs = std::filesystem;

constexpr image_spec model{.channels = 3, .height = 8, .width = 8, .patch_height = 4, .patch_width = 4};

/// Folders "cat" with 3 images and "dog" with 2, of different sizes.
struct image_folder {
  image_folder() {
    for (uint32_t i = 0; i < 5; ++i) add(i < 3 ? "cat" : "dog", std::to_string(i) + ".png", made_up_image(8 + 3 * i, 12, i + 1));
  }
  ~image_folder() { fs::remove_all(path); }
  void add(const std::string& label, const std::string& name, const rgb_image& image) const {
    const auto bytes = png_file(image);
    write(label, name, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  void write(const std::string& label, const std::string& name, const std::string& bytes) const {
    fs::create_directories(path / label);
    std::ofstream(path / label / name, std::ios::binary) << bytes;
  }
  data_source_options source(std::vector<std::string> labels = {}) const {
    return {.kind = source_kind::images, .paths = {path.string()}, .labels = std::move(labels)};
  }
  std::shared_ptr<const example_data> examples() const {
    const labelled_images images(source());
    auto data = std::make_shared<example_data>();
    data->images = read_images(images.files, usual_preparation(model), model);
    data->labels = images.labels;
    return data;
  }
  const fs::path path = temporary_folder();
};

} // namespace

TEST_CASE("an image's label is the name of its folder", "[training][images]") {
  const image_folder folder;
  folder.write(".hidden", "x.png", "no image");
  const labelled_images all(folder.source());
  CHECK(all.names == std::vector<std::string>{"cat", "dog"});
  CHECK(all.labels == std::vector<uint32_t>{0, 0, 0, 1, 1});
  CHECK(all.files.front() == folder.path / "cat" / "0.png");
  const labelled_images given(folder.source({"dog", "bird", "cat"}));
  CHECK(given.names == std::vector<std::string>{"dog", "bird", "cat"});
  CHECK(given.labels == std::vector<uint32_t>{2, 2, 2, 0, 0});
  CHECK_THROWS_WITH(labelled_images(folder.source({"dog"})),
                    ContainsSubstring("cat/0.png") && ContainsSubstring("\"cat\" is not one of the 1 labels"));
}

TEST_CASE("images to train on are what inference makes of them", "[training][images]") {
  const image_folder folder;
  const auto data = folder.examples();
  const auto& images = *data->images;
  REQUIRE(images.images() == 5);
  CHECK(images.rows() == 5);
  for (uint32_t i = 0; i < 5; ++i) {
    std::vector<float> pixels(images.elements());
    images.read(i, pixels);
    CHECK(pixels == prepare_image(made_up_image(8 + 3 * i, 12, i + 1), usual_preparation(model), model));
  }
}

TEST_CASE("a file that is no image is an error that names it, and a stop leaves nothing", "[training][images]") {
  const image_folder folder;
  folder.write("cat", "notes.txt", "no image");
  const labelled_images all(folder.source());
  CHECK_THROWS_WITH(read_images(all.files, usual_preparation(model), model), ContainsSubstring("cat/notes.txt"));
  preparation lent;
  lent.stop = [] { return true; };
  CHECK(read_images(all.files, usual_preparation(model), model, lent) == nullptr);
}

TEST_CASE("each image comes once an epoch, with its pixels and its label", "[training][images]") {
  const image_folder folder;
  const auto data = folder.examples();
  batch_options options;
  options.batch_tokens = 15; // Three images of five rows.
  options.sequence_length = 5;
  example_batches batches(data, {0, 1, 2, 3, 4}, options);
  REQUIRE(batches.steps_per_epoch() == 2);
  for (uint64_t epoch = 0; epoch < 3; ++epoch) {
    std::vector<int> seen(5);
    for (uint64_t step = 0; step < 2; ++step)
      for (const micro_batch& part : batches.at(2 * epoch + step, 10)) {
        CHECK(part.lengths.size() <= 2);
        CHECK(part.tokens == std::vector<uint32_t>(part.lengths.size() * 5));
        REQUIRE(part.pixels.size() == part.lengths.size() * model.elements());
        REQUIRE(part.targets.size() == part.lengths.size());
        for (size_t i = 0; i < part.lengths.size(); ++i) {
          const std::vector<float> pixels(part.pixels.begin() + ptrdiff_t(i * model.elements()),
                                          part.pixels.begin() + ptrdiff_t((i + 1) * model.elements()));
          for (uint32_t image = 0; image < 5; ++image) {
            std::vector<float> wanted(model.elements());
            data->images->read(image, wanted);
            if (pixels != wanted) continue;
            ++seen[image];
            CHECK(part.targets[i] == int32_t(data->labels[image]));
          }
        }
      }
    CHECK(seen == std::vector<int>(5, 1));
  }
}
