#include "actors/requests/decoding_messages.hpp"

#include "model/error.hpp"

#include <algorithm>

namespace troupe {

sampling_options to_options(const v1::SamplingOptions& m) {
  sampling_options o;
  o.temperature = m.temperature();
  o.top_k = m.top_k();
  o.top_p = m.top_p();
  o.min_p = m.min_p();
  o.repetition_penalty = m.repetition_penalty();
  o.presence_penalty = m.presence_penalty();
  o.frequency_penalty = m.frequency_penalty();
  o.penalty_window = m.penalty_window();
  TROUPE_ASSERT(m.bias_tokens_size() == m.bias_values_size());
  for (int i = 0; i < m.bias_tokens_size(); ++i) o.logit_bias.emplace_back(m.bias_tokens(i), m.bias_values(i));
  o.seed = m.seed();
  return o;
}

v1::SamplingOptions to_message(const sampling_options& o) {
  v1::SamplingOptions m;
  m.set_temperature(o.temperature);
  m.set_top_k(o.top_k);
  m.set_top_p(o.top_p);
  m.set_min_p(o.min_p);
  m.set_repetition_penalty(o.repetition_penalty);
  m.set_presence_penalty(o.presence_penalty);
  m.set_frequency_penalty(o.frequency_penalty);
  m.set_penalty_window(o.penalty_window);
  for (const auto& [token, value] : o.logit_bias) {
    m.add_bias_tokens(token);
    m.add_bias_values(value);
  }
  m.set_seed(o.seed);
  return m;
}

beam_options to_options(const v1::BeamSearch& m) {
  beam_options o;
  o.beams = m.beams();
  o.best = m.best();
  o.length_penalty = m.length_penalty();
  o.stopping = m.early_stopping() ? early_stopping::yes : m.never_early() ? early_stopping::never : early_stopping::no;
  return o;
}

v1::BeamSearch to_message(const beam_options& o) {
  v1::BeamSearch m;
  m.set_beams(o.beams);
  m.set_best(o.best);
  m.set_length_penalty(o.length_penalty);
  m.set_early_stopping(o.stopping == early_stopping::yes);
  m.set_never_early(o.stopping == early_stopping::never);
  return m;
}

token_rules to_rules(const v1::TokenRules& m) {
  token_rules rules;
  rules.end_tokens.assign(m.end_tokens().begin(), m.end_tokens().end());
  rules.tokens_min = m.tokens_min();
  rules.no_repeat_ngram = m.no_repeat_ngram();
  if (m.forced_first() > 0) rules.forced_first = m.forced_first() - 1;
  if (m.forced_last() > 0) rules.forced_last = m.forced_last() - 1;
  int at = 0;
  for (const uint32_t length : m.forbidden_lengths()) {
    TROUPE_ASSERT(length > 0 && int64_t(length) <= m.forbidden_size() - at);
    const auto first = m.forbidden().begin() + at;
    rules.forbidden.emplace_back(first, first + int(length));
    at += int(length);
  }
  rules.suppressed.assign(m.suppressed().begin(), m.suppressed().end());
  rules.suppressed_first.assign(m.suppressed_first().begin(), m.suppressed_first().end());
  if (m.first_timestamp() > 0) {
    auto& times = rules.timestamps.emplace(timestamp_rules{m.first_timestamp(), m.text_end(), {}});
    if (m.initial_timestamp_max() > 0) times.initial_max = m.initial_timestamp_max() - 1;
  }
  return rules;
}

token_rules rules_of(const v1::GenerateRequest& request, const std::vector<uint32_t>& end_of_generation) {
  auto rules = to_rules(request.token_rules());
  auto& ends = rules.end_tokens;
  if (request.ignore_end_of_generation()) ends.clear();
  else ends.insert(ends.end(), end_of_generation.begin(), end_of_generation.end());
  std::ranges::sort(ends);
  const auto again = std::ranges::unique(ends);
  ends.erase(again.begin(), again.end());
  return rules;
}

v1::TokenRules to_message(const token_rules& rules) {
  v1::TokenRules m;
  m.mutable_end_tokens()->Add(rules.end_tokens.begin(), rules.end_tokens.end());
  m.set_tokens_min(rules.tokens_min);
  m.set_no_repeat_ngram(rules.no_repeat_ngram);
  m.set_forced_first(rules.forced_first ? *rules.forced_first + 1 : 0);
  m.set_forced_last(rules.forced_last ? *rules.forced_last + 1 : 0);
  for (const auto& sequence : rules.forbidden) {
    m.mutable_forbidden()->Add(sequence.begin(), sequence.end());
    m.add_forbidden_lengths(uint32_t(sequence.size()));
  }
  m.mutable_suppressed()->Add(rules.suppressed.begin(), rules.suppressed.end());
  m.mutable_suppressed_first()->Add(rules.suppressed_first.begin(), rules.suppressed_first.end());
  if (rules.timestamps) {
    m.set_first_timestamp(rules.timestamps->first);
    m.set_text_end(rules.timestamps->text_end);
    m.set_initial_timestamp_max(rules.timestamps->initial_max ? *rules.timestamps->initial_max + 1 : 0);
  }
  return m;
}

text_constraint to_constraint(const v1::Constraint& m) {
  switch (m.kind_case()) {
  case v1::Constraint::kJsonSchema: return {constraint_kind::json_schema, m.json_schema()};
  case v1::Constraint::kRegex: return {constraint_kind::regex, m.regex()};
  case v1::Constraint::kGrammar: return {constraint_kind::grammar, m.grammar()};
  default: return {constraint_kind::json_object, {}};
  }
}

v1::Constraint to_message(const text_constraint& constraint) {
  v1::Constraint m;
  switch (constraint.kind) {
  case constraint_kind::json_schema: m.set_json_schema(constraint.text); break;
  case constraint_kind::json_object: m.set_json_object(true); break;
  case constraint_kind::regex: m.set_regex(constraint.text); break;
  case constraint_kind::grammar: m.set_grammar(constraint.text); break;
  }
  return m;
}

} // namespace troupe
