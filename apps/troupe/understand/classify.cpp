// troupe classify: the labels of texts, with probabilities, or with values where the model was trained for regression.
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/understand/understand.hpp"
#include <CLI/CLI.hpp>

namespace troupe {
namespace {

struct classify_options : understanding_options {
  uint32_t top = 0; // 0: all.
};

constexpr const char* classify_examples =
  R"(  troupe classify -m distilbert-base-uncased-finetuned-sst-2-english "What a day!"
  troupe classify -m support-topics < messages.txt --json --top 3
  troupe classify -m bert-nli "A man sleeps." --pair "Nobody is awake.")";

task_maker make_classifier(const classify_options& options, const engine& on) {
  const auto& model = on.model();
  return [&options, &model, words = on.words(), names = labels_of(model.spec.output), how = scoring_of(model)](const prompt& text) {
    const auto encoded = encode(words.get(), text, model.spec.context_length, options.encoding);
    return task{{make_request(encoded, model.spec)}, [&options, &names, how](const std::vector<task_result>& results) {
      return labels_text(names, how, results.front().rows, options.top, options.json);
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
