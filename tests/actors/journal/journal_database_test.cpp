// Goal: what was committed is read back, and whatever happens to the file ends in one clear error.
#include "actors/journal/journal_database.hpp"
#include "actors/journal/journal_sql.hpp"
#include "model/error.hpp"
#include "actors/journal/journal_folder.hpp"
#include "support/catch.hpp"
#include "support/file_limit.hpp"
#include "troupe/v1/journal.pb.h"

#include <array>
#include <fstream>
#include <sqlite3.h>
#include <string>

namespace troupe {
namespace {

v1::JournalRequest request(const std::string& name, const std::string& key = "", const std::string& body = "{}") {
  v1::JournalRequest made;
  made.set_name(name);
  made.set_path("/v1/completions");
  made.set_tenant("somebody");
  made.set_tenant_is_known(true);
  made.set_key(key);
  made.set_body(body);
  made.set_conversation("[]");
  made.set_model("tiny");
  made.set_model_identity("0123");
  made.set_seed(~uint64_t(0));
  made.set_created(1000);
  return made;
}

v1::JournalEvent token(const std::string& name, uint32_t number) {
  v1::JournalEvent made;
  made.set_request(name);
  made.set_number(number);
  made.set_choice(number % 2);
  made.mutable_token()->set_token(number * 7);
  made.mutable_token()->set_text(std::string("a\0b", 3) + std::to_string(number));
  auto* logprob = made.mutable_token()->add_logprobs();
  logprob->set_token(3);
  logprob->set_logprob(-0.5f);
  return made;
}

v1::JournalEvent end(const std::string& name, uint32_t number, int64_t time) {
  v1::JournalEvent made;
  made.set_request(name);
  made.set_number(number);
  made.mutable_end()->set_reason(v1::FINISH_REASON_STOP);
  made.mutable_end()->set_text("rest");
  made.mutable_end()->set_prompt_tokens_cached(3);
  made.mutable_end()->set_time(time);
  made.set_is_last(true);
  return made;
}

v1::JournalBatch batch(std::vector<v1::JournalRequest> admitted, std::vector<v1::JournalEvent> events) {
  v1::JournalBatch made;
  for (auto& one : admitted) *made.add_admitted() = std::move(one);
  for (auto& one : events) *made.add_events() = std::move(one);
  return made;
}

auto write(journal_database& to, const v1::JournalBatch& one) { return to.write(std::span(&one, 1)); }

v1::JournalFound find(journal_database& in, const std::string& name) {
  v1::JournalQuery query;
  query.set_name(name);
  return in.find(query);
}

std::string error_of(const journal_options& options, journal_database::access how = journal_database::access::write) {
  try {
    journal_database opened(options, how);
    return "none";
  } catch (const input_error& error) {
    return error.what();
  }
}

void run_sql(const std::filesystem::path& file, const char* text) {
  sqlite3* database = nullptr;
  REQUIRE(sqlite3_open(file.c_str(), &database) == SQLITE_OK);
  REQUIRE(sqlite3_exec(database, text, nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(database);
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// A request with events of some KiB that ended at this time.
void add_ended(journal_database& to, const std::string& name, int64_t time, size_t body_bytes = 0) {
  write(to, batch({request(name, name, std::string(body_bytes, ' '))}, {token(name, 0), end(name, 1, time)}));
}

} // namespace

TEST_CASE("what was committed is read back by another process, to the last bit", "[journal]") {
  const journal_folder folder;
  const auto admitted = request("one", "key");
  const std::array events{token("one", 0), token("one", 1), end("one", 2, 2000)};
  {
    journal_database first(folder.options());
    write(first, batch({admitted, request("two")}, {events[0]}));
    write(first, batch({}, {events[1], token("two", 0)}));
  }
  {
    journal_database second(folder.options());
    REQUIRE(second.unfinished().size() == 2);
    write(second, batch({}, {events[2]}));
  }
  journal_database third(folder.options());
  const auto unfinished = third.unfinished();
  REQUIRE(unfinished.size() == 1);
  CHECK(unfinished[0].request().name() == "two");
  v1::JournalQuery query;
  query.set_tenant("somebody");
  query.set_key("key");
  query.set_number(77);
  const auto found = third.find(query);
  CHECK(found.number() == 77);
  auto expected = admitted;
  expected.set_is_over(true);
  CHECK(found.request().SerializeAsString() == expected.SerializeAsString());
  REQUIRE(found.events_size() == 3);
  for (int i = 0; i < 3; ++i) {
    auto event = events[size_t(i)];
    event.set_is_last(false); // It is what the request's state says.
    CHECK(found.events(i).SerializeAsString() == event.SerializeAsString());
  }
  CHECK(third.models() == std::vector<std::pair<std::string, std::string>>{{"tiny", "0123"}});
  query.set_tenant("somebody else");
  CHECK_FALSE(third.find(query).has_request());
  query.set_tenant("somebody");
  query.set_key("");
  CHECK_FALSE(third.find(query).has_request()); // "two" has none.
}

TEST_CASE("it is counted how many processes in a row died while a request had begun and got no further", "[journal]") {
  const journal_folder folder;
  const auto deaths = [](journal_database& of) {
    std::vector<uint32_t> counts;
    for (const auto& one : of.unfinished()) counts.push_back(one.request().deaths());
    return counts;
  };
  const auto begin = [](journal_database& in, const std::vector<std::string>& names) {
    v1::JournalBatch begun;
    for (const auto& one : names) begun.add_begun(one);
    write(in, begun);
  };
  using counts = std::vector<uint32_t>;
  { // What is admitted has begun.
    journal_database opened(folder.options());
    write(opened, batch({request("a"), request("b"), request("c")}, {token("a", 0), token("b", 0)}));
  }
  { // A process that ends before anything begins is no death.
    journal_database opened(folder.options());
    CHECK(deaths(opened) == counts{1, 1, 1});
  }
  {
    journal_database opened(folder.options());
    CHECK(deaths(opened) == counts{1, 1, 1});
    begin(opened, {"a", "b", "unknown"});
    write(opened, batch({}, {token("b", 1)}));
  }
  { // "c" waited.
    journal_database opened(folder.options());
    CHECK(deaths(opened) == counts{2, 1, 1});
    begin(opened, {"a", "b", "c"});
    opened.end_in_order();
  }
  journal_database opened(folder.options());
  CHECK(deaths(opened) == counts{2, 1, 1});
  const auto lines = opened.list();
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].deaths == 2);
  CHECK_FALSE(lines[0].is_begun);
}

TEST_CASE("a long answer is read in pages, the last one first", "[journal]") {
  const journal_folder folder;
  constexpr uint32_t count = 5000;
  journal_database journal(folder.options(journal_sync::process));
  std::vector<v1::JournalEvent> events;
  for (uint32_t i = 0; i < count; ++i) {
    events.push_back(token("long", i));
    if (i % 3 == 0) events.push_back(token("beside", i / 3));
  }
  events.push_back(end("long", count, 2000));
  write(journal, batch({request("long", "key"), request("beside")}, events));

  std::vector<v1::JournalEvent> read; // Backwards.
  v1::JournalQuery query;
  query.set_tenant("somebody");
  query.set_key("key");
  size_t pages = 0;
  do {
    const auto found = journal.find(query);
    REQUIRE(found.has_request());
    CHECK(found.request().body().empty() == (pages > 0));
    CHECK(found.events_size() < int(count) / 2);
    for (int i = found.events_size(); i-- > 0;) read.push_back(found.events(i));
    query.set_name("long");
    query.set_rest(found.rest());
    ++pages;
  } while (query.rest() > 0);
  CHECK(pages > 2);
  REQUIRE(read.size() == count + 1);
  for (uint32_t i = 0; i <= count; ++i) {
    REQUIRE(read[count - i].number() == i);
    REQUIRE(read[count - i].request() == "long");
  }
  v1::JournalBatch forgetting;
  forgetting.add_forgotten("long");
  query.set_rest(journal.find(query).rest());
  write(journal, forgetting);
  CHECK_FALSE(journal.find(query).has_request()); // It went between two pages.
  CHECK(journal.unfinished().at(0).events_size() == int((count + 2) / 3));
}

TEST_CASE("an event that was deleted is noticed, and no other request is harmed", "[journal]") {
  const journal_folder folder;
  {
    journal_database journal(folder.options());
    write(journal, batch({request("one"), request("two")}, 
                         {token("one", 0), token("two", 0), token("one", 1), token("two", 1), token("one", 2)}));
  }
  run_sql(folder.file(), "DELETE FROM event WHERE place = 3");
  journal_database journal(folder.options());
  CHECK_THROWS_AS(find(journal, "one"), journal_error);
  CHECK_THROWS_AS(journal.unfinished(), journal_error);
  CHECK(find(journal, "two").events_size() == 2);
}

TEST_CASE("no statement of requests under way looks through a table or an index", "[journal]") {
  const journal_folder folder;
  {
    journal_database journal(folder.options());
    for (int i = 0; i < 50; ++i) add_ended(journal, "request" + std::to_string(i), 2000, 300);
    write(journal, batch({request("open")}, {token("open", 0)}));
  }
  sqlite3* database = nullptr;
  REQUIRE(sqlite3_open(folder.file().c_str(), &database) == SQLITE_OK);
  const auto plan_of = [&](std::string_view text) {
    sqlite3_stmt* statement = nullptr;
    const std::string asked = "EXPLAIN QUERY PLAN " + std::string(text);
    REQUIRE(sqlite3_prepare_v2(database, asked.c_str(), -1, &statement, nullptr) == SQLITE_OK);
    std::string plan;
    while (sqlite3_step(statement) == SQLITE_ROW) plan.append(reinterpret_cast<const char*>(sqlite3_column_text(statement, 3))) += '\n';
    sqlite3_finalize(statement);
    return plan;
  };
  const auto looks_through = [&](std::string_view text) {
    const auto plan = plan_of(text);
    // In the order of an index, what is asked for first is the first of it.
    return contains(plan, "SCAN") && !contains(text.data(), "LIMIT 1");
  };
  for (const auto text : journal_sql::all_that_search) {
    CAPTURE(text, plan_of(text));
    CHECK_FALSE(looks_through(text));
  }
  CHECK(contains(plan_of(journal_sql::find_ended), "USING INDEX request_by_end"));
  for (const auto text : {journal_sql::find_unfinished, journal_sql::all_progress, journal_sql::count_deaths, journal_sql::end_in_order}) {
    CAPTURE(text, plan_of(text));
    CHECK_FALSE(contains(plan_of(text), "SCAN event"));
    CHECK_FALSE(contains(plan_of(text), "SCAN request"));
  }
  CHECK_FALSE(contains(plan_of(journal_sql::used_models), "SCAN request"));
  CHECK(looks_through("SELECT number FROM event WHERE request = 1")); // The test can see it.
  sqlite3_close(database);
}

TEST_CASE("a journal is one process's at a time, and can be listed meanwhile", "[journal]") {
  const journal_folder folder;
  journal_database first(folder.options());
  write(first, batch({request("one")}, {token("one", 0), token("one", 1)}));
  CHECK(contains(error_of(folder.options()), "used by another process"));
  const auto lines = journal_database(folder.options(), journal_database::access::list).list();
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].name == "one");
  CHECK(lines[0].tokens == 2);
  CHECK_FALSE(lines[0].ended);
}

