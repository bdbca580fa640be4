#include "apps/service/serving/kept_requests.hpp"

#include "actors/requests/event_messages.hpp"
#include "apps/service/api/json_text.hpp"
#include "apps/service/serving/model_identity.hpp"
#include "model/error.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace troupe::service {
namespace {

/// As many answers that have ended are kept in memory; with a journal others are read back when they are asked for.
constexpr size_t ended_max = 4096;
constexpr uint64_t ended_bytes_max = 256 << 20;

constexpr std::string_view response_prefix = "resp_", response_path = "/v1/responses";

/// As the draft has it, or without quotes, as most clients send it. Empty: there is none.
std::string read_key(const http::request& asked) {
  std::string_view key = asked.header("idempotency-key");
  if (key.size() >= 2 && key.front() == '"' && key.back() == '"') key = key.substr(1, key.size() - 2);
  const auto is_fine = [](char c) { return c >= ' ' && c <= '~'; };
  if (key.size() > 255 || !std::ranges::all_of(key, is_fine) || (key.empty() && !asked.header("idempotency-key").empty()))
    throw api_error(400, "invalid_idempotency_key", "an Idempotency-Key has 1 to 255 printable ASCII characters");
  return std::string(key);
}

int64_t read_last_event(const http::request& asked) {
  const auto text = asked.header("last-event-id");
  if (text.empty()) return -1;
  int64_t number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || rest != text.data() + text.size() || number < 0)
    throw api_error(400, "invalid_last_event_id", "Last-Event-ID is not the id of an event of this stream");
  return number;
}

api_error journal_failed(const std::string& reason) {
  api_error error(503, "journal_failed", "requests cannot be kept now: " + reason);
  error.retry_after_ms = 1000;
  return error;
}

api_error is_ending() {
  api_error error(503, "draining", "this server is being stopped; kept requests go on when it is back");
  error.retry_after_ms = 1000;
  return error;
}

void fill(v1::JournalEvent& to, const generation_event& event, int64_t time) {
  if (event.kind == event_kind::token) {
    auto& token = *to.mutable_token();
    token.set_token(event.token);
    token.set_text(event.text);
    add_logprobs(*token.mutable_logprobs(), event.logprobs);
    return;
  }
  auto& end = *to.mutable_end();
  end.set_reason(to_message(event.reason));
  end.set_error(event.error);
  end.set_text(event.text);
  end.set_prompt_tokens_cached(event.prompt_tokens_cached);
  end.set_retry_after_ms(uint32_t(event.retry_after.count()));
  end.set_time(time);
}

event_keeper::kept_event read(const v1::JournalEvent& from) {
  event_keeper::kept_event kept{from.choice(), {}, 0};
  auto& event = kept.event;
  if (from.has_token()) {
    event.token = from.token().token();
    event.text = from.token().text();
    event.logprobs = to_logprobs(from.token().logprobs());
    return kept;
  }
  const auto& end = from.end();
  event.kind = event_kind::finished;
  event.reason = to_reason(end.reason());
  event.error = end.error();
  event.text = end.text();
  event.prompt_tokens_cached = end.prompt_tokens_cached();
  event.retry_after = std::chrono::milliseconds(end.retry_after_ms());
  kept.time = end.time();
  return kept;
}

} // namespace

/// A POST on its way: some of it waits for the journal.
struct kept_requests::post {
  post(call asked, body_endpoint to)
    : of(std::move(asked)), endpoint(to), path(of.exchange->asked().path), key(read_key(of.exchange->asked())),
      last_event(key.empty() ? -1 : read_last_event(of.exchange->asked())), is_response(path == response_path) {}

  /// Reads the body, which counts among those that the server holds until then.
  void open() {
    text = of.exchange->take_body();
    body.emplace("body", text);
    body->root().members(); // An object.
    streams = body->root().flag_or("stream", false);
    is_kept = !key.empty() || (is_response && body->root().flag_or("background", false));
  }
  call of;
  body_endpoint endpoint;
  std::string path, key;
  int64_t last_event;
  std::string text;
  std::optional<json_file> body;
  bool streams = false, is_response, is_kept = false;
};

kept_requests::kept_requests(context& in, options with) : in_(in), with_(std::move(with)) {}
kept_requests::~kept_requests() {
  if (journal_) flush(); // What is not written now is generated again.
  for (const auto& [name, one] : by_name_) one->held.reset(); // It refers to this one, too.
}

