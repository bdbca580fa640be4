// troupe evaluate: how good a model's answers are on texts whose right answers are known.
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/session.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include "apps/troupe/evaluate/evaluation.hpp"
#include "apps/troupe/understand/understand.hpp"
#include "model/outputs/label_scores.hpp"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

namespace troupe {
namespace {

struct evaluate_options {
  evaluation_options evaluation;
  std::vector<std::string> data;
  bool errors = false, json = false;
};

constexpr const char* examples =
  R"(  troupe evaluate -m run/best --data held_out.tsv
  troupe evaluate -m opus-mt-en-de --data newstest.tsv --beams 4 --json
  troupe evaluate -m spam-filter --data mails.tsv --truncate --errors
  troupe evaluate -m digit_reader/model --data held_out

A line of data is a text, a tab and what is right: the target text, for a model with an encoder and a decoder, or the label, for a
classifier; of a model of images data are folders of images, called as their labels. Figures: exact match, BLEU and chrF (as sacrebleu
gives them); or accuracy and, of each label and as their mean, F1.)";

void declare_options(CLI::App& app, evaluate_options& options) {
  declare_model(app, options.evaluation.run);
  app.add_option("-d,--data", options.data, "A file, a folder or a pattern of files with texts and what is right; may be repeated")
    ->required()->allow_extra_args(false)->type_name("FILE");
  app.add_flag("--errors", options.errors, "Print each wrong answer first: text, what is right, what the model gave, with tabs between");
  declare_truncation(app, options.evaluation.encoding);
  declare_decoding(app, options.evaluation.decoding);
  app.add_flag("--json", options.json, "The figures as one JSON object; with --errors a line for each wrong answer before it");
  declare_engine(app, options.evaluation.run);
  declare_quiet(app, options.evaluation.run);
  declare_examples(app, examples);
}

int run_evaluate(evaluate_options& options) {
  auto& evaluation = options.evaluation;
  check(evaluation.decoding);
  const auto model = open_model(evaluation.run);
  data_source_options data;
  data.kind = source_kind_for(*model);
  data.paths = options.data;
  if (data.kind != source_kind::pairs) data.labels = labels_of(model->spec.output);
  if (options.errors)
    evaluation.wrong = [&options](std::string_view text, std::string_view right, std::string_view given) {
      if (options.json) return json_line({{"text", text}, {"right", right}, {"given", given}});
      return on_one_line(std::string(text) + "\t" + std::string(right) + "\t" + std::string(given)) + "\n";
    };
  const auto result = data.kind == source_kind::images ? evaluate(model, labelled_images(data), evaluation)
                                                       : evaluate(model, data_source(data), evaluation);
  if (result.exit_code >= 128) return result.exit_code; // Figures of a part would be taken for those of the whole.
  print(options.json ? json_line(to_json(result.figures)) : to_text(result.figures));
  return result.exit_code;
}

} // namespace

command_run declare_evaluate(CLI::App& app) {
  const auto options = std::make_shared<evaluate_options>();
  declare_options(app, *options);
  return [options] { return run_evaluate(*options); };
}

} // namespace troupe
