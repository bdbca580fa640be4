#pragma once
// What two runs of the same load say, one undisturbed and one disturbed. Pure.
#include "apps/troupe/chaos/chaos_run.hpp"
#include <optional>
#include <string>
#include <vector>

namespace troupe {

/// Of a request, or of a training run.
struct request_verdict {
  enum kind { identical, differs, failed, lost } what = lost;
  std::string place;   // Where it differs, or the last of what came: "token 7"; "step 3" (its loss), "tensor layer 1 query".
  std::string error;   // Of `failed`.
  double pause_ms = 0; // Its longest wait from one event to the next in the disturbed run.
};

struct probe_verdict {
  std::string name;
  bool holds = false;
  std::string why; // What was found, in either case.
};

struct fault_verdict {
  std::string name;
  bool optional = false;
  bool fitted = false; // Its selector fitted some actor or message.
  uint64_t injections = 0, recovered = 0;
  double recovery_p50_ms = 0, recovery_p99_ms = 0, recovery_max_ms = 0; // Of those that recovered.
};

struct chaos_verdict {
  std::vector<request_verdict> requests;
  std::vector<probe_verdict> probes;
  std::vector<fault_verdict> faults;
  double pause_p50_ms = 0, pause_p99_ms = 0, pause_max_ms = 0; // Over the requests' longest; of a training run over its steps.
  /// All probes hold and every fault that is not optional was injected.
  bool passed() const;
};

/// The smallest value that at least `share` of all do not exceed; 0 of nothing.
double percentile(std::vector<double> values, double share);

request_verdict judge(const request_record& undisturbed, const request_record& disturbed);

/// A probe asked of a run that is over, or with `under_way` of one that goes on: what has not happened yet is no violation.
probe_verdict judge(const v1::Probe& probe, const run_record& undisturbed, const run_record& run, bool under_way);

chaos_verdict judge(const v1::FaultPlan& plan, const run_record& undisturbed, const run_record& disturbed);

/// "identical", "differs at token 7", "differs at tensor layer 1 query", "failed: ...", "lost after step 3".
std::string to_string(const request_verdict& verdict);

} // namespace troupe
