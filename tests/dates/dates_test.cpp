// Goal: each text means the date beside it, by the rules of docs/dates.md and nothing else, and the texts are as varied as they should be.
#include "apps/dates/date_text.hpp"
#include "model/utf8.hpp"
#include "support/catch.hpp"
#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

using namespace troupe;
using namespace troupe::dates;
using generators::part;

namespace {

constexpr uint64_t sample_count = 100000;

const std::vector<date_text>& sample() {
  static const std::vector<date_text> texts = [] {
    std::vector<date_text> made;
    for (uint64_t i = 0; i < sample_count; ++i) made.push_back(make_date_text(3, i, part::training));
    return made;
  }();
  return texts;
}

struct day {
  int year = 0, month = 0, of_month = 0;
};

day target_of(const date_text& one) {
  day found;
  int end = 0;
  std::sscanf(one.target.c_str(), "%4d-%2d-%2d%n", &found.year, &found.month, &found.of_month, &end);
  return one.target.size() == 10 && end == 10 ? found : day();
}

int days_in(int year, int month) {
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  constexpr std::array<int, 12> days{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && leap ? 29 : days.at(static_cast<size_t>(month - 1));
}

/// 0 is Monday. By counting days from Monday, 1 January 1900.
int weekday_of(day when) {
  long days = when.of_month - 1;
  for (int month = 1; month < when.month; ++month) days += days_in(when.year, month);
  for (int year = 1900; year < when.year; ++year) days += days_in(year, 2) == 29 ? 366 : 365;
  for (int year = when.year; year < 1900; ++year) days -= days_in(year, 2) == 29 ? 366 : 365;
  return static_cast<int>(((days % 7) + 7) % 7);
}

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return text;
}

/// Two digits as POSIX's %y.
int full_year(int year) { return year > 99 ? year : year <= 68 ? 2000 + year : 1900 + year; }

/// A reader of the plain forms, which knows nothing of the generator; false if it is none of them.
bool read_numbers(const std::string& text, day& found) {
  int a = 0, b = 0, c = 0, first = 0, end = 0;
  char x = 0, y = 0;
  if (std::sscanf(text.c_str(), "%d%n%c%d%c%d%n", &a, &first, &x, &b, &y, &c, &end) != 5) return false;
  if (static_cast<size_t>(end) != text.size() || x != y || std::string("./-").find(x) == std::string::npos || b < 0 || c < 0) return false;
  if (first == 4) {
    found = {a, b, c};
  } else {
    found = {full_year(c), b, a};
    if (b > 12) std::swap(found.month, found.of_month); // 12/25/2021
  }
  return true;
}

bool read_words(const std::string& text, day& found) {
  static const std::map<std::string, int> months{{"january", 1}, {"february", 2}, {"march", 3}, {"april", 4}, {"may", 5}, {"june", 6},
    {"july", 7}, {"august", 8}, {"september", 9}, {"october", 10}, {"november", 11}, {"december", 12}, {"januar", 1}, {"februar", 2},
    {"mai", 5}, {"juni", 6}, {"juli", 7}, {"oktober", 10}, {"dezember", 12}, {"janvier", 1}, {"mars", 3}, {"avril", 4}, {"juin", 6},
    {"juillet", 7}, {"septembre", 9}, {"octobre", 10}, {"novembre", 11}, {"enero", 1}, {"febrero", 2}, {"marzo", 3}, {"abril", 4},
    {"mayo", 5}, {"junio", 6}, {"julio", 7}, {"agosto", 8}, {"septiembre", 9}, {"octubre", 10}, {"noviembre", 11}, {"diciembre", 12},
    {"gennaio", 1}, {"febbraio", 2}, {"aprile", 4}, {"maggio", 5}, {"giugno", 6}, {"luglio", 7}, {"settembre", 9}, {"ottobre", 10},
    {"dicembre", 12}};
  const std::string line = lower(text);
  char name[32] = "";
  const auto is_date = [&](int end) {
    const auto month = months.find(name);
    if (static_cast<size_t>(end) != line.size() || found.year < 1000 || month == months.end()) return false;
    found.month = month->second;
    return true;
  };
  for (const char* form : {"%d %31[a-z] %4d%n", "%d. %31[a-z] %4d%n", "%d de %31[a-z] de %4d%n"}) {
    int end = 0;
    if (std::sscanf(line.c_str(), form, &found.of_month, name, &found.year, &end) == 3 && is_date(end)) return true;
  }
  for (const char* form : {"%31[a-z] %d, %4d%n", "%31[a-z] %d%*[a-z], %4d%n"}) {
    int end = 0;
    if (std::sscanf(line.c_str(), form, name, &found.of_month, &found.year, &end) == 3 && is_date(end)) return true;
  }
  return false;
}

} // namespace

