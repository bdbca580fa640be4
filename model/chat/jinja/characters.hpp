#pragma once
// Python's str, on UTF-8 that is known to be valid: characters, white space, case.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::jinja {

size_t count_characters(std::string_view bytes);
/// Where each character begins, and the end.
std::vector<size_t> character_offsets(std::string_view bytes);
/// The bytes of the first `characters` characters; all where there are fewer.
size_t bytes_of(std::string_view bytes, size_t characters);
/// The character that begins at `position`, which moves behind it.
uint32_t next_character(std::string_view bytes, size_t& position);

bool is_space(uint32_t character); // str.isspace: White_Space and U+001C to U+001F.
bool is_cased(uint32_t character);
bool is_lower_case(uint32_t character);
bool is_upper_case(uint32_t character);
bool is_letter(uint32_t character);
bool is_digit(uint32_t character);     // str.isdigit
bool is_number(uint32_t character);    // str.isnumeric: categories N*.
bool is_printable(uint32_t character); // str.isprintable

std::string_view strip_left(std::string_view bytes);
std::string_view strip_right(std::string_view bytes);
/// Without the characters of `set` at its ends; without `set`, without white space.
std::string_view strip(std::string_view bytes, std::optional<std::string_view> set, bool left, bool right);

/// Characters become their simple mapping of Unicode, except: U+00DF becomes "SS", and U+03A3 at the end of a word U+03C2.
std::string to_upper(std::string_view bytes);
std::string to_lower(std::string_view bytes);
std::string to_title(std::string_view bytes);      // str.title
std::string to_capitalised(std::string_view bytes); // str.capitalize

/// str.splitlines
std::vector<std::string_view> split_lines(std::string_view bytes, bool keeps_ends);
/// Words between white space; the last of `splits_max` + 1 is the rest. From the right: the first is.
std::vector<std::string_view> split_words(std::string_view bytes, uint64_t splits_max, bool from_right);

/// Where `wanted` is first or last found; npos. First: linear time.
size_t find_first(std::string_view bytes, std::string_view wanted, size_t from = 0);

} // namespace troupe::jinja
