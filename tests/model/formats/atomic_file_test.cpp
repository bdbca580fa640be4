// Goal: whatever happens while a file is written, its name has the old content or the new one, and nothing else is left.
#include "model/error.hpp"
#include "model/formats/atomic_file.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"
#include "support/file_limit.hpp"
#include <csignal>
#include <fstream>
#include <sys/wait.h>
#include <unistd.h>

using namespace troupe;
using namespace troupe::testing;

namespace {

std::span<const std::byte> bytes_in(const std::string& text) { return std::as_bytes(std::span(text)); }

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A folder with a file "data" in it that holds "old".
std::filesystem::path folder_with_old() {
  const auto folder = temporary_folder();
  std::ofstream(folder / "data") << "old";
  return folder;
}

size_t files_in(const std::filesystem::path& folder) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

} // namespace

TEST_CASE("an atomic file has its name once it is committed, with all that was written") {
  const auto folder = folder_with_old();
  std::string wanted = "head";
  {
    atomic_file file(folder / "data");
    file.write(bytes_in("????"));
    for (int i = 0; i < 300; ++i) {
      const std::string some(static_cast<size_t>(i * 37), static_cast<char>('a' + i % 26));
      wanted += some;
      file.write(bytes_in(some));
    }
    const std::string large(3 << 20, 'L'); // More than is ever buffered.
    wanted += large + "end";
    file.write(bytes_in(large));
    file.write(bytes_in("end"));
    file.overwrite(0, bytes_in("head"));
    CHECK(content(folder / "data") == "old");
    file.commit();
  }
  CHECK(content(folder / "data") == wanted);
  CHECK(files_in(folder) == 1);
}

TEST_CASE("an atomic file that is not committed leaves the old one and nothing else") {
  const auto folder = folder_with_old();
  {
    atomic_file file(folder / "data");
    file.write(bytes_in("new"));
    CHECK(files_in(folder) == 2);
  }
  {
    atomic_file file(folder / "data");
    file.write(bytes_in("new"));
    CHECK_THROWS_WITH(file.commit([] { throw std::runtime_error("killed here"); }), "killed here");
  }
  CHECK(content(folder / "data") == "old");
  CHECK(files_in(folder) == 1);
}

TEST_CASE("a process killed between writing and renaming leaves the old file, and the next one can write") {
  const auto folder = folder_with_old();
  const pid_t child = fork();
  if (child == 0) {
    atomic_file file(folder / "data");
    file.write(bytes_in("new"));
    file.commit([] { ::raise(SIGKILL); });
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFSIGNALED(status));
  CHECK(content(folder / "data") == "old");
  atomic_file file(folder / "data");
  file.write(bytes_in("newer"));
  file.commit();
  CHECK(content(folder / "data") == "newer");
}

TEST_CASE("a full disk is an input_error, and leaves the old file and nothing else") {
  const auto folder = folder_with_old();
  const auto fill_the_disk = [&] {
    const file_limit limit(64 << 10);
    atomic_file file(folder / "data");
    for (int i = 0; i < 100; ++i) file.write(bytes_in(std::string(100000, 'x')));
    file.commit();
  };
  CHECK_THROWS_WITH(fill_the_disk(), ContainsSubstring("data: cannot write the file: File too large"));
  CHECK(content(folder / "data") == "old");
  CHECK(files_in(folder) == 1);
}

TEST_CASE("an atomic file that cannot be made or named says why") {
  const auto folder = folder_with_old();
  CHECK_THROWS_WITH(atomic_file(folder / "none" / "data"), ContainsSubstring("none/data: cannot create the file: No such file"));
  std::filesystem::create_directories(folder / "taken" / "by a folder");
  atomic_file file(folder / "taken");
  CHECK_THROWS_WITH(file.commit(), ContainsSubstring("taken: cannot give the file its name"));
}
