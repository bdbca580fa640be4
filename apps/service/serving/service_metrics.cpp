#include "apps/service/serving/service_metrics.hpp"

#include <algorithm>
#include <cstdio>

namespace troupe::service {
namespace {

std::string plain(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", number);
  return text;
}

} // namespace

void histogram::add(double seconds) {
  ++counts_[size_t(std::ranges::lower_bound(bounds, seconds) - bounds.begin())];
  sum_ += seconds;
}

void histogram::print(std::string& out, const std::string& name, const std::string& labels) const {
  uint64_t count = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    count += counts_[i];
    out += name + "_bucket{" + labels + ",le=\"" + (i < bounds.size() ? plain(bounds[i]) : "+Inf") + "\"} " + std::to_string(count) + "\n";
  }
  char sum[40];
  std::snprintf(sum, sizeof sum, "%.17g", sum_);
  out += name + "_sum{" + labels + "} " + sum + "\n" + name + "_count{" + labels + "} " + std::to_string(count) + "\n";
}

void service_metrics::ended(const generation& one, const api_error* failure) {
  auto& counts = models[one.model().name()];
  for (const auto& choice : one.choices()) {
    counts.prompt_tokens += choice.prompt_tokens;
    counts.cached_tokens += choice.prompt_tokens_cached;
    counts.generated_tokens += choice.tokens.size();
    ++counts.ended[std::string(choice.reason ? to_string(*choice.reason) : "error")];
  }
  counts.generated_tokens -= one.tokens_before();
  refused += failure && failure->status == 429;
  const auto& times = one.times();
  if (failure || one.tokens() == 0 || one.tokens_before() > 0) return; // The times are of a part of it.
  const auto now = std::chrono::steady_clock::now();
  counts.first_token.add(in_seconds(times.first_token - times.submitted));
  counts.whole.add(in_seconds(now - times.submitted));
  const size_t choices = one.choices().size();
  if (one.tokens() > choices)
    counts.per_token.add(in_seconds(times.last_token - times.first_token) / (double(one.tokens()) / double(choices) - 1));
}

} // namespace troupe::service
