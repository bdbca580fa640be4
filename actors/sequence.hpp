#pragma once
#include "actors/roles.hpp"
#include "actors/stage.hpp"
#include "model/sampler.hpp"
#include "model/tokenizer/stop_filter.hpp"
#include "model/tokenizer/tokenizer.hpp"
#include "model/utf8.hpp"
#include <memory>
#include <optional>

namespace troupe {

/// What all sequences of a model share.
struct sequence_config {
  std::shared_ptr<const tokenizer> words; // Null: a model without a vocabulary; no text then.
  std::vector<uint32_t> end_of_generation;
  uint32_t vocabulary = 0;
  uint32_t positions_max = 0; // A sequence ends when it has this many tokens.
  directory_actor directory;
};

sampling_options to_options(const v1::SamplingOptions& message);
v1::SamplingOptions to_message(const sampling_options& options);

/// Tells a client which sequence serves its request.
void send_accepted(caf::local_actor* self, uint64_t request_id, const caf::strong_actor_ptr& sequence,
                   const caf::strong_actor_ptr& client);

/// One request under way. Owns the token log (prompt and what was generated), the sampler, the stop conditions, and the
/// stream to the client. The token log is the only truth; all else can be computed again from it.
///
/// Retry     logits for a position that is in the log already are answered with the token the log has.
/// Restart   not restarted: its client sends the request again, with the tokens it has received.
/// Damage    logits that are not as the output sent them are asked for again; damaged_max times in a row end the request with
///           an error, for nobody could answer it.
/// Ends      after GenerateEnd, and when its client is gone.
struct sequence_state {
  static inline const char* name = "sequence";
  static constexpr uint32_t damaged_max = 8;

  sequence_config config;
  v1::GenerateRequest request;
  caf::strong_actor_ptr client;
  scheduler_actor scheduler;
  sampling_options sampling;
  std::vector<uint32_t> log;
  uint32_t cached = 0; // Positions whose logits came, so that the heads probably hold them.
  uint32_t damaged = 0; // So many times in a row logits were not as the output sent them.
  step_id damaged_step;  // The newest step of those: what comes again, or late, counts once.
  uint32_t scored = 0; // Of the prompt, when all logits are wanted: so many came without a gap.
  utf8_stream utf8;
  stop_filter stops;

  uint32_t prompt_size() const { return uint32_t(request.prompt_tokens_size()); }
  uint32_t generated() const { return uint32_t(log.size()) - prompt_size(); }
};

sequence_actor::behavior_type sequence(sequence_actor::stateful_pointer<sequence_state> self, sequence_config config,
                                       v1::GenerateRequest request, caf::strong_actor_ptr client);

} // namespace troupe
