#pragma once
// How soon something must be done: sentences that say so, and sentences that only sound like it.
#include <cstdint>
#include <span>
#include <string_view>

namespace troupe::support_messages {

/// Urgent: the writer says that waiting does harm today or tomorrow. Routine: everything else.
enum class urgency : uint8_t { routine, urgent };

/// Reasons to hurry; they begin with a small letter.
extern const std::span<const std::string_view> reasons_to_hurry;
/// There is time.
extern const std::span<const std::string_view> patience;
/// Ways to hurry that speak of patience: {reason} is one of the reasons and holds, {calm} is a sentence of patience and does not.
extern const std::span<const std::string_view> patience_at_an_end;
/// The other way round: {reason}, or another word of haste, is over, belongs to others or is denied.
extern const std::span<const std::string_view> no_real_hurry;

} // namespace troupe::support_messages
