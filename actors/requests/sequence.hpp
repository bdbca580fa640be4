#pragma once
#include "actors/interfaces/roles.hpp"
#include "actors/interfaces/step.hpp"
#include "actors/supervision/directory.hpp"
#include "model/constraints/matcher.hpp"
#include "model/decoding/token_rules.hpp"
#include "model/sampling/sampler.hpp"
#include "model/tokenizer/stop_filter.hpp"
#include "model/tokenizer/tokenizer.hpp"
#include "model/utf8.hpp"
#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

/// What all sequences of a model share.
struct sequence_config {
  std::shared_ptr<const tokenizer> words; // Null: a model without a vocabulary; no text then.
  std::vector<uint32_t> end_of_generation;
  uint32_t vocabulary = 0;
  uint32_t output_columns = 0;      // Of a row of logits.
  bool output_of_first_row = false; // There is one such row for a whole sequence.
  uint32_t encoder_layers = 0;
  uint32_t positions_max = 0; // A sequence ends when it has this many tokens.
  directory_actor directory;
  std::shared_ptr<const token_index> tokens = {}; // Of `words`, for constraints; null: no request has had one yet.
};

/// Sends a client the handle of the sequence that serves its request.
void send_accepted(caf::local_actor* self, const v1::GenerateRequest& request, const caf::strong_actor_ptr& sequence,
                   const caf::strong_actor_ptr& client);

/// One request under way. Owns the token log (the prompt and the tokens generated so far), the sampler, the stop conditions, and
/// the stream to the client. The token log is the only state that matters; everything else can be computed again from it.
///
/// Retry     logits for a position whose next token is in the log already are answered with that token.
/// Restart   not restarted: its client sends the request again, with the tokens it has received.
/// Damage    logits that are not as the output sent them are computed again; damaged_max times in a row end the request with
///           an error, because it could not be answered.
/// Constraint  the state of the text follows from the tokens of the log, so a sequence that goes on from a log has the same.
/// Ends      after GenerateEnd, when a deadline of its request has passed, and when its client has ended.
struct sequence_state {
  static inline const char* name = "sequence";
  static constexpr uint32_t damaged_max = 8;

  sequence_config config;
  v1::GenerateRequest request;
  caf::strong_actor_ptr client;
  scheduler_actor scheduler;
  sampling_options sampling;
  token_rules rules;
  std::vector<uint32_t> log;
  uint32_t cached = 0;  // Positions up to which logits have arrived, so that the heads probably hold them.
  uint32_t replica = 0; // In which that is.
  uint32_t reused = 0;  // Positions that heads held of an earlier sequence.
  uint32_t damaged = 0; // How many times in a row logits were not as the output sent them.
  step_id damaged_step; // The newest step of those, so that a repeated or late message counts once.
  uint32_t scored = 0;  // When the logits of the whole prompt are wanted: the positions whose logits have arrived without a gap.
  utf8_stream utf8;
  stop_filter stops;
  std::optional<constraint_matcher> matcher; // Of a request with a constraint: how far its text has come.
  std::string error;                         // Why that cannot go on.

  uint32_t prompt_size() const { return uint32_t(request.prompt_tokens_size()); }
  uint32_t generated() const { return uint32_t(log.size()) - prompt_size(); }
  /// How many tokens will be generated at most.
  uint32_t tokens_max() const { return std::min(request.tokens_max(), config.positions_max - prompt_size()); }
  bool wants_all_logits() const { return request.want_logits() && !config.output_of_first_row; }
};

sequence_actor::behavior_type sequence(sequence_actor::stateful_pointer<sequence_state> self, sequence_config config,
                                       v1::GenerateRequest request, caf::strong_actor_ptr client);

} // namespace troupe
