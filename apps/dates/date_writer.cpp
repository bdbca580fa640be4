#include "apps/dates/date_writer.hpp"

namespace troupe::dates {
namespace {

constexpr std::string_view roman[] = {"I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"};

std::string digits(unsigned number, size_t count) {
  std::string text = std::to_string(number);
  if (text.size() < count) text.insert(0, count - text.size(), '0');
  return text;
}

} // namespace

std::string iso_date(std::chrono::year_month_day date) {
  return digits(static_cast<unsigned>(int(date.year())), 4) + "-" + digits(unsigned(date.month()), 2) + "-" +
         digits(unsigned(date.day()), 2);
}

std::string date_writer::text() {
  if (how_ == style::words || !draws().chance(1, 6)) return written("{date}");
  return written_one(in_.phrases);
}

void date_writer::write_name(std::string_view name, std::string& into) {
  const unsigned day = unsigned(date_.day()), month = unsigned(date_.month()), year = static_cast<unsigned>(int(date_.year()));
  const unsigned weekday = std::chrono::weekday(std::chrono::sys_days(date_)).iso_encoding() - 1;
  const bool has_short_year = year >= 1969 && year <= 2068;
  if (name == "d") {
    into += digits(day, 1);
  } else if (name == "dd") {
    into += digits(day, 2);
  } else if (name == "m") {
    into += digits(month, 1);
  } else if (name == "mm") {
    into += digits(month, 2);
  } else if (name == "year") {
    into += digits(year, 4);
  } else if (name == "short year") {
    into += has_short_year && draws().chance(1, 3) ? digits(year % 100, 2) : digits(year, 4);
  } else if (name == "late year") {
    expand(has_short_year ? "[8*{year}|{two digits}|'{two digits}]" : "{year}", into);
  } else if (name == "two digits") {
    into += digits(year % 100, 2);
  } else if (name == "th") {
    expand(in_.ordinal_mark(day), into);
  } else if (name == "day") {
    expand(in_.days[day - 1], into);
  } else if (name == "roman") {
    into += roman[month - 1];
  } else if (name == "month") {
    expand(in_.months[month - 1], into);
  } else if (name == "mon") {
    expand(in_.short_months[month - 1], into);
  } else if (name == "weekday") {
    expand(in_.weekdays[weekday], into);
  } else if (name == "wd") {
    expand(in_.short_weekdays[weekday], into);
  } else if (name == "weekday name") {
    expand("[{weekday}|{wd}]", into);
  } else if (name == "month/day") {
    expand(day > 12 ? "[3*{m}/{d}/{short year}|{mm}/{dd}/{short year}|{mm}-{dd}-{year}|{weekday name}, {m}/{d}/{short year}]"
                    : "<slash>",
      into);
  } else if (name == "date") {
    expand_one(in_.patterns(how_), into);
  } else {
    pattern_writer::write_name(name, into);
  }
}

} // namespace troupe::dates
