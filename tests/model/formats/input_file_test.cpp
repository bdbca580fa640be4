#include "model/formats/input_file.hpp"

#include "model/error.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <fstream>

using namespace troupe;
using namespace troupe::testing;

namespace {

std::string read(const input_file& file, uint64_t offset, uint64_t bytes) {
  std::string text(bytes, '\0');
  file.read(offset, std::as_writable_bytes(std::span(text)));
  return text;
}

void write(const std::filesystem::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

constexpr auto open = input_file::kept::open, closed = input_file::kept::closed;

} // namespace

TEST_CASE("a file is read from any position") {
  const auto kept = GENERATE(open, closed);
  const input_file file(write_temporary("0123456789"), kept);
  CHECK(file.size() == 10);
  CHECK(read(file, 0, 10) == "0123456789");
  CHECK(read(file, 7, 3) == "789");
  CHECK(read(file, 10, 0).empty());
  CHECK_THROWS_AS(read(file, 8, 3), broken_invariant);
  CHECK_NOTHROW(file.require_unchanged());
}

TEST_CASE("a file that is shortened after it was opened is an error that names it, not a signal") {
  const auto path = write_temporary(std::string(10000, 'x'));
  const input_file file(path);
  CHECK(read(file, 9990, 10) == std::string(10, 'x'));
  std::filesystem::resize_file(path, 5000);
  CHECK(read(file, 4990, 10) == std::string(10, 'x'));
  CHECK_THROWS_AS(read(file, 4990, 20), input_error);
  CHECK_THROWS_WITH(read(file, 4990, 20), ContainsSubstring(path.string() + ": the file was shortened: it has 5000 bytes now, and had 10000"));
  CHECK_THROWS_WITH(file.require_unchanged(), ContainsSubstring(path.string() + ": the file was changed"));
}

TEST_CASE("a file that is kept open may be replaced under its name, one that is not is an error then") {
  const auto path = write_temporary("before"), other = write_temporary("after!");
  const input_file kept(path, open), again(path, closed);
  CHECK(read(again, 0, 6) == "before");
  std::filesystem::rename(other, path);
  CHECK(read(kept, 0, 6) == "before");
  CHECK_NOTHROW(kept.require_unchanged());
  CHECK_THROWS_WITH(read(again, 0, 6), ContainsSubstring(path.string() + ": the file was replaced"));
  std::filesystem::remove(path);
  CHECK_THROWS_WITH(read(again, 0, 6), ContainsSubstring(path.string() + ": cannot open the file: No such file"));
}

TEST_CASE("a file that is written to after it was opened has not what was opened") {
  const auto kept = GENERATE(open, closed);
  const auto path = write_temporary("before");
  std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  const input_file file(path, kept);
  write(path, "after!");
  CHECK_THROWS_WITH(file.require_unchanged(), ContainsSubstring(path.string() + ": the file was changed while it was read"));
}
