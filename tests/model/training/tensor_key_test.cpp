#include "model/error.hpp"
#include "model/training/training_support.hpp"
#include "support/catch.hpp"
#include <cmath>
#include <set>

using namespace troupe;
using namespace troupe::testing;

TEST_CASE("every tensor of a model has a name of its own, in order", "[training]") {
  for (const char* family : {"gpt2", "llama", "qwen2", "qwen3"})
    for (const bool tied : {false, true}) {
      tiny_model_options options;
      options.architecture = family;
      options.tied = tied;
      options.with_biases = true;
      const auto file = open_model(write_tiny_model(options));
      const auto all = keyed_tensors(file->tensors);
      REQUIRE(is_tied(file->tensors) == tied);
      REQUIRE(std::ranges::is_sorted(all, {}, &keyed_tensor::key));
      std::set<std::string> names;
      uint64_t parameters = 0;
      for (const auto& [key, view] : all) {
        names.insert(to_string(key));
        parameters += view->rows * view->columns;
      }
      REQUIRE(names.size() == all.size());
      REQUIRE(parameters == file->parameters);
      REQUIRE(names.contains("layer 1 query bias"));
      REQUIRE(names.contains("token embedding"));
      REQUIRE(names.contains("final norm"));
      REQUIRE(names.contains("output") == !tied);
      REQUIRE(names.contains("layer 0 gate") == (std::string(family) != "gpt2"));
      REQUIRE(names.contains("layer 0 key norm") == (std::string(family) == "qwen3"));
      REQUIRE(names.contains("position embedding") == (std::string(family) == "gpt2"));
    }
}

TEST_CASE("tensors of models with an encoder have names of their own, and a shared table has one", "[training]") {
  for (const char* architecture : {"BertForMaskedLM", "BertForSequenceClassification", "BartForConditionalGeneration", "MarianMTModel"}) {
    const auto file = new_model(config_of({architecture, {}, architecture}), {}, 1);
    const bool is_bert = std::string(architecture).starts_with("Bert");
    std::set<std::string> names;
    uint64_t parameters = 0;
    for (const auto& [key, view] : keyed_tensors(file->tensors)) {
      names.insert(to_string(key));
      parameters += view->rows * view->columns;
    }
    INFO(architecture);
    CHECK(names.size() == keyed_tensors(file->tensors).size());
    CHECK(parameters == file->parameters);
    CHECK(names.contains("token embedding"));
    CHECK(!names.contains("encoder token embedding"));
    CHECK(shares_embedding(file->tensors) == !is_bert);
    CHECK(names.contains("segment embedding") == is_bert);
    CHECK(names.contains("output transform bias") == is_bert);
    CHECK(names.contains("output") == (std::string(architecture) == "BertForSequenceClassification"));
    CHECK(names.contains("output bias"));
    CHECK(names.contains("encoder layer 1 attention norm") == !is_bert);
    CHECK(names.contains("layer 1 cross-attention query bias") == !is_bert);
  }
}

TEST_CASE("a model that cannot be trained is refused with the reason", "[training]") {
  const auto refused = [](const char* architecture) {
    const auto file = new_model(config_of({"", {}, architecture}), {}, 1);
    try {
      trainable_builder(file->spec, file->tensors, 1);
    } catch (const input_error& error) {
      return std::string(error.what());
    }
    return std::string("it is not");
  };
  CHECK(refused("BertModel").find("training does not support a model that ends in hidden states") != std::string::npos);
  CHECK(refused("BertForQuestionAnswering").find("training does not support models that answer by spans") != std::string::npos);
  CHECK(refused("BertForMaskedLM") == "it is not");
}

TEST_CASE("the norm of gradients has the same bits however tensors are cut, and whatever the order of their squares", "[training]") {
  raw_bits bits{51};
  const sum_tree tree(37, 4);
  parameter whole({{2, tensor_role::up}, {0, 37}, 11}, {});
  for (uint32_t leaf = 0; leaf < tree.leaves(); ++leaf) whole.pieces.push_back(tree.rows_of({leaf, 1}));
  // Of so many sizes that sums of squares are not exact in float64.
  const auto any_size = [&] { return std::ldexp(bits.uniform(-1, 1), -int(bits.below(30))); };
  for (float& value : whole.gradient) value = any_size();
  parameter other({{0, tensor_role::final_norm}, {0, 9}, 1}, {{0, 9}});
  for (float& value : other.gradient) value = any_size();
  std::vector<piece_square> squares;
  append_squares(whole, squares);
  append_squares(other, squares);
  const double expected = norm_of(squares);
  double exact = 0;
  for (const auto* one : {&whole, &other})
    for (const float value : one->gradient) exact += double(value) * double(value);
  REQUIRE(expected == Approx(std::sqrt(exact)).epsilon(1e-14));
  for (uint32_t shards = 2; shards <= 9; ++shards) {
    squares.clear();
    append_squares(other, squares);
    for (uint32_t shard = shards; shard-- > 0;) {
      const range rows = tree.rows_of_shard(shards, shard);
      parameter part({whole.slice.key, rows, 11}, {});
      for (const tree_node node : tree.nodes_of(shards, shard))
        for (uint32_t leaf = node.first; leaf < node.first + node.leaves; ++leaf) part.pieces.push_back(tree.rows_of({leaf, 1}));
      std::copy_n(whole.gradient.begin() + ptrdiff_t(rows.first * 11), part.gradient.size(), part.gradient.begin());
      append_squares(part, squares);
    }
    REQUIRE(norm_of(squares) == expected);
  }
  // Few sums differ by their order alone, so some of many.
  for (int round = 0; round < 100; ++round) {
    for (size_t i = squares.size(); i > 1; --i) std::swap(squares[i - 1], squares[bits.below(i)]);
    REQUIRE(norm_of(squares) == expected);
  }
}
