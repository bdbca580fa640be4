// troupe see: the labels of images, with probabilities; of a model without a head, a vector for each.
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/understand/understand.hpp"
#include "model/error.hpp"
#include "model/images/preparation.hpp"
#include "model/images/read_image.hpp"
#include "model/outputs/pooling.hpp"
#include <CLI/CLI.hpp>
#include <filesystem>
#include <map>
#include <new>

namespace troupe {
namespace {

struct see_options : understanding_options {
  uint32_t top = 5; // 0: all.
  pooling how = pooling::first;
  bool normalizes = false;
};

constexpr const char* see_examples =
  R"(  troupe see -m vit-base-patch16-224 cat.jpg dog.png
  troupe see -m vit-base-patch16-224 photos/*.jpg --top 1 --json
  find photos -name '*.jpg' | troupe see -m vit-base-patch16-224)";

task_maker make_seer(const see_options& options, const engine& on) {
  const auto& model = on.model();
  const bool has_labels = model.spec.output.kind == output_spec::result::labels;
  return [&options, &model, has_labels, names = labels_of(model.spec.output), how = scoring_of(model)](const prompt& file) {
    return task{{image_request(model, file.text)}, [&options, &model, &names, has_labels, how](const std::vector<task_result>& results) {
      const auto& rows = results.front().rows;
      if (has_labels) return labels_text(names, how, rows, options.top, options.json);
      auto vector = pool(rows, model.spec.width, options.how);
      if (options.normalizes) normalize(vector);
      return vector_text(vector, options.json);
    }};
  };
}

} // namespace

generate_request image_request(const model_file& model, const std::string& file) {
  generate_request request;
  try {
    request.features = prepare_image(read_image(std::filesystem::path(file)), *model.images, *model.spec.embedding.image);
  } catch (const std::bad_alloc&) {
    throw input_error(file + ": out of memory: the image is too large");
  }
  request.tokens_max = 0;
  request.want_logits = true;
  return request;
}

command_run declare_see(CLI::App& app) {
  const auto options = std::make_shared<see_options>();
  declare_model(app, options->run);
  app.add_flag("--json", options->json, "One JSON object for each image, a line each, in order");
  declare_engine(app, options->run);
  declare_quiet(app, options->run);
  declare_image_files(app, options->texts);
  app.add_option("--top", options->top, "Give the K likeliest labels; 0: all")
    ->check(CLI::Range(0u, 1u << 20))->type_name("K")->capture_default_str();
  const std::map<std::string, pooling> ways{{"mean", pooling::mean}, {"cls", pooling::first}};
  app.add_option("--pooling", options->how, "Of a model without labels: the vector of the class token, or the mean of all")
    ->transform(CLI::CheckedTransformer(ways).description(""))->type_name("mean|cls")->default_str("cls");
  app.add_flag("--normalize", options->normalizes, "Of a model without labels: vectors of length 1");
  declare_examples(app, see_examples);
  return [options] { return run_understanding(*options, "see", [&](const engine& on) { return make_seer(*options, on); }); };
}

} // namespace troupe
