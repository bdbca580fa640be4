#include "apps/troupe/chaos/chaos_load.hpp"
#include "actors/engine.hpp"
#include "apps/troupe/cli/prompts.hpp"
#include "apps/troupe/cli/session.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include "apps/troupe/train/job.hpp"
#include "model/error.hpp"
#include "model/tokenizer/make_tokenizer.hpp"
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>

namespace troupe {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> read_lines(const std::string& prompts) {
  if (prompts.empty())
    return {"Once upon a time", "The dog", "There was a little girl named", "One day, a boy", "In the garden"};
  prompt_options from;
  from.files = {prompts};
  from.lines = true;
  std::vector<std::string> lines;
  for (auto& one : read_prompts(from)) lines.push_back(std::move(one.text));
  return lines;
}

/// A request in a way that the model can serve, the nth of all. Every second one samples, with a seed of its own: equal bytes then mean
/// that the draws are replayed too. Of a model with an encoder the others are beam searches.
generate_request make_request(const model_spec& spec, std::vector<uint32_t> tokens, uint32_t tokens_max, size_t number) {
  generate_request request;
  (spec.encoder ? request.source : request.prompt) = std::move(tokens);
  if (spec.needs_whole_sequences()) { // Nothing is generated: results count, and every second time all hidden states.
    request.tokens_max = 0;
    request.want_logits = true;
    request.want_hidden_states = number % 2 == 1;
    return request;
  }
  request.tokens_max = tokens_max;
  request.ignore_end_of_generation = true;
  request.sampling.temperature = number % 2 == 0 ? 0.0f : 0.9f;
  request.sampling.seed = number;
  if (spec.encoder && number % 2 == 0) request.beams = beam_options{.beams = 4, .best = 2};
  return request;
}

/// Of the nth image, or sound; or none.
std::vector<float> made_up_features(const model_spec& spec, size_t number) {
  std::vector<float> features(spec.feature_elements());
  for (size_t i = 0; i < features.size(); ++i) features[i] = float(int((i * 31 + number * 77) % 255)) / 127 - 1;
  return features;
}

/// A text is a single step of a model that generates nothing: so many more of them for each client.
constexpr size_t texts_of_a_client = 8;

std::vector<chaos_request> make_requests(const request_load_options& options, const model_file& model) {
  const auto words = model.words.kind == tokenizer_kind::none ? nullptr : make_tokenizer(model.words);
  const auto lines = read_lines(options.prompts);
  const size_t clients = options.clients * (model.spec.needs_whole_sequences() ? texts_of_a_client : 1);
  std::vector<chaos_request> all;
  for (size_t i = 0; i < std::max(clients, options.prompts.empty() ? 0 : lines.size()); ++i) {
    const bool is_image = model.spec.input().image.has_value(), is_sound = model.spec.input().audio.has_value();
    chaos_request one{is_image ? "image" : is_sound ? "sound" : words ? lines[i % lines.size()] : "token ids", {}};
    std::vector<uint32_t> tokens;
    if (is_image || is_sound) tokens.clear(); // Features are in their place.
    else if (words) tokens = words->encode(one.prompt);
    else for (uint32_t k = 0; k < 8; ++k) tokens.push_back(uint32_t((i * 7 + k * 3) % model.spec.vocabulary));
    one.request = make_request(model.spec, std::move(tokens), options.tokens_max, i);
    one.request.features = made_up_features(model.spec, i);
    all.push_back(std::move(one));
  }
  return all;
}

class request_chaos_load final : public chaos_load {
public:
  explicit request_chaos_load(const request_load_options& options)
    : options_(options), model_(open_model(options.run.model)), requests_(make_requests(options, *model_)) {}

  void describe(chaos_result& result) const override {
    result.model = model_->path.filename().string();
    result.requests = requests_;
  }

  run_record run(std::shared_ptr<const v1::FaultPlan> plan, const chaos_watch& watch) const override {
    const auto on = start_engine(model_, options_.run, std::move(plan));
    std::vector<std::string> paths;
    for (auto& one : on->actors())
      if (one.path != "/") paths.push_back(std::move(one.path));
    watch.started(std::move(paths));
    const double tokens = double(options_.tokens_max) * double(requests_.size());
    return run_requests(*on, requests_, options_.silence, [&](const run_record& so_far) {
      const auto finished = std::ranges::count(so_far.requests, true, &request_record::finished);
      const double share = std::max(double(so_far.tokens) / tokens, double(finished) / double(requests_.size()));
      return watch.go_on(so_far, share, [&] { return on->fault_log(); });
    });
  }

private:
  request_load_options options_;
  std::shared_ptr<const model_file> model_;
  std::vector<chaos_request> requests_;
};

/// A folder that is removed with this object.
class temporary_folder {
public:
  temporary_folder() {
    std::string name = fs::temp_directory_path() / "troupe-chaos-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw input_error(name + ": cannot make this folder: " + std::strerror(errno));
    path_ = name;
  }
  ~temporary_folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;
  const fs::path& path() const { return path_; }

private:
  fs::path path_;
};

/// Of the preparation of a training run, the only part of a job that is used here.
class preparation_bar final : public job_listener {
public:
  explicit preparation_bar(bool enabled) : enabled_(enabled) {}
  void preparing(std::string_view what, double share) override {
    if (share == 0) bar_.emplace("Preparing: " + std::string(what), enabled_);
    if (bar_) bar_->advance(share);
    if (share == 1) bar_.reset();
  }
  bool stop() override { return interrupt_guard::signal() != 0; }

private:
  bool enabled_;
  std::optional<progress_bar> bar_;
};

class training_chaos_load final : public chaos_load {
public:
  explicit training_chaos_load(const training_load_options& options) : options_(options) {
    auto config = read_train_config(options.config);
    config.output = folder_.path();
    job_options job;
    job.threads = options.run.threads;
    job.shards = options.run.shards;
    interrupt_guard guard;
    preparation_bar bar(!options.run.quiet);
    prepared_ = prepare_job(config, job, bar);
    steps_ = std::min(options.steps, prepared_.steps);
  }

  bool is_prepared() const { return prepared_.steps > 0; }

  void describe(chaos_result& result) const override {
    result.model = fs::path(options_.config).filename().string();
    result.requests.resize(1);
    result.steps = steps_;
  }

  run_record run(std::shared_ptr<const v1::FaultPlan> plan, const chaos_watch& watch) const override {
    auto training = prepared_.training;
    training.fault_plan = std::move(plan);
    training_engine on(prepared_.model, prepared_.batches, training);
    watch.started(on.actors());
    return run_training(on, steps_, options_.silence, [&](const run_record& so_far) {
      const double done = double(so_far.requests.front().losses.size());
      return watch.go_on(so_far, done / double(steps_), [&] { return on.fault_log(); });
    });
  }

private:
  training_load_options options_;
  temporary_folder folder_; // The data is read from there.
  prepared_job prepared_;
  uint64_t steps_ = 0;
};

} // namespace

std::unique_ptr<chaos_load> make_request_load(const request_load_options& options) {
  return std::make_unique<request_chaos_load>(options);
}

std::unique_ptr<chaos_load> make_training_load(const training_load_options& options) {
  auto load = std::make_unique<training_chaos_load>(options);
  if (!load->is_prepared()) return nullptr;
  return load;
}

} // namespace troupe
