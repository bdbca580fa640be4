#pragma once
// Requests of a program that does not wait for each of them: a server, or any program with more to do.
//
//   auto client = engine.connect_async();
//   client.submit(request, [](const troupe::generation_event& event) { ... });       // a function,
//   for (const auto& event : client.stream(request)) std::cout << event.text;           // a range,
//   std::future<troupe::expected<troupe::answer>> later = client.ask(request);          // a future,
//   troupe::expected<troupe::answer> found = co_await client.answer_to(request);        // a coroutine.
#include "actors/requests/answer.hpp"
#include "actors/requests/expected.hpp"
#include "actors/requests/generation.hpp"
#include <coroutine>
#include <cstdint>
#include <functional>
#include <future>
#include <iterator>
#include <memory>
#include <stop_token>
#include <string_view>
#include <vector>

namespace troupe {

struct client_connection; // actors/requests/request_tracker.hpp

/// The events of one request, as they come. Moved, not copied. Destroying it before the last event ends the request.
///
/// One thread at a time uses it. It may outlive its client: then its last event says that the request was cancelled.
class event_stream {
public:
  class iterator;
  event_stream(event_stream&&) noexcept;
  event_stream& operator=(event_stream&&) noexcept;
  ~event_stream();

  /// Waits for the next event. Null: the last one, `finished`, has been returned. Valid until the next call.
  const generation_event* next();
  /// Ends the request early; its last event still comes.
  void cancel();
  iterator begin();
  std::default_sentinel_t end() const { return {}; }

private:
  friend class event_client;
  struct state;
  explicit event_stream(std::unique_ptr<state> what);
  std::unique_ptr<state> state_;
};

/// Reads a stream: an input iterator. What it refers to is valid until it is incremented.
class event_stream::iterator {
public:
  using value_type = generation_event;
  using difference_type = std::ptrdiff_t;
  explicit iterator(event_stream& of) : of_(&of), event_(of.next()) {}
  const generation_event& operator*() const { return *event_; }
  const generation_event* operator->() const { return event_; }
  iterator& operator++() {
    event_ = of_->next();
    return *this;
  }
  void operator++(int) { ++*this; }
  bool operator==(std::default_sentinel_t) const { return event_ == nullptr; }

private:
  event_stream* of_;
  const generation_event* event_;
};
inline event_stream::iterator event_stream::begin() { return iterator(*this); }

/// What co_await takes: the answer to one request, which is sent by co_await. To be awaited once.
class awaited_answer {
public:
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting);
  expected<answer> await_resume();
  awaited_answer(awaited_answer&&) noexcept;
  ~awaited_answer();

private:
  friend class event_client;
  struct state;
  explicit awaited_answer(std::unique_ptr<state> what);
  std::unique_ptr<state> state_;
};

/// Sends requests; their events come by a thread of this object, which all its requests share. When an actor that serves a request is lost,
/// the request is sent again from where it is: the caller sees only a pause.
///
/// Any thread may call submit, stream, ask, answer_to and cancel, several at the same time, and the client's own functions may call them,
/// too. Moving and destroying it is for one thread, while no other uses it and not from a function that it calls; destroying it cancels its
/// requests, of which each gets its last event, and afterwards none of the functions is called any more.
///
/// Stop tokens: when stop is requested, the request is cancelled, and its last event says so, with what had been generated until then.
///
/// Errors: `submit` throws input_error for a request that can never be served. The other three do not throw it: the answer is the error, or
/// the stream's only event, `finished`, has it.
class event_client {
public:
  using receiver = std::function<void(std::vector<generation_event>)>;
  using event_function = std::function<void(generation_event)>;
  /// Where a coroutine goes on: gets what resumes it, and calls that, once, in a thread of its choice.
  using resume_function = std::function<void(std::function<void()>)>;

  event_client(event_client&&) noexcept;
  ~event_client();

  /// Text to tokens by the model's tokenizer. Throws input_error when the model has none.
  std::vector<uint32_t> encode(std::string_view text) const;
  /// The events go to the function that the client was made with, several at once when several are there, in order. Returns the request's
  /// number. A client that was made without a function drops them.
  uint64_t submit(generate_request request);
  /// They go to this function, one after the other, up to the last one, `finished`; then it is destroyed. It should return soon: all
  /// requests of the client wait for it. If it throws, the request is cancelled and the function not called any more; the log says so.
  uint64_t submit(generate_request request, event_function receive, std::stop_token stop = {});
  event_stream stream(generate_request request, std::stop_token stop = {});
  std::future<expected<answer>> ask(generate_request request, std::stop_token stop = {});
  /// The coroutine goes on in the client's thread, or where `resume` says. The client must exist when it is awaited.
  awaited_answer answer_to(generate_request request, std::stop_token stop = {}, resume_function resume = {});
  /// Ends a request early; its `finished` event with `cancelled` still comes. Unknown numbers are ignored.
  void cancel(uint64_t request);

private:
  friend class engine;
  friend class awaited_answer;
  struct state;
  event_client(const client_connection& to, receiver receive);
  std::unique_ptr<state> state_;
};

} // namespace troupe
