// The models of apps/date_reader, message_classifier and digit_reader: have they learned what their generators make up?
#include "apps/dates/date_text.hpp"
#include "apps/digits/digit_image.hpp"
#include "apps/digits/image_folder.hpp"
#include "apps/encoder_models.hpp"
#include "apps/support_messages/message.hpp"
#include "support/catch.hpp"
#include <functional>

using namespace troupe;
using namespace troupe::testing;
using nlohmann::json;

namespace {

constexpr uint64_t texts = 400, seed = 3; // Of a seed that nothing was measured with before.

json evaluate(const std::string& name, const std::string& data, const char* what = "texts") {
  const std::string model = TROUPE_SOURCE_DIR "/apps/" + name + "/model";
  const auto result = run_troupe({"evaluate", "-m", model, "--data", data, "--json", "--threads", "2"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const json figures = json::parse(result.out);
  CHECK(figures.at(what) == texts);
  return figures;
}

/// line: one of the data, by its number.
json evaluate(const std::string& name, const std::function<std::string(uint64_t index)>& line) {
  std::string lines;
  for (uint64_t i = 0; i < texts; ++i) lines += line(i) + "\n";
  return evaluate(name, write_temporary(lines, ".tsv"));
}

} // namespace

TEST_CASE("the date reader reads nearly all dates that it has never seen") {
  const auto figures = evaluate("date_reader", [](uint64_t index) {
    const auto made = dates::make_date_text(seed, index, generators::part::held_out);
    return made.source + "\t" + made.target;
  });
  CHECK(figures.at("exact_match") >= 0.99); // 99.9 % of ten thousand: README.md. Some of 400 may be wrong by chance.
}

TEST_CASE("the message classifier gives nearly all messages that it has never seen their labels") {
  const auto figures = evaluate("message_classifier", [](uint64_t index) {
    const auto made = support_messages::make_message(seed, index, generators::part::held_out);
    return made.text + "\t" + made.label;
  });
  CHECK(figures.at("accuracy") >= 0.96); // 99.8 % of ten thousand.
  CHECK(figures.at("labels").size() == 12);
}

TEST_CASE("the digit reader reads nearly all digits that it has never seen") {
  const auto folder = temporary_folder() / "digits";
  digits::image_folder images(folder);
  constexpr uint32_t size = 28;
  for (uint64_t i = 0; i < texts; ++i) {
    const auto made = digits::make_digit_image(seed, i, size);
    images.write(made.digit, i, digits::grey_png(made.pixels, size));
  }
  images.commit();
  const auto figures = evaluate("digit_reader", folder, "images");
  CHECK(figures.at("accuracy") >= 0.96); // 99.8 % of ten thousand.
  CHECK(figures.at("labels").size() == 10);
}
