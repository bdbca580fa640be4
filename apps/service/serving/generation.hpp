#pragma once
// One request of a user: the answers that it asked for, from the first token to the last.
#include "apps/service/api/api_error.hpp"
#include "apps/service/api/choice.hpp"
#include "apps/service/api/log_record.hpp"
#include "apps/service/serving/served_model.hpp"
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace troupe::service {

class generation;

/// What stands between a kept request and its events.
struct event_keeper {
  struct kept_event {
    size_t choice = 0;
    generation_event event;
    int64_t time = 0; // Unix time, seconds.
  };
  std::vector<kept_event> before; // Of an earlier run of the program: they come first, and are not generated again.
  /// Gets what comes. It counts when generation::take is called with it, in the same order. Null: at once.
  std::function<void(const std::shared_ptr<generation>& of, size_t choice, generation_event&& event)> keep;
  bool is_held = false; // It waits for generation::begin.
};

/// What becomes of the tokens: the form of one API. All calls come on the server's thread.
class generation_form {
public:
  virtual ~generation_form() = default;
  /// A token of a choice has come; or when it ended, text that was held back.
  virtual void added(size_t /*choice*/) {}
  virtual void finished(size_t /*choice*/) {}
  virtual void completed() = 0;                     // All choices have finished.
  /// Instead. Nothing comes after it. What the calls above throw comes back here.
  virtual void failed(const api_error& error) = 0;
};

/// Times of a request in this process, for metrics.
struct generation_times {
  std::chrono::steady_clock::time_point submitted, first_token, last_token;
};

/// Kept alive by the events that are still to come.
class generation : public std::enable_shared_from_this<generation> {
public:
  /// Sends the requests, one for each choice. Throws input_error for one that the model can never serve. `form`: of this generation.
  /// retry_after: given when the client set no deadline, so that one which passes is the service's own: how long to wait before asking
  /// again. It may be over afterwards, if `keeper` has all that was to come; or not yet be sent, if `keeper` holds it.
  static std::shared_ptr<generation> start(served_model& model, std::vector<generate_request> requests,
                                           std::function<std::unique_ptr<generation_form>(const generation&)> form,
                                           std::optional<std::chrono::milliseconds> retry_after, event_keeper keeper);

  const std::vector<choice>& choices() const { return choices_; }
  served_model& model() const { return model_; }
  bool is_over() const { return unfinished_ == 0; }
  /// Sends what is held. A request that can never be served ends with its error.
  void begin();
  const api_error* failure() const { return failure_ ? &*failure_ : nullptr; }
  /// Ends it early. The form hears of it as of any other end: each choice has finished as cancelled.
  void cancel();
  uint64_t tokens() const; // Generated, of all choices;
  uint64_t tokens_before() const { return tokens_before_; } // those of them by an earlier process.
  uint32_t not_started() const; // Choices without a token.
  const generation_times& times() const { return times_; }
  int64_t ended() const { return ended_; } // Unix time, seconds, of the last choice that has ended.
  /// For the keeper: one event, and its time. What the form throws does not come out of it.
  void take(size_t index, generation_event& event, int64_t time);

  /// Called for each choice with its first token.
  std::function<void()> on_first_token;
  /// Called once, when it is over.
  std::function<void(const generation&, const api_error* failure)> on_end;

private:
  explicit generation(served_model& model) : model_(model) {}
  void submit(size_t index, generate_request request);
  void receive(size_t index, generation_event& event);
  void end_held();
  template <class Call> void tell(Call call);
  void fail(const api_error& error);
  void end_choice(size_t index, generation_event& event);

  served_model& model_;
  decltype(event_keeper::keep) keep_;
  std::unique_ptr<generation_form> form_;
  std::vector<choice> choices_;
  std::vector<uint64_t> numbers_; // By choice: the request's number.
  std::vector<generate_request> held_; // By choice, until it begins.
  size_t unfinished_ = 0;
  uint64_t tokens_before_ = 0;
  std::optional<api_error> failure_;
  std::optional<std::chrono::milliseconds> retry_after_;
  generation_times times_;
  int64_t ended_ = 0;
};

/// For the log: "generation" with what it took.
log_record record_of(const generation& ended, const api_error* failure);

/// The error of a request that ended without its answer. retry_after: of the generation.
api_error to_error(const generation_event& event, std::optional<std::chrono::milliseconds> retry_after = {});

/// With which of the stop strings the text would have gone on, if that is why it ended; else empty.
std::string stop_string_of(const choice& one, const std::vector<std::string>& stops, const tokenizer& words);

} // namespace troupe::service
