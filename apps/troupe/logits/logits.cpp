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
#include <filesystem>
#include <map>
#include <tuple>

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
         1 or 0, padding at either end of a row; token_type_ids. For a model with an encoder these are the source,
         and decoder_input_ids (decoder_attention_mask) the target. In place of input_ids a model that listens takes
         input_features [batch, bins, frames], and a model of images pixel_values [batch, channels, height, width],
         F32, F16, BF16 or F64, prepared as it wants them.
Output:  F32, by Hugging Face's names; padding gets zeros. logits [batch, length, vocabulary] or [batch, labels];
         start_logits and end_logits [batch, length]; last_hidden_state [batch, length, width] of a model without a
         head; encoder_last_hidden_state. With --hidden-states also hidden_states.0 (after the embedding),
         hidden_states.1 (after the first layer) ... [batch, length, width]; encoder_hidden_states.0 ... and
         decoder_hidden_states.0 ... of a model with an encoder.)";

void declare_options(CLI::App& app, logits_options& options) {
  declare_model(app, options.run);
  app.add_option("-i,--input", options.input, "Tokens, pixels, or features of sound (safetensors)")->required()->type_name("FILE");
  app.add_option("-o,--output", options.output, "Where the logits go (safetensors)")->required()->type_name("FILE");
  app.add_flag("--hidden-states", options.hidden_states, "Also write the hidden states at every layer boundary");
  app.add_flag("--reference", options.reference, "Run in one thread without actors: the same bytes, by the oracle");
  declare_engine(app, options.run);
  declare_quiet(app, options.run);
  declare_examples(app, examples);
}

/// Rows of values for the tokens of a batch, filled in as they come. Padding stays zero.
struct grid {
  const token_batch* batch;
  uint32_t width;
  std::vector<float> values; // [batch, length, width]

  grid(const token_batch& of, uint32_t row_width) : batch(&of), width(row_width), values(of.rows.size() * of.length * row_width) {}

  /// For row `row` of the batch from its position `position` on.
  void place(size_t row, uint32_t position, std::span<const float> rows) {
    const token_row& into = batch->rows[row];
    TROUPE_ASSERT(position * uint64_t{width} + rows.size() <= into.tokens.size() * uint64_t{width});
    const size_t column = row * batch->length + into.first + position;
    std::copy(rows.begin(), rows.end(), values.begin() + static_cast<std::ptrdiff_t>(column * width));
  }
  safetensors_plan plan(std::string name) const {
    return {std::move(name), safetensors_type::float32, {batch->rows.size(), batch->length, width}};
  }
};

/// The tokens that pass the stack with the output; those of the source, where there is an encoder, pass that.
const token_batch& target_of(const model_input& input) { return input.decoder ? *input.decoder : input.tokens; }

/// Everything the output file holds.
struct results {
  const model_input& input;
  const output_spec& output;
  grid rows;                   // What the model ends in; where that is of the first row, at the first token.
  std::optional<grid> encoded; // What the encoder makes of the source.
  uint32_t encoder_end = 0;    // The number of these states: one beyond those of the last layer.
  std::vector<grid> states, encoder_states; // By layer; empty when not wanted.

  results(const model_input& of, const model_spec& spec, bool with_hidden_states)
    : input(of), output(spec.output), rows(target_of(of), spec.output.columns) {
    if (spec.encoder) {
      encoded.emplace(of.tokens, spec.width);
      encoder_end = uint32_t(spec.encoder->layers.size()) + 1;
    }
    if (!with_hidden_states) return;
    states.assign(spec.layers.size() + 1, grid{target_of(of), spec.width});
    if (spec.encoder) encoder_states.assign(spec.encoder->layers.size() + 1, grid{of.tokens, spec.width});
  }

  void place_states(bool of_encoder, uint32_t layer, size_t row, uint32_t position, std::span<const float> values) {
    if (of_encoder && layer == encoder_end) return encoded->place(row, position, values);
    auto& by_layer = of_encoder ? encoder_states : states;
    if (!by_layer.empty()) by_layer.at(layer).place(row, position, values);
  }
};

void check_rows(const token_batch& batch, const stack_spec& stack, uint32_t vocabulary, const std::string& name) {
  for (size_t row = 0; row < batch.rows.size(); ++row) {
    const auto& [first, tokens, segments] = batch.rows[row];
    const std::string place = name + ": row " + std::to_string(row);
    if (tokens.size() > stack.context_length) {
      throw input_error(place + " has " + std::to_string(tokens.size()) + " tokens, the model's context is "
                        + std::to_string(stack.context_length));
    }
    for (const uint32_t token : tokens) {
      if (token < vocabulary) continue;
      throw input_error(place + " has token " + std::to_string(token) + ", the model's vocabulary ends at "
                        + std::to_string(vocabulary - 1));
    }
    const uint32_t known = std::max(1u, stack.embedding.segments); // A model without segments takes 0 for all.
    for (const uint32_t segment : segments) {
      if (segment < known) continue;
      throw input_error(place + " has token type " + std::to_string(segment) + ", the model's end at " + std::to_string(known - 1));
    }
  }
}

