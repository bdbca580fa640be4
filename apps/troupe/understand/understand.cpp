#include "apps/troupe/understand/understand.hpp"
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/model_command.hpp"
#include "apps/troupe/cli/session.hpp"
#include "model/error.hpp"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
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

/// Pixels are kept in up to four places, by those who could have to say them again.
size_t images_at_once(const image_spec& image) {
  constexpr uint64_t bytes_max = 64 << 20;
  return std::max<size_t>(4, bytes_max / (image.elements() * sizeof(float)));
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
  task_options tasks{command, failures_in(options.json), options.texts.what};
  if (const auto& image = troupe_engine->model().spec.embedding.image) tasks.kept_max = images_at_once(*image);
  return run_tasks(*troupe_engine, options.run, tasks, texts, first, make(*troupe_engine));
}

std::vector<size_t> largest(std::span<const double> values, size_t k) {
  std::vector<size_t> places(values.size());
  std::iota(places.begin(), places.end(), size_t(0));
  const auto end = places.begin() + std::ptrdiff_t(std::min(k, places.size()));
  std::ranges::partial_sort(places, end, [&](size_t a, size_t b) { return values[a] != values[b] ? values[a] > values[b] : a < b; });
  places.erase(end, places.end());
  return places;
}

namespace {

std::string labels_line(std::span<const std::string> names, std::span<const double> scores, std::span<const size_t> best) {
  std::string line;
  for (const size_t index : best)
    line += (line.empty() ? "" : "\t") + names[index] + " " + probability_text(scores[index]);
  return line + "\n";
}

std::string labels_object(std::span<const std::string> names, scoring how, std::span<const double> scores, std::span<const size_t> best) {
  nlohmann::ordered_json labels = nlohmann::ordered_json::array();
  const bool are_values = how == scoring::values;
  for (const size_t index : best)
    labels.push_back({{"label", names[index]},
                      {are_values ? "value" : "probability", are_values ? plain(float(scores[index])) : scores[index]}});
  return json_line({{"labels", labels}});
}

} // namespace

std::string labels_text(std::span<const std::string> names, scoring how, std::span<const float> logits, uint32_t top, bool as_json) {
  const auto scores = scores_of(logits, how);
  const auto best = largest(scores, top > 0 ? top : scores.size());
  return as_json ? labels_object(names, how, scores, best) : labels_line(names, scores, best);
}

std::string vector_text(std::span<const float> vector, bool as_json) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const float x : vector) list.push_back(plain(x));
  if (as_json) return json_line({{"embedding", list}});
  std::string line;
  for (const auto& x : list) line += (line.empty() ? "" : " ") + x.dump();
  return line + "\n";
}

std::string probability_text(double probability) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6f", probability);
  return text;
}

} // namespace troupe
