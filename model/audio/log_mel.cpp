#include "model/audio/log_mel.hpp"
#include "model/audio/sine.hpp"
#include "model/error.hpp"
#include "model/formats/json.hpp"
#include "model/kernels/exponential.hpp"
#include <algorithm>
#include <cmath>

namespace troupe {
namespace {

constexpr uint64_t config_bytes_max = 4 << 20; // Old ones hold the weights of the bands, which are computed here.

// The mel scale of Slaney's Auditory Toolbox (1998): linear up to 1 kHz, logarithmic above.
constexpr double linear_hz = 200.0 / 3, edge_hz = 1000, edge_mel = edge_hz / linear_hz, log_6_4 = 1.8562979903656263, steps = 27;

double mel_of(double hz) { return hz < edge_hz ? hz / linear_hz : edge_mel + logarithm(hz / edge_hz) * (steps / log_6_4); }
double hz_of(double mel) { return mel < edge_mel ? mel * linear_hz : edge_hz / exponential(-(mel - edge_mel) * (log_6_4 / steps)); }

/// Where sample `at`, which may lie outside, is mirrored to.
int64_t mirrored(int64_t at, int64_t count) {
  while (at < 0 || at >= count) at = at < 0 ? -at : 2 * (count - 1) - at;
  return at;
}

/// The value of a key, or `otherwise` where there is none.
uint32_t natural_or(const json_node& config, const char* key, uint32_t otherwise, uint64_t least, uint64_t most) {
  const auto found = config.find(key);
  if (!found) return otherwise;
  const uint64_t value = found->natural(most);
  if (value < least) found->fail_kind("at least " + std::to_string(least));
  return uint32_t(value);
}

void require(const json_node& config, const char* key, uint64_t wanted, const char* why) {
  if (const auto found = config.find(key); found && found->natural() != wanted)
    found->fail_kind(std::to_string(wanted) + ", " + why);
}

} // namespace

audio_preparation usual_preparation(const audio_spec& model) {
  audio_preparation result;
  result.bins = model.bins;
  result.frames = model.frames;
  return result;
}

audio_preparation read_audio_preparation(const std::filesystem::path& folder, const audio_spec& model) {
  auto result = usual_preparation(model);
  const auto path = folder / "preprocessor_config.json";
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return result;
  const json_file file(path, config_bytes_max);
  const json_node config = file.root();
  result.rate = natural_or(config, "sampling_rate", result.rate, 1000, 192'000);
  result.window = natural_or(config, "n_fft", result.window, 16, 8192);
  result.hop = natural_or(config, "hop_length", result.hop, 1, result.window);
  require(config, "feature_size", model.bins, "the bands that the model takes");
  require(config, "nb_max_frames", model.frames, "the frames that the model takes");
  require(config, "n_samples", result.samples(), "as many as make the model's frames");
  if (const auto dither = config.find("dither"); dither && dither->number() != 0) dither->fail("is not supported");
  if (config.flag_or("do_normalize", false)) config.get("do_normalize").fail("is not supported");
  if (const auto window = config.find("n_fft"); result.window / 2 >= result.samples())
    (window ? *window : config).fail("is longer than what the model takes at once");
  return result;
}

log_mel::log_mel(const audio_preparation& how) : how_(how), fourier_(how.window), hann_(how.window), bands_(how.bins) {
  TROUPE_ASSERT(how.window / 2 < how.samples());
  for (uint32_t i = 0; i < how.window; ++i) {
    const double half = sine(pi * i / how.window);
    hann_[i] = half * half; // (1 - cos(2 pi i / window)) / 2
  }
  const double mel_max = mel_of(how.rate / 2.0);
  const auto edge = [&](uint32_t i) { return hz_of(mel_max * i / (how.bins + 1)); };
  for (uint32_t b = 0; b < how.bins; ++b) {
    const double low = edge(b), middle = edge(b + 1), high = edge(b + 2), area = 2 / (high - low);
    band& of = bands_[b];
    for (uint32_t k = 0; k <= how.window / 2; ++k) {
      const double hz = double(k) * how.rate / how.window;
      const double weight = std::min((hz - low) / (middle - low), (high - hz) / (high - middle)) * area;
      if (!(weight > 0)) continue;
      if (of.weights.empty()) of.first = k;
      of.weights.push_back(weight);
    }
  }
}

std::vector<float> log_mel::features(std::span<const float> samples) const {
  TROUPE_ASSERT(samples.size() <= how_.samples());
  const uint32_t frames = how_.frames, window = how_.window;
  std::vector<double> logarithms(uint64_t(how_.bins) * frames);
  std::vector<std::complex<double>> in(window), spectrum(window);
  std::vector<double> power(window / 2 + 1);
  double greatest = -10;
  constexpr double ln_10 = 2.302585092994045684;
  for (uint32_t frame = 0; frame < frames; ++frame) {
    const int64_t first = int64_t(frame) * how_.hop - window / 2;
    for (uint32_t i = 0; i < window; ++i) {
      const auto at = uint64_t(mirrored(first + i, how_.samples()));
      in[i] = at < samples.size() ? hann_[i] * samples[at] : 0;
    }
    fourier_.transform(in, spectrum);
    for (uint32_t k = 0; k < power.size(); ++k)
      power[k] = spectrum[k].real() * spectrum[k].real() + spectrum[k].imag() * spectrum[k].imag();
    for (uint32_t b = 0; b < how_.bins; ++b) {
      double sum = 0;
      for (size_t k = 0; k < bands_[b].weights.size(); ++k) sum += bands_[b].weights[k] * power[bands_[b].first + k];
      const double value = logarithm(std::max(sum, 1e-10)) / ln_10;
      logarithms[uint64_t(b) * frames + frame] = value;
      greatest = std::max(greatest, value);
    }
  }
  std::vector<float> result(logarithms.size());
  for (size_t i = 0; i < result.size(); ++i) result[i] = float((std::max(logarithms[i], greatest - 8) + 4) / 4);
  return result;
}

} // namespace troupe
