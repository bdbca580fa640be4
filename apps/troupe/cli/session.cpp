#include "apps/troupe/cli/session.hpp"
#include "apps/troupe/cli/cluster_file.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <utility>

namespace troupe {

std::shared_ptr<const model_file> open_model(const run_options& options) {
  auto model = open_model(std::filesystem::path(options.model));
  if (!options.quiet)
    for (const auto& warning : model->words.warnings) note("warning: " + options.model + ": " + warning);
  return model;
}

std::unique_ptr<engine> start_engine(std::shared_ptr<const model_file> model, const run_options& options,
                                     std::shared_ptr<const v1::FaultPlan> plan, log_function log) {
  engine_options chosen;
  chosen.log = std::move(log);
  chosen.fault_plan = std::move(plan);
  chosen.threads = options.threads;
  chosen.shards = options.shards;
  chosen.replicas = options.replicas;
  chosen.cached = options.cached;
  chosen.cache_bytes_max = options.cache_memory;
  chosen.prefix_reuse = options.prefix_reuse;
  chosen.as_q8_0 = options.as_q8_0;
  if (options.chunk > 0) {
    chosen.prefill_chunk = options.chunk;
    chosen.step_rows_max = std::max(chosen.step_rows_max, options.chunk);
  }
  if (options.parallel > 0) chosen.sequences_max = options.parallel;
  const auto is_checked = [&](const char* what) { return std::ranges::find(options.checks, what) != options.checks.end(); };
  chosen.checks.products = is_checked("products");
  chosen.checks.weights = is_checked("weights");
  chosen.checks.caches = is_checked("caches");
  const auto cluster = cluster_of(options);
  if (cluster.workers() > 0 && options.replicas == 1) chosen.replicas = cluster.segments(); // So that all compute at once.
  progress_bar bar{"loading " + std::filesystem::path(options.model).filename().string(), !options.quiet};
  return std::make_unique<engine>(std::move(model), chosen, cluster, [&](double share) { bar.advance(share); });
}

int take_events(client& from, const std::function<void(const generation_event&)>& take, const std::function<bool()>& feed) {
  interrupt_guard guard;
  bool more = feed != nullptr, cancelled = false;
  while (true) {
    if (interrupt_guard::signal() != 0 && !cancelled) {
      from.cancel_all();
      cancelled = true;
    }
    more = more && !cancelled && feed();
    if (const auto event = from.next(signal_poll_interval)) take(*event);
    else if (from.pending() == 0 && !more) return interrupt_guard::signal();
  }
}

void place_rows(std::vector<float>& all, const generation_event& event) {
  const size_t first = size_t(event.position) * event.width;
  if (first == 0 && all.empty()) {
    all = event.values; // Nearly always all of it.
    return;
  }
  all.resize(std::max(all.size(), first + event.values.size()));
  std::copy(event.values.begin(), event.values.end(), all.begin() + std::ptrdiff_t(first));
}

} // namespace troupe
