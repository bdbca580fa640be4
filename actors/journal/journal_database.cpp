#include "actors/journal/journal_database.hpp"

#include "model/error.hpp"
#include "troupe/v1/journal.pb.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <sqlite3.h>
#include <string_view>
#include <sys/file.h>
#include <unistd.h>

namespace troupe {
namespace {

constexpr int64_t application = 0x74726F75; // "trou"
constexpr int64_t version = 1;

// more: logprobs of a token, or what there is to an end beside its text, as protobuf. token: null for an end.
//
// Events of all requests lie one behind the other, as they came: a transaction of 32 requests' tokens writes one page or two. By request
// they would be 32 pages, which took a third of the time of a small model. A request's events are found between its first and last place,
// among those of the requests that ran beside it. last_place: 0 until it has ended. What may be long comes last in a row, so that the rest
// is read without it.
constexpr const char* schema = R"(
CREATE TABLE request(
  number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, path TEXT NOT NULL, tenant TEXT NOT NULL, tenant_is_known INTEGER NOT NULL,
  key TEXT NOT NULL, model TEXT NOT NULL, model_identity TEXT NOT NULL, seed INTEGER NOT NULL, created INTEGER NOT NULL,
  first_place INTEGER NOT NULL, last_place INTEGER NOT NULL DEFAULT 0, ended INTEGER, starts INTEGER NOT NULL DEFAULT 0,
  body BLOB NOT NULL, conversation BLOB NOT NULL);
CREATE UNIQUE INDEX request_by_key ON request(tenant, key) WHERE key <> '';
CREATE INDEX request_by_end ON request(ended);
CREATE TABLE event(
  place INTEGER PRIMARY KEY, request INTEGER NOT NULL, number INTEGER NOT NULL, choice INTEGER NOT NULL, token INTEGER,
  text BLOB NOT NULL, more BLOB NOT NULL);)";

// What request_of() reads, and of which requests.
#define TROUPE_REQUESTS \
  "SELECT number, name, path, tenant, tenant_is_known, key, body, conversation, model, model_identity, seed, created, ended, starts FROM request "
constexpr std::string_view find_by_key = TROUPE_REQUESTS "WHERE tenant = ? AND key = ? AND key <> ''", find_by_name = TROUPE_REQUESTS
                           "WHERE name = ?", find_unfinished = TROUPE_REQUESTS "WHERE ended IS NULL ORDER BY number";
#undef TROUPE_REQUESTS

/// A descriptor that holds the folder for this process.
class folder_lock {
public:
  explicit folder_lock(const std::filesystem::path& file) : descriptor_(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    if (descriptor_ < 0) throw input_error("the journal's " + file.string() + " cannot be written: " + std::strerror(errno));
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
    const int reason = errno;
    ::close(descriptor_);
    if (reason == EWOULDBLOCK) throw input_error("the journal in " + file.parent_path().string() + " is used by another process");
    throw input_error("the journal's " + file.string() + " cannot be locked: " + std::strerror(reason));
  }
  ~folder_lock() { ::close(descriptor_); }
  folder_lock(const folder_lock&) = delete;
  folder_lock& operator=(const folder_lock&) = delete;

private:
  int descriptor_;
};

struct closer {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

/// One statement. Every failure is a journal_error with SQLite's reason.
class statement {
public:
  statement(sqlite3* database, std::string_view text) : database_(database) {
    sqlite3_stmt* made = nullptr;
    check(sqlite3_prepare_v2(database, text.data(), int(text.size()), &made, nullptr));
    made_.reset(made);
  }

  statement& with(int64_t number) {
    check(sqlite3_bind_int64(made_.get(), ++bound_, number));
    return *this;
  }
  statement& with(std::string_view text) {
    check(sqlite3_bind_text(made_.get(), ++bound_, text.data(), int(text.size()), SQLITE_TRANSIENT));
    return *this;
  }
  statement& with_bytes(std::string_view bytes) {
    check(sqlite3_bind_blob(made_.get(), ++bound_, bytes.empty() ? "" : bytes.data(), int(bytes.size()), SQLITE_TRANSIENT));
    return *this;
  }
  statement& with_null() {
    check(sqlite3_bind_null(made_.get(), ++bound_));
    return *this;
  }

