#pragma once
// What the commands share that run an encoder on texts or images: classify, fill-mask, answer, embed, see.
#include "apps/troupe/cli/tasks.hpp"
#include "model/outputs/label_scores.hpp"
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace troupe {

struct understanding_options {
  run_options run;
  prompt_options texts;
  encoding_options encoding;
  bool json = false;
};
/// All but the model's texts, which a command declares by itself.
void declare_understanding(CLI::App& app, understanding_options& options);

/// A request for the results of these tokens.
generate_request make_request(const encoding& text, const model_spec& spec);
/// The same for a PNG or JPEG, for a model of images. Throws input_error with the file's name.
generate_request image_request(const model_file& model, const std::string& file);

/// Opens the model, which must be for `command`, and answers all texts. make: for a model and its vocabulary, which may be null.
using understanding = std::function<task_maker(const engine& on)>;
/// Whether the model's results are those of its head, or what leaves its last layer: then no head is loaded, and none computed.
enum class model_head : uint8_t { used, left_aside };
int run_understanding(const understanding_options& options, const char* command, const understanding& make,
                      model_head head = model_head::used);

/// The places of the k largest, the largest first; of equal ones the first.
std::vector<size_t> largest(std::span<const double> values, size_t k);
/// As people read it: "0.457930".
std::string probability_text(double probability);
/// What a classifier says, the likeliest first, `top` labels or all (0). A line.
std::string labels_text(std::span<const std::string> names, scoring how, std::span<const float> logits, uint32_t top, bool as_json);
/// A line.
std::string vector_text(std::span<const float> vector, bool as_json);

} // namespace troupe
