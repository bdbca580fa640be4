// apps/troupe/train/progress: what is shown of training, at made-up times on a made-up terminal.
#include "apps/troupe/cli/columns.hpp"
#include "apps/troupe/train/progress.hpp"
#include "model/error.hpp"
#include "model/utf8.hpp"
#include "support/catch.hpp"
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

using namespace troupe;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

using time_point = training_progress::time_point;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// A terminal that understands as much as is used: "\r", "\x1b[K" and "\n".
struct screen {
  std::vector<std::string> writes;
  std::vector<std::string> finished; // Lines that were ended.
  std::string line;                  // Where the cursor is.
  size_t widest = 0;
  bool at_beginning = true;

  void write(std::string_view text) {
    writes.emplace_back(text);
    for (size_t at = 0; at < text.size(); ++at) {
      if (text[at] == '\n') {
        finished.push_back(line);
        line.clear();
      } else if (text[at] == '\r') {
        at_beginning = true;
      } else if (text.substr(at, 3) == "\x1b[K") {
        if (at_beginning) line.clear();
        at += 2;
      } else {
        line += text[at];
        at_beginning = false;
        if (is_utf8(line)) widest = std::max(widest, terminal_columns(line));
      }
    }
  }
  progress_writer writer() {
    return [this](std::string_view text) { write(text); };
  }
};

constexpr time_point start{};

progress_options terminal(uint32_t columns) { return {progress_mode::terminal, columns}; }

training_figures figures(double loss = 2, uint64_t hits = 4, uint64_t attempts = 1) {
  training_figures one;
  one.update = 500;
  one.loss = loss;
  one.targets = 10;
  one.hits = hits;
  one.rows = 100;
  one.gradient_norm = 0.5;
  one.rate = 3e-4;
  one.attempts = attempts;
  return one;
}

target_means means(double loss, uint64_t hits) {
  target_means all;
  all.add(figures(loss, hits));
  return all;
}

json only_line(const std::string& text) {
  REQUIRE(!text.empty());
  CHECK(text.find('\n') == text.size() - 1);
  return json::parse(text);
}

} // namespace

TEST_CASE("an epoch's line shows what is done, the time left, the speed, means over targets and the latest rate and norm") {
  screen seen;
  training_progress progress(terminal(140), seen.writer());
  progress.begin_epoch(start, 2, 10, 8);
  CHECK(seen.line == "Epoch  2/10  0/8 [..............................]");
  progress.step(start + 5s, figures()); // Warms up.
  CHECK(seen.line == "Epoch  2/10  1/8 [===>..........................]  loss 2.0000  acc 0.400  rate 3.0e-04  norm 0.50");
  progress.step(start + 5s + 200ms, figures(1, 5));
  CHECK(seen.line == "Epoch  2/10  2/8 [=======>......................]  0:01 left  200 ms/step  500 tok/s  loss 1.5000  acc 0.450  "
                     "rate 3.0e-04  norm 0.50");
  auto more = figures(4, 0);
  more.targets = 80; // Counts four times as much as those before.
  more.rate = 1e-5;
  more.gradient_norm = 12.345;
  progress.step(start + 5s + 600ms, more);
  CHECK(seen.line == "Epoch  2/10  3/8 [===========>..................]  0:02 left  300 ms/step  333 tok/s  loss 3.5000  acc 0.090  "
                     "rate 1.0e-05  norm 12.35");
  CHECK(seen.finished.empty());
}

TEST_CASE("the line of a finished epoch stays, with the epoch's time and its validation") {
  screen seen;
  training_progress progress(terminal(140), seen.writer());
  progress.begin_epoch(start, 1, 2, 2);
  progress.step(start + 31s, figures());
  progress.step(start + 61s, figures());
  progress.end_epoch(start + 63s, means(2.2, 4));
  CHECK(seen.finished == std::vector<std::string>{"Epoch 1/2  2/2 [====]  63 s  30.0 s/step  3.3 tok/s  loss 2.0000  acc 0.400  "
                                                  "val_loss 2.2000  val_ppl 9.03  val_acc 0.400"});
  CHECK(seen.line.empty());
  progress.begin_epoch(start + 64s, 2, 2, 2);
  CHECK(seen.line == "Epoch 2/2  0/2 [..............................]  1:00 left  30.0 s/step  3.3 tok/s");
  progress.step(start + 65s, figures(3));
  progress.step(start + 66s, figures(3));
  progress.end_epoch(start + 66s);
  CHECK(seen.finished.back() == "Epoch 2/2  2/2 [====]  2.0 s  1000 ms/step  100 tok/s  loss 3.0000  acc 0.400");
}

