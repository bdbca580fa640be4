#pragma once
// What this machine can do at best with a number of threads, measured now: `troupe bench` compares its rates with it.
#include "model/model_file.hpp"
#include <cstdint>

namespace troupe {

struct machine_limits {
  double read_bytes_per_s = 0;      // From memory, all threads together.
  double int8_operations_per_s = 0; // Multiplications and additions, all threads together.
  double float_operations_per_s = 0;
  double line_round_trip_ns = 0; // Of a cache line between two processors: 0 with one thread, or with one processor.
};

/// Takes some tenths of a second and 128 MiB of memory for each thread. Other work on the machine lowers the limits.
machine_limits measure_limits(uint32_t threads);

/// What one token costs at least: its layers' matrix products, and (decoding alone) every packed weight read once.
struct token_cost {
  double operations = 0; // Without attention and without the vocabulary, which a prompt needs once only.
  double bytes = 0;
  bool is_int8 = false; // Which arithmetic most of the weights want.
};
token_cost cost_of_token(const model_file& model, uint64_t weight_bytes);

} // namespace troupe