void kept_requests::use(journal_database database) {
  std::vector<v1::JournalFound> unfinished;
  try {
    for (const auto& one : in_.models) identities_[one->name()] = model_identity(one->file(), one->runs().options());
    for (const auto& [name, identity] : database.models()) {
      const auto found = identities_.find(name);
      if (found != identities_.end() && found->second == identity) continue;
      throw input_error("the journal has requests of the model \"" + name + "\" " +
                        (found == identities_.end() ? "which is not served" : "with other weights, vocabulary, template or options") +
                        ": serve that one, or give another --journal");
    }
    unfinished = database.unfinished();
  } catch (const journal_error& error) {
    throw input_error(std::string("the journal cannot be read: ") + error.what());
  }
  const auto post_committed = [this](v1::JournalCommitted answer) {
    in_.server.post([this, answer = std::move(answer)] { committed(answer); });
  };
  const auto post_found = [this](v1::JournalFound found) {
    in_.server.post([this, found = std::move(found)]() mutable {
      const auto then = std::move(asked_.front());
      asked_.pop_front();
      then(found);
    });
  };
  const auto post_failed = [this](std::string what) {
    in_.server.post([this, what = std::move(what)] { warn(what); });
  };
  journal_ = std::make_unique<journal>(in_.models.front()->runs().system(), std::move(database),
                                       journal::receiver{post_committed, post_found, post_failed});
  for (auto& one : unfinished) restore(one, true);
  if (!unfinished.empty()) warn(std::to_string(unfinished.size()) + " requests go on");
  if (order_.suspects() > 0)
    warn(std::to_string(order_.suspects()) + " of them are tried one by one: processes have ended in which they ran");
  begin_next();
}

void kept_requests::warn(const std::string& what) const {
  if (with_.warn) with_.warn(what);
}

std::shared_ptr<kept_request> kept_requests::find_key(const std::string& tenant, const std::string& key) const {
  const auto found = by_key_.find({tenant, key});
  return key.empty() || found == by_key_.end() ? nullptr : found->second;
}

/// All pages of the answer as one. Calls them in the order of the questions.
void kept_requests::look_up(v1::JournalQuery query, when_found then, found_pages pages) {
  flush(); // It must see what precedes it.
  if (!pages) pages = std::make_shared<std::vector<v1::JournalFound>>();
  query.set_number(asked_.size());
  asked_.push_back([this, pages, then = std::move(then)](v1::JournalFound& found) mutable {
    if (!found.error().empty() || !found.has_request()) return then(found); // It may have been forgotten between two pages.
    if (found.rest() > 0) {
      v1::JournalQuery more;
      more.set_name(found.request().name());
      more.set_rest(found.rest());
      pages->push_back(std::move(found));
      return look_up(std::move(more), std::move(then), pages);
    }
    if (!pages->empty()) *found.mutable_request() = std::move(*pages->front().mutable_request());
    for (; !pages->empty(); pages->pop_back())
      for (auto& event : *pages->back().mutable_events()) *found.add_events() = std::move(event);
    then(found);
  });
  journal_->find(std::move(query));
}

// -- requests ------------------------------------------------------------------

void kept_requests::answer(call of, body_endpoint endpoint) {
  const auto asked = std::make_shared<post>(std::move(of), endpoint);
  if (journal_ && in_.is_draining) throw is_ending();
  const auto go_on = [this](const std::shared_ptr<post>& with) {
    with->open();
    if (const auto one = find_key(with->of.who.tenant, with->key)) repeat(*with, *one);
    else load_previous(with);
  };
  if (!journal_ || asked->key.empty() || find_key(asked->of.who.tenant, asked->key)) return go_on(asked);
  v1::JournalQuery query;
  query.set_tenant(asked->of.who.tenant);
  query.set_key(asked->key);
  look_up(std::move(query), [this, asked, go_on](v1::JournalFound& found) {
    guarded(asked->of, [&] {
      if (!found.error().empty()) throw journal_failed(found.error());
      if (!found.has_request() || by_name_.contains(found.request().name())) return go_on(asked); // Or it came meanwhile.
      const auto one = restore(found); // In memory there may be no room for it.
      asked->open();
      repeat(*asked, *one);
    });
  });
}

void kept_requests::repeat(post& asked, kept_request& of) {
  if (of.facts.path() != asked.path || of.facts.body() != asked.text)
    throw api_error(422, "idempotency_key_reused", "this Idempotency-Key came with another request before");
  asked.of.exchange->add_header("idempotency-replayed", "true");
  of.log->read(asked.of.exchange, asked.streams, asked.last_event);
}

