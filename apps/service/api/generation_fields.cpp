#include "apps/service/api/generation_fields.hpp"

#include "apps/service/api/fields.hpp"
#include "apps/service/api/json_text.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace troupe::service {
namespace {

constexpr int64_t tokens_most = 1 << 30;

sampling_options read_sampling(const json_node& body, uint32_t vocabulary) {
  sampling_options options;
  options.temperature = float(number_field(body, {"temperature"}, 0, 2).value_or(1));
  options.top_p = float(number_field(body, {"top_p"}, 0, 1).value_or(1));
  if (options.top_p == 0) options.top_p = std::numeric_limits<float>::min(); // The likeliest only.
  options.top_k = uint32_t(std::max<int64_t>(0, integer_field(body, {"top_k"}, -1, tokens_most).value_or(0)));
  options.min_p = float(number_field(body, {"min_p"}, 0, 1).value_or(0));
  options.presence_penalty = float(number_field(body, {"presence_penalty"}, -2, 2).value_or(0));
  options.frequency_penalty = float(number_field(body, {"frequency_penalty"}, -2, 2).value_or(0));
  options.repetition_penalty = float(number_field(body, {"repetition_penalty", "repeat_penalty"}, 0.01, 100).value_or(1));
  options.penalty_window = uint32_t(std::max<int64_t>(0, integer_field(body, {"repeat_last_n"}, -1, tokens_most).value_or(0)));
  if (const auto bias = body.find("logit_bias")) {
    if (bias->members().size() > 1024) bias->fail("has more than 1024 members");
    for (const auto& member : bias->members()) {
      const auto node = bias->of(member);
      uint32_t token = 0;
      const char* end = member.name.data() + member.name.size();
      const auto [rest, error] = std::from_chars(member.name.data(), end, token);
      if (error != std::errc() || rest != end || token >= vocabulary)
        node.fail("is for no token: ids are below " + std::to_string(vocabulary));
      const double value = node.number();
      if (!(value >= -100 && value <= 100)) node.fail("must be between -100 and 100");
      // As OpenAI means it: -100 bans a token.
      options.logit_bias.emplace_back(token, value == -100 ? -std::numeric_limits<float>::infinity() : float(value));
    }
  }
  return options;
}

int32_t read_priority(const json_node& body, const caller& who) {
  const auto tier = choice_field(body, "service_tier", {"auto", "default", "standard", "standard_only", "flex", "scale", "priority"}, "auto");
  const int32_t by_tier = tier == "priority" ? 10 : tier == "flex" ? -10 : 0;
  const auto chosen = integer_field(body, {"priority"}, -100, 100);
  return std::min(chosen ? int32_t(*chosen) : by_tier, who.priority_max);
}

std::optional<std::chrono::milliseconds> read_time(const json_node& body, std::initializer_list<std::string_view> names) {
  const auto found = integer_field(body, names, 1, int64_t(365) * 24 * 3600 * 1000);
  if (!found) return std::nullopt;
  return std::chrono::milliseconds(*found);
}

} // namespace

generation_fields read_generation_fields(const json_node& body, const caller& who, const model_file& model, uint32_t tokens_otherwise,
                                         uint64_t drawn_seed) {
  generation_fields fields;
  auto& request = fields.request;
  request.sampling = read_sampling(body, model.spec.vocabulary);
  const auto seed = integer_field(body, {"seed"}, std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max());
  fields.seed = seed && *seed != -1 ? uint64_t(*seed) : drawn_seed;
  request.tokens_max = uint32_t(
    integer_field(body, {"max_completion_tokens", "max_tokens", "max_output_tokens", "n_predict"}, 1, tokens_most).value_or(tokens_otherwise));
  request.stop_strings = texts_field(body, {"stop", "stop_sequences"}, 64);
  request.ignore_end_of_generation = body.flag_or("ignore_eos", false);
  request.rules.tokens_min = uint32_t(integer_field(body, {"min_tokens"}, 0, tokens_most).value_or(0));
  request.priority = read_priority(body, who);
  request.tenant = who.is_known ? who.tenant : text_field(body, "user", who.tenant);
  if (request.tenant.size() > generate_request::tenant_bytes_max)
    body.get("user").fail("is longer than " + std::to_string(generate_request::tenant_bytes_max) + " bytes");
  request.tenant_weight = who.weight;
  request.deadline = read_time(body, {"deadline_ms"});
  request.start_deadline = read_time(body, {"max_queue_ms"});
  fields.choices = uint32_t(integer_field(body, {"n"}, 1, 128).value_or(1));
  fields.streams = body.flag_or("stream", false);
  if (const auto options = body.find("stream_options")) fields.includes_usage = options->flag_or("include_usage", false);
  return fields;
}

generate_request generation_fields::nth(uint32_t n) const {
  auto copy = request;
  copy.sampling.seed = seed + n * 0x9E3779B97F4A7C15u; // Far apart, so that neighbouring seeds have no choice in common.
  return copy;
}

} // namespace troupe::service
