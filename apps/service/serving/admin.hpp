#pragma once
// What an administrator may do: look at actors, end them, and inject faults.
#include "apps/service/serving/context.hpp"

namespace troupe::service {

/// GET /admin/actors -> {"actors": [{"model", "path", "kind", "state", "restarts"}]}
void admin_actors(call& of);
/// POST /admin/kill {"path": ..., "model": ...} -> 202: that actor ends at once; its supervisor starts another.
void admin_kill(call& of, const json_node& body);
/// GET /admin/cluster -> {"models": [{"model", "workers": [{"name", "state", "layers", ...}]}]}: the worker processes of each model.
void admin_cluster(call& of);
/// POST /admin/cluster/drain {"worker": ..., "undo": false, "model": ...} -> 202: its layers move to others; or it may compute again.
void admin_drain_worker(call& of, const json_node& body);
/// /admin/faults[?model=...]. POST, a fault plan (docs/faults.md) -> 202: from now on its faults are injected, instead of those of an
/// earlier plan. GET -> {"plan", "log"}: what is injected, null if nothing is, and what came of it. DELETE -> the same, for the last time:
/// nothing is injected any more. Requests go on. 409 while the plan is being changed.
void admin_use_faults(call& of);
void admin_faults(call& of);
void admin_end_faults(call& of);
/// POST /admin/drain -> 202: from now on new requests get 503, and the service is not ready.
void admin_drain(call& of);

} // namespace troupe::service
