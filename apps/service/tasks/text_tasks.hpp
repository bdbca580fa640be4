#pragma once
// Requests that are answered as a whole: one or several texts in, something for each out.
#include "apps/service/api/json_text.hpp"
#include "apps/service/serving/context.hpp"
#include <functional>
#include <string>
#include <vector>

namespace troupe::service {

/// A text as tokens, special ones added.
encoding encode_input(const served_model& model, const json_node& input);
/// `input` of embeddings and the like: a text, token ids, or a list of either.
std::vector<encoding> encode_inputs(const served_model& model, const json_node& input);

/// Runs one request for each text, of those that it admits; `answer` makes the body of what they gave, in order, with their name.
using task_answer = std::function<json(const std::string& id, const std::vector<choice>&)>;
void run_tasks(call& of, served_model& model, const char* prefix, std::vector<generate_request> requests, task_answer answer);

/// What requests for the results of a model that does not generate have in common: the body's priority and deadlines.
generate_request result_request(call& of, const served_model& model, const json_node& body);
/// Such requests: one for each text of `input`, with the body's priority and deadlines.
std::vector<generate_request> result_requests(call& of, const served_model& model, const json_node& body);

} // namespace troupe::service
