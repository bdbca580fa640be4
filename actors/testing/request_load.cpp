// The load of a trial: requests to a troupe that serves.
#include "actors/requests/decoding_messages.hpp"
#include "actors/testing/simulated_engine.hpp"
#include "actors/testing/simulated_nodes.hpp"
#include "actors/testing/trial.hpp"
#include "model/model_file.hpp"
#include "model/testing/tiny_encoder.hpp"
#include "model/testing/tiny_model.hpp"
#include "model/tokenizer/make_tokenizer.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>
#include <set>

namespace troupe::testing {
namespace {

using namespace std::chrono_literals;

/// As many tokens, up to `room`, as are drawn.
template <class Field> void draw_tokens(Field* into, uint32_t room, uint32_t vocabulary, raw_bits& bits) {
  const auto count = std::min(room, uint32_t(1 + bits.below(12)));
  for (uint32_t i = 0; i < count; ++i) into->Add(uint32_t(bits.below(vocabulary)));
}

bool generates(const model_spec& spec) { return spec.output.kind == output_spec::result::tokens && !spec.needs_whole_sequences(); }

/// A scoring: every logit and every hidden state counts.
void want_everything(v1::GenerateRequest& request) {
  request.set_tokens_max(0);
  request.set_want_logits(true);
  request.set_want_hidden_states(true);
}

v1::GenerateRequest draw_request(const model_parts& model, raw_bits& bits, uint32_t number) {
  v1::GenerateRequest request;
  if (const auto& image = model.spec.embedding.image) {
    request.mutable_prompt_tokens()->Resize(int(image->rows()), 0);
    for (uint64_t i = 0; i < image->elements(); ++i) request.add_features(bits.uniform(-1, 1));
    want_everything(request);
    return request;
  }
  const uint32_t room = model.positions_max - 1;
  auto& tokens = *request.mutable_prompt_tokens();
  for (uint32_t i = 0; number % 2 == 0 && i < std::min(room / 2, 6u); ++i) tokens.Add(i % model.spec.vocabulary); // All begin alike.
  draw_tokens(&tokens, room - uint32_t(tokens.size()), model.spec.vocabulary, bits);
  const auto prompt = uint32_t(request.prompt_tokens_size());
  if (const auto& audio = model.spec.input().audio) {
    request.mutable_source_tokens()->Resize(int(audio->rows()), 0);
    for (uint64_t i = 0; i < audio->elements(); ++i) request.add_features(bits.uniform(-1, 1));
  } else if (model.encoder) draw_tokens(request.mutable_source_tokens(), model.encoder->positions_max, model.spec.vocabulary, bits);
  request.set_tokens_max(std::min(room - prompt, uint32_t(3 + bits.below(12))));
  request.set_ignore_end_of_generation(true);
  request.set_tenant(std::string(number % 8 / 3, 't')); // Three tenants, one of which has twice the weight.
  request.set_tenant_weight(number % 8 < 3 ? 2 : 1);
  request.set_priority(number % 5 == 0);
  sampling_options sampling;
  sampling.temperature = number % 2 == 0 ? 0.0f : 0.9f;
  sampling.seed = number;
  *request.mutable_sampling() = to_message(sampling);
  if (number % 4 == 3 || !generates(model.spec)) want_everything(request);
  else if (model.encoder && number % 4 < 2)
    *request.mutable_beam_search() = to_message(beam_options{.beams = 2 + number % 3, .best = 2});
  return request;
}

class requests_under_way : public load_under_way {
public:
  requests_under_way(uint64_t seed, troupe_config config, std::shared_ptr<const v1::FaultPlan> plan, observers watch,
                     const std::vector<v1::GenerateRequest>& requests, const std::vector<request_outcome>& wanted, uint32_t count,
                     std::unique_ptr<simulated_nodes> nodes)
      : nodes_(std::move(nodes)), troupe_(seed, std::move(config), std::move(plan), std::move(watch)) {
    if (nodes_) {
      nodes_->begin(troupe_.sim);
      troupe_.on_close = [this] { nodes_->end(); };
    }
    for (uint32_t i = 0; i < count; ++i) {
      const auto which = troupe_.sim.draw(requests.size());
      auto request = requests[which];
      raw_bits own{seed * count + i + 1};
      const bool has_deadline = own.below(6) == 0;
      if (has_deadline) request.set_deadline_ns((troupe_.sim.system().clock().now().time_since_epoch() + own.below(3000) * 1ms).count());
      const uint64_t id = troupe_.tracker().submit(std::move(request));
      chosen_[id] = &wanted[which];
      if (has_deadline) with_deadline_.insert(id);
    }
    raw_bits bits{seed + 1};
    if (bits.below(3) != 0) return;
    to_cancel_ = std::next(chosen_.begin(), int64_t(bits.below(count)))->first;
    cancelled_at_ = bits.below(60);
  }

