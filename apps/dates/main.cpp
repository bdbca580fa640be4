// The program `dates`: prints dates as people write them, with what they mean.
#include "apps/dates/date_text.hpp"
#include "apps/generators/program.hpp"

namespace {

constexpr const char* footer = R"(
Examples:
  dates --count 20 --seed 7
  dates --count 400000 --seed 1 --out train.tsv
  dates --count 10000 --seed 2 --held-out --out held_out.tsv

A line is a date in English, German, French, Spanish or Italian, a tab, and the same date as ISO 8601:
  am 3. März 2021	2021-03-03
What a date means follows from rules that leave no doubt: docs/dates.md. Line number i of a seed is the same wherever one begins and
on every machine.)";

} // namespace

int main(int argc, char** argv) {
  const troupe::generators::generator dates{
    .name = "dates",
    .description = "Prints dates as people write them in five languages, with what they mean, made up by a seeded generator.",
    .noun = "dates",
    .footer = footer,
    .fields = {"source", "target"},
    .between = "",
    .has_parts = true,
    .has_entropy = false,
    .make =
      [](uint64_t seed, uint64_t index, troupe::generators::part from) {
        auto made = troupe::dates::make_date_text(seed, index, from);
        return troupe::generators::record{{std::move(made.source), std::move(made.target)}, made.bits};
      },
  };
  return troupe::generators::run(dates, argc, argv);
}
