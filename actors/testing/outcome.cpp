#include "actors/testing/outcome.hpp"

#include "actors/requests/sequence.hpp"
#include "model/reference.hpp"

namespace troupe::testing {
namespace {

/// What is wrong with rows, or, when all should be there, whether some are missing; null: nothing.
template <class Rows> const char* rows_difference(const Rows& got, const Rows& wanted, bool finished) {
  for (const auto& [place, values] : got) {
    const auto want = wanted.find(place);
    if (want == wanted.end()) return " that were not asked for";
    if (want->second != values) return " that differ";
  }
  return finished && got.size() != wanted.size() ? " are missing" : nullptr;
}

} // namespace

void take(request_outcome& result, const generation_event& event) {
  result.text += event.text;
  if (event.kind == event_kind::token) {
    result.in_order = result.in_order && event.index == result.tokens.size();
    result.tokens.push_back(event.token);
  } else if (event.kind == event_kind::finished) {
    result.end = to_string(event.reason);
    result.error = event.error;
  }
  for (size_t row = 0; row * event.width < event.values.size(); ++row) {
    const auto* first = event.values.data() + row * event.width;
    const uint32_t position = event.position + uint32_t(row);
    auto& place = event.kind == event_kind::logits ? result.logits[position] : result.hidden[{event.layer, position}];
    const std::vector<float> values(first, first + event.width);
    result.in_order = result.in_order && (place.empty() || place == values);
    place = values;
  }
}

request_outcome by_reference(const std::shared_ptr<const model_parts>& model, const v1::GenerateRequest& request) {
  reference_model reference(model);
  std::vector<uint32_t> log(request.prompt_tokens().begin(), request.prompt_tokens().end());
  std::vector<std::vector<float>> hidden;
  auto logits = reference.forward(log, &hidden);
  const size_t vocabulary = model->spec.vocabulary, width = model->spec.width;
  request_outcome result;
  for (uint32_t p = 0; p < log.size() && request.want_logits(); ++p)
    result.logits[p].assign(logits.begin() + int64_t(p * vocabulary), logits.begin() + int64_t((p + 1) * vocabulary));
  for (uint32_t layer = 0; layer < hidden.size() && request.want_hidden_states(); ++layer)
    for (uint32_t p = 0; p < log.size(); ++p)
      result.hidden[{layer, p}].assign(hidden[layer].begin() + int64_t(p * width),
                                       hidden[layer].begin() + int64_t((p + 1) * width));
  const auto sampling = to_options(request.sampling());
  result.end = "length";
  while (result.tokens.size() < request.tokens_max()) {
    const std::span<const float> last(logits.data() + logits.size() - vocabulary, vocabulary);
    log.push_back(sample(sampling, last, log, log.size()));
    result.tokens.push_back(log.back());
    if (log.size() >= model->positions_max) break;
    logits = reference.forward(std::vector<uint32_t>{log.back()});
  }
  return result;
}

std::string difference(const request_outcome& got, const request_outcome& wanted, bool finished) {
  for (size_t i = 0; i < got.tokens.size(); ++i) {
    if (i >= wanted.tokens.size()) return "more tokens than there should be";
    if (got.tokens[i] != wanted.tokens[i])
      return "token " + std::to_string(i) + " is " + std::to_string(got.tokens[i]) + ", not " +
             std::to_string(wanted.tokens[i]);
  }
  if (!got.error.empty()) return "error: " + got.error;
  if (!got.in_order) return "an event came out of order, or again with other values";
  if (const char* rows = rows_difference(got.logits, wanted.logits, finished)) return std::string("logits") + rows;
  if (const char* rows = rows_difference(got.hidden, wanted.hidden, finished)) return std::string("hidden states") + rows;
  if (!finished) return {};
  if (got.tokens.size() != wanted.tokens.size())
    return "ended after " + std::to_string(got.tokens.size()) + " tokens of " + std::to_string(wanted.tokens.size());
  return got.end == wanted.end ? "" : "ended with " + got.end + ", not " + wanted.end;
}

} // namespace troupe::testing
