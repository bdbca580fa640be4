// troupe export: a model as a GGUF file.
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/options.hpp"
#include "apps/troupe/cli/session.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include "model/families/export_gguf.hpp"
#include <CLI/CLI.hpp>
#include <filesystem>
#include <map>

namespace troupe {
namespace {

struct export_options {
  run_options run;
  std::string gguf;
  tensor_type type = tensor_type::f32;
  bool force = false;
};

constexpr const char* examples =
  R"(  troupe export -m my-model --gguf my-model.gguf
  troupe export -m my-model --gguf my-model-q8_0.gguf --type q8_0
  llama-cli -m my-model-q8_0.gguf -p "Once upon a time"     # the file is for any program that reads GGUF)";

void declare_options(CLI::App& app, export_options& options) {
  declare_model(app, options.run);
  app.add_option("--gguf", options.gguf, "The GGUF file to write; it appears only when it is complete")
    ->required()->type_name("FILE");
  const std::map<std::string, tensor_type> types{
    {"f32", tensor_type::f32}, {"f16", tensor_type::f16}, {"q8_0", tensor_type::q8_0}};
  app.add_option("--type", options.type,
                 "What matrices are stored as. f16 and q8_0 take a half and about a quarter of the space; norms and biases, and "
                 "matrices whose rows are not whole blocks, stay f32")
    ->transform(CLI::CheckedTransformer(types))->type_name("f32|f16|q8_0")->default_str("f32");
  app.add_flag("--force", options.force, "Replace the file if it exists");
  declare_threads(app, options.run); // Accepted by every command; one thread is enough here.
  declare_quiet(app, options.run);
  declare_examples(app, examples);
}

int run_export(const export_options& options) {
  if (options.gguf.empty()) throw usage_error("--gguf: the file needs a name");
  std::error_code ignored;
  if (!options.force && std::filesystem::exists(options.gguf, ignored))
    throw usage_error("--gguf: " + options.gguf + " exists; --force replaces it");
  const auto model = open_model(options.run);
  export_gguf(options.gguf, *model, options.type);
  if (!options.run.quiet) {
    note("export: " + options.gguf + ": " + std::to_string(model->published.size()) + " tensors, " +
         std::to_string(std::filesystem::file_size(options.gguf)) + " bytes");
  }
  return exit_ok;
}

} // namespace

command_run declare_export(CLI::App& app) {
  const auto options = std::make_shared<export_options>();
  declare_options(app, *options);
  return [options] { return run_export(*options); };
}

} // namespace troupe
