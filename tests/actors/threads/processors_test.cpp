#include "actors/threads/processors.hpp"

#include "support/catch.hpp"

#include <atomic>
#include <fstream>
#include <string>
#include <unistd.h>

using namespace troupe;

namespace {

/// A root of a file system with what a test puts there.
class fake_root {
public:
  fake_root() {
    static std::atomic<int> number{0};
    path_ = std::filesystem::temp_directory_path() / ("troupe-processors-" + std::to_string(::getpid()) + "-" + std::to_string(++number));
  }
  ~fake_root() { std::filesystem::remove_all(path_); }
  fake_root& put(const std::string& file, const std::string& text) {
    std::filesystem::create_directories((path_ / file).parent_path());
    std::ofstream(path_ / file) << text;
    return *this;
  }
  /// What a process in `group` sees of cgroup v2, of which `top` is mounted.
  fake_root& v2(const std::string& group, const std::string& top = "/") {
    return put("proc/self/cgroup", "0::" + group + "\n")
      .put("proc/self/mountinfo", "22 1 0:20 / /proc rw - proc proc rw\n"
                                  "30 22 0:26 " + top + " /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
  }
  fake_root& v1(const std::string& group, const std::string& top = "/") {
    return put("proc/self/cgroup", "9:memory:/elsewhere\n4:cpu,cpuacct:" + group + "\n3:cpuset:/\n0::/none\n")
      .put("proc/self/mountinfo", "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
                                  "32 31 0:29 " + top + " /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
                                  "33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n");
  }
  std::optional<cpu_quota> quota() const { return smallest_cpu_quota(path_); }

private:
  std::filesystem::path path_;
};

} // namespace

TEST_CASE("the smallest CPU quota on the path of groups counts, in cgroup v2", "[processors]") {
  fake_root root;
  root.v2("/a/b/c").put("sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n").put("sys/fs/cgroup/a/b/cpu.max", "150000 100000\n")
    .put("sys/fs/cgroup/a/cpu.max", "12500 10000\n").put("sys/fs/cgroup/other/cpu.max", "1000 100000\n");
  REQUIRE(root.quota());
  CHECK(root.quota()->processors == 1.25);
  CHECK(root.quota()->setting == "cpu.max of /a");
  root.put("sys/fs/cgroup/a/b/c/cpu.max", "75000 100000\n");
  CHECK(root.quota()->processors == 0.75);
}

TEST_CASE("the smallest CPU quota on the path of groups counts, in cgroup v1", "[processors]") {
  fake_root root;
  root.v1("/a/b").put("sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1\n").put("sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n")
    .put("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "250000\n").put("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n")
    .put("sys/fs/cgroup/cpuset/a/cpu.cfs_quota_us", "1\n").put("sys/fs/cgroup/cpuset/a/cpu.cfs_period_us", "100000\n");
  REQUIRE(root.quota());
  CHECK(root.quota()->processors == 2.5);
  CHECK(root.quota()->setting == "cpu.cfs_quota_us of /a");
}

TEST_CASE("in a container, whose mount begins at its own group, the group is found all the same", "[processors]") {
  const std::string id = "/docker/0123";
  SECTION("v1, which names the whole path") {
    fake_root root;
    root.v1(id, id).put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "100000").put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "50000");
    REQUIRE(root.quota());
    CHECK(root.quota()->processors == 2);
    CHECK(root.quota()->setting == "cpu.cfs_quota_us of /docker/0123");
  }
  SECTION("v2, with a group below it") {
    fake_root root;
    root.v2(id + "/inner", id).put("sys/fs/cgroup/cpu.max", "100000 100000").put("sys/fs/cgroup/inner/cpu.max", "max 100000");
    REQUIRE(root.quota());
    CHECK(root.quota()->processors == 1);
  }
  SECTION("a group outside of what is mounted: the top of the mount counts") {
    fake_root root;
    root.v2("/../elsewhere", "/").put("sys/fs/cgroup/cpu.max", "120000 100000").put("sys/fs/elsewhere/cpu.max", "10000 100000");
    REQUIRE(root.quota());
    CHECK(root.quota()->processors == 1.2);
  }
}

TEST_CASE("what cannot be read or understood is no quota", "[processors]") {
  CHECK_FALSE(fake_root().quota());
  CHECK_FALSE(fake_root().v2("/a").quota());
  CHECK_FALSE(fake_root().v2("/a").put("sys/fs/cgroup/a/cpu.max", "max 100000").quota());
  for (const char* nonsense : {"", "x y", "0 100000", "-5 100000", "100000 0", "100000"})
    CHECK_FALSE(fake_root().v2("/a").put("sys/fs/cgroup/a/cpu.max", nonsense).quota());
  CHECK_FALSE(fake_root().put("proc/self/mountinfo", "\n1\n1 2 3\n- cgroup2\n").put("proc/self/cgroup", "x\n0:\n::\n").quota());
}

TEST_CASE("a mount point with a space is found", "[processors]") {
  fake_root root;
  root.put("proc/self/cgroup", "0::/\n").put("proc/self/mountinfo", "30 22 0:26 / /my\\040groups rw - cgroup2 cgroup2 rw\n")
    .put("my groups/cpu.max", "50000 100000");
  REQUIRE(root.quota());
  CHECK(root.quota()->processors == 0.5);
}

TEST_CASE("processors are the smaller of affinity and quota, rounded down, at least one", "[processors]") {
  const auto count = [](uint32_t affinity, uint32_t online, std::optional<double> quota) {
    return limit_of(affinity, online, quota ? std::optional(cpu_quota{*quota, "cpu.max of /a"}) : std::nullopt).count;
  };
  CHECK(count(8, 16, {}) == 8);
  CHECK(count(0, 16, {}) == 16);
  CHECK(count(0, 0, {}) == 1);
  CHECK(count(8, 16, 2.9) == 2);
  CHECK(count(8, 16, 0.3) == 1);
  CHECK(count(2, 16, 3.0) == 2);
  CHECK(limit_of(8, 16, {}).reason == "affinity");
  CHECK(limit_of(2, 16, cpu_quota{2, "cpu.max of /a"}).reason == "affinity");
  CHECK(limit_of(8, 16, cpu_quota{2.5, "cpu.max of /a"}).reason == "cpu.max of /a: 2.50 processors");
  CHECK(usable_processors().count >= 1);
}
