#include "actors/event_client.hpp"

#include "actors/requests/event_queue.hpp"
#include "actors/requests/request_tracker.hpp"
#include "actors/threads/signals_blocked.hpp"
#include "model/error.hpp"

#include <atomic>
#include <chrono>
#include <iterator>
#include <optional>
#include <thread>
#include <utility>

namespace troupe {

using namespace std::chrono_literals;

namespace {

void send_cancel(const caf::actor& client, uint64_t request) {
  v1::CancelRequest order;
  order.set_request_id(request);
  caf::anon_send(client, std::move(order));
}

struct cancel_function {
  caf::actor client;
  uint64_t request;
  void operator()() const { send_cancel(client, request); }
};

/// A function that gets the events of a request, which a stop token may end.
class function_listener final : public event_listener {
public:
  function_listener(event_client::event_function receive, std::stop_token stop, caf::actor client, uint64_t request, log_function log)
    : receive_(std::move(receive)), stop_(std::move(stop)), cancel_{std::move(client), request}, log_(std::move(log)) {}

  void begin() override {
    // Not before: a request that nobody knows yet cannot be cancelled.
    if (stop_.stop_possible()) on_stop_.emplace(std::move(stop_), cancel_);
  }
  void on_event(generation_event event) override {
    if (!receive_) return;
    try {
      receive_(std::move(event));
      return;
    } catch (const std::exception& error) {
      write_log(log_, log_level::error, std::string("a function of the program threw: ") + error.what());
    } catch (...) {
      write_log(log_, log_level::error, "a function of the program threw something that is not a std::exception");
    }
    receive_ = nullptr;
    cancel_();
  }

private:
  event_client::event_function receive_; // Null: it has thrown.
  std::stop_token stop_;
  cancel_function cancel_;
  std::optional<std::stop_callback<cancel_function>> on_stop_;
  log_function log_;
};

generation_event last_event(uint64_t request, finish_reason reason, std::string error) {
  generation_event event;
  event.request = request;
  event.kind = event_kind::finished;
  event.reason = reason;
  event.error = std::move(error);
  return event;
}

} // namespace

// -- event_client ------------------------------------------------------------

struct event_client::state {
  state(const client_connection& to, receiver receive)
    : system(to.system), model(to.model), words(to.words), log(to.log), tracker(to.system, to.root), handle(tracker.handle()) {
    const signals_blocked while_it_begins;
    thread = std::jthread([this, receive = std::move(receive)](const std::stop_token& stop) { run(stop, receive); });
  }
  ~state() {
    thread.request_stop();
    caf::anon_send(handle, v1::ClientTick{}); // It wakes up.
  }

  v1::GenerateRequest message(generate_request request, uint64_t number) const {
    auto message = to_message(std::move(request), *model, system.clock().now());
    message.set_request_id(number);
    return message;
  }
  uint64_t submit(generate_request request, event_function receive, std::stop_token stop) {
    const uint64_t number = ++last_request;
    auto sent = message(std::move(request), number);
    request_listener listener{
      std::make_shared<function_listener>(std::move(receive), std::move(stop), handle, number, log)};
    caf::anon_send(handle, std::move(sent), std::move(listener));
    return number;
  }

  void run(const std::stop_token& stop, const receiver& receive) {
    while (!stop.stop_requested()) {
      tracker.receive(1min);
      while (tracker.receive(0ms)) {}
      if (!stop.stop_requested()) deliver(receive);
    }
    end_all();
  }

  /// Every request gets its last event, also those that were sent last, by others or by a function that got its last event here.
  void end_all() {
    for (;;) {
      while (tracker.receive(0ms)) {}
      deliver({});
      const auto left = std::exchange(tracker.listeners(), {});
      if (left.empty()) return;
      for (const auto& [number, listener] : left) {
        tracker.cancel(number);
        listener->on_event(last_event(number, finish_reason::cancelled, {}));
      }
    }
  }

  void deliver(const receiver& receive) {
    auto& listeners = tracker.listeners();
    std::vector<generation_event> others;
    for (auto& event : tracker.events()) {
      const auto known = listeners.find(event.request);
      if (known == listeners.end()) {
        others.push_back(std::move(event));
        continue;
      }
      const bool is_last = event.kind == event_kind::finished;
      known->second->on_event(std::move(event));
      if (is_last) listeners.erase(known);
    }
    tracker.events().clear();
    if (others.empty() || !receive) return;
    try {
      receive(std::move(others));
    } catch (const std::exception& error) {
      write_log(log, log_level::error, std::string("the function of a client threw: ") + error.what());
    } catch (...) {
      write_log(log, log_level::error, "the function of a client threw something that is not a std::exception");
    }
  }

