#pragma once
// Short messages to a support desk, with what they are about and how soon something must be done: the training data of a small
// classifier. docs/support_messages.md
#include "apps/generators/split.hpp"
#include "apps/support_messages/phrases/urgency.hpp"
#include "apps/support_messages/topics/topic.hpp"
#include <cstdint>
#include <string>

namespace troupe::support_messages {

struct message {
  std::string text;  // ASCII but for some names; one line, no tab.
  std::string label; // "billing/urgent"
  const topic* about;
  urgency how_soon;
  double bits; // The information of the choices that made it: apps/generators/choice.hpp.
};

/// Message `index` of `seed`. The same bytes on every machine; no message depends on another one.
message make_message(uint64_t seed, uint64_t index, generators::part from);

} // namespace troupe::support_messages
