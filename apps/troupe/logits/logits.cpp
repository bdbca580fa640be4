// troupe logits: the logits of given tokens, for comparison with other systems and with the reference.
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/options.hpp"
#include "apps/troupe/cli/session.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include "apps/troupe/logits/token_batch.hpp"
#include "model/error.hpp"
#include "model/formats/safetensors.hpp"
#include "model/reference.hpp"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

namespace troupe {
namespace {

struct logits_options {
  run_options run;
  std::string input;
  std::string output;
  bool hidden_states = false;
  bool reference = false;
};

constexpr const char* examples =
  R"(  troupe logits -m model.gguf --input tokens.safetensors --output logits.safetensors
  troupe logits -m model.gguf --input tokens.safetensors --output all.safetensors --hidden-states --threads 2 --chunk 7
  troupe logits -m model.gguf --input tokens.safetensors --output oracle.safetensors --reference

Input:   input_ids [batch, length] or [length], any integer type; optional attention_mask of the same shape,
         1 or 0, padding at either end of a row.
Output:  logits [batch, length, vocabulary] in F32; with --hidden-states also hidden_states.0 (after the
         embedding), hidden_states.1 (after the first layer) ... [batch, length, width]. Padding gets zeros.)";

void declare_options(CLI::App& app, logits_options& options) {
  declare_model(app, options.run);
  app.add_option("-i,--input", options.input, "Tokens (safetensors)")->required()->type_name("FILE");
  app.add_option("-o,--output", options.output, "Where the logits go (safetensors)")->required()->type_name("FILE");
  app.add_flag("--hidden-states", options.hidden_states, "Also write the hidden states at every layer boundary");
  app.add_flag("--reference", options.reference, "Run in one thread without actors: the same bytes, by the oracle");
  declare_engine(app, options.run);
  declare_quiet(app, options.run);
  declare_examples(app, examples);
}

/// Everything the output file holds, filled in as it comes. Padding stays zero.
struct results {
  const token_batch& batch;
  uint32_t vocabulary, width;
  std::vector<float> logits;                     // [batch, length, vocabulary]
  std::vector<std::vector<float>> hidden_states; // [layers + 1][batch, length, width]; empty when not wanted.

  results(const token_batch& of, const model_spec& spec, bool with_hidden_states)
    : batch(of), vocabulary(spec.vocabulary), width(spec.width) {
    const size_t columns = of.rows.size() * of.length;
    logits.resize(columns * vocabulary);
    if (!with_hidden_states) return;
    hidden_states.assign(spec.layers.size() + 1, std::vector<float>(columns * width));
  }

