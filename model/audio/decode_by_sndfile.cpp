#include "model/audio/sound_decoder.hpp"
#include "model/error.hpp"
#include <algorithm>
#include <sndfile.h>
#include <string>

namespace troupe {
namespace {

byte_cursor& cursor_of(void* self) { return *static_cast<byte_cursor*>(self); }
sf_count_t size_of(void* self) { return sf_count_t(cursor_of(self).file().size()); }
sf_count_t place_of(void* self) { return cursor_of(self).at(); }
sf_count_t seek_bytes(sf_count_t offset, int whence, void* self) { return cursor_of(self).seek(offset, whence); }
sf_count_t read_bytes(void* to, sf_count_t count, void* self) {
  return count > 0 ? sf_count_t(cursor_of(self).read(to, size_t(count))) : 0;
}
sf_count_t write_nothing(const void*, sf_count_t, void*) { return 0; }

struct handle_closer {
  void operator()(SNDFILE* handle) const { sf_close(handle); }
};

class sndfile_decoder final : public sound_decoder {
public:
  explicit sndfile_decoder(std::shared_ptr<const byte_source> from) : cursor_(std::move(from)) {
    SF_VIRTUAL_IO functions{size_of, seek_bytes, read_bytes, write_nothing, place_of};
    file_.reset(sf_open_virtual(&functions, SFM_READ, &info_, &cursor_));
    cursor_.rethrow();
    if (!file_ || !is_read())
      throw input_error(cursor_.file().name() + ": is no sound that can be read: wanted WAV, FLAC, Ogg or MP3");
  }

  uint64_t rate() const override { return uint64_t(std::max(0, info_.samplerate)); }
  uint64_t channels() const override { return uint64_t(std::max(1, info_.channels)); }
  uint64_t frames() const override { return info_.frames > 0 && info_.frames != SF_COUNT_MAX ? uint64_t(info_.frames) : 0; }
  /// Of Ogg, a header may only estimate it.
  bool has_exact_length() const override { return container() != SF_FORMAT_OGG; }

  size_t read(std::span<float> out) override {
    const sf_count_t count = sf_readf_float(file_.get(), out.data(), sf_count_t(out.size() / channels()));
    cursor_.rethrow();
    if (count < 0 || sf_error(file_.get()) != SF_ERR_NO_ERROR)
      throw input_error(cursor_.file().name() + ": is damaged: " + sf_strerror(file_.get()));
    return size_t(count);
  }

private:
  int container() const { return info_.format & SF_FORMAT_TYPEMASK; }
  bool is_read() const {
    for (const int one : {SF_FORMAT_WAV, SF_FORMAT_WAVEX, SF_FORMAT_RF64, SF_FORMAT_FLAC, SF_FORMAT_OGG})
      if (container() == one) return true;
    return false;
  }

  byte_cursor cursor_; // Outlives the handle.
  std::unique_ptr<SNDFILE, handle_closer> file_;
  SF_INFO info_{};
};

} // namespace

std::unique_ptr<sound_decoder> decode_by_sndfile(std::shared_ptr<const byte_source> file) {
  return std::make_unique<sndfile_decoder>(std::move(file));
}

} // namespace troupe
