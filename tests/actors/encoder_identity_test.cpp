// Goal: models with encoders, and models whose rows see later rows, give what the sequential reference gives, bit for bit, however
// the work is cut, whoever else is served, and whatever actor is killed meanwhile. The same for beam search.
#include "actors/engine.hpp"
#include "actors/tiny_families.hpp"
#include "model/error.hpp"
#include "model/formats/safetensors.hpp"
#include "model/reference.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"
#include "support/references.hpp"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

namespace troupe {
namespace {

using rows_by_layer = std::map<std::pair<bool, uint32_t>, std::vector<float>>; // (of the encoder, layer).

struct outcome {
  std::vector<float> results;
  std::vector<uint32_t> tokens;
  rows_by_layer hidden;
  std::vector<hypothesis> hypotheses;
  std::string error;
};

void put(std::vector<float>& all, const generation_event& event) {
  const size_t first = size_t(event.position) * event.width;
  all.resize(std::max(all.size(), first + event.values.size()));
  std::copy(event.values.begin(), event.values.end(), all.begin() + std::ptrdiff_t(first));
}

std::vector<outcome> run_all(engine& on, const std::vector<generate_request>& requests) {
  client from = on.connect();
  std::vector<outcome> outcomes(requests.size());
  std::map<uint64_t, size_t> index;
  for (size_t i = 0; i < requests.size(); ++i) index[from.submit(requests[i])] = i;
  while (auto event = from.next()) {
    auto& out = outcomes[index.at(event->request)];
    switch (event->kind) {
    case event_kind::token: out.tokens.push_back(event->token); break;
    case event_kind::logits: put(out.results, *event); break;
    case event_kind::hidden_states: put(out.hidden[{event->of_encoder, event->layer}], *event); break;
    case event_kind::finished:
      out.error = event->error;
      out.hypotheses = event->hypotheses;
      break;
    }
  }
  return outcomes;
}

bool same_bytes(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

std::vector<uint32_t> tokens_of(size_t count, uint64_t seed) {
  testing::raw_bits bits{seed};
  std::vector<uint32_t> tokens(count);
  for (auto& token : tokens) token = uint32_t(bits.below(100));
  return tokens;
}

/// A text of so many tokens, or a sound.
void give_source(generate_request& request, const model_spec& spec, size_t count, uint64_t seed) {
  const auto& audio = spec.input().audio;
  if (!audio) request.source = tokens_of(count, seed);
  testing::raw_bits bits{seed};
  for (uint64_t i = 0; audio && i < audio->elements(); ++i) request.features.push_back(bits.uniform(-1, 1));
}

void encode(reference_model& reference, const generate_request& request, reference_model::hidden_states* states = nullptr) {
  if (request.features.empty()) reference.encode(request.source, states);
  else reference.encode_sound(request.features, states);
}

/// What a request with this seed asks of this model.
generate_request request_for(const model_spec& spec, uint64_t seed) {
  generate_request request;
  request.want_logits = request.want_hidden_states = true;
  request.ignore_end_of_generation = true;
  if (const auto& image = spec.embedding.image) {
    testing::raw_bits bits{seed};
    for (uint64_t i = 0; i < image->elements(); ++i) request.features.push_back(bits.uniform(-1, 1));
    request.tokens_max = 0;
  } else if (spec.encoder) {
    give_source(request, spec, 1 + 7 * seed % 41, seed);
    request.prompt = tokens_of(1 + seed % 6, seed + 100);
    request.tokens_max = 7;
    request.sampling.temperature = seed % 2 ? 0.0f : 0.9f;
    request.sampling.seed = seed;
  } else {
    request.prompt = tokens_of(1 + 7 * seed % 53, seed);
    request.tokens_max = 0;
    if (spec.embedding.segments > 1 && seed % 2)
      for (size_t i = 0; i < request.prompt.size(); ++i) request.segments.push_back(i > request.prompt.size() / 2);
  }
  return request;
}

void take_hidden(outcome& into, bool of_encoder, const reference_model::hidden_states& states) {
  for (uint32_t i = 0; i < states.size(); ++i) into.hidden[{of_encoder, i}] = states[i];
}

outcome by_reference(const std::shared_ptr<const model_parts>& parts, const generate_request& request) {
  reference_model reference(parts);
  outcome out;
  reference_model::hidden_states states;
  if (parts->encoder) {
    encode(reference, request, &states);
    take_hidden(out, true, states);
  }
  out.results = parts->spec.input().image ? reference.forward_image(request.features, &states)
                                          : reference.forward(request.prompt, &states, request.segments);
  take_hidden(out, false, states);
  auto log = request.prompt;
  std::vector<float> last(out.results.end() - ptrdiff_t(parts->spec.output.columns), out.results.end());
  while (out.tokens.size() < request.tokens_max) {
    const uint32_t token = sample(request.sampling, last, log, log.size());
    out.tokens.push_back(token);
    log.push_back(token);
    last = reference.forward({&token, 1});
  }
  return out;
}

void check_equal(const outcome& out, const outcome& wanted) {
  CHECK(out.error == "");
  CHECK(out.tokens == wanted.tokens);
  CHECK(same_bytes(out.results, wanted.results));
  REQUIRE(out.hidden.size() == wanted.hidden.size());
  for (const auto& [layer, values] : wanted.hidden) {
    INFO("hidden states " << layer.second << (layer.first ? " of the encoder" : ""));
    CHECK(same_bytes(out.hidden.at(layer), values));
  }
}

/// Of each family, and of bert with every result.
std::vector<testing::tiny_family> families_and_results() {
  std::vector<testing::tiny_family> all(std::begin(testing::encoder_families), std::end(testing::encoder_families));
  for (const char* model_class : {"BertModel", "BertForMaskedLM", "BertForQuestionAnswering", "ViTModel"}) all.push_back({model_class, model_class});
  return all;
}

struct setting {
  uint32_t threads, chunk, shards, rows;
};
constexpr setting settings[] = {{1, 512, 1, 512}, {2, 1, 2, 512}, {4, 3, 3, 8}};

/// A beam search by hand, over the reference.
std::vector<hypothesis> search_by_reference(const std::shared_ptr<const model_parts>& parts, const generate_request& request) {
  auto rules = request.rules;
  rules.end_tokens = {2};
  beam_search search(*request.beams, rules, {parts->spec.start_token}, request.tokens_max);
  reference_model reference(parts);
  encode(reference, request);
  while (!search.done()) {
    std::vector<std::vector<float>> logits;
    for (const auto& branch : search.live()) {
      reference.rewind(0);
      const auto all = reference.forward(branch.log);
      logits.emplace_back(all.end() - ptrdiff_t(parts->spec.output.columns), all.end());
    }
    search.advance({logits.begin(), logits.end()});
  }
  return search.best();
}

generate_request beam_request(const model_spec& spec, uint64_t seed) {
  generate_request request;
  give_source(request, spec, 3 + 5 * seed, seed);
  request.tokens_max = 12;
  request.beams = beam_options{.beams = uint32_t(2 + seed % 4), .best = 2, .length_penalty = 0.6f};
  if (seed % 2) request.rules.no_repeat_ngram = 2;
  return request;
}

void check_equal(const std::vector<hypothesis>& found, const std::vector<hypothesis>& wanted) {
  REQUIRE(found.size() == wanted.size());
  for (size_t i = 0; i < found.size(); ++i) {
    CHECK(found[i].tokens == wanted[i].tokens);
    CHECK(std::memcmp(&found[i].score, &wanted[i].score, sizeof(float)) == 0);
  }
}

} // namespace

TEST_CASE("actors equal the reference for models with encoders, for any threads, chunks, shards and batch") {
  for (const auto& family : families_and_results()) {
    const std::string name = family.name;
    const auto model = make(family);
    const auto parts = make_parts(model, {.cached = usual_cache_type(*model)});
    std::vector<generate_request> requests;
    std::vector<outcome> wanted;
    for (uint64_t seed = 0; seed < 6; ++seed) {
      requests.push_back(request_for(model->spec, seed));
      wanted.push_back(by_reference(parts, requests.back()));
    }
    for (const auto& s : settings) {
      INFO(name << ": threads " << s.threads << ", chunk " << s.chunk << ", shards " << s.shards);
      engine runtime{model, {.threads = s.threads, .shards = s.shards, .step_rows_max = s.rows, .prefill_chunk = s.chunk}};
      const auto outcomes = run_all(runtime, requests);
      for (size_t i = 0; i < outcomes.size(); ++i) {
        INFO("request " << i);
        check_equal(outcomes[i], wanted[i]);
      }
      check_equal(run_all(runtime, {requests[3]}).front(), wanted[3]);
      CHECK(runtime.stop() == 0);
    }
  }
}

TEST_CASE("beam search by actors finds what a search over the reference finds, scores bit for bit") {
  for (const auto& family : {testing::bart, testing::marian, testing::t5, testing::t5_v11, testing::whisper}) {
    const std::string name = family.name;
    const auto model = make(family);
    const auto parts = make_parts(model, {.cached = usual_cache_type(*model)});
    std::vector<generate_request> requests;
    for (uint64_t seed = 0; seed < 5; ++seed) requests.push_back(beam_request(model->spec, seed));
    for (const auto& s : settings) {
      INFO(name << ": threads " << s.threads << ", chunk " << s.chunk << ", shards " << s.shards);
      engine runtime{model, {.threads = s.threads, .shards = s.shards, .step_rows_max = s.rows, .prefill_chunk = s.chunk}};
      const auto outcomes = run_all(runtime, requests);
      for (size_t i = 0; i < outcomes.size(); ++i) {
        INFO("request " << i);
        CHECK(outcomes[i].error == "");
        check_equal(outcomes[i].hypotheses, search_by_reference(parts, requests[i]));
      }
      CHECK(runtime.stop() == 0);
    }
  }
}

TEST_CASE("actors that listen write the recorded tokens", "[conformance]") {
  const auto folder = testing::references() / "hf" / "whisper";
  if (!std::filesystem::exists(folder)) TROUPE_SKIP("no " + folder.string());
  const safetensors_reader golden(folder / "golden.safetensors");
  const auto greedy = nlohmann::json::parse(std::ifstream(folder / "golden.json")).at("greedy");
  generate_request request;
  request.features = golden.floats("greedy.input_features");
  request.prompt = greedy.at("decoder_start_ids").get<std::vector<uint32_t>>();
  request.tokens_max = 64;
  request.sampling.temperature = 0;
  request.ignore_end_of_generation = true;
  engine runtime{open_model(folder), {.threads = 2}};
  const auto outcomes = run_all(runtime, {request, request});
  for (const auto& out : outcomes) CHECK(out.tokens == greedy.at("ids").get<std::vector<uint32_t>>());
  CHECK(runtime.stop() == 0);
}

TEST_CASE("requests that a model cannot serve are refused with a reason") {
  const auto refused = [](const char* name, generate_request request) {
    engine runtime{testing::tiny_encoder(name), {.threads = 1}};
    std::string reason;
    try {
      runtime.connect().submit(std::move(request));
    } catch (const input_error& error) {
      reason = error.what();
    }
    return reason;
  };
  generate_request request;
  request.tokens_max = 3;
  CHECK(refused("MarianMTModel", request) == "the source is empty: at least one token is needed");
  request.source = {1, 100};
  CHECK(refused("MarianMTModel", request) == "the source has token 100, but the vocabulary ends at 99");
  request.source.assign(65, 1);
  CHECK(refused("MarianMTModel", request) == "the source has 65 tokens, but the model's context holds 64");
  request.source = {5};
  request.beams = beam_options{.beams = 2, .best = 3};
  CHECK(refused("MarianMTModel", request).starts_with("3 results of 2 beams"));
  request.beams.reset();
  request.prompt = {5};
  CHECK(refused("BertModel", request) == "there is a source, but the model has no encoder");
  request.source.clear();
  CHECK(refused("BertModel", request) == "this model does not generate text");
  request.tokens_max = 0;
  request.segments = {2};
  CHECK(refused("BertModel", request) == "there is a segment 2, but the model's end at 1");
  request.segments = {0, 0};
  CHECK(refused("BertModel", request).starts_with("there are segments of 2 tokens"));
  generate_request image;
  image.tokens_max = 0;
  image.features.assign(3 * 14 * 14, 0.5f);
  CHECK(refused("ViTModel", image) == "");
  CHECK(refused("BertModel", image) == "the prompt is empty: at least one token is needed");
  image.prompt = {0};
  CHECK(refused("BertModel", image) == "there are features, but the model takes tokens alone");
  CHECK(refused("ViTModel", image) == "there are tokens, but the model takes images");
  image.prompt.clear();
  image.features.back() = std::nanf("");
  CHECK(refused("ViTModel", image) == "a feature is not a finite number");
  image.features.pop_back();
  CHECK(refused("ViTModel", image) == "there are 587 features, but the model takes 3 x 14 x 14");
  generate_request sound;
  sound.features.assign(5 * 18, 0.5f);
  CHECK(refused("WhisperForConditionalGeneration", sound) == "");
  sound.source = {0};
  CHECK(refused("WhisperForConditionalGeneration", sound) == "there is a source of tokens, but the model listens");
  sound.source.clear();
  sound.features.push_back(0);
  CHECK(refused("WhisperForConditionalGeneration", sound) == "there are 91 features, but the model takes 5 x 18");
  CHECK(refused("MarianMTModel", sound) == "the source is empty: at least one token is needed");
}

} // namespace troupe