  /// Rows of `row_width` values, for row `row` of the batch from its position `position` on.
  void place(std::vector<float>& into, uint32_t row_width, size_t row, uint32_t position,
             std::span<const float> values) const {
    const size_t column = row * batch.length + batch.rows[row].first + position;
    TROUPE_ASSERT(position * uint64_t{row_width} + values.size() <= batch.rows[row].tokens.size() * uint64_t{row_width});
    std::copy(values.begin(), values.end(), into.begin() + static_cast<std::ptrdiff_t>(column * row_width));
  }
};

void check_tokens(const token_batch& batch, const model_file& model, const std::string& input) {
  for (size_t row = 0; row < batch.rows.size(); ++row) {
    const auto& tokens = batch.rows[row].tokens;
    const std::string place = input + ": input_ids: row " + std::to_string(row);
    if (tokens.size() > model.spec.context_length) {
      throw input_error(place + " has " + std::to_string(tokens.size()) + " tokens, the model's context is "
                        + std::to_string(model.spec.context_length));
    }
    for (const uint32_t token : tokens) {
      if (token < model.spec.vocabulary) continue;
      throw input_error(place + " has token " + std::to_string(token) + ", the model's vocabulary ends at "
                        + std::to_string(model.spec.vocabulary - 1));
    }
  }
}

generate_request scoring_request(const std::vector<uint32_t>& tokens, bool hidden_states) {
  generate_request request;
  request.prompt = tokens;
  request.tokens_max = 0;
  request.want_logits = true;
  request.want_hidden_states = hidden_states;
  return request;
}

/// All rows at once, by the actors. Returns 0 or the signal that came.
int run_actors(const logits_options& options, std::shared_ptr<const model_file> model, results& into) {
  const auto& rows = into.batch.rows;
  const auto troupe_engine = start_engine(std::move(model), options.run);
  client requests = troupe_engine->connect();
  std::map<uint64_t, size_t> row_of;
  for (size_t row = 0; row < rows.size(); ++row) {
    if (rows[row].tokens.empty()) continue;
    row_of[requests.submit(scoring_request(rows[row].tokens, options.hidden_states))] = row;
  }
  progress_bar bar{"scoring", !options.run.quiet};
  uint64_t done = 0;
  std::string failure;
  const int signal = take_events(requests, [&](const generation_event& event) {
    const size_t row = row_of.at(event.request);
    if (event.kind == event_kind::logits) {
      into.place(into.logits, into.vocabulary, row, event.position, event.values);
      done += event.values.size() / into.vocabulary;
      bar.advance(static_cast<double>(done) / static_cast<double>(into.batch.tokens()));
    } else if (event.kind == event_kind::hidden_states) {
      into.place(into.hidden_states.at(event.layer), into.width, row, event.position, event.values);
    } else if (event.kind == event_kind::finished && event.reason == finish_reason::error) {
      failure = "row " + std::to_string(row) + ": " + event.error;
    }
  });
  if (signal == 0 && !failure.empty()) throw run_error(failure);
  TROUPE_ASSERT(signal != 0 || done == into.batch.tokens());
  return signal;
}

/// Row after row, by the oracle. Returns 0 or the signal that came.
int run_reference(const logits_options& options, std::shared_ptr<const model_file> model, results& into) {
  partition cut;
  cut.cached = options.run.cached;
  cut.as_q8_0 = options.run.as_q8_0;
  if (options.run.shards > 0) cut.shards = options.run.shards;
  const auto parts = make_parts(std::move(model), cut);
  const size_t chunk = options.run.chunk > 0 ? options.run.chunk : 512;
  interrupt_guard guard;
  progress_bar bar{"scoring", !options.run.quiet};
  uint64_t done = 0;
  for (size_t row = 0; row < into.batch.rows.size(); ++row) {
    const std::span<const uint32_t> tokens = into.batch.rows[row].tokens;
    reference_model oracle{parts};
    for (size_t position = 0; position < tokens.size(); position += chunk) {
      const auto piece = tokens.subspan(position, std::min(chunk, tokens.size() - position));
      const auto at = static_cast<uint32_t>(position);
      std::vector<std::vector<float>> hidden;
      const auto logits = oracle.forward(piece, options.hidden_states ? &hidden : nullptr);
      into.place(into.logits, into.vocabulary, row, at, logits);
      for (size_t layer = 0; layer < hidden.size(); ++layer) {
        into.place(into.hidden_states.at(layer), into.width, row, at, hidden[layer]);
      }
      done += piece.size();
      bar.advance(static_cast<double>(done) / static_cast<double>(into.batch.tokens()));
      if (interrupt_guard::signal() != 0) return interrupt_guard::signal();
    }
  }
  return 0;
}

void write(const results& all, const std::string& path) {
  const uint64_t rows = all.batch.rows.size(), length = all.batch.length;
  std::vector<safetensors_plan> plan{{"logits", safetensors_type::float32, {rows, length, all.vocabulary}}};
  for (size_t layer = 0; layer < all.hidden_states.size(); ++layer) {
    plan.push_back({"hidden_states." + std::to_string(layer), safetensors_type::float32, {rows, length, all.width}});
  }
  safetensors_writer file{path, plan};
  file.write(all.logits);
  for (const auto& layer : all.hidden_states) file.write(layer);
  file.finish();
}

int run_logits(const logits_options& options) {
  const token_batch batch = read_token_batch(options.input);
  auto model = open_model(options.run);
  check_tokens(batch, *model, options.input);
  results all{batch, model->spec, options.hidden_states};
  const auto run = options.reference ? run_reference : run_actors;
  if (const int signal = run(options, std::move(model), all); signal != 0) return 128 + signal;
  write(all, options.output);
  return exit_ok;
}

} // namespace

command_run declare_logits(CLI::App& app) {
  const auto options = std::make_shared<logits_options>();
  declare_options(app, *options);
  return [options] { return run_logits(*options); };
}

} // namespace troupe
