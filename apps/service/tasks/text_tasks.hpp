#pragma once
// Requests that are answered as a whole: one or several texts in, something for each out.
#include "apps/service/api/json_text.hpp"
#include "apps/service/serving/context.hpp"
#include <functional>
#include <string>
#include <vector>

namespace troupe::service {

/// Runs these requests, if they are admitted; `answer` makes the body of what they gave, in order, with their name.
using task_answer = std::function<json(const std::string& id, const std::vector<choice>&)>;
void run_tasks(call& of, served_model& model, const char* prefix, std::vector<generate_request> requests, task_answer answer);

/// The same for one request for each text of `input`: a text, token ids, or a list of either. They differ from `common` by what `fill`
/// makes of the text's tokens, special ones added. Refused by their number and length before that.
using task_filler = std::function<void(generate_request& to, const encoding& from)>;
void run_text_tasks(call& of, served_model& model, const char* prefix, const json_node& input, generate_request common, task_filler fill,
                    task_answer answer);

/// What requests for the results of a model that does not generate have in common: the body's priority and deadlines.
generate_request result_request(call& of, const served_model& model, const json_node& body);
/// Runs such requests: one for each text of the body's `input`.
void run_result_tasks(call& of, served_model& model, const char* prefix, const json_node& body, task_answer answer);

} // namespace troupe::service
