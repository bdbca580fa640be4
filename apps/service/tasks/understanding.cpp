// POST /v1/embeddings, /classify
#include "apps/service/api/fields.hpp"

#include "apps/service/serving/start.hpp"
#include "apps/service/tasks/endpoints.hpp"
#include "apps/service/tasks/images.hpp"
#include "apps/service/tasks/text_tasks.hpp"
#include "model/error.hpp"
#include "model/images/preparation.hpp"
#include "model/images/read_image.hpp"
#include "model/outputs/label_scores.hpp"
#include "model/outputs/pooling.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace troupe::service {
namespace {

uint64_t tokens_of(const std::vector<choice>& all) {
  uint64_t sum = 0;
  for (const auto& one : all) sum += one.prompt_tokens;
  return sum;
}

/// RFC 4648, section 4, of the float32 as they lie in memory (little endian).
std::string base64(const std::vector<float>& vector) {
  constexpr char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<uint8_t> bytes(vector.size() * sizeof(float));
  std::memcpy(bytes.data(), vector.data(), bytes.size());
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k) bits = bits << 8 | (k < count ? bytes[i + k] : 0u);
    for (size_t k = 0; k < 4; ++k) text += k <= count ? letters[bits >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

void require(const served_model& model, output_spec::result kind, const char* what) {
  const auto& spec = model.file().spec;
  if (spec.output.kind != kind || spec.encoder)
    throw api_error(400, "unsupported_model", "the model \"" + model.name() + "\" does not " + what, "model");
}

} // namespace

void embeddings(call& of, const json_node& body) {
  auto& model = find_model(of, body);
  require(model, output_spec::result::hidden_states, "give embeddings");
  const bool as_base64 = choice_field(body, "encoding_format", {"float", "base64"}, "float") == "base64";
  const auto how = choice_field(body, "pooling", {"mean", "cls"}, "mean") == "cls" ? pooling::first : pooling::mean;
  const bool normalizes = body.flag_or("normalize", true);
  const uint32_t width = model.file().spec.width;
  if (const auto wanted = integer_field(body, {"dimensions"}, 1, 1 << 20); wanted && *wanted != int64_t(width))
    body.get("dimensions").fail("must be " + std::to_string(width) + ", as this model gives them");
  run_result_tasks(of, model, "embd-", body, [=, name = model.name()](const std::string& id, const std::vector<choice>& all) {
    json data = json::array();
    for (const auto& one : all) {
      auto vector = pool(one.rows, width, how);
      if (normalizes) normalize(vector);
      data.push_back({{"object", "embedding"}, {"index", data.size()}, {"embedding", as_base64 ? json(base64(vector)) : json(vector)}});
    }
    const auto tokens = tokens_of(all);
    return json{{"id", id}, {"object", "list"}, {"data", std::move(data)}, {"model", name},
                {"usage", {{"prompt_tokens", tokens}, {"total_tokens", tokens}}}};
  });
}

namespace {

task_answer answer_of_labels(const served_model& model) {
  return [name = model.name(), how = scoring_of(model.file()), labels = labels_of(model.file().spec.output)](
           const std::string& id, const std::vector<choice>& all) {
    json data = json::array();
    for (const auto& one : all) {
      const auto scores = scores_of(one.rows, how);
      const auto best = size_t(std::ranges::max_element(scores) - scores.begin());
      data.push_back({{"index", data.size()}, {"label", labels[best]}, {"probs", scores}, {"num_classes", scores.size()}});
    }
    const auto tokens = tokens_of(all);
    return json{{"id", id}, {"object", "list"}, {"created", unix_time()}, {"model", name}, {"data", std::move(data)},
                {"usage", {{"prompt_tokens", tokens}, {"total_tokens", tokens}, {"completion_tokens", 0}}}};
  };
}

/// Decoding takes its time: not in the server's thread.
void classify_images(call& of, served_model& model, const json_node& body) {
  const auto& file = model.file();
  auto common = result_request(of, model, body);
  run_in_background(of, [of, &model, &file, common, files = read_images(body.get("input"))]() -> std::function<void()> {
    std::vector<generate_request> requests;
    std::string reason;
    try {
      for (size_t i = 0; i < files.size(); ++i) {
        const std::string place = files.size() == 1 ? "input" : "input[" + std::to_string(i) + "]";
        requests.push_back(common);
        requests.back().features = prepare_image(read_image(files[i], place, request_image_limits), *file.images, *file.spec.embedding.image);
      }
    } catch (const input_error& error) {
      reason = error.what();
    }
    return [of, &model, requests = std::move(requests), reason]() mutable {
      guarded(of, [&] {
        if (!reason.empty()) throw api_error(400, "invalid_image", reason, "input");
        run_tasks(of, model, "classify-", std::move(requests), answer_of_labels(model));
      });
    };
  });
}

} // namespace

void classify(call& of, const json_node& body) {
  auto& model = find_model(of, body);
  require(model, output_spec::result::labels, "give labels");
  if (model.file().spec.embedding.image) return classify_images(of, model, body);
  run_result_tasks(of, model, "classify-", body, answer_of_labels(model));
}

} // namespace troupe::service