/// What a response continues may be in the journal only.
void kept_requests::load_previous(const std::shared_ptr<post>& asked) {
  const auto before = asked->is_response ? asked->body->root().find("previous_response_id") : std::nullopt;
  if (!before || !journal_) return begin(asked);
  load(asked->of, before->text(), [this, asked] { begin(asked); });
}

void kept_requests::begin(const std::shared_ptr<post>& from) {
  auto& asked = *from;
  if (const auto one = find_key(asked.of.who.tenant, asked.key)) return repeat(asked, *one); // It came meanwhile.
  if (const auto found = waiting_.find({asked.of.who.tenant, asked.key}); !asked.key.empty() && found != waiting_.end())
    return found->second.push_back(from);
  if (asked.streams && asked.last_event >= 0)
    throw api_error(404, "stream_not_found", "there is no stream of this Idempotency-Key any more: without Last-Event-ID a new one begins");
  if (batch_.forgotten_size() > 0) flush(); // Its key may be free only then.
  auto& of = asked.of;
  of.drawn = in_.names.draw(unix_time());
  of.log = std::make_shared<answer_log>(in_.server, of.form, asked.is_kept || asked.is_response, in_.journal_folder);
  if (asked.is_kept) {
    of.kept = std::make_shared<kept_request>();
    of.kept->log = of.log;
    auto& facts = of.kept->facts;
    facts.set_name(of.drawn.name);
    facts.set_path(asked.path);
    facts.set_tenant(of.who.tenant);
    facts.set_tenant_is_known(of.who.is_known);
    facts.set_key(asked.key);
    facts.set_seed(of.drawn.seed);
    facts.set_created(of.drawn.created);
    facts.set_body(std::move(asked.text));
  }
  asked.endpoint(of, asked.body->root());
  of.log->read(of.exchange, asked.streams);
}

void kept_requests::prepares(const kept_request& one) {
  if (journal_) one.log->hold();
  if (!one.facts.key().empty()) waiting_[{one.facts.tenant(), one.facts.key()}];
}

void kept_requests::check_prepared() const {
  if (journal_ && in_.is_draining) throw is_ending(); // Its readers would wait for another process.
}

void kept_requests::prepared(const kept_request& one) {
  const auto found = waiting_.extract({one.facts.tenant(), one.facts.key()});
  if (found.empty()) return;
  for (const auto& asked : found.mapped()) guarded(asked->of, [&] { begin(asked); });
}

void kept_requests::load(const call& of, const std::string& id, std::function<void()> then) {
  if (!journal_ || !id.starts_with(response_prefix) || with_.has_response(id, of.who)) return then();
  if (in_.is_draining) throw is_ending();
  v1::JournalQuery query;
  query.set_name(id.substr(response_prefix.size()));
  look_up(std::move(query), [this, of, id, then = std::move(then)](v1::JournalFound& found) {
    guarded(of, [&] {
      if (!found.error().empty()) throw journal_failed(found.error());
      const auto& one = found.request();
      const bool is_it = found.has_request() && one.path() == response_path && (!of.who.is_known || one.tenant() == of.who.tenant);
      if (is_it && !with_.has_response(id, of.who)) {
        remove(one.name()); // Its events may have stayed longer than the response.
        restore(found);
      }
      then();
    });
  });
}

std::shared_ptr<kept_request> kept_requests::restore(v1::JournalFound& found, bool is_held) {
  const auto one = std::make_shared<kept_request>();
  one->facts = std::move(*found.mutable_request());
  one->is_restored = true;
  one->is_held = is_held;
  one->events = uint32_t(found.events_size());
  for (const auto& event : found.events()) one->before.push_back(read(event));
  const auto& facts = one->facts;
  http::request asked;
  asked.method = "POST";
  asked.path = facts.path();
  asked.id = "restored-" + facts.name();
  call of{in_, std::make_shared<http::exchange>(std::move(asked), std::weak_ptr<http::answer_sink>()), {}, form_of(facts.path()),
          facts.body().size()};
  if (facts.tenant_is_known()) of.who = with_.caller_of(facts.tenant());
  of.drawn = {facts.name(), facts.created(), facts.seed()};
  of.log = one->log = std::make_shared<answer_log>(in_.server, of.form, true, in_.journal_folder);
  of.kept = one;
  remember(one);
  try {
    if (facts.deaths() >= restart_order::deaths_max)
      throw api_error(500, "not_restored", std::to_string(facts.deaths()) + " processes in a row have ended while it was under way");
    const auto endpoint = with_.endpoint(facts.path());
    if (!endpoint) throw api_error(404, "not_found", "there is no " + facts.path() + " any more");
    const json_file body("body", facts.body());
    endpoint(of, body.root());
  } catch (const std::exception& error) {
    end_without_answer(one, error.what());
  }
  return one;
}

