#pragma once
// What an administrator may do: look at actors, and end them.
#include "apps/service/serving/context.hpp"

namespace troupe::service {

/// GET /admin/actors -> {"actors": [{"model", "path", "kind", "state", "restarts"}]}
void admin_actors(call& of);
/// POST /admin/kill {"path": ..., "model": ...} -> 202: that actor ends at once; its supervisor starts another.
void admin_kill(call& of, const json_node& body);
/// POST /admin/drain -> 202: from now on new requests get 503, and the service is not ready.
void admin_drain(call& of);

} // namespace troupe::service
