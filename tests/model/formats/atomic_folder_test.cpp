// Goal: whatever happens while a folder is filled, its name has all of it or nothing, and nothing else is left.
#include "model/error.hpp"
#include "model/formats/atomic_folder.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"
#include <csignal>
#include <fstream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace troupe;
using namespace troupe::testing;

namespace {

std::filesystem::path new_parent() {
  const auto parent = temporary_folder();
  return parent;
}

void fill(const atomic_folder& folder) {
  std::ofstream(folder.partial() / "a") << "one";
  std::filesystem::create_directory(folder.partial() / "inner");
  std::ofstream(folder.partial() / "inner" / "b") << "two";
}

size_t entries_of(const std::filesystem::path& folder) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

} // namespace

TEST_CASE("an atomic folder has its name once it is committed, with all that is in it") {
  const auto parent = new_parent();
  for (const char* spelling : {"model", "other/"}) {
    atomic_folder folder(parent / spelling);
    fill(folder);
    CHECK_FALSE(std::filesystem::exists(parent / spelling));
    CHECK(folder.partial().parent_path() == parent);
    folder.commit();
    CHECK(std::filesystem::exists(parent / spelling / "a"));
    CHECK(std::filesystem::exists(parent / spelling / "inner" / "b"));
  }
  CHECK(entries_of(parent) == 2);
  // As every folder that this process makes: who may read it is for the umask to say.
  struct stat made {}, plain {};
  std::filesystem::create_directory(parent / "plain");
  REQUIRE(::stat((parent / "plain").c_str(), &plain) == 0);
  REQUIRE(::stat((parent / "model").c_str(), &made) == 0);
  CHECK(made.st_mode == plain.st_mode);
}

TEST_CASE("an atomic folder that is not committed leaves nothing") {
  const auto parent = new_parent();
  { fill(atomic_folder(parent / "model")); }
  CHECK(entries_of(parent) == 0);
  {
    atomic_folder folder(parent / "model");
    fill(folder);
    CHECK_THROWS_WITH(folder.commit([] { throw std::runtime_error("killed here"); }), "killed here");
  }
  CHECK(entries_of(parent) == 0);
}

TEST_CASE("a process killed before renaming leaves no folder of the name, and the next one can write") {
  const auto parent = new_parent();
  const pid_t child = fork();
  if (child == 0) {
    atomic_folder folder(parent / "model");
    fill(folder);
    folder.commit([] { ::raise(SIGKILL); });
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFSIGNALED(status));
  CHECK_FALSE(std::filesystem::exists(parent / "model"));
  // As a process of the same id would find it.
  std::filesystem::create_directory(parent / ("model.partial-" + std::to_string(::getpid()) + "-0"));
  atomic_folder folder(parent / "model"), beside(parent / "model");
  fill(folder);
  folder.commit();
  CHECK(std::filesystem::exists(parent / "model" / "a"));
  CHECK_THROWS_WITH(beside.commit(), ContainsSubstring("model: exists already"));
}

TEST_CASE("an atomic folder does not replace anything") {
  const auto parent = new_parent();
  std::filesystem::create_directory(parent / "empty");
  std::ofstream(parent / "file") << "old";
  std::filesystem::create_symlink("nowhere", parent / "link");
  for (const char* taken : {"empty", "file", "link"})
    CHECK_THROWS_WITH(atomic_folder(parent / taken), ContainsSubstring("exists already"));
  CHECK_THROWS_WITH(atomic_folder(parent / "none" / "model"), ContainsSubstring("none/model: cannot create the folder: No such file"));
  CHECK(entries_of(parent) == 3);
}
