#include "apps/stories/phrases/words.hpp"
#include "apps/stories/plots/plots.hpp"
#include "apps/stories/story.hpp"
#include "apps/stories/telling/grammar.hpp"
#include "apps/stories/telling/teller.hpp"
#include "support/catch.hpp"
#include "support/program.hpp"
#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <unordered_set>
#include <vector>

using namespace troupe::stories;

namespace {

// The stories that the properties of all stories are checked on.
constexpr uint64_t sample_count = 10000;

const std::vector<story>& sample() {
  static const std::vector<story> stories = [] {
    std::vector<story> made;
    for (uint64_t i = 0; i < sample_count; ++i) made.push_back(make_story(3, i));
    return made;
  }();
  return stories;
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  std::istringstream in{text};
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::string letters_of(const std::string& word) {
  std::string letters;
  for (const char c : word) {
    if (std::isalpha(static_cast<unsigned char>(c)) || c == '\'') letters += c;
  }
  return letters;
}

/// The stories for which `wrong` says something, the first few of them with what it says.
template <class Check>
void check_all(Check wrong) {
  int shown = 0;
  for (const story& one : sample()) {
    const std::string what = wrong(one);
    if (what.empty()) continue;
    UNSCOPED_INFO(one.plot << ": " << what << "\n" << one.text);
    if (++shown == 3) break;
  }
  CHECK(shown == 0);
}

uint64_t fnv1a(std::string_view text, uint64_t hash) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

/// The mean of bits() of a grammar of one pattern, over many stories.
double mean_bits(std::string_view pattern) {
  double sum = 0;
  constexpr int count = 20000;
  for (int i = 0; i < count; ++i) {
    choice draws{5, static_cast<uint64_t>(i)};
    teller t{draws, phrase_list};
    t.set("slot", "[x|y|z]");
    t.say(pattern);
    sum += draws.bits();
  }
  return sum / count;
}

program_result run(const std::string& arguments) { return run_program(TROUPE_STORIES_PROGRAM, arguments); }

} // namespace

TEST_CASE("a story depends on its seed and index only") {
  const story late = make_story(9, 1000);
  for (uint64_t i = 0; i < 50; ++i) {
    CHECK(make_story(9, i).text == make_story(9, i).text);
    CHECK(make_story(9, i).text != make_story(10, i).text);
  }
  CHECK(make_story(9, 1000).text == late.text);
  CHECK(make_story(9, 1000).bits == late.bits);
}

// When stories are changed on purpose: run this test, and put the number that it prints here.
TEST_CASE("the first hundred stories of seed 1 are what they were") {
  uint64_t hash = 0xcbf29ce484222325;
  for (uint64_t i = 0; i < 100; ++i) hash = fnv1a(make_story(1, i).text + "\n", hash);
  char now[19];
  std::snprintf(now, sizeof now, "0x%016llx", static_cast<unsigned long long>(hash));
  CHECK(std::string(now) == "0x68b3442216c12361");
}

TEST_CASE("stories are clean text: one space between words, no gap of a pattern left, no empty line") {
  check_all([](const story& one) -> std::string {
    for (const std::string_view bad :
      {"  ", "\n\n", " \n", "\n ", " .", " ,", " !", " ?", ",,", "..", ".,", ",.", "?.", "!.", "\"\""}) {
      if (one.text.find(bad) != std::string::npos) return "'" + std::string(bad) + "'";
    }
    for (const char c : one.text) {
      const bool fine =
        std::isalnum(static_cast<unsigned char>(c)) || std::string_view(" \n.,;:!?'\"-").find(c) != std::string_view::npos;
      if (!fine) return std::string("the character ") + c;
    }
    return one.text.ends_with(' ') || one.text.ends_with('\n') ? "space at the end" : "";
  });
}

TEST_CASE("a and an stand before the right words") {
  // By ear, not by the rule that chose them.
  const std::set<std::string> sounded_vowels{"useful", "used", "use", "uniform", "one", "once", "unicorn"},
    silent{"hour", "honest"};
  check_all([&](const story& one) -> std::string {
    const auto words = words_of(one.text);
    for (size_t i = 0; i + 1 < words.size(); ++i) {
      const std::string article = lower(letters_of(words[i])), next = lower(letters_of(words[i + 1]));
      if ((article != "a" && article != "an") || next.empty()) continue;
      const bool vowel = (std::string_view("aeiou").find(next[0]) != std::string_view::npos && !sounded_vowels.contains(next)) ||
                         silent.contains(next);
      if (vowel != (article == "an")) return article + " " + next;
    }
    return "";
  });
  CHECK(takes_an("owl"));
  CHECK(takes_an("hour"));
  CHECK(takes_an("old"));
  CHECK_FALSE(takes_an("useful"));
  CHECK_FALSE(takes_an("one"));
  CHECK_FALSE(takes_an("house"));
}

TEST_CASE("sentences begin with a capital and end with a mark") {
  check_all([](const story& one) -> std::string {
    std::istringstream lines{one.text};
    for (std::string line; std::getline(lines, line);) {
      const size_t first = line.find_first_not_of('"');
      if (first == std::string::npos || !std::isupper(static_cast<unsigned char>(line[first])))
        return "a paragraph begins with '" + line.substr(0, 9) + "'";
      const char end = line.ends_with('"') && line.size() > 1 ? line[line.size() - 2] : line.back();
      if (end != '.' && end != '!' && end != '?') return "a paragraph ends with '" + line.substr(line.size() - 9) + "'";
      for (size_t at = 0; at + 2 < line.size(); ++at) {
        const bool over = (line[at] == '.' || line[at] == '!' || line[at] == '?') && line[at + 1] == ' ';
        const bool quote_over = line[at] == '.' && line[at + 1] == '"' && at + 3 < line.size();
        const size_t next = line.find_first_not_of("\" ", at + 1);
        if ((over || quote_over) && next != std::string::npos && !std::isupper(static_cast<unsigned char>(line[next]))) {
          return "a sentence begins with '" + line.substr(next, 12) + "'";
        }
      }
    }
    return "";
  });
}

TEST_CASE("quotes are balanced in every paragraph") {
  check_all([](const story& one) -> std::string {
    std::istringstream lines{one.text};
    for (std::string line; std::getline(lines, line);) {
      bool open = false;
      for (size_t at = 0; at < line.size(); ++at) {
        if (line[at] != '"') continue;
        const bool before = at == 0 || line[at - 1] == ' ',
                   after = at + 1 == line.size() || line[at + 1] == ' ' || line[at + 1] == '.' || line[at + 1] == ',';
        if (open ? !after : !before) return "a quote at the wrong place: " + line.substr(at < 9 ? 0 : at - 9, 20);
        open = !open;
      }
      if (open) return "a quote is not closed";
    }
    return "";
  });
}

TEST_CASE("every story names its hero three times and what was wished for at the end") {
  check_all([](const story& one) -> std::string {
    size_t count = 0;
    for (size_t at = 0; (at = one.text.find(one.hero, at)) != std::string::npos; ++at) ++count;
    if (count < 3) return one.hero + " is named " + std::to_string(count) + " times";
    if (one.wish.empty()) return "no wish";
    const std::string last = lower(one.text.substr(one.text.rfind('\n') + 1));
    return last.find(one.wish) == std::string::npos ? "the end does not mention: " + one.wish : "";
  });
}

TEST_CASE("stories have 80 to 350 words, every plot is told, and a third begins with Once upon a time") {
  std::map<std::string_view, int> plots;
  size_t words = 0, once = 0;
  check_all([](const story& one) {
    const size_t count = words_of(one.text).size();
    return count < 80 || count > 350 ? std::to_string(count) + " words" : std::string();
  });
  for (const story& one : sample()) {
    words += words_of(one.text).size();
    once += one.text.starts_with("Once upon a time") ? 1 : 0;
    ++plots[one.plot];
  }
  CHECK(plots.size() == all_plots().size());
  for (const auto& [name, count] : plots) {
    INFO(name);
    CHECK(count > static_cast<int>(sample_count / 60));
  }
  CHECK(words / sample_count > 150);
  CHECK(words / sample_count < 250);
  CHECK(once > sample_count * 30 / 100);
  CHECK(once < sample_count * 40 / 100);
}

TEST_CASE("no two of ten thousand stories are equal, and their phrases vary") {
  std::unordered_set<std::string> texts, vocabulary;
  std::unordered_set<uint64_t> four_grams;
  size_t all = 0;
  for (const story& one : sample()) {
    texts.insert(one.text);
    const auto words = words_of(one.text);
    for (size_t i = 0; i < words.size(); ++i) {
      vocabulary.insert(lower(letters_of(words[i])));
      if (i + 4 > words.size()) continue;
      uint64_t hash = 0xcbf29ce484222325;
      for (size_t j = i; j < i + 4; ++j) hash = fnv1a(words[j] + " ", hash);
      four_grams.insert(hash);
      ++all;
    }
  }
  CHECK(texts.size() == sample_count);
  INFO(four_grams.size() << " distinct of " << all << " four-grams, " << vocabulary.size() << " distinct words");
  CHECK(four_grams.size() > 100000); // 0.05 of all: the stories have whole sentences in common, not whole stories.
  CHECK(vocabulary.size() > 900);
  CHECK(vocabulary.size() < 2600);
}

TEST_CASE("the bits of a small grammar are its entropy") {
  const double third = std::log2(3.0);
  CHECK(mean_bits("one way") == 0);
  CHECK(mean_bits("[only]") == 0);
  CHECK(mean_bits("[a|b]") == 1);
  CHECK(mean_bits("[a|b] [c|d|e|f]") == 3);
  CHECK(mean_bits("[a|b|c]") == Approx(third));
  CHECK(mean_bits("[3*a|b]") == Approx(0.75 * std::log2(4 / 3.0) + 0.25 * 2).epsilon(0.02));
  // The inner choice is made in half of the cases.
  CHECK(mean_bits("[a|[b|c]]") == Approx(1.5).epsilon(0.02));
  // What is written twice is drawn once; what is not written is not drawn.
  CHECK(mean_bits("{slot} and {slot}") == Approx(third));
  CHECK(mean_bits("[a|{slot}]") == Approx(1 + third / 2).epsilon(0.02));
}

TEST_CASE("the results of a draw are equally likely, or as their weights say") {
  std::array<int, 5> counts{};
  std::array<int, 2> weighted{};
  const std::array<uint32_t, 2> weights{1, 3};
  for (uint64_t i = 0; i < 50000; ++i) {
    choice draws{11, i};
    ++counts[draws.below(5)];
    ++weighted[draws.weighted(weights)];
  }
  for (const int count : counts) CHECK(count == Approx(10000).epsilon(0.05));
  CHECK(weighted[0] == Approx(12500).epsilon(0.05));
}

TEST_CASE("a pattern that names what is not there is a bug that is reported") {
  choice draws{1, 1};
  teller t{draws, phrase_list};
  CHECK_THROWS_AS(t.say("{nothing}"), std::logic_error);
  CHECK_THROWS_AS(t.say("{x.he}"), std::logic_error);
  CHECK_THROWS_AS(t.say("<nothing>"), std::logic_error);
  CHECK_THROWS_AS(t.say("[a|b"), std::logic_error);
}

TEST_CASE("the program prints the stories of the library, from any index, as text and as JSON") {
  const auto text = run("--count 2 --seed 7 --first 40");
  CHECK(text.exit_code == 0);
  CHECK(text.out == make_story(7, 40).text + "\n\n" + make_story(7, 41).text + "\n");
  const auto lines = run("--count 2 --seed 7 --json");
  std::istringstream in{lines.out};
  for (uint64_t i = 0; i < 2; ++i) {
    std::string line;
    REQUIRE(std::getline(in, line));
    CHECK(nlohmann::json::parse(line) == nlohmann::json{{"text", make_story(7, i).text}});
  }
  const auto sums = run("--count 10 --seed 7 --entropy --json");
  double bits = 0;
  for (uint64_t i = 0; i < 10; ++i) bits += make_story(7, i).bits;
  CHECK(nlohmann::json::parse(sums.out).at("bits").get<double>() == Approx(bits));
}

TEST_CASE("stories: a wrong command line ends with 2, a full disk with 1, and the help has examples") {
  CHECK(run("--count 0").exit_code == 2);
  CHECK(run("--count some").exit_code == 2);
  CHECK(run("--stories 3").exit_code == 2);
  CHECK(run("--count 0").out.empty());
  CHECK(run("--count 10 > /dev/full").exit_code == 1);
  CHECK(run("--held-out").exit_code == 2); // Stories have no such thing.
  CHECK(run("--help").out.find("Examples:") != std::string::npos);
}
