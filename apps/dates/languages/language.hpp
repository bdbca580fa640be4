#pragma once
// How people who speak a language write dates.
#include <array>
#include <span>
#include <string_view>

namespace troupe::dates {

enum class style { numbers, month_name, short_month, words };
inline constexpr style all_styles[] = {style::numbers, style::month_name, style::short_month, style::words};

/// All texts are patterns (apps/generators/patterns.hpp) in the names of `date_writer`.
struct language {
  std::string_view code;                                     // ISO 639
  std::array<std::string_view, 12> months, short_months;     // From January.
  std::array<std::string_view, 7> weekdays, short_weekdays;  // From Monday.
  std::array<std::string_view, 31> days;                     // In words, from the first.
  std::string_view (*ordinal_mark)(unsigned day);            // What makes a number an ordinal: "rd".
  std::span<const std::string_view> numbers, month_name, short_month, words; // The date, by style.
  std::span<const std::string_view> phrases;                 // What may stand around {date}, which is not in words.

  std::span<const std::string_view> patterns(style of) const {
    return of == style::numbers ? numbers : of == style::month_name ? month_name : of == style::short_month ? short_month : words;
  }
};

extern const language english, german, french, spanish, italian;
inline constexpr const language* all_languages[] = {&english, &german, &french, &spanish, &italian};

/// Lists that languages share: <slash>, <dot> and <hyphen> with the day first, <year_first>, <roman>.
std::span<const std::string_view> number_forms(std::string_view name);

} // namespace troupe::dates
