#pragma once
// From sound to what a model that listens takes: the logarithm of how much of each pitch there is at each time.
#include "model/audio/fourier.hpp"
#include "model/spec.hpp"
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace troupe {

/// preprocessor_config.json of a model that listens. The defaults are whisper's.
struct audio_preparation {
  uint32_t rate = 16'000; // Samples in a second.
  uint32_t window = 400;  // Samples of one spectrum (n_fft),
  uint32_t hop = 160;     // and from one to the next: one frame.
  uint32_t bins = 80;     // Bands of pitch.
  uint32_t frames = 3000; // What the model takes at once.

  uint32_t samples() const { return frames * hop; }
  double frame_seconds() const { return double(hop) / rate; }
  double seconds() const { return double(samples()) / rate; }
};

/// Throws input_error, naming the key, for what is not supported, or does not fit the model.
audio_preparation read_audio_preparation(const std::filesystem::path& folder, const audio_spec& model);
/// What a model without a folder gets.
audio_preparation usual_preparation(const audio_spec& model);

/// Whisper's features (Radford et al. 2022, §2.2), as transformers' WhisperFeatureExtractor computes them: the power of a Fourier
/// transform under Hann's window, around every hop-th sample; in bands after the mel scale of Slaney's Auditory Toolbox, each of area 1;
/// its decimal logarithm, where nothing is more than 8 below the greatest; (x + 4) / 4. Before the sound there is its mirror image, behind
/// it silence, and behind a whole window its mirror image. In float64 and in one order: the same bits on every machine. Immutable.
class log_mel {
public:
  explicit log_mel(const audio_preparation& how);
  /// samples: mono, at most how.samples(), of how.rate. Result: [bins, frames].
  std::vector<float> features(std::span<const float> samples) const;

private:
  struct band {
    uint32_t first = 0; // Of the transform's elements.
    std::vector<double> weights;
  };
  audio_preparation how_;
  fourier_transform fourier_;
  std::vector<double> hann_;
  std::vector<band> bands_;
};

} // namespace troupe
