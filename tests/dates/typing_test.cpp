// Goal: slips of the keyboard change how a text looks, never which date it names.
#include "apps/dates/languages/language.hpp"
#include "apps/dates/typing.hpp"
#include "support/catch.hpp"
#include <set>
#include <vector>

using namespace troupe;
using namespace troupe::dates;

namespace {

std::set<std::string> ways_to_type(const std::string& text, slips where, uint64_t tries = 20000) {
  std::set<std::string> found;
  for (uint64_t i = 0; i < tries; ++i) {
    generators::choice draws{1, i};
    found.insert(typed(draws, text, where));
  }
  return found;
}

/// The numbers in a text, as they stand there.
std::vector<std::string> numbers_in(const std::string& text) {
  std::vector<std::string> numbers(1);
  for (const char c : text) {
    if (c >= '0' && c <= '9') {
      numbers.back() += c;
    } else if (!numbers.back().empty()) {
      numbers.emplace_back();
    }
  }
  if (numbers.back().empty()) numbers.pop_back();
  return numbers;
}

} // namespace

TEST_CASE("no slip changes a number or makes two of them one") {
  for (const std::string text : {"3. 3. 2021", "3.3.21", "2021 03 03", "March 3, 2021", "3 / 4 / 1999", "3 mar 21", "11. 1. 2021"}) {
    for (const std::string& one : ways_to_type(text, slips::anywhere)) {
      INFO(text << " typed as " << one);
      CHECK(numbers_in(one) == numbers_in(text));
    }
  }
}

TEST_CASE("every slip that the header names happens") {
  const auto ways = ways_to_type("Mittwoch, 3. September 2021", slips::anywhere);
  for (const char* way : {"Mittwoch, 3. September 2021", "Mittwoch,3. September 2021", "Mittwoch, 3.September 2021",
         "Mittwoch 3. September 2021", "Mittwoch, 3 September 2021", "Mittwoch, 3.  September 2021", "Mittwoch, 3. Spetember 2021",
         "Mittwoch, 3. Setember 2021", "Mittwoch, 3. Septtember 2021", "mittwoch, 3. september 2021", "MITTWOCH, 3. SEPTEMBER 2021"}) {
    INFO(way);
    CHECK(ways.contains(way));
  }
}

TEST_CASE("letters with accents have capitals, and may be typed without the accent") {
  const auto ways = ways_to_type("3. März 2021, mercoledì, sábado, dreißig", slips::anywhere);
  CHECK(ways.contains("3. MÄRZ 2021, MERCOLEDÌ, SÁBADO, DREIßIG"));
  CHECK(ways.contains("3. Marz 2021, mercoledi, sabado, dreissig"));
  CHECK(ways.contains("3. Maerz 2021, mercoledi, sabado, dreissig"));
}

TEST_CASE("no slip makes the name of a month that of another") {
  std::vector<std::set<std::string>> names(12);
  for (const language* in : all_languages) {
    for (size_t month = 0; month < 12; ++month) {
      std::string name{in->months[month]};
      if (name.find('[') != std::string::npos) name = name == "[9*Januar|Jänner]" ? "Januar" : "septiembre";
      for (const auto& one : ways_to_type(name, slips::anywhere, 3000)) names[month].insert(one);
    }
  }
  for (size_t a = 0; a < 12; ++a) {
    CHECK(names[a].size() > 10);
    for (size_t b = a + 1; b < 12; ++b) {
      for (const auto& name : names[a]) {
        INFO(name);
        CHECK_FALSE(names[b].contains(name));
      }
    }
  }
}

TEST_CASE("where letters must stay, only case, accents and spaces change") {
  for (const std::string& one : ways_to_type("am siebzehnten Dezember", slips::not_in_letters)) {
    std::string letters;
    for (const char c : one) letters += c == ' ' ? std::string() : std::string(1, static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c));
    CHECK(letters == "amsiebzehntendezember");
  }
}
