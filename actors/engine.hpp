#pragma once
// The entry point for programs: a model that runs as a tree of supervised actors, and clients that send it requests. No
// knowledge of CAF is needed.
//
//   auto model = troupe::open_model("stories260K.gguf");
//   troupe::engine engine{model, {}};
//   auto client = engine.connect();
//   client.submit({.prompt = client.encode("Once upon a time"), .tokens_max = 64});
//   while (auto event = client.next()) std::cout << event->text;
#include "actors/client.hpp"
#include "actors/event_client.hpp"
#include "actors/interfaces/cluster_options.hpp"
#include "actors/interfaces/log.hpp"
#include "actors/requests/expected.hpp"
#include "actors/version.hpp"
#include "model/model_file.hpp"
#include "model/parts.hpp"
#include "model/tokenizer/tokenizer.hpp"
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace caf {
class actor;
class actor_system;
} // namespace caf

namespace troupe {

namespace v1 {
class FaultPlan; // troupe/v1/faults.pb.h
class FaultLog;
} // namespace v1

/// Checks against silent data corruption, at a cost (docs/faults.md): a check that is off costs nothing.
struct check_options {
  bool products = false; // Every int8 product is compared with sums of its weights: no token comes from a wrong one.
  bool weights = false;  // A scrubber has all packed weights compared with their sums, round after round.
  bool caches = false;   // Every key/value cache is compared with its sums before it is used.
  uint64_t scrub_bytes_per_second = 64 << 20; // How fast the scrubber reads the weights.
};

struct engine_options {
  uint32_t threads = 0; // Worker threads; 0: as many as usable_processors() (actors/threads/processors.hpp).
  // Projection shards of a layer; 0: as many as threads, but not more than usable_processors(). Never changes a bit of the result.
  uint32_t shards = 0;
  // Copies of the model's actors that compute side by side, each at a step of its own; they share the weights. More than one is for
  // machines with many processors, where the threads of one wait for each other too often. Never changes a bit of the result.
  uint32_t replicas = 1;
  uint32_t step_rows_max = 512;   // Token budget of a step (one forward pass): decode tokens first, then prefill chunks.
  uint32_t prefill_chunk = 512;   // Most rows of one sequence in a step. Never changes a bit of the result.
  bool prefix_reuse = true;       // A prompt that begins like another of the same tenant is computed once, while its caches are there.
                                  // Never changes a bit of the result.
  // By what steps have taken so far. None of these three changes a bit of the result either. Not above 1, and 0: there is no limit.
  double slowdown_by_tenants = 1.3;    // How many times as long steps may take because of tenants that were served more, and
  double slowdown_by_priorities = 1.1; // because of lower priorities.
  std::chrono::milliseconds step_time_max{100}; // What a step takes at most, or twice its decoding rows' time, for the sake of prefill.
  uint64_t cache_positions_max = 0; // Budget of all key/value caches, in positions, of which each replica has its part; 0: 16 sequences of
                                  // full context, bounded by a quarter of the machine's memory. Beyond it sequences are preempted.
  uint64_t cache_bytes_max = 0;   // The same budget in bytes; 0: no other. A position takes cached_position_bytes() (model/parts.hpp), and
                                  // each sequence up to 63 positions more than it has, because caches grow by pages of 64.
  // What key/value caches keep; nothing: usual_cache_type(). f16 takes half the memory and half the time to read, and changes logits
  // a little.
  std::optional<cache_type> cached = std::nullopt;
  bool as_q8_0 = false;           // Matrices of F32, F16 and BF16 become int8 (Q8_0) as they are loaded: a fourth or half of the
                                  // memory, faster products, and results that change a little. The embedding stays.
  uint32_t sequences_max = 256;   // Requests that run at once. The others wait, which costs nothing but memory,
  uint64_t waiting_bytes_max = 256 << 20; // up to this, beyond which requests are refused with a reason.
  bool pin_threads = false;
  check_options checks = {};
  /// Faults to inject, for chaos runs (actors/faults/plan.hpp reads a plan). Null, the usual case: no proxy stands between
  /// actors.
  std::shared_ptr<const v1::FaultPlan> fault_plan = nullptr;
  log_function log = {};          // Which actors ended and were restarted, and why; exceptions of a program's own functions.
};

/// Totals of one kind of step since the engine started.
struct step_totals {
  uint64_t steps = 0, rows = 0, messages = 0;
  std::chrono::nanoseconds wall{0};
  std::chrono::nanoseconds compute{0}; // Inside the code of model/, summed over actors: up to threads * wall.
};
struct engine_statistics {
  step_totals prefill; // Steps in which some sequence runs more than its one newest token.
  step_totals decode;  // All other steps.
  uint64_t rows_reused = 0;   // Rows that were not computed, because heads held them of another request with the same beginning.
  uint64_t rows_replayed = 0; // Rows that were computed again because their keys and values had been lost or evicted.
  uint64_t preemptions = 0;   // Sequences that gave their key/value memory to others.
  uint64_t sequences_running = 0, sequences_waiting = 0; // Now: with cached positions, and without.
  uint64_t cache_positions = 0, cache_positions_max = 0; // Now, of those that run and those retained, and the budget.
  uint64_t faults = 0;        // Steps that failed.
  std::vector<uint64_t> queue_times; // Of sequences that began: how many waited for their first step up to 1, 2, 4, 8, ... ms; the last
                                     // one counts all others. Or empty.
  std::chrono::nanoseconds queue_time{0}; // Of all of them.
  struct service_times { // What actors of a kind have computed, in so many answers.
    std::string kind; // As in actor_facts::role; "stage": embedding, layers and output themselves.
    uint64_t answers = 0;
    std::chrono::nanoseconds time{0};
  };
  std::vector<service_times> service;
  std::chrono::nanoseconds busy{0}; // All worker threads, inside actors.
};

/// The engine could not be started: its root supervisor gave up. The text says why.
struct engine_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct actor_facts {
  std::string path;
  uint32_t restarts = 0;
  std::string role = {}; // "attention_head", "layer", "scheduler", ...
  uint64_t id = 0;       // Of the actor that is at the path now; a replacement has another.
};

/// What a supervisor decided when a child had ended.
struct supervisor_decision {
  enum class kind { restart, stop, escalate };
  std::string child, reason; // Its path, and why it ended.
  kind what = kind::restart;
};

/// A worker of this engine's cluster.
struct worker_facts {
  std::string name, state, reason; // starting, ready, draining or lost; and why.
  uint32_t threads = 0;
  uint64_t process = 0;       // Its id on its machine.
  std::string layers;         // "0-10", or "encoder 0-5, 0-5".
  bool is_spare = false;
  uint64_t times_lost = 0;
  std::chrono::nanoseconds round_trip{0};
};

struct supervision_facts {
  std::vector<actor_facts> actors;
  std::vector<supervisor_decision> decisions; // The latest ones, oldest first.
  uint64_t decisions_total = 0;               // Since the directory was started.
};

/// Runs a model in an actor system of its own. The constructor returns when every actor runs (input_error for a model or a
/// fault plan that cannot be run, std::system_error when the system does not create the threads, std::bad_alloc, engine_error); the
/// destructor stops them in order and leaves nothing behind. Clients must be destroyed before their engine. Once the constructor has
/// returned, the model's files may change: see make_parts() in model/parts.hpp for the one use of them that is left.
///
/// actors(), supervision(), kill(), statistics(), workers() and drain_worker() ask actors and wait for their answer, usually for
/// microseconds; any thread may call them, several at the same time, and running_actors() too. All else is for one thread.
class engine {
public:
  engine(std::shared_ptr<const model_file> model, engine_options options, const progress_callback& progress = {});
  /// With workers that compute the layers (docs/cluster.md), which never changes a bit of the result. Throws what the first does, and
  /// engine_error when not all layers have a worker in time.
  engine(std::shared_ptr<const model_file> model, engine_options options, const cluster_options& cluster,
         const progress_callback& progress = {});
  /// In the actor system of a program that uses CAF, which outlives the engine; the program supervises its root (docs/embedding.md,
  /// "In your actor system"). `threads` and `pin_threads` mean nothing there, nor does engine_statistics::busy, and handlers that never
  /// return take the system's threads along.
  engine(caf::actor_system& host, std::shared_ptr<const model_file> model, engine_options options,
         const progress_callback& progress = {});
  /// Opens a model and starts an engine, with what would be an exception as a value.
  static expected<std::unique_ptr<engine>> start(const std::filesystem::path& model, const engine_options& options = {});
  ~engine();
  engine(const engine&) = delete;
  engine& operator=(const engine&) = delete;

