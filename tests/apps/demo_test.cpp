// `troupe demo`: what it shows, and what it proves.
#include "apps/process.hpp"
#include "apps/troupe/demo/demo_plan.hpp"
#include "apps/troupe/demo/demo_screen.hpp"
#include "support/catch.hpp"
#include <algorithm>

using namespace troupe;
using namespace troupe::testing;

namespace {

v1::FaultInjection kill(const std::string& path, double time_ms) {
  v1::FaultInjection one;
  one.set_fault("kill " + path);
  one.set_path(path);
  one.set_time_ms(time_ms);
  return one;
}

size_t count(const std::string& text, const std::string& what) {
  size_t found = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

const std::string storyteller = TROUPE_SOURCE_DIR "/apps/storyteller/storyteller.gguf";

} // namespace

TEST_CASE("text is wrapped between words, and a line break begins a new line") {
  CHECK(wrapped("", 10).empty());
  CHECK(wrapped("one two three", 100) == std::vector<std::string>{"one two three"});
  CHECK(wrapped("one two three", 7) == std::vector<std::string>{"one two", "three"});
  CHECK(wrapped("one\ntwo\n", 10) == std::vector<std::string>{"one", "two"});
  CHECK(wrapped("a\n\nb", 10) == std::vector<std::string>{"a", "", "b"});
  CHECK(wrapped("Wörter über alles", 11) == std::vector<std::string>{"Wörter über", "alles"});
  for (const auto& line : wrapped("immeasurable words", 4)) CHECK(line.size() <= 3 + std::string("…").size());
}

TEST_CASE("a sentence is complete when the next one has begun") {
  const auto complete = [](const std::string& text) { return text.substr(0, complete_sentences(text)); };
  CHECK(complete("").empty());
  CHECK(complete("Once upon").empty());
  CHECK(complete("It rained.").empty());
  CHECK(complete("It rained. He") == "It rained. ");
  CHECK(complete("\"Why?\" she as") == "\"Why?\" ");
  CHECK(complete("Home. Then\nThe en") == "Home. Then\n");
}

TEST_CASE("what is killed is said in words") {
  CHECK(describe_actor("/replica/0/layer/2/head/1") == "attention head 1 of layer 2");
  CHECK(describe_actor("/replica/0/layer/2") == "layer 2");
  CHECK(describe_actor("/replica/0/layer/2/supervisor") == "the supervisor of layer 2");
  CHECK(describe_actor("/scheduler") == "the actor /scheduler");
  CHECK(describe_actor("/") == "the actor /");
}

TEST_CASE("a plan kills a head, a layer and a supervisor, also where there is one layer") {
  for (const uint32_t layers : {1u, 2u, 6u}) {
    const auto plan = demo_plan(layers, 10);
    REQUIRE(plan.faults_size() == 4);
    CHECK(plan.faults(0).effect().has_slow_down());
    for (int i = 1; i < 4; ++i) CHECK(plan.faults(i).effect().has_kill());
    CHECK(describe_actor(plan.faults(1).selector().path()).starts_with("attention head 0 of layer"));
    CHECK(describe_actor(plan.faults(2).selector().path()).starts_with("layer"));
    CHECK(describe_actor(plan.faults(3).selector().path()) == "the supervisor of layer " + std::to_string(layers - 1));
  }
  CHECK(demo_plan(2, 0).faults_size() == 3);
}

TEST_CASE("a kill's line gets a second one when it is over") {
  auto one = kill("/replica/0/layer/1", 1234);
  CHECK(kill_lines(one) == std::vector<std::string>{"  1.2 s  KILLED     layer 1"});
  one.set_recovered_ms(1260);
  one.set_rows_replayed(33);
  CHECK(kill_lines(one) ==
        std::vector<std::string>{
          "  1.2 s  KILLED     layer 1",
          "  1.3 s  RECOVERED  after 26 ms: a new actor took its place, what it had known was computed again (33 rows)"});
}

TEST_CASE("three stories are told while actors are killed, and are those of an undisturbed run") {
  const auto result = run_troupe({"demo", "-m", storyteller, "--pace", "0", "--threads", "2", "--quiet"});
  INFO(result.err << result.out);
  REQUIRE(result.exit_code == 0);
  CHECK(count(result.out, "KILLED") == 3);
  CHECK(count(result.out, "RECOVERED") == 3);
  CHECK(count(result.out, "identical") == 3);
  CHECK(count(result.out, "Every story is the same, byte for byte.") == 1);
  for (const auto* story : {"[1] Once upon a time", "[2] This is the story of", "[3] There was once"}) CHECK(count(result.out, story) == 1);
  // Stories are equal on any number of threads and shards: with the kills, too.
  const auto other = run_troupe({"demo", "-m", storyteller, "--pace", "0", "--threads", "1", "--shards", "3", "--quiet"});
  const auto stories = [](const std::string& text, char number) {
    std::string all;
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size());
      if (text.compare(at, 3, std::string{'[', number, ']'}) == 0) all += text.substr(at + 3, end - at - 3);
      at = end + 1;
    }
    return all;
  };
  for (const char number : {'1', '2', '3'}) CHECK(stories(other.out, number) == stories(result.out, number));
}
