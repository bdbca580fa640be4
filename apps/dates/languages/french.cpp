#include "apps/dates/languages/language.hpp"

namespace troupe::dates {
namespace {

constexpr std::string_view numbers[] = {"6*<slash>", "2*<dot>", "2*<hyphen>", "3*<year_first>", "<roman>", "{weekday} {d}/{m}/{year}"};

constexpr std::string_view month_name[] = {"6*{d}{th} {month} {late year}", "{dd} {month} {late year}",
  "4*{weekday} {d}{th} {month} {late year}",
  "{weekday}, {d}{th} {month} {year}", "{weekday}, le {d}{th} {month} {late year}", "{wd} {d}{th} {month} {late year}",
  "{d}{th} {month}, {year}", "{d}{th} {month} de [l'année|l'an] {year}", "{year}, {d}{th} {month}"};

constexpr std::string_view short_month[] = {"5*{d}{th} {mon} {late year}", "2*{dd} {mon} {late year}", "3*{wd} {d}{th} {mon} {late year}",
  "{weekday} {d}{th} {mon} {late year}", "{wd}, {d}{th} {mon} {year}", "{d}-{mon}-{short year}", "{dd}-{mon}-{year}", "{d}/{mon}/{year}"};

constexpr std::string_view words[] = {"4*le {day} {month} {late year}", "2*{day} {month} {late year}",
  "2*{weekday} {day} {month} {late year}",
  "[du|au] {day} {month} {late year}", "le {weekday} {day} {month} {year}", "{weekday}, le {day} {month} {year}",
  "le {day} {month} de l'an {year}"};

constexpr std::string_view phrases[] = {"4*le {date}", "2*du {date}", "né[|e] le {date}", "date : {date}", "facture du {date}",
  "[valable |]jusqu'au {date}", "avant le {date}", "à partir du {date}", "depuis le {date}", "[payé|livré|signé|envoyé] le {date}",
  "[la |]réunion du {date}", "rendez-vous le {date}", "le {date} à midi", "fait à Lyon, le {date}", "au plus tard le {date}", "({date})"};

} // namespace

const language french{
  .code = "fr",
  .months = {"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"},
  .short_months = {"jan[|v][|.]", "fév[|r][|.]", "mars", "avr[|.]", "mai", "juin", "juil[|.]", "août", "sept[|.]", "oct[|.]", "nov[|.]",
    "déc[|.]"},
  .weekdays = {"lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"},
  .short_weekdays = {"lun[|.]", "mar[|.]", "mer[|.]", "jeu[|.]", "ven[|.]", "sam[|.]", "dim[|.]"},
  .days = {"premier", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze", "douze", "treize", "quatorze",
    "quinze", "seize", "dix-sept", "dix-huit", "dix-neuf", "vingt", "vingt[ |-]et[ |-]un", "vingt-deux", "vingt-trois", "vingt-quatre",
    "vingt-cinq", "vingt-six", "vingt-sept", "vingt-huit", "vingt-neuf", "trente", "trente[ |-]et[ |-]un"},
  .ordinal_mark = [](unsigned day) { return std::string_view(day == 1 ? "[9*er|]" : ""); },
  .numbers = numbers,
  .month_name = month_name,
  .short_month = short_month,
  .words = words,
  .phrases = phrases,
};

} // namespace troupe::dates