TEST_CASE("the first step and steps that needed several attempts do not count for the time left") {
  screen seen;
  training_progress progress(terminal(140), seen.writer());
  progress.begin_epoch(start, 1, 1, 100);
  auto now = start;
  progress.step(now += 60s, figures());
  CHECK_THAT(seen.line, !ContainsSubstring("left")); // Nothing that counts yet.
  progress.step(now += 1s, figures());
  CHECK_THAT(seen.line, ContainsSubstring("1:38 left  1000 ms/step  100 tok/s"));
  progress.step(now += 600s, figures(2, 4, 3));
  CHECK_THAT(seen.line, ContainsSubstring("1:37 left  1000 ms/step  100 tok/s"));
  CHECK_THAT(seen.line, ContainsSubstring("2 recoveries"));
  progress.step(now += 3s, figures());
  CHECK_THAT(seen.line, ContainsSubstring("3:12 left  2000 ms/step  50 tok/s")); // 96 of 2 s.

  SECTION("nor does a validation") {
    progress.validation(now += 1000s, means(2, 4));
    progress.step(now += 2s, figures());
    CHECK_THAT(seen.line, ContainsSubstring("3:10 left  2000 ms/step"));
  }
  SECTION("while a step takes long it goes down, to the time of the steps behind it") {
    progress.tick(now + 1s);
    CHECK_THAT(seen.line, ContainsSubstring("3:11 left"));
    progress.tick(now + 100s);
    CHECK_THAT(seen.line, ContainsSubstring("3:10 left"));
  }
}

TEST_CASE("an epoch in which no step counts shows the time of all its steps once it is over") {
  screen seen;
  training_progress progress(terminal(140), seen.writer());
  progress.begin_epoch(start, 1, 1, 1);
  progress.step(start + 2s, figures());
  progress.end_epoch(start + 2s);
  CHECK(seen.finished.back() == "Epoch 1/1  1/1 [====]  2.0 s  2000 ms/step  50 tok/s  loss 2.0000  acc 0.400");
}

TEST_CASE("recoveries are counted within their epoch, and shown only if there were any") {
  screen seen;
  training_progress progress(terminal(160), seen.writer());
  progress.begin_epoch(start, 1, 2, 2);
  progress.step(start + 1s, figures());
  CHECK_THAT(seen.line, !ContainsSubstring("recover"));
  progress.step(start + 2s, figures(2, 4, 2));
  CHECK_THAT(seen.line, ContainsSubstring("  1 recovery"));
  CHECK_THAT(seen.line, !ContainsSubstring("recoveries"));
  progress.end_epoch(start + 2s, means(2, 4));
  CHECK_THAT(seen.finished.back(), ContainsSubstring("acc 0.400  1 recovery  val_loss"));
  progress.begin_epoch(start + 2s, 2, 2, 1);
  progress.step(start + 3s, figures());
  CHECK_THAT(seen.line, !ContainsSubstring("recover"));
}

TEST_CASE("a validation within an epoch stands above the bar") {
  screen seen;
  training_progress progress(terminal(140), seen.writer());
  progress.begin_epoch(start, 1, 2, 4);
  progress.step(start + 1s, figures());
  const std::string before = seen.line;
  progress.validation(start + 2s, means(1, 5));
  CHECK(seen.finished == std::vector<std::string>{"Epoch 1/2  1/4  val_loss 1.0000  val_ppl 2.72  val_acc 0.500"});
  CHECK(seen.line == before);
}

