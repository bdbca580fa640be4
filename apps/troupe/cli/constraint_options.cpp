#include "apps/troupe/cli/constraint_options.hpp"
#include "apps/troupe/cli/command.hpp"
#include "model/error.hpp"
#include "model/formats/json.hpp"
#include <CLI/CLI.hpp>

namespace troupe {
namespace {

constexpr uint64_t file_bytes_max = 1 << 20;

/// A schema is an object, true or false; a file's name is something else.
bool is_schema(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  return (begin != std::string::npos && text[begin] == '{') || text == "true" || text == "false";
}

} // namespace

void declare_constraint(CLI::App& app, constraint_arguments& options) {
  auto* schema = app.add_option("--json-schema", options.json_schema,
                                "The text is JSON that is valid by this schema, or by the one in this file")
                   ->type_name("SCHEMA|FILE");
  auto* object = app.add_flag("--json-object", options.json_object, "The text is a JSON object")->excludes(schema);
  auto* regex = app.add_option("--regex", options.regex, "The whole text matches this regular expression")
                  ->type_name("REGEX")->excludes(schema)->excludes(object);
  app.add_option("--grammar", options.grammar_file, "The text is one of this grammar, in the notation of llama.cpp (GBNF)")
    ->type_name("FILE")->excludes(schema)->excludes(object)->excludes(regex);
}

void check(constraint_arguments& options) {
  const char* option = nullptr;
  if (options.json_schema) {
    option = "--json-schema";
    const auto& given = *options.json_schema;
    options.chosen = {constraint_kind::json_schema, is_schema(given) ? given : read_text(given, file_bytes_max)};
  } else if (options.json_object) {
    option = "--json-object";
    options.chosen = {constraint_kind::json_object, {}};
  } else if (options.regex) {
    option = "--regex";
    options.chosen = {constraint_kind::regex, *options.regex};
  } else if (options.grammar_file) {
    option = "--grammar";
    options.chosen = {constraint_kind::grammar, read_text(*options.grammar_file, file_bytes_max)};
  }
  if (!options.chosen) return;
  try {
    compile(*options.chosen);
  } catch (const input_error& error) {
    throw usage_error(std::string(option) + ": " + error.what());
  }
}

} // namespace troupe
