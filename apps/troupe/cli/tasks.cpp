#include "apps/troupe/cli/tasks.hpp"
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/session.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include "model/error.hpp"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>

namespace troupe {
namespace {

/// Submits tasks as texts come, and prints what comes of them.
class task_run {
public:
  task_run(engine& on, client& to, const run_options& run, const task_options& options, const prompt_source& texts, const task_maker& make)
    : client_(to), options_(options), texts_(texts), make_(make),
      kept_max_(std::min(options.kept_max, std::max<size_t>(64, 4 * size_t{on.options().sequences_max}))), bar_(options.command, !run.quiet) {}

  /// A text that cannot be served fails alone.
  void submit(const prompt& text) {
    one_text& one = kept_.emplace_back();
    try {
      one.what = make_(text);
      one.results.resize(one.what.requests.size());
      for (size_t i = 0; i < one.results.size(); ++i) {
        under_way_[client_.submit(std::move(one.what.requests[i]))] = {&one, i};
        ++one.unfinished;
      }
    } catch (const input_error& error) {
      fail(one, error.what());
    }
    update();
  }

  bool has_room() const { return kept_.size() < kept_max_ && under_way_.size() < kept_max_; }

  void take(const generation_event& event) {
    const auto found = under_way_.find(event.request);
    if (found == under_way_.end()) return;
    auto& [one, index] = found->second;
    task_result& result = one->results[index];
    switch (event.kind) {
      case event_kind::token: result.tokens.push_back(event.token); break;
      case event_kind::logits: place_rows(result.rows, event); break;
      case event_kind::hidden_states: break;
      case event_kind::finished: finish(*one, result, event); under_way_.erase(found); break;
    }
  }

  int exit_code() const { return good_ ? exit_ok : exit_failed; }

private:
  struct one_text {
    task what;
    std::vector<task_result> results;
    size_t unfinished = 0;
    std::string answer, error;
    bool cancelled = false;
  };

  static void fail(one_text& one, std::string reason) {
    if (one.error.empty()) one.error = std::move(reason);
  }

  void finish(one_text& one, task_result& result, const generation_event& event) {
    result.hypotheses = event.hypotheses;
    if (is_failure(event.reason)) fail(one, event.error);
    if (event.reason == finish_reason::cancelled) {
      one.cancelled = true;
      fail(one, "cancelled");
    }
    if (--one.unfinished > 0) return;
    if (one.error.empty()) one.answer = one.what.answer(one.results);
    one.what = {};
    one.results = {}; // They may be large, and texts before it may take longer.
    update();
  }

  /// Prints what can be printed now.
  void update() {
    while (!kept_.empty() && kept_.front().unfinished == 0) {
      print_answer(kept_.front());
      kept_.pop_front();
      ++printed_;
      if (texts_.count()) bar_.advance(double(printed_) / double(*texts_.count()));
    }
  }

  void print_answer(const one_text& one) {
    if (one.error.empty()) return print(one.answer);
    if (options_.failure == failure_form::json) print(json_line({{"error", one.error}}));
    if (options_.failure == failure_form::empty_line) print("\n");
    if (one.cancelled) return;
    good_ = false;
    const std::string place = texts_.count() == 1 ? "" : options_.input + " " + std::to_string(printed_ + 1) + ": ";
    note(options_.command + ": " + place + one.error);
  }

  client& client_;
  const task_options& options_;
  const prompt_source& texts_;
  const task_maker& make_;
  size_t kept_max_;
  progress_bar bar_;
  std::deque<one_text> kept_; // In the order of the texts; they stay where they are.
  std::map<uint64_t, std::pair<one_text*, size_t>> under_way_; // By request: whose it is, and which of them.
  uint64_t printed_ = 0;
  bool good_ = true;
};

/// Cut, if that is allowed and necessary.
encoding encode_text(const tokenizer& words, const std::string& text, const encoding_options& options, const truncation& limit) {
  if (options.pair) return words.encode_pair(text, *options.pair, special_tokens::as_file, limit);
  return words.encode_traced(text, special_tokens::as_file, limit);
}

} // namespace

int run_tasks(engine& on, const run_options& run, const task_options& options, prompt_source& texts, const prompt& first,
              const task_maker& make) {
  client requests = on.connect();
  task_run tasks{on, requests, run, options, texts, make};
  tasks.submit(first);
  prompt_feed feed{texts, [&](const prompt& one) { tasks.submit(one); }, [&] { return tasks.has_room(); }};
  const int signal = take_events(requests, [&](const generation_event& event) { tasks.take(event); },
                                 [&] { return feed.feed(requests.pending() == 0); });
  feed.check();
  return signal != 0 ? 128 + signal : tasks.exit_code();
}

void declare_truncation(CLI::App& app, encoding_options& options) {
  app.add_flag("--truncate", options.truncates, "Cut a text that is longer than the model takes (default: an error)");
  app.add_option("--truncate-to", options.tokens_max, "Cut a text that has more tokens than this, special ones included")
    ->check(CLI::Range(1u, 1u << 20))->type_name("N");
}

encoding encode(const tokenizer* words, const prompt& text, uint32_t positions, const encoding_options& options) {
  encoding found;
  if (!text.ids.empty()) {
    if (options.pair) throw input_error("a text that is given as token ids takes no second text: give the ids of both");
    found.ids = text.ids;
    const size_t most = std::min(options.tokens_max.value_or(UINT32_MAX), options.truncates ? positions : UINT32_MAX);
    if (found.ids.size() > most) found.ids.resize(most);
  } else {
    if (words == nullptr) throw input_error("the model has no vocabulary: only token ids can be given (--input-ids)");
    if (text.text.empty()) throw input_error("the text is empty");
    const bool cuts = options.truncates || options.tokens_max;
    const auto limit = std::min(positions, options.tokens_max.value_or(positions));
    found = encode_text(*words, text.text, options, cuts ? truncation{truncation::what::longest_first, limit} : truncation{});
  }
  if (found.ids.size() > positions)
    throw input_error("the text has " + std::to_string(found.ids.size()) + " tokens, the model takes " + std::to_string(positions) +
                      (text.ids.empty() ? ": --truncate cuts what is longer" : ""));
  return found;
}

std::string json_line(const nlohmann::ordered_json& object) {
  return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string on_one_line(std::string text) {
  std::ranges::replace_if(text, [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return text;
}

double plain(float value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  double result = value;
  std::from_chars(text, end, result);
  return result;
}

} // namespace troupe
