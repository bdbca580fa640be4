#pragma once

namespace troupe {

/// The weights that a tenant may have: of two that always have work the one of twice the weight is served twice as much.
constexpr float tenant_weight_min = 1.0f / 1024, tenant_weight_max = 1024;

} // namespace troupe
