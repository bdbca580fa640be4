// What rounds of requests and answers cost beside the products that they are for. Measured are the products of decoding one
// token, and nothing else of it:
//
//   threads/MODEL   by two threads with a spinning barrier after each product: no actors, no messages.
//   actors/MODEL    by CAF actors on two of troupe's worker threads: in each layer one for each key/value head and two shards,
//                   which a layer asks in four rounds. Their messages hold one number. No actor is supervised, and no answer
//                   is checked.
//   fewest/MODEL    by as few actors as keep both threads busy: two heads in each layer, of half the weights each.
//
// `outside` is the share of threads x time that is not in products. `line_before` and `line_after`: nanoseconds that a cache line
// takes from one processor to another and back, just before and just after.
#include "actors/threads/workers.hpp"
#include "apps/benchmarks/matrices.hpp"
#include "apps/troupe/bench/line_round_trip.hpp"
#include <atomic>
#include <benchmark/benchmark.h>
#include <caf/all.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace troupe {
namespace {

using clock_type = std::chrono::steady_clock;
constexpr uint32_t threads = 2;

/// The shape of a product of a layer.
struct shape {
  uint32_t outputs, columns;
};

struct model_shape {
  const char* name;
  uint32_t layers, heads; // Key/value heads.
  shape attention;        // Queries, keys and values of all heads.
  shape rounds[3];        // Attention output, inner and outer half of the feed-forward.
};

constexpr model_shape models[]{{"1.1b", 22, 4, {2560, 2048}, {{2048, 2048}, {11264, 2048}, {2048, 5632}}},
                               {"135m", 30, 3, {960, 576}, {{576, 576}, {3072, 576}, {576, 1536}}},
                               {"110m", 12, 12, {2304, 768}, {{768, 768}, {4096, 768}, {768, 2048}}}};

void add(std::vector<tensor_view>& tensors, shape whole, uint32_t pieces) {
  const tensor_view piece{"weights", tensor_type::q8_0, whole.outputs / pieces / 16 * 16, whole.columns, {}};
  tensors.insert(tensors.end(), pieces, piece);
}

/// Multiplies one row of activations, and adds up the time.
class multiplier {
public:
  void run(const packed_matrix& weights) {
    const auto since = clock_type::now();
    x_.assign({values_.data(), 1, weights.columns(), weights.columns()}, operand_kind::int8_blocks);
    out_.resize(weights.rows());
    multiply(weights, x_, {}, {out_.data(), 1, weights.rows(), weights.rows()});
    spent_ += clock_type::now() - since;
  }
  clock_type::duration spent() const { return spent_; }

private:
  std::vector<float> values_ = std::vector<float>(1 << 13, 0.5f), out_;
  operand x_;
  clock_type::duration spent_{};
};

/// Measured after the worker threads have stopped spinning and sleep.
double measure_quiet_line() {
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return measure_line_round_trip();
}

void count(benchmark::State& state, clock_type::duration all, clock_type::duration in_products, const matrices& read) {
  state.counters["line_after"] = measure_quiet_line();
  state.counters["outside"] = 1 - double(in_products.count()) / (double(all.count()) * threads);
  uint64_t bytes = 0;
  for (const auto& one : read) bytes += one->bytes();
  state.SetBytesProcessed(int64_t(state.iterations() * bytes));
}

/// A spinning barrier: no thread goes on before all have arrived.
class barrier {
public:
  void wait() {
    const uint32_t round = round_.load();
    if (arrived_.fetch_add(1) + 1 == threads) {
      arrived_.store(0);
      round_.store(round + 1);
    }
    while (round_.load() == round) {}
  }

private:
  std::atomic<uint32_t> arrived_{0}, round_{0};
};

void by_threads(benchmark::State& state, const model_shape& model) {
  std::vector<tensor_view> tensors;
  for (uint32_t layer = 0; layer < model.layers; ++layer) {
    add(tensors, model.attention, threads);
    for (const auto& round : model.rounds) add(tensors, round, threads);
  }
  const auto weights = pack_all(std::move(tensors));
  multiplier multipliers[threads];
  barrier start, product;
  std::atomic<bool> is_over{false};
  const auto decode = [&](uint32_t self) {
    for (size_t i = self; i < weights.size(); i += threads) {
      multipliers[self].run(*weights[i]);
      product.wait();
    }
  };
  state.counters["line_before"] = measure_quiet_line();
  std::thread other([&] {
    for (start.wait(); !is_over; start.wait()) decode(1);
  });
  const auto since = clock_type::now();
  for (auto _ : state) {
    start.wait();
    decode(0);
  }
  const auto all = clock_type::now() - since;
  is_over = true;
  start.wait();
  other.join();
  count(state, all, multipliers[0].spent() + multipliers[1].spent(), weights);
}

/// One head, or one shard: answers the request for product `round` with the time that it took.
struct piece_state {
  matrices products;
  multiplier maths;
};

caf::behavior piece(caf::stateful_actor<piece_state>* self, matrices products) {
  self->state.products = std::move(products);
  return {[self](int32_t round) {
    auto& maths = self->state.maths;
    const auto before = maths.spent();
    maths.run(*self->state.products.at(size_t(round)));
    self->send(caf::actor_cast<caf::actor>(self->current_sender()), int64_t((maths.spent() - before).count()));
  }};
}

using next_atom = caf::atom_constant<caf::atom("next")>;

struct layer_state {
  std::vector<caf::actor> heads, shards;
  caf::actor next;
  size_t owed = 0;
  int32_t round = 0; // The shards' next round.
  int64_t spent = 0; // In products, for this token so far.
};

caf::behavior layer(caf::stateful_actor<layer_state>* self, std::vector<caf::actor> heads, std::vector<caf::actor> shards,
                    caf::actor next) {
  self->state.heads = std::move(heads);
  self->state.shards = std::move(shards);
  self->state.next = std::move(next);
  const auto ask = [self](const std::vector<caf::actor>& pieces, int32_t round) {
    self->state.owed = pieces.size();
    for (const auto& one : pieces) self->send(one, round);
  };
  return {[=](next_atom, int64_t spent) {
            self->state.spent = spent;
            self->state.round = 0;
            ask(self->state.heads, 0);
          },
          [=](int64_t spent) {
            auto& st = self->state;
            st.spent += spent;
            if (--st.owed > 0) return;
            if (st.round < 3) ask(st.shards, st.round++);
            else self->send(st.next, next_atom::value, st.spent);
          }};
}

void by_actors(benchmark::State& state, const model_shape& model, uint32_t heads_of_layer) {
  std::vector<tensor_view> tensors;
  for (uint32_t i = 0; i < model.layers; ++i) {
    add(tensors, model.attention, heads_of_layer);
    for (const auto& round : model.rounds) add(tensors, round, threads);
  }
  const auto weights = pack_all(std::move(tensors));
  caf::actor_system_config config;
  configure_workers(config, {.threads = threads});
  caf::actor_system system{config};
  caf::scoped_actor self{system};
  std::vector<caf::actor> all;
  caf::actor next{self.ptr()};
  for (uint32_t i = model.layers; i-- > 0;) {
    const auto* own = &weights[i * (heads_of_layer + 3 * threads)];
    std::vector<caf::actor> heads, shards;
    for (uint32_t h = 0; h < heads_of_layer; ++h) heads.push_back(system.spawn(piece, std::vector{*own++}));
    for (uint32_t s = 0; s < threads; ++s)
      shards.push_back(system.spawn(piece, std::vector{own[s], own[s + threads], own[s + 2 * threads]}));
    next = system.spawn(layer, heads, shards, next);
    for (const auto* some : {&heads, &shards}) all.insert(all.end(), some->begin(), some->end());
    all.push_back(next);
  }
  for (const auto& one : all) self->monitor(one);

  int64_t spent = 0;
  state.counters["line_before"] = measure_quiet_line();
  const auto since = clock_type::now();
  for (auto _ : state) {
    self->send(next, next_atom::value, int64_t{0});
    self->receive([&](next_atom, int64_t in_products) { spent += in_products; });
  }
  const auto took = clock_type::now() - since;
  count(state, took, clock_type::duration(spent), weights);
  for (const auto& one : all) self->send_exit(one, caf::exit_reason::kill);
  for (size_t i = 0; i < all.size(); ++i) self->receive([](const caf::down_msg&) {});
}

} // namespace
} // namespace troupe

int main(int argc, char** argv) {
  for (const auto& model : troupe::models) {
    const std::string name = model.name;
    benchmark::RegisterBenchmark(("threads/" + name).c_str(), troupe::by_threads, model)->UseRealTime();
    benchmark::RegisterBenchmark(("actors/" + name).c_str(), troupe::by_actors, model, model.heads)->UseRealTime();
    benchmark::RegisterBenchmark(("fewest/" + name).c_str(), troupe::by_actors, model, troupe::threads)->UseRealTime();
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
