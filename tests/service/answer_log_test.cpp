// Goal: whoever reads an answer, and whenever, gets all of it, in order, and nothing before it may.
#include "apps/service/serving/answer_log.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>

namespace troupe::service {
namespace {

using namespace std::chrono_literals;

struct answer_taker : http::answer_sink {
  void respond(http::response&& answer) override {
    status = answer.status;
    text = answer.body;
    has_ended = true;
  }
  void begin_stream(int code, const std::string&, const http::header_list&) override { status = code; }
  void write(std::string_view piece) override {
    text += piece;
    queued += takes ? 0 : piece.size();
    ++pieces;
  }
  size_t queued_bytes() const override { return queued; }
  void end_stream() override { has_ended = true; }
  void body_taken() override {}
  void dropped() override { is_broken = !has_ended; }

  int status = 0;
  std::string text;
  size_t pieces = 0, queued = 0;
  bool has_ended = false, is_broken = false;
  bool takes = true; // What is written, at once.
};

http::server_options any_port() {
  http::server_options options;
  options.port = 0;
  return options;
}

struct readers {
  http::server server{any_port(), [](const std::shared_ptr<http::exchange>&) {}};
  std::shared_ptr<answer_log> log = std::make_shared<answer_log>(server, api_form::openai, true);

  std::shared_ptr<answer_taker> read(int64_t after = -1, bool as_events = true, bool takes = true) {
    auto taker = std::make_shared<answer_taker>();
    taker->takes = takes;
    log->read(std::make_shared<http::exchange>(http::request(), taker), as_events, after);
    return taker;
  }
};

} // namespace

TEST_CASE("a reader gets what it lacks in one piece, and then what comes", "[answer_log]") {
  readers some;
  for (const auto* data : {"a", "b", "c"}) some.log->send("", data);
  const auto all = some.read(), last = some.read(1);
  CHECK(all->text == "id: 0\ndata: a\n\nid: 1\ndata: b\n\nid: 2\ndata: c\n\n");
  CHECK(all->pieces == 1);
  CHECK(last->text == "id: 2\ndata: c\n\n");
  some.log->send("name", "d");
  CHECK(last->text == "id: 2\ndata: c\n\nevent: name\nid: 3\ndata: d\n\n");
  CHECK_FALSE(last->has_ended);
  some.log->end();
  CHECK((all->has_ended && last->has_ended));
  CHECK(some.read()->text == all->text);
}

TEST_CASE("behind the last event there is nothing, and behind that an error", "[answer_log]") {
  readers some;
  some.log->send("", "a");
  const auto early = some.read(1); // Of a process that lost its last events.
  some.log->send("", "b");
  CHECK(early->status == 0);
  some.log->send("", "c");
  CHECK(early->text == "id: 2\ndata: c\n\n");
  some.log->end();
  const auto none = some.read(2);
  CHECK(none->status == 200);
  CHECK(none->text.empty());
  CHECK(none->has_ended);
  for (const int64_t after : {int64_t(3), std::numeric_limits<int64_t>::max()}) CHECK(some.read(after)->status == 400);
}

TEST_CASE("nothing of a held answer is read before it is released, and of a refused one nothing at all", "[answer_log]") {
  readers some;
  some.log->hold();
  const auto events = some.read(), whole = some.read(-1, false);
  some.log->send("", "a");
  CHECK(events->status == 0);
  SECTION("released") {
    some.log->release();
    CHECK(events->text == "id: 0\ndata: a\n\n");
    CHECK(whole->status == 0);
    some.log->respond("whole");
    CHECK(whole->text == "whole");
  }
  SECTION("refused") {
    some.log->refuse(api_error(503, "journal_failed", "no"));
    CHECK(events->status == 503);
    CHECK(whole->status == 503);
    some.log->send("", "b");
    CHECK(some.read()->status == 503);
  }
}

TEST_CASE("an error is the answer of who has got nothing, and an event for the others", "[answer_log]") {
  readers some;
  SECTION("at once") {
    const auto reader = some.read();
    some.log->fail(api_error(429, "overloaded", "later"));
    CHECK(reader->status == 429);
    CHECK(some.read()->status == 429);
  }
  SECTION("later") {
    some.log->send("", "a");
    const auto reader = some.read();
    some.log->fail(api_error(500, "generation_failed", "bad"));
    CHECK(reader->status == 200);
    CHECK_THAT(reader->text, ContainsSubstring("generation_failed"));
    CHECK(reader->has_ended);
    CHECK(some.read(-1, false)->status == 500);
  }
}

TEST_CASE("a slow reader gets all of an answer that nobody else remembers", "[answer_log]") {
  readers some;
  for (int i = 0; i < 100; ++i) some.log->send("", std::string(10'000, 'a'));
  some.log->end();
  const auto taker = some.read(-1, true, false);
  CHECK(taker->text.size() < 400'000); // As much as may be queued.
  some.log.reset();
  const auto reads = some.server.after(60ms, [&] {
    taker->takes = true;
    taker->queued = 0;
  });
  const auto ends = some.server.after(500ms, [&] { some.server.stop(); });
  some.server.run();
  CHECK(taker->text.size() > 1'000'000);
  CHECK(taker->has_ended);
  CHECK_FALSE(taker->is_broken);
}

TEST_CASE("of a long answer the earlier events are in a file, and are read from it", "[answer_log]") {
  readers some;
  some.log = std::make_shared<answer_log>(some.server, api_form::openai, true, std::filesystem::temp_directory_path());
  const auto early = some.read();
  std::string all;
  for (int i = 0; i < 500; ++i) {
    const std::string data = std::string(10'000, char('a' + i % 26)) + std::to_string(i);
    some.log->send(i % 2 == 0 ? "name" : "", data);
    append_event(all, i % 2 == 0 ? "name" : "", data, std::to_string(i));
  }
  CHECK(some.log->bytes_of_events_in_memory() <= answer_log::memory_max);
  CHECK(some.log->bytes() > 4 * answer_log::memory_max);
  some.log->end();
  CHECK(early->text == all);
  CHECK(some.read()->text == all);
  const auto place = all.find("id: 100\n");
  CHECK(some.read(99)->text == all.substr(all.rfind("event: ", place)));
}

TEST_CASE("where there is no file, the earlier events of a long answer are gone, and an error says so", "[answer_log]") {
  readers some;
  SECTION("none is wanted") {}
  SECTION("none can be made") {
    some.log = std::make_shared<answer_log>(some.server, api_form::openai, true, "/there/is/no/such/folder");
  }
  const auto quick = some.read(), slow = some.read(-1, true, false);
  const size_t count = answer_log::memory_max_without_file / 100'000 + 20;
  for (size_t i = 0; i < count; ++i) some.log->send("", std::string(100'000, 'a'));
  CHECK(some.log->bytes_of_events_in_memory() <= answer_log::memory_max_without_file);
  CHECK(some.read()->status == 410);
  const auto late = some.read(int64_t(count) - 3);
  CHECK(late->status == 200);
  slow->takes = true;
  slow->queued = 0;
  some.log->send("", "last");
  some.log->end();
  CHECK_THAT(late->text, ContainsSubstring("data: last"));
  CHECK(quick->text.size() > count * 100'000);
  CHECK_THAT(slow->text, ContainsSubstring("events_gone"));
  CHECK(slow->has_ended);
}

TEST_CASE("of an answer whose events are not kept a reader gets those that come, and its end", "[answer_log]") {
  readers some;
  some.log = std::make_shared<answer_log>(some.server, api_form::openai, false);
  const auto first = some.read();
  some.log->send("", "a");
  const auto second = some.read();
  some.log->send("", "b");
  some.log->end();
  CHECK(first->text == "data: a\n\ndata: b\n\n");
  CHECK(second->text == "data: b\n\n");
  CHECK((first->has_ended && second->has_ended));
}

TEST_CASE("an answer is abandoned when its last reader has gone", "[answer_log]") {
  readers some;
  size_t abandoned = 0;
  some.log->when_abandoned([&] { ++abandoned; });
  const auto taker = std::make_shared<answer_taker>();
  const auto exchange = std::make_shared<http::exchange>(http::request(), taker);
  some.log->read(exchange, true);
  const auto other = some.read();
  if (const auto gone = exchange->peer_gone()) gone();
  CHECK(abandoned == 0);
  CHECK(some.log->readers() == 1);
  some.log->send("", "a");
  CHECK(other->text == "id: 0\ndata: a\n\n");
}

} // namespace troupe::service
