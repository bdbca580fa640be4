#pragma once
// The facts of a model file, as JSON and for people.
#include "model/model_file.hpp"
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace troupe {

/// All facts; docs/cli.md describes the fields.
nlohmann::ordered_json model_facts(const model_file& model);

/// [{"name", "type", "rows", "columns", "bytes"}], by name. Opens the file once more: model_file keeps tensors by role.
nlohmann::ordered_json tensor_list(const model_file& model);

/// The facts as aligned lines: nested objects become "attention.heads".
std::string as_lines(const nlohmann::ordered_json& facts);

} // namespace troupe