  /// Whether there is a (further) row.
  bool next() {
    const int result = sqlite3_step(made_.get());
    if (result == SQLITE_ROW) return true;
    if (result != SQLITE_DONE) {
      const std::string reason = sqlite3_errmsg(database_);
      reset();
      throw journal_error(reason);
    }
    return false;
  }
  void run() {
    while (next()) {}
    reset();
  }
  void reset() {
    sqlite3_reset(made_.get());
    bound_ = 0;
  }

  bool is_null(int column) const { return sqlite3_column_type(made_.get(), column) == SQLITE_NULL; }
  int64_t number(int column) const { return sqlite3_column_int64(made_.get(), column); }
  std::string text(int column) const {
    const auto* first = static_cast<const char*>(sqlite3_column_blob(made_.get(), column));
    return first ? std::string(first, size_t(sqlite3_column_bytes(made_.get(), column))) : std::string();
  }

private:
  void check(int result) {
    if (result == SQLITE_OK) return;
    const std::string reason = sqlite3_errmsg(database_);
    reset(); // It is used again.
    throw journal_error(reason);
  }
  sqlite3* database_;
  std::unique_ptr<sqlite3_stmt, closer> made_;
  int bound_ = 0;
};

/// A message that is stored as bytes.
template <class Message> void parse(Message& into, const std::string& bytes) {
  if (!into.ParseFromString(bytes)) throw journal_error("the journal is damaged: an event of it cannot be read");
}

v1::JournalRequest request_of(const statement& row) {
  v1::JournalRequest request;
  request.set_name(row.text(1));
  request.set_path(row.text(2));
  request.set_tenant(row.text(3));
  request.set_tenant_is_known(row.number(4) != 0);
  request.set_key(row.text(5));
  request.set_body(row.text(6));
  request.set_conversation(row.text(7));
  request.set_model(row.text(8));
  request.set_model_identity(row.text(9));
  request.set_seed(uint64_t(row.number(10)));
  request.set_created(row.number(11));
  request.set_is_over(!row.is_null(12));
  request.set_starts(uint32_t(row.number(13)));
  return request;
}

} // namespace

struct journal_database::state {
  /// A request that has not ended.
  struct progress {
    int64_t number = 0;
    uint32_t events = 0; // That are in the file.
    bool counts_starts = false, is_over = false;
  };
  struct statements {
    statement begin, commit, rollback, admit, add_event, end, goes_on, forget_events, forget;
    explicit statements(sqlite3* to)
      : begin(to, "BEGIN IMMEDIATE"), commit(to, "COMMIT"), rollback(to, "ROLLBACK"),
        admit(to, "INSERT INTO request(name, path, tenant, tenant_is_known, key, body, conversation, model, model_identity, seed, created, "
                  "first_place) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)"),
        add_event(to, "INSERT INTO event(place, request, number, choice, token, text, more) VALUES(?,?,?,?,?,?,?)"),
        end(to, "UPDATE request SET ended = ?, last_place = ? WHERE number = ?"),
        goes_on(to, "UPDATE request SET starts = 0 WHERE number = ?"),
        forget_events(to, "DELETE FROM event WHERE request = ?1 AND place >= (SELECT first_place FROM request WHERE number = ?1) "
                          "AND place <= (SELECT IIF(last_place = 0, 9223372036854775807, last_place) FROM request WHERE number = ?1)"),
        forget(to, "DELETE FROM request WHERE number = ?") {}
  };
  using open_requests = std::map<std::string, progress, std::less<>>;
  using refusals = std::map<std::string, std::string>; // Why, by name.

  journal_options options;
  std::optional<folder_lock> lock;
  std::unique_ptr<sqlite3, closer> database;
  std::optional<statements> prepared;
  open_requests open;
  int64_t last_place = 0; // Of an event; never used again, not even after a transaction has failed.

