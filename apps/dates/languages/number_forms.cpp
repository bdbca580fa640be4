#include "apps/dates/languages/language.hpp"

namespace troupe::dates {
namespace {

constexpr std::string_view slash[] = {"4*{d}/{m}/{short year}", "4*{dd}/{mm}/{short year}", "{d}/{mm}/{short year}", "{dd}/{m}/{year}",
  "{d} / {m} / {year}", "2*{weekday name}[ |, ]{d}/{m}/{short year}", "{weekday name}[ |, ]{dd}/{mm}/{short year}"};
constexpr std::string_view dot[] = {"4*{d}.{m}.{short year}", "4*{dd}.{mm}.{short year}", "2*{d}. {m}. {short year}", "{dd}.{m}.{year}",
  "2*{weekday name}[ |, ]{d}.{m}.{short year}", "{weekday name}[ |, ]{dd}.{mm}.{short year}"};
constexpr std::string_view hyphen[] = {"3*{d}-{m}-{short year}", "4*{dd}-{mm}-{short year}", "{d} - {m} - {year}",
  "{weekday name}[ |, ]{dd}-{mm}-{short year}"};
constexpr std::string_view year_first[] = {"6*{year}-{mm}-{dd}", "2*{year}-{m}-{d}", "2*{year}/{mm}/{dd}", "{year}/{m}/{d}",
  "2*{year}.{mm}.{dd}", "2*{year}{mm}{dd}", "{year} {mm} {dd}", "{weekday name}[ |, ]{year}-{mm}-{dd}"};
constexpr std::string_view roman[] = {"3*{d}.{roman}.{year}", "2*{d}. {roman}. {short year}", "2*{d} {roman} {year}", "{d}/{roman}/{year}",
  "{d}-{roman}-{short year}"};

} // namespace

std::span<const std::string_view> number_forms(std::string_view name) {
  if (name == "slash") return slash;
  if (name == "dot") return dot;
  if (name == "hyphen") return hyphen;
  if (name == "year_first") return year_first;
  if (name == "roman") return roman;
  return {};
}

} // namespace troupe::dates