TEST_CASE("a text depends on its seed and index only") {
  for (uint64_t i = 0; i < 100; ++i) {
    CHECK(make_date_text(3, i, part::training).source == sample()[i].source);
    CHECK(make_date_text(3, i, part::training).target == sample()[i].target);
  }
  size_t equal = 0;
  for (uint64_t i = 0; i < 1000; ++i) equal += make_date_text(4, i, part::training).source == sample()[i].source ? 1 : 0;
  CHECK(equal < 3);
}

TEST_CASE("the first thousand texts of seed 1 are what they were") {
  uint64_t hash = 0xcbf29ce484222325;
  for (uint64_t i = 0; i < 1000; ++i) {
    const auto one = make_date_text(1, i, part::training);
    for (const char c : one.source + one.target) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  CHECK(hash == 0x626e83623d8eaf4d); // Changed on purpose? Then this is the new number.
}

TEST_CASE("every target is a day of the Gregorian calendar from 1600 to 2199, and all days of the year occur") {
  std::set<std::pair<int, int>> days;
  size_t wrong = 0;
  for (const date_text& one : sample()) {
    const day found = target_of(one);
    wrong += found.year < 1600 || found.year > 2199 || found.month < 1 || found.month > 12 || found.of_month < 1 ||
             found.of_month > days_in(found.year, found.month);
    days.emplace(found.month, found.of_month);
  }
  CHECK(wrong == 0);
  CHECK(days.size() == 366);
}

TEST_CASE("a weekday that is named is that of the date") {
  const std::vector<std::array<std::string, 7>> names{{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"},
    {"montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonntag"},
    {"lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"},
    {"lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"},
    {"lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato", "domenica"}};
  size_t found = 0, wrong = 0;
  for (const date_text& one : sample()) {
    const std::string text = lower(one.source);
    for (const auto& language : names) {
      for (int i = 0; i < 7; ++i) {
        const std::string& name = language.at(static_cast<size_t>(i));
        const size_t at = text.find(name);
        if (at == std::string::npos || (at + name.size() < text.size() && std::isalpha(static_cast<unsigned char>(text[at + name.size()]))))
          continue; // Or the beginning of another word, such as Madrid with a slip.
        ++found;
        if (i == weekday_of(target_of(one))) continue;
        if (++wrong < 4) UNSCOPED_INFO(one.source << " is not " << one.target);
      }
    }
  }
  CHECK(wrong == 0);
  CHECK(found > sample_count / 8);
}

TEST_CASE("a reader who knows the rules but not the generator reads the same dates") {
  size_t numbers = 0, words = 0, wrong = 0;
  for (const date_text& one : sample()) {
    day found;
    if (read_numbers(one.source, found)) {
      ++numbers;
    } else if (read_words(one.source, found)) {
      ++words;
    } else {
      continue;
    }
    const day target = target_of(one);
    if (found.year == target.year && found.month == target.month && found.of_month == target.of_month) continue;
    if (++wrong < 4) UNSCOPED_INFO(one.source << " is not " << one.target);
  }
  CHECK(wrong == 0);
  CHECK(numbers > sample_count / 8);
  CHECK(words > sample_count / 10);
}

TEST_CASE("in a million texts none has two meanings, and nearly all differ") {
  std::unordered_map<size_t, uint32_t> meanings; // The day, by a hash of the text.
  meanings.reserve(1'000'000);
  size_t two = 0;
  for (uint64_t i = 0; i < 1'000'000; ++i) {
    const auto one = make_date_text(8, i, part::training);
    const day found = target_of(one);
    const auto number = static_cast<uint32_t>(found.year * 10000 + found.month * 100 + found.of_month);
    const auto [entry, added] = meanings.try_emplace(std::hash<std::string>()(one.source), number);
    if (added || entry->second == number) continue;
    if (++two < 4) UNSCOPED_INFO(one.source << " is " << entry->second << " and " << number);
  }
  CHECK(two == 0);
  CHECK(meanings.size() > 950'000);
}

TEST_CASE("no text that is held out is in the training data of any seed") {
  std::set<std::string> held_out;
  std::map<std::string_view, int> languages;
  for (uint64_t i = 0; i < 10000; ++i) {
    auto one = make_date_text(2, i, part::held_out);
    ++languages[one.language];
    held_out.insert(std::move(one.source));
  }
  CHECK(held_out.size() > 9900);
  size_t both = 0;
  for (const date_text& one : sample()) both += held_out.contains(one.source) ? 1 : 0;
  CHECK(both == 0);
  // They are texts like the others: a fifth in each language, not all of one kind.
  for (const auto& [code, count] : languages) CHECK(count == Approx(2000).margin(200));
}

TEST_CASE("languages and styles occur as often as the document says") {
  std::map<std::string_view, int> languages;
  std::map<style, int> styles;
  int near = 0, capitals = 0, two_digits = 0;
  for (const date_text& one : sample()) {
    ++languages[one.language];
    ++styles[one.how];
    const int year = target_of(one).year;
    near += year >= 1950 && year <= 2050 ? 1 : 0;
    const bool has_small = std::any_of(one.source.begin(), one.source.end(), [](char c) { return c >= 'a' && c <= 'z'; });
    capitals += !has_small && lower(one.source) != one.source ? 1 : 0;
    two_digits += one.source.find(one.target.substr(0, 4)) == std::string::npos ? 1 : 0;
  }
  const auto share = [](int count) { return 100.0 * count / double(sample_count); };
  CHECK(languages.size() == 5);
  for (const auto& [code, count] : languages) CHECK(share(count) == Approx(20).margin(0.6));
  CHECK(share(styles[style::numbers]) == Approx(30).margin(1.5)); // Short texts that come again are not drawn less often.
  CHECK(share(styles[style::month_name]) == Approx(35).margin(1));
  CHECK(share(styles[style::short_month]) == Approx(20).margin(1));
  CHECK(share(styles[style::words]) == Approx(15).margin(1));
  CHECK(share(near) == Approx(79).margin(1.5)); // 3/4, and the 101 of 600 years among the rest.
  CHECK(share(two_digits) == Approx(10).margin(3));
  CHECK(share(capitals) == Approx(5).margin(2));
}

TEST_CASE("a text is one short line of UTF-8 without a tab or more than one space too much") {
  size_t wrong = 0;
  for (const date_text& one : sample()) {
    size_t doubled = 0;
    for (size_t at = 0; (at = one.source.find("  ", at)) != std::string::npos; ++at) ++doubled;
    const bool fine = !one.source.empty() && one.source.size() <= 64 && is_utf8(one.source) && doubled <= 1 &&
                      one.source.find_first_of("\t\n{}[]<>|*") == std::string::npos && one.source.front() != ' ' &&
                      one.source.back() != ' ';
    if (!fine && ++wrong < 4) UNSCOPED_INFO(one.source);
  }
  CHECK(wrong == 0);
}
