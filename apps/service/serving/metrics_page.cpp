#include "apps/service/serving/metrics_page.hpp"

#include <algorithm>
#include <cstdio>

namespace troupe::service {
namespace {

std::string label(const std::string& text) {
  std::string escaped;
  for (const char c : text)
    if (c == '\n') escaped += "\\n";
    else escaped += (c == '"' || c == '\\' ? "\\" : "") + std::string(1, c);
  return escaped;
}

class page {
public:
  void family(const std::string& name, const char* type, const char* help) {
    text += "# HELP " + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
  }
  void line(const std::string& name, const std::string& labels, double value) {
    char number[40];
    std::snprintf(number, sizeof number, "%.17g", value);
    text += name + (labels.empty() ? "" : "{" + labels + "}") + " " + number + "\n";
  }
  void queue_times(const std::string& labels, const engine_statistics& statistics) {
    const auto& counts = statistics.queue_times;
    uint64_t sum = 0;
    double bound = 0.001;
    for (size_t i = 0; i < counts.size(); ++i, bound *= 2) {
      char number[24];
      std::snprintf(number, sizeof number, "%g", bound);
      sum += counts[i];
      line("troupe_queue_seconds_bucket", labels + ",le=\"" + (i + 1 < counts.size() ? number : "+Inf") + "\"", double(sum));
    }
    if (counts.empty()) line("troupe_queue_seconds_bucket", labels + ",le=\"+Inf\"", 0);
    line("troupe_queue_seconds_sum", labels, in_seconds(statistics.queue_time));
    line("troupe_queue_seconds_count", labels, double(sum));
  }
  std::string text;
};

} // namespace

std::string metrics_page(const context& in, const std::vector<engine_reading>& engines) {
  page out;
  const auto each_engine = [&](const char* name, const char* type, const char* help, auto value) {
    out.family(name, type, help);
    for (const auto& one : engines) out.line(name, "model_name=\"" + label(one.model) + "\"", double(value(one)));
  };
  const auto each_model = [&](const char* name, const char* type, const char* help, auto print) {
    out.family(name, type, help);
    for (const auto& [model, counts] : in.metrics.models) print("model_name=\"" + label(model) + "\"", counts);
  };
  using reading = const engine_reading&;
  // The three that Kubernetes' inference gateway reads, with vLLM's names and meaning.
  each_engine("vllm:num_requests_running", "gauge", "Sequences that have rows in caches.",
              [](reading one) { return one.statistics.sequences_running; });
  each_engine("vllm:num_requests_waiting", "gauge", "Requests that wait to be started or continued.", [&](reading one) {
    uint64_t all = 0;
    for (const auto& model : in.models) all += model->name() == one.model ? model->under_way() : 0;
    return double(all) - std::min(double(all), double(one.statistics.sequences_running));
  });
  each_engine("vllm:kv_cache_usage_perc", "gauge", "Share of the key/value budget in use; 1 is all.", [](reading one) {
    return double(one.statistics.cache_positions) / std::max<double>(1, double(one.statistics.cache_positions_max));
  });

  const auto count = [&](const char* name, const char* help, uint64_t service_metrics::of_model::*which) {
    each_model(name, "counter", help, [&](const std::string& labels, const auto& counts) { out.line(name, labels, double(counts.*which)); });
  };
  using counts_of = service_metrics::of_model;
  count("troupe_prompt_tokens_total", "Tokens of prompts.", &counts_of::prompt_tokens);
  count("troupe_prompt_tokens_cached_total", "Those of them that an earlier request had left.", &counts_of::cached_tokens);
  count("troupe_generation_tokens_total", "Tokens generated.", &counts_of::generated_tokens);
  each_model("troupe_sequences_ended_total", "counter", "Answers that ended, by reason.", [&](const std::string& labels, const auto& counts) {
    for (const auto& [reason, number] : counts.ended)
      out.line("troupe_sequences_ended_total", labels + ",reason=\"" + label(reason) + "\"", double(number));
  });
  const auto times = [&](const char* name, const char* help, histogram service_metrics::of_model::*which) {
    each_model(name, "histogram", help, [&](const std::string& labels, const auto& counts) { (counts.*which).print(out.text, name, labels); });
  };
  times("troupe_time_to_first_token_seconds", "From a request to its first token.", &counts_of::first_token);
  times("troupe_time_per_output_token_seconds", "Mean time between tokens of a request.", &counts_of::per_token);
  times("troupe_request_seconds", "From a request to its last token.", &counts_of::whole);

  const auto service = [&](const char* name, const char* help, auto value) {
    out.family(name, "counter", help);
    for (const auto& one : engines)
      for (const auto& kind : one.statistics.service)
        out.line(name, "model_name=\"" + label(one.model) + "\",kind=\"" + kind.kind + "\"", value(kind));
  };
  service("troupe_service_seconds_total", "What actors of a kind have computed.", [](const auto& kind) { return in_seconds(kind.time); });
  service("troupe_service_answers_total", "In so many answers.", [](const auto& kind) { return double(kind.answers); });
  out.family("troupe_queue_seconds", "histogram", "From a request to the first step with a row of it.");
  for (const auto& one : engines) out.queue_times("model_name=\"" + label(one.model) + "\"", one.statistics);

  each_engine("troupe_rows_replayed_total", "counter", "Rows computed again, because their keys and values had been lost or evicted.",
              [](reading one) { return one.statistics.rows_replayed; });
  each_engine("troupe_rows_reused_total", "counter", "Rows that were not computed, because an earlier sequence had left them.",
              [](reading one) { return one.statistics.rows_reused; });
  each_engine("troupe_preemptions_total", "counter", "Sequences that gave their key/value memory to others.",
              [](reading one) { return one.statistics.preemptions; });
  each_engine("troupe_step_faults_total", "counter", "Steps that failed.", [](reading one) { return one.statistics.faults; });
  each_engine("troupe_restarts", "gauge", "How often the actors that run now were started again.", [](reading one) {
    uint64_t sum = 0;
    for (const auto& actor : one.actors) sum += actor.restarts;
    return sum;
  });
  each_engine("troupe_steps_total", "counter", "Forward passes.",
              [](reading one) { return one.statistics.prefill.steps + one.statistics.decode.steps; });
  each_engine("troupe_busy_seconds_total", "counter", "Time of all worker threads inside actors.",
              [](reading one) { return in_seconds(one.statistics.busy); });
  if (std::ranges::any_of(engines, [](reading one) { return !one.workers.empty(); })) {
    const auto each_worker = [&](const char* name, const char* type, const char* help, auto value) {
      out.family(name, type, help);
      for (const auto& one : engines)
        for (const auto& worker : one.workers)
          out.line(name, "model_name=\"" + label(one.model) + "\",worker=\"" + label(worker.name) + "\"", double(value(worker)));
    };
    using facts = const worker_facts&;
    each_worker("troupe_worker_ready", "gauge", "Whether this worker process can compute.",
                [](facts one) { return one.state == "ready" || one.state == "draining"; });
    each_worker("troupe_worker_computes", "gauge", "Whether it has layers.", [](facts one) { return !one.layers.empty(); });
    each_worker("troupe_worker_lost_total", "counter", "How often it was lost or could not be had.",
                [](facts one) { return one.times_lost; });
    each_worker("troupe_worker_round_trip_seconds", "gauge", "From the latest ping to its answer.",
                [](facts one) { return in_seconds(one.round_trip); });
  }

  const auto facts = in.server.facts();
  const auto whole = [&](const char* name, const char* type, const char* help, double value) {
    out.family(name, type, help);
    out.line(name, "", value);
  };
  whole("troupe_requests_refused_total", "counter", "Requests refused because others wait.", double(in.metrics.refused));
  whole("troupe_dashboard_looks_total", "counter", "How often the engines were asked for those who watch the dashboard.",
        double(in.metrics.dashboard_looks));
  whole("troupe_http_requests_total", "counter", "Requests of HTTP.", double(facts.requests));
  whole("troupe_http_requests_malformed_total", "counter", "Those that were no valid request.", double(facts.requests_refused));
  whole("troupe_http_connections", "gauge", "Open connections.", double(facts.connections));
  whole("troupe_http_received_bytes_total", "counter", "Bytes received.", double(facts.bytes_received));
  whole("troupe_http_sent_bytes_total", "counter", "Bytes sent.", double(facts.bytes_sent));
  whole("troupe_start_time_seconds", "gauge", "When the service was started.", double(in.started_unix));
  return out.text;
}

} // namespace troupe::service
