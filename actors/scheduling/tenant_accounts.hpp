#pragma once
// How much each tenant was served: virtual token counters (Sheng et al. 2024, arXiv 2401.00588). Pure.
#include <cstdint>
#include <map>
#include <string>

namespace troupe {

struct tenant_account {
  uint64_t number = 0;    // In the order in which they came.
  double weight = 1;      // Of two that always have work the one of twice the weight is served twice as much.
  double served = 0;      // What its rows have cost, divided by its weight. Never falls.
  uint64_t sequences = 0; // That have joined and not left.
};

/// Those that have sequences. One that had none for a while has saved little meanwhile: it is lifted to head_start below the
/// smallest counter of those that have some; where none has, of the last one that had. One that goes and comes back finds its
/// counter, so that it gains nothing by that, unless more than absent_max others have gone.
class tenant_accounts {
public:
  static constexpr size_t absent_max = 1024;
  static constexpr double head_start = 128; // 64 decoding rows: a short answer now and then does not wait for others.

  /// A sequence of this tenant joins. A weight that is no positive number: 1; one out of bounds (tenant_weight.hpp) becomes the
  /// nearest. O(tenants) for the first sequence of a tenant. The account stays where it is as long as it has
  /// sequences.
  tenant_account& enter(const std::string& name, double weight);
  void leave(const std::string& name);
  size_t size() const { return all_.size(); }

private:
  double lift() const;

  std::map<std::string, tenant_account> all_;
  double last_ = 0; // The counter of the last one that left.
  uint64_t tenants_ = 0;
  size_t absent_ = 0;
};

} // namespace troupe
