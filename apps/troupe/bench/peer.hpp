#pragma once
// Another program that measures the same model: it runs in turn with troupe, so that both run on the machine in the same state.
#include <optional>
#include <string>

namespace troupe {

/// Tokens per second as a peer printed them; nullopt: it printed none.
struct peer_rates {
  std::optional<double> prefill, decode;
};

/// Runs `command` in a shell and reads what it prints. Throws run_error when it cannot be run, fails, or prints nothing that
/// parse_peer understands.
peer_rates run_peer(const std::string& command);

/// Understands the JSON of llama-bench (-o json: an array with n_prompt, n_gen and avg_ts), or one object with
/// prefill_tokens_per_s and decode_tokens_per_s, possibly among other lines. No rate at all: nothing was understood.
peer_rates parse_peer(const std::string& text);

} // namespace troupe
