#pragma once
// What the dashboard shows, while somebody looks.
#include "apps/service/dashboard/actor_changes.hpp"
#include "apps/service/dashboard/training_run.hpp"
#include "apps/service/serving/context.hpp"
#include "apps/service/serving/event_stream.hpp"
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace troupe::service {

/// The events of GET /dashboard/events, the same for all watchers:
///   snapshot   {"version", "administration", "draining", "interval_ms",
///              "models": [{"name", "prompt", "threads", "numbers", "load", "actors"}], "training"}
///              actors: [[path, kind, restarts, id]...]; prompt: "chat", "text", or "none" for a model that does not go on with a text
///   change     {"draining", "models": [{"numbers", "load", "started": [[path, kind, restarts, id]...], "gone": [path...],
///              "recoveries": [{"path", "reason", "escalates"}]}], "training"}, models in the order of the snapshot
/// training, where a run is watched: {"name", "anew", "points": [[update, loss]...], "validation": [[update, loss]...], "update", "loss",
/// "accuracy", "tokens_per_second"}; of a change, only if there is news: what is new, or with "anew" all points.
/// numbers: {"time_ms", "tokens", "running", "waiting", "cache_used", "cache_max", "busy_ms", "rows_replayed"}; time_ms on a clock that
/// only grows, tokens and busy_ms since the start, rows_replayed since the scheduler's. load: {path: share of one thread's time, 0 to 1} of
/// those that were seen running in looks at all threads every 10 ms.
///
/// One snapshot is taken for all watchers twice a second, and none while there are none. A watcher that reads too slowly misses changes,
/// and gets a snapshot instead when it has caught up. All on the server's thread, but for the questions to engines.
class dashboard {
public:
  static constexpr std::chrono::milliseconds interval{500}, sampling_interval{10};

  /// run: the folder of a training run whose loss is shown; empty: none.
  dashboard(context& in, bool has_administration, const std::filesystem::path& run);
  dashboard(const dashboard&) = delete;
  dashboard& operator=(const dashboard&) = delete;

  void watch(call& of);
  /// Ends all streams; there are no others from now on.
  void end();

private:
  struct watcher {
    watcher(http::server& server, const std::shared_ptr<http::exchange>& by) : stream(server, by) {}
    event_stream stream;
    bool is_current = false; // It has a snapshot and all changes since.
  };
  /// What actors were seen running since the last look, of one model.
  struct samples {
    std::unordered_map<uint64_t, uint32_t> seen; // By id.
    uint32_t count = 0;
  };
  struct question;
  struct reading {
    std::vector<supervision_facts> models;
    training_facts training;
  };

  void look();
  void looked(std::shared_ptr<const reading> now, const std::string& change, const std::string& snapshot);
  void look_again(std::chrono::milliseconds delay);
  void sample();
  void rest();

  context& in_;
  bool has_administration_, is_looking_ = false, is_over_ = false;
  std::shared_ptr<training_run> run_; // Or null. Of the look that is under way.
  std::list<watcher> watchers_;
  std::shared_ptr<const reading> last_; // What watchers know; null while there are none.
  std::vector<samples> samples_;        // By model.
  http::timer next_look_, next_sample_;
};

} // namespace troupe::service
