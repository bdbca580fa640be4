// troupe classify, fill-mask, answer, embed: recorded results, and what they must do with any model.
#include "apps/encoder_models.hpp"
#include "model/formats/safetensors.hpp"
#include "support/catch.hpp"
#include <cctype>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <tuple>

using namespace troupe;
using namespace troupe::testing;
using nlohmann::json;

namespace {

outcome run_on(const std::string& command, const std::string& model, std::vector<std::string> more, std::string_view input = "") {
  std::vector<std::string> arguments{command, "-m", model, "--threads", "2"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_troupe(arguments, input);
}

/// The same output, whatever the work is cut into.
void check_same_when_cut_otherwise(const std::string& command, const std::string& model, std::vector<std::string> more,
                                   const std::string& out) {
  std::vector<std::string> arguments{command, "-m", model, "--threads", "1", "--shards", "3"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  CHECK(run_troupe(arguments).out == out);
}

/// The options for a recorded text, or pair of texts, cut as it was.
std::vector<std::string> options_for(const json& text, const json& golden) {
  std::vector<std::string> options{"--json", "--truncate-to", golden.at("max_length").dump(), text[0].get<std::string>()};
  if (!text[1].is_null()) options.insert(options.end(), {"--pair", text[1].get<std::string>()});
  return options;
}

/// A row of a recorded tensor.
std::vector<float> row_of(const safetensors_reader& file, const std::string& name, size_t row) {
  const auto all = file.floats(name);
  const size_t size = all.size() / file.get(name).shape.at(0);
  return {all.begin() + std::ptrdiff_t(row * size), all.begin() + std::ptrdiff_t((row + 1) * size)};
}

} // namespace

TEST_CASE("classify gives the recorded probabilities, the likeliest label first", "[conformance]") {
  const auto folder = recorded_model("bert_seqcls");
  if (folder.empty()) TROUPE_SKIP("no hf/bert_seqcls");
  const json golden = golden_of(folder);
  for (size_t i = 0; i < golden.at("texts").size(); ++i) {
    const auto options = options_for(golden["texts"][i], golden);
    const auto result = run_on("classify", folder.string(), options);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    const json labels = json::parse(result.out).at("labels");
    REQUIRE(labels.size() == 3);
    double before = 1;
    for (const auto& one : labels) {
      const size_t index = std::stoul(one.at("label").get<std::string>().substr(6)); // LABEL_0
      const double probability = one.at("probability");
      CHECK(std::abs(probability - golden.at("probabilities")[i][index].get<double>()) < 1e-5);
      CHECK(probability <= before);
      before = probability;
    }
    if (i == 1) check_same_when_cut_otherwise("classify", folder.string(), options, result.out);
  }
  const auto best = run_on("classify", folder.string(), {"--top", "1", golden["texts"][0][0].get<std::string>()});
  CHECK(best.out.starts_with("LABEL_2 0.4579"));
  CHECK(best.out.find('\t') == std::string::npos);
}

TEST_CASE("fill-mask gives the recorded five likeliest tokens for each mask", "[conformance]") {
  const auto folder = recorded_model("bert_mlm");
  if (folder.empty()) TROUPE_SKIP("no hf/bert_mlm");
  const json golden = golden_of(folder);
  size_t masks = 0;
  for (size_t row = 0; row < golden.at("texts").size(); ++row) {
    const auto options = options_for(golden["texts"][row], golden);
    const auto result = run_on("fill-mask", folder.string(), options);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    const json found = json::parse(result.out).at("masks");
    size_t place = 0;
    for (const auto& recorded : golden.at("fill_mask")) {
      if (recorded.at("row") != row) continue;
      REQUIRE(place < found.size());
      const json& mask = found[place++];
      CHECK(mask.at("position") == recorded.at("position"));
      REQUIRE(mask.at("tokens").size() == 5);
      for (size_t k = 0; k < 5; ++k) {
        CHECK(mask["tokens"][k].at("id") == recorded.at("top5_ids")[k]);
        CHECK(mask["tokens"][k].at("piece") == recorded.at("tokens")[k]);
        CHECK(std::abs(mask["tokens"][k].at("probability").get<double>() - recorded.at("probabilities")[k].get<double>()) < 1e-4);
      }
      ++masks;
    }
    if (row == 0) check_same_when_cut_otherwise("fill-mask", folder.string(), options, result.out);
  }
  CHECK(masks == golden.at("fill_mask").size());
}

TEST_CASE("answer gives the recorded spans, with their place in the context", "[conformance]") {
  const auto folder = recorded_model("distilbert_qa");
  if (folder.empty()) TROUPE_SKIP("no hf/distilbert_qa");
  const json golden = golden_of(folder);
  const safetensors_reader tensors(folder / "golden.safetensors");
  for (size_t i = 0; i < golden.at("texts").size(); ++i) {
    const auto question = golden["texts"][i][0].get<std::string>(), context = golden["texts"][i][1].get<std::string>();
    const std::vector<std::string> options{"--question", question, "--context", context, "--json", "--truncate", "--window",
                                           golden.at("max_length").dump()};
    const auto result = run_on("answer", folder.string(), options);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    const json found = json::parse(result.out);
    const json& span = golden.at("best_spans").at("spans")[i];
    CHECK(found.at("answer") == span.at("text"));
    const size_t start = found.at("start"), end = found.at("end");
    CHECK(context.substr(start, end - start) == span.at("text").get<std::string>());
    // The product of two softmaxes over [CLS] and the context, from the recorded numbers.
    const auto ids = tensors.integers("a.input_ids"), mask = tensors.integers("a.attention_mask");
    const size_t length = 30, separator = size_t(std::find(ids.begin() + std::ptrdiff_t(i * length), ids.end(), 3) - ids.begin()) % length;
    double score = 1;
    for (const char* name : {"start", "end"}) {
      const auto logits = row_of(tensors, std::string("a.") + name + "_logits", i);
      double sum = std::exp(double(logits[0]));
      for (size_t k = separator + 1; k < length; ++k)
        if (mask[i * length + k] != 0 && ids[i * length + k] != 3) sum += std::exp(double(logits[k]));
      score *= std::exp(double(logits[span.at(name).get<size_t>()])) / sum;
    }
    CHECK(std::abs(found.at("score").get<double>() - score) < 1e-4);
    if (i == 0) check_same_when_cut_otherwise("answer", folder.string(), options, result.out);
  }
}

TEST_CASE("embed gives the mean of the recorded hidden states, or the first", "[conformance]") {
  const auto folder = recorded_model("bert_mlm"); // With a head, which embed leaves aside.
  if (folder.empty()) TROUPE_SKIP("no hf/bert_mlm");
  const json golden = golden_of(folder);
  const safetensors_reader tensors(folder / "golden.safetensors");
  const auto text = golden.at("texts")[0][0].get<std::string>();
  const auto states = row_of(tensors, "a.last_hidden_state", 0);
  const auto mask = tensors.integers("a.attention_mask");
  for (const std::string how : {"mean", "cls"}) {
    const auto most = golden.at("max_length").dump();
    const auto result = run_on("embed", folder.string(), {"--json", "--pooling", how, "--truncate-to", most, text});
    REQUIRE(result.exit_code == 0);
    const auto vector = json::parse(result.out).at("embedding").get<std::vector<double>>();
    REQUIRE(vector.size() == 64);
    for (size_t column = 0; column < 64; ++column) {
      double sum = 0, count = 0;
      for (size_t k = 0; k < (how == "cls" ? 1u : 22u); ++k)
        if (mask[k] != 0) sum += states[k * 64 + column], ++count;
      CHECK(std::abs(vector[column] - sum / count) < 1e-4);
    }
  }
}

TEST_CASE("vectors of embed have length 1 where that is wanted, and the cosine of two texts is that of their vectors") {
  const auto model = word_reader("BertModel");
  const auto result = run_on("embed", model, {"--json", "--normalize", "a red kite", "the old house ."});
  REQUIRE(result.exit_code == 0);
  const auto found = json_lines_of(result.out);
  REQUIRE(found.size() == 2);
  std::vector<std::vector<double>> vectors;
  for (const auto& one : found) vectors.push_back(one.at("embedding"));
  double product = 0, length = 0;
  for (size_t i = 0; i < vectors[0].size(); ++i) {
    length += vectors[0][i] * vectors[0][i];
    product += vectors[0][i] * vectors[1][i];
  }
  CHECK(length == Approx(1));
  const auto compared = run_on("embed", model, {"--json", "--compare", "a red kite", "the old house ."});
  CHECK(json::parse(compared.out).at("cosine").get<double>() == Approx(product).margin(1e-6));
  CHECK(json::parse(run_on("embed", model, {"--json", "--compare", "a kite", "a kite"}).out).at("cosine").get<double>() == Approx(1));
  check_same_when_cut_otherwise("embed", model, {"--json", "--normalize", "a red kite", "the old house ."}, result.out);
}

namespace {

/// Writes a tensor of a model again, filled with a value.
void fill_tensor(const std::filesystem::path& folder, const std::string& name, float value) {
  std::vector<std::pair<safetensors_plan, std::vector<float>>> all;
  {
    const safetensors_reader before(folder / "model.safetensors");
    for (const auto& one : before.tensors()) all.emplace_back(safetensors_plan{one.name, one.type, one.shape}, before.floats(one.name));
  }
  std::vector<safetensors_plan> plan;
  for (auto& [of, values] : all) {
    plan.push_back(of);
    if (of.name == name) std::fill(values.begin(), values.end(), value);
  }
  safetensors_writer file(folder / "model.safetensors", plan);
  for (const auto& [of, values] : all) file.write(values);
  file.finish();
}

} // namespace

TEST_CASE("embed leaves the head aside: a head that is not finite changes nothing") {
  const std::tuple<const char*, const char*, std::vector<std::string>> heads[]{
    {"BertForMaskedLM", "cls.predictions.bias", {"fill-mask", "a [MASK]"}},
    {"BertForSequenceClassification", "classifier.bias", {"classify", "a kite"}},
    {"BertForQuestionAnswering", "qa_outputs.bias", {"answer", "a kite", "--context", "a house"}}};
  for (const auto& [model_class, bias, by_head] : heads) {
    INFO(model_class);
    const auto model = word_reader(model_class);
    const auto before = run_on("embed", model, {"a small red kite ."});
    REQUIRE(before.exit_code == 0);
    fill_tensor(model, bias, std::numeric_limits<float>::quiet_NaN());
    const auto after = run_on("embed", model, {"a small red kite ."});
    INFO(after.err);
    CHECK(after.exit_code == 0);
    CHECK(after.out == before.out);
    CHECK(run_on(by_head[0], model, {by_head.begin() + 1, by_head.end()}).exit_code == 1);
  }
}

TEST_CASE("classify gives probabilities of one class of all, of each by its own, or the values of a regression") {
  const auto labels_of = [](const char* changes) {
    const auto result = run_on("classify", word_reader("BertForSequenceClassification", changes), {"--json", "a red kite"});
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    return json::parse(result.out).at("labels");
  };
  const auto figures_of = [](const json& labels, const char* key) {
    std::map<std::string, double> figures;
    for (const auto& one : labels) figures[one.at("label")] = one.at(key);
    return figures;
  };
  constexpr const char* three = R"({"problem_type": "regression", "id2label": {"0": "x", "1": "y", "2": "z"}})";
  const auto values = labels_of(three);
  REQUIRE(values.size() == 3);
  CHECK(values[0].at("value") >= values[1].at("value"));
  CHECK_FALSE(values[0].contains("probability"));
  const auto logits = figures_of(values, "value");
  double sum = 0;
  for (const auto& [label, value] : logits) sum += std::exp(value);
  const auto of_all = figures_of(labels_of(R"({"id2label": {"0": "x", "1": "y", "2": "z"}})"), "probability");
  const auto by_own = figures_of(
    labels_of(R"({"problem_type": "multi_label_classification", "id2label": {"0": "x", "1": "y", "2": "z"}})"), "probability");
  for (const auto& [label, value] : logits) {
    CHECK(of_all.at(label) == Approx(std::exp(value) / sum).epsilon(1e-5));
    CHECK(by_own.at(label) == Approx(1 / (1 + std::exp(-value))).epsilon(1e-5));
  }
  // A single class: a probability, unless it is said to be a value.
  const double value = labels_of(R"({"num_labels": 1, "problem_type": "regression"})")[0].at("value");
  CHECK(labels_of(R"({"num_labels": 1})")[0].at("probability").get<double>() == Approx(1 / (1 + std::exp(-value))).epsilon(1e-5));
}

TEST_CASE("names of classes that do not fit the head are an error") {
  for (const auto& [names, reason] : {std::pair(R"({"0": "x", "1": "y"})", "has no name for class 2, and the head has 3 classes"),
                                     {R"({"0": "x", "1": "y", "2": "z", "3": "w"})", "has a name for class 3, and the head has 3 classes"},
                                     {R"({"x": 0, "y": 1, "z": 2})", "has no name for class 0"},
                                     {R"(["x", "y", "z"])", "id2label"}}) {
    const auto folder = std::filesystem::path(word_reader("BertForSequenceClassification", R"({"num_labels": 3})"));
    json config = json::parse(std::ifstream(folder / "config.json"));
    config["id2label"] = json::parse(names);
    std::ofstream(folder / "config.json") << config.dump();
    const auto result = run_on("classify", folder.string(), {"a kite"});
    INFO(result.err);
    CHECK(result.exit_code == 3);
    CHECK_THAT(result.err, ContainsSubstring("config.json: id2label"));
    CHECK_THAT(result.err, ContainsSubstring(reason));
  }
}

TEST_CASE("a generation_config.json that cannot be meant stops no command that does not decode") {
  const auto folder = std::filesystem::path(word_reader("BertForMaskedLM"));
  for (const char* text :
       {R"({"max_length": 0, "num_beams": 2000, "forced_eos_token_id": [1, 2]})", R"({"eos_token_id": -5})", "[1]", "{"}) {
    INFO(text);
    std::ofstream(folder / "generation_config.json") << text;
    const auto result = run_on("embed", folder.string(), {"a kite"});
    INFO(result.err);
    CHECK(result.exit_code == 0);
    for (const std::string command : {"tokenize", "inspect"}) {
      std::vector<std::string> arguments{command, "-m", folder.string()};
      if (command == "tokenize") arguments.insert(arguments.end(), {"--text", "a kite"});
      CHECK(run_troupe(arguments).exit_code == 0);
    }
  }
}

TEST_CASE("an answer is widened to whole words, and spans of the same words are one") {
  const auto model = word_reader("BertForQuestionAnswering");
  const std::string context = "kites houses, kites houses";
  const auto result = run_on("answer", model, {"--json", "--question", "the kite", "--context", context, "--top", "1000"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  std::set<std::pair<size_t, size_t>> places;
  const json found = json::parse(result.out);
  for (const auto& one : found.at("answers")) {
    const size_t start = one.at("start"), end = one.at("end");
    CHECK(places.emplace(start, end).second);
    for (const size_t at : {start, end}) { // The comma is a word of its own.
      INFO(at);
      const bool is_inside = at > 0 && at < context.size() && std::isalpha(context[at - 1]) && std::isalpha(context[at]);
      CHECK_FALSE(is_inside);
    }
  }
  CHECK(places.size() == 5 * 6 / 2);
}

TEST_CASE("lines of stdin are answered in order; an empty one and one that is too long fail alone") {
  std::string lengthy = "a";
  for (int i = 0; i < 70; ++i) lengthy += " kite";
  const auto model = word_reader("BertModel");
  const auto result = run_on("embed", model, {"--json"}, "a kite\n\n" + lengthy + "\nthe house\n");
  CHECK(result.exit_code == 1);
  const auto found = json_lines_of(result.out);
  REQUIRE(found.size() == 4);
  CHECK(found[0].contains("embedding"));
  CHECK(found[1].at("error") == "the text is empty");
  CHECK(found[2].at("error") == "the text has 73 tokens, the model takes 64: --truncate cuts what is longer");
  CHECK(found[3].contains("embedding"));
  CHECK_THAT(result.err, ContainsSubstring("embed: text 2: the text is empty"));
  // As lines, they keep their places.
  const auto lines = run_on("embed", model, {}, "a kite\n\n" + lengthy + "\nthe house\n");
  CHECK(lines.exit_code == 1);
  CHECK(lines.err == result.err);
  CHECK(lines.out == run_on("embed", model, {"a kite"}).out + "\n\n" + run_on("embed", model, {"the house"}).out);
  const auto cut = run_on("embed", model, {"--json", "--truncate"}, lengthy + "\n");
  CHECK(cut.exit_code == 0);
  CHECK(json::parse(cut.out).contains("embedding"));
  const auto none = run_on("embed", model, {});
  CHECK(none.exit_code == 3);
  CHECK_THAT(none.err, ContainsSubstring("not one line"));
}

TEST_CASE("fill-mask says each mask's likeliest tokens, and refuses a text without a mask") {
  const auto model = word_reader("BertForMaskedLM");
  const auto result = run_on("fill-mask", model, {"--json", "--top", "3", "a [MASK] kite flew over [MASK] ."});
  REQUIRE(result.exit_code == 0);
  const auto masks = json::parse(result.out).at("masks");
  REQUIRE(masks.size() == 2);
  CHECK(masks[0].at("position") == 2);
  CHECK(masks[1].at("position") == 6);
  CHECK(masks[0].at("tokens").size() == 3);
  CHECK(masks[0]["tokens"][0].at("probability") >= masks[0]["tokens"][1].at("probability"));
  const auto none = run_on("fill-mask", model, {"a red kite"});
  CHECK(none.exit_code == 1);
  CHECK(none.err == "troupe: fill-mask: the text has no [MASK]\n");
}

TEST_CASE("a context that is longer than the model takes is read in windows, and offsets are bytes of all of it") {
  const auto model = word_reader("BertForQuestionAnswering");
  std::string context;
  for (int i = 0; i < 40; ++i) context += "Über the old house a kite . ";
  const auto result = run_on("answer", model, {"--json", "--question", "the red kite", "--context", context, "--top", "5"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const json found = json::parse(result.out);
  REQUIRE(found.at("answers").size() == 5);
  CHECK(found["answers"][0].at("start") == found.at("start"));
  double before = 1;
  for (const auto& one : found["answers"]) {
    const size_t start = one.at("start"), end = one.at("end");
    CHECK(context.substr(start, end - start) == one.at("answer").get<std::string>());
    CHECK(one.at("score").get<double>() <= before);
    before = one.at("score");
  }
  // The first window does not reach the end; all windows together find at least as good a span.
  const auto first = run_on("answer", model, {"--json", "--question", "the red kite", "--context", context, "--truncate"});
  CHECK(json::parse(first.out).at("score") <= found.at("score"));
  CHECK(json::parse(first.out).at("end").get<size_t>() < 64 * 6);
  const auto narrow = run_on("answer", model, {"--question", "the red kite", "--context", context, "--window", "6"});
  CHECK(narrow.exit_code == 1);
  CHECK_THAT(narrow.err, ContainsSubstring("the question has 6 tokens with the special ones"));
}

TEST_CASE("a model of several files whose index lies, or that lacks one of them, ends with 3 and the file's name") {
  const auto folder = std::filesystem::path(word_reader("BertModel"));
  std::filesystem::rename(folder / "model.safetensors", folder / "model-1.safetensors");
  const auto index = [&](const char* map) { std::ofstream(folder / "model.safetensors.index.json") << R"({"weight_map": )" << map << "}"; };
  index(R"({"nowhere.weight": "model-1.safetensors"})");
  const auto lies = run_on("embed", folder.string(), {"a kite"});
  CHECK(lies.exit_code == 3);
  CHECK_THAT(lies.err, ContainsSubstring("nowhere.weight"));
  index(R"({"nowhere.weight": "model-1.safetensors", "elsewhere.weight": "model-2.safetensors"})");
  const auto lacks = run_on("embed", folder.string(), {"a kite"});
  CHECK(lacks.exit_code == 3);
  CHECK_THAT(lacks.err, ContainsSubstring("model-2.safetensors"));
}