/// For one that was read back and cannot go on, such as when the chat template has changed.
void kept_requests::end_without_answer(const std::shared_ptr<kept_request>& one, const std::string& error) {
  one->log->fail(api_error(500, "not_restored", "after a restart of the server the request could not go on: " + error));
  if (!one->facts.is_over()) {
    warn(one->facts.name() + " cannot go on: " + error);
    auto& entry = *batch_.add_events();
    entry.set_request(one->facts.name());
    entry.set_number(one->events++);
    entry.mutable_end()->set_reason(v1::FINISH_REASON_ERROR);
    entry.mutable_end()->set_error(error);
    entry.mutable_end()->set_time(unix_time());
    entry.set_is_last(true);
    flush_soon();
  }
  ended(one, nullptr);
}

// -- what there is ---------------------------------------------------------------

void kept_requests::remember(const std::shared_ptr<kept_request>& one) {
  by_name_[one->facts.name()] = one;
  if (!one->facts.key().empty()) by_key_[{one->facts.tenant(), one->facts.key()}] = one;
}

void kept_requests::remove(const std::string& name) {
  const bool had_ended = std::erase(ended_, name) > 0;
  const auto one = by_name_.extract(name);
  if (one.empty()) return;
  const auto& facts = one.mapped()->facts;
  if (had_ended) ended_bytes_ -= one.mapped()->bytes;
  by_key_.erase({facts.tenant(), facts.key()});
}

void kept_requests::forget(const std::string& id, std::function<void(const api_error* failure)> done) {
  if (id.starts_with(response_prefix)) forget_name(id.substr(response_prefix.size()), std::move(done));
  else done(nullptr);
}

void kept_requests::forget_name(const std::string& name, std::function<void(const api_error* failure)> done) {
  remove(name);
  if (!journal_) return done(nullptr);
  batch_.add_forgotten(name);
  next_.forgotten.push_back(std::move(done));
  flush_soon();
}

void kept_requests::ended(const std::shared_ptr<kept_request>& one, const api_error* failure) {
  one->held.reset();
  const bool was_over = std::exchange(one->is_over, true);
  const auto not_written = failure_.empty() ? std::nullopt : std::optional(journal_failed(failure_));
  for (const auto& done : std::exchange(one->waiting, {})) done(not_written ? &*not_written : nullptr);
  if (was_over || !by_name_.contains(one->facts.name())) return;
  // It was refused after all, and whoever asks again wants another answer.
  if (failure && (failure->retry_after_ms || failure->status == 408)) return forget_name(one->facts.name(), [](const api_error*) {});
  one->bytes = one->log->bytes() + one->facts.body().size();
  ended_bytes_ += one->bytes;
  ended_.push_back(one->facts.name());
  while (ended_.size() > ended_max || ended_bytes_ > ended_bytes_max) remove(std::string(ended_.front()));
}

void kept_requests::when_over(const std::shared_ptr<kept_request>& one, std::function<void(const api_error* failure)> done) {
  if (!journal_ || one->is_over) return done(nullptr);
  one->waiting.push_back(std::move(done));
}

void kept_requests::disconnect() {
  const auto error = is_ending();
  for (const auto& [name, one] : by_name_)
    if (!one->is_over) one->log->disconnect(error);
}

// -- those of an earlier process ----------------------------------------------------

/// That they begin is in the journal before they do.
void kept_requests::begin_next() {
  for (const auto& name : order_.next()) {
    batch_.add_begun(name);
    const auto found = by_name_.find(name);
    if (found == by_name_.end()) passed(name); // It was deleted.
    else next_.begun.push_back(found->second);
    flush_soon();
  }
}

void kept_requests::begin_held(const std::shared_ptr<kept_request>& one) {
  const auto running = std::exchange(one->held, nullptr);
  if (!running || one->unfinished == 0) return passed(one->facts.name()); // It was cancelled.
  one->is_held = false;
  under_way_ += one->unfinished;
  running->begin();
}

