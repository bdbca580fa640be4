#include "apps/troupe/train/job.hpp"
#include "actors/memory/out_of_memory.hpp"
#include "actors/threads/processors.hpp"
#include "actors/tree/runtime.hpp"
#include "apps/troupe/cli/child_process.hpp"
#include "apps/troupe/train/loss_curve.hpp"
#include "apps/troupe/train/metrics.hpp"
#include "model/error.hpp"
#include "model/families/new_model.hpp"
#include "model/formats/atomic_file.hpp"
#include "model/formats/hf_vocabulary.hpp"
#include "model/tokenizer/make_tokenizer.hpp"
#include "model/training/data/batches.hpp"
#include "model/training/data/example_batches.hpp"
#include "model/training/data/mask_tokens.hpp"
#include "model/training/data/split.hpp"
#include <algorithm>
#include <new>
#include <numeric>

namespace troupe {
namespace {

namespace fs = std::filesystem;

/// What a model learns.
enum class task_kind : uint8_t { continuations, translations, labels, images, masked_tokens };

task_kind task_of(const model_spec& spec) {
  if (spec.encoder) return task_kind::translations;
  if (spec.embedding.image) return task_kind::images;
  if (spec.output.kind == output_spec::result::labels) return task_kind::labels;
  return spec.needs_whole_sequences() ? task_kind::masked_tokens : task_kind::continuations;
}

/// Throws input_error where the data are not what the model learns from.
void require_fitting(task_kind task, source_kind kind) {
  if (task == task_kind::translations && kind != source_kind::pairs)
    throw input_error("a model with an encoder learns from pairs of source and target: data.kind must be \"pairs\"");
  if (task == task_kind::labels && kind != source_kind::labels)
    throw input_error("a model that classifies texts learns from texts with labels: data.kind must be \"labels\"");
  if (task != task_kind::translations && kind == source_kind::pairs)
    throw input_error("data.kind is \"pairs\", but the model has no encoder for their sources");
  if (task == task_kind::images && kind != source_kind::images)
    throw input_error("a model of images learns from images with labels: data.kind must be \"images\"");
  if (task != task_kind::images && kind == source_kind::images) throw input_error("data.kind is \"images\", but the model takes texts");
  if (task != task_kind::labels && kind == source_kind::labels)
    throw input_error("data.kind is \"labels\", but the model gives none");
}

/// Some documents, and how they are cut into batches.
struct prepared_part {
  std::shared_ptr<const example_data> examples;
  std::vector<uint32_t> documents;
  batch_options options;
};

/// Everything that the actor that loads batches needs. Immutable.
struct prepared_data {
  task_kind task = task_kind::continuations;
  prepared_part training, validation;
  masking_options masking;
  uint64_t micro_batch_tokens = 0;
};

training_batch to_training_batch(const batch& whole, uint64_t micro_batch_tokens) {
  training_batch parts;
  for (const batch& part : cut_batch(whole, micro_batch_tokens)) {
    auto& to = parts.emplace_back();
    to.lengths = part.row_lengths;
    for (uint32_t row = 0; row < part.rows; ++row) { // Without the padding.
      const auto first = ptrdiff_t(row) * part.columns, end = first + part.row_lengths[row];
      to.tokens.insert(to.tokens.end(), part.tokens.begin() + first, part.tokens.begin() + end);
      to.targets.insert(to.targets.end(), part.targets.begin() + first, part.targets.begin() + end);
    }
  }
  return parts;
}

/// Makes the batches of a part, each a function of its number.
struct batch_maker {
  std::function<training_batch(uint64_t)> make;
  uint64_t steps_per_epoch = 0;
};

batch_maker make_batches(const std::shared_ptr<const prepared_data>& data, const prepared_part& part) {
  if (part.documents.empty()) return {[](uint64_t) -> training_batch { throw input_error("there is no validation data"); }};
  const bool is_masked = data->task == task_kind::masked_tokens;
  const uint64_t most = data->micro_batch_tokens;
  batch_maker maker;
  if (data->task == task_kind::continuations || (is_masked && part.options.mode == batch_mode::packed)) {
    auto all = std::make_shared<batches>(part.examples->text, part.documents, part.options);
    maker = {[=](uint64_t number) { return to_training_batch(all->at(number), most); }, all->steps_per_epoch()};
  } else {
    auto all = std::make_shared<example_batches>(part.examples, part.documents, part.options);
    maker = {[=](uint64_t number) { return all->at(number, most); }, all->steps_per_epoch()};
  }
  if (!is_masked) return maker;
  return {[make = maker.make, data](uint64_t number) {
            auto batch = make(number);
            mask_tokens(batch, data->masking, number);
            return batch;
          },
          maker.steps_per_epoch};
}

batch_factory make_factory(std::shared_ptr<const prepared_data> data) {
  return [data] { return batch_functions{make_batches(data, data->training).make, make_batches(data, data->validation).make}; };
}

masking_options masking_for(const vocabulary& words, double share, uint64_t seed, uint32_t vocabulary_size) {
  const auto mask = mask_token(words);
  if (!mask)
    throw input_error("the vocabulary has no [MASK] or <mask>, which a model that finds masked tokens needs: name it in "
                      "vocabulary.user_defined");
  masking_options masking{share, seed, *mask, std::vector<bool>(vocabulary_size, true)};
  for (size_t id = 0; id < words.kinds.size(); ++id)
    masking.is_special[id] = words.kinds[id] == piece_kind::control || words.kinds[id] == piece_kind::unused || id == masking.mask_token;
  return masking;
}

/// What goes around a text that is an example by itself: what the tokenizer puts there when the model is used.
token_options tokens_around(const vocabulary& words, pair_side side) {
  token_options options;
  options.side = side;
  options.add_bos = words.add_bos;
  options.add_eos = words.add_eos;
  if (!words.single.empty()) {
    using kind = template_item::item_kind;
    const auto text = std::ranges::find(words.single, kind::first_text, &template_item::kind);
    const auto before = text - words.single.begin(), behind = words.single.end() - text - 1;
    if (text == words.single.end() || before > 1 || behind > 1)
      throw input_error("the tokenizer puts more than one token on a side of a text, which is not supported here");
    options.add_bos = before == 1;
    options.add_eos = behind == 1;
    if (before == 1) options.bos = words.single.front().id;
    if (behind == 1) options.eos = words.single.back().id;
  }
  if (side == pair_side::target) { // The decoder begins with a token of its own, and must learn where a text ends.
    options.add_bos = false;
    options.add_eos = true;
  }
  return options;
}

class job {
public:
  job(const train_config& config, const job_options& options, job_listener& listener)
      : config_(config), options_(options), listener_(listener) {
    const uint32_t processors = usable_processors().count;
    if (options_.threads == 0) options_.threads = processors;
    if (options_.shards == 0) options_.shards = std::min(options_.threads, processors);
  }

