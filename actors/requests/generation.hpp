#pragma once
// A request to generate text, and the events that answer it, as plain values: no actor, no message.
#include "model/sampling/sampler.hpp"
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// What a client asks for. Everything is checked by client::submit.
struct generate_request {
  std::vector<uint32_t> prompt;       // Token ids, at least one.
  uint32_t tokens_max = 128;          // 0: only score the prompt.
  sampling_options sampling;
  std::vector<std::string> stop_strings;
  bool ignore_end_of_generation = false;
  bool want_logits = false;           // Deliver the logits of every prompt position.
  bool want_hidden_states = false;    // Deliver the hidden states of every prompt position at every layer boundary.
  int32_t priority = 0;
};

enum class finish_reason : uint8_t { length, stop, cancelled, error };
/// "length", "stop", "cancelled", "error".
std::string_view to_string(finish_reason reason);

enum class event_kind : uint8_t {
  token,         // index, token, text.
  logits,        // position, width, values: rows of logits.
  hidden_states, // layer, position, width, values.
  finished,      // reason, error, text (what was held back in case a stop string began). The last event of its request.
};

struct generation_event {
  uint64_t request = 0; // As returned by submit.
  event_kind kind = event_kind::token;
  uint32_t index = 0;   // Of the token among the generated ones.
  uint32_t token = 0;
  std::string text;     // Whole UTF-8 characters; may be empty.
  uint32_t layer = 0;
  uint32_t position = 0;
  uint32_t width = 0;
  std::vector<float> values; // [rows, width]
  finish_reason reason = finish_reason::length;
  std::string error;
};

} // namespace troupe
