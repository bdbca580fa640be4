#pragma once
// From a request that has been read to a generation.
#include "apps/service/serving/context.hpp"
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace troupe::service {

/// The model that a request names, or the default one. Throws api_error: 404.
served_model& find_model(const call& of, const json_node& body);

/// Refuses what there is no time or room for, from its length alone: before it is rendered or tokenised. Throws api_error: 429, or 503
/// while the service is drained. sequences: how many it will be.
void admit(call& of, served_model& model, size_t sequences, const generate_request& wish);

/// Starts a generation that can be cancelled by `name`; when nobody reads its answer any more it is cancelled, unless it is kept. Throws
/// api_error: 429 where its key may have no more under way.
std::shared_ptr<generation> start(call& of, served_model& model, const std::string& name, std::vector<generate_request> requests,
                                  std::function<std::unique_ptr<generation_form>(const generation&)> form);

/// All of that name. False: there is none, or it is another tenant's.
bool cancel(context& in, const std::string& name, const caller& who);

} // namespace troupe::service
