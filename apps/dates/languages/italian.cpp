#include "apps/dates/languages/language.hpp"

namespace troupe::dates {
namespace {

constexpr std::string_view numbers[] = {"6*<slash>", "2*<dot>", "2*<hyphen>", "3*<year_first>", "<roman>", "{weekday} {d}/{m}/{year}"};

constexpr std::string_view month_name[] = {"6*{d}{th} {month} {late year}", "{dd} {month} {late year}",
  "4*{weekday}[ |, ]{d}{th} {month} {late year}",
  "{d} di {month} {late year}", "{d}{th} {month}, {year}", "{d}{th} {month} del {year}", "{wd} {d}{th} {month} {late year}",
  "{d} {month} dell'anno {year}", "{year}, {d}{th} {month}"};

constexpr std::string_view short_month[] = {"5*{d}{th} {mon} {late year}", "2*{dd} {mon} {late year}", "3*{wd}[ |, ]{d} {mon} {late year}",
  "{weekday} {d} {mon} {late year}", "2*{dd}-{mon}-{short year}", "{d}-{mon}-{year}", "{d}/{mon}/{year}", "{d}.{mon}.{year}"};

constexpr std::string_view words[] = {"4*il {day} {month} {late year}", "3*{day} {month} {late year}",
  "2*{weekday}[ |, ]{day} {month} {late year}",
  "il giorno {day} {month} {year}", "[dal|al|del] {day} {month} {late year}", "il {day} di {month} {year}", "{day} {month} del {year}"};

constexpr std::string_view phrases[] = {"4*il {date}", "2*del {date}", "nat[o|a] il {date}", "data: {date}", "fattura del {date}",
  "[valido |]fino al {date}", "entro il {date}", "a partire dal {date}", "dal {date}", "[pagato|consegnato|firmato|spedito] il {date}",
  "[la |]riunione del {date}", "il giorno {date}", "Roma, {date}", "scade il {date}", "il {date} a mezzogiorno", "({date})"};

} // namespace

const language italian{
  .code = "it",
  .months = {"gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno", "luglio", "agosto", "settembre", "ottobre", "novembre",
    "dicembre"},
  .short_months = {"gen[|n][|.]", "feb[|b][|.]", "mar[|.]", "apr[|.]", "mag[|.]", "giu[|.]", "lug[|.]", "ago[|.]", "set[|t][|.]",
    "ott[|.]", "nov[|.]", "dic[|.]"},
  .weekdays = {"lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato", "domenica"},
  .short_weekdays = {"lun[|.]", "mar[|.]", "mer[|.]", "gio[|.]", "ven[|.]", "sab[|.]", "dom[|.]"},
  .days = {"primo", "due", "tre", "quattro", "cinque", "sei", "sette", "otto", "nove", "dieci", "undici", "dodici", "tredici",
  "quattordici",
    "quindici", "sedici", "diciassette", "diciotto", "diciannove", "venti", "ventuno", "ventidue", "ventitré", "ventiquattro",
    "venticinque",
    "ventisei", "ventisette", "ventotto", "ventinove", "trenta", "trentuno"},
  .ordinal_mark = [](unsigned day) { return std::string_view(day == 1 ? "[º|°|]" : ""); },
  .numbers = numbers,
  .month_name = month_name,
  .short_month = short_month,
  .words = words,
  .phrases = phrases,
};

} // namespace troupe::dates
