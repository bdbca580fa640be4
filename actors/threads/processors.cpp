#include "actors/threads/processors.hpp"

#include "actors/threads/cpus.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

namespace troupe {
namespace {

using std::filesystem::path;

/// "cpu,cpuacct" names "cpu".
bool names(const std::string& list, const std::string& name) {
  std::istringstream words(list);
  for (std::string word; std::getline(words, word, ',');)
    if (word == name) return true;
  return false;
}

/// Mount points are written with spaces and the like as \040.
std::string unescaped(const std::string& text) {
  const auto is_octal = [](char c) { return c >= '0' && c <= '7'; };
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && std::all_of(&text[i + 1], &text[i + 4], is_octal)) {
      result += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

/// A mounted hierarchy of control groups that may limit processor time.
struct hierarchy {
  bool is_v2;
  path top;   // The group that the mount point shows, as /proc/self/cgroup names groups.
  path mount; // Where.
};

/// From mountinfo: "ID PARENT MAJOR:MINOR ROOT MOUNT_POINT OPTIONS [FIELD...] - TYPE SOURCE SUPER_OPTIONS".
std::vector<hierarchy> hierarchies(const path& root) {
  std::vector<hierarchy> found;
  std::ifstream lines(root / "proc/self/mountinfo");
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string skipped, top, mount, type, source, options;
    words >> skipped >> skipped >> skipped >> top >> mount;
    while (words >> skipped && skipped != "-") {}
    words >> type >> source >> options;
    if (type == "cgroup2" || (type == "cgroup" && names(options, "cpu")))
      found.push_back({type == "cgroup2", unescaped(top), unescaped(mount)});
  }
  return found;
}

/// From /proc/self/cgroup: "ID:CONTROLLERS:GROUP", without controllers for v2.
std::optional<path> group_in(const hierarchy& where, const path& root) {
  std::ifstream lines(root / "proc/self/cgroup");
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (where.is_v2 ? controllers.empty() : names(controllers, "cpu")) return path(line.substr(second + 1));
  }
  return std::nullopt;
}

double first_number(const path& file, double otherwise) {
  std::ifstream in(file);
  double value = 0;
  return in >> value ? value : otherwise;
}

/// Processors that the group in `folder` may use; 0: no quota.
double quota_of(bool is_v2, const path& folder) {
  double quota = 0, period = 0;
  if (is_v2) {
    std::ifstream in(folder / "cpu.max"); // "max 100000" or "50000 100000"; the group at the top has no such file.
    if (!(in >> quota >> period)) return 0;
  } else {
    quota = first_number(folder / "cpu.cfs_quota_us", -1);
    period = first_number(folder / "cpu.cfs_period_us", 0);
  }
  return quota > 0 && period > 0 ? quota / period : 0;
}

} // namespace

std::optional<cpu_quota> smallest_cpu_quota(const path& root) {
  std::optional<cpu_quota> smallest;
  for (const auto& where : hierarchies(root)) {
    const auto group = group_in(where, root);
    if (!group) continue;
    // What is mounted may begin below the top of the system's groups, as in a container: then so does what can be seen.
    path below = group->lexically_relative(where.top);
    if (below.empty() || *below.begin() == "..") below = ".";
    for (below = below.lexically_normal();; below = below.parent_path()) {
      const bool is_top = below.empty() || below == ".";
      const path folder = root / where.mount.relative_path() / (is_top ? path() : below);
      const double processors = quota_of(where.is_v2, folder);
      if (processors > 0 && (!smallest || processors < smallest->processors))
        smallest = {processors, std::string(where.is_v2 ? "cpu.max" : "cpu.cfs_quota_us") + " of " +
                                  (is_top ? where.top : where.top / below).generic_string()};
      if (is_top) break;
    }
  }
  return smallest;
}

processor_limit limit_of(uint32_t affinity, uint32_t online, const std::optional<cpu_quota>& quota) {
  const uint32_t count = std::max(1u, affinity > 0 ? affinity : online);
  if (!quota || quota->processors >= count) return {count, affinity > 0 ? "affinity" : "online processors"};
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", quota->processors);
  return {std::max(1u, static_cast<uint32_t>(quota->processors)), quota->setting + ": " + text + " processors"};
}

processor_limit usable_processors() {
  return limit_of(static_cast<uint32_t>(usable_cpus().size()), std::thread::hardware_concurrency(), smallest_cpu_quota());
}

} // namespace troupe
