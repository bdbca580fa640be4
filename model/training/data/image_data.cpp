#include "model/training/data/image_data.hpp"
#include "model/error.hpp"
#include "model/formats/byte_reader.hpp"
#include "model/images/read_image.hpp"
#include <algorithm>
#include <atomic>
#include <set>

namespace troupe {
namespace {

constexpr size_t images_of_job = 64;

std::string label_of(const std::filesystem::path& file) { return file.parent_path().filename().string(); }

} // namespace

labelled_images::labelled_images(const data_source_options& options) : files(find_source_files(options.paths)), names(options.labels) {
  if (names.empty()) {
    std::set<std::string> all;
    for (const auto& file : files) all.insert(label_of(file));
    names.assign(all.begin(), all.end());
  }
  for (const auto& file : files) {
    const auto found = std::ranges::find(names, label_of(file));
    if (found == names.end())
      throw input_error(file.string() + ": an image's label is the name of its folder, and " + in_quotes(label_of(file)) +
                        " is not one of the " + std::to_string(names.size()) + " labels");
    labels.push_back(uint32_t(found - names.begin()));
  }
}

image_data::image_data(const image_spec& model, const image_preparation& how, std::vector<uint8_t> pixels)
    : model_(model), how_(how), pixels_(std::move(pixels)) {
  TROUPE_ASSERT(pixels_.size() % model.elements() == 0);
}

void image_data::read(uint64_t image, std::span<float> out) const {
  TROUPE_ASSERT(image < images() && out.size() == elements());
  write_pixels(std::span(pixels_).subspan(image * elements(), elements()), how_, out);
}

std::shared_ptr<const image_data> read_images(const std::vector<std::filesystem::path>& files, const image_preparation& how,
                                              const image_spec& model, const preparation& lent) {
  std::vector<uint8_t> pixels(files.size() * model.elements());
  std::atomic<size_t> done = 0;
  std::atomic<bool> is_stopped = false;
  std::vector<std::function<void()>> jobs;
  for (size_t first = 0; first < files.size(); first += images_of_job)
    jobs.push_back([&, first] {
      const size_t end = std::min(first + images_of_job, files.size());
      for (size_t i = first; i < end; ++i) {
        if (is_stopped || (lent.stop && lent.stop())) {
          is_stopped = true;
          return;
        }
        const auto image = read_image(files[i]);
        try {
          std::ranges::copy(fit_image(image, how, model).pixels, pixels.begin() + ptrdiff_t(i * model.elements()));
        } catch (const input_error& error) {
          throw input_error(files[i].string() + ": " + error.what());
        }
      }
      const size_t so_far = done += end - first;
      if (lent.progress) lent.progress(double(so_far) / double(files.size()));
    });
  lent.run(std::move(jobs));
  return is_stopped ? nullptr : std::make_shared<const image_data>(model, how, std::move(pixels));
}

} // namespace troupe
