// Micro-benchmarks of model/kernels, one thread: what a kernel reaches by itself, without actors around it.
//
//   build/release/kernel_benchmarks --benchmark_filter='multiply/Q8_0/.*'
//
// Names: multiply/TYPE/ROWSxOUTPUTSxCOLUMNS/WHERE; attend/HEAD_DIM/HEADS/POSITIONS/ROWS/CACHE/WHERE. Counters: op/s are
// multiplications and additions; B/s are the weights (or the cache, as if each row read it once) read. WHERE the weights are: in
// `memory`, a pool of matrices larger than the last cache, walked through as decoding does; or one matrix that stays in the
// `cache`, which shows the speed of the arithmetic.
// TROUPE_ISA pins an instruction set.
#include "apps/benchmarks/matrices.hpp"
#include "model/kernels/attention.hpp"
#include "model/kernels/gemm.hpp"
#include "model/kernels/rowwise.hpp"
#include <benchmark/benchmark.h>
#include <string>

namespace troupe {
namespace {

matrices make_matrices(tensor_type type, uint64_t rows, uint64_t columns, uint64_t bytes_wanted) {
  const tensor_view tensor{"weights", type, rows, columns, {}};
  return pack_all(std::vector(bytes_wanted / packed_matrix::packed_bytes(tensor) + 1, tensor));
}

std::vector<float> make_values(uint64_t count) {
  std::vector<float> values(count);
  for (uint64_t i = 0; i < count; ++i) values[i] = float(int(i * 7919 % 257) - 128) / 128;
  return values;
}

enum class weights_in : uint8_t { memory, cache };

void multiply_rows(benchmark::State& state, tensor_type type, uint32_t rows, uint32_t outputs, uint32_t columns,
                   weights_in where) {
  const uint64_t pool_bytes = where == weights_in::cache ? 0 : 256 << 20; // Several times the last cache.
  const auto pool = make_matrices(type, outputs, columns, pool_bytes);
  const auto values = make_values(uint64_t(rows) * columns);
  std::vector<float> out(uint64_t(rows) * outputs);
  operand x;
  x.assign({values.data(), rows, columns, columns}, pool.front()->wants());
  size_t next = 0;
  for (auto _ : state) {
    multiply(*pool[next], x, {}, {out.data(), rows, outputs, outputs});
    benchmark::ClobberMemory();
    next = (next + 1) % pool.size();
  }
  using benchmark::Counter;
  const double each = 2.0 * rows * outputs * columns;
  state.counters["op/s"] = Counter(each, Counter::kIsIterationInvariantRate);
  state.SetBytesProcessed(int64_t(state.iterations() * pool.front()->bytes()));
}

void quantize_rows(benchmark::State& state, uint32_t rows, uint32_t columns) {
  const auto values = make_values(uint64_t(rows) * columns);
  operand x;
  for (auto _ : state) {
    x.assign({values.data(), rows, columns, columns}, operand_kind::int8_blocks);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(int64_t(state.iterations() * values.size() * sizeof(float)));
}

/// The last `rows` positions of a prompt of `positions`, each of them with `heads` query heads.
void attend_rows(benchmark::State& state, uint32_t head_dim, uint32_t heads, uint32_t positions, uint32_t rows,
                 cache_type type, weights_in where) {
  const auto values = make_values(uint64_t(rows) * heads * head_dim);
  std::vector<kv_cache> pool;
  uint64_t bytes = 0;
  do {
    kv_cache& cache = pool.emplace_back(head_dim, type);
    for (uint32_t p = 0; p < positions; ++p) cache.write(p, {values.data(), head_dim}, {values.data(), head_dim});
    bytes += cache.bytes();
  } while (where == weights_in::memory && bytes < (256u << 20));
  const uint32_t columns = heads * head_dim;
  std::vector<float> out(values.size()), sums(rows * heads), scratch;
  size_t next = 0;
  for (auto _ : state) {
    attend(pool[next], {values.data(), rows, columns, columns}, {positions - rows + 1, 1}, 0.125f,
           {out.data(), rows, columns, columns}, sums, scratch);
    benchmark::ClobberMemory();
    next = (next + 1) % pool.size();
  }
  using benchmark::Counter;
  state.counters["op/s"] = Counter(4.0 * rows * heads * head_dim * positions, Counter::kIsIterationInvariantRate);
  state.SetBytesProcessed(int64_t(state.iterations() * rows * pool.front().bytes()));
}

/// The three products of one matrix [outputs, inputs] in training, of `rows` rows.
enum class gemm_of : uint8_t { output, input_gradient, weight_gradient };
void train_matrix(benchmark::State& state, gemm_of what, uint32_t rows, uint32_t outputs, uint32_t inputs) {
  const auto x = make_values(uint64_t(rows) * inputs), dy = make_values(uint64_t(rows) * outputs),
             w = make_values(uint64_t(outputs) * inputs);
  row_buffer out(std::max({x.size(), dy.size(), w.size()})), scratch;
  const const_rows xs{x.data(), rows, inputs, inputs}, dys{dy.data(), rows, outputs, outputs}, ws{w.data(), outputs, inputs, inputs};
  row_buffer forward_buffer, backward_buffer, input_buffer;
  const gemm_panels forward = lay_out(transposed(ws), forward_buffer), backward = lay_out(as_is(ws), backward_buffer);
  for (auto _ : state) {
    switch (what) {
    case gemm_of::output:
      gemm(as_is(xs), forward, {out.data(), rows, outputs, outputs}, false, scratch);
      break;
    case gemm_of::input_gradient:
      gemm(as_is(dys), backward, {out.data(), rows, inputs, inputs}, false, scratch);
      break;
    case gemm_of::weight_gradient:
      gemm(transposed(dys), lay_out(as_is(xs), input_buffer), {out.data(), outputs, inputs, inputs}, true, scratch);
      break;
    }
    benchmark::ClobberMemory();
  }
  using benchmark::Counter;
  state.counters["op/s"] = Counter(2.0 * rows * outputs * inputs, Counter::kIsIterationInvariantRate);
}

void register_all() {
  constexpr tensor_type types[]{tensor_type::q8_0, tensor_type::q4_0, tensor_type::q4_1, tensor_type::q5_0,
                                tensor_type::q5_1, tensor_type::q2_k, tensor_type::q3_k, tensor_type::q4_k,
                                tensor_type::q5_k, tensor_type::q6_k, tensor_type::iq4_nl, tensor_type::iq4_xs,
                                tensor_type::f16,  tensor_type::bf16, tensor_type::f32};
  for (const tensor_type type : types) {
    const std::string name = "multiply/" + std::string(traits_of(type).name) + "/";
    for (const uint32_t rows : {1u, 2u, 4u, 8u, 16u, 32u, 256u})
      benchmark::RegisterBenchmark((name + std::to_string(rows) + "x1024x2048/memory").c_str(), multiply_rows, type, rows,
                                   1024u, 2048u, weights_in::memory);
    for (const uint32_t rows : {1u, 8u, 32u, 256u})
      benchmark::RegisterBenchmark((name + std::to_string(rows) + "x128x2048/cache").c_str(), multiply_rows, type, rows,
                                   128u, 2048u, weights_in::cache);
  }
  for (const uint32_t rows : {1u, 256u})
    benchmark::RegisterBenchmark(("quantize/" + std::to_string(rows) + "x2048").c_str(), quantize_rows, rows, 2048u);
  for (const auto& [name, what] : {std::pair{"output", gemm_of::output}, std::pair{"input_gradient", gemm_of::input_gradient},
                                   std::pair{"weight_gradient", gemm_of::weight_gradient}})
    for (const auto& [rows, outputs, inputs] :
         {std::array{1024u, 320u, 320u}, std::array{1024u, 1280u, 320u}, std::array{1024u, 320u, 1280u},
          std::array{1024u, 1024u, 1024u}, std::array{256u, 64u, 256u}})
      benchmark::RegisterBenchmark(("train/" + std::string(name) + "/" + std::to_string(rows) + "x" + std::to_string(outputs) +
                                    "x" + std::to_string(inputs)).c_str(),
                                   train_matrix, what, rows, outputs, inputs);
  for (const uint32_t positions : {512u, 4096u})
    for (const uint32_t rows : {1u, 64u})
      for (const uint32_t heads : {1u, 8u})
        for (const bool is_half : {false, true})
          for (const bool is_near : {false, true}) {
            const std::string name = "attend/64/" + std::to_string(heads) + "/" + std::to_string(positions) + "/" +
                                     std::to_string(rows) + (is_half ? "/f16" : "/f32") + (is_near ? "/cache" : "/memory");
            benchmark::RegisterBenchmark(name.c_str(), attend_rows, 64u, heads, positions, rows,
                                         is_half ? cache_type::f16 : cache_type::f32,
                                         is_near ? weights_in::cache : weights_in::memory);
          }
}

} // namespace
} // namespace troupe

int main(int argc, char** argv) {
  troupe::register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
