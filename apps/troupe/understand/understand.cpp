#include "apps/troupe/understand/understand.hpp"
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/model_command.hpp"
#include "apps/troupe/cli/session.hpp"
#include "model/error.hpp"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <numeric>

namespace troupe {

void declare_understanding(CLI::App& app, understanding_options& options) {
  declare_model(app, options.run);
  app.add_flag("--json", options.json, "One JSON object for each text, a line each, in order");
  declare_engine(app, options.run);
  declare_quiet(app, options.run);
}

generate_request make_request(const encoding& text, const model_spec& spec) {
  generate_request request;
  request.prompt = text.ids;
  if (spec.embedding.segments > 1 && std::ranges::any_of(text.segments, [](uint8_t segment) { return segment > 0; }))
    request.segments.assign(text.segments.begin(), text.segments.end());
  request.tokens_max = 0;
  request.want_logits = true;
  return request;
}

namespace {

/// The same layers; the model ends in what leaves the last one.
std::shared_ptr<const model_file> without_head(const model_file& whole) {
  auto model = std::make_shared<model_file>(whole);
  model->spec.output = {};
  model->spec.output.kind = output_spec::result::hidden_states;
  model->spec.output.columns = model->spec.width;
  model->tensors.output_transform.reset();
  model->tensors.output_transform_norm.reset();
  model->tensors.output = {};
  return model;
}

} // namespace

int run_understanding(const understanding_options& options, const char* command, const understanding& make, model_head head) {
  check(options.texts);
  if (options.encoding.pair && !options.texts.ids.empty())
    throw usage_error("--pair: a text that is given as token ids takes no second text: give the ids of both");
  prompt_source texts{options.texts};
  const prompt first = first_prompt(texts);
  auto model = open_model(options.run);
  require_command(*model, command);
  if (head == model_head::left_aside) model = without_head(*model);
  const auto troupe_engine = start_engine(std::move(model), options.run);
  return run_tasks(*troupe_engine, options.run, {command, failures_in(options.json)}, texts, first, make(*troupe_engine));
}

std::vector<size_t> largest(std::span<const double> values, size_t k) {
  std::vector<size_t> places(values.size());
  std::iota(places.begin(), places.end(), size_t(0));
  const auto end = places.begin() + std::ptrdiff_t(std::min(k, places.size()));
  std::ranges::partial_sort(places, end, [&](size_t a, size_t b) { return values[a] != values[b] ? values[a] > values[b] : a < b; });
  places.erase(end, places.end());
  return places;
}

std::string probability_text(double probability) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6f", probability);
  return text;
}

} // namespace troupe