  client connect();
  event_client connect(event_client::receiver receive);
  event_client connect_async(); // Without a function for the requests that bring none.
  const model_file& model() const;
  const engine_options& options() const; // With the defaults filled in.
  /// Null when the model has no vocabulary.
  std::shared_ptr<const tokenizer> words() const;
  std::vector<actor_facts> actors() const;
  supervision_facts supervision() const;
  /// The ids of those that run at this moment, at most one for each thread. Asks nobody, takes nanoseconds.
  std::vector<uint64_t> running_actors() const;
  /// Ends the actor at this path at once, as a fault would; its supervisor starts another. False: there is none, or it is the root.
  bool kill(const std::string& path);
  engine_statistics statistics() const;
  /// Of its cluster; empty without one.
  std::vector<worker_facts> workers() const;
  /// Moves all layers from this worker to others, and gives it none any more; or lets it compute again. False: there is none of that name.
  bool drain_worker(const std::string& name, bool undo = false);
  uint64_t weight_bytes() const;
  /// What the fault plan has done so far. Empty without one.
  v1::FaultLog fault_log() const;
  /// From now on no fault of the plan is injected.
  void stop_faults();
  /// The faults of this plan, instead of those of the plan before it, from now on; null: none, and no proxies stand between actors any
  /// more. All actors but the root are started again for it; requests go on, as they do after any fault. Throws input_error for a plan
  /// that cannot be carried out here, and then nothing has changed; engine_error when the actors are not back within a minute.
  void use_faults(std::shared_ptr<const v1::FaultPlan> plan);
  /// Stops all actors in order, as the destructor does; nothing else may be called afterwards. Returns how many did not end:
  /// anything but 0 is a bug. Gives up when none has ended for five seconds; those keep their memory and threads. Clients must be
  /// destroyed before.
  size_t stop();
  /// For programs that know CAF: the actor system and the root supervisor live here (actors/tree/root.hpp).
  caf::actor_system& system();
  caf::actor root() const;
  /// Only in a program's own actor system: starts a root in the place of one that has ended (if it has not, it is killed), and returns it.
  /// What clients have asked for goes on, with the same bits. Does not wait. For the actor that supervises the root: called by one
  /// thread at a time, also while others use the engine, but not while it is being stopped.
  caf::actor start_root();

private:
  struct state;
  void begin(std::shared_ptr<const model_file> model, engine_options options, const progress_callback& progress);
  std::unique_ptr<state> state_;
};

} // namespace troupe