TEST_CASE("what is no journal of this version is refused with the reason", "[journal]") {
  const journal_folder folder;
  CHECK(contains(error_of(folder.options(), journal_database::access::list), "there is no such file"));
  { journal_database made(folder.options()); }
  CHECK(error_of(folder.options()) == "none");
  SECTION("another version") {
    run_sql(folder.file(), "PRAGMA user_version = 1");
    CHECK(contains(error_of(folder.options()), "it has format 1, and this version of troupe reads format 2"));
  }
  SECTION("another program's") {
    run_sql(folder.file(), "PRAGMA application_id = 5");
    CHECK(contains(error_of(folder.options()), "another program"));
  }
  SECTION("no database") {
    std::ofstream(folder.file(), std::ios::binary | std::ios::trunc) << std::string(10000, 'x');
    CHECK(contains(error_of(folder.options()), "not a database"));
  }
  SECTION("a folder that cannot be made") {
    auto options = folder.options();
    options.folder = folder.file() / "below";
    CHECK(contains(error_of(options), "cannot be made"));
  }
}

TEST_CASE("a damaged journal is found out when it is opened", "[journal]") {
  const journal_folder folder;
  {
    journal_database made(folder.options());
    for (int i = 0; i < 50; ++i) add_ended(made, "request" + std::to_string(i), 2000, 3000);
  }
  const auto bytes = std::filesystem::file_size(folder.file());
  REQUIRE(bytes > 100'000);
  SECTION("overwritten") {
    std::fstream file(folder.file(), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(std::streamoff(bytes / 2 / 4096 * 4096));
    file << std::string(4096, char(0x5A));
  }
  SECTION("cut short") { std::filesystem::resize_file(folder.file(), bytes / 2 / 4096 * 4096); }
  const auto error = error_of(folder.options());
  CAPTURE(error);
  CHECK((contains(error, "damaged") || contains(error, "malformed")));
}

TEST_CASE("a full disk fails a transaction as a whole, and the next one may succeed", "[journal]") {
  const journal_folder folder;
  {
    journal_database journal(folder.options());
    write(journal, batch({request("one")}, {token("one", 0)}));
    {
      const testing::file_limit limit(4096);
      CHECK_THROWS_AS(write(journal, batch({request("two", "", std::string(100'000, ' '))}, {token("one", 1)})), journal_error);
    }
    // What follows the lost events is left out: the journal has no gaps.
    write(journal, batch({request("three")}, {token("one", 2), token("two", 0), token("three", 0)}));
    CHECK(find(journal, "one").events_size() == 1);
    write(journal, batch({}, {token("one", 1), token("three", 1)}));
  }
  journal_database again(folder.options());
  CHECK(find(again, "one").events_size() == 2);
  CHECK_FALSE(find(again, "two").has_request());
  CHECK(find(again, "three").events_size() == 2);
}

TEST_CASE("a journal cannot be made on a full disk, and says so", "[journal]") {
  const journal_folder folder;
  const testing::file_limit limit(512);
  CHECK(contains(error_of(folder.options()), "cannot be used"));
}

TEST_CASE("what has ended is forgotten when its time or the room is over, the oldest first", "[journal]") {
  const journal_folder folder;
  auto options = folder.options();
  options.retention = std::chrono::seconds(100);
  options.bytes_max = 1 << 20;
  journal_database journal(options);
  add_ended(journal, "old", 1000);
  add_ended(journal, "young", 1050);
  write(journal, batch({request("open")}, {token("open", 0)}));
  CHECK(journal.forget_old(1099) == 0);
  CHECK(journal.forget_old(1100) == 1);
  CHECK_FALSE(find(journal, "old").has_request());
  CHECK(find(journal, "young").has_request());
  CHECK(journal.forget_old(1'000'000) == 1);
  CHECK(find(journal, "open").events_size() == 1);

  for (int i = 0; i < 20; ++i) add_ended(journal, "large" + std::to_string(i), 2000 + i, 100'000);
  CHECK(journal.bytes() > options.bytes_max);
  CHECK(journal.bytes() < options.bytes_max + 200'000); // What is taken on takes the place of the oldest.
  CHECK(journal.forget_old(2000) > 0);
  CHECK(journal.bytes() <= options.bytes_max);
  CHECK_FALSE(find(journal, "large0").has_request());
  CHECK(find(journal, "large19").has_request());
  CHECK(journal.forget_old(1'000'000, 3) == 3);
  CHECK(find(journal, "large19").has_request());
  journal.forget_old(1'000'000);
  CHECK_FALSE(find(journal, "large19").has_request());
  CHECK(find(journal, "open").has_request());
}

TEST_CASE("when what has not ended takes all the room, nothing more is taken on", "[journal]") {
  const journal_folder folder;
  auto options = folder.options();
  options.bytes_max = 1 << 20;
  journal_database journal(options);
  const std::string body(400'000, ' ');
  for (const auto* name : {"a", "b", "c"}) write(journal, batch({request(name, "", body)}, {}));
  const auto refused = write(journal, batch({request("d", "", body)}, {token("a", 0), token("d", 0)}));
  REQUIRE(refused.size() == 1);
  CHECK(contains(refused.at("d"), "full"));
  CHECK_FALSE(find(journal, "d").has_request());
  CHECK(find(journal, "a").events_size() == 1); // What is under way goes on.
  v1::JournalBatch forgetting;
  forgetting.add_forgotten("b");
  forgetting.add_forgotten("unknown");
  write(journal, forgetting);
  CHECK(write(journal, batch({request("d", "", body)}, {token("b", 0), token("d", 0)})).empty());
  CHECK(find(journal, "d").events_size() == 1);
  CHECK_FALSE(find(journal, "b").has_request());
}

} // namespace troupe
