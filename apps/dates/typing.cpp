#include "apps/dates/typing.hpp"
#include "apps/generators/slips.hpp"
#include "model/replace_all.hpp"
#include <array>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::dates {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Of letters with accents only small ones occur: 0xC3 0xA0 ... 0xBE in UTF-8, each 0x20 behind its capital. 0xC3 0x9F is ß, which stays.
std::string in_case(std::string text, bool upper) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool accented = i > 0 && static_cast<unsigned char>(text[i - 1]) == 0xC3;
    const bool small = (byte >= 'a' && byte <= 'z') || (accented && byte >= 0xA0 && byte <= 0xBE);
    const bool capital = byte >= 'A' && byte <= 'Z';
    if (upper && small) text[i] = static_cast<char>(byte - 0x20);
    if (!upper && capital) text[i] = static_cast<char>(byte + 0x20);
  }
  return text;
}

std::string without_accents(std::string text, bool two_letters) {
  constexpr std::pair<std::string_view, std::string_view> plain[] = {{"ß", "ss"}, {"é", "e"}, {"á", "a"}, {"à", "a"}, {"í", "i"},
    {"ì", "i"}, {"ó", "o"}, {"û", "u"}, {"ñ", "n"}};
  constexpr std::pair<std::string_view, char> umlauts[] = {{"ä", 'a'}, {"ö", 'o'}, {"ü", 'u'}};
  for (const auto& [letter, instead] : plain) replace_all(text, letter, instead);
  for (const auto& [letter, instead] : umlauts) {
    std::string with{instead};
    if (two_letters) with += 'e';
    replace_all(text, letter, with);
  }
  return text;
}

/// A space, point or comma that can be left out.
bool can_go(std::string_view text, size_t at) {
  if (text[at] != ' ' && text[at] != '.' && text[at] != ',') return false;
  return at > 0 && at + 1 < text.size() && !(is_digit(text[at - 1]) && is_digit(text[at + 1]));
}

void leave_one_out(generators::choice& draws, std::string& text) {
  std::vector<size_t> places;
  for (size_t i = 0; i < text.size(); ++i) {
    if (can_go(text, i)) places.push_back(i);
  }
  if (!places.empty()) text.erase(places[draws.below(static_cast<uint32_t>(places.size()))], 1);
}

void one_space_more(generators::choice& draws, std::string& text) {
  std::vector<size_t> places;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ' ') places.push_back(i);
  }
  if (!places.empty()) text.insert(places[draws.below(static_cast<uint32_t>(places.size()))], 1, ' ');
}

} // namespace

std::string typed(generators::choice& draws, std::string text, slips where) {
  if (draws.chance(1, 12)) text = without_accents(std::move(text), draws.chance(1, 2));
  constexpr std::array<uint32_t, 3> cases{12, 3, 1}; // As it is, small letters, capitals.
  const uint32_t written_in = draws.weighted(cases);
  if (written_in > 0) text = in_case(std::move(text), written_in == 2);
  if (!draws.chance(1, 12)) return text;
  const uint32_t slip = draws.below(where == slips::anywhere ? 3 : 2);
  if (slip == 0) leave_one_out(draws, text);
  if (slip == 1) one_space_more(draws, text);
  // In shorter words, such as junio and julio, a slip makes a month another one.
  if (slip == 2) generators::slip_in_a_word(draws, text, 6);
  return text;
}

} // namespace troupe::dates
