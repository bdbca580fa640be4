// Micro-benchmarks of model/kernels, one thread: what a kernel reaches by itself, without actors around it.
//
//   build/release/kernel_benchmarks --benchmark_filter='multiply/Q8_0/.*'
//
// Names: multiply/TYPE/ROWSxOUTPUTSxCOLUMNS/WHERE; attend/HEAD_DIM/HEADS/POSITIONS/ROWS/CACHE/WHERE. Counters: op/s are
// multiplications and additions; B/s are the weights (or the cache, as if each row read it once) read. WHERE the weights are: in `memory`, a pool of
// matrices larger than the last cache, walked through as decoding does; or one matrix that stays in the `cache`, which
// shows the speed of the arithmetic.
// fork_join/MODEL/THREADS: the products of decoding one token, each cut in as many pieces as there are threads, which meet
// after each product. No actors and no messages: `waiting` is the share of threads x time that such rounds cost at the least.
// TROUPE_ISA pins an instruction set.
#include "model/kernels/attention.hpp"
#include "model/kernels/matrix.hpp"
#include "model/kernels/rowwise.hpp"
#include <atomic>
#include <benchmark/benchmark.h>
#include <chrono>
#include <string>
#include <thread>

namespace troupe {
namespace {

/// Any bytes will do, as long as they are numbers of a sane size: the speed does not depend on them.
std::vector<std::byte> make_bytes(uint64_t count) { return std::vector<std::byte>(count, std::byte{0x2c}); }

using matrices = std::vector<std::shared_ptr<const packed_matrix>>;

/// All in one piece of memory, as in an engine.
matrices pack_all(const std::vector<tensor_view>& tensors) {
  uint64_t bytes = 0;
  for (const auto& tensor : tensors) bytes += packed_matrix::packed_bytes(tensor);
  const weight_memory memory = allocate_weights(bytes);
  matrices all;
  uint64_t used = 0;
  for (const auto& tensor : tensors) {
    all.push_back(packed_matrix::pack(tensor, cut(memory, used)));
    used += packed_matrix::packed_bytes(tensor);
  }
  return all;
}

matrices make_matrices(tensor_type type, uint64_t rows, uint64_t columns, uint64_t bytes_wanted) {
  tensor_view tensor{"weights", type, rows, columns, {}};
  const auto bytes = make_bytes(rows * tensor.row_bytes());
  tensor.bytes = bytes;
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

/// A product of a layer: what its rounds read of weights.
struct shape {
  uint32_t outputs, columns;
};
struct model_shape {
  const char* name;
  uint32_t layers;
  std::vector<shape> rounds; // Heads, attention output, inner and outer half of the feed-forward.
};

/// Where threads meet: nobody goes on before all are there. They spin.
class meeting {
public:
  explicit meeting(uint32_t threads) : threads_(threads) {}
  void wait() {
    const uint32_t round = round_.load();
    if (arrived_.fetch_add(1) + 1 == threads_) {
      arrived_.store(0);
      round_.store(round + 1);
    }
    while (round_.load() == round) {}
  }

private:
  const uint32_t threads_;
  std::atomic<uint32_t> arrived_{0}, round_{0};
};

void fork_and_join(benchmark::State& state, const model_shape& model, uint32_t threads) {
  using clock = std::chrono::steady_clock;
  std::vector<tensor_view> tensors; // One thread's after the other's, each in the order in which they are read.
  uint64_t largest = 0;
  for (uint32_t thread = 0; thread < threads; ++thread)
    for (uint32_t layer = 0; layer < model.layers; ++layer)
      for (const auto [outputs, columns] : model.rounds) {
        tensors.push_back({"weights", tensor_type::q8_0, outputs / threads / 16 * 16, columns, {}});
        largest = std::max(largest, tensors.back().rows * tensors.back().row_bytes());
      }
  const auto content = make_bytes(largest);
  for (auto& tensor : tensors) tensor.bytes = std::span(content).first(tensor.rows * tensor.row_bytes());
  const matrices weights = pack_all(tensors);
  const size_t products = weights.size() / threads;

  meeting start(threads), end(threads), product(threads);
  std::atomic<bool> is_over{false};
  std::atomic<int64_t> busy_ns{0};
  const auto decode = [&](uint32_t index) {
    int64_t busy = 0;
    operand x;
    std::vector<float> out;
    const auto values = make_values(1 << 16);
    for (size_t i = index * products; i < (index + 1) * products; ++i) {
      const auto& matrix = weights[i];
      const auto since = clock::now();
      x.assign({values.data(), 1, matrix->columns(), matrix->columns()}, operand_kind::int8_blocks);
      out.resize(matrix->rows());
      multiply(*matrix, x, {}, {out.data(), 1, matrix->rows(), matrix->rows()});
      busy += (clock::now() - since).count();
      product.wait();
    }
    busy_ns += busy;
  };
  std::vector<std::thread> others;
  for (uint32_t i = 1; i < threads; ++i)
    others.emplace_back([&, i] {
      for (;;) {
        start.wait();
        if (is_over) return;
        decode(i);
        end.wait();
      }
    });
  const auto since = clock::now();
  for (auto _ : state) {
    start.wait();
    decode(0);
    end.wait();
  }
  const double all_ns = double((clock::now() - since).count()) * threads;
  is_over = true;
  start.wait();
  for (auto& other : others) other.join();
  state.counters["waiting"] = 1 - double(busy_ns) / all_ns;
  uint64_t bytes = 0;
  for (const auto& matrix : weights) bytes += matrix->bytes();
  state.SetBytesProcessed(int64_t(state.iterations() * bytes));
}

void register_all() {
  static const model_shape models[]{{"1.1b", 22, {{2560, 2048}, {2048, 2048}, {11264, 2048}, {2048, 5632}}},
                                    {"135m", 30, {{960, 576}, {576, 576}, {3072, 576}, {576, 1536}}},
                                    {"110m", 12, {{2304, 768}, {768, 768}, {4096, 768}, {768, 2048}}}};
  for (const auto& model : models)
    for (const uint32_t threads : {1u, 2u})
      benchmark::RegisterBenchmark(("fork_join/" + std::string(model.name) + "/" + std::to_string(threads)).c_str(),
                                   [&model, threads](benchmark::State& state) { fork_and_join(state, model, threads); })
        ->UseRealTime();

  constexpr tensor_type types[]{tensor_type::q8_0, tensor_type::q4_0, tensor_type::q4_1, tensor_type::q5_0,
                                tensor_type::q5_1, tensor_type::q4_k, tensor_type::q5_k, tensor_type::q6_k,
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
