// Claims: tile registers are used where the system allows it, are not asked for where another instruction set is wanted, and are
// done without where they are refused. Each holds in a process that has not asked for them yet: so ctest runs tests.
#include "model/kernels/kernel_support.hpp"
#include "support/catch.hpp"
#include <cstdlib>
#if defined(__x86_64__) && defined(__linux__)
#include <csignal>
#include <sys/syscall.h>
#include <unistd.h>

using namespace troupe;

namespace {

constexpr unsigned long tile_data = 1ul << 18;
unsigned long ask_system(long what) { // ARCH_GET_XCOMP_SUPP, ARCH_GET_XCOMP_PERM; 0 where the system knows neither.
  unsigned long features = 0;
  return syscall(SYS_arch_prctl, what, &features) == 0 ? features : 0;
}
bool has_system_tiles() { return (ask_system(0x1021) & tile_data) != 0; }
bool may_use_tiles() { return (ask_system(0x1022) & tile_data) != 0; }

} // namespace

TEST_CASE("tile registers are the default where there are some", "[kernels]") {
  if (!has_system_tiles() || !testing::is_available("amx") || std::getenv("TROUPE_ISA") != nullptr) TROUPE_SKIP("no tile registers here");
  REQUIRE(available_isas().front() == "amx");
  REQUIRE(current_isa() == "amx");
  REQUIRE(may_use_tiles());
}

TEST_CASE("the system is not asked for tile registers where another instruction set is wanted", "[kernels]") {
  if (!has_system_tiles() || may_use_tiles()) TROUPE_SKIP("no tile registers here, or this process has them already");
  setenv("TROUPE_ISA", "avx2", 1);
  REQUIRE(current_isa() == "avx2");
  REQUIRE_FALSE(may_use_tiles());
}

TEST_CASE("a process with signal stacks too small for tile registers goes without", "[kernels]") {
  if (!has_system_tiles() || may_use_tiles()) TROUPE_SKIP("no tile registers here, or this process has them already");
  static char small[4096];
  stack_t before, stack = {};
  stack.ss_sp = small;
  stack.ss_size = sizeof small;
  if (sigaltstack(&stack, &before) != 0) TROUPE_SKIP("the system takes no small signal stack");
  CHECK(available_isas().front() == "avx512");
  CHECK_FALSE(may_use_tiles());
  REQUIRE(sigaltstack(&before, nullptr) == 0);
}
#endif
