#include "apps/service/dashboard/dashboard.hpp"

#include "apps/service/api/json_text.hpp"

#include <algorithm>
#include <utility>

namespace troupe::service {

/// What a look needs; it is answered in a thread of its own.
struct dashboard::question {
  struct of_model {
    engine* runs = nullptr;
    json facts; // Of the snapshot: name, prompt, threads.
    uint64_t tokens = 0, under_way = 0;
    samples running;
  };
  std::vector<of_model> models;
  std::shared_ptr<training_run> run;
  std::shared_ptr<const reading> before;
  bool wants_snapshot = false, is_draining = false;
};

namespace {

json row_of(const actor_facts& one) { return json::array({one.path, one.role, one.restarts, one.id}); }

json rows_of(const std::vector<actor_facts>& actors) {
  json rows = json::array();
  for (const auto& one : actors) rows.push_back(row_of(one));
  return rows;
}

json recoveries_of(const std::vector<supervisor_decision>& decisions) {
  json list = json::array();
  for (const auto& one : decisions)
    list.push_back({{"path", one.child}, {"reason", one.reason}, {"escalates", one.what == supervisor_decision::kind::escalate}});
  return list;
}

const char* prompt_of(const served_model& model) {
  const auto& file = model.file();
  const bool generates = file.spec.output.kind == output_spec::result::tokens && !file.spec.needs_whole_sequences() && !file.spec.encoder;
  if (!generates || file.words.pieces.empty()) return "none";
  return file.words.chat_template.empty() ? "text" : "chat";
}

double in_milliseconds(std::chrono::nanoseconds time) { return double(time.count()) / 1e6; }

/// `seen`: how often each id was, in `count` looks.
json load_of(const std::vector<actor_facts>& actors, const std::unordered_map<uint64_t, uint32_t>& seen, uint32_t count) {
  json load = json::object();
  if (seen.empty()) return load;
  for (const auto& one : actors)
    if (const auto found = seen.find(one.id); found != seen.end())
      load[one.path] = double(1000 * uint64_t(found->second) / count) / 1000;
  return load;
}

/// Null: there is nothing to say. `before`: what watchers know, or null.
json training_news(const training_run& run, const training_facts& now, const training_facts* before) {
  if (before && *before == now) return nullptr;
  const bool is_anew = !before || before->edition != now.edition;
  const auto points_from = [](const std::vector<loss_point>& points, size_t first) {
    json list = json::array();
    for (size_t i = first; i < points.size(); ++i) list.push_back(json::array({points[i].update, points[i].loss}));
    return list;
  };
  return {{"name", run.name()},
          {"anew", is_anew},
          {"points", points_from(now.training, is_anew ? 0 : before->training.size())},
          {"validation", points_from(now.validation, is_anew ? 0 : before->validation.size())},
          {"update", now.update},
          {"loss", now.loss},
          {"accuracy", now.accuracy},
          {"tokens_per_second", now.tokens_per_second}};
}

} // namespace

dashboard::dashboard(context& in, bool has_administration, const std::filesystem::path& run)
  : in_(in), has_administration_(has_administration), run_(run.empty() ? nullptr : std::make_shared<training_run>(run)) {}

void dashboard::watch(call& of) {
  if (is_over_) throw api_error(503, "draining", "this server is being stopped");
  const auto added = watchers_.emplace(watchers_.end(), in_.server, of.exchange);
  if (watchers_.size() == 1) sample();
  if (!is_looking_) look_again(std::chrono::milliseconds(0)); // Nobody waits for the next turn.
  of.exchange->on_gone([this, added] {
    watchers_.erase(added);
    if (watchers_.empty()) rest();
  });
}

void dashboard::end() {
  is_over_ = true;
  for (auto& one : watchers_) one.stream.end();
  watchers_.clear();
  rest();
}

/// Nobody looks: nothing is asked, and nothing kept.
void dashboard::rest() {
  next_look_.cancel();
  next_sample_.cancel();
  last_ = nullptr;
  samples_.clear();
}

void dashboard::sample() {
  samples_.resize(in_.models.size());
  for (size_t i = 0; i < samples_.size(); ++i) {
    for (const uint64_t id : in_.models[i]->runs().running_actors()) ++samples_[i].seen[id];
    ++samples_[i].count;
  }
  next_sample_ = in_.server.after(sampling_interval, [this] { sample(); });
}

void dashboard::look_again(std::chrono::milliseconds delay) {
  next_look_ = in_.server.after(delay, [this] { look(); });
}

void dashboard::look() {
  question asked;
  asked.run = run_;
  asked.before = last_;
  asked.is_draining = in_.is_draining;
  asked.wants_snapshot = std::ranges::any_of(watchers_, [](const watcher& one) { return !one.is_current; });
  samples_.resize(in_.models.size());
  auto running = std::exchange(samples_, std::vector<samples>(in_.models.size()));
  for (size_t i = 0; i < in_.models.size(); ++i) {
    auto& model = *in_.models[i];
    const json facts{{"name", model.name()}, {"prompt", prompt_of(model)}, {"threads", model.runs().options().threads}};
    asked.models.push_back({&model.runs(), facts, model.tokens(), model.under_way(), std::move(running[i])});
  }
  const json head{{"version", in_.own_version}, {"administration", has_administration_}, {"interval_ms", interval.count()}};
  auto work = [this, asked = std::move(asked), head]() -> std::function<void()> {
    auto now = std::make_shared<reading>();
    json change{{"draining", asked.is_draining}}, snapshot(head);
    snapshot["draining"] = asked.is_draining;
    for (size_t i = 0; i < asked.models.size(); ++i) {
      const auto& [runs, facts, tokens, under_way, samples_of] = asked.models[i];
      const auto statistics = runs->statistics();
      now->models.push_back(runs->supervision());
      const auto& actors = now->models.back().actors;
      const json numbers{{"time_ms", in_milliseconds(std::chrono::steady_clock::now().time_since_epoch())},
                         {"tokens", tokens},
                         {"running", statistics.sequences_running},
                         {"waiting", under_way - std::min<uint64_t>(under_way, statistics.sequences_running)},
                         {"cache_used", statistics.cache_positions},
                         {"cache_max", statistics.cache_positions_max},
                         {"busy_ms", in_milliseconds(statistics.busy)},
                         {"rows_replayed", statistics.rows_replayed}};
      const json load = load_of(actors, samples_of.seen, samples_of.count);
      if (asked.before) {
        const auto changes = changes_between(asked.before->models.at(i), now->models.back());
        change["models"].push_back({{"numbers", numbers}, {"load", load}, {"started", rows_of(changes.started)}, {"gone", changes.gone},
                                    {"recoveries", recoveries_of(changes.recoveries)}});
      }
      if (asked.wants_snapshot) {
        json model(facts);
        model["numbers"] = numbers;
        model["load"] = load;
        model["actors"] = rows_of(actors);
        snapshot["models"].push_back(std::move(model));
      }
    }
    if (asked.run) {
      now->training = asked.run->read();
      if (asked.wants_snapshot) snapshot["training"] = training_news(*asked.run, now->training, nullptr);
      if (asked.before)
        if (auto news = training_news(*asked.run, now->training, &asked.before->training); !news.is_null()) change["training"] = std::move(news);
    }
    return [this, now, change = asked.before ? to_text(change) : "", snapshot = asked.wants_snapshot ? to_text(snapshot) : ""] {
      looked(now, change, snapshot);
    };
  };
  is_looking_ = true;
  const auto failed = [this](const std::string&) { // No memory for it, say. Watchers wait for the next one.
    is_looking_ = false;
    if (!watchers_.empty()) look_again(interval);
  };
  if (!in_.jobs.run(std::move(work), failed)) failed("");
}

void dashboard::looked(std::shared_ptr<const reading> now, const std::string& change, const std::string& snapshot) {
  constexpr size_t unread_bytes_max = 1 << 20; // Beyond it a watcher is too slow.
  is_looking_ = false;
  ++in_.metrics.dashboard_looks;
  if (watchers_.empty()) return;
  bool is_awaited = false;
  for (auto& one : watchers_) {
    const bool reads = one.stream.exchange().queued_bytes() <= unread_bytes_max;
    if (one.is_current && reads && !change.empty()) {
      one.stream.send("change", change);
    } else if (!one.is_current && reads && !snapshot.empty()) {
      one.stream.send("snapshot", snapshot);
      one.is_current = true;
    } else {
      one.is_current = false;
      is_awaited |= reads;
    }
  }
  last_ = std::move(now);
  look_again(is_awaited ? std::chrono::milliseconds(0) : interval);
}

} // namespace troupe::service
