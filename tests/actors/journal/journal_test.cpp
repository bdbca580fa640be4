// Goal: the journal answers each batch once it is in the file, in order, and writes what was sent before it ends.
#include "actors/journal/journal.hpp"
#include "actors/journal/journal_folder.hpp"
#include "support/catch.hpp"
#include "support/file_limit.hpp"
#include "troupe/v1/journal.pb.h"

#include <algorithm>
#include <caf/all.hpp>
#include <fstream>
#include <future>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace troupe {
namespace {

v1::JournalBatch batch(uint64_t number, const std::string& name) {
  v1::JournalBatch made;
  made.set_number(number);
  auto& request = *made.add_admitted();
  request.set_name(name);
  request.set_created(1);
  auto& event = *made.add_events();
  event.set_request(name);
  event.mutable_token()->set_text("text");
  return made;
}

} // namespace

TEST_CASE("the journal answers batches in order, when they are in the file", "[journal]") {
  const journal_folder folder;
  caf::actor_system_config config;
  caf::actor_system system(config);
  constexpr uint64_t count = 200;
  std::vector<uint64_t> committed; // Of the journal's thread, until it has ended.
  std::vector<std::string> errors;
  std::promise<v1::JournalFound> found;
  {
    journal writes(system, journal_database(folder.options(journal_sync::process)),
                   {[&](v1::JournalCommitted answer) {
                      committed.push_back(answer.number());
                      errors.push_back(answer.error());
                    },
                    [&](v1::JournalFound answer) { found.set_value(std::move(answer)); },
                    [](const std::string&) {}});
    for (uint64_t i = 1; i <= count; ++i) writes.write(batch(i, "request" + std::to_string(i)));
    v1::JournalQuery query;
    query.set_number(9);
    query.set_name("request200");
    writes.find(std::move(query));
    auto answer = found.get_future();
    REQUIRE(answer.wait_for(std::chrono::seconds(20)) == std::future_status::ready);
    const auto content = answer.get();
    CHECK(content.number() == 9);
    CHECK(content.events_size() == 1); // What was sent before the query is there.
    for (uint64_t i = 1; i <= count; ++i) writes.write(batch(count + i, "late" + std::to_string(i)));
    writes.write(batch(2 * count + 1, "late1")); // There is one of that name: an error, and of this transaction only.
  }
  REQUIRE(committed.size() == 2 * count + 1);
  for (uint64_t i = 0; i < committed.size(); ++i) CHECK(committed[i] == i + 1);
  for (uint64_t i = 0; i < count; ++i) CHECK(errors[i].empty());
  CHECK_FALSE(errors.back().empty());
  size_t failed = 0;
  for (const auto& one : errors) failed += one.empty() ? 0 : 1;
  journal_database again(folder.options(journal_sync::process));
  CHECK(again.unfinished().size() == 2 * count + 1 - failed);
}

TEST_CASE("what could not be written is written when there is room, without a gap", "[journal]") {
  const journal_folder folder;
  caf::actor_system_config config;
  caf::actor_system system(config);
  std::promise<v1::JournalCommitted> committed;
  journal writes(system, journal_database(folder.options(journal_sync::process)),
                 {[&](v1::JournalCommitted answer) { committed.set_value(std::move(answer)); }, [](const v1::JournalFound&) {}, [](const std::string&) {}});
  uint64_t number = 0;
  /// The error.
  const auto write = [&](v1::JournalBatch one) {
    one.set_number(++number);
    committed = {};
    auto answer = committed.get_future();
    writes.write(std::move(one));
    REQUIRE(answer.wait_for(std::chrono::seconds(20)) == std::future_status::ready);
    const auto content = answer.get();
    CHECK(content.number() == number);
    return content.error();
  };
  const auto event = [](uint32_t place, size_t bytes) {
    v1::JournalBatch made;
    auto& one = *made.add_events();
    one.set_request("one");
    one.set_number(place);
    one.mutable_token()->set_text(std::string(bytes, 'a'));
    return made;
  };
  CHECK(write(batch(1, "one")).empty());
  {
    const testing::file_limit limit(4096);
    CHECK_FALSE(write(event(1, 100'000)).empty());
  }
  CHECK_FALSE(write(event(2, 1)).empty()); // Too soon.
  CHECK_FALSE(write(batch(1, "two")).empty());
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  CHECK(write(event(3, 1)).empty());
  const auto all = journal_database(folder.options(journal_sync::process), journal_database::access::list).list();
  REQUIRE(all.size() == 1); // Who asked for the other one was told that it is not there.
  CHECK(all[0].tokens == 4);
}

TEST_CASE("what cannot be read is answered with the reason, which the log hears once", "[journal]") {
  const journal_folder folder;
  caf::actor_system_config config;
  caf::actor_system system(config);
  {
    journal_database filled(folder.options(journal_sync::process));
    v1::JournalBatch many;
    for (int i = 0; i < 2000; ++i) { // More than what SQLite keeps in memory.
      auto& one = *many.add_admitted();
      one.set_name("request" + std::to_string(i));
      one.set_body(std::string(3000, ' '));
      one.set_created(1);
      auto& over = *many.add_events();
      over.set_request(one.name());
      over.mutable_end()->set_time(1); // Long ago.
      over.set_is_last(true);
    }
    filled.write(std::span(&many, 1));
  }
  std::promise<v1::JournalFound> found;
  std::vector<std::string> failures; // Of the journal's thread, until it has ended.
  {
    journal writes(system, journal_database(folder.options(journal_sync::process)),
                   {[](const v1::JournalCommitted&) {}, [&](v1::JournalFound answer) { found.set_value(std::move(answer)); },
                    [&](std::string what) { failures.push_back(std::move(what)); }});
    std::fstream file(folder.file(), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(4096);
    for (int i = 0; i < 1900; ++i) file << std::string(4096, char(0x5A));
    file.close();
    for (int i = 0; i < 2; ++i) {
      found = {};
      v1::JournalQuery query;
      query.set_name("request200");
      writes.find(std::move(query));
      auto answer = found.get_future();
      REQUIRE(answer.wait_for(std::chrono::seconds(20)) == std::future_status::ready);
      const auto content = answer.get();
      CHECK_FALSE(content.error().empty());
      CHECK_FALSE(content.has_request());
    }
  }
  const auto count = [&](const std::string& part) {
    return std::ranges::count_if(failures, [&](const std::string& one) { return one.starts_with(part); });
  };
  CHECK(count("a request cannot be looked up: ") == 1);
  CHECK(count("what is old cannot be forgotten: ") == 1);
}

} // namespace troupe
