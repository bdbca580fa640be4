#include "apps/troupe/cli/model_command.hpp"
#include "model/error.hpp"

namespace troupe {
namespace {

const char* ability_of(std::string_view command) {
  if (command == "generate") return "continues texts";
  if (command == "translate") return "turns a source text into another (it has an encoder and a decoder)";
  if (command == "classify") return "gives labels to texts";
  if (command == "fill-mask") return "fills in masked tokens";
  if (command == "see") return "says what is in images";
  if (command == "transcribe") return "listens";
  if (command == "answer") return "finds answers in a text";
  return "gives vectors of texts";
}

} // namespace

const char* command_for(const model_spec& spec) {
  if (spec.input().audio) return "transcribe";
  if (spec.encoder) return "translate";
  if (spec.embedding.image) return "see";
  switch (spec.output.kind) {
    case output_spec::result::tokens: return spec.needs_whole_sequences() ? "fill-mask" : "generate";
    case output_spec::result::labels: return "classify";
    case output_spec::result::spans: return "answer";
    case output_spec::result::hidden_states: return "embed";
  }
  return "generate";
}

void require_command(const model_file& model, std::string_view command) {
  const std::string_view right = command_for(model.spec);
  if (right == command || (command == "embed" && model.spec.needs_whole_sequences() && right != "see")) return;
  throw input_error(model.path.string() + ": this model " + ability_of(right) + ": use `troupe " + std::string(right) + "`");
}

} // namespace troupe