TEST_CASE("the line is redrawn at most every 50 ms") {
  screen seen;
  training_progress progress(terminal(140), seen.writer());
  progress.begin_epoch(start, 1, 1, 100'000);
  for (int step = 1; step <= 10'000; ++step) progress.step(start + step * 1ms, figures());
  CHECK(seen.writes.size() == 1 + 10'000 / 50);
  CHECK_THAT(seen.line, ContainsSubstring(" 10000/100000 ["));
  progress.tick(start + 10'049ms);
  CHECK(seen.writes.size() == 1 + 10'000 / 50);
  progress.step(start + 10'051ms, figures());
  CHECK(seen.writes.size() == 2 + 10'000 / 50);

  SECTION("and not at all while nothing changes") {
    progress.tick(start + 10'102ms);
    CHECK(seen.writes.size() == 2 + 10'000 / 50);
  }
  SECTION("but at once when it was wiped for other lines") {
    progress.clear();
    CHECK(seen.line.empty());
    progress.tick(start + 10'052ms);
    CHECK_THAT(seen.line, ContainsSubstring(" 10001/100000 ["));
    CHECK(seen.finished.empty());
  }
}

TEST_CASE("no line is wider than the terminal, and what matters most is left out last") {
  for (uint32_t columns = 0; columns <= 160; ++columns) {
    INFO(columns << " columns");
    screen seen;
    {
      training_progress progress(terminal(columns), seen.writer());
      progress.begin_epoch(start, 99, 100, 123'456, 100'000);
      progress.step(start + 1s, figures(1e300));
      progress.step(start + 2s, figures(-infinity, 10, 1000));
      progress.step(start + 3s, figures(1.5));
      progress.validation(start + 4s, means(2.5, 3));
      progress.end_epoch(start + 9000s, means(700, 3));
    }
    CHECK(seen.widest <= (columns > 0 ? columns - 1 : 0));
    for (const auto& text : seen.writes) CHECK(is_utf8(text));
  }
  const auto line_of = [](uint32_t columns) {
    screen seen;
    training_progress progress(terminal(columns), seen.writer());
    progress.begin_epoch(start, 2, 10, 400, 121);
    progress.step(start + 1s, figures());
    progress.step(start + 2s, figures(2, 4, 2));
    progress.step(start + 3s, figures());
    const std::string line = seen.line;
    progress.clear();
    return line;
  };
  CHECK(line_of(80) == "Epoch  2/10  124/400 [==>......]  4:36 left  loss 2.0000  acc 0.400  1 recovery");
  CHECK(line_of(78) == "Epoch  2/10  124/400  4:36 left  loss 2.0000  acc 0.400  1 recovery");
  CHECK(line_of(66) == "Epoch  2/10  124/400  4:36 left  loss 2.0000  1 recovery");
  CHECK(line_of(50) == "Epoch  2/10  124/400  4:36 left  loss 2.0000");
  CHECK(line_of(40) == "Epoch  2/10  124/400  loss 2.0000");
  CHECK(line_of(30) == "Epoch  2/10  124/400");
  CHECK(line_of(10) == "Epoch  2…");
}

TEST_CASE("the bar of a finished epoch and its validation take two lines where one is too short") {
  screen seen;
  training_progress progress(terminal(80), seen.writer());
  progress.begin_epoch(start, 2, 10, 400, 398);
  progress.step(start + 1s, figures());
  progress.step(start + 2s, figures());
  progress.end_epoch(start + 3s, means(2.2, 4));
  CHECK(seen.finished == std::vector<std::string>{
          "Epoch  2/10  400/400 [====]  3.0 s  1000 ms/step  loss 2.0000  acc 0.400",
          "             val_loss 2.2000  val_ppl 9.03  val_acc 0.400"});
}

TEST_CASE("the bar does not grow again within an epoch") {
  screen seen;
  training_progress progress(terminal(100), seen.writer());
  const auto cells = [&] { return seen.line.find(']') - seen.line.find('['); };
  progress.begin_epoch(start, 1, 2, 4);
  progress.step(start + 1s, figures());
  progress.step(start + 700s, figures(1e9));
  const size_t narrow = cells();
  progress.step(start + 701s, figures());
  CHECK(cells() == narrow);
  progress.end_epoch(start + 701s);
  progress.begin_epoch(start + 702s, 2, 2, 4);
  CHECK(cells() == 31);
}

TEST_CASE("losses, norms and rates that are not finite are shown as such") {
  screen seen;
  training_progress progress(terminal(140), seen.writer());
  progress.begin_epoch(start, 1, 1, 4);
  auto bad = figures(-not_a_number);
  bad.gradient_norm = infinity;
  bad.rate = not_a_number;
  progress.step(start + 1s, bad);
  CHECK_THAT(seen.line, ContainsSubstring("loss nan  acc 0.400  rate nan  norm inf"));
  progress.end_epoch(start + 2s, means(infinity, 0));
  CHECK_THAT(seen.finished.back(), ContainsSubstring("loss nan  acc 0.400  val_loss inf  val_ppl inf  val_acc 0.000"));
  CHECK_THAT(seen.finished.back(), !ContainsSubstring("-nan"));

  SECTION("and as null in JSON") {
    screen lines;
    training_progress objects({progress_mode::json, 80}, lines.writer());
    objects.begin_epoch(start, 1, 1, 4);
    objects.step(start + 1s, bad);
    const json step = only_line(lines.writes.at(0));
    CHECK(step.at("loss").is_null());
    CHECK(step.at("epoch_loss").is_null());
    CHECK(step.at("rate").is_null());
    CHECK(step.at("gradient_norm").is_null());
    CHECK(step.at("accuracy") == 0.4);
  }
}

TEST_CASE("a step without targets changes no mean and shows none") {
  screen seen;
  training_progress progress(terminal(140), seen.writer());
  progress.begin_epoch(start, 1, 1, 4);
  auto nothing = figures(not_a_number, 0);
  nothing.targets = 0;
  progress.step(start + 1s, nothing);
  CHECK_THAT(seen.line, !ContainsSubstring("loss"));
  progress.step(start + 2s, figures());
  CHECK_THAT(seen.line, ContainsSubstring("loss 2.0000  acc 0.400"));
}

TEST_CASE("times, speeds and steps of any size read well") {
  const auto fields_of = [](std::chrono::nanoseconds step, uint64_t rows) {
    screen seen;
    training_progress progress(terminal(160), seen.writer());
    progress.begin_epoch(start, 1, 1, 102);
    auto one = figures();
    one.rows = rows;
    progress.step(start, one);
    progress.step(start + std::max<std::chrono::nanoseconds>(step, 50ms), one); // Drawn in any case,
    progress.begin_epoch(start, 1, 1, 102);                                     // and for the estimate only this counts:
    for (int i = 1; i <= 2; ++i) progress.step(start + i * step, one);
    progress.clear();
    progress.tick(start + 2 * step);
    const size_t from = seen.line.find("]  ") + 3;
    return seen.line.substr(from, seen.line.find("  loss") - from);
  };
  CHECK(fields_of(20us, 1) == "0:00 left  0.02 ms/step  50.0 k tok/s");
  CHECK(fields_of(4500us, 1000) == "0:00 left  4.5 ms/step  222 k tok/s");
  CHECK(fields_of(20ms, 5) == "0:02 left  20 ms/step  250 tok/s");
  CHECK(fields_of(152ms, 790) == "0:15 left  152 ms/step  5.2 k tok/s");
  CHECK(fields_of(1s, 3'456'789) == "1:40 left  1000 ms/step  3.5 M tok/s");
  CHECK(fields_of(72s, 10) == "2:00:00 left  72.0 s/step  0.1 tok/s");
  CHECK(fields_of(36h, 10) == "3600:00:00 left  129600.0 s/step  0.0 tok/s");
}

TEST_CASE("without a terminal there is a line for each epoch, one for each validation, and one every ten seconds") {
  screen seen;
  training_progress progress({progress_mode::lines, 20}, seen.writer());
  progress.begin_epoch(start, 1, 2, 25);
  for (int step = 1; step <= 25; ++step) progress.step(start + step * 1s, figures());
  progress.end_epoch(start + 26s, means(2.2, 4));
  progress.begin_epoch(start + 26s, 2, 2, 3);
  progress.step(start + 27s, figures());
  progress.validation(start + 28s, means(1, 5));
  progress.tick(start + 100s);
  progress.step(start + 29s, figures());
  progress.step(start + 30s, figures(2, 4, 2));
  progress.end_epoch(start + 30s);
  CHECK(seen.finished == std::vector<std::string>{
          "Epoch 1/2  10/25  0:15 left  1000 ms/step  100 tok/s  loss 2.0000  acc 0.400  rate 3.0e-04  norm 0.50",
          "Epoch 1/2  20/25  0:05 left  1000 ms/step  100 tok/s  loss 2.0000  acc 0.400  rate 3.0e-04  norm 0.50",
          "Epoch 1/2  25/25  26 s  1000 ms/step  100 tok/s  loss 2.0000  acc 0.400  val_loss 2.2000  val_ppl 9.03  val_acc 0.400",
          "Epoch 2/2  1/3  val_loss 1.0000  val_ppl 2.72  val_acc 0.500",
          "Epoch 2/2  3/3  4.0 s  1000 ms/step  100 tok/s  loss 2.0000  acc 0.400  1 recovery"});
  for (const auto& text : seen.writes) CHECK(text.find_first_of("\r\x1b") == std::string::npos);
}

TEST_CASE("JSON progress is an object a line for each step and validation, with the documented members") {
  screen seen;
  training_progress progress({progress_mode::json, 20}, seen.writer());
  progress.begin_epoch(start, 2, 3, 10, 5);
  progress.step(start + 500ms, figures());
  progress.step(start + 750ms, figures(1, 2, 3));
  progress.validation(start + 2s, means(0, 10));
  progress.tick(start + 100s);
  progress.end_epoch(start + 3s, means(0.5, 1));
  REQUIRE(seen.writes.size() == 4);
  CHECK(only_line(seen.writes[1])
        == json{{"event", "step"}, {"epoch", 2}, {"epochs", 3}, {"step", 7}, {"steps", 10}, {"update", 500}, {"loss", 1.0},
                {"accuracy", 0.2}, {"epoch_loss", 1.5}, {"epoch_accuracy", 0.3}, {"targets", 10}, {"rows", 100}, {"rate", 3e-4},
                {"gradient_norm", 0.5}, {"seconds", 0.25}, {"attempts", 3}});
  CHECK(only_line(seen.writes[2])
        == json{{"event", "validation"}, {"epoch", 2}, {"epochs", 3}, {"step", 7}, {"steps", 10}, {"update", 500}, {"loss", 0.0},
                {"perplexity", 1.0}, {"accuracy", 1.0}, {"targets", 10}, {"seconds", 1.25}});
  CHECK(only_line(seen.writes[3]).at("loss") == 0.5);
}

TEST_CASE("no progress means no text") {
  screen seen;
  {
    training_progress progress({progress_mode::none, 80}, seen.writer());
    progress.begin_epoch(start, 1, 1, 2);
    progress.step(start + 20s, figures());
    progress.validation(start + 20s, means(1, 1));
    progress.step(start + 40s, figures());
    progress.end_epoch(start + 60s, means(1, 1));
  }
  CHECK(seen.writes.empty());
}

TEST_CASE("progress that ends early leaves its line and ends it") {
  screen seen;
  {
    training_progress progress(terminal(140), seen.writer());
    progress.begin_epoch(start, 1, 2, 4);
    progress.step(start + 1s, figures());
  }
  REQUIRE(seen.finished.size() == 1);
  CHECK_THAT(seen.finished[0], ContainsSubstring("1/4"));
  CHECK(seen.line.empty());

  SECTION("also when the terminal is gone") {
    bool gone = false;
    {
      training_progress progress(terminal(140), [&](std::string_view) {
        if (gone) throw std::runtime_error("gone");
      });
      progress.begin_epoch(start, 1, 2, 4);
      gone = true;
    }
    SUCCEED("no exception leaves the destructor");
  }
}

TEST_CASE("a step outside of an epoch is a bug of the caller") {
  screen seen;
  training_progress progress({progress_mode::lines, 80}, seen.writer());
  CHECK_THROWS_AS(progress.step(start, figures()), broken_invariant);
  progress.begin_epoch(start, 1, 1, 1);
  progress.step(start, figures());
  progress.end_epoch(start);
  CHECK_THROWS_AS(progress.validation(start, means(1, 1)), broken_invariant);
  CHECK_THROWS_AS(progress.end_epoch(start), broken_invariant);
}

TEST_CASE("text is cut between characters, by the columns it takes") {
  CHECK(terminal_columns("") == 0);
  CHECK(terminal_columns("abc") == 3);
  CHECK(terminal_columns("Wörter") == 6);
  CHECK(terminal_columns("日本語") == 6);
  CHECK(terminal_columns("e\u0301") == 1);
  CHECK(cut_to_columns("abc", 3) == "abc");
  CHECK(cut_to_columns("abcd", 3) == "ab…");
  CHECK(cut_to_columns("Wörter", 3) == "Wö…");
  CHECK(cut_to_columns("日本語", 6) == "日本語");
  CHECK(cut_to_columns("日本語", 5) == "日本…");
  CHECK(cut_to_columns("日本語", 4) == "日…"); // Half a character is none.
  CHECK(cut_to_columns("abc", 1) == "…");
  CHECK(cut_to_columns("abc", 0) == "");
}