  prepared_job prepare() {
    open_folder();
    prepare_model();
    if (!prepare_data()) return {};
    return {model_, make_builder(), make_factory(data_), make_options(), steps_};
  }

  job_outcome run() {
    open_folder();
    prepare_model();
    if (!prepare_data()) return interrupted();
    start();
    train();
    return finish();
  }

private:
  void open_folder() {
    const fs::path& run = config_.output;
    std::error_code error;
    fs::create_directories(run, error);
    if (error) throw input_error(run.string() + ": cannot make this folder: " + error.message());
    newest_ = newest_checkpoint(run);
    if (newest_ && !options_.resume)
      throw input_error(run.string() + ": there is a run already, up to " + newest_->filename().string() +
                        "; go on with --resume, or choose another output");
  }

  vocabulary make_words() {
    tokenizer_ = config_.vocabulary ? config_.output / "tokenizer" : config_.tokenizer;
    const fs::path& folder = tokenizer_;
    if (!config_.vocabulary) return words_of(folder);
    if (!fs::exists(folder)) {
      listener_.preparing("vocabulary", 0);
      const auto made = run_child(program_beside("train_vocabulary"), {config_.file.string(), folder.string()});
      listener_.preparing("vocabulary", 1);
      const auto line = [](const std::string& text) { return text.substr(0, text.find('\n')); };
      if (made.exit_code == out_of_memory_exit_code) throw std::bad_alloc();
      if (made.exit_code != 0)
        throw input_error(made.err.empty() ? "making the vocabulary failed with exit code " + std::to_string(made.exit_code)
                                           : line(made.err));
      listener_.note("made " + line(made.out));
    }
    // As other programs will read it, and as a resumed run does.
    return words_of(folder);
  }

  /// A vocabulary of a folder without a model: as many ids as it has pieces.
  static vocabulary words_of(const fs::path& folder) {
    std::error_code none;
    if (!fs::exists(folder / "tokenizer.json", none)) throw input_error(folder.string() + ": there is no tokenizer.json");
    return read_hf_vocabulary(folder, hf_vocabulary_size(folder));
  }

