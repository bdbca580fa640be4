#include "actors/testing/simulated_engine.hpp"

#include "model/error.hpp"
#include "model/model_file.hpp"
#include "model/testing/tiny_model.hpp"
#include "model/tokenizer/make_tokenizer.hpp"

namespace troupe::testing {

std::shared_ptr<const model_parts> make_tiny_parts() {
  const auto path = write_tiny_model(
    {.layers = 2, .width = 32, .heads = 4, .kv_heads = 2, .head_dim = 8, .feed_forward = 64, .context = 64});
  return make_parts(open_model(path), {.shards = 2});
}

namespace {

std::shared_ptr<const tokenizer> words_of(const model_parts& model) {
  return model.file->words.kind == tokenizer_kind::none ? nullptr : make_tokenizer(model.file->words);
}

} // namespace

simulated_engine::simulated_engine(std::shared_ptr<const model_parts> model, uint64_t seed)
    : simulated_engine(std::move(model), seed, draw_fault_schedule(seed)) {}

simulated_engine::simulated_engine(std::shared_ptr<const model_parts> model, uint64_t seed, const fault_schedule& schedule,
                                   trace_sink trace)
    : model_(std::move(model)), words_(words_of(*model_)), injector_(schedule, std::move(trace)),
      troupe_(std::make_unique<simulated_troupe>(seed, config_of(model_), injector_.make_observers())) {
  begin();
}

simulated_engine::simulated_engine(std::shared_ptr<const model_parts> model, uint64_t seed, v1::FaultPlan plan)
    : model_(std::move(model)), words_(words_of(*model_)), injector_(no_faults(), {}),
      troupe_(std::make_unique<simulated_troupe>(seed, config_of(model_),
                                                 std::make_shared<const v1::FaultPlan>(std::move(plan)))) {
  begin();
}

void simulated_engine::begin() {
  troupe_->on_event = [this](const generation_event& event) { events_.push_back(event); };
  injector_.begin(*troupe_);
}

troupe_config simulated_engine::config_of(const std::shared_ptr<const model_parts>& model) {
  troupe_config config{model, words_, {}, 256, {}};
  config.limits.cache_positions_max = 2ull * model->positions_max; // Few: sequences are preempted.
  config.limits.prefix_block = 2; // Small, so that it happens with short prompts.
  return config;
}

std::vector<uint32_t> simulated_client::encode(std::string_view text) const {
  if (!engine_->words_) throw input_error("this model has no vocabulary: give token ids");
  return engine_->words_->encode(text);
}

uint64_t simulated_client::submit(generate_request request) {
  auto& tracker = engine_->troupe_->tracker();
  return tracker.submit(to_message(std::move(request), *engine_->model_, tracker.now()));
}

std::optional<generation_event> simulated_client::next() {
  auto& engine = *engine_;
  // While the client waits, its ticks go on, so that there is always something to do: this ends a wait that is hopeless.
  const auto end = engine.troupe_->sim.now() + std::chrono::hours(4);
  while (engine.events_.empty() && pending() > 0 && engine.troupe_->sim.now() < end) {
    engine.injector_.before_step();
    if (!engine.troupe_->step() && !engine.injector_.release_held()) break;
  }
  if (engine.events_.empty()) return std::nullopt;
  auto event = std::move(engine.events_.front());
  engine.events_.pop_front();
  return event;
}

void simulated_client::cancel(uint64_t request) { engine_->troupe_->tracker().cancel(request); }
void simulated_client::cancel_all() {
  for (const uint64_t id : engine_->troupe_->tracker().pending()) cancel(id);
}
size_t simulated_client::pending() const { return engine_->troupe_->tracker().pending_count(); }
uint64_t simulated_client::resubmitted() const { return engine_->troupe_->tracker().resubmitted(); }

} // namespace troupe::testing
