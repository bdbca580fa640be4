#pragma once
// What came of a request, and what should have come of it.
#include "actors/requests/generation.hpp"
#include "model/parts.hpp"
#include "troupe/v1/generation.pb.h"
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

namespace troupe::testing {

struct request_outcome {
  std::vector<uint32_t> tokens;
  std::string text;
  std::map<uint32_t, std::vector<float>> logits; // By position.
  std::map<std::tuple<bool, uint32_t, uint32_t>, std::vector<float>> hidden; // By stack (true: the encoder), layer boundary, position.
  std::vector<hypothesis> hypotheses;
  std::string end, error;
  bool in_order = true; // No token was skipped or repeated, and no row came again with other values.
  bool operator==(const request_outcome&) const = default;
};

/// Takes an event into `result`. Rows may come again after a replay, and differently cut: one entry for each position, and
/// repetitions must be equal.
void take(request_outcome& result, const generation_event& event);

/// What the sequential reference makes of the request: the oracle. Without text.
request_outcome by_reference(const std::shared_ptr<const model_parts>& model, const v1::GenerateRequest& request);

/// Empty, or in words what is wrong with what has come so far: something that `wanted` does not have at that place.
/// `finished`: nothing may be missing either.
std::string difference(const request_outcome& got, const request_outcome& wanted, bool finished);

} // namespace troupe::testing
