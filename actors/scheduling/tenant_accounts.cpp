#include "actors/scheduling/tenant_accounts.hpp"

#include "model/error.hpp"

#include <algorithm>

namespace troupe {

tenant_account& tenant_accounts::enter(const std::string& name, double weight) {
  const auto [it, is_new] = all_.try_emplace(name);
  auto& account = it->second;
  if (is_new) account.number = ++tenants_;
  else if (account.sequences == 0) --absent_;
  if (account.sequences++ == 0) account.served = std::max(account.served, least_);
  account.weight = weight > 0 ? std::clamp(weight, weight_min, weight_max) : 1; // Not a number: not above 0.
  return account;
}

void tenant_accounts::leave(const std::string& name) {
  const auto it = all_.find(name);
  TROUPE_ASSERT(it != all_.end() && it->second.sequences > 0);
  if (--it->second.sequences > 0) return;
  if (it->second.served <= least_) all_.erase(it); // It would be lifted anyway.
  else if (++absent_ > absent_max) absent_ -= std::erase_if(all_, [](const auto& one) { return one.second.sequences == 0; });
}

void tenant_accounts::note_least(double served) { least_ = std::max(least_, served); }

} // namespace troupe
