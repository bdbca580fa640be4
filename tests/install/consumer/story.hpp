#pragma once
// A program that embeds troupe: asks for several continuations of a beginning at once, and returns them in order.
#include <actors/engine.hpp>

#include <map>
#include <stdexcept>

/// `Client` is troupe::client; the tests put another one in its place.
template <class Client>
std::vector<std::string> continuations(Client& client, const std::string& beginning, uint32_t count) {
  std::map<uint64_t, std::string> texts; // Requests are numbered in the order in which they are made.
  for (uint32_t i = 0; i < count; ++i) {
    troupe::generate_request request;
    request.prompt = client.encode(beginning);
    request.tokens_max = 10;
    request.sampling.seed = i;
    texts[client.submit(std::move(request))];
  }
  while (auto event = client.next()) {
    if (event->kind == troupe::event_kind::finished && troupe::is_failure(event->reason))
      throw std::runtime_error(event->error);
    texts[event->request] += event->text;
  }
  std::vector<std::string> result;
  for (auto& [request, text] : texts) result.push_back(std::move(text));
  return result;
}
