#include "apps/dates/languages/language.hpp"

namespace troupe::dates {
namespace {

constexpr std::string_view numbers[] = {"6*<dot>", "<slash>", "<hyphen>", "3*<year_first>", "<roman>",
  "{weekday}, [den|der] {d}.{m}.{year}", "{weekday}, [den|der] {dd}.{mm}.{short year}"};

constexpr std::string_view month_name[] = {"6*{d}{th} {month} {late year}", "2*{dd}. {month} {late year}", "{d} {month} {late year}",
  "3*{weekday}, {d}. {month} {late year}", "2*{weekday}, [den|der] {d}. {month} {late year}", "{weekday} {d}. {month} {year}",
  "{weekday}, {dd}. {month} {year}", "{wd}, {d}. {month} {late year}", "{year}, {d}. {month}", "{d}. {month}, {year}"};

constexpr std::string_view short_month[] = {"5*{d}. {mon} {late year}", "2*{dd}. {mon} {late year}", "{d} {mon} {late year}",
  "2*{wd}, {d}. {mon} {late year}", "{wd} {d}. {mon} {late year}", "{wd}, den {d}. {mon} {year}", "{d}-{mon}-{short year}",
  "{dd}-{mon}-{year}", "{weekday}, {d}. {mon} {year}", "{d}.{mon}.{year}"};

constexpr std::string_view words[] = {"2*{day}r {month} {late year}", "2*der {day} {month} {late year}", "4*am {day}n {month} {late year}",
  "2*den {day}n {month} {late year}", "vom {day}n {month} {late year}", "[bis zum|zum|seit dem] {day}n {month} {late year}",
  "{weekday}, der {day} {month} {year}", "[|am ]{weekday}, den {day}n {month} {year}", "am {weekday}, dem {day}n {month} {year}"};

constexpr std::string_view phrases[] = {"4*am {date}", "2*den {date}", "vom {date}", "[gültig |]bis {date}", "bis zum {date}",
  "seit {date}", "Termin: {date}", "Datum: {date}", "geboren am {date}", "Rechnung vom {date}",
  "[bezahlt|geliefert|unterschrieben] am {date}", "fällig am {date}", "spätestens am {date}", "ab {date}", "[die |]Sitzung am {date}",
  "am {date} um zwölf", "({date})"};

} // namespace

const language german{
  .code = "de",
  .months = {"[9*Januar|Jänner]", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November",
    "Dezember"},
  .short_months = {"Jan[|.]", "Feb[|r][|.]", "[Mär[|.]|Mrz[|.]]", "Apr[|.]", "Mai", "Jun[|.]", "Jul[|.]", "Aug[|.]", "Sep[|t][|.]",
    "Okt[|.]", "Nov[|.]", "Dez[|.]"},
  .weekdays = {"Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "[4*Samstag|Sonnabend]", "Sonntag"},
  .short_weekdays = {"Mo[|.]", "Di[|.]", "Mi[|.]", "Do[|.]", "Fr[|.]", "Sa[|.]", "So[|.]"},
  .days = {"erste", "zweite", "dritte", "vierte", "fünfte", "sechste", "sieb[|en]te", "achte", "neunte", "zehnte", "elfte", "zwölfte",
    "dreizehnte", "vierzehnte", "fünfzehnte", "sechzehnte", "siebzehnte", "achtzehnte", "neunzehnte", "zwanzigste", "einundzwanzigste",
    "zweiundzwanzigste", "dreiundzwanzigste", "vierundzwanzigste", "fünfundzwanzigste", "sechsundzwanzigste", "siebenundzwanzigste",
    "achtundzwanzigste", "neunundzwanzigste", "dreißigste", "einunddreißigste"},
  .ordinal_mark = [](unsigned) { return std::string_view("."); },
  .numbers = numbers,
  .month_name = month_name,
  .short_month = short_month,
  .words = words,
  .phrases = phrases,
};

} // namespace troupe::dates
