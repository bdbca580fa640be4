// troupe classify: the labels of texts, with probabilities, or with values where the model was trained for regression.
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/understand/understand.hpp"
#include "model/outputs/label_scores.hpp"
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace troupe {
namespace {

struct classify_options : understanding_options {
  uint32_t top = 0; // 0: all.
};

constexpr const char* classify_examples =
  R"(  troupe classify -m distilbert-base-uncased-finetuned-sst-2-english "What a day!"
  troupe classify -m support-topics < messages.txt --json --top 3
  troupe classify -m bert-nli "A man sleeps." --pair "Nobody is awake.")";

std::string answer_text(std::span<const std::string> names, std::span<const double> scores, std::span<const size_t> best) {
  std::string line;
  for (const size_t index : best)
    line += (line.empty() ? "" : "\t") + names[index] + " " + probability_text(scores[index]);
  return line + "\n";
}

std::string answer_json(std::span<const std::string> names, scoring how, std::span<const double> scores, std::span<const size_t> best) {
  nlohmann::ordered_json labels = nlohmann::ordered_json::array();
  const bool are_values = how == scoring::values;
  for (const size_t index : best)
    labels.push_back({{"label", names[index]},
                      {are_values ? "value" : "probability", are_values ? plain(float(scores[index])) : scores[index]}});
  return json_line({{"labels", labels}});
}

task_maker make_classifier(const classify_options& options, const engine& on) {
  const auto& model = on.model();
  return [&options, &model, words = on.words(), names = labels_of(model.spec.output), how = scoring_of(model)](const prompt& text) {
    const auto encoded = encode(words.get(), text, model.spec.context_length, options.encoding);
    return task{{make_request(encoded, model.spec)}, [&options, &names, how](const std::vector<task_result>& results) {
      const auto scores = scores_of(results.front().rows, how);
      const auto best = largest(scores, options.top > 0 ? options.top : scores.size());
      return options.json ? answer_json(names, how, scores, best) : answer_text(names, scores, best);
    }};
  };
}

} // namespace

command_run declare_classify(CLI::App& app) {
  const auto options = std::make_shared<classify_options>();
  declare_understanding(app, *options);
  declare_texts(app, options->texts, true);
  app.add_option("--pair", options->encoding.pair, "A second text, put behind each text as the model takes two")->type_name("TEXT");
  declare_truncation(app, options->encoding);
  app.add_option("--top", options->top, "Give the K likeliest labels (default: all)")->check(CLI::Range(1u, 1u << 20))->type_name("K");
  declare_examples(app, classify_examples);
  return [options] {
    return run_understanding(*options, "classify", [&](const engine& on) { return make_classifier(*options, on); });
  };
}

} // namespace troupe
