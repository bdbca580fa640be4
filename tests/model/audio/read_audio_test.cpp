// Claims: sounds of all formats are read as they are meant, at the model's rate; whatever else a file holds ends in one input_error that
// names it, or in samples that are finite numbers.
#include "model/audio/read_audio.hpp"
#include "model/audio/resampler.hpp"
#include "model/error.hpp"
#include "model/testing/audio_files.hpp"
#include "model/testing/tiny_folder.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <unistd.h>

using namespace troupe;
using namespace troupe::testing;

namespace {

constexpr size_t everything = size_t(1) << 24;

std::vector<float> read_all(std::span<const uint8_t> file, uint32_t rate = 16'000, const audio_limits& limits = {}) {
  audio_reader reader(file, "a file", rate, limits);
  std::vector<float> samples;
  reader.fill(samples, everything);
  return samples;
}

std::string refusal_of(std::span<const uint8_t> file, const audio_limits& limits = {}) {
  try {
    read_all(file, 16'000, limits);
    return "";
  } catch (const input_error& error) {
    return error.what();
  }
}

std::vector<float> resampled(std::span<const float> samples, uint32_t from, uint32_t to, size_t piece) {
  resampler one(from, to);
  std::vector<float> out;
  for (size_t at = 0; at < samples.size(); at += piece) one.push(samples.subspan(at, std::min(piece, samples.size() - at)), out);
  one.finish(out);
  return out;
}

/// Away from the ends, before and after which there is silence.
double largest_difference(std::span<const float> a, std::span<const float> b, size_t margin) {
  double off = 0;
  for (size_t i = margin; i + margin < std::min(a.size(), b.size()); ++i) off = std::max(off, std::abs(double(a[i]) - b[i]));
  return off;
}

/// What anybody in this process writes there, as long as this exists.
class stderr_of_here {
public:
  stderr_of_here() { ::dup2(::fileno(file_), STDERR_FILENO); }
  ~stderr_of_here() {
    ::dup2(before_, STDERR_FILENO);
    ::close(before_);
    std::fclose(file_);
  }
  stderr_of_here(const stderr_of_here&) = delete;
  std::string text() const {
    std::string all(4096, 0);
    all.resize(size_t(std::max<ssize_t>(0, ::pread(::fileno(file_), all.data(), all.size(), 0))));
    return all;
  }

private:
  std::FILE* file_ = std::tmpfile();
  int before_ = ::dup(STDERR_FILENO);
};

} // namespace

TEST_CASE("another rate keeps tones as they are, and drops those that it cannot hold") {
  for (const uint32_t rate : {8000u, 11'025u, 22'050u, 44'100u, 48'000u, 44'101u, 122'999u, 191'999u}) {
    INFO(rate);
    const auto found = resampled(tone(440, rate, rate), rate, 16'000, rate);
    CHECK(found.size() == 16'000);
    CHECK(largest_difference(found, tone(440, 16'000, 16'000), 200) < 1e-4);
  }
  const auto gone = resampled(tone(9000, 48'000, 48'000), 48'000, 16'000, 1000);
  CHECK(largest_difference(gone, std::vector<float>(16'000), 200) < 1e-4);
  CHECK(resampled(tone(440, 44'100, 44'101), 44'100, 16'000, 77).size() == 16'001);
}

TEST_CASE("however a sound is cut into pieces, it gets the same samples at another rate, bit for bit") {
  const auto sound = tone(440, 44'100, 10'000);
  const auto whole = resampled(sound, 44'100, 16'000, sound.size());
  for (const size_t piece : {size_t(1), size_t(7), size_t(1024)}) CHECK(resampled(sound, 44'100, 16'000, piece) == whole);
  CHECK(resampled(sound, 16'000, 16'000, 100) == sound);
}

TEST_CASE("sounds of all formats are read, several channels as their mean") {
  const auto mono = tone(440, 16'000, 20'000);
  std::vector<float> stereo;
  for (const float sample : mono) stereo.insert(stereo.end(), {sample, sample * 0.5f});
  for (const char* format : {"float", "wav", "flac", "ogg", "mp3"}) {
    INFO(format);
    const bool is_lossy = std::string_view(format) == "ogg" || std::string_view(format) == "mp3";
    const auto found = read_all(audio_file(format, stereo, 16'000, 2));
    if (!is_lossy) CHECK(found.size() == mono.size());
    CHECK(std::abs(double(found.size()) - double(mono.size())) < 4000);
    std::vector<float> wanted;
    for (const float sample : mono) wanted.push_back(sample * 0.75f);
    if (!is_lossy) CHECK(largest_difference(found, wanted, 0) < 1e-4);
    // Lossy ones may begin later.
    double power = 0;
    for (size_t i = 4000; i < 12'000; ++i) power += double(found[i]) * found[i] / 8000;
    CHECK(power == Approx(0.375 * 0.375 / 2).epsilon(0.05));
  }
  const auto whole = read_all(audio_file("opus", tone(440, 48'000, 48'000), 48'000));
  CHECK(std::abs(double(whole.size()) - 16'000) < 500);
}

TEST_CASE("a file is read piece by piece, from the disk as from memory") {
  const auto bytes = audio_file("flac", tone(440, 44'100, 50'000), 44'100);
  const auto path = temporary_folder() / "sound.flac";
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
  const auto whole = read_all(bytes);
  audio_reader reader(path, 16'000);
  CHECK(reader.seconds() == Approx(50'000 / 44'100.0));
  std::vector<float> pieces;
  for (;;) {
    std::vector<float> piece;
    reader.fill(piece, 999);
    if (piece.empty()) break;
    pieces.insert(pieces.end(), piece.begin(), piece.end());
  }
  CHECK(pieces == whole);
}

TEST_CASE("a file with sound that shrinks while it is read is one error that names it") {
  for (const char* format : {"wav", "flac", "ogg", "mp3"}) {
    INFO(format);
    const auto bytes = audio_file(format, tone(440, 44'100, 400'000), 44'100);
    const auto path = temporary_folder() / "sound";
    std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
    audio_reader reader(path, 16'000);
    std::filesystem::resize_file(path, bytes.size() / 2);
    std::vector<float> samples;
    CHECK_THROWS_WITH(reader.fill(samples, everything), ContainsSubstring(path.string() + ": "));
  }
}

TEST_CASE("a tag before the sound says nothing about its format") {
  const auto sound = tone(440, 16'000, 20'000);
  for (const char* format : {"flac", "mp3"}) {
    INFO(format);
    const auto plain = audio_file(format, sound, 16'000);
    std::vector<uint8_t> tagged{'I', 'D', '3', 4, 0, 0, 0, 0, 2, 44}; // 300 bytes follow.
    tagged.resize(310);
    tagged.insert(tagged.end(), plain.begin(), plain.end());
    CHECK(read_all(tagged) == read_all(plain));
    if (std::string_view(format) != "mp3") continue;
    tagged.insert(tagged.begin() + 310, 500, 0); // Behind a tag there may be nothing for a while.
    CHECK(read_all(tagged) == read_all(plain));
  }
  const std::vector<uint8_t> lies{'I', 'D', '3', 4, 0, 0, 127, 127, 127, 127};
  CHECK(refusal_of(lies) == "a file: is no sound that can be read: wanted WAV, FLAC, Ogg or MP3");
}

TEST_CASE("what is no sound is one error that says why") {
  const auto wav = audio_file("wav", tone(440, 16'000, 1000), 16'000);
  CHECK(refusal_of({}) == "a file: the file is empty");
  CHECK(refusal_of(std::vector<uint8_t>(100, 'x')) == "a file: is no sound that can be read: wanted WAV, FLAC, Ogg or MP3");
  CHECK(refusal_of(std::span(wav).first(20)).starts_with("a file: "));
  CHECK(refusal_of(audio_file("wav", {}, 16'000)) == "a file: there is no sound in it");
  CHECK(refusal_of(audio_file("float", std::vector<float>{0, std::nanf(""), 0}, 16'000)) ==
        "a file: a sample is not a number that sound can have");
  CHECK(refusal_of(audio_file("float", std::vector<float>{0, INFINITY, 0}, 16'000)).find("not a number") != std::string::npos);
  CHECK(refusal_of(audio_file("wav", tone(440, 500, 1000), 500)) == "a file: 500 samples in a second; wanted 1000 to 192000");
  CHECK(refusal_of(wav, {.file_bytes_max = 100}).find("at most 100") != std::string::npos);
  CHECK(refusal_of(wav, {.seconds_max = 0.01}).find("is longer than") != std::string::npos);
  CHECK(refusal_of(audio_file("wav", std::vector<float>(80), 16'000, 8), {.channels_max = 2}) == "a file: 8 channels; wanted 1 to 2");
  CHECK_THROWS_WITH(audio_reader("/nowhere.wav", 16'000), ContainsSubstring("/nowhere.wav"));
  CHECK_THROWS_WITH(audio_reader("/", 16'000), ContainsSubstring("/"));
}

TEST_CASE("a WAV whose header lies of its length gives what there is, and a FLAC that is cut short is an error") {
  auto wav = audio_file("wav", tone(440, 16'000, 1000), 16'000);
  const uint32_t huge = 0xfffffff0;
  std::memcpy(&wav[40], &huge, sizeof huge); // The length of its data.
  const auto why = refusal_of(wav);
  if (why.empty()) CHECK(read_all(wav).size() == 1000);
  const auto flac = audio_file("flac", tone(440, 16'000, 50'000), 16'000);
  CHECK(refusal_of(std::span(flac).first(flac.size() / 2)) != "");
  size_t frames = 0; // Between two of them, too, where nothing but the length in its head says so.
  for (size_t i = 100; i + 1 < flac.size(); ++i) {
    if (flac[i] != 0xff || flac[i + 1] != 0xf8) continue;
    ++frames;
    CHECK_THAT(refusal_of(std::span(flac).first(i)), ContainsSubstring("is cut short") || ContainsSubstring("is damaged"));
  }
  CHECK(frames > 5);
}

TEST_CASE("whatever is damaged in a file, it ends in one error that names it or in finite samples") {
  for (const char* format : {"wav", "float", "flac", "ogg", "opus", "mp3"}) {
    const bool is_opus = std::string_view(format) == "opus";
    const auto whole = audio_file(format, tone(440, is_opus ? 48'000 : 16'000, 9000), is_opus ? 48'000 : 16'000);
    raw_bits bits{7};
    const stderr_of_here said; // Libraries write nothing of their own.
    for (int round = 0; round < 150; ++round) {
      auto file = whole;
      if (round % 2 == 0) file.resize(1 + bits.below(file.size()));
      const size_t among = round % 3 == 0 ? std::min<size_t>(file.size(), 100) : file.size();
      for (uint64_t i = 0; i < 1 + bits.below(6); ++i) file[bits.below(among)] = uint8_t(bits.below(256));
      INFO(format << ", round " << round);
      try {
        const auto samples = read_all(file, 16'000, {.seconds_max = 60});
        CHECK(std::ranges::all_of(samples, [](float sample) { return std::isfinite(sample); }));
      } catch (const input_error& error) {
        CHECK(std::string(error.what()).starts_with("a file: "));
      }
    }
    CHECK(said.text() == "");
  }
}