void check(const model_input& input, const model_spec& spec, const std::string& file) {
  if (spec.encoder && !input.decoder)
    throw input_error(file + ": decoder_input_ids: are missing, and the model has a decoder beside its encoder");
  if (!spec.encoder && input.decoder) throw input_error(file + ": decoder_input_ids: the model has no encoder, it takes only input_ids");
  check_rows(input.tokens, spec.encoder ? *spec.encoder : static_cast<const stack_spec&>(spec), spec.vocabulary, file + ": input_ids");
  if (input.decoder) check_rows(*input.decoder, spec, spec.vocabulary, file + ": decoder_input_ids");
}

/// Whether anything of a row takes part.
bool is_empty(const model_input& input, size_t row) {
  return input.tokens.rows[row].tokens.empty() || target_of(input).rows[row].tokens.empty();
}

/// The segments, where the model knows any.
std::vector<uint32_t> segments_of(const token_row& row, const model_spec& spec) {
  return spec.embedding.segments > 0 ? row.segments : std::vector<uint32_t>();
}

generate_request scoring_request(const model_input& input, size_t row, const model_spec& spec, bool hidden_states) {
  const token_row& target = target_of(input).rows[row];
  generate_request request;
  const bool has_features = !input.features.empty();
  if (has_features) request.features = input.features[row];
  if (input.decoder && !has_features) request.source = input.tokens.rows[row].tokens;
  if (input.decoder || !has_features) request.prompt = target.tokens;
  request.segments = segments_of(target, spec);
  request.tokens_max = 0;
  request.want_logits = true;
  request.want_hidden_states = hidden_states || input.decoder; // What the encoder ends in comes with them.
  return request;
}

/// Of something that there is `all` of, for the progress bar.
double share_done(uint64_t done, uint64_t all) { return static_cast<double>(done) / static_cast<double>(std::max<uint64_t>(1, all)); }

/// All rows at once, by the actors. Returns 0 or the signal that came.
int run_actors(const logits_options& options, std::shared_ptr<const model_file> model, results& into) {
  const model_input& input = into.input;
  const auto troupe_engine = start_engine(model, options.run);
  client requests = troupe_engine->connect();
  std::map<uint64_t, size_t> row_of;
  uint64_t wanted = 0; // Rows of results.
  for (size_t row = 0; row < input.tokens.rows.size(); ++row) {
    if (is_empty(input, row)) continue;
    wanted += into.output.of_first_row ? 1 : target_of(input).rows[row].tokens.size();
    row_of[requests.submit(scoring_request(input, row, model->spec, options.hidden_states))] = row;
  }
  progress_bar bar{"scoring", !options.run.quiet};
  uint64_t done = 0;
  std::string failure;
  const int signal = take_events(requests, [&](const generation_event& event) {
    const size_t row = row_of.at(event.request);
    if (event.kind == event_kind::logits) {
      into.rows.place(row, event.position, event.values);
      done += event.values.size() / event.width;
      bar.advance(share_done(done, wanted));
    } else if (event.kind == event_kind::hidden_states) {
      into.place_states(event.of_encoder, event.layer, row, event.position, event.values);
    } else if (event.kind == event_kind::finished && is_failure(event.reason)) {
      failure = "row " + std::to_string(row) + ": " + event.error;
    }
  });
  if (signal == 0 && !failure.empty()) throw run_error(failure);
  TROUPE_ASSERT(signal != 0 || done == wanted);
  return signal;
}

void place_all(results& into, bool of_encoder, size_t row, uint32_t position, const reference_model::hidden_states& states) {
  for (uint32_t layer = 0; layer < states.size(); ++layer) into.place_states(of_encoder, layer, row, position, states[layer]);
}

