#pragma once
// Anthropic's Messages API.
#include "apps/service/serving/context.hpp"

namespace troupe::service {

void messages(call& of, const json_node& body);
void count_tokens(call& of, const json_node& body);

} // namespace troupe::service
