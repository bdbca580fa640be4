#pragma once
// How good a model's answers are on texts whose right answers are known: what `troupe evaluate` prints, and `troupe train` at its end.
#include "apps/troupe/cli/decoding.hpp"
#include "apps/troupe/cli/tasks.hpp"
#include "model/metrics/bleu.hpp"
#include "model/metrics/chrf.hpp"
#include "model/metrics/classification.hpp"
#include "model/metrics/exact_match.hpp"
#include "model/training/data/data_source.hpp"
#include "model/training/data/image_data.hpp"
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// Of a model with an encoder and a decoder: target texts beside those that are right.
struct translation_figures {
  exact_match exact;
  bleu words;
  chrf characters;
};

/// Of a model that classifies: the label with the largest result beside that which is right.
struct label_figures {
  std::vector<std::string> names;
  confusion_matrix counts;
  const char* of = "texts"; // Or "images".
};

struct evaluation_figures {
  std::optional<translation_figures> translations; // One of the two.
  std::optional<label_figures> labels;
};

/// "exact match 99.71 %, BLEU 99.8, chrF 99.9", "accuracy 98.50 %, macro-F1 0.985".
std::string summary(const evaluation_figures& figures);
/// The figures on lines of their own; of labels a table of precision, recall, F1 and number of texts.
std::string to_text(const evaluation_figures& figures);
/// {"texts": N, "exact_match": 0 ... 1, "bleu": 0 ... 100, "chrf": 0 ... 100} or {"texts": N, "accuracy": 0 ... 1, "macro_f1": 0 ... 1,
/// "labels": [{"label", "texts", "precision", "recall", "f1"}]}; with "images" in place of "texts" where they are.
nlohmann::ordered_json to_json(const evaluation_figures& figures);

/// What the model learned from, or input_error where its answers cannot be judged by this: pairs with an encoder, labels for a classifier,
/// images for one of images.
source_kind source_kind_for(const model_file& model);

struct evaluation_options {
  run_options run;
  encoding_options encoding;
  decoding_arguments decoding;     // Of target texts.
  std::vector<uint32_t> documents; // Of the source, by number; empty: all.
  /// What is printed of a wrong answer, in the order of the texts. None: nothing.
  std::function<std::string(std::string_view text, std::string_view right, std::string_view given)> wrong;
};

/// Gets answers for the source's texts and compares them. exit_code: what run_tasks returned; texts that failed are not counted.
struct evaluation {
  evaluation_figures figures;
  int exit_code = 0;
};
evaluation evaluate(std::shared_ptr<const model_file> model, const data_source& source, const evaluation_options& options);
/// The same for images: they are called by their files.
evaluation evaluate(std::shared_ptr<const model_file> model, const labelled_images& images, const evaluation_options& options);

} // namespace troupe
