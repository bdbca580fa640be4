#pragma once
// What was written or said elsewhere: {quote} is a concern, in whole sentences.
#include <span>
#include <string_view>

namespace troupe::support_messages {

/// The quote is what the writer wants to be done.
extern const std::span<const std::string_view> open_matters;
/// The quote is over, or somebody else's.
extern const std::span<const std::string_view> closed_matters;

} // namespace troupe::support_messages
