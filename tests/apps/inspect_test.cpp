#include "actors/threads/processors.hpp"
#include "apps/process.hpp"
#include "apps/troupe/inspect/actor_tree.hpp"
#include "support/catch.hpp"
#include "model/testing/gguf_builder.hpp"
#include "model/testing/tiny_encoder.hpp"
#include "model/testing/tiny_model.hpp"
#include <filesystem>
#include <nlohmann/json.hpp>

using namespace troupe;
using namespace troupe::testing;
using nlohmann::json;

TEST_CASE("inspect --json states the facts of the model") {
  tiny_model_options options;
  options.architecture = "qwen3";
  options.layers = 3;
  options.also = [](auto& file) { file.add_string("tokenizer.chat_template", "{{ messages }}"); };
  const std::string model = write_tiny_model(options);
  const outcome result = run_troupe({"inspect", "-m", model, "--json", "--tensors"});
  REQUIRE(result.exit_code == 0);
  const json facts = json::parse(result.out);
  CHECK(facts.at("architecture") == "qwen3");
  CHECK(facts.at("file_bytes") == std::filesystem::file_size(model));
  CHECK(facts.at("layer_count") == 3);
  CHECK(facts.at("context_length") == options.context);
  CHECK(facts.at("width") == options.width);
  CHECK(facts.at("vocabulary") == options.vocabulary);
  REQUIRE(facts.at("layers").size() == 1);
  const json& layers = facts.at("layers").at(0);
  CHECK(layers.at("count") == 3);
  CHECK(layers.at("attention").at("heads") == options.heads);
  CHECK(layers.at("attention").at("kv_heads") == options.kv_heads);
  CHECK(layers.at("attention").at("head_dim") == options.head_dim);
  CHECK(layers.at("attention").at("query_key_norm") == true);
  CHECK(layers.at("attention").at("rope").at("kind") == "half_split");
  CHECK(layers.at("feed_forward").at("width") == options.feed_forward);
  CHECK(facts.at("tokenizer").at("kind") == "byte_pair");
  CHECK(facts.at("tokenizer").at("chat_template") == true);
  CHECK(facts.at("processors").at("count") == troupe::usable_processors().count);
  CHECK(facts.at("processors").at("reason") == troupe::usable_processors().reason);
  uint64_t bytes = 0, elements = 0;
  for (const json& tensor : facts.at("tensors")) {
    bytes += tensor.at("bytes").get<uint64_t>();
    elements += tensor.at("rows").get<uint64_t>() * tensor.at("columns").get<uint64_t>();
  }
  CHECK(bytes == 4 * elements);
  CHECK(elements == facts.at("parameters").get<uint64_t>());
}

TEST_CASE("inspect for people has the same facts, one a line") {
  const outcome result = run_troupe({"inspect", "-m", write_tiny_model()});
  REQUIRE(result.exit_code == 0);
  CHECK(result.out.find("\narchitecture ") != std::string::npos);
  CHECK(result.out.find("attention.kv_heads ") != std::string::npos);
  CHECK(result.out.find("tokenizer.kind ") != std::string::npos);
  const auto line = result.out.find("tokenizer.chat_template ");
  REQUIRE(line != std::string::npos);
  CHECK(result.out.substr(line, result.out.find('\n', line) - line).ends_with(" false"));
}

TEST_CASE("the tree of actors holds every layer and every head") {
  const std::string model = write_tiny_model(); // 2 layers, 2 key/value heads.
  const outcome result = run_troupe({"inspect", "-m", model, "--actors", "--json", "--threads", "2"});
  REQUIRE(result.exit_code == 0);
  const std::string tree = json::parse(result.out).at("actors").dump();
  for (const char* layer : {"/layer/0", "/layer/1"}) {
    for (const char* part : {"", "/head/0", "/head/1"}) CHECK(tree.find(std::string(layer) + part) != std::string::npos);
  }
  CHECK(tree.find("/layer/2") == std::string::npos);
  const outcome drawn = run_troupe({"inspect", "-m", model, "--actors", "--threads", "2"});
  CHECK(drawn.out.find("└── ") != std::string::npos);
  const outcome dot = run_troupe({"inspect", "-m", model, "--dot", "--threads", "2"});
  CHECK(dot.out.starts_with("digraph troupe {"));
  CHECK(dot.out.ends_with("}\n"));
}

TEST_CASE("a supervisor and its children are drawn below the common prefix of their paths") {
  const std::vector<actor_facts> actors{{"/", 0}, {"/a/0/x", 0}, {"/a/0/supervisor", 0}, {"/supervisor", 0}};
  CHECK(draw(actor_trees(actors)) == R"(/
├── a/0
│   ├── supervisor
│   └── x
└── supervisor
)");
}

TEST_CASE("siblings are drawn in the order of their numbers, each below its own parent") {
  const std::vector<actor_facts> actors{{"/r", 0},         {"/r/layer/10", 0}, {"/r/layer/2", 3}, {"/r/layer/2/head/0", 0},
                                        {"/r/layer/1", 0}, {"/r/layers", 0},   {"/r/layer/10/head/0", 0}};
  CHECK(draw(actor_trees(actors)) == R"(/r
├── layer/1
├── layer/2  (restarts: 3)
│   └── head/0
├── layer/10
│   └── head/0
└── layers
)");
}

TEST_CASE("inspect states the encoder, the cross-attention, the output and the decoding of a model that has them") {
  const std::string model = write_tiny_encoder("MarianMTModel", R"({"eos_token_id": 2, "num_beams": 6, "bad_words_ids": [[99]]})");
  const outcome result = run_troupe({"inspect", "-m", model, "--json", "--actors", "--threads", "1"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const json facts = json::parse(result.out);
  CHECK(facts.at("command") == "translate");
  CHECK(facts.at("encoder").at("layer_count") == 2);
  CHECK(facts.at("encoder").at("layers").at(0).at("attention").at("causal") == false);
  CHECK(facts.at("layers").at(0).at("cross_attention").at("heads") == 2);
  CHECK(facts.at("layers").at(0).at("norm").at("place") == "after");
  CHECK(facts.at("output").at("kind") == "tokens");
  CHECK(facts.at("decoding").at("beams") == 6);
  CHECK(facts.at("decoding").at("forbidden") == json::array({json::array({99})}));
  CHECK(facts.at("decoding").at("start_token") == 1);
  const std::string tree = facts.at("actors").dump();
  for (const char* path : {"encoder", "cross"}) {
    INFO(path);
    CHECK(tree.find(path) != std::string::npos);
  }
  const outcome lines = run_troupe({"inspect", "-m", write_tiny_encoder("BertForQuestionAnswering").string()});
  CHECK(lines.out.find("output.kind") != std::string::npos);
  CHECK(lines.out.find("spans\n") != std::string::npos);
  CHECK(lines.out.find("command ") != std::string::npos);
}
