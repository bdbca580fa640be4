#pragma once
// Logarithms of probabilities in OpenAI's forms.
#include "apps/service/api/choice.hpp"
#include "apps/service/api/json_text.hpp"
#include "model/tokenizer/tokenizer.hpp"

namespace troupe::service {

/// One element of `logprobs.content` of a chat completion: token `index` of a choice.
json chat_logprob(const choice& of, size_t index, const tokenizer& words);
/// `logprobs` of a completion: tokens `first` .. `end`. `text_offset` counts characters (code points).
json completion_logprobs(const choice& of, size_t first, size_t end, const tokenizer& words);

} // namespace troupe::service
