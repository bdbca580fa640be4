// Goal: the actors compute what the sequential reference computes, bit for bit, however the work is cut and scheduled; and
// one poisoned request does not affect others.
#include "actors/engine.hpp"
#include "model/error.hpp"
#include "model/kernels/isa.hpp"
#include "model/reference.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"

#include <cstring>
#include <limits>
#include <map>

namespace troupe {
namespace {

std::vector<uint32_t> prompt_of(const model_file& model, size_t count, uint64_t seed) {
  testing::raw_bits bits{seed};
  std::vector<uint32_t> tokens(count);
  for (auto& token : tokens) token = uint32_t(bits.below(model.spec.vocabulary));
  return tokens;
}

struct outcome {
  std::vector<float> logits;                     // Of all prompt positions.
  std::vector<uint32_t> tokens;
  std::map<uint32_t, std::vector<float>> hidden; // By layer boundary.
  std::string text, error;
  finish_reason reason = finish_reason::error;
};

void put(std::vector<float>& all, const generation_event& event) {
  const size_t first = size_t(event.position) * event.width;
  all.resize(std::max(all.size(), first + event.values.size()));
  std::copy(event.values.begin(), event.values.end(), all.begin() + std::ptrdiff_t(first));
}

std::map<uint64_t, outcome> run_all(client& from, std::vector<generate_request> requests) {
  std::map<uint64_t, outcome> outcomes;
  for (auto& request : requests) outcomes[from.submit(std::move(request))];
  while (auto event = from.next()) {
    auto& out = outcomes[event->request];
    out.text += event->text;
    switch (event->kind) {
    case event_kind::token: out.tokens.push_back(event->token); break;
    case event_kind::logits: put(out.logits, *event); break;
    case event_kind::hidden_states: put(out.hidden[event->layer], *event); break;
    case event_kind::finished:
      out.reason = event->reason;
      out.error = event->error;
      break;
    }
  }
  return outcomes;
}

outcome run_one(client& from, generate_request request) {
  std::vector<generate_request> requests;
  requests.push_back(std::move(request));
  return run_all(from, std::move(requests)).begin()->second;
}

bool same_bytes(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// What the reference says to the same request: logits, hidden states, and the tokens it would sample.
outcome by_reference(std::shared_ptr<const model_file> model, const generate_request& request,
                     std::optional<cache_type> cached = std::nullopt) {
  reference_model reference(make_parts(model, {.shards = 1, .cached = cached.value_or(usual_cache_type(*model))}));
  outcome out;
  std::vector<std::vector<float>> hidden;
  out.logits = reference.forward(request.prompt, &hidden);
  for (uint32_t l = 0; l < hidden.size(); ++l) out.hidden[l] = hidden[l];
  const size_t vocabulary = model->spec.vocabulary;
  auto log = request.prompt;
  std::vector<float> last(out.logits.end() - std::ptrdiff_t(vocabulary), out.logits.end());
  while (out.tokens.size() < request.tokens_max) {
    const uint32_t token = sample(request.sampling, last, log, log.size());
    out.tokens.push_back(token);
    log.push_back(token);
    last = reference.forward(std::vector<uint32_t>{token});
  }
  return out;
}

generate_request request_for(const model_file& model, size_t prompt, uint32_t tokens, uint64_t seed) {
  generate_request request;
  request.prompt = prompt_of(model, prompt, seed);
  request.tokens_max = tokens;
  request.sampling.temperature = seed % 2 ? 0.0f : 0.8f;
  request.sampling.seed = seed;
  request.ignore_end_of_generation = true;
  request.want_logits = true;
  request.want_hidden_states = true;
  return request;
}

void check_equal(const outcome& out, const outcome& wanted) {
  CHECK(out.error == "");
  CHECK(out.tokens == wanted.tokens);
  CHECK(same_bytes(out.logits, wanted.logits));
  REQUIRE(out.hidden.size() == wanted.hidden.size());
  for (const auto& [layer, values] : wanted.hidden) CHECK(same_bytes(out.hidden.at(layer), values));
}

struct isa_guard { // However the test ends, the next one runs on the best instruction set again.
  std::string before = current_isa();
  ~isa_guard() { pin_isa(before); }
};

} // namespace

TEST_CASE("the actors equal the reference for any threads, chunks, shards and batch, on every instruction set") {
  const isa_guard guard;
  for (const auto& isa : available_isas()) {
    pin_isa(isa);
    for (const char* family : {"llama", "qwen2", "qwen3", "gpt2"}) {
      const auto type = std::string(family) == "llama" ? tensor_type::q8_0 : tensor_type::f32;
      const auto model = open_model(testing::write_tiny_model({.architecture = family, .type = type}));
      std::vector<generate_request> eight;
      std::vector<outcome> wanted;
      for (uint64_t seed = 0; seed < 8; ++seed) {
        eight.push_back(request_for(*model, 3 + 11 * seed, 6, seed));
        wanted.push_back(by_reference(model, eight.back()));
      }
      struct setting { uint32_t threads, chunk, shards, rows; };
      for (const auto& s : {setting{1, 512, 1, 512}, {2, 1, 2, 512}, {4, 7, 3, 16}, {2, 64, 3, 70}}) {
        INFO(isa << ' ' << family << ": threads " << s.threads << ", chunk " << s.chunk << ", shards " << s.shards);
        engine runtime{model, {.threads = s.threads, .shards = s.shards, .step_rows_max = s.rows, .prefill_chunk = s.chunk}};
        auto from = runtime.connect();
        check_equal(run_one(from, eight[7]), wanted[7]); // Alone,
        auto outcomes = run_all(from, eight);            // and with seven others.
        size_t i = 0;
        for (const auto& [id, out] : outcomes) check_equal(out, wanted[i++]);
      }
    }
  }
}

TEST_CASE("with caches in f16 the actors equal the reference with such caches, and not the one without") {
  const auto model = open_model(testing::write_tiny_model({.type = tensor_type::f16}));
  std::vector<generate_request> requests;
  for (uint64_t seed = 0; seed < 4; ++seed) requests.push_back(request_for(*model, 5 + 20 * seed, 6, seed));
  for (const uint32_t chunk : {7u, 512u}) {
    engine runtime{model, {.threads = 2, .prefill_chunk = chunk, .cached = cache_type::f16}};
    auto from = runtime.connect();
    size_t i = 0;
    for (const auto& [id, out] : run_all(from, requests)) {
      check_equal(out, by_reference(model, requests[i], cache_type::f16));
      CHECK_FALSE(same_bytes(out.logits, by_reference(model, requests[i], cache_type::f32).logits));
      ++i;
    }
  }
}

TEST_CASE("caches are in f16 where weights have 16 bits or fewer, and in f32 where they have more or that is chosen") {
  using enum cache_type;
  const auto kind_of = [](tensor_type type, engine_options options) {
    options.threads = 1;
    return engine(open_model(testing::write_tiny_model({.type = type})), options).options().cached;
  };
  CHECK(kind_of(tensor_type::f32, {}) == f32);
  CHECK(kind_of(tensor_type::f32, {.as_q8_0 = true}) == f16);
  CHECK(kind_of(tensor_type::f16, {}) == f16);
  CHECK(kind_of(tensor_type::q8_0, {}) == f16);
  CHECK(kind_of(tensor_type::q8_0, {.cached = f32}) == f32);
  CHECK(kind_of(tensor_type::f32, {.cached = f16}) == f16);
}

TEST_CASE("the budget of caches may be given in bytes, and one sequence of full length always fits") {
  const auto model = open_model(testing::write_tiny_model({.context = 64}));
  const uint64_t each = cached_position_bytes(model->spec, cache_type::f32);
  const auto& attention = model->spec.layers[0].attention;
  CHECK(each == model->spec.layers.size() * attention.kv_heads * attention.head_dim * 2 * sizeof(float));
  const auto positions_of = [&](engine_options options) {
    options.threads = 1;
    return engine(model, options).options().cache_positions_max;
  };
  CHECK(positions_of({.cache_bytes_max = 100 * each + each / 2}) == 100);
  CHECK(positions_of({.cache_positions_max = 90, .cache_bytes_max = 100 * each}) == 90);
  CHECK(positions_of({.cache_positions_max = 110, .cache_bytes_max = 100 * each}) == 100);
  CHECK(positions_of({.cache_bytes_max = 1}) == 64);
  CHECK(positions_of({}) == 16 * 64);
}

TEST_CASE("sequences that do not fit into the memory of the caches together give the same bytes") {
  const auto model = open_model(testing::write_tiny_model({.context = 64}));
  engine runtime{model, {.threads = 2, .cache_positions_max = 64}};
  auto from = runtime.connect();
  std::vector<generate_request> requests;
  for (uint64_t seed = 0; seed < 6; ++seed) requests.push_back(request_for(*model, 20, 20, seed));
  const auto outcomes = run_all(from, requests);
  size_t i = 0;
  for (const auto& [id, out] : outcomes) check_equal(out, by_reference(model, requests[i++]));
  const auto statistics = runtime.statistics();
  CHECK(statistics.rows_replayed > 0); // Some sequence was preempted.
  CHECK(statistics.preemptions > 0);
  CHECK(statistics.cache_positions <= 64);
  CHECK(statistics.cache_positions_max == 64);
}

TEST_CASE("what begins in the caches of another request gives the same tokens, and says how much of its prompt was cached") {
  const auto model = open_model(testing::write_tiny_model({.context = 256}));
  std::vector<generate_request> requests;
  std::vector<std::vector<uint32_t>> wanted;
  for (uint64_t seed = 0; seed < 6; ++seed) {
    auto request = request_for(*model, 100, 20, 1);
    request.want_logits = request.want_hidden_states = false;
    request.sampling.temperature = 0.8f;
    request.sampling.seed = seed;
    for (uint32_t i = 0; i < 1 + 17 * seed; ++i) request.prompt.push_back(uint32_t(seed + i)); // They part within a page of the caches.
    wanted.push_back(by_reference(model, request).tokens);
    requests.push_back(std::move(request));
  }
  for (const bool reuse : {true, false}) {
    engine runtime{model, {.threads = 2, .prefill_chunk = 64, .prefix_reuse = reuse}};
    auto from = runtime.connect();
    CHECK(run_one(from, requests[0]).tokens == wanted[0]); // It has finished when the others come.
    size_t i = 0;
    for (const auto& [id, out] : run_all(from, requests)) CHECK(out.tokens == wanted[i++]);
    CHECK(runtime.statistics().rows_reused >= (reuse ? 600u : 0u));
    CHECK((runtime.statistics().rows_reused > 0) == reuse);
    from.submit(requests[5]);
    while (const auto event = from.next())
      if (event->kind == event_kind::finished) CHECK(event->prompt_tokens_cached == (reuse ? 185u : 0u));
  }
}

TEST_CASE("a request that is poisoned ends with an error that says where, the others are not affected") {
  const auto model = open_model(testing::write_tiny_model({.poisoned_token = 300}));
  const auto healthy = open_model(testing::write_tiny_model({}));
  engine runtime{model, {.threads = 2}};
  auto from = runtime.connect();
  std::vector<generate_request> requests;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    requests.push_back(request_for(*model, 9, 12, seed));
    requests.back().want_hidden_states = false;
    requests.back().sampling.logit_bias = {{300, -std::numeric_limits<float>::infinity()}};
    for (auto& token : requests.back().prompt) token = token == 300 ? 301 : token;
  }
  auto clean = requests;
  requests[1].prompt[4] = 300;
  const auto outcomes = run_all(from, requests);
  size_t i = 0;
  for (const auto& [id, out] : outcomes) {
    if (i == 1) {
      CHECK(out.reason == finish_reason::error);
      CHECK(out.error.find("not finite") != std::string::npos);
      CHECK(out.error.find("/replica/0/embedding") != std::string::npos);
    } else {
      const auto wanted = by_reference(healthy, clean[i]);
      CHECK(out.reason == finish_reason::length);
      CHECK(out.tokens == wanted.tokens);
      CHECK(same_bytes(out.logits, wanted.logits));
    }
    ++i;
  }
}

TEST_CASE("a cancelled request ends as cancelled") {
  // So long that the cancellation comes before its end, however busy the machine is.
  engine runtime{open_model(testing::write_tiny_model({.context = 1u << 16})), {.threads = 2}};
  auto from = runtime.connect();
  generate_request request;
  request.prompt = {1, 2, 3};
  request.tokens_max = 60'000;
  from.cancel(from.submit(request));
  finish_reason reason = finish_reason::error;
  while (auto event = from.next())
    if (event->kind == event_kind::finished) reason = event->reason;
  CHECK(reason == finish_reason::cancelled);
}

TEST_CASE("requests end by stop strings and by length of the context, and impossible ones are refused") {
  const auto model = open_model(testing::write_tiny_model({.context = 48}));
  engine runtime{model, {.threads = 2, .sequences_max = 3, .waiting_bytes_max = 1}};
  auto from = runtime.connect();
  auto request = request_for(*model, 5, 1000, 1);
  request.want_logits = request.want_hidden_states = false;
  const auto full = run_one(from, request);
  CHECK(full.reason == finish_reason::length);
  CHECK(full.tokens.size() == 43);

  auto stopping = request;
  const auto whole = [&](size_t at) { // Where the character that holds byte `at` begins.
    while ((uint8_t(full.text[at]) & 0xC0) == 0x80) --at;
    return at;
  };
  const size_t begin = whole(full.text.size() / 2), end = whole(begin + 8);
  stopping.stop_strings = {full.text.substr(begin, end - begin)};
  const auto stopped = run_one(from, stopping);
  CHECK(stopped.reason == finish_reason::stop);
  CHECK(stopped.text == full.text.substr(0, full.text.find(stopping.stop_strings[0])));

  auto too_long = request;
  too_long.prompt.assign(49, 1);
  CHECK_THROWS_AS(from.submit(too_long), input_error);
  CHECK_THROWS_AS(from.submit(generate_request{}), input_error);
  for (const auto* stop : {"", "\xC3", "a\xFF"}) {
    auto unmatchable = request;
    unmatchable.stop_strings = {"fine", stop};
    CHECK_THROWS_AS(from.submit(unmatchable), input_error);
  }

  const auto six = run_all(from, std::vector<generate_request>(6, request));
  size_t served = 0, refused = 0;
  for (const auto& [id, out] : six) {
    served += out.tokens == full.tokens;
    refused += out.reason == finish_reason::overloaded && out.error.find("too many requests") != std::string::npos;
  }
  CHECK(served + refused == 6);
  CHECK(served >= 1); // Up to three.
  CHECK(refused >= 1);
}

} // namespace troupe
