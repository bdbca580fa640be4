// Claims: an image is resized, cut, scaled and normalised as preprocessor_config.json says; what that says and is not supported is refused
// with its key. That sizes are changed exactly as PIL does, tests/images/oracle checks.
#include "model/images/preparation.hpp"
#include "model/error.hpp"
#include "model/testing/image_files.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"
#include <fstream>

using namespace troupe;
using namespace troupe::testing;

namespace {

constexpr image_spec small{.channels = 3, .height = 6, .width = 6, .patch_height = 3, .patch_width = 3};

image_preparation read(const std::string& text, const image_spec& model = small) {
  const auto folder = temporary_folder();
  std::ofstream(folder / "preprocessor_config.json") << text;
  return read_image_preparation(folder, model);
}

std::string refusal_of(const std::string& text) {
  try {
    read(text);
  } catch (const input_error& error) {
    return error.what();
  }
  return "";
}

} // namespace

TEST_CASE("made smaller, a pixel is the weighted mean of those around it; a plain image stays as it is") {
  const rgb_image two{2, 1, {0, 10, 200, 100, 20, 201}};
  CHECK(resize(two, 1, 1, resampling::box).pixels == std::vector<uint8_t>{50, 15, 201}); // 200.5 is rounded up.
  CHECK(resize(two, 1, 1, resampling::bilinear).pixels == std::vector<uint8_t>{50, 15, 201});
  // Twice as wide, new pixels lie a quarter and three quarters between the old ones.
  CHECK(resize({2, 1, {0, 0, 0, 100, 100, 100}}, 4, 1, resampling::bilinear).pixels ==
        std::vector<uint8_t>{0, 0, 0, 25, 25, 25, 75, 75, 75, 100, 100, 100});
  // Keys' cubic with a = -1/2 is 0.8671875 at 1/4 and 0.2265625 at 3/4; what lies beyond the edge does not count.
  const auto cubic = resize({2, 1, {0, 0, 0, 100, 100, 100}}, 4, 1, resampling::bicubic);
  CHECK(cubic.pixels[3] == 21); // 100 * 0.2265625 / 1.09375 = 20.7
  for (const auto how : {resampling::box, resampling::bilinear, resampling::bicubic})
    for (const auto& [width, height] : {std::pair(1u, 1u), {7u, 3u}, {224u, 224u}, {3u, 500u}}) {
      rgb_image plain{31, 17, {}};
      for (uint32_t i = 0; i < 31 * 17; ++i) plain.pixels.insert(plain.pixels.end(), {3, 128, 255});
      const auto found = resize(plain, width, height, how);
      REQUIRE(found.pixels.size() == size_t(width) * height * 3);
      for (size_t i = 0; i < found.pixels.size(); ++i) REQUIRE(found.pixels[i] == plain.pixels[i % 3]);
    }
}

TEST_CASE("an image becomes planes of scaled and normalised numbers") {
  rgb_image image{6, 6, {}};
  for (uint32_t i = 0; i < 36 * 3; ++i) image.pixels.push_back(uint8_t(i * 2));
  const auto usual = prepare_image(image, usual_preparation(small), small);
  const auto own = read(R"({"image_mean": [0.1, 0.2, 0.3], "image_std": [1, 2, 4], "rescale_factor": 0.5, "size": {"height": 6, "width": 6}})");
  const auto values = prepare_image(image, own, small);
  REQUIRE(values.size() == 108);
  const float means[] = {0.1f, 0.2f, 0.3f}, deviations[] = {1, 2, 4};
  for (uint32_t c = 0; c < 3; ++c)
    for (uint32_t i = 0; i < 36; ++i) {
      const auto byte = float(image.pixels[i * 3 + c]);
      CHECK(values[c * 36 + i] == (byte * 0.5f - means[c]) / deviations[c]);
      CHECK(std::abs(usual[c * 36 + i] - (byte / 127.5f - 1)) < 1e-6f);
    }
  const auto raw = prepare_image(image, read(R"({"do_resize": false, "do_rescale": false, "do_normalize": false})"), small);
  CHECK(raw[0] == 0.0f);
  CHECK(raw[107] == 214.0f);
}

TEST_CASE("the shortest side is resized and the middle cut out where the configuration says so") {
  const auto how = read(R"({"size": {"shortest_edge": 8}, "do_center_crop": true, "crop_size": {"height": 6, "width": 6},
                            "resample": 3, "do_rescale": false, "do_normalize": false})");
  CHECK(how.how == resampling::bicubic);
  const auto image = made_up_image(32, 16);
  const auto values = prepare_image(image, how, small);
  const auto whole = resize(image, 16, 8, resampling::bicubic);
  for (uint32_t y = 0; y < 6; ++y)
    for (uint32_t x = 0; x < 6; ++x)
      for (uint32_t c = 0; c < 3; ++c) CHECK(values[(c * 6 + y) * 6 + x] == float(whole.pixels[((y + 1) * 16 + x + 5) * 3 + c]));
  CHECK_THROWS_WITH(prepare_image({60'000, 1, std::vector<uint8_t>(180'000)}, how, small), "an image of 60000 x 1 pixels is too long");
}

TEST_CASE("without a configuration the defaults are those of transformers, at the model's size") {
  const auto how = read_image_preparation(temporary_folder(), small);
  CHECK(how.width == 6);
  CHECK(how.how == resampling::bilinear);
  CHECK(how.factor == 1.0 / 255);
  CHECK(how.mean == std::array{0.5f, 0.5f, 0.5f});
  CHECK(read(R"({"size": 6})").height == 6);
}

TEST_CASE("what a configuration says and nobody does here is refused with its key") {
  CHECK_THAT(refusal_of(R"({"size": 224})"), ContainsSubstring("size: the image comes out as 224 x 224 pixels, and the model takes 6 x 6"));
  CHECK_THAT(refusal_of(R"({"do_center_crop": true, "crop_size": 5})"), ContainsSubstring("crop_size: the image comes out as 5 x 5"));
  CHECK_THAT(refusal_of(R"({"resample": 1})"), ContainsSubstring("resample: this resampling is not supported"));
  CHECK_THAT(refusal_of(R"({"size": {"height": 0, "width": 6}})"), ContainsSubstring("size.height"));
  CHECK_THAT(refusal_of(R"({"size": {"longest_edge": 6}})"), ContainsSubstring("size"));
  CHECK_THAT(refusal_of(R"({"image_std": [1, 0, 1]})"), ContainsSubstring("image_std[1]"));
  CHECK_THAT(refusal_of(R"({"image_mean": [1, 2]})"), ContainsSubstring("image_mean"));
  CHECK_THAT(refusal_of(R"({"rescale_factor": -1})"), ContainsSubstring("rescale_factor"));
  CHECK_THAT(refusal_of(R"({"do_pad": true})"), ContainsSubstring("do_pad"));
  CHECK_FALSE(refusal_of("nonsense").empty());
  CHECK_THROWS_WITH(prepare_image(made_up_image(5, 6), read(R"({"do_resize": false})"), small), ContainsSubstring("comes out as 5 x 6"));
  auto grey = small;
  grey.channels = 1;
  CHECK_THROWS_WITH(prepare_image(made_up_image(6, 6), usual_preparation(grey), grey), ContainsSubstring("1 channels"));
}
