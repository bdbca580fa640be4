#include "model/kernels/isa.hpp"
#include "model/error.hpp"
#include "model/kernels/kernel_table.hpp"
#include <atomic>
#include <cstdlib>
#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace troupe {
namespace {

#if defined(__x86_64__)
bool has_avx2() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
}

/// Whether the processor has tile registers for int8, and the system lets this process use them: asks it to.
bool has_amx() {
#if defined(__linux__)
  constexpr unsigned has_tiles = 1u << 24, has_int8 = 1u << 25;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!has_avx512() || __get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & has_tiles) == 0 || (d & has_int8) == 0) return false;
  constexpr long request_permission = 0x1023, tile_data = 18; // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA: for all threads.
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
  return false;
#endif
}
#endif
bool always() { return true; }

/// Best first. Only those that are wanted are asked whether they are there.
struct candidate {
  const kernel_table& table;
  bool (*is_available)();
};
std::vector<candidate> all_tables() {
  return {
#if defined(__x86_64__)
      {amx_kernels(), has_amx}, {avx512_kernels, has_avx512}, {avx2_kernels, has_avx2},
#endif
      {plain_kernels, always}};
}

const kernel_table* find_table(const std::string& name, const std::string& origin) {
  for (const auto& [table, is_available] : all_tables())
    if (table.name == name && is_available()) return &table;
  std::string names;
  for (const std::string& available : available_isas()) names += (names.empty() ? "" : ", ") + available;
  throw input_error(origin + ": instruction set '" + name + "' is not available here; there are: " + names);
}

const kernel_table* default_table() {
  const char* wanted = std::getenv("TROUPE_ISA");
  if (wanted != nullptr && *wanted != 0) return find_table(wanted, "environment variable TROUPE_ISA");
  for (const auto& [table, is_available] : all_tables())
    if (is_available()) return &table;
  return &plain_kernels;
}

std::atomic<const kernel_table*>& current_table() {
  static std::atomic<const kernel_table*> table = default_table();
  return table;
}

} // namespace

const kernel_table& current_kernels() { return *current_table().load(std::memory_order_relaxed); }

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const auto& [table, is_available] : all_tables())
    if (is_available()) names.emplace_back(table.name);
  return names;
}

std::string current_isa() { return current_kernels().name; }

void pin_isa(const std::string& name) { current_table() = find_table(name, "pin_isa"); }

} // namespace troupe
