#pragma once
// What the answer must look like, in the words of several APIs.
#include "actors/requests/generation.hpp"
#include "apps/service/api/choice.hpp"
#include "apps/service/api/tool_calls.hpp"
#include "model/formats/json.hpp"
#include <string>
#include <vector>

namespace troupe::service {

/// response_format (OpenAI), text.format (Responses), output_config.format (Anthropic); and of others: grammar, json_schema, regex,
/// guided_json, guided_regex, guided_grammar, structured_outputs. At most one of them. Throws json_error for what cannot be enforced.
void read_constraint(const json_node& body, generate_request& request);

/// Whether the answer is read as calls of tools, and of which.
enum class tool_use : uint8_t { none, allowed, required };
struct tool_choice {
  tool_use use = tool_use::none;
  std::vector<std::string> names;
};
/// tool_choice: of OpenAI's two APIs and Anthropic's. A call that is required makes the answer one: by a constraint.
tool_choice read_tool_choice(const json_node& body, const json_value::array& tools, generate_request& request);

/// What a choice has said, by that. An answer that was cancelled has no calls: it is not known how it would have gone on.
parsed_answer answer_of(const choice& one, const tool_choice& tools);

} // namespace troupe::service
