// Goal: a journal is continued by a model that gives the same results, and by no other.
#include "actors/engine.hpp"
#include "apps/service/serving/model_identity.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"

#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace troupe::service {

TEST_CASE("whatever changes the results of a model changes its identity", "[identity]") {
  const auto model = open_model(testing::write_tiny_model());
  const auto same = model_identity(*model, {});
  CHECK(model_identity(*model, {}) == same);
  model_file named = *model;
  named.path = "elsewhere";
  named.spec.name = "another name";
  CHECK(model_identity(named, {}) == same);

  using change = std::function<void(model_file&)>;
  const std::vector<std::pair<const char*, change>> changes = {
    {"context", [](model_file& of) { --of.spec.context_length; }},
    {"epsilon", [](model_file& of) { of.spec.layers[1].norm.epsilon *= 2; }},
    {"kind of a norm", [](model_file& of) { of.spec.layers[0].norm.kind = norm_kind::layer; }},
    {"final norm", [](model_file& of) { of.spec.final_norm.reset(); }},
    {"rope base", [](model_file& of) { of.spec.layers[0].attention.rope.base = 1e6f; }},
    {"rope scaling", [](model_file& of) { of.spec.layers[0].attention.rope.scaling_factor = 4; }},
    {"rope kind", [](model_file& of) { of.spec.layers[0].attention.rope.kind = rope_kind::half_split; }},
    {"rope factors", [](model_file& of) { of.spec.layers[0].attention.rope.factors = {1, 2}; }},
    {"yarn", [](model_file& of) { of.spec.layers[0].attention.rope.yarn = yarn_spec(); }},
    {"yarn's factor", [](model_file& of) { of.spec.layers[0].attention.rope.yarn = yarn_spec{.factor = 2}; }},
    {"scale of scores", [](model_file& of) { of.spec.layers[0].attention.scale *= 2; }},
    {"causal", [](model_file& of) { of.spec.layers[0].attention.causal = false; }},
    {"norms of queries", [](model_file& of) { of.spec.layers[0].attention.query_key_norm = norm_spec(); }},
    {"relative positions", [](model_file& of) { of.spec.layers[0].attention.relative_positions = relative_positions_spec(); }},
    {"cross-attention", [](model_file& of) { of.spec.layers[0].cross_attention = of.spec.layers[0].attention; }},
    {"activation", [](model_file& of) { of.spec.layers[0].feed_forward.activation = activation_kind::gelu_erf; }},
    {"place of norms", [](model_file& of) { of.spec.layers[0].norms = norm_place::after; }},
    {"scale of the embedding", [](model_file& of) { of.spec.embedding.scale = 2; }},
    {"positions", [](model_file& of) { of.spec.embedding.positions = position_kind::sinusoidal; }},
    {"encoder", [](model_file& of) { of.spec.encoder = static_cast<const stack_spec&>(of.spec); }},
    {"scale of the output", [](model_file& of) { of.spec.output.scale = 2; }},
    {"transform of the output", [](model_file& of) { of.spec.output.transform = output_spec::transform_spec(); }},
    {"start token", [](model_file& of) { ++of.spec.start_token; }},
    {"a piece", [](model_file& of) { of.words.pieces.back() += "x"; }},
    {"kind of a piece", [](model_file& of) { of.words.kinds.back() = piece_kind::unused; }},
    {"kind of tokenizer", [](model_file& of) { of.words.kind = tokenizer_kind::unigram; }},
    {"BOS", [](model_file& of) { of.words.add_bos = !of.words.add_bos; }},
    {"pre-tokenizer", [](model_file& of) { of.words.pre_tokenizer = "another"; }},
    {"end of generation", [](model_file& of) { of.words.end_of_generation.push_back(1); }},
    {"chat template", [](model_file& of) { of.words.chat_template = "{{ messages[0].content }}"; }},
  };
  std::set<std::string> all{same};
  for (const auto& [what, f] : changes) {
    CAPTURE(what);
    auto other = *model;
    f(other);
    CHECK(all.insert(model_identity(other, {})).second);
  }
  CHECK(all.insert(model_identity(*model, {.cached = cache_type::f16})).second);
  CHECK(all.insert(model_identity(*model, {.as_q8_0 = true})).second);
}

} // namespace troupe::service
