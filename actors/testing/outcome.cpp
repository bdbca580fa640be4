#include "actors/testing/outcome.hpp"

#include "actors/requests/decoding_messages.hpp"
#include "model/error.hpp"
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
    result.hypotheses = event.hypotheses;
  }
  for (size_t row = 0; row * event.width < event.values.size(); ++row) {
    const auto* first = event.values.data() + row * event.width;
    const uint32_t position = event.position + uint32_t(row);
    auto& place = event.kind == event_kind::logits ? result.logits[position] : result.hidden[{event.of_encoder, event.layer, position}];
    const std::vector<float> values(first, first + event.width);
    result.in_order = result.in_order && (place.empty() || place == values);
    place = values;
  }
}

namespace {

using hidden_states = reference_model::hidden_states;

std::vector<uint32_t> ids_of(const google::protobuf::RepeatedField<uint32_t>& field) { return {field.begin(), field.end()}; }

void take_hidden(request_outcome& result, bool of_encoder, const hidden_states& states, size_t width) {
  for (uint32_t layer = 0; layer < states.size(); ++layer)
    for (uint32_t p = 0; p * width < states[layer].size(); ++p) {
      const auto first = states[layer].begin() + int64_t(p * width);
      result.hidden[{of_encoder, layer, p}].assign(first, first + int64_t(width));
    }
}

std::vector<float> last_row(std::vector<float> logits, size_t columns) {
  return {logits.end() - int64_t(columns), logits.end()};
}

std::vector<hypothesis> search(reference_model& reference, const model_parts& model, const v1::GenerateRequest& request) {
  auto rules = to_rules(request.token_rules());
  if (!request.ignore_end_of_generation())
    for (const uint32_t token : model.file->words.end_of_generation) rules.end_tokens.push_back(token);
  beam_search beams(to_options(request.beam_search()), std::move(rules), ids_of(request.prompt_tokens()), request.tokens_max());
  while (!beams.done()) {
    std::vector<std::vector<float>> logits;
    for (const auto& branch : beams.live()) {
      reference.rewind(0);
      logits.push_back(last_row(reference.forward(branch.log), model.spec.output.columns));
    }
    beams.advance({logits.begin(), logits.end()});
  }
  return beams.best();
}

} // namespace

request_outcome by_reference(const std::shared_ptr<const model_parts>& model, const v1::GenerateRequest& request) {
  reference_model reference(model);
  request_outcome result;
  hidden_states states;
  const std::span<const float> features{request.features().data(), size_t(request.features().size())};
  if (request.source_tokens_size() > 0) {
    if (features.empty()) reference.encode(ids_of(request.source_tokens()), &states);
    else reference.encode_sound(features, &states);
    if (request.want_hidden_states()) take_hidden(result, true, states, model->spec.width);
  }
  if (request.has_beam_search()) {
    result.hypotheses = search(reference, *model, request);
    result.end = "stop";
    return result;
  }
  auto log = ids_of(request.prompt_tokens());
  auto logits = model->spec.input().image ? reference.forward_image(features, &states)
                                          : reference.forward(log, &states, ids_of(request.segments()));
  const size_t columns = model->spec.output.columns;
  for (uint32_t p = 0; p * columns < logits.size() && request.want_logits(); ++p)
    result.logits[p].assign(logits.begin() + int64_t(p * columns), logits.begin() + int64_t((p + 1) * columns));
  if (request.want_hidden_states()) take_hidden(result, false, states, model->spec.width);
  const auto sampling = to_options(request.sampling());
  result.end = "length";
  while (result.tokens.size() < request.tokens_max()) {
    log.push_back(sample(sampling, last_row(std::move(logits), columns), log, log.size()));
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
  if (got.hypotheses != wanted.hypotheses) return "the results of the beam search differ";
  if (got.tokens.size() != wanted.tokens.size())
    return "ended after " + std::to_string(got.tokens.size()) + " tokens of " + std::to_string(wanted.tokens.size());
  return got.end == wanted.end ? "" : "ended with " + got.end + ", not " + wanted.end;
}

} // namespace troupe::testing