  void run(std::string_view text) const { statement(database.get(), text).run(); }
  int64_t number(std::string_view text) const {
    statement asked(database.get(), text);
    return asked.next() ? asked.number(0) : 0;
  }
  void connect(const std::filesystem::path& file, access how);
  void check_file(access how);
  void make_file();
  template <class F> void in_transaction(F f);
  void write(const v1::JournalBatch& batch, open_requests& changed, refusals& refused);
  bool make_room();
  void admit(const v1::JournalRequest& request, open_requests& changed);
  void add(const v1::JournalEvent& event, open_requests& changed);
  std::optional<int64_t> find_number(const std::string& name);
  void forget(int64_t request);
  std::vector<v1::JournalEvent> events_of(int64_t request, const std::string& name);
  uint64_t bytes() const {
    return uint64_t(number("PRAGMA page_count") - number("PRAGMA freelist_count")) * uint64_t(number("PRAGMA page_size"));
  }
};

void journal_database::state::connect(const std::filesystem::path& file, access how) {
  sqlite3* made = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (how == access::write ? SQLITE_OPEN_CREATE : 0);
  const int result = sqlite3_open_v2(file.c_str(), &made, flags, nullptr);
  database.reset(made);
  if (result != SQLITE_OK) throw journal_error(made ? sqlite3_errmsg(made) : "no memory");
  sqlite3_busy_timeout(made, 2000); // A listing process may hold it for a moment.
}

void journal_database::state::make_file() {
  run("PRAGMA journal_mode = WAL");
  run("BEGIN IMMEDIATE"); // All or nothing, should the process end here.
  run("PRAGMA application_id = 1953656693"); // `application`
  for (std::string_view rest = schema; rest.find(';') != rest.npos; rest.remove_prefix(rest.find(';') + 1))
    run(rest.substr(0, rest.find(';') + 1));
  run("PRAGMA user_version = 1"); // `version`
  run("COMMIT");
}

void journal_database::state::check_file(access how) {
  if (how == access::write && number("PRAGMA application_id") == 0 && number("SELECT COUNT(*) FROM sqlite_master") == 0) make_file();
  const auto found_application = number("PRAGMA application_id"), found_version = number("PRAGMA user_version");
  if (found_application != application) throw input_error("it is a database of another program");
  if (found_version != version) {
    std::string reason = "it has format ";
    reason.append(std::to_string(found_version)).append(", and this version of troupe reads format ").append(std::to_string(version));
    throw input_error(reason);
  }
  if (how == access::list) return;
  statement check(database.get(), "PRAGMA quick_check(1)");
  if (const std::string verdict = check.next() ? check.text(0) : ""; verdict != "ok") throw input_error("it is damaged: " + verdict);
}

journal_database::journal_database(journal_options options, access how) : state_(std::make_unique<state>()) {
  auto& st = *state_;
  st.options = std::move(options);
  const auto& folder = st.options.folder;
  std::error_code error;
  if (how == access::write) {
    if (std::filesystem::create_directories(folder, error)) // What is in it is of nobody else's business.
      std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
    if (error) throw input_error("the journal's folder " + folder.string() + " cannot be made: " + error.message());
    st.lock.emplace(folder / "lock");
  }
  const auto file = folder / "journal.sqlite3";
  const auto fail = [&](const std::string& reason) { throw input_error("the journal " + file.string() + " cannot be used: " + reason); };
  if (how == access::list && !std::filesystem::exists(file, error)) fail("there is no such file");
  try {
    st.connect(file, how);
    if (how == access::write) {
      st.run(st.options.sync == journal_sync::full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
      st.run("PRAGMA journal_size_limit = 16777216"); // Of the write-ahead log, once it has been emptied.
    }
    st.check_file(how);
    if (how == access::list) return;
    st.prepared.emplace(st.database.get());
    st.last_place = std::max(st.number("SELECT MAX(place) FROM event"), st.number("SELECT MAX(first_place) FROM request"));
    statement row(st.database.get(), "SELECT number, name, "
                                     "(SELECT COUNT(*) FROM event WHERE place >= first_place AND request = request.number) "
                                     "FROM request WHERE ended IS NULL");
    while (row.next()) st.open[row.text(1)] = {row.number(0), uint32_t(row.number(2))};
    st.in_transaction([&] { st.run("PRAGMA user_version = 1"); }); // Can it be written?
  } catch (const journal_error& reason) {
    fail(reason.what());
  } catch (const input_error& reason) {
    fail(reason.what());
  }
}

journal_database::~journal_database() = default;
journal_database::journal_database(journal_database&&) noexcept = default;

template <class F> void journal_database::state::in_transaction(F f) {
  prepared->begin.run();
  try {
    f();
    prepared->commit.run();
  } catch (...) {
    if (!sqlite3_get_autocommit(database.get())) try { // Some failures have rolled it back by themselves.
        prepared->rollback.run();
      } catch (const journal_error&) {
      }
    throw;
  }
}

/// False: requests that have not ended take all of it.
bool journal_database::state::make_room() {
  if (bytes() <= options.bytes_max) return true;
  const auto oldest = number("SELECT number FROM request WHERE ended IS NOT NULL ORDER BY ended LIMIT 1");
  if (oldest != 0) forget(oldest);
  return oldest != 0;
}

void journal_database::state::admit(const v1::JournalRequest& request, open_requests& changed) {
  prepared->admit.with(request.name()).with(request.path()).with(request.tenant()).with(int64_t(request.tenant_is_known()))
    .with(request.key()).with_bytes(request.body()).with_bytes(request.conversation()).with(request.model())
    .with(request.model_identity()).with(int64_t(request.seed())).with(request.created()).with(last_place + 1).run();
  changed[request.name()] = {sqlite3_last_insert_rowid(database.get()), 0};
}

void journal_database::state::add(const v1::JournalEvent& event, open_requests& changed) {
  auto found = changed.find(event.request());
  if (found == changed.end()) {
    const auto before = open.find(event.request());
    if (before == open.end()) return; // Its admission has failed, or it was forgotten.
    found = changed.insert(*before).first;
  }
  auto& [number, count, counts_starts, is_over] = found->second;
  if (event.number() != count) return; // What precedes it was not written.
  if (std::exchange(counts_starts, false)) prepared->goes_on.with(number).run();
  auto& into = prepared->add_event;
  into.with(++last_place).with(number).with(int64_t(event.number())).with(int64_t(event.choice()));
  if (event.has_token()) {
    v1::JournalToken more;
    if (event.token().logprobs_size() > 0) *more.mutable_logprobs() = event.token().logprobs();
    into.with(int64_t(event.token().token())).with_bytes(event.token().text()).with_bytes(more.SerializeAsString()).run();
  } else {
    v1::JournalEnd more = event.end();
    more.clear_text();
    into.with_null().with_bytes(event.end().text()).with_bytes(more.SerializeAsString()).run();
    if (event.is_last()) prepared->end.with(event.end().time()).with(last_place).with(number).run();
    is_over = event.is_last();
  }
  ++count;
}

void journal_database::state::write(const v1::JournalBatch& batch, open_requests& changed, refusals& refused) {
  for (const auto& one : batch.admitted())
    if (make_room()) admit(one, changed);
    else
      refused[one.name()] =
        "the journal is full: requests that have not ended take all of its " + std::to_string(options.bytes_max >> 20) + " MiB";
  for (const auto& one : batch.events()) add(one, changed);
  for (const auto& name : batch.forgotten())
    if (const auto number = find_number(name)) {
      changed.insert_or_assign(name, progress{0, UINT32_MAX}); // No event follows.
      forget(*number);
    }
}

std::map<std::string, std::string> journal_database::write(std::span<const v1::JournalBatch> batches) {
  state::open_requests changed;
  state::refusals refused;
  state_->in_transaction([&] {
    for (const auto& one : batches) state_->write(one, changed, refused);
  });
  for (auto& [name, progress] : changed) {
    if (progress.is_over) state_->open.erase(name);
    else state_->open.insert_or_assign(name, progress);
  }
  for (const auto& one : batches)
    for (const auto& name : one.forgotten()) state_->open.erase(name);
  return refused;
}

std::optional<int64_t> journal_database::state::find_number(const std::string& name) {
  statement row(database.get(), "SELECT number FROM request WHERE name = ?");
  return row.with(name).next() ? std::optional(row.number(0)) : std::nullopt;
}

void journal_database::state::forget(int64_t request) {
  prepared->forget_events.with(request).run();
  prepared->forget.with(request).run();
}

std::vector<v1::JournalEvent> journal_database::state::events_of(int64_t request, const std::string& name) {
  std::vector<v1::JournalEvent> events;
  statement row(database.get(), "SELECT number, choice, token, text, more FROM event WHERE request = ?1 "
                                "AND place >= (SELECT first_place FROM request WHERE number = ?1) "
                                "AND place <= (SELECT IIF(last_place = 0, 9223372036854775807, last_place) FROM request WHERE number = ?1) "
                                "ORDER BY place");
  row.with(request);
  while (row.next()) {
    auto& event = events.emplace_back();
    event.set_request(name);
    event.set_number(uint32_t(row.number(0)));
    event.set_choice(uint32_t(row.number(1)));
    if (row.is_null(2)) {
      parse(*event.mutable_end(), row.text(4));
      event.mutable_end()->set_text(row.text(3));
    } else {
      parse(*event.mutable_token(), row.text(4));
      event.mutable_token()->set_token(uint32_t(row.number(2)));
      event.mutable_token()->set_text(row.text(3));
    }
  }
  return events;
}

v1::JournalFound journal_database::find(const v1::JournalQuery& query) {
  v1::JournalFound found;
  found.set_number(query.number());
  statement row(state_->database.get(), query.name().empty() ? find_by_key : find_by_name);
  if (query.name().empty()) row.with(query.tenant()).with(query.key());
  else row.with(query.name());
  if (!row.next()) return found;
  *found.mutable_request() = request_of(row);
  for (auto& event : state_->events_of(row.number(0), found.request().name())) found.mutable_events()->Add(std::move(event));
  return found;
}

std::vector<v1::JournalFound> journal_database::unfinished() {
  state_->in_transaction([&] { state_->run("UPDATE request SET starts = starts + 1 WHERE ended IS NULL"); });
  for (auto& [name, progress] : state_->open) progress.counts_starts = true;
  std::vector<v1::JournalFound> all;
  statement row(state_->database.get(), find_unfinished);
  while (row.next()) {
    auto& found = all.emplace_back();
    *found.mutable_request() = request_of(row);
    for (auto& event : state_->events_of(row.number(0), found.request().name())) found.mutable_events()->Add(std::move(event));
  }
  return all;
}

std::vector<std::pair<std::string, std::string>> journal_database::models() {
  std::vector<std::pair<std::string, std::string>> all;
  statement row(state_->database.get(), "SELECT DISTINCT model, model_identity FROM request ORDER BY model");
  while (row.next()) all.emplace_back(row.text(0), row.text(1));
  return all;
}

size_t journal_database::forget_old(int64_t now, size_t count) {
  auto& st = *state_;
  const auto oldest = [&]() -> std::optional<int64_t> {
    statement row(st.database.get(), "SELECT number, ended FROM request WHERE ended IS NOT NULL ORDER BY ended, number LIMIT 1");
    if (row.next() && (row.number(1) + st.options.retention.count() <= now || st.bytes() > st.options.bytes_max)) return row.number(0);
    return std::nullopt;
  };
  if (!oldest()) return 0;
  size_t forgotten = 0;
  st.in_transaction([&] {
    for (auto one = oldest(); one && forgotten < count; one = oldest(), ++forgotten) st.forget(*one);
  });
  return forgotten;
}

std::vector<journal_line> journal_database::list() {
  std::vector<journal_line> all;
  statement row(state_->database.get(),
                "SELECT name, path, tenant, key, model, created, ended, "
                "(SELECT COUNT(*) FROM event WHERE place >= first_place AND place <= IIF(last_place = 0, 9223372036854775807, last_place) "
                "AND request = request.number AND token IS NOT NULL) FROM request ORDER BY number");
  while (row.next()) {
    auto& line = all.emplace_back(journal_line{row.text(0), row.text(1), row.text(2), row.text(3), row.text(4), row.number(5), {},
                                               uint64_t(row.number(7))});
    if (!row.is_null(6)) line.ended = row.number(6);
  }
  return all;
}

uint64_t journal_database::bytes() { return state_->bytes(); }

} // namespace troupe