  caf::actor_system& system;
  std::shared_ptr<const model_parts> model;
  std::shared_ptr<const tokenizer> words;
  log_function log;
  request_tracker tracker; // Of the thread, from here on.
  caf::actor handle;
  std::atomic<uint64_t> last_request = 0;
  std::jthread thread;
};

event_client::event_client(const client_connection& to, receiver receive)
  : state_(std::make_unique<state>(to, std::move(receive))) {}
event_client::event_client(event_client&&) noexcept = default;
event_client::~event_client() = default;

std::vector<uint32_t> event_client::encode(std::string_view text) const {
  if (!state_->words) throw input_error("this model has no vocabulary: give token ids");
  return state_->words->encode(text);
}

uint64_t event_client::submit(generate_request request) {
  const uint64_t number = ++state_->last_request;
  caf::anon_send(state_->handle, state_->message(std::move(request), number));
  return number;
}

uint64_t event_client::submit(generate_request request, event_function receive, std::stop_token stop) {
  return state_->submit(std::move(request), std::move(receive), std::move(stop));
}

void event_client::cancel(uint64_t request) { send_cancel(state_->handle, request); }

std::future<expected<answer>> event_client::ask(generate_request request, std::stop_token stop) {
  struct promised {
    std::promise<expected<answer>> promise;
    answer_builder builder;
  };
  const auto shared = std::make_shared<promised>();
  auto future = shared->promise.get_future();
  try {
    state_->submit(
      std::move(request),
      [shared](generation_event event) {
        if (shared->builder.add(std::move(event))) shared->promise.set_value(shared->builder.take());
      },
      std::move(stop));
  } catch (const input_error& error) {
    shared->promise.set_value(call_error{error_kind::refused, error.what()});
  }
  return future;
}

// -- event_stream ------------------------------------------------------------

struct event_stream::state {
  std::shared_ptr<event_queue> queue = std::make_shared<event_queue>();
  caf::actor client;
  uint64_t request = 0;
  bool is_over = false;
};

event_stream::event_stream(std::unique_ptr<state> what) : state_(std::move(what)) {}
event_stream::event_stream(event_stream&&) noexcept = default;
event_stream& event_stream::operator=(event_stream&& other) noexcept {
  if (state_ && this != &other) cancel();
  state_ = std::move(other.state_);
  return *this;
}
event_stream::~event_stream() {
  if (state_) cancel();
}

const generation_event* event_stream::next() {
  auto& st = *state_;
  if (st.is_over) return nullptr;
  const auto& event = st.queue->pop();
  st.is_over = event.kind == event_kind::finished;
  return &event;
}

void event_stream::cancel() {
  if (!state_->is_over && state_->client) send_cancel(state_->client, state_->request);
}

event_stream event_client::stream(generate_request request, std::stop_token stop) {
  auto stream = std::make_unique<event_stream::state>();
  stream->client = state_->handle;
  try {
    stream->request = state_->submit(
      std::move(request), [queue = stream->queue](generation_event event) { queue->push(std::move(event)); }, std::move(stop));
  } catch (const input_error& error) {
    stream->queue->push(last_event(0, finish_reason::error, error.what()));
  }
  return event_stream(std::move(stream));
}

// -- awaited_answer ----------------------------------------------------------

struct awaited_answer::state {
  event_client::state* client = nullptr;
  generate_request request;
  std::stop_token stop;
  event_client::resume_function resume;
  answer_builder builder;
  std::optional<expected<answer>> result;
};

awaited_answer::awaited_answer(std::unique_ptr<state> what) : state_(std::move(what)) {}
awaited_answer::awaited_answer(awaited_answer&&) noexcept = default;
awaited_answer::~awaited_answer() = default;

// The state, in the frame of the waiting coroutine, exists until it is resumed; which may be before the call that suspends it returns.
void awaited_answer::await_suspend(std::coroutine_handle<> waiting) {
  state* st = state_.get();
  const auto finish = [st, waiting](expected<answer> result) {
    st->result.emplace(std::move(result));
    if (const auto resume = std::move(st->resume)) resume([waiting] { waiting.resume(); });
    else waiting.resume();
  };
  try {
    st->client->submit(
      std::move(st->request),
      [st, finish](generation_event event) {
        if (st->builder.add(std::move(event))) finish(st->builder.take());
      },
      std::move(st->stop));
  } catch (const input_error& error) {
    finish(call_error{error_kind::refused, error.what()});
  }
}

expected<answer> awaited_answer::await_resume() { return std::move(*state_->result); }

awaited_answer event_client::answer_to(generate_request request, std::stop_token stop, resume_function resume) {
  auto what = std::make_unique<awaited_answer::state>();
  what->client = state_.get();
  what->request = std::move(request);
  what->stop = std::move(stop);
  what->resume = std::move(resume);
  return awaited_answer(std::move(what));
}

} // namespace troupe
