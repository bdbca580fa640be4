// Goal: the loss of a training run is read as its file grows, whatever else is in it, and told to who looks at the dashboard.
#include "apps/service/dashboard/training_run.hpp"
#include "support/catch.hpp"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace troupe::service {
namespace {

namespace fs = std::filesystem;

struct run_folder {
  run_folder() { fs::create_directories(path); }
  ~run_folder() { fs::remove_all(path); }
  fs::path metrics() const { return path / "metrics.jsonl"; }
  void append(const std::string& text) const { std::ofstream(metrics(), std::ios::app) << text; }
  void replace(const std::string& text) const { // As a resumed run does.
    std::ofstream(path / "new") << text;
    fs::rename(path / "new", metrics());
  }
  const fs::path path = fs::temp_directory_path() / ("troupe_run_" + std::to_string(getpid())) / "poems";
};

std::string step(uint64_t update, double loss) {
  return R"({"update":)" + std::to_string(update) + R"(,"loss":)" + std::to_string(loss) +
         R"(,"accuracy":0.25,"tokens":500,"seconds":0.5})" "\n";
}

std::string validation(uint64_t update, double loss) {
  return R"({"update":)" + std::to_string(update) + R"(,"val_loss":)" + std::to_string(loss) + "}\n";
}

using points = std::vector<loss_point>;

} // namespace

TEST_CASE("a run is read as it grows, a line when it has its end", "[dashboard][training]") {
  const run_folder folder;
  training_run run(folder.path / ""); // As a shell completes it.
  CHECK(run.name() == "poems");
  CHECK(run.read() == training_facts{}); // There is no file yet.
  folder.append(step(1, 4) + step(2, 3.5) + validation(2, 3.75) + R"({"update":3,"lo)");
  const auto first = run.read();
  CHECK(first.training == points{{1, 4}, {2, 3.5}});
  CHECK(first.validation == points{{2, 3.75}});
  CHECK(first.update == 2);
  CHECK(first.loss == 3.5);
  CHECK(first.accuracy == 0.25);
  CHECK(first.tokens_per_second == 1000);
  CHECK(run.read() == first);
  folder.append("ss\":3}");
  CHECK(run.read() == first);
  folder.append("\n" + step(4, 2));
  const auto second = run.read();
  CHECK(second.training == points{{1, 4}, {2, 3.5}, {3, 3}, {4, 2}});
  CHECK(second.update == 4);
  CHECK(second.edition == first.edition);
}

TEST_CASE("a run that was resumed from an earlier update is read from its begin", "[dashboard][training]") {
  const run_folder folder;
  training_run run(folder.path);
  folder.append(step(1, 4) + step(2, 3) + step(3, 2) + validation(3, 2));
  const auto before = run.read();
  folder.replace(step(1, 4) + step(2, 3) + step(3, 2.5) + step(4, 2));
  const auto resumed = run.read();
  CHECK(resumed.training == points{{1, 4}, {2, 3}, {3, 2.5}, {4, 2}});
  CHECK(resumed.validation.empty());
  CHECK(resumed.edition != before.edition);
  std::ofstream(folder.metrics(), std::ios::trunc) << step(1, 7);
  CHECK(run.read().training == points{{1, 7}});
  fs::remove(folder.metrics());
  CHECK(run.read().training == points{{1, 7}}); // What was known stays.
}

TEST_CASE("lines that are no figures of a run are passed over", "[dashboard][training]") {
  const run_folder folder;
  training_run run(folder.path);
  folder.append("\n\n[1]\nnull\nno JSON\n{\"update\":1}\n{\"loss\":2}\n{\"update\":\"1\",\"loss\":2}\n{\"update\":-1,\"loss\":2}\n"
                "{\"update\":1e300,\"loss\":2}\n{\"update\":1,\"loss\":1e999}\n{\"update\":1,\"loss\":null}\n" +
                std::string(100, '[') + "\n\xff\xfe\n" + R"({"update":4,"loss":1)" + std::string(3 * training_run::line_bytes_max, ' ') + "}\n" + step(5, 2));
  const auto facts = run.read();
  CHECK(facts.training == points{{5, 2}});
  CHECK(facts.validation.empty());
}

TEST_CASE("a folder in place of the file is no file", "[dashboard][training]") {
  const run_folder folder;
  fs::create_directory(folder.metrics());
  CHECK(training_run(folder.path).read() == training_facts{});
}

TEST_CASE("a long run is a bounded number of points, each the mean of equally many updates", "[dashboard][training]") {
  loss_curve_points curve;
  double sum = 0;
  uint64_t changes = 0;
  constexpr uint64_t updates = 100'000;
  for (uint64_t update = 1; update <= updates; ++update) {
    const double loss = 2 + std::sin(double(update) / 1000);
    sum += loss;
    changes += curve.add({update, loss});
    REQUIRE(curve.points().size() < loss_curve_points::most);
  }
  CHECK(changes == 6);
  const auto& all = curve.points();
  CHECK(all.size() == updates / 64);
  for (size_t i = 0; i < all.size(); ++i) REQUIRE(all[i].update == 64 * (i + 1));
  double mean = 0;
  for (const auto& one : all) mean += one.loss / double(all.size());
  CHECK(mean == Approx(sum / updates).margin(1e-3));
}

TEST_CASE("much at once is read a part at a time", "[dashboard][training]") {
  const run_folder folder;
  training_run run(folder.path);
  std::string text;
  uint64_t updates = 0;
  while (text.size() < 2 * training_run::bytes_at_once + 1000) text += step(++updates, 3);
  folder.append(text);
  CHECK(run.read().update < updates);
  CHECK(run.read().update < updates);
  CHECK(run.read().update == updates);
}

} // namespace troupe::service
