#pragma once
// How many processors this process may use at once: the smallest of what its affinity and the CPU quotas of its control groups allow.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace troupe {

/// A CPU quota, as containers have one: the processor time that a control group may take in a period, over that period.
struct cpu_quota {
  double processors = 0;
  std::string setting; // The file that says so, and its group: "cpu.max of /a/b".
};

/// The smallest quota of the process's control group and of all groups above it that can be seen: cgroup v2 (cpu.max) and v1
/// (cpu.cfs_quota_us over cpu.cfs_period_us), where both are mounted of both. Nothing: there is no quota, or the system has no control
/// groups. What cannot be read or understood counts as no quota. `root`: where the file system begins, for tests.
std::optional<cpu_quota> smallest_cpu_quota(const std::filesystem::path& root = "/");

struct processor_limit {
  uint32_t count = 1;
  std::string reason; // What limits it: "affinity", "online processors", or the quota, "cpu.max of /a/b: 1.50 processors".
};

/// The smaller of both, a quota rounded down; at least 1. affinity: how many CPUs the process may run on; 0: unknown, then it is
/// `online`. Pure.
processor_limit limit_of(uint32_t affinity, uint32_t online, const std::optional<cpu_quota>& quota);

/// Of this process, now.
processor_limit usable_processors();

} // namespace troupe
