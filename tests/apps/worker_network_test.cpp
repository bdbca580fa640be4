// Goal: links as bad as networks are cost time, and no token.
#include "apps/running_worker.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"
#include "support/link.hpp"

#include <functional>
#include <map>
#include <optional>

namespace troupe {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using testing::tcp_link;

/// Tokens of some requests; `at_token`: called with every one, and how many there were before.
std::vector<std::vector<uint32_t>> run(engine& runs, const std::function<void(uint32_t)>& at_token = [](uint32_t) {}) {
  auto client = runs.connect();
  std::map<uint64_t, size_t> places;
  for (uint32_t i = 0; i < 4; ++i) {
    generate_request one{.prompt = std::vector<uint32_t>(2 + 3 * i, 5 + i), .tokens_max = 60, .ignore_end_of_generation = true};
    one.sampling.temperature = 1;
    one.sampling.seed = i;
    places[client.submit(std::move(one))] = i;
  }
  std::vector<std::vector<uint32_t>> tokens(4);
  uint32_t count = 0;
  while (const auto event = client.next()) {
    if (event->kind == event_kind::finished) CHECK(event->error.empty());
    if (event->kind != event_kind::token) continue;
    tokens[places.at(event->request)].push_back(event->token);
    at_token(count++);
  }
  return tokens;
}

/// An engine whose one worker is beyond a link, and what comes out without any.
struct far_worker {
  std::shared_ptr<const model_file> file = open_model(testing::write_tiny_model({.context = 256}));
  testing::keys_folder keys{{"coordinator", "node"}};
  testing::running_worker worker{keys.path};
  tcp_link link{worker.port};
  engine runs{file, testing::one_thread(), testing::at_port(link.port(), keys.path)};
  std::vector<std::vector<uint32_t>> expected;
  far_worker() {
    engine alone{file, {.threads = 1}};
    expected = run(alone);
  }
  uint64_t times_lost() const { return runs.workers().at(0).times_lost; }
};

} // namespace

TEST_CASE("a link with a delay, or a narrow one, is slow and nothing else", "[cluster]") {
  far_worker far;
  far.link.set({.delay = 5ms});
  CHECK(run(far.runs) == far.expected);
  far.link.set({.bytes_per_second = 200'000});
  CHECK(run(far.runs) == far.expected);
  CHECK(far.times_lost() == 0);
}

TEST_CASE("a link that is cut in the middle of answers is made anew, and the answers go on", "[cluster]") {
  far_worker far;
  for (const uint32_t at : {5u, 100u})
    CHECK(run(far.runs, [&](uint32_t count) {
            if (count == at) far.link.cut(), far.link.restore();
          }) == far.expected);
  CHECK(far.times_lost() >= 2);
}

TEST_CASE("a partition, in both directions or in one, is noticed, and what comes late changes nothing", "[cluster]") {
  far_worker far;
  const tcp_link::quality stalled{.is_stalled = true};
  for (const int which : {0, 1, 2}) {
    INFO(which);
    const auto before = far.times_lost();
    std::optional<clock::time_point> began, noticed;
    const auto tokens = run(far.runs, [&](uint32_t count) {
      if (count != 20) return;
      began = clock::now();
      if (which != 1) far.link.set(tcp_link::direction::there, stalled);
      if (which != 0) far.link.set(tcp_link::direction::back, stalled);
      for (; !noticed && clock::now() - *began < 10s; std::this_thread::sleep_for(10ms))
        if (far.times_lost() > before) noticed = clock::now();
      std::this_thread::sleep_for(1s);
      far.link.set({});
    });
    CHECK(tokens == far.expected);
    REQUIRE(noticed);
    WARN("noticed after " << std::chrono::duration_cast<std::chrono::milliseconds>(*noticed - *began).count() << " ms");
  }
}

} // namespace troupe
