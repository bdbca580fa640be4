// Claims: sines and Fourier transforms are what the formulas say; features are those that transformers' extractor gives; what a
// preprocessor_config.json says and cannot be meant is one input_error.
#include "model/audio/fourier.hpp"
#include "model/audio/log_mel.hpp"
#include "model/audio/sine.hpp"
#include "model/error.hpp"
#include "model/formats/safetensors.hpp"
#include "model/testing/audio_files.hpp"
#include "model/testing/tiny_folder.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"
#include "support/references.hpp"
#include <algorithm>
#include <cmath>
#include <fstream>

using namespace troupe;
using namespace troupe::testing;

namespace {

using complex = std::complex<double>;

std::string refusal_of(const std::string& config, const audio_spec& model = {.bins = 80, .frames = 3000}) {
  const auto folder = temporary_folder();
  std::ofstream(folder / "preprocessor_config.json") << config;
  try {
    read_audio_preparation(folder, model);
    return "";
  } catch (const input_error& error) {
    return error.what();
  }
}

} // namespace

TEST_CASE("the sine is right to the last bits, far from 0 too") {
  double off = 0;
  for (int i = -20'000; i < 20'000; ++i) off = std::max(off, std::abs(sine(i * 0.0371) - std::sin(i * 0.0371)));
  CHECK(off < 1e-15);
  CHECK(sine(0) == 0);
}

TEST_CASE("a Fourier transform of any length is the sum that it stands for") {
  for (const uint32_t length : {1u, 2u, 7u, 12u, 30u, 400u}) {
    raw_bits bits{length};
    std::vector<complex> in(length), out(length);
    for (auto& one : in) one = {bits.uniform(-1, 1), bits.uniform(-1, 1)};
    fourier_transform(length).transform(in, out);
    double off = 0;
    for (uint32_t k = 0; k < length; ++k) {
      complex sum = 0;
      for (uint32_t n = 0; n < length; ++n) sum += in[n] * std::polar(1.0, -2 * pi * k * n / length);
      off = std::max(off, std::abs(sum - out[k]));
    }
    INFO(length);
    CHECK(off < 1e-11);
  }
}

TEST_CASE("features are those that transformers gives", "[conformance]") {
  const auto folder = testing::references() / "hf" / "whisper";
  if (!std::filesystem::exists(folder)) TROUPE_SKIP("no " + folder.string());
  const safetensors_reader golden(folder / "golden.safetensors");
  const audio_spec model{.bins = 80, .frames = 100};
  const log_mel mel(read_audio_preparation(folder, model));
  const auto wanted = golden.floats("a.input_features");
  double off = 0;
  for (const size_t i : {0, 1}) {
    const auto found = mel.features(golden.floats("a.audio." + std::to_string(i)));
    REQUIRE(found.size() == model.elements());
    for (size_t k = 0; k < found.size(); ++k) off = std::max(off, std::abs(double(found[k]) - wanted[i * found.size() + k]));
  }
  std::cout << "log-mel features off by " << off << '\n';
  CHECK(off < 1e-4);
}

TEST_CASE("a tone is in the band of its pitch, and silence is the same everywhere") {
  const audio_preparation how{.frames = 100};
  const log_mel mel(how);
  const auto high = mel.features(tone(3000, 16'000, 16'000)), low = mel.features(tone(300, 16'000, 16'000));
  const auto loudest = [&](const std::vector<float>& features) {
    uint32_t best = 0;
    for (uint32_t b = 1; b < how.bins; ++b)
      if (features[b * how.frames + 50] > features[best * how.frames + 50]) best = b;
    return best;
  };
  CHECK(loudest(low) == 7);
  CHECK(loudest(high) == 54);
  const auto silence = mel.features({});
  CHECK(std::ranges::all_of(silence, [](float value) { return value == -1.5f; }));
}

TEST_CASE("a preprocessor_config.json that does not fit the model, or says more than is done, is refused by its key") {
  CHECK(refusal_of("{}") == "");
  CHECK(refusal_of(R"({"feature_size": 80, "sampling_rate": 16000, "n_fft": 400, "hop_length": 160, "n_samples": 480000})") == "");
  CHECK_THAT(refusal_of(R"({"feature_size": 128})"), ContainsSubstring("feature_size: wanted 80"));
  CHECK_THAT(refusal_of(R"({"n_samples": 160000})"), ContainsSubstring("n_samples: wanted 480000"));
  CHECK_THAT(refusal_of(R"({"nb_max_frames": 2999})"), ContainsSubstring("nb_max_frames"));
  CHECK_THAT(refusal_of(R"({"n_fft": 4})"), ContainsSubstring("n_fft: wanted at least 16"));
  CHECK_THAT(refusal_of(R"({"hop_length": 0})"), ContainsSubstring("hop_length"));
  CHECK_THAT(refusal_of(R"({"sampling_rate": 1e9})"), ContainsSubstring("sampling_rate"));
  CHECK_THAT(refusal_of(R"({"dither": 0.1})"), ContainsSubstring("dither: is not supported"));
  CHECK_THAT(refusal_of(R"({"do_normalize": true})"), ContainsSubstring("do_normalize"));
  CHECK_THAT(refusal_of(R"({"n_fft": 400, "hop_length": 1, "n_samples": 2})", {.bins = 80, .frames = 2}),
             ContainsSubstring("n_fft: is longer than what the model takes at once"));
}
