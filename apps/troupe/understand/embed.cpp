// troupe embed: a vector for each text.
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/understand/understand.hpp"
#include "model/outputs/pooling.hpp"
#include <CLI/CLI.hpp>
#include <map>
#include <nlohmann/json.hpp>

namespace troupe {
namespace {

struct embed_options : understanding_options {
  pooling how = pooling::mean;
  bool normalizes = false;
  std::vector<std::string> compared; // Two texts, or none.
};

constexpr const char* embed_examples =
  R"(  troupe embed -m all-MiniLM-L6-v2 "A text" "Another text" --normalize --json
  troupe embed -m all-MiniLM-L6-v2 < lines.txt > vectors.txt
  troupe embed -m bge-small-en --pooling cls --compare "How do I pay?" "Ways of payment")";

/// 0 where one of them is 0.
double cosine(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += double(a[i]) * b[i];
  const double lengths = length_of(a) * length_of(b);
  return lengths > 0 ? sum / lengths : 0;
}

std::string cosine_text(double value, bool as_json) {
  return as_json ? json_line({{"cosine", value}}) : probability_text(value) + "\n";
}

task_maker make_embedder(const embed_options& options, const engine& on) {
  const auto& spec = on.model().spec;
  const auto words = on.words();
  const auto request = [&options, &spec, words](const prompt& text) {
    return make_request(encode(words.get(), text, spec.context_length, options.encoding), spec);
  };
  const auto vector_of = [&options, &spec](const task_result& result) {
    return pool(result.rows, spec.width, options.how);
  };
  if (!options.compared.empty())
    return [&options, request, vector_of](const prompt& text) {
      return task{{request(text), request({options.compared[1], {}})}, [&options, vector_of](const std::vector<task_result>& results) {
        return cosine_text(cosine(vector_of(results[0]), vector_of(results[1])), options.json);
      }};
    };
  return [&options, request, vector_of](const prompt& text) {
    return task{{request(text)}, [&options, vector_of](const std::vector<task_result>& results) {
      auto vector = vector_of(results.front());
      if (options.normalizes) normalize(vector);
      return vector_text(vector, options.json);
    }};
  };
}

int run_embed(embed_options& options) {
  if (!options.compared.empty()) {
    for (const auto& text : options.compared)
      if (text.empty()) throw usage_error("--compare: a text is empty");
    options.texts.texts = {options.compared.front()};
  }
  return run_understanding(options, "embed", [&](const engine& on) { return make_embedder(options, on); }, model_head::left_aside);
}

} // namespace

command_run declare_embed(CLI::App& app) {
  const auto options = std::make_shared<embed_options>();
  declare_understanding(app, *options);
  declare_texts(app, options->texts, true);
  declare_truncation(app, options->encoding);
  const std::map<std::string, pooling> ways{{"mean", pooling::mean}, {"cls", pooling::first}};
  app.add_option("--pooling", options->how, "What becomes of the tokens' vectors: their mean, or the first one")
    ->transform(CLI::CheckedTransformer(ways).description(""))->type_name("mean|cls")->default_str("mean");
  auto* normal = app.add_flag("--normalize", options->normalizes, "Give vectors of length 1");
  app.add_option("--compare", options->compared, "Instead of vectors, the cosine of the angle between those of two texts")
    ->expected(2)->type_name("A B")->excludes(normal)->excludes("--file")->excludes("--input-ids")->excludes("text");
  declare_examples(app, embed_examples);
  return [options] { return run_embed(*options); };
}

} // namespace troupe
