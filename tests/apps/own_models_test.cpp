// apps/date_reader/model and apps/message_classifier/model: have they learned what their generators make up?
#include "apps/dates/date_text.hpp"
#include "apps/encoder_models.hpp"
#include "apps/support_messages/message.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using nlohmann::json;

namespace {

constexpr uint64_t texts = 400, seed = 3; // Of a seed that nothing was measured with before.

json evaluate(const std::string& name, const std::string& lines) {
  const std::string model = TROUPE_SOURCE_DIR "/apps/" + name + "/model";
  const auto result = run_troupe({"evaluate", "-m", model, "--data", write_temporary(lines, ".tsv"), "--json", "--threads", "2"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  return json::parse(result.out);
}

} // namespace

TEST_CASE("the date reader reads nearly all dates that it has never seen") {
  std::string lines;
  for (uint64_t i = 0; i < texts; ++i) {
    const auto made = dates::make_date_text(seed, i, generators::part::held_out);
    lines += made.source + "\t" + made.target + "\n";
  }
  const auto figures = evaluate("date_reader", lines);
  CHECK(figures.at("texts") == texts);
  CHECK(figures.at("exact_match") >= 0.99); // 99.5 % of ten thousand: README.md. Of 400 two more may be wrong by chance.
}

TEST_CASE("the message classifier gives nearly all messages that it has never seen their labels") {
  std::string lines;
  for (uint64_t i = 0; i < texts; ++i) {
    const auto made = support_messages::make_message(seed, i, generators::part::held_out);
    lines += made.text + "\t" + made.label + "\n";
  }
  const auto figures = evaluate("message_classifier", lines);
  CHECK(figures.at("texts") == texts);
  CHECK(figures.at("accuracy") >= 0.96); // 98 % of ten thousand: README.md.
  CHECK(figures.at("labels").size() == 12);
}
