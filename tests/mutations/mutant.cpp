// Looks for a defect in the runtime that it is linked with, under a load: exit code 0 when one of the first seeds finds it, 1 when
// none does; with a third argument the other way round.
//
//   mutant COUNT requests|translations|workers|training [sound]
#include "actors/testing/trial.hpp"

#include <cstdio>
#include <cstdlib>
#include <string_view>

int main(int count, char** arguments) {
  using namespace troupe::testing;
  const auto seeds = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 1000;
  const std::string_view load = count > 2 ? arguments[2] : "requests";
  const bool is_sound = count > 3;
  const auto setup = load == "training"       ? make_tiny_training_setup()
                     : load == "translations" ? make_tiny_setup(3, tiny_kind::encoder_decoder)
                     : load == "workers"      ? make_tiny_setup(3, tiny_kind::decoder, 2, 2)
                                              : make_tiny_setup();
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    const auto report = run_trial(setup, seed);
    if (report.problem.empty()) continue;
    std::printf("found by seed %llu: %s\n", static_cast<unsigned long long>(seed), report.problem.c_str());
    return is_sound ? 1 : 0;
  }
  std::printf("not found by %llu seeds\n", seeds);
  return is_sound ? 0 : 1;
}
