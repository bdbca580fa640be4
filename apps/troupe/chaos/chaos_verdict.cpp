#include "apps/troupe/chaos/chaos_verdict.hpp"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

namespace troupe {
namespace {

std::string in_ms(double ms) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f ms", ms);
  return text;
}

double longest_pause(const request_record& one) {
  double longest = 0;
  for (size_t i = 1; i < one.event_ms.size(); ++i) longest = std::max(longest, one.event_ms[i] - one.event_ms[i - 1]);
  return longest;
}

std::vector<double> pauses(const run_record& run) {
  std::vector<double> all;
  for (const auto& one : run.requests) {
    if (run.is_training)
      for (size_t i = 1; i < one.event_ms.size(); ++i) all.push_back(one.event_ms[i] - one.event_ms[i - 1]);
    else all.push_back(longest_pause(one));
  }
  return all;
}

/// How many elements two lists have in common from their beginnings.
template <class T> size_t in_common(const std::vector<T>& a, const std::vector<T>& b) {
  return size_t(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

/// So far nothing else came than in the undisturbed run.
bool agrees_so_far(const request_record& undisturbed, const request_record& one) {
  return in_common(undisturbed.tokens, one.tokens) == one.tokens.size() && undisturbed.text.starts_with(one.text) &&
         in_common(undisturbed.losses, one.losses) == one.losses.size();
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

/// The first tensor that differs in any bit, in its values or its moments; empty: none.
std::string differing_tensor(const trained_state& a, const trained_state& b) {
  for (size_t i = 0; i < a.slices.size(); ++i) {
    const auto& one = a.slices[i];
    const auto other = std::ranges::find(b.slices, one.slice, &trained_slice::slice);
    if (other == b.slices.end() || !same_bits(one.value, other->value) || !same_bits(one.first_moment, other->first_moment) ||
        !same_bits(one.second_moment, other->second_moment) || !same_bits(one.smoothed, other->smoothed))
      return to_string(one.slice.key);
  }
  return "";
}

/// The same numbers in all rows, and the same results of a beam search.
bool same_values(const request_record& a, const request_record& b) {
  const auto same_rows = [](const auto& one, const auto& other) { return one.first == other.first && same_bits(one.second, other.second); };
  return std::ranges::equal(a.rows, b.rows, same_rows) && a.hypotheses == b.hypotheses;
}

/// The first thing that differs, or the last that came.
std::string place_of(const request_record& undisturbed, const request_record& disturbed) {
  if (disturbed.finished && undisturbed.tokens == disturbed.tokens && !same_values(undisturbed, disturbed)) return "its results";
  if (undisturbed.losses.empty()) return "token " + std::to_string(in_common(undisturbed.tokens, disturbed.tokens));
  const size_t steps = in_common(undisturbed.losses, disturbed.losses);
  if (!disturbed.finished || steps < undisturbed.losses.size())
    return "step " + std::to_string(steps + (steps < disturbed.losses.size() ? 1 : 0));
  return "tensor " + differing_tensor(undisturbed.weights, disturbed.weights);
}

fault_verdict judge_fault(const v1::Fault& fault, const v1::FaultLog& log) {
  fault_verdict verdict{fault.name(), fault.optional()};
  verdict.fitted = std::find(log.unmatched().begin(), log.unmatched().end(), fault.name()) == log.unmatched().end();
  std::vector<double> recoveries;
  for (const auto& injection : log.injections()) {
    if (injection.fault() != fault.name()) continue;
    ++verdict.injections;
    if (injection.has_recovered_ms()) recoveries.push_back(injection.recovered_ms() - injection.time_ms());
  }
  verdict.recovered = recoveries.size();
  verdict.recovery_p50_ms = percentile(recoveries, 0.5);
  verdict.recovery_p99_ms = percentile(recoveries, 0.99);
  verdict.recovery_max_ms = percentile(recoveries, 1);
  return verdict;
}

} // namespace

double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto rank = size_t(std::ceil(share * double(values.size())));
  return values[std::clamp<size_t>(rank, 1, values.size()) - 1];
}

request_verdict judge(const request_record& undisturbed, const request_record& disturbed) {
  request_verdict verdict;
  verdict.pause_ms = longest_pause(disturbed);
  verdict.place = place_of(undisturbed, disturbed);
  if (!disturbed.finished) {
    verdict.what = agrees_so_far(undisturbed, disturbed) ? request_verdict::lost : request_verdict::differs;
  } else if (is_failure(disturbed.reason) && !is_failure(undisturbed.reason)) {
    verdict.what = request_verdict::failed;
    verdict.error = disturbed.error;
  } else {
    const bool same = undisturbed.tokens == disturbed.tokens && undisturbed.text == disturbed.text &&
                      undisturbed.reason == disturbed.reason && undisturbed.losses == disturbed.losses &&
                      same_values(undisturbed, disturbed) && differing_tensor(undisturbed.weights, disturbed.weights).empty();
    verdict.what = same ? request_verdict::identical : request_verdict::differs;
  }
  return verdict;
}

std::string to_string(const request_verdict& verdict) {
  switch (verdict.what) {
  case request_verdict::identical: return "identical";
  case request_verdict::differs: return "differs at " + verdict.place;
  case request_verdict::failed: return "failed: " + verdict.error;
  case request_verdict::lost: return "lost after " + verdict.place;
  }
  return "lost";
}

probe_verdict judge(const v1::Probe& probe, const run_record& undisturbed, const run_record& run, bool under_way) {
  const auto count = [&](auto is_bad) { return std::count_if(run.requests.begin(), run.requests.end(), is_bad); };
  const auto of_all = " of " + std::to_string(run.requests.size()) + (run.is_training ? " training runs " : " requests ");
  switch (probe.kind_case()) {
  case v1::Probe::kAllRequestsFinish: {
    const auto bad = count([&](const request_record& one) {
      return one.finished ? is_failure(one.reason) : !under_way;
    });
    return {probe.name(), bad == 0, std::to_string(bad) + of_all + "did not finish"};
  }
  case v1::Probe::kBytesEqual: {
    ptrdiff_t bad = 0;
    for (size_t i = 0; i < run.requests.size(); ++i) {
      const auto& one = run.requests[i];
      bad += under_way && !one.finished ? !agrees_so_far(undisturbed.requests[i], one)
                                        : judge(undisturbed.requests[i], one).what != request_verdict::identical;
    }
    return {probe.name(), bad == 0, std::to_string(bad) + of_all + "differ"};
  }
  case v1::Probe::kPauseP99BelowMs: {
    const double pause = percentile(pauses(run), 0.99);
    return {probe.name(), pause < probe.pause_p99_below_ms(),
            in_ms(pause) + ", allowed are less than " + in_ms(probe.pause_p99_below_ms())};
  }
  case v1::Probe::kRestartsBelow:
    return {probe.name(), run.log.restarts() < probe.restarts_below(),
            std::to_string(run.log.restarts()) + ", allowed are less than " + std::to_string(probe.restarts_below())};
  case v1::Probe::kNoActorLeftOver:
    return {probe.name(), under_way || run.left_over == 0, std::to_string(run.left_over) + " actors did not end"};
  case v1::Probe::KIND_NOT_SET: break;
  }
  return {probe.name(), false, "asks for nothing"};
}

chaos_verdict judge(const v1::FaultPlan& plan, const run_record& undisturbed, const run_record& disturbed) {
  chaos_verdict verdict;
  for (size_t i = 0; i < undisturbed.requests.size(); ++i)
    verdict.requests.push_back(judge(undisturbed.requests[i], disturbed.requests[i]));
  for (const auto& probe : plan.steady_state().probes()) verdict.probes.push_back(judge(probe, undisturbed, disturbed, false));
  for (const auto& fault : plan.faults()) verdict.faults.push_back(judge_fault(fault, disturbed.log));
  const auto all = pauses(disturbed);
  verdict.pause_p50_ms = percentile(all, 0.5);
  verdict.pause_p99_ms = percentile(all, 0.99);
  verdict.pause_max_ms = percentile(all, 1);
  return verdict;
}

bool chaos_verdict::passed() const {
  return std::all_of(probes.begin(), probes.end(), [](const auto& one) { return one.holds; }) &&
         std::all_of(faults.begin(), faults.end(), [](const auto& one) { return one.injections > 0 || one.optional; });
}

} // namespace troupe
