#include "apps/service/api/logprob_text.hpp"

namespace troupe::service {
namespace {

json entry(const token_logprob& one, const tokenizer& words) {
  const std::string bytes = words.token_bytes(one.token, true);
  json list = json::array();
  for (const char byte : bytes) list.push_back(uint8_t(byte));
  return {{"token", bytes}, {"logprob", one.logprob}, {"bytes", std::move(list)}};
}

} // namespace

json chat_logprob(const choice& of, size_t index, const tokenizer& words) {
  const auto& all = of.logprobs[index];
  json result = entry(all.front(), words);
  json top = json::array();
  for (size_t i = 1; i < all.size(); ++i) top.push_back(entry(all[i], words));
  result["top_logprobs"] = std::move(top);
  return result;
}

json completion_logprobs(const choice& of, size_t first, size_t end, const tokenizer& words, size_t offset) {
  json result{{"tokens", json::array()}, {"token_logprobs", json::array()}, {"top_logprobs", json::array()}, {"text_offset", json::array()}};
  for (size_t i = first; i < end; ++i) {
    const auto& all = of.logprobs[i];
    result["tokens"].push_back(words.token_bytes(all.front().token, true));
    result["token_logprobs"].push_back(all.front().logprob);
    json top = json::object();
    for (size_t k = 1; k < all.size(); ++k) top[words.token_bytes(all[k].token, true)] = all[k].logprob;
    result["top_logprobs"].push_back(std::move(top));
    result["text_offset"].push_back(offset + of.places[i]);
  }
  return result;
}

} // namespace troupe::service
