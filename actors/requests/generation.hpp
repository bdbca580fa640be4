#pragma once
// A request to generate text, and the events that answer it, as plain values: no actor, no message.
#include "model/constraints/constraint.hpp"
#include "model/decoding/beam_search.hpp"
#include "model/decoding/token_rules.hpp"
#include "model/sampling/logprobs.hpp"
#include "model/sampling/sampler.hpp"
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// What a client asks for. Everything is checked by client::submit.
struct generate_request {
  std::vector<uint32_t> prompt = {};       // Token ids, at least one. For a model with an encoder empty stands for its start token.
  std::vector<uint32_t> source = {};       // For a model with an encoder: what it reads, at least one token.
  // For a model of images: one image, as image_spec has it; then prompt and source are empty. For one that listens: what audio_spec has;
  // then the source is empty.
  std::vector<float> features = {};
  std::vector<uint32_t> segments = {};     // Of each token of the prompt, for a model that has segments; or empty: all 0.
  // Tokens that an earlier run of the program has generated for this very request: it goes on behind them, with the same bits, and they do
  // not come again. They count in tokens_max.
  std::vector<uint32_t> generated = {};
  bool was_admitted = false;          // By an earlier run: it is not refused for lack of room.
  uint32_t tokens_max = 128;          // 0: only score the prompt.
  sampling_options sampling = {};
  std::optional<beam_options> beams = {};  // Beam search instead of sampling; its results come with the last event, no tokens before.
  token_rules rules = {};                  // In addition to the model's own end tokens, which always end a sequence.
  std::optional<text_constraint> constraint = {}; // What the generated text must look like: it ends when it is complete, at the latest.
  std::vector<std::string> stop_strings = {};
  bool ignore_end_of_generation = false;
  bool want_logits = false;           // Deliver the logits of every prompt position; or of the sequence, see output_spec.
  bool want_hidden_states = false;    // Deliver the hidden states of every prompt position at every layer boundary.
  // Deliver logarithms of probabilities with every token: among all tokens, or with rules for times among those that these allow;
  bool want_logprobs = false;
  uint32_t top_logprobs = 0;          // and those of so many that are likeliest; at most top_logprobs_max.
  int32_t priority = 0;
  std::string tenant = {};                 // Whose work it is: tenants with the same weight get the same share of what runs.
  float tenant_weight = 1;            // From 1/1024 to 1024.
  std::optional<std::chrono::milliseconds> deadline = {};       // From submit: a request that has not finished ends with `deadline`.
  std::optional<std::chrono::milliseconds> start_deadline = {}; // The same for one without its first token.
  std::optional<std::chrono::steady_clock::time_point> deadline_at = {}; // A deadline as a point in time; the earlier one counts.

  static constexpr uint32_t top_logprobs_max = 20;
  static constexpr size_t tenant_bytes_max = 256;
};

/// The last two: a deadline has passed; it was refused for lack of room.
enum class finish_reason : uint8_t { length, stop, cancelled, error, deadline, overloaded };
/// "length", "stop", "cancelled", "error", "deadline", "overloaded".
std::string_view to_string(finish_reason reason);
/// Whether the request ended without its answer, and `error` says why.
bool is_failure(finish_reason reason);

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
  std::vector<token_logprob> logprobs; // If wanted: of this token, then of the likeliest ones in order.
  uint32_t layer = 0;
  bool of_encoder = false; // Hidden states of the source; the layer behind the last is what the encoder's final norm makes of it.
  uint32_t position = 0;
  uint32_t width = 0;
  std::vector<float> values; // [rows, width]
  finish_reason reason = finish_reason::length;
  std::string error;
  std::vector<hypothesis> hypotheses; // Results of a beam search, the best first.
  uint32_t prompt_tokens_cached = 0;  // finished: of the prompt, those that were not computed because an earlier sequence left them: of
                                      // another request, or of this one before a fault.
  std::chrono::milliseconds retry_after{0}; // overloaded: when there will probably be room.
};

} // namespace troupe
