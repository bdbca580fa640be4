// troupe export: a model as a GGUF file, or as a folder of Hugging Face's.
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/options.hpp"
#include "apps/troupe/cli/session.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include "model/families/export_gguf.hpp"
#include "model/families/save_model.hpp"
#include "model/formats/atomic_folder.hpp"
#include <CLI/CLI.hpp>
#include <filesystem>
#include <map>

namespace troupe {
namespace {

struct export_options {
  run_options run;
  std::string gguf, folder; // One of them.
  tensor_type type = tensor_type::f32;
  bool force = false;
};

constexpr const char* examples =
  R"(  troupe export -m my-model --gguf my-model.gguf
  troupe export -m my-model --gguf my-model-q8_0.gguf --type q8_0
  troupe export -m run/best --folder my-model --type f16     # config.json, model.safetensors and the tokenizer
  llama-cli -m my-model-q8_0.gguf -p "Once upon a time"     # the file is for any program that reads GGUF)";

void declare_options(CLI::App& app, export_options& options) {
  declare_model(app, options.run);
  auto* to = app.add_option_group("to", "What to write: one of these");
  to->add_option("--gguf", options.gguf, "A GGUF file; it appears only when it is complete")->type_name("FILE");
  to->add_option("--folder", options.folder, "A folder as Hugging Face's libraries open it, of a model that is one; it must not exist")
    ->type_name("FOLDER");
  to->require_option(1);
  const std::map<std::string, tensor_type> types{
    {"f32", tensor_type::f32}, {"f16", tensor_type::f16}, {"q8_0", tensor_type::q8_0}};
  app.add_option("--type", options.type,
                 "What matrices are stored as. f16 and q8_0 take a half and about a quarter of the space; in a GGUF file norms and biases, "
                 "and matrices whose rows are not whole blocks, stay f32; a folder takes f32 and f16, of all its tensors")
    ->transform(CLI::CheckedTransformer(types).description(""))->type_name("f32|f16|q8_0")->default_str("f32");
  app.add_flag("--force", options.force, "Replace the GGUF file if it exists");
  declare_threads(app, options.run); // Accepted by every command; one thread is enough here.
  declare_quiet(app, options.run);
  declare_examples(app, examples);
}

bool exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

void check(const export_options& options) {
  if (options.gguf.empty() && options.folder.empty()) throw usage_error("--gguf, --folder: what is written needs a name");
  if (!options.gguf.empty() && !options.force && exists(options.gguf))
    throw usage_error("--gguf: " + options.gguf + " exists; --force replaces it");
  if (options.folder.empty()) return;
  if (exists(options.folder)) throw usage_error("--folder: " + options.folder + " exists; choose another one");
  if (options.type == tensor_type::q8_0) throw usage_error("--type: a folder takes f32 and f16");
}

void write_folder(const std::string& path, const model_file& model, tensor_type type) {
  atomic_folder folder(path);
  save_folder(folder.partial(), model, values_of(model), type);
  folder.commit();
}

int run_export(const export_options& options) {
  check(options);
  const auto model = open_model(options.run);
  if (options.folder.empty()) export_gguf(options.gguf, *model, options.type);
  else write_folder(options.folder, *model, options.type);
  if (options.run.quiet) return exit_ok;
  const std::filesystem::path written = options.folder.empty() ? options.gguf : options.folder + "/model.safetensors";
  note("export: " + written.string() + ": " + std::to_string(model->published.size()) + " tensors, " +
       std::to_string(std::filesystem::file_size(written)) + " bytes");
  return exit_ok;
}

} // namespace

command_run declare_export(CLI::App& app) {
  const auto options = std::make_shared<export_options>();
  declare_options(app, *options);
  return [options] { return run_export(*options); };
}

} // namespace troupe
