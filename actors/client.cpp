#include "actors/client.hpp"

#include "actors/requests/request_tracker.hpp"
#include "model/error.hpp"

#include <algorithm>

namespace troupe {

using namespace std::chrono_literals;

struct client::state {
  explicit state(const client_connection& to) : model(to.model), words(to.words), tracker(to.system, to.root) {}
  std::shared_ptr<const model_parts> model;
  std::shared_ptr<const tokenizer> words;
  request_tracker tracker;
};

client::client(const client_connection& to) : state_(std::make_unique<state>(to)) {}
client::client(client&&) noexcept = default;
client& client::operator=(client&&) noexcept = default;
client::~client() = default;

std::vector<uint32_t> client::encode(std::string_view text) const {
  if (!state_->words) throw input_error("this model has no vocabulary: give token ids");
  return state_->words->encode(text);
}

uint64_t client::submit(generate_request request) {
  return state_->tracker.submit(to_message(std::move(request), *state_->model, state_->tracker.now()));
}

std::optional<generation_event> client::next() {
  auto& tracker = state_->tracker;
  while (tracker.events().empty() && tracker.pending_count() > 0) tracker.receive(1min);
  return next(0ms);
}

std::optional<generation_event> client::next(std::chrono::milliseconds timeout) {
  auto& tracker = state_->tracker;
  const auto end = std::chrono::steady_clock::now() + timeout;
  while (tracker.events().empty() && tracker.pending_count() > 0) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (!tracker.receive(std::max(left, 0ms))) break;
  }
  if (tracker.events().empty()) return std::nullopt;
  auto event = std::move(tracker.events().front());
  tracker.events().pop_front();
  return event;
}

void client::cancel(uint64_t request) { state_->tracker.cancel(request); }
void client::cancel_all() {
  for (const uint64_t id : state_->tracker.pending()) cancel(id);
}
size_t client::pending() const { return state_->tracker.pending_count(); }
uint64_t client::resubmitted() const { return state_->tracker.resubmitted(); }

} // namespace troupe
