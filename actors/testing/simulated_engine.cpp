#include "actors/testing/simulated_engine.hpp"

#include "model/error.hpp"
#include "model/model_file.hpp"
#include "model/testing/tiny_model.hpp"

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
    : simulated_engine(std::move(model), seed, draw_weather(seed)) {}

simulated_engine::simulated_engine(std::shared_ptr<const model_parts> model, uint64_t seed, const weather& now,
                                   trace_sink trace)
    : model_(std::move(model)), words_(words_of(*model_)), storm_(now, std::move(trace)),
      troupe_(std::make_unique<simulated_troupe>(seed, config_of(model_), eyes())) {
  storm_.begin(*troupe_);
}

simulated_engine::simulated_engine(std::shared_ptr<const model_parts> model, uint64_t seed, v1::FaultPlan plan)
    : model_(std::move(model)), words_(words_of(*model_)), storm_(fair_weather(), {}),
      troupe_(std::make_unique<simulated_troupe>(seed, config_of(model_),
                                                 std::make_shared<const v1::FaultPlan>(std::move(plan)), listener())) {
  storm_.begin(*troupe_);
}

troupe_config simulated_engine::config_of(const std::shared_ptr<const model_parts>& model) {
  troupe_config config{model, words_, {}, 256, {}};
  config.limits.cache_positions_max = 2ull * model->positions_max; // Few: sequences are preempted.
  return config;
}

observers simulated_engine::eyes() {
  auto eyes = storm_.eyes();
  eyes.event = listener().event;
  return eyes;
}

observers simulated_engine::listener() {
  observers watch;
  watch.event = [this](const generation_event& event) { events_.push_back(event); };
  return watch;
}

std::vector<uint32_t> simulated_client::encode(std::string_view text) const {
  if (!home_->words_) throw input_error("this model has no vocabulary: give token ids");
  return home_->words_->encode(text);
}

uint64_t simulated_client::submit(generate_request request) {
  return home_->troupe_->desk().submit(to_message(std::move(request), *home_->model_));
}

std::optional<generation_event> simulated_client::next() {
  auto& home = *home_;
  // The client looks around as long as it waits, so that there is always something to do; but not with much hope.
  const auto end = home.troupe_->sim.now() + std::chrono::hours(4);
  while (home.events_.empty() && pending() > 0 && home.troupe_->sim.now() < end) {
    home.storm_.before_step();
    if (!home.troupe_->step() && !home.storm_.stir()) break;
  }
  if (home.events_.empty()) return std::nullopt;
  auto event = std::move(home.events_.front());
  home.events_.pop_front();
  return event;
}

void simulated_client::cancel(uint64_t request) { home_->troupe_->desk().cancel(request); }
void simulated_client::cancel_all() {
  for (const uint64_t id : home_->troupe_->desk().pending()) cancel(id);
}
size_t simulated_client::pending() const { return home_->troupe_->desk().pending().size(); }
uint64_t simulated_client::resubmitted() const { return home_->troupe_->desk().resubmitted(); }

} // namespace troupe::testing
