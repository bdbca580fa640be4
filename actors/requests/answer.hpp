#pragma once
// A whole answer to a request, for whoever does not want its events one by one.
#include "actors/requests/expected.hpp"
#include "actors/requests/generation.hpp"
#include <cstdint>
#include <string>
#include <vector>

namespace troupe {

struct answer {
  std::string text;
  std::vector<uint32_t> tokens;
  std::vector<std::vector<token_logprob>> logprobs; // Of each token, if wanted.
  finish_reason reason = finish_reason::length;     // length, stop or cancelled: then the text is what there was until then.
  std::vector<hypothesis> hypotheses;               // Results of a beam search, the best first.
  std::vector<float> logits;                        // [rows, width], if wanted: for encoders labels or hidden states, see output_spec.
  uint32_t width = 0;
  uint32_t prompt_tokens_cached = 0;
};

/// Puts an answer together from the events of one request. Hidden states of layers are left out: they come as events only.
class answer_builder {
public:
  /// Whether this was the last event.
  bool add(generation_event event);
  /// After the last event, once.
  expected<answer> take();

private:
  answer answer_;
  call_error error_;
};

/// The error of a request's last event, of which is_failure() holds.
call_error error_of(const generation_event& finished);

} // namespace troupe
