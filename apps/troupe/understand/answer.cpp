// troupe answer: where in a text the answer to a question is.
//
// A context with more tokens than the model takes is read in windows that overlap; the best spans of all count. A span's score is
// the product of the probabilities that it begins and that it ends there. These are softmaxes over the tokens of the window's part
// of the context and its first token ([CLS], which stands for "no answer here"), as in transformers' pipeline.
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/understand/understand.hpp"
#include "model/outputs/label_scores.hpp"
#include "model/error.hpp"
#include "model/formats/json.hpp"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

namespace troupe {
namespace {

struct answer_options : understanding_options {
  std::string context, context_file;
  uint32_t top = 1;
  uint32_t answer_tokens_max = 15;
  std::optional<uint32_t> window; // Tokens; nothing: what the model takes.
  bool first_window_only = false;
};

constexpr const char* answer_examples =
  R"(  troupe answer -m distilbert-base-cased-distilled-squad --question "Who was there?" --context "Mia was there, and Tom."
  troupe answer -m squad-model --context-file report.txt "When?" "Where?" --top 3 --json
  troupe answer -m squad-model --context-file report.txt < questions.txt)";

constexpr uint64_t context_bytes_max = 256 << 20;
constexpr size_t overlap_max = 128; // Tokens of the context in two neighbouring windows.

struct span_found {
  uint32_t begin, end; // Bytes of the context.
  double score;
};

/// A pair of question and context, or a part of it: the same question before other tokens of the context.
struct context_window {
  encoding text;
  size_t begin, end; // Of the context's tokens among all.
};

/// Gives each token the place of its whole word, where the vocabulary tells which tokens go on with one: spans then begin and end with
/// words, as in transformers' pipeline (align_to_words).
void widen_to_words(encoding& text, const vocabulary& words) {
  const auto& prefix = words.continuing_prefix;
  if (words.kind != tokenizer_kind::word_piece || prefix.empty()) return;
  const auto goes_on = [&](size_t i) { return text.parts[i] == text.parts[i - 1] && words.pieces[text.ids[i]].starts_with(prefix); };
  for (size_t begin = 0, end = 0; begin < text.ids.size(); begin = end) {
    for (end = begin + 1; end < text.ids.size() && goes_on(end);) ++end;
    const uint32_t first = text.tokens[begin].begin, last = text.tokens[end - 1].end;
    for (size_t i = begin; i < end; ++i) text.tokens[i].begin = first, text.tokens[i].end = last;
  }
}

std::vector<context_window> windows_of(const encoding& whole, size_t tokens_max, bool only_first) {
  const auto is_context = [&](size_t i) { return whole.parts[i] == encoding::part::second; };
  size_t begin = 0;
  while (begin < whole.ids.size() && !is_context(begin)) ++begin;
  size_t end = begin;
  while (end < whole.ids.size() && is_context(end)) ++end;
  if (begin == end) throw input_error("the context is empty");
  const size_t others = whole.ids.size() - (end - begin);
  if (others >= tokens_max)
    throw input_error("the question has " + std::to_string(others) + " tokens with the special ones, and there is room for " +
                      std::to_string(tokens_max) + " together with the context");
  const size_t room = tokens_max - others, step = room - std::min(overlap_max, room / 2);
  std::vector<context_window> windows;
  for (size_t at = begin;; at += step) {
    const size_t last = std::min(at + room, end);
    context_window one{{}, begin, begin + (last - at)};
    const auto take = [&](size_t from, size_t to) {
      const auto cut = [&](const auto& all, auto& into) {
        into.insert(into.end(), all.begin() + std::ptrdiff_t(from), all.begin() + std::ptrdiff_t(to));
      };
      cut(whole.ids, one.text.ids);
      cut(whole.segments, one.text.segments);
      cut(whole.tokens, one.text.tokens);
    };
    take(0, begin);
    take(at, last);
    take(end, whole.ids.size());
    windows.push_back(std::move(one));
    if (last == end || only_first) return windows;
  }
}

/// A column of rows of two: how well each token begins a span (0) or ends one (1), of the first token and of the context's.
std::vector<double> probabilities_of(const context_window& window, std::span<const float> rows, size_t column) {
  std::vector<float> logits{rows[column]};
  for (size_t i = window.begin; i < window.end; ++i) logits.push_back(rows[2 * i + column]);
  auto probabilities = softmax(logits);
  probabilities.erase(probabilities.begin());
  return probabilities;
}

void add_spans(const context_window& window, std::span<const float> rows, const answer_options& options, std::vector<span_found>& best) {
  const auto begins = probabilities_of(window, rows, 0), ends = probabilities_of(window, rows, 1);
  const auto is_better = [](const span_found& a, const span_found& b) { return a.score > b.score; };
  for (size_t i = 0; i < begins.size(); ++i) {
    for (size_t k = i; k < std::min<size_t>(ends.size(), i + options.answer_tokens_max); ++k) {
      const span_found one{window.text.tokens[window.begin + i].begin, window.text.tokens[window.begin + k].end, begins[i] * ends[k]};
      if (best.size() == options.top && !is_better(one, best.back())) continue;
      // Two windows may see the same span, and so do tokens of one word.
      const auto same = std::ranges::find_if(best, [&](const auto& other) { return other.begin == one.begin && other.end == one.end; });
      if (same != best.end() && !is_better(one, *same)) continue;
      if (same != best.end()) best.erase(same);
      best.insert(std::ranges::upper_bound(best, one, is_better), one);
      if (best.size() > options.top) best.pop_back();
    }
  }
}

nlohmann::ordered_json to_json(const span_found& one, const std::string& context) {
  return {{"answer", context.substr(one.begin, one.end - one.begin)}, {"score", one.score}, {"start", one.begin}, {"end", one.end}};
}

std::string answer_of(const std::vector<span_found>& best, const answer_options& options) {
  if (options.json) {
    auto object = to_json(best.front(), options.context);
    for (const auto& one : best)
      if (options.top > 1) object["answers"].push_back(to_json(one, options.context));
    return json_line(object);
  }
  std::string out;
  for (const auto& one : best)
    out += on_one_line(options.context.substr(one.begin, one.end - one.begin)) + "\t" + probability_text(one.score) + "\t" +
           std::to_string(one.begin) + "-" + std::to_string(one.end) + "\n";
  return out;
}

task_maker make_answerer(const answer_options& options, const engine& on) {
  const auto& spec = on.model().spec;
  const auto words = on.words();
  if (words == nullptr) throw input_error("the model has no vocabulary, so it cannot read a text");
  const size_t tokens_max = std::min(options.window.value_or(spec.context_length), spec.context_length);
  return [&options, &spec, words, tokens_max](const prompt& question) {
    if (question.text.empty()) throw input_error("the question is empty");
    auto pair = words->encode_pair(question.text, options.context);
    widen_to_words(pair, words->words());
    auto windows = windows_of(pair, tokens_max, options.first_window_only);
    task what;
    for (const auto& window : windows) what.requests.push_back(make_request(window.text, spec));
    what.answer = [&options, windows = std::move(windows)](const std::vector<task_result>& results) {
      std::vector<span_found> best;
      for (size_t i = 0; i < windows.size(); ++i) add_spans(windows[i], results[i].rows, options, best);
      return answer_of(best, options);
    };
    return what;
  };
}

int run_answer(answer_options& options) {
  if (options.context.empty() == options.context_file.empty())
    throw usage_error("where is the answer to be found? Give --context or --context-file");
  check(options.texts);
  if (!options.context_file.empty()) options.context = read_text(options.context_file, context_bytes_max);
  return run_understanding(options, "answer", [&](const engine& on) { return make_answerer(options, on); });
}

} // namespace

