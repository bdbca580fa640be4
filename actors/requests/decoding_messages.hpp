#pragma once
// How tokens are chosen, as messages say it and as model/ takes it.
#include "model/constraints/constraint.hpp"
#include "model/decoding/beam_search.hpp"
#include "model/decoding/token_rules.hpp"
#include "model/sampling/sampler.hpp"
#include "troupe/v1/generation.pb.h"

namespace troupe {

sampling_options to_options(const v1::SamplingOptions& message);
v1::SamplingOptions to_message(const sampling_options& options);

beam_options to_options(const v1::BeamSearch& message);
v1::BeamSearch to_message(const beam_options& options);

token_rules to_rules(const v1::TokenRules& message);
v1::TokenRules to_message(const token_rules& rules);
/// The rules of a request, with all tokens that end it: its own and the model's; none, where it goes on after them.
token_rules rules_of(const v1::GenerateRequest& request, const std::vector<uint32_t>& end_of_generation);

text_constraint to_constraint(const v1::Constraint& message);
v1::Constraint to_message(const text_constraint& constraint);

inline const std::string no_token_allowed = "the rules of this request allow no further token";

} // namespace troupe
