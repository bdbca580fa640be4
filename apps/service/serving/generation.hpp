#pragma once
// One request of a user: the answers that it asked for, from the first token to the last.
#include "apps/service/api/api_error.hpp"
#include "apps/service/api/choice.hpp"
#include "apps/service/serving/served_model.hpp"
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace troupe::service {

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

/// Times of a request, for metrics.
struct generation_times {
  std::chrono::steady_clock::time_point submitted, first_token, last_token;
};

/// Kept alive by the events that are still to come.
class generation : public std::enable_shared_from_this<generation> {
public:
  /// Sends the requests, one for each choice. Throws input_error for one that the model can never serve. `form`: of this generation.
  static std::shared_ptr<generation> start(served_model& model, std::vector<generate_request> requests,
                                           std::function<std::unique_ptr<generation_form>(const generation&)> form);

  const std::vector<choice>& choices() const { return choices_; }
  served_model& model() const { return model_; }
  /// Ends it early. The form hears of it as of any other end: each choice has finished as cancelled.
  void cancel();
  uint64_t tokens() const; // Generated, of all choices.
  const generation_times& times() const { return times_; }

  /// Set when the client gave no deadline, so that one which passes is the service's own: how long to wait before asking again.
  std::optional<std::chrono::milliseconds> retry_after;
  /// Called once, when it is over.
  std::function<void(const generation&, const api_error* failure)> on_end;

private:
  explicit generation(served_model& model) : model_(model) {}
  void take(size_t index, generation_event& event);
  template <class Call> void tell(Call call);
  void fail(const api_error& error);
  void end_choice(size_t index, generation_event& event);

  served_model& model_;
  std::unique_ptr<generation_form> form_;
  std::vector<choice> choices_;
  std::vector<uint64_t> numbers_; // By choice: the request's number.
  size_t unfinished_ = 0;
  std::optional<api_error> failure_;
  generation_times times_;
};

/// The error of a request that ended without its answer. retry_after: of the generation.
api_error to_error(const generation_event& event, std::optional<std::chrono::milliseconds> retry_after = {});

/// With which of the stop strings the text would have gone on, if that is why it ended; else empty.
std::string stop_string_of(const choice& one, const std::vector<std::string>& stops, const tokenizer& words);

} // namespace troupe::service
