#include "model/audio/read_audio.hpp"
#include "model/audio/resampler.hpp"
#include "model/audio/sound_decoder.hpp"
#include "model/error.hpp"
#include "model/formats/input_file.hpp"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

namespace troupe {
namespace {

constexpr size_t piece_frames = 8192;

/// A file in memory that somebody else owns.
class borrowed_bytes final : public byte_source {
public:
  borrowed_bytes(std::span<const uint8_t> bytes, std::string_view name) : bytes_(bytes), name_(name) {}
  std::string name() const override { return name_; }
  uint64_t size() const override { return bytes_.size(); }
  void read(uint64_t offset, std::span<std::byte> out) const override {
    TROUPE_ASSERT(offset <= bytes_.size() && out.size() <= bytes_.size() - offset);
    if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
  }

private:
  std::span<const uint8_t> bytes_;
  std::string name_;
};

} // namespace

struct audio_reader::state {
  std::string name;
  audio_limits limits;
  std::unique_ptr<sound_decoder> decoder;
  std::optional<resampler> to_rate;
  std::vector<float> piece, mono;
  std::vector<float> ready; // At the wanted rate, not handed out.
  uint64_t frames = 0;      // That were decoded.
  bool has_ended = false;

  state(std::shared_ptr<const byte_source> file, uint32_t wanted_rate, const audio_limits& within) : name(file->name()), limits(within) {
    if (file->size() == 0) fail("the file is empty");
    if (file->size() > limits.file_bytes_max)
      fail("has " + std::to_string(file->size()) + " bytes; at most " + std::to_string(limits.file_bytes_max) + " are read of sound");
    decoder = looks_like_mp3(*file) ? decode_by_mpg123(file) : decode_by_sndfile(file);
    if (decoder->channels() > limits.channels_max)
      fail(std::to_string(decoder->channels()) + " channels; wanted 1 to " + std::to_string(limits.channels_max));
    if (decoder->rate() < limits.rate_min || decoder->rate() > limits.rate_max)
      fail(std::to_string(decoder->rate()) + " samples in a second; wanted " + std::to_string(limits.rate_min) + " to " +
           std::to_string(limits.rate_max));
    to_rate.emplace(uint32_t(decoder->rate()), wanted_rate);
    piece.resize(piece_frames * decoder->channels());
    decode();
    if (frames == 0) fail("there is no sound in it");
  }

  [[noreturn]] void fail(const std::string& why) const { throw input_error(name + ": " + why); }

  /// Decodes the next piece.
  void decode() {
    if (has_ended) return;
    const size_t count = decoder->read(piece), channels = decoder->channels();
    if (count == 0) {
      has_ended = true;
      if (decoder->has_exact_length() && frames < decoder->frames())
        fail("is cut short: there are " + std::to_string(frames) + " of " + std::to_string(decoder->frames()) + " samples");
      return to_rate->finish(ready);
    }
    frames += count;
    if (double(frames) > limits.seconds_max * double(decoder->rate()))
      fail("is longer than " + std::to_string(uint64_t(limits.seconds_max)) + " seconds");
    mono.clear();
    for (size_t i = 0; i < count; ++i) {
      double sum = 0;
      for (size_t c = 0; c < channels; ++c) sum += double(piece[i * channels + c]);
      const auto mean = float(sum / double(channels));
      // A sample beyond all measure would become infinite on its way through a filter.
      if (!(std::abs(mean) <= 1e6f)) fail("a sample is not a number that sound can have");
      mono.push_back(mean);
    }
    to_rate->push(mono, ready);
  }
};

audio_reader::audio_reader(const std::filesystem::path& path, uint32_t rate, const audio_limits& limits)
    : state_(std::make_unique<state>(std::make_shared<input_file>(path), rate, limits)) {}

audio_reader::audio_reader(std::span<const uint8_t> file, std::string_view name, uint32_t rate, const audio_limits& limits)
    : state_(std::make_unique<state>(std::make_shared<borrowed_bytes>(file, name), rate, limits)) {}

audio_reader::~audio_reader() = default;

double audio_reader::seconds() const { return double(state_->decoder->frames()) / double(state_->decoder->rate()); }

void audio_reader::fill(std::vector<float>& samples, size_t count) {
  auto& ready = state_->ready;
  while (samples.size() < count) {
    while (ready.empty() && !state_->has_ended) state_->decode();
    if (ready.empty()) return;
    const auto some = ptrdiff_t(std::min(ready.size(), count - samples.size()));
    samples.insert(samples.end(), ready.begin(), ready.begin() + some);
    ready.erase(ready.begin(), ready.begin() + some);
  }
}

} // namespace troupe
