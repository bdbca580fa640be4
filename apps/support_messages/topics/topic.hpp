#pragma once
// What people write to a support desk about. The texts are patterns (apps/generators/patterns.hpp) with the names that
// phrases/words.hpp sets.
#include <span>
#include <string_view>

namespace troupe::support_messages {

struct topic {
  std::string_view name;
  /// Each says, in a sentence or two, what the writer wants to be done. It is about this topic and no other, whatever words it uses.
  std::span<const std::string_view> concerns;
  /// Each speaks of this topic as of something that is in order, and asks for nothing: in messages about another topic.
  std::span<const std::string_view> settled;
};

extern const topic billing, delivery, access, fault, cancellation, question;
inline constexpr const topic* all_topics[] = {&billing, &delivery, &access, &fault, &cancellation, &question};

} // namespace troupe::support_messages