  simulated_actors& actors() override { return troupe_; }
  bool is_done() override { return troupe_.tracker().pending_count() == 0; }
  std::string outstanding() override { return std::to_string(troupe_.tracker().pending_count()) + " requests do not finish"; }
  void disturb() override {
    if (nodes_) nodes_->disturb();
  }
  void calm() override {
    if (nodes_) nodes_->calm();
  }
  uint64_t repeated() override { return troupe_.tracker().resubmitted(); }

  std::string proceed() override {
    if (to_cancel_ && seen_ >= cancelled_at_ && !was_cancelled_) {
      was_cancelled_ = true;
      troupe_.tracker().cancel(*to_cancel_);
    }
    if (events_seen() == seen_) return "";
    seen_ = events_seen();
    for (const auto& [id, out] : troupe_.outcomes) {
      const bool is_cut = may_be_cut(id, out);
      auto seen = out;
      if (is_cut) seen.error.clear();
      if (const auto wrong = difference(seen, *chosen_.at(id), !out.end.empty() && !is_cut); !wrong.empty())
        return "request " + std::to_string(id) + ": " + wrong;
    }
    return "";
  }

private:
  /// One that was cancelled, or whose deadline has passed, may end with what there is of it.
  bool may_be_cut(uint64_t id, const request_outcome& out) const {
    return (was_cancelled_ && id == to_cancel_ && out.end == "cancelled") || (with_deadline_.contains(id) && out.end == "deadline");
  }

  uint64_t events_seen() const {
    uint64_t events = troupe_.outcomes.size();
    for (const auto& [id, out] : troupe_.outcomes)
      events += out.tokens.size() + out.logits.size() + out.hidden.size() + !out.end.empty();
    return events;
  }

  std::unique_ptr<simulated_nodes> nodes_; // Outlives the troupe. May be null.
  simulated_troupe troupe_;
  std::map<uint64_t, const request_outcome*> chosen_; // By request: what must come out.
  uint64_t seen_ = 0;
  std::optional<uint64_t> to_cancel_; // A request,
  uint64_t cancelled_at_ = 0;         // when so many events have been seen.
  bool was_cancelled_ = false;
  std::set<uint64_t> with_deadline_;
};

class request_load : public trial_load {
public:
  request_load(std::shared_ptr<const model_parts> model, uint32_t per_trial, uint32_t replicas, uint32_t workers)
      : model_(std::move(model)), per_trial_(per_trial), replicas_(replicas), workers_(workers) {
    if (model_->file->words.kind != tokenizer_kind::none) words_ = make_tokenizer(model_->file->words);
    raw_bits bits{1};
    for (uint32_t i = 0; i < 16; ++i) {
      requests_.push_back(draw_request(*model_, bits, i));
      wanted_.push_back(by_reference(model_, requests_.back()));
    }
  }

