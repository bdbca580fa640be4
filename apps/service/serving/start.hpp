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

/// What a request holds that makes one generation after the other: its place among those of its key, its share of the memory for bodies,
/// and the names by which it is cancelled. With it as call::claim, start() counts the generations as parts of this request.
class request_claim {
public:
  /// cancel: of the whole request; by `name`, by its x-request-id, and when its client has gone. Throws api_error: 429 where its key may
  /// have no more under way.
  request_claim(call& of, served_model& model, const std::string& name, std::function<void()> cancel);
  ~request_claim();
  request_claim(const request_claim&) = delete;
  request_claim& operator=(const request_claim&) = delete;

private:
  context& in_;
  std::weak_ptr<const bool> in_lives_;
  served_model& model_;
  std::string tenant_;
  size_t bytes_;
  std::vector<decltype(context::under_way)::iterator> places_;
};

/// Starts a generation that can be cancelled by `name`; when nobody reads its answer any more it is cancelled, unless it is kept. Throws
/// api_error: 429 where its key may have no more under way.
std::shared_ptr<generation> start(call& of, served_model& model, const std::string& name, std::vector<generate_request> requests,
                                  std::function<std::unique_ptr<generation_form>(const generation&)> form);

/// All of that name. False: there is none, or it is another tenant's. Else `done` is called once it is sure: of those that are kept, the
/// end is in the journal; or with why it is not.
bool cancel(context& in, const std::string& name, const caller& who, const std::function<void(const api_error* failure)>& done);

} // namespace troupe::service
