#include "apps/support_messages/phrases/quotes.hpp"

namespace troupe::support_messages {
namespace {

constexpr std::string_view open[] = {
  "I wrote to you {ago} and [am still waiting for|never got] an answer: \"{quote}\"",
  "[My mother|My boss|My neighbor] cannot write to you, so I pass this on: \"{quote}\" Please see to it.",
  "You have not answered this yet: \"{quote}\"",
  "Here is my message once more, because the form lost it: \"{quote}\"",
  "This is what it is about: \"{quote}\"",
  "You closed my ticket, but nothing has changed: \"{quote}\"",
};

constexpr std::string_view closed[] = {
  "My last message said: \"{quote}\" [That is settled.|You took care of that, thank you.|That was quickly solved.]",
  "\"{quote}\" was what I wrote {ago}, and it has been [dealt with|solved].",
  "Somebody writes in your forum: \"{quote}\" That is [not my problem|not why I am writing|somebody else's business].",
  "The form wanted an example, so I left this in it: \"{quote}\" Please ignore it.",
  "{^ago} it was: \"{quote}\" That is over.",
  "My sister will write to you herself: \"{quote}\" You need not do anything about that here.",
  "Your chat took me for another customer: \"{quote}\" That was not me.",
};

} // namespace

const std::span<const std::string_view> open_matters = open;
const std::span<const std::string_view> closed_matters = closed;

} // namespace troupe::support_messages
