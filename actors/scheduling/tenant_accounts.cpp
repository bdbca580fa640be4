#include "actors/scheduling/tenant_accounts.hpp"

#include "actors/interfaces/tenant_weight.hpp"
#include "model/error.hpp"

#include <algorithm>
#include <optional>

namespace troupe {

tenant_account& tenant_accounts::enter(const std::string& name, double weight) {
  const auto [it, is_new] = all_.try_emplace(name);
  auto& account = it->second;
  if (is_new) account.number = ++tenants_;
  else if (account.sequences == 0) --absent_;
  if (account.sequences == 0) account.served = std::max(account.served, lift());
  ++account.sequences;
  account.weight = weight > 0 ? std::clamp<double>(weight, tenant_weight_min, tenant_weight_max) : 1; // NaN is not above 0.
  return account;
}

void tenant_accounts::leave(const std::string& name) {
  const auto it = all_.find(name);
  TROUPE_ASSERT(it != all_.end() && it->second.sequences > 0);
  if (--it->second.sequences > 0) return;
  last_ = it->second.served;
  if (it->second.served <= lift()) all_.erase(it); // It would be lifted anyway.
  else if (++absent_ > absent_max) absent_ -= std::erase_if(all_, [](const auto& one) { return one.second.sequences == 0; });
}

double tenant_accounts::lift() const {
  std::optional<double> least;
  for (const auto& [name, account] : all_)
    if (account.sequences > 0) least = std::min(least.value_or(account.served), account.served);
  return least.value_or(last_) - head_start;
}

} // namespace troupe
