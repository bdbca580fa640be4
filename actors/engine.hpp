#pragma once
// The way in for programs: a model as a running troupe of actors, and clients that send it requests. No knowledge of CAF
// is needed.
//
//   auto model = troupe::open_model("stories260K.gguf");
//   troupe::engine engine{model, {}};
//   auto client = engine.connect();
//   client.submit({.prompt = client.encode("Once upon a time"), .tokens_max = 64});
//   while (auto event = client.next()) std::cout << event->text;
#include "model/model_file.hpp"
#include "model/parts.hpp"
#include "model/sampler.hpp"
#include "model/tokenizer/tokenizer.hpp"
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace caf { class actor_system; }

namespace troupe {

namespace v1 {
class FaultPlan; // troupe/v1/faults.pb.h
class FaultLog;
} // namespace v1

/// Looking for wrong bits, at a price (docs/faults.md): what is not asked for costs nothing.
struct check_options {
  bool products = false; // Every int8 product is compared with sums of its weights: no token comes from a wrong one.
  bool weights = false;  // An auditor has all packed weights compared with their sums, again and again.
  bool caches = false;   // Every key/value cache is compared with its sums before it is used.
  uint64_t audit_bytes_per_second = 64 << 20; // How fast the auditor goes.
};

struct engine_options {
  uint32_t threads = 0;           // Worker threads; 0: one per core.
  uint32_t shards = 0;            // Projection shards of a layer; 0: as many as threads. Never changes a bit of the result.
  uint32_t step_rows_max = 512;   // Token budget of a step: decode tokens first, then prefill chunks.
  uint32_t prefill_chunk = 512;   // Most rows of one sequence in a step. Never changes a bit of the result.
  uint64_t cache_positions_max = 0; // Budget of all key/value caches, in positions; 0: 16 sequences of full context, bounded
                                  // by a quarter of the machine's memory. Beyond it sequences are preempted.
  cache_type cached = cache_type::f32; // What key/value caches keep. f16 takes half the memory and changes logits a little.
  uint32_t sequences_max = 256;   // Admitted at once; more are refused with a reason.
  bool pin_threads = false;
  check_options checks = {};
  /// What is to go wrong, for chaos runs (actors/faults/plan.hpp reads one). Null, the usual case: nothing is in the way of
  /// any message.
  std::shared_ptr<const v1::FaultPlan> fault_plan = nullptr;
};

/// What a client asks for. Everything is checked by client::submit.
struct generate_request {
  std::vector<uint32_t> prompt;       // Token ids, at least one.
  uint32_t tokens_max = 128;          // 0: only score the prompt.
  sampling_options sampling;
  std::vector<std::string> stop_strings;
  bool ignore_end_of_generation = false;
  bool want_logits = false;           // Deliver the logits of every prompt position.
  bool want_hidden_states = false;    // Deliver the hidden states of every prompt position at every layer boundary.
  int32_t priority = 0;
};

enum class finish_reason : uint8_t { length, stop, cancelled, error };
/// "length", "stop", "cancelled", "error".
std::string_view to_string(finish_reason reason);

enum class event_kind : uint8_t {
  token,         // index, token, text.
  logits,        // position, width, values: rows of logits.
  hidden_states, // layer, position, width, values.
  finished,      // reason, error, text: what was held back. The last event of its request.
};

struct generation_event {
  uint64_t request = 0; // As returned by submit.
  event_kind kind = event_kind::token;
  uint32_t index = 0;   // Of the token among the generated ones.
  uint32_t token = 0;
  std::string text;     // Whole UTF-8 characters; may be empty.
  uint32_t layer = 0;
  uint32_t position = 0;
  uint32_t width = 0;
  std::vector<float> values; // [rows, width]
  finish_reason reason = finish_reason::length;
  std::string error;
};

/// Totals of one kind of step since the engine started.
struct step_totals {
  uint64_t steps = 0, rows = 0, messages = 0;
  std::chrono::nanoseconds wall{0};
  std::chrono::nanoseconds compute{0}; // Inside the maths, summed over actors: up to threads * wall.
};
struct engine_statistics {
  step_totals prefill; // Steps with rows whose logits nobody waits for.
  step_totals decode;  // All other steps.
  uint64_t rows_replayed = 0, faults = 0;
  std::chrono::nanoseconds busy{0}; // All worker threads, inside actors.
};

struct actor_facts {
  std::string path;
  uint32_t restarts = 0;
};

class engine;

/// Sends requests and receives their events. One thread uses it; an engine may have many clients. When an actor that
/// serves a request is lost, the client sends the request again from where it is: the caller sees only a pause. Destroying
/// a client cancels its requests.
class client {
public:
  client(client&&) noexcept;
  client& operator=(client&&) noexcept;
  ~client();

  /// Text to tokens by the model's tokenizer. Throws input_error when the model has none.
  std::vector<uint32_t> encode(std::string_view text) const;
  /// Checks and sends. Returns the request's number. Throws input_error for a request that can never be served.
  uint64_t submit(generate_request request);
  /// Waits for the next event of any request. nullopt: nothing is under way any more.
  std::optional<generation_event> next();
  /// The same, at most for `timeout`; nullopt also when the time is over: see pending().
  std::optional<generation_event> next(std::chrono::milliseconds timeout);
  /// Ends a request early; its `finished` event with `cancelled` still comes. Unknown numbers are ignored.
  void cancel(uint64_t request);
  void cancel_all();
  /// How many requests have not finished.
  size_t pending() const;
  /// How often a lost request was sent again.
  uint64_t resubmitted() const;

private:
  friend class engine;
  struct state;
  explicit client(std::unique_ptr<state>);
  std::unique_ptr<state> state_;
};

/// Runs a model in an actor system of its own. The constructor returns when every actor stands (input_error for a model or a
/// fault plan that cannot be run); the destructor stops
/// them in order and leaves nothing behind. Clients must be gone before their engine.
class engine {
public:
  engine(std::shared_ptr<const model_file> model, engine_options options, const progress_callback& progress = {});
  ~engine();
  engine(const engine&) = delete;
  engine& operator=(const engine&) = delete;

  client connect();
  const model_file& model() const;
  const engine_options& options() const; // With the defaults filled in.
  /// Null when the model has no vocabulary.
  std::shared_ptr<const tokenizer> words() const;
  std::vector<actor_facts> actors() const;
  engine_statistics statistics() const;
  uint64_t weight_bytes() const;
  /// What the fault plan has done so far. Empty without one.
  v1::FaultLog fault_log() const;
  /// From now on nothing of the fault plan strikes.
  void cease_faults();
  /// Stops all actors in order, as the destructor does; nothing else may be called afterwards. How many did not end within two
  /// seconds: 0, or there is a bug. Clients must be gone.
  size_t stop();
  /// For programs that know CAF: the actor system and the root supervisor live here (actors/root.hpp).
  caf::actor_system& system();

private:
  friend class client;
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace troupe
