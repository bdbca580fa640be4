#include "apps/dates/languages/language.hpp"

namespace troupe::dates {
namespace {

constexpr std::string_view numbers[] = {"6*<slash>", "<dot>", "3*<hyphen>", "3*<year_first>", "<roman>", "{weekday} {d}/{m}/{year}"};

constexpr std::string_view month_name[] = {"6*{d} de {month} [2*de|del] {year}", "3*{d}{th} de {month} de {late year}",
  "{d} de {month}, {year}", "2*{d} {month} {late year}", "{dd} de {month} de {year}", "3*{weekday}[ |, ]{d} de {month} de {late year}",
  "{weekday} {d} de {month} del {year}", "{weekday}[ |, ]{d} {month} {late year}", "{month} {d}, {year}", "{month} {d} de {year}",
  "{d} de {month} del año {year}", "{year}, {d} de {month}"};

constexpr std::string_view short_month[] = {"4*{d} {mon} {late year}", "2*{d} de {mon} de {late year}", "{dd} {mon} {late year}",
  "2*{wd}[ |, ]{d} {mon} {late year}", "{wd} {d} de {mon} de {year}", "{weekday} {d} {mon} {late year}", "2*{dd}-{mon}-{short year}",
  "{d}-{mon}-{year}", "{d}/{mon}/{year}", "{mon} {d}, {year}"};

constexpr std::string_view words[] = {"4*{day} de {month} de {late year}", "3*el {day} de {month} [2*de|del] {year}",
  "2*{weekday}[ |, ]{day} de {month} de {year}", "el {weekday} {day} de {month} de {late year}", "el día {day} de {month} de {year}",
  "[al|del] {day} de {month} de {year}"};

constexpr std::string_view phrases[] = {"4*el {date}", "2*a {date}", "nacid[o|a] el {date}", "fecha: {date}", "factura del {date}",
  "[válido |]hasta el {date}", "antes del {date}", "desde el {date}", "a partir del {date}", "[pagado|entregado|firmado|enviado] el {date}",
  "[la |]reunión del {date}", "el día {date}", "Madrid, {date}", "vence el {date}", "el {date} al mediodía", "({date})"};

} // namespace

const language spanish{
  .code = "es",
  .months = {"enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "sep[9*t|]iembre", "octubre", "noviembre",
    "diciembre"},
  .short_months = {"ene[|.]", "feb[|.]", "mar[|.]", "abr[|.]", "may[|.]", "jun[|.]", "jul[|.]", "ago[|.]", "sep[|t][|.]", "oct[|.]",
    "nov[|.]", "dic[|.]"},
  .weekdays = {"lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"},
  .short_weekdays = {"lun[|.]", "mar[|.]", "mié[|.]", "jue[|.]", "vie[|.]", "sáb[|.]", "dom[|.]"},
  .days = {"[primero|uno]", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez", "once", "doce", "trece", "catorce",
    "quince", "dieciséis", "diecisiete", "dieciocho", "diecinueve", "veinte", "veintiuno", "veintidós", "veintitrés", "veinticuatro",
    "veinticinco", "veintiséis", "veintisiete", "veintiocho", "veintinueve", "treinta", "treinta y uno"},
  .ordinal_mark = [](unsigned day) { return std::string_view(day == 1 ? "[º|.º|°|]" : ""); },
  .numbers = numbers,
  .month_name = month_name,
  .short_month = short_month,
  .words = words,
  .phrases = phrases,
};

} // namespace troupe::dates
