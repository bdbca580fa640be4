#include "apps/troupe/evaluate/evaluation.hpp"
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/model_command.hpp"
#include "apps/troupe/cli/session.hpp"
#include "apps/troupe/understand/understand.hpp"
#include "model/error.hpp"
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <numeric>

namespace troupe {
namespace {

using json = nlohmann::ordered_json;

template <class... Numbers>
std::string printed(const char* format, Numbers... numbers) {
  char text[256];
  std::snprintf(text, sizeof text, format, numbers...);
  return text;
}

/// What a model is asked, by number, and what is right: texts, or the names of image files.
struct questions {
  std::function<std::string(uint32_t)> text, target = {};
  std::function<uint32_t(uint32_t)> label = {};
};

/// Makes the requests for texts or images, and counts what comes of them.
class evaluator {
public:
  evaluator(const engine& on, const questions& source, const evaluation_options& options, evaluation_figures& figures)
    : model_(on.model()), words_(on.words()), source_(source), options_(options), figures_(figures) {
    if (figures_.translations) request_ = make_request(options_.decoding, model_);
  }

  task make_task(const std::string& text, uint32_t document) const {
    const auto is_labelled = [this, document](const auto& results) { return take_label(document, results); };
    if (model_.images) return {{image_request(model_, text)}, is_labelled};
    const uint32_t positions = model_.spec.encoder ? model_.spec.encoder->context_length : model_.spec.context_length;
    const auto encoded = encode(words_.get(), {text, {}}, positions, options_.encoding);
    if (figures_.labels)
      return {{make_request(encoded, model_.spec)}, is_labelled};
    generate_request request = request_;
    request.source = encoded.ids;
    return {{std::move(request)}, [this, document](const auto& results) { return take_translation(document, results); }};
  }

private:
  std::string take_label(uint32_t document, const std::vector<task_result>& results) const {
    const auto& row = results.front().rows;
    const auto given = size_t(std::ranges::max_element(row) - row.begin());
    const size_t right = source_.label(document);
    auto& labels = *figures_.labels;
    labels.counts.add(right, given);
    return given == right ? "" : wrong_answer(document, labels.names[right], labels.names[given]);
  }

  std::string take_translation(uint32_t document, const std::vector<task_result>& results) const {
    const auto& result = results.front();
    const auto& tokens = options_.decoding.samples ? result.tokens : result.hypotheses.front().tokens;
    const std::string given = words_->decode(tokens);
    const std::string right = source_.target(document);
    auto& figures = *figures_.translations;
    figures.exact.add(given, right);
    figures.words.add(given, right);
    figures.characters.add(given, right);
    return given == right ? "" : wrong_answer(document, right, given);
  }

  std::string wrong_answer(uint32_t document, std::string_view right, std::string_view given) const {
    return options_.wrong ? options_.wrong(source_.text(document), right, given) : "";
  }

