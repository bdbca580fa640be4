// Goal: the program prints what the library makes, and says clearly what it cannot do. What all generators have is tested here.
#include "apps/dates/date_text.hpp"
#include "support/catch.hpp"
#include "support/program.hpp"
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <unistd.h>

using namespace troupe::dates;
using troupe::generators::part;

namespace {

program_result run(const std::string& arguments) { return run_program(TROUPE_DATES_PROGRAM, arguments); }

std::string line(uint64_t seed, uint64_t index, part from) {
  const auto one = make_date_text(seed, index, from);
  return one.source + "\t" + one.target + "\n";
}

} // namespace

TEST_CASE("the program prints the dates of the library, from any index, of either part, as text and as JSON") {
  CHECK(run("--count 2 --seed 7 --first 40").out == line(7, 40, part::training) + line(7, 41, part::training));
  CHECK(run("--count 2 --seed 7 --held-out").out == line(7, 0, part::held_out) + line(7, 1, part::held_out));
  std::istringstream in{run("--count 3 --seed 7 --json").out};
  for (uint64_t i = 0; i < 3; ++i) {
    std::string text;
    REQUIRE(std::getline(in, text));
    const auto one = make_date_text(7, i, part::training);
    CHECK(nlohmann::json::parse(text) == nlohmann::json{{"source", one.source}, {"target", one.target}});
  }
}

TEST_CASE("a file of --out has the bytes that stdout would have") {
  const auto file = std::filesystem::temp_directory_path() / ("dates-" + std::to_string(::getpid()) + ".tsv");
  const auto told = run("--count 50000 --out " + file.string());
  CHECK(told.exit_code == 0);
  CHECK(told.out.empty());
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  std::filesystem::remove(file);
  CHECK(text.str() == run("--count 50000").out);
}

TEST_CASE("Ctrl-C ends the program with 130 and leaves no file") {
  const auto folder = std::filesystem::temp_directory_path() / ("dates-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  const auto file = (folder / "endless.tsv").string();
  const auto told = run_program("timeout --foreground --preserve-status -s INT 0.3 " TROUPE_DATES_PROGRAM,
    "--count 1000000000000 --out " + file);
  CHECK(told.exit_code == 130);
  CHECK(std::filesystem::is_empty(folder));
  std::filesystem::remove_all(folder);
}

TEST_CASE("dates: a wrong command line ends with 2, a disk that is full or a folder that is not there with 1, and the help has examples") {
  for (const char* wrong : {"--count 0", "--count some", "--dates 3", "--entropy"}) {
    INFO(wrong);
    CHECK(run(wrong).exit_code == 2);
    CHECK(run(wrong).out.empty());
  }
  CHECK(run("--count 10 > /dev/full").exit_code == 1);
  const auto missing = run("--out /nowhere/dates.tsv 2>&1");
  CHECK(missing.exit_code == 1);
  CHECK(missing.out.starts_with("dates: /nowhere/dates.tsv"));
  CHECK(run("--help").out.find("Examples:") != std::string::npos);
}
