#include "apps/service/serving/answer_log.hpp"

#include "apps/service/serving/respond.hpp"
#include "model/error.hpp"

#include <algorithm>
#include <chrono>

namespace troupe::service {

using namespace std::chrono_literals;

namespace {

api_error are_gone(size_t first) {
  return {410, "events_gone", "this answer is long, and its events before " + std::to_string(first) + " are not there any more"};
}

uint64_t memory_of(const std::pair<std::string, std::string>& event) { return event.first.size() + event.second.size() + sizeof event; }

} // namespace

/// Not more of the last events stays in memory than may.
void answer_log::shrink() {
  while (events_.size() > 1 && memory_bytes_ > (folder_.empty() ? memory_max_without_file : memory_max)) {
    if (!folder_.empty()) try {
        if (!file_) file_.emplace(folder_);
        file_->append(events_.front().first, events_.front().second);
      } catch (const input_error&) { // The journal says that the disk is full.
        folder_.clear();
        file_.reset();
        continue;
      }
    memory_bytes_ -= memory_of(events_.front());
    events_.pop_front();
    ++first_;
  }
}

/// Sends a reader of kept events what it lacks, as quickly as it takes it, in few pieces. True: it has all, or will never have it.
bool answer_log::pump(reader& to) try {
  constexpr size_t queued_max = 256 << 10;
  const size_t end = first_ + events_.size(); // 0 where they are not kept.
  while (to.next < end) {
    if (!has(to.next)) {
      fail_reader(to, are_gone(first_));
      return true;
    }
    const size_t queued = to.stream.exchange().queued_bytes();
    if (queued > queued_max) {
      pump_later(to);
      return false;
    }
    std::string piece;
    for (; to.next < end && queued + piece.size() <= queued_max; ++to.next) {
      if (to.next < first_) {
        const auto [name, data] = file_->read(to.next);
        append_event(piece, name, data, std::to_string(to.next));
      } else {
        const auto& [name, data] = events_[to.next - first_];
        append_event(piece, name, data, std::to_string(to.next));
      }
    }
    to.stream.send_text(piece);
  }
  if (is_over_) to.stream.end();
  return is_over_;
} catch (const input_error& error) {
  fail_reader(to, api_error(500, "internal_error", error.what()));
  return true;
}

void answer_log::pump_later(reader& to) {
  // What is over lives until its last reader has all of it.
  to.later = server_.after(20ms, [self = shared_from_this(), gone = &to.stream.exchange()] {
    const auto found = std::ranges::find_if(self->readers_, [&](reader& one) { return &one.stream.exchange() == gone; });
    if (found != self->readers_.end() && self->pump(*found)) self->readers_.erase(found);
  });
}

void answer_log::pump_all() {
  std::erase_if(readers_, [&](reader& one) { return pump(one); });
}

void answer_log::send(std::string_view name, std::string data) {
  if (is_over_) return;
  ++sent_;
  if (!keeps_events_) {
    for (auto& one : readers_) one.stream.send(name, data);
    return;
  }
  const uint64_t size = memory_of(events_.emplace_back(name, std::move(data)));
  bytes_ += size;
  memory_bytes_ += size;
  pump_all(); // Most readers have all that is in memory.
  shrink();
}

void answer_log::respond(std::string body) {
  if (is_over_ || whole_) return;
  bytes_ += body.size();
  whole_ = std::move(body);
  for (const auto& one : std::exchange(waiting_, {})) respond_json(*one, *whole_);
}

void answer_log::end() {
  if (std::exchange(is_over_, true)) return;
  pump_all();
}

/// One that has got no event.
void answer_log::fail_reader(reader& to, const api_error& error) const {
  if (!to.stream.has_begun()) return respond_error(to.stream.exchange(), error, form_);
  to.stream.send(error_event(), error_body(error, form_)); // It has had comments.
  to.stream.end();
}

void answer_log::fail(const api_error& error, bool is_event) {
  if (is_over_) return;
  if (is_held_) return refuse(error);
  error_ = error;
  for (const auto& one : std::exchange(waiting_, {})) respond_error(*one, error, form_);
  if (sent_ == 0) {
    for (auto& one : std::exchange(readers_, {})) fail_reader(one, error);
  } else if (is_event) {
    send(error_event(), error_body(error, form_));
  }
  end();
}

void answer_log::read(const std::shared_ptr<http::exchange>& by, bool as_events, int64_t after) {
  if (by->gone()) {
    if (when_abandoned_ && readers() == 0) when_abandoned_();
    return;
  }
  by->on_gone([weak = weak_from_this(), gone = by.get()] {
    if (const auto log = weak.lock()) log->leave(*gone);
  });
  if (is_held_) {
    held_.push_back({by, as_events, after});
  } else if (error_ && (sent_ == 0 || (!as_events && !whole_))) {
    respond_error(*by, *error_, form_);
  } else if (as_events) {
    const size_t first = after < 0 ? 0 : size_t(after) + 1;
    if (is_over_ && first > sent_)
      return respond_error(*by, api_error(400, "no_such_event", "this stream has " + std::to_string(sent_) + " events"), form_);
    if (keeps_events_ && first < sent_ && !has(first)) return respond_error(*by, are_gone(first_), form_);
    auto& one = readers_.emplace_back(server_, by, first);
    if (keeps_events_ && pump(one)) readers_.pop_back();
  } else if (whole_) {
    respond_json(*by, *whole_);
  } else {
    waiting_.push_back(by);
  }
}

void answer_log::leave(const http::exchange& gone) {
  std::erase_if(readers_, [&](reader& one) { return &one.stream.exchange() == &gone; });
  std::erase_if(waiting_, [&](const auto& one) { return one.get() == &gone; });
  std::erase_if(held_, [&](const held_reader& one) { return one.by.get() == &gone; });
  if (when_abandoned_ && !is_over_ && readers() == 0) when_abandoned_();
}

void answer_log::release() {
  is_held_ = false;
  for (const auto& [by, as_events, after] : std::exchange(held_, {})) read(by, as_events, after);
}

void answer_log::refuse(const api_error& error) {
  is_held_ = false;
  is_over_ = true;
  error_ = error;
  events_.clear();
  file_.reset();
  whole_.reset();
  first_ = sent_ = 0;
  memory_bytes_ = 0;
  for (const auto& one : std::exchange(held_, {})) respond_error(*one.by, error, form_);
}

void answer_log::disconnect(const api_error& error) {
  for (auto& one : std::exchange(readers_, {}))
    if (!one.stream.has_begun()) respond_error(one.stream.exchange(), error, form_);
  for (const auto& one : std::exchange(waiting_, {})) respond_error(*one, error, form_);
  for (const auto& one : std::exchange(held_, {})) respond_error(*one.by, error, form_);
}

} // namespace troupe::service