  const model_file& model_;
  std::shared_ptr<const tokenizer> words_;
  const questions& source_;
  const evaluation_options& options_;
  evaluation_figures& figures_;
  generate_request request_;
};

} // namespace

std::string summary(const evaluation_figures& figures) {
  if (figures.translations) {
    const auto& all = *figures.translations;
    return printed("exact match %.2f %%, BLEU %.1f, chrF %.1f", 100 * all.exact.result(), all.words.result().score,
                   all.characters.result());
  }
  const auto& counts = figures.labels->counts;
  return printed("accuracy %.2f %%, macro-F1 %.4f", 100 * counts.accuracy(), counts.macro_f1());
}

std::string to_text(const evaluation_figures& figures) {
  if (figures.translations) {
    const auto& all = *figures.translations;
    return printed("texts        %llu\nexact match  %.2f %%\nBLEU         %.2f\nchrF         %.2f\n",
                   static_cast<unsigned long long>(all.exact.total()), 100 * all.exact.result(), all.words.result().score,
                   all.characters.result());
  }
  const auto& [names, counts, of] = *figures.labels;
  std::string text = printed("%-8s  %llu\naccuracy  %.2f %%\nmacro-F1  %.4f\n\nprecision  recall      F1  %7s  label\n", of,
                             static_cast<unsigned long long>(counts.total()), 100 * counts.accuracy(), counts.macro_f1(), of);
  for (size_t i = 0; i < names.size(); ++i)
    text += printed("%9.4f  %6.4f  %6.4f  %7llu  ", counts.precision(i), counts.recall(i), counts.f1(i),
                    static_cast<unsigned long long>(counts.truths(i))) +
            names[i] + "\n";
  return text;
}

json to_json(const evaluation_figures& figures) {
  if (figures.translations) {
    const auto& all = *figures.translations;
    return {{"texts", all.exact.total()},
            {"exact_match", all.exact.result()},
            {"bleu", all.words.result().score},
            {"chrf", all.characters.result()}};
  }
  const auto& [names, counts, of] = *figures.labels;
  json object{{of, counts.total()}, {"accuracy", counts.accuracy()}, {"macro_f1", counts.macro_f1()}, {"labels", json::array()}};
  for (size_t i = 0; i < names.size(); ++i)
    object["labels"].push_back({{"label", names[i]}, {of, counts.truths(i)}, {"precision", counts.precision(i)},
                                {"recall", counts.recall(i)}, {"f1", counts.f1(i)}});
  return object;
}

source_kind source_kind_for(const model_file& model) {
  const std::string_view command = command_for(model.spec);
  if (command == "translate") return source_kind::pairs;
  if (command == "classify") return source_kind::labels;
  if (command == "see" && model.spec.output.kind == output_spec::result::labels) return source_kind::images;
  throw input_error(model.path.string() + ": only models that translate or classify can be evaluated; this one is for `troupe " +
                    std::string(command) + "`");
}

namespace {

/// Asks questions [0, count), or those that the options name.
evaluation ask(std::shared_ptr<const model_file> model, const questions& source, uint64_t count, evaluation_figures figures,
               const evaluation_options& options) {
  evaluation result{std::move(figures), 0};
  auto documents = options.documents;
  if (documents.empty()) {
    documents.resize(count);
    std::iota(documents.begin(), documents.end(), 0u);
  }
  prompt_options prompts;
  for (const uint32_t document : documents) prompts.texts.push_back(source.text(document));
  prompt_source texts{prompts};
  const prompt first = first_prompt(texts);
  const auto on = start_engine(std::move(model), options.run);
  const evaluator answers{*on, source, options, result.figures};
  auto next = documents.begin(); // Tasks are made in the order of the texts.
  result.exit_code = run_tasks(*on, options.run, {"evaluate", failure_form::nothing}, texts, first,
                               [&](const prompt& text) { return answers.make_task(text.text, *next++); });
  return result;
}

} // namespace

evaluation evaluate(std::shared_ptr<const model_file> model, const data_source& source, const evaluation_options& options) {
  evaluation_figures figures;
  if (source_kind_for(*model) == source_kind::pairs) figures.translations.emplace();
  else figures.labels = {source.labels(), confusion_matrix(source.labels().size()), "texts"};
  std::string buffer;
  questions texts{[&](uint32_t document) { return std::string(source.text(document, buffer)); },
                  [&](uint32_t document) { return std::string(source.target(document, buffer)); },
                  [&](uint32_t document) { return source.label(document); }};
  return ask(std::move(model), texts, source.documents(), std::move(figures), options);
}

evaluation evaluate(std::shared_ptr<const model_file> model, const labelled_images& images, const evaluation_options& options) {
  evaluation_figures figures;
  figures.labels = {images.names, confusion_matrix(images.names.size()), "images"};
  const questions files{[&](uint32_t image) { return images.files[image].string(); }, {},
                        [&](uint32_t image) { return images.labels[image]; }};
  return ask(std::move(model), files, images.files.size(), std::move(figures), options);
}

} // namespace troupe
