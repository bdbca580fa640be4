// Goal: the program writes the images of the library, as many of each digit, and says clearly what it cannot do.
#include "apps/digits/digit_image.hpp"
#include "apps/digits/image_folder.hpp"
#include "support/catch.hpp"
#include "support/program.hpp"
#include <filesystem>
#include <fstream>
#include <iterator>
#include <unistd.h>

namespace fs = std::filesystem;
using namespace troupe::digits;

namespace {

program_result run(const std::string& arguments) { return run_program(TROUPE_DIGITS_PROGRAM, arguments); }

/// A folder that is gone when the test is.
struct temporary_folder {
  fs::path path = fs::temp_directory_path() / ("digits-" + std::to_string(::getpid()));
  temporary_folder() { fs::create_directory(path); }
  ~temporary_folder() { fs::remove_all(path); }
};

std::vector<uint8_t> bytes_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

size_t files_in(const fs::path& path) { return static_cast<size_t>(std::distance(fs::directory_iterator(path), {})); }

} // namespace

TEST_CASE("the program writes the images of the library: as many of each digit, in its folder") {
  const temporary_folder within;
  const auto folder = within.path / "made";
  REQUIRE(run("--count 40 --seed 7 --output " + folder.string()).exit_code == 0);
  CHECK(files_in(within.path) == 1);
  CHECK(files_in(folder) == 10);
  for (uint64_t i = 0; i < 40; ++i) {
    const auto path = folder / std::to_string(i % 10) / ((i < 10 ? "00000" : "0000") + std::to_string(i) + ".png");
    INFO(path);
    CHECK(bytes_of(path) == grey_png(make_digit_image(7, i, 28).pixels, 28));
  }
  for (int digit = 0; digit < 10; ++digit) CHECK(files_in(folder / std::to_string(digit)) == 4);
}

TEST_CASE("the program writes images of another size, into an empty folder too, but mixes no two runs") {
  const temporary_folder within;
  REQUIRE(run("--count 3 --seed 7 --size 40 --output " + within.path.string() + "/").exit_code == 0);
  CHECK(bytes_of(within.path / "2" / "000002.png") == grey_png(make_digit_image(7, 2, 40).pixels, 40));
  const auto again = run("--count 13 --output " + within.path.string() + " 2>&1");
  CHECK(again.exit_code == 1);
  CHECK(again.out == "digits: " + within.path.string() + ": is there already, and not an empty folder\n");
  CHECK(files_in(within.path / "2") == 1);
}

TEST_CASE("digits: Ctrl-C ends the program with 130 and leaves nothing") {
  const temporary_folder within;
  const auto told = run_program("timeout --foreground --preserve-status -s INT 0.3 " TROUPE_DIGITS_PROGRAM,
    "--count 4000000000 --output " + (within.path / "endless").string());
  CHECK(told.exit_code == 130);
  CHECK(fs::is_empty(within.path));
}

TEST_CASE("digits: a wrong command line ends with 2, a folder that cannot be made with 1, and the help has examples") {
  const temporary_folder within;
  const std::string output = " --output " + (within.path / "made").string();
  for (const std::string& wrong : {"--count 0" + output, "--count some" + output, "--size 7" + output, "--size 1025" + output,
         "--seed -1" + output, "--digits 3" + output, std::string("--count 3")}) {
    INFO(wrong);
    CHECK(run(wrong).exit_code == 2);
  }
  CHECK(fs::is_empty(within.path));
  const auto missing = run("--output /nowhere/digits 2>&1");
  CHECK(missing.exit_code == 1);
  CHECK(missing.out.starts_with("digits: /nowhere/digits"));
  CHECK(run("--output /dev/null").exit_code == 1);
  CHECK(run("--help").out.find("Examples:") != std::string::npos);
}