void kept_requests::passed(const std::string& name) {
  if (order_.passed(name)) begin_next();
}

// -- events ----------------------------------------------------------------------

event_keeper kept_requests::keeper(const std::shared_ptr<kept_request>& of) {
  event_keeper made;
  made.before = std::move(of->before);
  made.is_held = of->is_held;
  if (journal_)
    made.keep = [this, of](const std::shared_ptr<generation>& running, size_t choice, generation_event&& event) {
      keep(of, running, choice, std::move(event));
    };
  return made;
}

void kept_requests::started(const std::shared_ptr<kept_request>& one, const std::shared_ptr<generation>& running) {
  one->running = running;
  if (one->is_restored) one->facts.clear_conversation();
  one->unfinished = size_t(std::ranges::count_if(running->choices(), [](const choice& of) { return !of.reason; }));
  if (running->is_over()) {
    // Of several choices one had failed, and the others' ends were lost with the process.
    if (!one->facts.is_over()) end_without_answer(one, "it had failed");
    return ended(one, running->failure());
  }
  if (one->is_held) {
    one->held = running;
    return order_.add(one->facts.name(), one->facts.deaths());
  }
  if (journal_) under_way_ += one->unfinished;
  if (one->is_restored) return;
  remember(one);
  if (!journal_) return;
  one->facts.set_model(running->model().name());
  one->facts.set_model_identity(identities_[running->model().name()]);
  one->log->hold();
  *batch_.add_admitted() = one->facts;
  one->facts.clear_conversation(); // It is for another process.
  next_.admitted.push_back(one);
  flush_soon();
}

void kept_requests::keep(const std::shared_ptr<kept_request>& one, const std::shared_ptr<generation>& of, size_t choice,
                         generation_event&& event) {
  const auto time = unix_time();
  if (event.kind == event_kind::finished) {
    if (!one->is_held) --under_way_;
    --one->unfinished;
  }
  auto& entry = *batch_.add_events();
  entry.set_request(one->facts.name());
  entry.set_number(one->events++);
  entry.set_choice(uint32_t(choice));
  fill(entry, event, time);
  if (event.kind == event_kind::finished) entry.set_is_last(one->unfinished == 0);
  next_.events.push_back({one, of, {choice, std::move(event), time}});
  flush_soon();
}

/// What comes within this time is one batch. The tokens of one step come one by one, within a millisecond or so, and a transaction costs as
/// much as many tokens in it: without the pause small models would be slowed down by a third. It adds to latency, not to the step's time;
/// what comes while a transaction is under way is written in the next one anyhow.
void kept_requests::flush_soon() {
  constexpr std::chrono::milliseconds pause{2};
  if (!std::exchange(flushes_, true)) flush_timer_ = in_.server.after(pause, [this] { flush(); });
}

void kept_requests::flush() {
  if (!std::exchange(flushes_, false)) return;
  batch_.set_number(++batches_);
  next_.number = batches_;
  sent_.push_back(std::exchange(next_, {}));
  journal_->write(std::exchange(batch_, {}));
}

void kept_requests::committed(const v1::JournalCommitted& answer) {
  TROUPE_ASSERT(!sent_.empty() && sent_.front().number == answer.number());
  auto batch = std::move(sent_.front());
  sent_.pop_front();
  if (answer.error() != failure_)
    warn(answer.error().empty() ? "it is written again" : "it cannot be written, requests under way go on without it: " + answer.error());
  failure_ = answer.error();
  for (const auto& one : batch.admitted) {
    const auto refused = std::ranges::find(answer.refused(), one->facts.name(), &v1::JournalRefusal::request);
    if (failure_.empty() && refused == answer.refused().end()) {
      one->log->release();
      continue;
    }
    one->log->refuse(journal_failed(failure_.empty() ? refused->reason() : failure_));
    remove(one->facts.name());
    if (const auto running = one->running.lock()) running->cancel();
  }
  for (const auto& one : batch.begun) begin_held(one);
  for (auto& [one, of, what] : batch.events) {
    try {
      of->take(what.choice, what.event, what.time);
    } catch (const std::exception&) { // No memory for this event. Others are not concerned.
      of->cancel();
    }
    passed(one->facts.name());
  }
  const auto failed = failure_.empty() ? std::nullopt : std::optional(journal_failed(failure_));
  for (const auto& done : batch.forgotten) done(failed ? &*failed : nullptr);
}

} // namespace troupe::service