  std::unique_ptr<load_under_way> start(uint64_t seed, std::shared_ptr<const v1::FaultPlan> plan, observers watch) const override {
    auto config = config_of(seed);
    auto nodes = nodes_of(config);
    return std::make_unique<requests_under_way>(seed, std::move(config), std::move(plan), std::move(watch), requests_, wanted_, per_trial_,
                                                std::move(nodes));
  }

  /// Null without workers; else `config` has its layers there.
  std::unique_ptr<simulated_nodes> nodes_of(troupe_config& config) const {
    if (workers_ == 0) return nullptr;
    auto nodes = std::make_unique<simulated_nodes>(model_, workers_, true);
    config.cluster = nodes->tree(config.limits.cache_positions_max);
    return nodes;
  }

  troupe_config config_of(uint64_t seed) const {
    raw_bits bits{~seed};
    troupe_config config{model_, words_, {}, {}, {}};
    uint64_t longest = 0;
    for (const auto& request : requests_)
      longest = std::max<uint64_t>(longest, uint64_t(request.prompt_tokens_size()) + request.source_tokens_size() + request.tokens_max());
    config.limits.step_rows_max = 1 + uint32_t(bits.below(9));
    config.limits.prefill_chunk = 1 + uint32_t(bits.below(5));
    config.limits.logits_rows_max = 1 + uint32_t(bits.below(5));
    config.limits.slowdown_by_tenants = 1 + double(bits.below(3)) / 2; // Every third has no limit.
    config.limits.slowdown_by_priorities = 1 + double(bits.below(3)) / 2;
    config.limits.step_time_max_ns = double(bits.below(3)) * 1e6;
    config.limits.prefix_block = uint32_t(bits.below(4)); // Every fourth reuses none.
    // Often too few for all: then sequences are preempted.
    config.limits.cache_positions_max = longest + 1 + bits.below(longest * per_trial_);
    // Often not all may run at once: then the others wait.
    config.sequences_max = 1 + uint32_t(bits.below(2 * per_trial_));
    config.replicas = replicas_;
    return config;
  }

private:
  std::shared_ptr<const model_parts> model_;
  std::shared_ptr<const tokenizer> words_; // May be null.
  std::vector<v1::GenerateRequest> requests_;
  std::vector<request_outcome> wanted_; // By request.
  uint32_t per_trial_, replicas_, workers_;
};

} // namespace

trial_setup make_setup(std::shared_ptr<const model_parts> model, uint32_t requests_per_trial, uint32_t replicas, uint32_t workers) {
  const auto load = std::make_shared<request_load>(std::move(model), requests_per_trial, replicas, workers);
  auto config = load->config_of(1);
  const auto nodes = load->nodes_of(config);
  simulated_troupe undisturbed(1, std::move(config));
  if (nodes) {
    nodes->begin(undisturbed.sim);
    undisturbed.on_close = [&] { nodes->end(); };
  }
  auto setup = setup_of(load, undisturbed);
  setup.roles.insert("sequence");
  return setup;
}

trial_setup make_tiny_setup(uint32_t requests_per_trial, tiny_kind kind, uint32_t replicas, uint32_t workers) {
  if (kind == tiny_kind::decoder) return make_setup(make_tiny_parts(), requests_per_trial, replicas, workers);
  const char* model_class = kind == tiny_kind::images    ? "ViTForImageClassification"
                            : kind == tiny_kind::audio   ? "WhisperForConditionalGeneration"
                            : kind == tiny_kind::encoder ? "BertForQuestionAnswering"
                                                         : "T5ForConditionalGeneration";
  return make_setup(make_parts(tiny_encoder(model_class), {.shards = 2}), requests_per_trial, replicas, workers);
}

std::vector<trial_setup> make_tiny_setups(uint32_t requests_per_trial, uint32_t replicas, uint32_t workers) {
  std::vector<trial_setup> setups;
  for (const auto kind : {tiny_kind::decoder, tiny_kind::encoder_decoder, tiny_kind::encoder})
    setups.push_back(make_tiny_setup(requests_per_trial, kind, replicas, workers));
  return setups;
}

} // namespace troupe::testing
