// Goal: a function, a range, a future and a coroutine are four forms of one call: the same bytes, the same errors, the same ends.
#include "embedding/embedded_models.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <coroutine>
#include <deque>
#include <future>
#include <stop_token>
#include <thread>

namespace troupe {
namespace {

using namespace std::chrono_literals;
using testing::numbered_request;
using testing::small_model;

/// A coroutine that nobody waits for.
struct task {
  struct promise_type {
    task get_return_object() { return {}; }
    std::suspend_never initial_suspend() { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

task await_into(event_client& client, generate_request request, std::promise<expected<answer>>& to, std::thread::id& where,
                std::stop_token stop = {}, event_client::resume_function resume = {}) {
  auto found = co_await client.answer_to(std::move(request), std::move(stop), std::move(resume));
  where = std::this_thread::get_id();
  to.set_value(std::move(found));
}

expected<answer> by_function(event_client& client, generate_request request, std::stop_token stop = {}) {
  std::promise<expected<answer>> promise;
  answer_builder builder;
  client.submit(
    std::move(request), [&](generation_event event) { if (builder.add(std::move(event))) promise.set_value(builder.take()); }, stop);
  return promise.get_future().get();
}

expected<answer> by_range(event_client& client, generate_request request, std::stop_token stop = {}) {
  answer_builder builder;
  for (const auto& event : client.stream(std::move(request), stop)) builder.add(event);
  return builder.take();
}

expected<answer> by_coroutine(event_client& client, generate_request request, std::stop_token stop = {}) {
  std::promise<expected<answer>> promise;
  std::thread::id where;
  await_into(client, std::move(request), promise, where, stop);
  return promise.get_future().get();
}

expected<answer> by_future(event_client& client, generate_request request, std::stop_token stop = {}) {
  return client.ask(std::move(request), stop).get();
}

using form = expected<answer> (*)(event_client&, generate_request, std::stop_token);
constexpr form all_forms[] = {by_function, by_range, by_future, by_coroutine};

} // namespace

TEST_CASE("a function, a range, a future and a coroutine give the same answer") {
  engine engine{small_model(), {.threads = 2}};
  auto client = engine.connect_async();
  auto waiting = engine.connect();
  std::vector<uint32_t> wanted;
  std::string text;
  waiting.submit(numbered_request(3));
  while (const auto event = waiting.next()) {
    if (event->kind == event_kind::token) wanted.push_back(event->token);
    text += event->text;
  }
  REQUIRE(wanted.size() == 40);
  for (const auto one : all_forms) {
    const auto found = one(client, numbered_request(3), {});
    REQUIRE(found.has_value());
    CHECK(found->tokens == wanted);
    CHECK(found->text == text);
    CHECK(found->reason == finish_reason::length);
  }
}

TEST_CASE("an error is a value in the forms that give answers, and an exception where that is asked for") {
  engine engine{small_model(), {.threads = 2}};
  auto client = engine.connect_async();
  auto wrong = numbered_request(1);
  wrong.prompt = {5'000'000};
  for (const auto one : {by_future, by_coroutine}) {
    const auto found = one(client, wrong, {});
    REQUIRE(!found.has_value());
    CHECK(found.error().kind == error_kind::refused);
    CHECK(found.error().text.find("5000000") != std::string::npos);
    CHECK_THROWS_AS(found.value(), call_failed);
  }
  uint32_t events = 0;
  for (const auto& event : client.stream(wrong)) {
    ++events;
    CHECK(event.kind == event_kind::finished);
    CHECK(event.reason == finish_reason::error);
    CHECK(event.error.find("5000000") != std::string::npos);
  }
  CHECK(events == 1);
  CHECK_THROWS_AS(client.submit(wrong, [](const generation_event&) {}), input_error);
  auto started = engine::start(testing::temporary_path("none.gguf"));
  REQUIRE(!started.has_value());
  CHECK(started.error().kind == error_kind::refused);
}

TEST_CASE("a stop token cancels a request, in every form, before it is sent and while it runs") {
  engine engine{small_model(), {.threads = 2}};
  auto client = engine.connect_async();
  for (const auto one : all_forms) {
    std::stop_source stopped;
    stopped.request_stop();
    const auto early = one(client, numbered_request(2, 500), stopped.get_token());
    REQUIRE(early.has_value());
    CHECK(early->reason == finish_reason::cancelled);
    CHECK(early->tokens.size() < 500);
    std::stop_source later;
    std::jthread other([&] {
      std::this_thread::sleep_for(5ms);
      later.request_stop();
    });
    const auto found = one(client, numbered_request(2, 500), later.get_token());
    REQUIRE(found.has_value());
    CHECK((found->reason == finish_reason::cancelled || found->tokens.size() == 500));
  }
}

TEST_CASE("a deadline as a point in time ends a request as one from now does; the earlier counts") {
  engine engine{small_model(), {.threads = 2}};
  auto client = engine.connect_async();
  auto request = numbered_request(1, 500);
  request.deadline_at = std::chrono::steady_clock::now() - 1s;
  request.deadline = 10s;
  const auto found = client.ask(request).get();
  REQUIRE(!found.has_value());
  CHECK(found.error().kind == error_kind::deadline);
  request.deadline_at = std::chrono::steady_clock::now() + 1h;
  CHECK(client.ask(request).get().has_value());
}

TEST_CASE("a coroutine goes on where its program says") {
  engine engine{small_model(), {.threads = 2}};
  auto client = engine.connect_async();
  std::promise<std::function<void()>> handed;
  std::promise<expected<answer>> promise;
  std::thread::id where;
  await_into(client, numbered_request(1), promise, where, {}, [&](std::function<void()> resume) { handed.set_value(std::move(resume)); });
  auto answered = promise.get_future();
  const auto resume = handed.get_future().get();
  CHECK(answered.wait_for(0s) == std::future_status::timeout);
  resume();
  CHECK(answered.get().has_value());
  CHECK(where == std::this_thread::get_id());
}

TEST_CASE("destroying a client ends every request of it with one last event") {
  engine engine{small_model(), {.threads = 2}};
  for (uint32_t round = 0; round < testing::rounds(20); ++round) {
    std::vector<std::future<expected<answer>>> asked;
    std::promise<expected<answer>> awaited;
    std::thread::id where;
    std::optional<event_stream> stream;
    uint32_t last_events = 0;
    {
      auto client = engine.connect_async();
      for (uint32_t i = 0; i < 10; ++i) asked.push_back(client.ask(numbered_request(i, 500)));
      await_into(client, numbered_request(10, 500), awaited, where);
      stream.emplace(client.stream(numbered_request(11, 500)));
      client.submit(numbered_request(12, 500), [&](const generation_event& event) { last_events += event.kind == event_kind::finished; });
      if (round % 2 == 0) REQUIRE(stream->next() != nullptr);
    }
    CHECK(last_events == 1);
    for (auto& one : asked) CHECK(testing::was_cancelled_or_done(one.get(), 500));
    CHECK(testing::was_cancelled_or_done(awaited.get_future().get(), 500));
    answer_builder streamed; // The first event may have been read.
    while (const auto* event = stream->next()) streamed.add(*event);
    const auto rest = streamed.take();
    CHECK((rest->reason == finish_reason::cancelled || rest->tokens.size() >= 499));
  }
}

TEST_CASE("an exception of a program's function ends its own request only, and the log says so") {
  std::promise<std::string> logged;
  engine engine{small_model(), {.threads = 2, .log = [&](log_level level, std::string_view text) {
    if (level == log_level::error) logged.set_value(std::string(text));
  }}};
  auto client = engine.connect_async();
  uint32_t calls = 0;
  auto other = client.ask(numbered_request(1));
  client.submit(numbered_request(2, 500), [&](const generation_event&) {
    ++calls;
    throw std::runtime_error("the program's own");
  });
  CHECK(other.get().has_value());
  CHECK(logged.get_future().get().find("the program's own") != std::string::npos);
  CHECK(client.ask(numbered_request(1)).get().has_value());
  while (engine.statistics().sequences_running > 0) std::this_thread::sleep_for(1ms);
  CHECK(calls == 1);
  CHECK(engine.statistics().decode.rows < 400); // Of 580, if it had not been cancelled.
}

TEST_CASE("a log that throws does not harm, and says which actor was restarted and why") {
  std::promise<std::string> logged;
  std::atomic<uint32_t> lines = 0;
  engine engine{small_model(), {.threads = 2, .log = [&](log_level, std::string_view text) {
    if (lines++ == 0) logged.set_value(std::string(text));
    throw 1;
  }}};
  auto client = engine.connect_async();
  auto asked = client.ask(numbered_request(1, 500));
  REQUIRE(engine.kill("/replica/0/layer/0/head/1"));
  CHECK(asked.get().value().tokens.size() == 500);
  const auto text = logged.get_future().get();
  CHECK(text.find("/replica/0/layer/0/head/1 ended: kill; it is restarted") != std::string::npos);
}

} // namespace troupe
