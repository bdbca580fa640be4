#include "actors/journal/journal_database.hpp"

#include "actors/journal/journal_sql.hpp"
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
constexpr int64_t version = 2;

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

[[noreturn]] void fail_damaged() { throw journal_error("the journal is damaged: events of a request are missing"); }

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
  request.set_deaths(uint32_t(row.number(13)));
  return request;
}

} // namespace

struct journal_database::state {
  /// A request that has not ended.
  struct progress {
    int64_t number = 0, last_place = 0;
    uint32_t events = 0; // That are in the file.
    int64_t tokens = 0;  // That many of them are.
    bool got_further = false, is_over = false; // By this transaction.
    int64_t ended = 0;
  };
  struct statements {
    statement begin, commit, rollback, add_model, admit, begin_progress, begun, got_further, end, end_progress, forget, find_number,
      find_ended, add_event, event_at, previous_of, forget_event;
    explicit statements(sqlite3* to)
      : begin(to, "BEGIN IMMEDIATE"), commit(to, "COMMIT"), rollback(to, "ROLLBACK"), add_model(to, journal_sql::add_model),
        admit(to, journal_sql::admit), begin_progress(to, journal_sql::begin_progress), begun(to, journal_sql::begun),
        got_further(to, journal_sql::got_further), end(to, journal_sql::end), end_progress(to, journal_sql::end_progress),
        forget(to, journal_sql::forget), find_number(to, journal_sql::find_number), find_ended(to, journal_sql::find_ended),
        add_event(to, journal_sql::add_event), event_at(to, journal_sql::event_at), previous_of(to, journal_sql::previous_of),
        forget_event(to, journal_sql::forget_event) {}
  };
  /// A request in the file, and where its last event is; 0: it has none.
  struct request_place {
    int64_t number = 0, last_place = 0;
  };
  using open_requests = std::map<std::string, progress, std::less<>>;
  using refusals = std::map<std::string, std::string>; // Why, by name.

