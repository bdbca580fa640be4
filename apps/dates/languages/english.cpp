#include "apps/dates/languages/language.hpp"

namespace troupe::dates {
namespace {

std::string_view ordinal_mark(unsigned day) {
  if (day / 10 == 1) return "th";
  return day % 10 == 1 ? "st" : day % 10 == 2 ? "nd" : day % 10 == 3 ? "rd" : "th";
}

constexpr std::string_view numbers[] = {"4*<slash>", "2*{month/day}", "<dot>", "<hyphen>", "3*<year_first>", "<roman>"};

constexpr std::string_view month_name[] = {"4*{month} {d}, {year}", "2*{month} {d} {late year}", "4*{d} {month} {late year}",
  "{d} {month}, {year}", "3*{month} {d}{th}, {year}", "2*{month} {d}{th} {late year}", "2*{d}{th} {month} {late year}",
  "3*[|the ]{d}{th} of {month}[|,] {late year}", "3*{weekday}, {month} {d}, {year}", "{weekday} {month} {d} {year}",
  "2*{weekday}[ |, ]{d} {month} {late year}", "{weekday}[ |, ]{month} {d}{th}[ |, ]{year}",
  "2*{weekday}[ |, ]the {d}{th} of {month}[ |, ]{year}", "{year} {month} {d}", "{year}, {month} {d}", "{d}-{month}-{year}"};

constexpr std::string_view short_month[] = {"4*{mon} {d}, {year}", "2*{mon} {d} {late year}", "4*{d} {mon} {late year}",
  "2*{mon} {d}{th}, {year}", "{d}{th} {mon} {late year}", "{d}{th} of {mon} {late year}", "2*{wd}[ |, ]{mon} {d}[ |, ]{year}",
  "2*{wd}[ |, ]{d} {mon} {late year}", "2*{dd}-{mon}-{short year}", "{d}/{mon}/{year}", "{dd}{mon}{year}", "{year}-{mon}-{dd}",
  "{year} {mon} {d}", "{wd}[ |, ]{mon} {d}{th} {late year}"};

constexpr std::string_view words[] = {"3*[|the ]{day} of {month}[ |, ]{late year}", "2*{month} [the |]{day}, {year}",
  "{month} [the |]{day} {year}", "2*[on |]{weekday}[ |, ]the {day} of {month}[ |, ]{year}", "on the {day} of {month}[ |, ]{late year}",
  "the {day} day of {month}[ |, ]{year}", "[|on ]{weekday}, {month} [the |]{day}, {year}"};

constexpr std::string_view phrases[] = {"4*on {date}", "2*due {date}", "born [on |]{date}", "since {date}", "[valid |]until {date}",
  "date: {date}", "[delivered|signed|paid|posted] on {date}", "[the |]meeting on {date}", "invoice of {date}", "from {date} on",
  "by {date} at the latest", "on {date}, please", "{date}, at noon", "see you on {date}", "({date})"};

} // namespace

const language english{
  .code = "en",
  .months = {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
  .short_months = {"Jan[|.]", "Feb[|.]", "Mar[|.]", "Apr[|.]", "May", "Jun[|.]", "Jul[|.]", "Aug[|.]", "Sep[|t][|.]", "Oct[|.]", "Nov[|.]",
    "Dec[|.]"},
  .weekdays = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"},
  .short_weekdays = {"Mon[|.]", "Tue[|s][|.]", "Wed[|.]", "Thu[|r|rs][|.]", "Fri[|.]", "Sat[|.]", "Sun[|.]"},
  .days = {"first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth",
    "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth", "twentieth", "twenty[-| ]first",
    "twenty[-| ]second", "twenty[-| ]third", "twenty[-| ]fourth", "twenty[-| ]fifth", "twenty[-| ]sixth", "twenty[-| ]seventh",
    "twenty[-| ]eighth", "twenty[-| ]ninth", "thirtieth", "thirty[-| ]first"},
  .ordinal_mark = ordinal_mark,
  .numbers = numbers,
  .month_name = month_name,
  .short_month = short_month,
  .words = words,
  .phrases = phrases,
};

} // namespace troupe::dates
