#include "model/audio/sound_decoder.hpp"
#include <algorithm>
#include <cstdio>
#include <exception>

namespace troupe {

int64_t byte_cursor::seek(int64_t offset, int whence) {
  const auto size = int64_t(file_->size()), from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? int64_t(at_) : size;
  if (offset < -from || offset > size - from) return -1;
  at_ = uint64_t(from + offset);
  return int64_t(at_);
}

size_t byte_cursor::read(void* to, size_t count) {
  const auto some = size_t(std::min<uint64_t>(count, file_->size() - at_));
  if (some == 0 || error_) return 0;
  try {
    file_->read(at_, {static_cast<std::byte*>(to), some});
  } catch (...) {
    error_ = std::current_exception();
    return 0;
  }
  at_ += some;
  return some;
}

void byte_cursor::rethrow() {
  if (error_) std::rethrow_exception(error_);
}

} // namespace troupe