  void prepare_model() {
    const bool has_images = data_source_.kind == source_kind::images;
    if (!config_.checkpoint.empty()) {
      model_ = open_model(config_.checkpoint);
      words_ = model_->words;
    } else {
      if (!has_images) words_ = make_words();
      if (data_source_.kind == source_kind::labels) data_source_.labels = data_source(data_source_).labels();
      if (has_images) data_source_.labels = labelled_images(data_source_).names;
      model_ = new_model(complete_model(config_.model, words_, data_source_.labels), {}, config_.seed);
    }
    // The model's own numbers, where it has names for them.
    if (!model_->spec.output.labels.empty() && (data_source_.kind == source_kind::labels || has_images))
      data_source_.labels = model_->spec.output.labels;
    require_fitting(task_of(model_->spec), data_source_.kind);
    if (has_images) return;
    if (words_.kind == tokenizer_kind::none)
      throw input_error(config_.checkpoint.string() + ": there is no tokenizer, which turns the data into tokens");
    if (config_.batches.sequence_length > model_->spec.context_length)
      throw input_error("batches.sequence_length is " + std::to_string(config_.batches.sequence_length) +
                        ", but the model's context holds " + std::to_string(model_->spec.context_length) + " tokens");
  }

  /// Of each document.
  std::vector<uint32_t> labels_of(const data_source_options& options) const {
    const data_source source(options);
    if (source.labels().size() > model_->spec.output.columns)
      throw input_error("the data has " + std::to_string(source.labels().size()) + " labels, but the model knows only " +
                        std::to_string(model_->spec.output.columns));
    std::vector<uint32_t> labels;
    for (uint64_t i = 0; i < source.documents(); ++i) labels.push_back(source.label(i));
    return labels;
  }

  split_options split() const { return {config_.validation_share, config_.seed}; }

  /// `workers` and `name` must live as long as it is used.
  preparation lend(runtime& workers, const std::string& name) {
    return {[&workers](std::vector<std::function<void()>> jobs) { workers.run_jobs(std::move(jobs)); },
            [this, &name](double share) { listener_.preparing(name, share * 0.999); }, [this] { return listener_.stop(); }};
  }

  /// Null: it was stopped.
  std::shared_ptr<const example_data> images_of(runtime& workers, const std::string& name, const data_source_options& source) {
    const labelled_images images(source);
    if (images.names.size() > model_->spec.output.columns)
      throw input_error("the data has " + std::to_string(images.names.size()) + " labels, but the model knows only " +
                        std::to_string(model_->spec.output.columns));
    const auto lent = lend(workers, name);
    listener_.preparing(name, 0);
    auto examples = std::make_shared<example_data>();
    examples->images = read_images(images.files, *model_->images, *model_->spec.embedding.image, lent);
    listener_.preparing(name, 1);
    if (!examples->images) return nullptr;
    listener_.note(name + ": " + std::to_string(images.files.size()) + " images with " + std::to_string(images.names.size()) + " labels");
    examples->labels = images.labels;
    return examples;
  }

  /// False: it was stopped.
  bool prepare_data() {
    runtime workers({.threads = options_.threads}, nullptr);
    const bool has_images = task_of(model_->spec) == task_kind::images;
    const auto words = has_images ? nullptr : make_tokenizer(words_);
    const auto tokens_of = [&](const std::string& name, const data_source_options& source, pair_side side) {
      fs::create_directories(config_.output / "data");
      const auto lent = lend(workers, name);
      const bool continues = task_of(model_->spec) == task_kind::continuations;
      const auto tokens = continues ? config_.tokens : tokens_around(words_, side);
      auto file_name = name + ".tokens";
      std::ranges::replace(file_name, ' ', '_');
      listener_.preparing(name, 0);
      auto prepared = prepare_tokens(config_.output / "data" / file_name, source, *words, tokens, lent);
      listener_.preparing(name, 1);
      if (!prepared.file) return prepared.file;
      const auto& figures = prepared.file->figures();
      std::string text = name + ": " + std::to_string(figures.documents) + " documents, " +
                         std::to_string(prepared.file->tokens()) + " tokens";
      if (figures.invalid_utf8 > 0) text += "; skipped as no UTF-8: " + std::to_string(figures.invalid_utf8);
      if (figures.empty > 0) text += "; skipped as empty: " + std::to_string(figures.empty);
      listener_.note(text);
      return prepared.file;
    };
    auto data = std::make_shared<prepared_data>();
    data->task = task_of(model_->spec);
    const auto examples_of = [&](const std::string& name, const data_source_options& source) -> std::shared_ptr<const example_data> {
      if (has_images) return images_of(workers, name, source);
      auto examples = std::make_shared<example_data>();
      examples->text = tokens_of(name, source, pair_side::source);
      if (!examples->text) return nullptr;
      if (data->task == task_kind::translations) {
        examples->targets = tokens_of(name + " targets", source, pair_side::target);
        if (!examples->targets) return nullptr;
        examples->start_token = model_->spec.start_token;
      }
      if (data->task == task_kind::labels) examples->labels = labels_of(source);
      return examples;
    };
    data->training.examples = examples_of("training", data_source_);
    if (!data->training.examples) return false;
    auto both = split_documents(data->training.examples->examples(), split());
    data->training.documents = std::move(both.training);
    data->validation = {data->training.examples, std::move(both.validation), {}};
    if (config_.validation_data) {
      auto source = *config_.validation_data;
      require_fitting(data->task, source.kind);
      source.labels = data_source_.labels;
      data->validation.examples = examples_of("validation", source);
      if (!data->validation.examples) return false;
      data->validation.documents.resize(data->validation.examples->examples());
      std::iota(data->validation.documents.begin(), data->validation.documents.end(), 0u);
    }
    data->training.options = data->validation.options = config_.batches;
    data->validation.options.shuffle = false;
    data->micro_batch_tokens = config_.micro_batch_tokens;
    if (data->task == task_kind::masked_tokens)
      data->masking = masking_for(words_, config_.masked_share, config_.seed, model_->spec.vocabulary);
    steps_per_epoch_ = make_batches(data, data->training).steps_per_epoch;
    validation_batches_ = make_batches(data, data->validation).steps_per_epoch;
    if (config_.validation_batches > 0) validation_batches_ = std::min(validation_batches_, config_.validation_batches);
    steps_ = config_.steps.value_or(config_.epochs * steps_per_epoch_);
    data_ = std::move(data);
    return true;
  }

