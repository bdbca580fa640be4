#include "apps/troupe/bench/measurement.hpp"
#include "model/error.hpp"
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <numeric>

namespace troupe {
namespace {

using json = nlohmann::ordered_json;

double seconds_of(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

double total_seconds(const measurement& all) { return std::accumulate(all.seconds.begin(), all.seconds.end(), 0.0); }

/// What share of threads * elapsed time was spent inside the code of model/.
double share(std::chrono::nanoseconds compute, double elapsed, uint32_t threads) {
  return elapsed > 0 ? std::clamp(seconds_of(compute) / (elapsed * threads), 0.0, 1.0) : 0;
}

} // namespace

std::vector<double> rates(const measurement& all) {
  std::vector<double> result;
  for (const double seconds : all.seconds) result.push_back(static_cast<double>(all.tokens_per_run) / seconds);
  return result;
}

double median(std::vector<double> values) {
  TROUPE_ASSERT(!values.empty());
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

void measurement::add(double run_seconds, const engine_statistics& before, const engine_statistics& after) {
  seconds.push_back(run_seconds);
  // A request's steps may be of both kinds (a prompt's last step yields a token); its time is that of all of them.
  const auto sum = [](const engine_statistics& totals, auto member) {
    return totals.prefill.*member + totals.decode.*member;
  };
  compute.push_back(sum(after, &step_totals::compute) - sum(before, &step_totals::compute));
  steps += sum(after, &step_totals::steps) - sum(before, &step_totals::steps);
  messages += sum(after, &step_totals::messages) - sum(before, &step_totals::messages);
  busy += after.busy - before.busy;
}

time_shares shares_of(const measurement& all, uint32_t threads) {
  const double available = total_seconds(all) * threads;
  time_shares shares;
  if (available <= 0) return shares;
  const auto compute = std::accumulate(all.compute.begin(), all.compute.end(), std::chrono::nanoseconds{0});
  // The clocks of actors and of the bench start and stop at slightly different moments: keep the sum at 1.
  shares.arithmetic = share(compute, total_seconds(all), threads);
  shares.messages = std::clamp(seconds_of(all.busy - compute) / available, 0.0, 1.0 - shares.arithmetic);
  shares.waiting = 1.0 - shares.arithmetic - shares.messages;
  return shares;
}

std::vector<double> actor_overheads(const measurement& all, uint32_t threads) {
  std::vector<double> result;
  for (size_t run = 0; run < all.seconds.size(); ++run)
    result.push_back(1 - share(all.compute[run], all.seconds[run], threads));
  return result;
}

json to_json(const measurement& all, uint32_t threads) {
  const std::vector<double> samples = rates(all);
  const time_shares shares = shares_of(all, threads);
  const double tokens = static_cast<double>(all.tokens_per_run * all.seconds.size());
  json result;
  result["tokens_per_s"] = median(samples);
  result["spread"] = {{"min", *std::min_element(samples.begin(), samples.end())},
                      {"max", *std::max_element(samples.begin(), samples.end())}};
  result["samples"] = samples;
  result["ms_per_token"] = 1000 / median(samples);
  result["time"] = {{"arithmetic", shares.arithmetic}, {"messages", shares.messages}, {"waiting", shares.waiting}};
  result["actor_overhead"] = shares.actor_overhead();
  result["actor_overhead_samples"] = actor_overheads(all, threads);
  result["steps"] = all.steps;
  result["messages_per_token"] = static_cast<double>(all.messages) / tokens;
  return result;
}

std::string table_head() {
  return "                 tokens/s  (min .. max)         ms/token  arithmetic  messages  waiting  messages/token\n";
}

std::string table_line(const std::string& name, const measurement& all, uint32_t threads) {
  const json facts = to_json(all, threads);
  const json& spread = facts["spread"];
  const json& time = facts["time"];
  char range[40], line[200];
  std::snprintf(range, sizeof range, "(%.1f .. %.1f)", spread["min"].get<double>(), spread["max"].get<double>());
  std::snprintf(line, sizeof line, "%-15s %9.1f  %-20s %9.3f  %8.1f %%  %6.1f %% %6.1f %%  %14.1f\n", name.c_str(),
                facts["tokens_per_s"].get<double>(), range, facts["ms_per_token"].get<double>(),
                100 * time["arithmetic"].get<double>(), 100 * time["messages"].get<double>(),
                100 * time["waiting"].get<double>(), facts["messages_per_token"].get<double>());
  return line;
}

} // namespace troupe
