// The sequential reference against the formulas in float64, and against itself: however a sequence is cut
// into calls and a model into parts, the logits are the same bytes.
#include "model/error.hpp"
#include "model/float64_model.hpp"
#include "model/kernels/dequantize.hpp"
#include "model/kernels/isa.hpp"
#include "model/reference.hpp"
#include "model/tiny_models.hpp"
#include "support/catch.hpp"
#include <cstring>
#include <map>

using namespace troupe;

namespace {

bool same_bytes(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

std::vector<float> run_whole(std::shared_ptr<const model_parts> parts, std::span<const uint32_t> tokens) {
  return reference_model(std::move(parts)).forward(tokens);
}

std::vector<float> run_chunked(std::shared_ptr<const model_parts> parts, std::span<const uint32_t> tokens,
                               size_t chunk) {
  reference_model model{std::move(parts)};
  std::vector<float> logits;
  for (size_t i = 0; i < tokens.size(); i += chunk) {
    const auto some = model.forward(tokens.subspan(i, std::min(chunk, tokens.size() - i)));
    logits.insert(logits.end(), some.begin(), some.end());
  }
  return logits;
}

/// Pins every instruction set of this machine in turn, and the best one again at the end.
template <class Run>
void on_each_isa(Run run) {
  const auto names = available_isas();
  struct restore {
    std::string name;
    ~restore() { pin_isa(name); }
  } at_end{current_isa()};
  for (const std::string& name : names) {
    pin_isa(name);
    INFO("instruction set " << name);
    run(name);
  }
}

} // namespace

TEST_CASE("every family agrees with its formulas in float64", "[reference]") {
  on_each_isa([](const std::string& isa) {
    for (const tiny_choice& choice : tiny_choices()) {
      INFO(choice.name());
      const auto file = open_tiny(choice);
      const auto tokens = random_tokens(*file, 90);
      const auto logits = run_whole(make_parts(file, {}), tokens);
      const double error = relative_error(logits, float64_logits(*file, tokens));
      std::cout << choice.name() << " on " << isa << ": relative error " << error << "\n";
      CHECK(error < choice.tolerance());
    }
  });
}

TEST_CASE("chunks, shards, repetition and the instruction set change no bit of the logits", "[reference]") {
  std::map<std::string, std::vector<float>> on_best_isa;
  on_each_isa([&](const std::string&) {
    for (const tiny_choice& choice : tiny_choices()) {
      INFO(choice.name());
      const auto file = open_tiny(choice);
      const auto tokens = random_tokens(*file, 90);
      const auto parts = make_parts(file, {});
      const auto whole = run_whole(parts, tokens);
      REQUIRE(whole.size() == tokens.size() * file->spec.vocabulary);
      REQUIRE(is_finite(whole));
      CHECK(same_bytes(whole, on_best_isa.try_emplace(choice.name(), whole).first->second));
      for (const size_t chunk : {1, 3, 7, 64}) {
        INFO("chunk " << chunk);
        CHECK(same_bytes(run_chunked(parts, tokens, chunk), whole));
      }
      for (const uint32_t shards : {2, 3, 5}) {
        INFO("shards " << shards);
        CHECK(same_bytes(run_chunked(make_parts(file, {.shards = shards}), tokens, 33), whole));
      }
    }
  });
}

TEST_CASE("layers may turn by different angles", "[reference]") {
  auto file = std::make_shared<model_file>(*open_tiny(tiny_choices().front()));
  file->spec.layers[1].attention.rope.base = 500;
  const auto tokens = random_tokens(*file, 60);
  const auto logits = run_whole(make_parts(file, {}), tokens);
  CHECK(relative_error(logits, float64_logits(*file, tokens)) < 1e-4);
}

TEST_CASE("a later token changes no logits before it", "[reference]") {
  for (const tiny_choice& choice : tiny_choices()) {
    INFO(choice.name());
    const auto file = open_tiny(choice);
    const auto parts = make_parts(file, {});
    auto tokens = random_tokens(*file, 40);
    auto before = run_whole(parts, tokens);
    tokens.back() = (tokens.back() + 1) % file->spec.vocabulary;
    auto after = run_whole(parts, tokens);
    CHECK_FALSE(same_bytes(before, after)); // The last row depends on it ...
    before.resize(39 * file->spec.vocabulary);
    after.resize(before.size());
    CHECK(same_bytes(before, after)); // ... the others do not.
  }
}

TEST_CASE("a sequence that goes back and on again gives the same bytes", "[reference]") {
  for (const tiny_choice& choice : tiny_choices()) {
    INFO(choice.name());
    const auto file = open_tiny(choice);
    const auto tokens = random_tokens(*file, 80);
    const std::span<const uint32_t> all{tokens};
    reference_model model{make_parts(file, {})};
    const auto first = model.forward(all);
    model.rewind(50);
    REQUIRE(model.length() == 50);
    const auto second = model.forward(all.subspan(50));
    REQUIRE(model.length() == 80);
    CHECK(same_bytes({first.end() - ptrdiff_t(second.size()), first.end()}, second));
    model.rewind(0);
    CHECK(same_bytes(first, model.forward(all)));
  }
}

TEST_CASE("hidden states come after the embedding and after each layer", "[reference]") {
  const auto file = open_tiny(tiny_choices().front());
  const auto tokens = random_tokens(*file, 5);
  reference_model model{make_parts(file, {})};
  std::vector<std::vector<float>> states;
  const auto logits = model.forward(tokens, &states);
  REQUIRE(states.size() == file->spec.layers.size() + 1);
  for (size_t i = 0; i < tokens.size(); ++i) {
    const auto row = dequantize(file->tensors.embedding.row_slice(tokens[i], 1));
    CHECK(std::equal(row.begin(), row.end(), states[0].begin() + ptrdiff_t(i * row.size())));
  }
  for (size_t i = 1; i < states.size(); ++i) {
    CHECK(states[i].size() == tokens.size() * file->spec.width);
    CHECK(states[i] != states[i - 1]);
  }
  CHECK(same_bytes(logits, run_whole(make_parts(file, {}), tokens)));
}

TEST_CASE("a token or a position beyond the model is an error that leaves the sequence as it was",
          "[reference]") {
  const auto file = open_tiny(tiny_choices().front());
  const auto parts = make_parts(file, {.positions_max = 10});
  REQUIRE(parts->positions_max == 10);
  reference_model model{parts};
  const auto tokens = random_tokens(*file, 11);
  const std::span<const uint32_t> all{tokens};
  const auto expected = run_whole(parts, all.first(10));

  CHECK_THROWS_AS(model.forward(all), input_error);
  const uint32_t beyond[] = {file->spec.vocabulary};
  CHECK_THROWS_AS(model.forward(beyond), input_error);
  CHECK(model.length() == 0);
  CHECK(same_bytes(model.forward(all.first(10)), expected));
  CHECK_THROWS_AS(model.forward(all.last(1)), input_error);
  CHECK(model.forward({}).empty());
}