  std::shared_ptr<const trainable_builder> make_builder() const {
    return std::make_shared<const trainable_builder>(model_->spec, model_->tensors, options_.shards);
  }

  training_options make_options() const {
    training_options training;
    training.threads = options_.threads;
    training.in_flight_max = options_.in_flight_max;
    training.optimiser = config_.optimiser;
    training.schedule = config_.schedule;
    training.schedule.steps = steps_;
    training.label_smoothing = config_.label_smoothing;
    training.dropout = config_.dropout;
    training.seed = config_.seed;
    training.weights_kept = config_.weights_kept;
    training.fault_plan = options_.fault_plan;
    return training;
  }

  void start() {
    const auto builder = make_builder();
    std::optional<trained_state> state;
    if (newest_) {
      auto loaded = load_checkpoint(*newest_, *builder);
      if (loaded.position.config != config_.identity)
        throw input_error(newest_->string() + ": the run was begun with another configuration of model, data, batches, optimizer, "
                          "schedule or seed; only its length, validation and saving may change");
      position_ = loaded.position;
      state = std::move(loaded.state);
    }
    position_.config = config_.identity;
    engine_ = std::make_unique<training_engine>(builder, make_factory(data_), make_options(), std::move(state));
    metrics_ = std::make_unique<metrics_file>(config_.output / "metrics.jsonl", position_.update);
  }

  epoch_place place() const {
    epoch_place at;
    const uint64_t done = position_.update == 0 ? 0 : position_.update - 1; // The step that was done last.
    at.epoch = done / steps_per_epoch_ + 1;
    at.epochs = (steps_ + steps_per_epoch_ - 1) / steps_per_epoch_;
    at.step = position_.update == 0 ? 0 : done % steps_per_epoch_ + 1;
    at.steps = std::min(steps_per_epoch_, steps_ - (at.epoch - 1) * steps_per_epoch_);
    return at;
  }
  bool ends_epoch(uint64_t update) const { return update % steps_per_epoch_ == 0 || update == steps_; }
  bool validates(uint64_t update) const {
    if (validation_batches_ == 0) return false;
    return update == steps_ || (config_.validate_every > 0 ? update % config_.validate_every == 0 : ends_epoch(update));
  }
  bool saves(uint64_t update) const {
    if (update == steps_) return true;
    if (config_.save_every > 0) return update % config_.save_every == 0;
    return validation_batches_ > 0 ? validates(update) : ends_epoch(update);
  }

  /// Waits for a step; listens for stop() meanwhile.
  training_figures wait() {
    for (;;) {
      if (const auto figures = engine_->wait(std::chrono::milliseconds(100))) return *figures;
      is_stopped_ = is_stopped_ || listener_.stop();
    }
  }

