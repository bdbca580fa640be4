#pragma once
// From the bytes of a file to samples, at the file's own rate. One class for each library that decodes.
#include "model/stored_tensor.hpp"
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <utility>

namespace troupe {

/// Throws input_error, which names the file, wherever it is damaged or cannot be read. Not thread-safe.
class sound_decoder {
public:
  virtual ~sound_decoder() = default;
  virtual uint64_t rate() const = 0;
  virtual uint64_t channels() const = 0; // At least 1.
  /// Of all frames, as the file says it, which may lie; 0: it does not say.
  virtual uint64_t frames() const = 0;
  /// Whether a file that ends before frames() is cut short.
  virtual bool has_exact_length() const = 0;
  /// Fills `out`, [frames, channels], with what comes next. Returns how many frames; 0: there are no more.
  virtual size_t read(std::span<float> out) = 0;
};

/// Bytes of a file, in the order in which a library reads them. It is in C, through which nothing may be thrown: what the file throws is
/// kept for its caller.
class byte_cursor {
public:
  explicit byte_cursor(std::shared_ptr<const byte_source> file) : file_(std::move(file)) {}
  const byte_source& file() const { return *file_; }
  int64_t at() const { return int64_t(at_); }
  /// whence: SEEK_SET, SEEK_CUR, SEEK_END. Returns the new place; -1, and nothing changes: it is outside the file.
  int64_t seek(int64_t offset, int whence);
  /// Returns how many bytes were read: fewer at the end, 0 after an error.
  size_t read(void* to, size_t count);
  /// Throws what was thrown meanwhile.
  void rethrow();

private:
  std::shared_ptr<const byte_source> file_;
  uint64_t at_ = 0;
  std::exception_ptr error_;
};

/// WAV, FLAC, Ogg (Vorbis, Opus): by libsndfile.
std::unique_ptr<sound_decoder> decode_by_sndfile(std::shared_ptr<const byte_source> file);
/// MP3: by libmpg123, with that one of its decoders that every processor has, so that the samples are the same everywhere.
std::unique_ptr<sound_decoder> decode_by_mpg123(std::shared_ptr<const byte_source> file);
/// Whether a file begins as MP3 does: by a frame, or by a tag (ID3v2) before something that is no other format.
bool looks_like_mp3(const byte_source& file);

} // namespace troupe
