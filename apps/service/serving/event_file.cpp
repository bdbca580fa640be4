#include "apps/service/serving/event_file.hpp"

#include "model/error.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace troupe::service {
namespace {

[[noreturn]] void fail(const char* what) { throw input_error(std::string("events cannot be ") + what + ": " + std::strerror(errno)); }

} // namespace

event_file::event_file(const std::filesystem::path& folder) {
  std::string name = (folder / "eventsXXXXXX").string();
  descriptor_ = ::mkostemp(name.data(), O_CLOEXEC);
  if (descriptor_ < 0) fail("written");
  ::unlink(name.c_str());
}

event_file::~event_file() { ::close(descriptor_); }

void event_file::append(std::string_view name, std::string_view data) {
  std::string text;
  text.reserve(name.size() + 1 + data.size());
  (text.append(name) += '\n').append(data);
  const uint64_t begin = ends_.empty() ? 0 : ends_.back();
  for (size_t done = 0; done < text.size();) {
    const auto written = ::pwrite(descriptor_, text.data() + done, text.size() - done, off_t(begin + done));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail("written");
    done += size_t(written);
  }
  ends_.push_back(begin + text.size());
}

std::pair<std::string, std::string> event_file::read(size_t number) const {
  const uint64_t begin = number == 0 ? 0 : ends_[number - 1];
  std::string text(ends_[number] - begin, '\0');
  for (size_t done = 0; done < text.size();) {
    const auto got = ::pread(descriptor_, text.data() + done, text.size() - done, off_t(begin + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) fail("read");
    done += size_t(got);
  }
  const size_t end = text.find('\n');
  return {text.substr(0, end), text.substr(end + 1)};
}

} // namespace troupe::service
