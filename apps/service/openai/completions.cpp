// POST /v1/completions
#include "apps/service/api/constraint_fields.hpp"
#include "apps/service/api/fields.hpp"
#include "apps/service/api/logprob_text.hpp"
#include "apps/service/openai/completion_answer.hpp"
#include "apps/service/openai/endpoints.hpp"
#include "apps/service/serving/prepare.hpp"
#include "apps/service/serving/prompts.hpp"
#include "apps/service/serving/start.hpp"

#include <utility>

namespace troupe::service {
namespace {

class text_answer : public completion_answer {
public:
  /// echoes: by prompt, what precedes each text.
  text_answer(call& of, const generation& running, completion_facts facts, std::vector<std::string> echoes, bool has_logprobs)
    : completion_answer(of, running, std::move(facts)), echoes_(std::move(echoes)), has_logprobs_(has_logprobs),
      sent_(running.choices().size()) {}

  void added(size_t index) override {
    if (facts().streams && (sent_[index].text < at(index).text.size() || has_logprobs_)) send(index, nullptr);
  }
  void finished(size_t index) override {
    if (facts().streams) send(index, finish_reason_of(at(index)));
  }

private:
  struct progress {
    size_t text = 0, tokens = 0;
    bool has_begun = false;
  };
  const std::string& echo(size_t index) const { return echoes_[index / facts().choices_per_prompt]; }

  json object(size_t index, std::string text, size_t first_token, json reason) const {
    json logprobs;
    if (has_logprobs_)
      logprobs = completion_logprobs(at(index), first_token, at(index).logprobs.size(), running().model().words());
    return {{"index", index}, {"text", std::move(text)}, {"logprobs", std::move(logprobs)}, {"finish_reason", std::move(reason)}};
  }

  void send(size_t index, json reason) {
    auto& done = sent_[index];
    std::string text = std::exchange(done.has_begun, true) ? "" : echo(index);
    text += at(index).text.substr(done.text);
    send_choice(object(index, std::move(text), done.tokens, std::move(reason)));
    done.text = at(index).text.size();
    done.tokens = at(index).logprobs.size();
  }

  json choice_object(size_t index) const override { return object(index, echo(index) + at(index).text, 0, finish_reason_of(at(index))); }

  std::vector<std::string> echoes_;
  bool has_logprobs_;
  std::vector<progress> sent_;
};

} // namespace

void completions(call& of, const json_node& body) {
  auto& model = find_model(of, body);
  constexpr uint32_t tokens_otherwise = 16; // OpenAI's.
  auto fields = read_generation_fields(body, of.who, model.file(), tokens_otherwise, of.drawn.seed);
  const auto sequences = fields.choices * prompts_in(body);
  constexpr size_t sequences_max = 2048;
  if (sequences > sequences_max)
    body.get("prompt").fail("makes " + std::to_string(sequences) + " answers, with n; at most " + std::to_string(sequences_max));
  admit(of, model, sequences, fields.request);
  read_constraint(body, fields.request);
  if (const auto count = integer_field(body, {"logprobs"}, 0, generate_request::top_logprobs_max)) {
    model.words(); // Without them there are no names for tokens.
    fields.request.want_logprobs = true;
    fields.request.top_logprobs = uint32_t(*count);
  }
  const bool echoes_prompt = body.flag_or("echo", false);
  if (echoes_prompt && fields.request.want_logprobs) body.get("echo").fail("cannot be combined with logprobs");
  if (const auto suffix = body.find("suffix"); suffix && !suffix->text().empty()) suffix->fail("is not supported");
  if (const auto best = integer_field(body, {"best_of"}, 1, 128); best && *best != int64_t(fields.choices))
    body.get("best_of").fail("is not supported, unless it is n");

  completion_facts facts{of.drawn.id("cmpl-"), "text_completion", "text_completion", model.name(), of.drawn.created,
                         fields.streams, fields.includes_usage, fields.choices};
  using text_prompts = std::vector<text_prompt>;
  const auto make = [&model, sources = read_prompts(model, body)] {
    text_prompts prompts;
    for (const auto& one : sources) prompts.push_back(make_prompt(model, one));
    return prompts;
  };
  const auto begin = [&model, fields = std::move(fields), facts = std::move(facts), echoes_prompt](call& with, text_prompts prompts) mutable {
    std::vector<generate_request> requests;
    std::vector<std::string> echoes;
    for (auto& prompt : prompts) {
      echoes.push_back(echoes_prompt ? std::move(prompt.text) : "");
      fields.request.prompt = std::move(prompt.tokens);
      for (uint32_t i = 0; i < fields.choices; ++i) requests.push_back(fields.nth(i));
    }
    const std::string id = facts.id;
    start(with, model, id, std::move(requests), [&](const generation& running) {
      return std::make_unique<text_answer>(with, running, std::move(facts), std::move(echoes), fields.request.want_logprobs);
    });
  };
  prepare(of, model, make, begin);
}

} // namespace troupe::service