  void train() {
    while (position_.update < steps_ && !is_early_) {
      const bool last = is_stopped_ || listener_.stop();
      engine_->train(last || saves(position_.update + 1) || validates(position_.update + 1));
      const auto figures = wait();
      note_step(figures);
      const bool is_best = validates(position_.update) && validate();
      if (ends_epoch(position_.update)) end_epoch();
      if (saves(position_.update) || is_best || is_early_ || last) save();
      if (last) {
        is_interrupted_ = position_.update < steps_;
        return;
      }
    }
  }

  void note_step(const training_figures& figures) {
    position_.update = figures.update;
    position_.epoch_loss += figures.loss * double(figures.targets);
    position_.epoch_targets += figures.targets;
    position_.epoch_hits += figures.hits;
    position_.trained_tokens += figures.rows;
    position_.trained_seconds += std::chrono::duration<double>(figures.wall).count();
    attempts_failed_ += figures.attempts - 1;
    metrics_->add(figures);
    listener_.step(place(), figures, position_);
  }

  /// Whether the model is better than ever before.
  bool validate() {
    validation_figures total;
    total.update = position_.update;
    double sum = 0;
    for (uint64_t i = 0; i < validation_batches_; ++i) {
      engine_->evaluate(i);
      const auto figures = wait();
      sum += figures.loss * double(figures.targets);
      total.targets += figures.targets;
      total.hits += figures.hits;
      listener_.validating(i + 1, validation_batches_);
    }
    if (total.targets == 0) throw input_error("the validation data has not one target: more of it is wanted");
    total.loss = sum / double(total.targets);
    total.is_best = position_.validations == 0 || total.loss < position_.best_loss;
    ++position_.validations;
    ++position_.validations_without_improvement;
    if (total.is_best) {
      position_.best_loss = total.loss;
      position_.best_update = position_.update;
      position_.validations_without_improvement = 0;
    }
    metrics_->add(total);
    listener_.validated(place(), total);
    is_early_ = config_.patience > 0 && position_.validations_without_improvement >= config_.patience;
    return total.is_best;
  }

  void end_epoch() {
    listener_.epoch_ended(place(), position_);
    position_.epoch_loss = 0;
    position_.epoch_targets = position_.epoch_hits = 0;
  }

  void save() {
    TROUPE_ASSERT(engine_->state_update() == position_.update);
    last_ = save_checkpoint(config_.output, *model_, tokenizer_, engine_->state(), position_);
    point_to(config_.output, "last", last_);
    if (position_.best_update == position_.update && position_.validations > 0) point_to(config_.output, "best", last_);
    remove_old_checkpoints(config_.output, config_.checkpoints_kept);
    draw_curve();
  }

  void draw_curve() {
    const std::string svg = loss_curve_svg(metrics_->history(), "Loss");
    atomic_file file(config_.output / "loss.svg");
    file.write(std::as_bytes(std::span(svg)));
    file.commit();
  }

  job_outcome interrupted() const {
    job_outcome outcome;
    outcome.is_interrupted = true;
    return outcome;
  }

  job_outcome finish() {
    job_outcome outcome;
    outcome.is_interrupted = is_interrupted_;
    outcome.is_early = is_early_;
    outcome.position = position_;
    outcome.last = newest_checkpoint(config_.output).value_or(fs::path());
    std::error_code error;
    if (fs::exists(config_.output / "best", error)) outcome.best = config_.output / "best";
    outcome.held_out = {config_.validation_data.value_or(data_source_), data_->validation.documents};
    outcome.held_out.source.labels = data_source_.labels;
    outcome.replayed = engine_->updates_replayed();
    outcome.attempts_failed = attempts_failed_;
    return outcome;
  }

  const train_config& config_;
  job_options options_;
  job_listener& listener_;
  data_source_options data_source_ = config_.data; // With the names of labels.
  std::optional<fs::path> newest_;
  vocabulary words_;
  fs::path tokenizer_; // The folder that it is from; of a checkpoint none.
  std::shared_ptr<const model_file> model_;
  std::shared_ptr<const prepared_data> data_;
  uint64_t steps_per_epoch_ = 1, validation_batches_ = 0, steps_ = 0;
  std::unique_ptr<training_engine> engine_;
  std::unique_ptr<metrics_file> metrics_;
  run_position position_;
  fs::path last_;
  bool is_stopped_ = false, is_interrupted_ = false, is_early_ = false;
  uint64_t attempts_failed_ = 0;
};

} // namespace

prepared_job prepare_job(const train_config& config, const job_options& options, job_listener& listener) {
  return job(config, options, listener).prepare();
}

job_outcome run_job(const train_config& config, const job_options& options, job_listener& listener) {
  return job(config, options, listener).run();
}

} // namespace troupe
