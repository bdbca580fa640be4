// Claim: recordings of people who speak (Debian's package pocketsphinx-testdata) are read as what other programs wrote into them, and their
// features are what the formulas give, summed up one by one with the C library's functions.
#include "model/audio/log_mel.hpp"
#include "model/audio/read_audio.hpp"
#include "model/audio/sine.hpp"
#include "support/catch.hpp"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

using namespace troupe;

namespace {

constexpr uint32_t rate = 16'000, window = 400, hop = 160, bins = 80;

/// The samples of a WAV of one channel and 16 bits: all that follows the head of its data.
std::vector<float> samples_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  const size_t head = bytes.find("data");
  REQUIRE(head != std::string::npos);
  uint32_t length = 0;
  std::memcpy(&length, &bytes[head + 4], sizeof length);
  std::vector<float> samples(std::min<size_t>(length, bytes.size() - head - 8) / 2);
  for (size_t i = 0; i < samples.size(); ++i) {
    int16_t sample = 0;
    std::memcpy(&sample, &bytes[head + 8 + 2 * i], sizeof sample);
    samples[i] = float(sample) / 32768;
  }
  return samples;
}

double mel_of(double hz) { return hz < 1000 ? 3 * hz / 200 : 15 + 27 * std::log(hz / 1000) / std::log(6.4); }
double hz_of(double mel) { return mel < 15 ? 200 * mel / 3 : 1000 * std::exp(std::log(6.4) * (mel - 15) / 27); }

/// [bins, frames], without the last step: log10 of the power in each band.
std::vector<double> band_powers(const std::vector<float>& samples, uint32_t frames) {
  std::vector<double> hz(bins + 2), cosine(window), result(size_t(bins) * frames);
  for (uint32_t i = 0; i < hz.size(); ++i) hz[i] = hz_of(mel_of(rate / 2.0) * i / (bins + 1));
  for (uint32_t i = 0; i < window; ++i) cosine[i] = std::cos(2 * pi * i / window);
  for (uint32_t frame = 0; frame < frames; ++frame) {
    std::vector<double> part(window), power(window / 2 + 1);
    for (uint32_t i = 0; i < window; ++i) {
      const int64_t at = std::abs(int64_t(frame) * hop + i - window / 2);
      part[i] = (0.5 - 0.5 * cosine[i]) * samples.at(size_t(at));
    }
    for (uint32_t k = 0; k < power.size(); ++k) {
      double real = 0, imaginary = 0;
      for (uint32_t i = 0; i < window; ++i) {
        real += part[i] * cosine[k * i % window];
        imaginary += part[i] * cosine[(k * i + window / 4) % window];
      }
      power[k] = real * real + imaginary * imaginary;
    }
    for (uint32_t b = 0; b < bins; ++b) {
      double sum = 0;
      for (uint32_t k = 0; k < power.size(); ++k) {
        const double at = double(k) * rate / window;
        const double up = (at - hz[b]) / (hz[b + 1] - hz[b]), down = (hz[b + 2] - at) / (hz[b + 2] - hz[b + 1]);
        sum += std::max(0.0, std::min(up, down)) * 2 / (hz[b + 2] - hz[b]) * power[k];
      }
      result[size_t(b) * frames + frame] = std::log10(std::max(sum, 1e-10));
    }
  }
  return result;
}

} // namespace

TEST_CASE("recordings of speech that another program wrote are read, and have the features of the formulas") {
  const std::filesystem::path folder = "/usr/share/pocketsphinx/test/data";
  if (!std::filesystem::exists(folder)) TROUPE_SKIP("no " + folder.string());
  constexpr uint32_t frames = 100; // Of every recording the first second.
  const log_mel mel({.frames = frames});
  size_t recordings = 0;
  double off = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".wav") continue;
    INFO(entry.path());
    ++recordings;
    const auto wanted = samples_of(entry.path());
    audio_reader reader(entry.path(), rate);
    std::vector<float> found;
    reader.fill(found, wanted.size() + 1);
    REQUIRE(found == wanted);
    // A window more than a second, so that none reaches beyond it.
    auto logarithms = band_powers(wanted, frames - 2);
    const auto features = mel.features(std::span(found).first(size_t(frames) * hop));
    double greatest = -10;
    for (uint32_t b = 0; b < bins; ++b)
      for (uint32_t frame = 0; frame < frames; ++frame) greatest = std::max(greatest, 4 * double(features[b * frames + frame]) - 4);
    for (uint32_t b = 0; b < bins; ++b)
      for (uint32_t frame = 0; frame < frames - 2; ++frame) {
        const double one = (std::max(logarithms[b * (frames - 2) + frame], greatest - 8) + 4) / 4;
        off = std::max(off, std::abs(one - double(features[b * frames + frame])));
      }
  }
  std::cout << recordings << " recordings, features off by " << off << '\n';
  REQUIRE(recordings == 10);
  CHECK(off < 1e-5);
}
