#include "model/audio/sound_decoder.hpp"
#include "model/error.hpp"
#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <mpg123.h>
#include <string>
#include <string_view>

namespace troupe {
namespace {

byte_cursor& cursor_of(void* self) { return *static_cast<byte_cursor*>(self); }
mpg123_ssize_t read_bytes(void* self, void* to, size_t count) { return mpg123_ssize_t(cursor_of(self).read(to, count)); }
off_t seek_bytes(void* self, off_t offset, int whence) { return off_t(cursor_of(self).seek(offset, whence)); }

struct handle_closer {
  void operator()(mpg123_handle* handle) const { mpg123_delete(handle); }
};

class mpg123_decoder final : public sound_decoder {
public:
  explicit mpg123_decoder(std::shared_ptr<const byte_source> from) : cursor_(std::move(from)) {
    static const int library = mpg123_init();
    int error = library;
    if (error == MPG123_OK) handle_.reset(mpg123_new("generic", &error));
    if (!handle_) handle_.reset(mpg123_new(nullptr, &error)); // A library that was built for one kind of processor only.
    if (!handle_) throw std::bad_alloc();
    mpg123_param(handle_.get(), MPG123_REMOVE_FLAGS, MPG123_AUTO_RESAMPLE, 0);
    mpg123_param(handle_.get(), MPG123_ADD_FLAGS, MPG123_QUIET | MPG123_GAPLESS | MPG123_SKIP_ID3V2 | MPG123_NO_FRANKENSTEIN, 0);
    mpg123_param(handle_.get(), MPG123_INDEX_SIZE, 0, 0);
    check(want_floats());
    check(mpg123_replace_reader_handle(handle_.get(), read_bytes, seek_bytes, nullptr));
    long rate = 0;
    int channels = 0, encoding = 0;
    const bool is_sound = mpg123_open_handle(handle_.get(), &cursor_) == MPG123_OK &&
                          mpg123_getformat(handle_.get(), &rate, &channels, &encoding) == MPG123_OK;
    cursor_.rethrow();
    if (!is_sound || rate <= 0 || channels <= 0 || encoding != MPG123_ENC_FLOAT_32)
      throw input_error(cursor_.file().name() + ": is no sound that can be read: wanted WAV, FLAC, Ogg or MP3");
    rate_ = uint64_t(rate);
    channels_ = uint64_t(channels);
  }

  uint64_t rate() const override { return rate_; }
  uint64_t channels() const override { return channels_; }
  uint64_t frames() const override { return uint64_t(std::max<off_t>(0, mpg123_length(handle_.get()))); }
  bool has_exact_length() const override { return false; }

  size_t read(std::span<float> out) override {
    size_t bytes = 0;
    const int result = mpg123_read(handle_.get(), out.data(), out.size_bytes(), &bytes);
    cursor_.rethrow();
    if (result != MPG123_OK && result != MPG123_DONE)
      throw input_error(cursor_.file().name() + ": is damaged: " +
                        (result == MPG123_NEW_FORMAT ? "its rate or its channels change" : mpg123_strerror(handle_.get())));
    return bytes / (sizeof(float) * channels_);
  }

private:
  /// At the rates that MP3 has.
  int want_floats() {
    const long* rates = nullptr;
    size_t count = 0;
    mpg123_rates(&rates, &count);
    int result = mpg123_format_none(handle_.get());
    for (size_t i = 0; i < count && result == MPG123_OK; ++i)
      result = mpg123_format(handle_.get(), rates[i], MPG123_MONO | MPG123_STEREO, MPG123_ENC_FLOAT_32);
    return result;
  }
  void check(int result) const {
    if (result != MPG123_OK) throw input_error(cursor_.file().name() + ": cannot be decoded: " + mpg123_strerror(handle_.get()));
  }

  byte_cursor cursor_; // Outlives the handle.
  std::unique_ptr<mpg123_handle, handle_closer> handle_;
  uint64_t rate_ = 0, channels_ = 0;
};

} // namespace

std::unique_ptr<sound_decoder> decode_by_mpg123(std::shared_ptr<const byte_source> file) {
  return std::make_unique<mpg123_decoder>(std::move(file));
}

bool looks_like_mp3(const byte_source& file) {
  const auto bytes_at = [&](uint64_t offset) {
    uint8_t bytes[10] = {};
    const auto some = offset < file.size() ? size_t(std::min<uint64_t>(10, file.size() - offset)) : 0;
    if (some > 0) file.read(offset, {reinterpret_cast<std::byte*>(bytes), some});
    return std::to_array(bytes);
  };
  const auto begins = [](const auto& bytes, std::string_view with) { return std::memcmp(bytes.data(), with.data(), with.size()) == 0; };
  auto head = bytes_at(0);
  const bool has_tag = begins(head, "ID3");
  // Its length: seven bits of each of four bytes, without these ten.
  if (has_tag) head = bytes_at(10 + ((head[6] & 127u) << 21 | (head[7] & 127u) << 14 | (head[8] & 127u) << 7 | (head[9] & 127u)));
  if (begins(head, "RIFF") || begins(head, "RF64") || begins(head, "fLaC") || begins(head, "OggS")) return false;
  return has_tag || (head[0] == 0xff && (head[1] & 0xe0) == 0xe0);
}

} // namespace troupe