command_run declare_answer(CLI::App& app) {
  const auto options = std::make_shared<answer_options>();
  declare_understanding(app, *options);
  declare_texts(app, options->texts, false);
  app.add_option("--question", options->texts.texts, "A question, as the texts are; may be repeated")
    ->allow_extra_args(false)->type_name("TEXT");
  auto* context = app.add_option("--context", options->context, "The text that the answers are in")->type_name("TEXT");
  app.add_option("--context-file", options->context_file, "The same, from a file")->type_name("FILE")->excludes(context);
  app.add_option("--top", options->top, "Give the K best spans of each question")
    ->check(CLI::Range(1, 1000))->type_name("K")->capture_default_str();
  app.add_option("--answer-max", options->answer_tokens_max, "Most tokens of an answer")
    ->check(CLI::Range(1u, 1u << 20))->type_name("N")->capture_default_str();
  app.add_option("--window", options->window,
                 "Most tokens that the model reads at once, question and special ones included (default: what it takes); a longer "
                 "context is read in windows that overlap")
    ->check(CLI::Range(1u, 1u << 20))->type_name("N");
  app.add_flag("--truncate", options->first_window_only, "Read only what fits into the first window");
  declare_examples(app, answer_examples);
  return [options] { return run_answer(*options); };
}

} // namespace troupe
