#include "apps/service/api/logprob_text.hpp"

#include <algorithm>

namespace troupe::service {
namespace {

json entry(const token_logprob& one, const tokenizer& words) {
  const std::string bytes = words.token_bytes(one.token, true);
  json list = json::array();
  for (const char byte : bytes) list.push_back(uint8_t(byte));
  return {{"token", bytes}, {"logprob", one.logprob}, {"bytes", std::move(list)}};
}

size_t characters(std::string_view text) {
  return size_t(std::ranges::count_if(text, [](char byte) { return (uint8_t(byte) & 0xc0) != 0x80; }));
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

json completion_logprobs(const choice& of, size_t first, size_t end, const tokenizer& words) {
  json result{{"tokens", json::array()}, {"token_logprobs", json::array()}, {"top_logprobs", json::array()}, {"text_offset", json::array()}};
  const std::string_view text = of.text;
  size_t counted = first < end ? of.places[first] : 0, offset = characters(text.substr(0, counted));
  for (size_t i = first; i < end; ++i) {
    const auto& all = of.logprobs[i];
    offset += characters(text.substr(counted, of.places[i] - counted));
    counted = of.places[i];
    result["tokens"].push_back(words.token_bytes(all.front().token, true));
    result["token_logprobs"].push_back(all.front().logprob);
    json top = json::object();
    for (size_t k = 1; k < all.size(); ++k) top[words.token_bytes(all[k].token, true)] = all[k].logprob;
    result["top_logprobs"].push_back(std::move(top));
    result["text_offset"].push_back(offset);
  }
  return result;
}

} // namespace troupe::service
