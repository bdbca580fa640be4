// Goal: which responses are kept.
#include "apps/service/openai/response_store.hpp"
#include "support/catch.hpp"

#include <memory>
#include <string>

namespace troupe::service {
namespace {

http::server& server() {
  static http::server never_runs(
    [] {
      http::server_options options;
      options.port = 0;
      return options;
    }(),
    [](const std::shared_ptr<http::exchange>&) {});
  return never_runs;
}

std::shared_ptr<stored_response> add(response_store& store, const std::string& id, uint64_t bytes) {
  auto one = std::make_shared<stored_response>();
  one->id = id;
  one->bytes = bytes;
  one->log = std::make_shared<answer_log>(server(), api_form::openai, true);
  one->tenant = "ann";
  store.add(one);
  return one;
}

void end(response_store& store, const std::shared_ptr<stored_response>& one) {
  one->end();
  store.ended(one);
}

bool has(const response_store& store, const std::string& id) { return store.find(id, {}) != nullptr; }

} // namespace

TEST_CASE("of the responses that have ended, those that ended first make room for others", "[responses]") {
  response_store store;
  const auto runs = add(store, "runs", response_store::bytes_max);
  const auto first = add(store, "first", response_store::bytes_max / 2), second = add(store, "second", response_store::bytes_max / 2);
  end(store, second);
  end(store, first);
  CHECK((has(store, "first") && has(store, "second")));
  end(store, add(store, "third", 1));
  CHECK_FALSE(has(store, "second"));
  CHECK((has(store, "first") && has(store, "third") && has(store, "runs")));
}

TEST_CASE("a response that was deleted takes no room, whether it ran or had ended", "[responses]") {
  response_store store;
  const auto runs = add(store, "runs", response_store::bytes_max), ended = add(store, "ended", response_store::bytes_max);
  end(store, ended);
  store.remove("ended");
  store.remove("runs");
  end(store, runs);
  end(store, add(store, "next", response_store::bytes_max));
  CHECK(has(store, "next"));
  CHECK_FALSE(has(store, "runs"));
}

TEST_CASE("a response that is read back anew takes the place of itself", "[responses]") {
  response_store store;
  const auto before = add(store, "a", response_store::bytes_max);
  end(store, before);
  const auto again = add(store, "a", response_store::bytes_max);
  store.ended(before); // It is not there any more.
  end(store, again);
  CHECK(store.find("a", {}) == again);
  end(store, add(store, "b", 1));
  CHECK_FALSE(has(store, "a"));
  CHECK(has(store, "b"));
}

TEST_CASE("a response is found by the one whose it is", "[responses]") {
  response_store store;
  add(store, "a", 1);
  caller ann{"ann"}, bob{"bob"};
  ann.is_known = bob.is_known = true;
  CHECK(store.find("a", ann) != nullptr);
  CHECK(store.find("a", bob) == nullptr);
}

} // namespace troupe::service