/// Row after row, by the oracle. Returns 0 or the signal that came.
int run_reference(const logits_options& options, std::shared_ptr<const model_file> model, results& into) {
  const model_input& input = into.input;
  partition cut;
  cut.cached = options.run.cached.value_or(usual_cache_type(*model, options.run.as_q8_0));
  cut.as_q8_0 = options.run.as_q8_0;
  if (options.run.shards > 0) cut.shards = options.run.shards;
  const auto parts = make_parts(model, cut);
  interrupt_guard guard;
  progress_bar bar{"scoring", !options.run.quiet};
  uint64_t done = 0;
  for (size_t row = 0; row < input.tokens.rows.size(); ++row) {
    if (is_empty(input, row)) continue;
    reference_model oracle{parts};
    reference_model::hidden_states states;
    if (input.decoder) {
      if (input.features.empty()) oracle.encode(input.tokens.rows[row].tokens, &states);
      else oracle.encode_sound(input.features[row], &states);
      place_all(into, true, row, 0, states);
    }
    const token_row& target = target_of(input).rows[row];
    if (!input.features.empty() && !input.decoder) {
      into.rows.place(row, 0, oracle.forward_image(input.features[row], &states));
      place_all(into, false, row, 0, states);
      bar.advance(share_done(row + 1, input.features.size()));
      if (interrupt_guard::signal() != 0) return interrupt_guard::signal();
      continue;
    }
    const std::span<const uint32_t> tokens = target.tokens;
    const auto segments = segments_of(target, model->spec);
    // Where rows see later rows, all of them come together.
    const size_t chunk = model->spec.needs_whole_sequences() ? tokens.size() : options.run.chunk > 0 ? options.run.chunk : 512;
    for (size_t position = 0; position < tokens.size(); position += chunk) {
      const size_t count = std::min(chunk, tokens.size() - position);
      const auto at = static_cast<uint32_t>(position);
      const auto of_them = segments.empty() ? std::span<const uint32_t>() : std::span(segments).subspan(position, count);
      const auto rows = oracle.forward(tokens.subspan(position, count), options.hidden_states ? &states : nullptr, of_them);
      into.rows.place(row, at, rows);
      if (options.hidden_states) place_all(into, false, row, at, states);
      done += count;
      bar.advance(share_done(done, target_of(input).tokens()));
      if (interrupt_guard::signal() != 0) return interrupt_guard::signal();
    }
  }
  return 0;
}

/// A tensor of the output file.
struct named_values {
  safetensors_plan plan;
  std::vector<float> values;
};

/// A column of rows, [batch, length].
named_values column_of(const grid& rows, size_t column, std::string name) {
  named_values result{{std::move(name), safetensors_type::float32, {rows.batch->rows.size(), rows.batch->length}}, {}};
  for (size_t i = column; i < rows.values.size(); i += rows.width) result.values.push_back(rows.values[i]);
  return result;
}

/// The rows of first tokens, [batch, width].
named_values first_rows_of(const grid& rows, std::string name) {
  named_values result{{std::move(name), safetensors_type::float32, {rows.batch->rows.size(), rows.width}}, {}};
  const token_batch& batch = *rows.batch;
  result.values.resize(batch.rows.size() * rows.width);
  for (size_t row = 0; row < batch.rows.size(); ++row) {
    if (batch.rows[row].tokens.empty()) continue;
    const size_t first = (row * batch.length + batch.rows[row].first) * rows.width;
    std::copy_n(rows.values.begin() + std::ptrdiff_t(first), rows.width, result.values.begin() + std::ptrdiff_t(row * rows.width));
  }
  return result;
}

std::vector<named_values> tensors_of(results&& all) {
  std::vector<named_values> tensors;
  const auto add = [&](std::string name, grid& rows) { tensors.push_back({rows.plan(std::move(name)), std::move(rows.values)}); };
  if (all.output.kind == output_spec::result::spans) {
    tensors.push_back(column_of(all.rows, 0, "start_logits"));
    tensors.push_back(column_of(all.rows, 1, "end_logits"));
  } else if (all.output.of_first_row) {
    tensors.push_back(first_rows_of(all.rows, "logits"));
  } else {
    add(all.output.kind == output_spec::result::hidden_states ? "last_hidden_state" : "logits", all.rows);
  }
  if (all.encoded) add("encoder_last_hidden_state", *all.encoded);
  const std::string stack = all.encoded ? "decoder_hidden_states." : "hidden_states.";
  for (size_t layer = 0; layer < all.states.size(); ++layer) add(stack + std::to_string(layer), all.states[layer]);
  for (size_t layer = 0; layer < all.encoder_states.size(); ++layer)
    add("encoder_hidden_states." + std::to_string(layer), all.encoder_states[layer]);
  return tensors;
}

void write(const std::vector<named_values>& tensors, const std::string& path) {
  std::vector<safetensors_plan> plans;
  for (const auto& one : tensors) plans.push_back(one.plan);
  safetensors_writer file{path, plans};
  for (const auto& one : tensors) file.write(one.values);
  file.finish();
}

/// Throws input_error: better now than when all is computed.
void check_output(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path();
  std::error_code ignored;
  if (!folder.empty() && !std::filesystem::is_directory(folder, ignored))
    throw input_error(path + ": cannot be written: " + folder.string() + " is no folder");
}

int run_logits(const logits_options& options) {
  check_output(options.output);
  auto model = open_model(options.run);
  const auto& [image, audio] = std::tie(model->spec.input().image, model->spec.input().audio);
  const model_input input = image   ? read_images(options.input, *image)
                            : audio ? read_sounds(options.input, *audio)
                                    : read_model_input(options.input);
  check(input, model->spec, options.input);
  results all{input, model->spec, options.hidden_states};
  const auto run = options.reference ? run_reference : run_actors;
  if (const int signal = run(options, model, all); signal != 0) return 128 + signal;
  write(tensors_of(std::move(all)), options.output);
  return exit_ok;
}

} // namespace

command_run declare_logits(CLI::App& app) {
  const auto options = std::make_shared<logits_options>();
  declare_options(app, *options);
  return [options] { return run_logits(*options); };
}

} // namespace troupe
