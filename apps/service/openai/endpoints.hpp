#pragma once
// OpenAI's API, and what is customary beside it.
#include "apps/service/serving/context.hpp"

namespace troupe::service {

void chat_completions(call& of, const json_node& body);
void completions(call& of, const json_node& body);
void create_response(call& of, const json_node& body);

} // namespace troupe::service
