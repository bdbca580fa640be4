#include "apps/service/serving/canary.hpp"

#include "model/error.hpp"

#include <utility>

namespace troupe::service {

void canary::ask(std::function<void(const std::string&)> tell) {
  waiting_.push_back(std::move(tell));
  if (waiting_.size() > 1) return;
  const uint64_t flight = ++flight_;
  const auto& spec = model_.file().spec;
  generate_request request;
  const uint32_t token = model_.file().words.bos.value_or(0);
  if (const uint64_t features = spec.feature_elements(); features > 0) request.features.resize(features);
  else if (spec.encoder) request.source = {token};
  else request.prompt = {token};
  const bool generates = spec.output.kind == output_spec::result::tokens && !spec.needs_whole_sequences();
  request.tokens_max = generates ? 1 : 0;
  request.sampling.temperature = 0;
  request.priority = 1000;
  const auto patience = spec.input().audio ? listening_deadline : deadline;
  request.deadline = patience;
  timer_ = server_.after(patience, [this, patience] { end("no answer within " + std::to_string(patience.count()) + " ms"); });
  try {
    model_.submit(std::move(request), [this, flight](generation_event& event) {
      if (event.kind == event_kind::finished && flight == flight_) end(is_failure(event.reason) ? event.error : "");
    });
  } catch (const input_error& error) {
    end(error.what());
  }
}

void canary::end(const std::string& problem) {
  timer_.cancel();
  ++flight_;
  for (const auto& tell : std::exchange(waiting_, {})) tell(problem);
}

} // namespace troupe::service