  journal_options options;
  std::optional<folder_lock> lock;
  std::unique_ptr<sqlite3, closer> database;
  std::optional<statements> prepared;
  open_requests open;
  int64_t last_place = 0; // Of an event; not used again after a transaction has failed.

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
  void write(const progress& of);
  bool make_room();
  void admit(const v1::JournalRequest& request, open_requests& changed);
  progress* find_open(const std::string& name, open_requests& changed);
  void add(const v1::JournalEvent& event, open_requests& changed);
  std::optional<request_place> find_place(const std::string& name);
  std::optional<std::pair<request_place, int64_t>> oldest_ended(); // And when.
  void forget(request_place request);
  int64_t read_events(request_place of, v1::JournalFound& into, size_t bytes_max);
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
  for (std::string_view rest = journal_sql::schema; rest.find(';') != rest.npos; rest.remove_prefix(rest.find(';') + 1))
    run(rest.substr(0, rest.find(';') + 1));
  run("PRAGMA user_version = 2"); // `version`
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
    st.last_place = st.number(journal_sql::last_event);
    statement row(st.database.get(), journal_sql::all_progress);
    while (row.next()) {
      auto& one = st.open[row.text(1)];
      one.number = row.number(0);
      one.last_place = row.number(2);
      one.events = uint32_t(row.number(3));
      one.tokens = row.number(4);
    }
    st.in_transaction([&] {
      st.run("PRAGMA user_version = 2"); // Can it be written?
      st.run(journal_sql::count_deaths);
    });
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

std::optional<std::pair<journal_database::state::request_place, int64_t>> journal_database::state::oldest_ended() {
  auto& row = prepared->find_ended;
  row.reset();
  if (!row.next()) return std::nullopt;
  const std::pair found(request_place{row.number(0), row.number(2)}, row.number(1));
  row.reset();
  return found;
}

/// False: requests that have not ended take all of it.
bool journal_database::state::make_room() {
  if (bytes() <= options.bytes_max) return true;
  const auto oldest = oldest_ended();
  if (oldest) forget(oldest->first);
  return oldest.has_value();
}

void journal_database::state::admit(const v1::JournalRequest& request, open_requests& changed) {
  prepared->add_model.with(request.model()).with(request.model_identity()).run();
  prepared->admit.with(request.name()).with(request.path()).with(request.tenant()).with(int64_t(request.tenant_is_known()))
    .with(request.key()).with_bytes(request.body()).with_bytes(request.conversation()).with(request.model())
    .with(request.model_identity()).with(int64_t(request.seed())).with(request.created()).run();
  auto& one = changed[request.name()] = {};
  one.number = sqlite3_last_insert_rowid(database.get());
  prepared->begin_progress.with(one.number).run();
}

/// Null: its admission has failed, or it was forgotten.
journal_database::state::progress* journal_database::state::find_open(const std::string& name, open_requests& changed) {
  auto found = changed.find(name);
  if (found == changed.end()) {
    const auto before = open.find(name);
    if (before == open.end()) return nullptr;
    found = changed.insert(*before).first;
  }
  return found->second.number == 0 ? nullptr : &found->second;
}

void journal_database::state::add(const v1::JournalEvent& event, open_requests& changed) {
  auto* const of = find_open(event.request(), changed);
  if (!of || of->is_over || event.number() != of->events) return; // What precedes it was not written.
  auto& into = prepared->add_event;
  into.with(++last_place).with(of->number).with(int64_t(event.number())).with(int64_t(event.choice())).with(of->last_place);
  if (event.has_token()) {
    v1::JournalToken more;
    if (event.token().logprobs_size() > 0) *more.mutable_logprobs() = event.token().logprobs();
    into.with(int64_t(event.token().token())).with_bytes(event.token().text()).with_bytes(more.SerializeAsString()).run();
    ++of->tokens;
  } else {
    v1::JournalEnd more = event.end();
    more.clear_text();
    into.with_null().with_bytes(event.end().text()).with_bytes(more.SerializeAsString()).run();
    of->is_over = event.is_last();
    of->ended = event.end().time();
  }
  ++of->events;
  of->last_place = last_place;
  of->got_further = true;
}

/// Once in a transaction, however many events it has.
void journal_database::state::write(const progress& of) {
  if (of.is_over) {
    prepared->end.with(of.ended).with(of.last_place).with(of.tokens).with(of.number).run();
    prepared->end_progress.with(of.number).run();
  } else if (of.got_further) {
    prepared->got_further.with(of.last_place).with(int64_t(of.events)).with(of.tokens).with(of.number).run();
  }
}

void journal_database::state::write(const v1::JournalBatch& batch, open_requests& changed, refusals& refused) {
  for (const auto& one : batch.admitted())
    if (make_room()) admit(one, changed);
    else
      refused[one.name()] =
        "the journal is full: requests that have not ended take all of its " + std::to_string(options.bytes_max >> 20) + " MiB";
  for (const auto& name : batch.begun())
    if (const auto* one = find_open(name, changed)) prepared->begun.with(one->number).run();
  for (const auto& one : batch.events()) add(one, changed);
  for (const auto& name : batch.forgotten()) {
    const auto* const one = find_open(name, changed);
    if (const auto place = one ? std::optional(request_place{one->number, one->last_place}) : find_place(name)) forget(*place);
    changed.insert_or_assign(name, progress()); // No event follows.
  }
}

std::map<std::string, std::string> journal_database::write(std::span<const v1::JournalBatch> batches) {
  state::open_requests changed;
  state::refusals refused;
  state_->in_transaction([&] {
    for (const auto& one : batches) state_->write(one, changed, refused);
    for (const auto& [name, progress] : changed)
      if (progress.number != 0) state_->write(progress);
  });
  for (auto& [name, progress] : changed) {
    progress.got_further = false;
    if (progress.is_over || progress.number == 0) state_->open.erase(name);
    else state_->open.insert_or_assign(name, progress);
  }
  return refused;
}

std::optional<journal_database::state::request_place> journal_database::state::find_place(const std::string& name) {
  auto& row = prepared->find_number;
  row.reset();
  if (!row.with(name).next()) return std::nullopt;
  const request_place found{row.number(0), row.number(1)};
  row.reset();
  return found;
}

void journal_database::state::forget(request_place request) {
  for (int64_t place = request.last_place; place != 0;) {
    auto& row = prepared->previous_of;
    row.reset();
    if (!row.with(place).with(request.number).next()) fail_damaged();
    const int64_t previous = row.number(0);
    row.reset();
    if (previous >= place) fail_damaged();
    prepared->forget_event.with(place).run();
    place = previous;
  }
  prepared->end_progress.with(request.number).run();
  prepared->forget.with(request.number).run();
}

/// Those at `of.last_place` and before, in order, until they have so many bytes. Returns the place of the one before them; 0: that was all.
int64_t journal_database::state::read_events(request_place of, v1::JournalFound& into, size_t bytes_max) {
  const std::string& name = into.request().name();
  auto& row = prepared->event_at;
  int64_t place = of.last_place;
  for (size_t bytes = 0; place != 0 && bytes < bytes_max;) {
    row.reset();
    if (!row.with(place).next() || row.number(0) != of.number || row.number(1) >= place) fail_damaged();
    auto& event = *into.add_events();
    event.set_request(name);
    event.set_number(uint32_t(row.number(2)));
    event.set_choice(uint32_t(row.number(3)));
    if (row.is_null(4)) {
      parse(*event.mutable_end(), row.text(6));
      event.mutable_end()->set_text(row.text(5));
    } else {
      parse(*event.mutable_token(), row.text(6));
      event.mutable_token()->set_token(uint32_t(row.number(4)));
      event.mutable_token()->set_text(row.text(5));
    }
    bytes += event.SpaceUsedLong();
    place = row.number(1);
  }
  row.reset();
  std::ranges::reverse(*into.mutable_events());
  return place;
}

v1::JournalFound journal_database::find(const v1::JournalQuery& query) {
  constexpr size_t page_bytes = 256 << 10; // Some milliseconds.
  v1::JournalFound found;
  found.set_number(query.number());
  statement row(state_->database.get(), query.name().empty() ? journal_sql::find_by_key : journal_sql::find_by_name);
  if (query.name().empty()) row.with(query.tenant()).with(query.key());
  else row.with(query.name());
  if (!row.next()) return found;
  *found.mutable_request() = request_of(row);
  const int64_t place = query.rest() > 0 ? int64_t(query.rest()) : row.number(14);
  found.set_rest(uint64_t(state_->read_events({row.number(0), place}, found, page_bytes)));
  if (query.rest() > 0) { // It has been told before.
    found.mutable_request()->clear_body();
    found.mutable_request()->clear_conversation();
  }
  return found;
}

std::vector<v1::JournalFound> journal_database::unfinished() {
  std::vector<v1::JournalFound> all;
  statement row(state_->database.get(), journal_sql::find_unfinished);
  while (row.next()) {
    auto& found = all.emplace_back();
    *found.mutable_request() = request_of(row);
    state_->read_events({row.number(0), row.number(14)}, found, SIZE_MAX);
  }
  return all;
}

void journal_database::end_in_order() {
  state_->in_transaction([&] { state_->run(journal_sql::end_in_order); });
}

std::vector<std::pair<std::string, std::string>> journal_database::models() {
  std::vector<std::pair<std::string, std::string>> all;
  statement row(state_->database.get(), journal_sql::used_models);
  while (row.next()) all.emplace_back(row.text(0), row.text(1));
  return all;
}

size_t journal_database::forget_old(int64_t now, size_t count) {
  auto& st = *state_;
  const auto oldest = [&]() -> std::optional<state::request_place> {
    const auto found = st.oldest_ended();
    if (found && (found->second + st.options.retention.count() <= now || st.bytes() > st.options.bytes_max)) return found->first;
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
  statement row(state_->database.get(), journal_sql::list);
  while (row.next()) {
    auto& line = all.emplace_back();
    line.name = row.text(0);
    line.path = row.text(1);
    line.tenant = row.text(2);
    line.key = row.text(3);
    line.model = row.text(4);
    line.created = row.number(5);
    if (!row.is_null(6)) line.ended = row.number(6);
    line.tokens = uint64_t(row.number(7));
    line.deaths = uint32_t(row.number(8));
    line.is_begun = row.number(9) != 0;
  }
  return all;
}

uint64_t journal_database::bytes() { return state_->bytes(); }

} // namespace troupe
