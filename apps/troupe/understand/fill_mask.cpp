// troupe fill-mask: the likeliest tokens in place of a mask.
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/understand/understand.hpp"
#include "model/outputs/label_scores.hpp"
#include "model/error.hpp"
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace troupe {
namespace {

struct fill_mask_options : understanding_options {
  uint32_t top = 5;
};

constexpr const char* fill_mask_examples =
  R"(  troupe fill-mask -m bert-base-uncased "The capital of France is [MASK]."
  troupe fill-mask -m bert-base-uncased --top 3 --json "[MASK] rode over the [MASK]."
  troupe fill-mask -m bert-base-uncased < lines.txt)";

uint32_t required_mask_token(const vocabulary& words) {
  if (const auto found = mask_token(words)) return *found;
  throw input_error("the vocabulary has no mask: neither [MASK] nor <mask> is a special token");
}

struct filled_mask {
  size_t position;
  std::vector<size_t> best; // Tokens.
  std::vector<double> probabilities; // Of all tokens.
};

std::string answer_text(const std::vector<filled_mask>& masks, const tokenizer& words) {
  std::string out;
  for (const auto& mask : masks) {
    std::string line;
    for (const size_t id : mask.best)
      line += (line.empty() ? "" : "\t") + words.piece(uint32_t(id)) + " " + probability_text(mask.probabilities[id]);
    out += line + "\n";
  }
  return out;
}

std::string answer_json(const std::vector<filled_mask>& masks, const tokenizer& words) {
  using json = nlohmann::ordered_json;
  json all = json::array();
  for (const auto& mask : masks) {
    json tokens = json::array();
    for (const size_t id : mask.best)
      tokens.push_back({{"id", id}, {"piece", words.piece(uint32_t(id))}, {"probability", mask.probabilities[id]}});
    all.push_back({{"position", mask.position}, {"tokens", tokens}});
  }
  return json_line({{"masks", all}});
}

task_maker make_filler(const fill_mask_options& options, const engine& on) {
  const auto& spec = on.model().spec;
  const auto words = on.words();
  if (words == nullptr) throw input_error("the model has no vocabulary, so no mask");
  return [&options, &spec, words, mask = required_mask_token(words->words())](const prompt& text) {
    const auto encoded = encode(words.get(), text, spec.context_length, options.encoding);
    std::vector<size_t> positions;
    for (size_t i = 0; i < encoded.ids.size(); ++i)
      if (encoded.ids[i] == mask) positions.push_back(i);
    if (positions.empty()) throw input_error("the text has no " + words->piece(mask));
    return task{{make_request(encoded, spec)}, [&options, &spec, words, positions](const std::vector<task_result>& results) {
      const std::span<const float> rows = results.front().rows;
      std::vector<filled_mask> masks;
      for (const size_t position : positions) {
        auto probabilities = softmax(rows.subspan(position * spec.output.columns, spec.output.columns));
        auto best = largest(probabilities, options.top);
        masks.push_back({position, std::move(best), std::move(probabilities)});
      }
      return options.json ? answer_json(masks, *words) : answer_text(masks, *words);
    }};
  };
}

} // namespace

command_run declare_fill_mask(CLI::App& app) {
  const auto options = std::make_shared<fill_mask_options>();
  declare_understanding(app, *options);
  declare_texts(app, options->texts, true);
  app.add_option("--pair", options->encoding.pair, "A second text, put behind each text as the model takes two")->type_name("TEXT");
  declare_truncation(app, options->encoding);
  app.add_option("--top", options->top, "Give the K likeliest tokens")
    ->check(CLI::Range(1u, 1u << 20))->type_name("K")->capture_default_str();
  declare_examples(app, fill_mask_examples);
  return [options] {
    return run_understanding(*options, "fill-mask", [&](const engine& on) { return make_filler(*options, on); });
  };
}

} // namespace troupe
