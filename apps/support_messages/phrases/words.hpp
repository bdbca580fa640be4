#pragma once
// What a message says besides its concern: greetings, remarks, names of things.
#include <span>
#include <string_view>

namespace troupe::generators {
class pattern_writer;
}

namespace troupe::support_messages {

/// Sets {product}, {room}, {name}, {place}, {weekday}, {month}, {ago}, {number}, {amount} and {other amount}.
void set_words(generators::pattern_writer& t);

extern const std::span<const std::string_view> greetings, closings;
/// Sentences that say nothing about topic or urgency.
extern const std::span<const std::string_view> remarks;

} // namespace troupe::support_messages
