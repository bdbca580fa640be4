#pragma once
// Writes one date by the patterns of a language: those of apps/generators/patterns.hpp, with the names
//   {d} {dd}        the day: 3, 03                  {th}            what makes {d} an ordinal: 3{th} is 3rd
//   {m} {mm}        the month: 3, 03                {roman}         the same: III
//   {month} {mon}   its name, and a short one       {day}           the day in words: third
//   {weekday} {wd}  the weekday of this date        {weekday name}  either of them
//   {year}          four digits
//   {short year}    four digits, or the last two: numbers end with it
//   {late year}     four digits, seldom 21 or '21; only behind month and day
//   {month/day}     as in the United States, with the month first, where the day is above 12; else as <slash>
//   {date}          the date in the style that was set, for phrases around it
// A year has two digits only from 1969 to 2068: 69 is 1969 and 68 is 2068, as POSIX reads them.
#include "apps/dates/languages/language.hpp"
#include "apps/generators/patterns.hpp"
#include <chrono>

namespace troupe::dates {

class date_writer : public generators::pattern_writer {
public:
  /// The calendar is the Gregorian one, at all times. The year has four digits.
  date_writer(generators::choice& draws, const language& in, std::chrono::year_month_day date, style how)
      : pattern_writer(draws, number_forms), in_(in), date_(date), how_(how) {}

  /// The date by one of the patterns of its style, seldom with a phrase around it.
  std::string text();

private:
  void write_name(std::string_view name, std::string& into) override;

  const language& in_;
  std::chrono::year_month_day date_;
  style how_;
};

/// "2021-03-03", ISO 8601.
std::string iso_date(std::chrono::year_month_day date);

} // namespace troupe::dates
