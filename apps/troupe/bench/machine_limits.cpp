#include "apps/troupe/bench/machine_limits.hpp"
#include "apps/troupe/bench/line_round_trip.hpp"
#include "model/kernels/limits.hpp"
#include "model/kernels/weight_memory.hpp"
#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

namespace troupe {
namespace {

using steady = std::chrono::steady_clock;

/// Seconds until `job(thread)` is done in all threads.
template <class Job> double seconds_for(uint32_t threads, Job job) {
  std::vector<std::jthread> team; // Joined also when one cannot be created.
  const auto start = steady::now();
  for (uint32_t thread = 0; thread < threads; ++thread) team.emplace_back([&job, thread] { job(thread); });
  for (auto& member : team) member.join();
  return std::chrono::duration<double>(steady::now() - start).count();
}

/// The best of some attempts: disturbances only ever make it slower.
template <class Job> double best_rate(double amount, uint32_t threads, Job job) {
  double best = 0;
  for (int attempt = 0; attempt < 5; ++attempt) best = std::max(best, amount / seconds_for(threads, job));
  return best;
}

} // namespace

machine_limits measure_limits(uint32_t threads) {
  constexpr uint64_t bytes_each = 128 << 20, operations_each = 4'000'000'000;
  const weight_memory memory = allocate_weights(bytes_each * threads);
  const auto part = [&](uint32_t thread) { return memory.get() + bytes_each * thread; };
  seconds_for(threads, [&](uint32_t thread) { std::memset(part(thread), 1, bytes_each); });
  machine_limits limits;
  limits.read_bytes_per_s = best_rate(double(bytes_each) * threads, threads,
                                      [&](uint32_t thread) { read_all({part(thread), bytes_each}); });
  limits.int8_operations_per_s =
    best_rate(double(operations_each) * threads, threads, [](uint32_t) { multiply_int8_only(operations_each); });
  limits.float_operations_per_s = best_rate(double(operations_each) / 4 * threads, threads,
                                            [](uint32_t) { multiply_float_only(operations_each / 4); });
  if (threads > 1) limits.line_round_trip_ns = measure_line_round_trip();
  return limits;
}

token_cost cost_of_token(const model_file& model, uint64_t weight_bytes) {
  double weights = 0, quantised = 0;
  const auto count = [&](const projection_tensors& matrix) {
    const double elements = double(matrix.weight.rows) * double(matrix.weight.columns);
    weights += elements;
    if (traits_of(matrix.weight.type).block_elements > 1) quantised += elements;
  };
  for (const auto& layer : model.tensors.layers) {
    for (const auto* matrix : {&layer.attention.query, &layer.attention.key, &layer.attention.value,
                               &layer.attention.output, &layer.feed_forward.up, &layer.feed_forward.down})
      count(*matrix);
    if (layer.feed_forward.gate) count(*layer.feed_forward.gate);
  }
  return {2 * weights, double(weight_bytes), quantised > weights / 2};
}

} // namespace troupe
