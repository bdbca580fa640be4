#include "apps/service/http/exchange.hpp"

namespace troupe::http {

exchange::exchange(request asked, std::weak_ptr<answer_sink> to) : asked_(std::move(asked)), to_(std::move(to)) {}

exchange::~exchange() {
  if (progress_ == progress::answered) return;
  if (const auto to = sink()) to->dropped();
}

std::shared_ptr<answer_sink> exchange::sink() const { return gone_ ? nullptr : to_.lock(); }

std::string exchange::take_body() {
  std::string body = std::move(asked_.body);
  asked_.body.clear();
  if (const auto to = sink()) to->body_taken();
  return body;
}

void exchange::respond(response answer) {
  TROUPE_ASSERT(progress_ == progress::none);
  answer.headers.insert(answer.headers.end(), more_headers_.begin(), more_headers_.end());
  if (const auto to = sink()) to->respond(std::move(answer));
  progress_ = progress::answered;
}

void exchange::begin_stream(int status, const std::string& content_type, const header_list& headers) {
  TROUPE_ASSERT(progress_ == progress::none);
  header_list all = headers;
  all.insert(all.end(), more_headers_.begin(), more_headers_.end());
  if (const auto to = sink()) to->begin_stream(status, content_type, all);
  progress_ = progress::streaming;
}

void exchange::write(std::string_view piece) {
  TROUPE_ASSERT(progress_ == progress::streaming);
  if (const auto to = sink()) to->write(piece);
}

size_t exchange::queued_bytes() const {
  const auto to = sink();
  return to ? to->queued_bytes() : 0;
}

void exchange::end_stream() {
  TROUPE_ASSERT(progress_ == progress::streaming);
  progress_ = progress::answered;
  if (const auto to = sink()) to->end_stream();
}

void exchange::on_gone(std::function<void()> f) {
  if (gone()) return f();
  if (!to_.expired()) on_gone_ = std::move(f);
}

bool exchange::gone() const { return gone_ || (progress_ != progress::answered && to_.expired()); }

void exchange::finish() {
  to_.reset();
  on_gone_ = nullptr;
}

std::function<void()> exchange::peer_gone() {
  gone_ = true;
  to_.reset();
  return std::exchange(on_gone_, nullptr);
}

} // namespace troupe::http
