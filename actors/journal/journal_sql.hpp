#pragma once
// What the journal says to SQLite. All of it is here, so that a test can ask how each statement finds its rows.
#include <string_view>

namespace troupe::journal_sql {

// more: logprobs of a token, or what there is to an end beside its text, as protobuf. token: null for an end.
//
// Events of all requests lie one behind the other, as they came: a transaction of 32 requests' tokens writes one page or two. In the order
// of requests, or with an index by request, they would be 32 pages, which took a third of the time of a small model. So each event knows
// the place of the one that precedes it in its request (`previous`; 0: none), and the last one is known: in `request` once it has ended,
// until then in `progress`, whose rows are few and small and are written once in a transaction. What may be long comes last in a row, so
// that the rest is read without it.
//
// progress.is_begun: it was handed to the engine by the process that has the journal, or had it last; deaths: how many processes in a row
// have died in which it was, without an event that followed.
inline constexpr std::string_view schema = R"(
CREATE TABLE model(number INTEGER PRIMARY KEY, name TEXT NOT NULL, identity TEXT NOT NULL, UNIQUE(name, identity));
CREATE TABLE request(
  number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, path TEXT NOT NULL, tenant TEXT NOT NULL, tenant_is_known INTEGER NOT NULL,
  key TEXT NOT NULL, model INTEGER NOT NULL, seed INTEGER NOT NULL, created INTEGER NOT NULL, ended INTEGER,
  last_place INTEGER NOT NULL DEFAULT 0, tokens INTEGER NOT NULL DEFAULT 0, body BLOB NOT NULL, conversation BLOB NOT NULL);
CREATE UNIQUE INDEX request_by_key ON request(tenant, key) WHERE key <> '';
CREATE INDEX request_by_end ON request(ended) WHERE ended IS NOT NULL;
CREATE INDEX request_by_model ON request(model);
CREATE TABLE progress(
  request INTEGER PRIMARY KEY, last_place INTEGER NOT NULL DEFAULT 0, events INTEGER NOT NULL DEFAULT 0,
  tokens INTEGER NOT NULL DEFAULT 0, deaths INTEGER NOT NULL DEFAULT 0, is_begun INTEGER NOT NULL DEFAULT 1);
CREATE TABLE event(
  place INTEGER PRIMARY KEY, request INTEGER NOT NULL, number INTEGER NOT NULL, choice INTEGER NOT NULL, previous INTEGER NOT NULL,
  token INTEGER, text BLOB NOT NULL, more BLOB NOT NULL);)";

inline constexpr std::string_view
  // Requests.
  add_model = "INSERT OR IGNORE INTO model(name, identity) VALUES(?, ?)",
  admit = "INSERT INTO request(name, path, tenant, tenant_is_known, key, body, conversation, model, seed, created) "
          "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, (SELECT number FROM model WHERE name = ?8 AND identity = ?9), ?10, ?11)",
  begin_progress = "INSERT INTO progress(request) VALUES(?)",
  begun = "UPDATE progress SET is_begun = 1 WHERE request = ?",
  got_further = "UPDATE progress SET last_place = ?, events = ?, tokens = ?, deaths = 0 WHERE request = ?",
  end = "UPDATE request SET ended = ?, last_place = ?, tokens = ? WHERE number = ?",
  end_progress = "DELETE FROM progress WHERE request = ?",
  forget = "DELETE FROM request WHERE number = ?",
  find_number = "SELECT number, COALESCE(progress.last_place, request.last_place) FROM request "
                "LEFT JOIN progress ON progress.request = request.number WHERE request.name = ?",
  find_ended = "SELECT number, ended, last_place FROM request WHERE ended IS NOT NULL ORDER BY ended LIMIT 1",

  // Events. Those of a request are found from its last one backwards.
  add_event = "INSERT INTO event(place, request, number, choice, previous, token, text, more) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
  event_at = "SELECT request, previous, number, choice, token, text, more FROM event WHERE place = ?",
  previous_of = "SELECT previous FROM event WHERE place = ? AND request = ?",
  forget_event = "DELETE FROM event WHERE place = ?",
  last_event = "SELECT MAX(place) FROM event";

// What request_of() reads, and of which requests.
#define TROUPE_REQUESTS(of) \
  "SELECT request.number, request.name, path, tenant, tenant_is_known, key, body, conversation, model.name, model.identity, seed, " \
  "created, ended, deaths, COALESCE(progress.last_place, request.last_place) FROM " of " JOIN model ON model.number = request.model "
inline constexpr std::string_view
  find_by_key = TROUPE_REQUESTS("request LEFT JOIN progress ON progress.request = request.number")
  "WHERE tenant = ? AND key = ? AND key <> ''",
  find_by_name = TROUPE_REQUESTS("request LEFT JOIN progress ON progress.request = request.number") "WHERE request.name = ?",
  find_unfinished = TROUPE_REQUESTS("progress CROSS JOIN request ON request.number = progress.request") "ORDER BY progress.request";
#undef TROUPE_REQUESTS

// CROSS JOIN: the order in which SQLite joins, too.
//
// Those that look at all that is unfinished, at all models, or at all there is: when a journal is opened or closed, or listed.
inline constexpr std::string_view
  all_progress = "SELECT request.number, request.name, progress.last_place, events, progress.tokens FROM progress "
                 "CROSS JOIN request ON request.number = progress.request",
  count_deaths = "UPDATE progress SET deaths = deaths + 1, is_begun = 0 WHERE is_begun = 1",
  end_in_order = "UPDATE progress SET is_begun = 0 WHERE is_begun = 1",
  used_models = "SELECT name, identity FROM model WHERE EXISTS(SELECT 1 FROM request WHERE model = model.number) ORDER BY name",
  list = "SELECT request.name, path, tenant, key, model.name, created, ended, COALESCE(progress.tokens, request.tokens), deaths, is_begun "
         "FROM request JOIN model ON model.number = request.model LEFT JOIN progress ON progress.request = request.number "
         "ORDER BY request.number";

/// But those of the last group.
inline constexpr std::string_view all_that_search[] = {
  add_model,  admit,     begin_progress, begun,       got_further,  end,        end_progress, forget,      find_number,
  find_ended, add_event, event_at,       previous_of, forget_event, last_event, find_by_key,  find_by_name};

} // namespace troupe::journal_sql
