// troupe evaluate: figures of answers beside those that are right.
#include "apps/encoder_models.hpp"
#include "model/testing/tiny_folder.hpp"
#include "support/catch.hpp"

using namespace troupe::testing;
using Catch::Matchers::WithinAbs;
using nlohmann::json;

namespace {

const std::string date_reader = TROUPE_SOURCE_DIR "/apps/date_reader/model";

outcome evaluate(const std::string& model, const std::string& lines, std::vector<std::string> more = {}) {
  std::vector<std::string> arguments{"evaluate", "-m", model, "--data", write_temporary(lines, ".tsv"), "--threads", "2"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_troupe(arguments);
}

/// The label that classify gives a text.
std::string label_of(const std::string& model, const std::string& text) {
  const auto result = run_troupe({"classify", "-m", model, "--json", "--top", "1", "--quiet", text});
  REQUIRE(result.exit_code == 0);
  return json::parse(result.out).at("labels").at(0).at("label");
}

} // namespace

TEST_CASE("evaluate counts target texts that are right, and shows those that are wrong") {
  const std::string lines = "am 3. März 2021\t2021-03-03\n\nJuly 29, 1997\t1997-07-29\r\n1 May 2001\t2001-05-02\n"
                            "24 dicembre 1999\t1999-12-24\n";
  const auto plain = evaluate(date_reader, lines, {"--errors"});
  INFO(plain.err);
  REQUIRE(plain.exit_code == 0);
  CHECK(plain.out.starts_with("1 May 2001\t2001-05-02\t2001-05-01\ntexts        4\nexact match  75.00 %\nBLEU  "));
  const auto result = evaluate(date_reader, lines, {"--errors", "--json", "--beams", "3"});
  const auto objects = json_lines_of(result.out);
  REQUIRE(objects.size() == 2);
  CHECK(objects[0] == json{{"text", "1 May 2001"}, {"right", "2001-05-02"}, {"given", "2001-05-01"}});
  CHECK(objects[1].at("texts") == 4);
  CHECK(objects[1].at("exact_match") == 0.75);
  CHECK_THAT(objects[1].at("chrf").get<double>(), WithinAbs(96.4765, 1e-3)); // By the formula, one character of 40 is wrong.
  CHECK(objects[1].at("bleu").get<double>() < 100);
}

TEST_CASE("evaluate counts labels that are right: accuracy, and of each label precision, recall and F1") {
  const auto model = word_reader("BertForSequenceClassification");
  const std::string text = "a small red kite", given = label_of(model, text);
  const std::string other = given == "LABEL_0" ? "LABEL_1" : "LABEL_0";
  const std::string right = text + "\t" + given + "\n", lines = right + right + right + text + "\t" + other + "\n";
  const auto result = evaluate(model, lines, {"--json"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const json figures = json::parse(result.out);
  CHECK(figures.at("texts") == 4);
  CHECK(figures.at("accuracy") == 0.75);
  for (const auto& one : figures.at("labels")) {
    if (one.at("label") == given)
      CHECK(one == json{{"label", given}, {"texts", 3}, {"precision", 0.75}, {"recall", 1.0}, {"f1", 1.5 / 1.75}});
    else if (one.at("label") == other)
      CHECK(one == json{{"label", other}, {"texts", 1}, {"precision", 0.0}, {"recall", 0.0}, {"f1", 0.0}});
    else CHECK(one.at("texts") == 0);
  }
  CHECK_THAT(figures.at("macro_f1").get<double>(), WithinAbs(1.5 / 1.75 / 2, 1e-12));
  const auto plain = evaluate(model, lines, {"--errors"});
  CHECK(plain.out.starts_with(text + "\t" + other + "\t" + given + "\ntexts     4\naccuracy  75.00 %\n"));
}

TEST_CASE("evaluate refuses data and models that it cannot judge, with one clear error") {
  const auto model = word_reader("BertForSequenceClassification");
  const auto check = [](const outcome& result, const std::string& reason) {
    CHECK(result.exit_code == 3);
    CHECK(result.out.empty());
    CHECK_THAT(result.err, ContainsSubstring(reason));
  };
  check(evaluate(model, "a small red kite\tspam\n"), "line 1");
  check(evaluate(model, "a small red kite\n"), "line 1");
  check(evaluate(model, "\n"), "there is no");
  check(evaluate(write_tiny_folder(), "a\tb\n"),
        "only models that translate or classify can be evaluated; this one is for `troupe generate`");
  check(run_troupe({"evaluate", "-m", model, "--data", "/nowhere/x.tsv"}), "/nowhere/x.tsv");
  CHECK(run_troupe({"evaluate", "-m", model}).exit_code == 2);
}

TEST_CASE("a text that cannot be served is not counted, and told") {
  const auto model = word_reader("BertForSequenceClassification");
  std::string longest;
  for (int i = 0; i < 80; ++i) longest += "kite ";
  const std::string label = label_of(model, "kite"), lines = longest + "\t" + label + "\nkite\t" + label + "\n";
  const auto result = evaluate(model, lines, {"--json"});
  CHECK(result.exit_code == 1);
  CHECK_THAT(result.err, ContainsSubstring("text 1: the text has 82 tokens"));
  CHECK(json::parse(result.out).at("texts") == 1);
  const auto cut = evaluate(model, lines, {"--json", "--truncate"});
  CHECK(cut.exit_code == 0);
  CHECK(json::parse(cut.out).at("texts") == 2);
}

TEST_CASE("wrong answers are shown in the order of the texts, however soon each is finished") {
  std::string lines, wanted; // Long ones first: they take longest.
  for (int words = 7; words >= 1; --words) {
    std::string text;
    for (int i = 0; i < words * words; ++i) text += i > 0 ? " kite" : "kite";
    lines += text + "\tspam\n";
    wanted += text + "\tspam\tham\n";
  }
  const auto model = word_reader("BertForSequenceClassification", R"({"id2label": {"0": "ham", "1": "spam"}, "num_labels": 2})");
  const auto result = evaluate(model, lines, {"--errors"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(label_of(model, "kite") == "ham");
  CHECK(result.out.substr(0, wanted.size()) == wanted);
}
