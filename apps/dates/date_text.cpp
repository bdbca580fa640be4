#include "apps/dates/date_text.hpp"
#include "apps/dates/date_writer.hpp"
#include "apps/dates/typing.hpp"

namespace troupe::dates {
namespace {

/// Three of four dates are of the years that people write about most.
std::chrono::year_month_day draw_date(generators::choice& draws) {
  const bool near = draws.chance(3, 4);
  const int first = near ? 1950 : 1600, last = near ? 2050 : 2199;
  const std::chrono::year year{first + static_cast<int>(draws.below(static_cast<uint32_t>(last - first + 1)))};
  const std::chrono::month month{draws.below(12) + 1};
  const unsigned days = unsigned((year / month / std::chrono::last).day());
  return year / month / std::chrono::day{draws.below(days) + 1};
}

} // namespace

date_text make_date_text(uint64_t seed, uint64_t index, generators::part from) {
  generators::choice draws{seed, index};
  for (;;) {
    const double before = draws.bits();
    const language& in = *all_languages[draws.below(std::size(all_languages))];
    constexpr std::array<uint32_t, std::size(all_styles)> weights{30, 35, 20, 15};
    const style how = all_styles[draws.weighted(weights)];
    const auto date = draw_date(draws);
    std::string text = date_writer(draws, in, date, how).text();
    text = typed(draws, std::move(text), how == style::words ? slips::not_in_letters : slips::anywhere);
    if (generators::is_held_out(text) != (from == generators::part::held_out)) continue;
    return {std::move(text), iso_date(date), in.code, how, draws.bits() - before};
  }
}

} // namespace troupe::dates
