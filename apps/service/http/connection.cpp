#include "apps/service/http/connection.hpp"
#include "apps/service/http/response_head.hpp"
#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <charconv>
#include <cstring>

namespace troupe::http {
namespace {

constexpr size_t input_bytes_min = 4 << 10;  // Of an idle connection; also how much may wait while an answer is being made.
constexpr size_t input_bytes_max = 64 << 10; // Of one that receives a body.

size_t count_of(const request& of, std::string_view name) {
  return static_cast<size_t>(std::count_if(of.headers.begin(), of.headers.end(), [&](const auto& header) { return header.first == name; }));
}

/// The value of Content-Length. Beast lets through "5, 5".
uint64_t content_length(std::string_view text) {
  uint64_t bytes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw http_error(400, "bad_content_length", "Content-Length is not a number of bytes");
  }
  return bytes;
}

/// "1f\r\n"
std::string_view chunk_size_line(size_t bytes, std::array<char, 20>& text) {
  char* end = std::to_chars(text.data(), text.data() + text.size() - 2, bytes, 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  return {text.data(), static_cast<size_t>(end - text.data())};
}

} // namespace

void input_buffer::consume(size_t bytes) {
  TROUPE_ASSERT(bytes <= end_ - begin_);
  begin_ += bytes; // A read may be under way behind end_, so nothing moves here.
}

boost::asio::mutable_buffer input_buffer::room(size_t bytes_max) {
  const size_t held = end_ - begin_;
  const bool was_full = end_ == bytes_.size();
  if (begin_ > 0) {
    std::memmove(bytes_.data(), bytes_.data() + begin_, held);
    begin_ = 0;
    end_ = held;
  }
  if (was_full && bytes_.size() < bytes_max) bytes_.resize(std::min(bytes_max, std::max(input_bytes_min, 2 * bytes_.size())));
  const size_t limit = std::min(bytes_.size(), bytes_max);
  return {bytes_.data() + end_, limit > end_ ? limit - end_ : 0};
}

void input_buffer::release() {
  if (!empty() || bytes_.size() <= input_bytes_min) return;
  bytes_ = {};
  begin_ = end_ = 0;
}

connection::connection(server_core& core, protocol::socket socket, std::string peer)
    : core_(core), socket_(std::move(socket)), timer_(core.io) {
  record_.peer = std::move(peer);
  if (core.tls) tls_ = std::make_unique<boost::asio::ssl::stream<protocol::socket&>>(socket_, *core.tls);
}

template <class F> auto connection::guarded(F f) {
  return [self = shared_from_this(), f = std::move(f)](auto&&... arguments) {
    if (self->phase_ == phase::closed) return;
    try {
      try {
        f(std::forward<decltype(arguments)>(arguments)...);
      } catch (const http_error& error) {
        self->refuse(error);
      }
    } catch (const std::exception& error) {
      self->core_.report(error.what());
      self->close();
    } catch (...) {
      self->core_.report("an unknown exception");
      self->close();
    }
  };
}

void connection::start() {
  if (!tls_) return wait_for_request();
  set_deadline_in(core_.options.handshake_time);
  tls_->async_handshake(boost::asio::ssl::stream_base::server, guarded([this](const error_code& error) {
                          if (error) return close();
                          wait_for_request();
                        }));
}

void connection::start_refusing() {
  request_.id = core_.fresh_request_id();
  phase_ = phase::idle; // From which refuse() goes on.
  refuse(http_error(503, "too_many_connections", "the server has too many connections; try again"));
  recording_ = false;
  read();
}

void connection::close() {
  if (phase_ == phase::closed) return;
  const auto self = shared_from_this();
  const bool was_answering = std::exchange(phase_, phase::closed) == phase::answering;
  leave_idle();
  timer_.cancel();
  error_code ignored;
  socket_.close(ignored);
  account_body(0);
  log(false);
  if (was_answering) ++core_.facts.requests_gone;
  if (const auto asked = exchange_.lock()) {
    if (auto notify = asked->peer_gone()) {
      if (!core_.ended) {
        boost::asio::post(core_.io, std::move(notify));
      } else {
        try {
          notify();
        } catch (const std::exception& error) {
          core_.report(error.what());
        } catch (...) {
          core_.report("an unknown exception");
        }
      }
    }
  }
  exchange_.reset();
  core_.forget(this);
}

void connection::drain() {
  keeps_alive_ = false;
  if (phase_ == phase::idle) close();
}

void connection::leave_idle() {
  if (!idle_place_) return;
  core_.idle.erase(*idle_place_);
  idle_place_.reset();
}

// Reading.

void connection::wait_for_request() {
  phase_ = phase::idle;
  idle_place_ = core_.idle.insert(core_.idle.end(), this);
  idle_since_ = clock::now();
  parser_.emplace(core_.options.header_bytes_max, core_.options.header_count_max);
  body_ = {};
  request_ = {};
  chunked_ = answer_began_ = answer_complete_ = body_left_out_ = false;
  set_deadline_in(core_.options.idle_time);
  if (!reading_) input_.release();
  if (!input_.empty()) receive();
  read();
}

void connection::read() {
  if (reading_ || peer_ended_ || phase_ == phase::closed) return;
  size_t bytes_max = input_bytes_min;
  if (phase_ == phase::header) bytes_max = std::max(input_bytes_min, core_.options.header_bytes_max + 1);
  if (phase_ == phase::body || phase_ == phase::closing) bytes_max = input_bytes_max;
  const auto room = input_.room(bytes_max);
  if (room.size() == 0) return; // Sent ahead: the rest waits until the answer is complete.
  reading_ = true;
  auto then = guarded([this](const error_code& error, size_t bytes) { on_read(error, bytes); });
  if (tls_) {
    tls_->async_read_some(room, std::move(then));
  } else {
    socket_.async_read_some(room, std::move(then));
  }
}

void connection::on_read(const error_code& error, size_t bytes) {
  reading_ = false;
  if (error) {
    peer_ended_ = true;
    keeps_alive_ = false;
    // What is whole may still be read by a peer that has only ended its own sending.
    const bool whole = phase_ == phase::closing || (phase_ == phase::answering && answer_complete_);
    if (whole && queued_bytes() > 0 && error == boost::asio::error::eof) return;
    return close();
  }
  core_.facts.bytes_received += bytes;
  input_.added(bytes);
  if (phase_ == phase::closing) {
    input_.consume(input_.view().size());
  } else if (phase_ != phase::answering) {
    receive();
  }
  read();
}

void connection::receive() {
  if (phase_ == phase::idle) {
    leave_idle();
    phase_ = phase::header;
    request_since_ = clock::now();
    record_ = {.method = {}, .path = {}, .id = {}, .peer = std::move(record_.peer)};
    set_deadline_in(core_.options.header_time);
  }
  if (phase_ == phase::header) read_header();
  if (phase_ != phase::body) return;
  const size_t used = body_.take(input_.view(), request_.body);
  input_.consume(used);
  body_received_ += used;
  account_body(request_.body.size());
  if (body_.complete()) return ask_handler();
  set_deadline(transfer_deadline(body_since_, body_received_));
}

void connection::read_header() {
  input_.consume(parser_->take(input_.view()));
  if (!parser_->complete()) return;
  http_1_1_ = parser_->is_http_1_1();
  keeps_alive_ = parser_->keeps_alive() && !core_.draining;
  request_.method = parser_->take_method();
  request_.headers = parser_->take_headers();
  const std::string_view id = request_.header("x-request-id");
  request_.id = is_sane_request_id(id) ? std::string(id) : core_.fresh_request_id();
  record_.method = request_.method;
  set_target(request_, parser_->target());
  record_.path = request_.path;
  parser_.reset();
  header_complete();
}

void connection::header_complete() {
  const size_t hosts = count_of(request_, "host");
  if (hosts > 1 || (hosts == 0 && http_1_1_)) throw http_error(400, "bad_host", "a request of HTTP/1.1 has one Host header");
  if (core_.options.check_head) core_.options.check_head(request_);
  choose_body();
  if (const std::string_view expected = request_.header("expect"); http_1_1_ && !expected.empty()) {
    if (!equal_ignoring_case(expected, "100-continue")) throw http_error(417, "bad_expectation", "Expect can be 100-continue only");
    if (!body_.complete() && input_.empty()) {
      output_ += "HTTP/1.1 100 Continue\r\n\r\n";
      flush_soon();
    }
  }
  phase_ = phase::body;
  body_since_ = clock::now();
  body_received_ = 0;
}

/// Content-Length and Transfer-Encoding: what two servers could understand in two ways is refused (RFC 9112, 6.1 and 6.3).
void connection::choose_body() {
  const size_t lengths = count_of(request_, "content-length"), encodings = count_of(request_, "transfer-encoding");
  if (lengths + encodings > 1) {
    throw http_error(400, "ambiguous_length", "a request has one Content-Length or one Transfer-Encoding, not several of them");
  }
  if (encodings == 1) {
    if (!http_1_1_) throw http_error(400, "ambiguous_length", "HTTP/1.0 has no Transfer-Encoding");
    if (!equal_ignoring_case(request_.header("transfer-encoding"), "chunked")) {
      throw http_error(501, "unsupported_transfer_encoding", "Transfer-Encoding can be chunked only");
    }
    body_ = body_reader::chunked(core_.options.body_bytes_max, core_.options.header_bytes_max);
  } else if (lengths == 1) {
    const uint64_t bytes = content_length(request_.header("content-length"));
    if (bytes > core_.options.body_bytes_max) {
      throw http_error(413, "body_too_large", "the body is larger than " + std::to_string(core_.options.body_bytes_max) + " bytes");
    }
    body_ = body_reader::of_length(bytes);
  }
}

void connection::account_body(size_t bytes) {
  core_.facts.body_bytes += bytes - accounted_body_;
  accounted_body_ = bytes;
  if (bytes > 0 && core_.facts.body_bytes > core_.options.bodies_bytes_max) {
    throw http_error(503, "overloaded", "the server holds too many requests; try again");
  }
}

// Answering.

void connection::ask_handler() {
  phase_ = phase::answering;
  set_deadline(clock::time_point::max());
  if (!reading_) input_.release(); // The next read keeps what there is.
  ++core_.facts.requests;
  recording_ = true;
  record_.id = request_.id;
  body_left_out_ = request_.method == "HEAD";
  const auto asked = std::make_shared<exchange>(std::exchange(request_, {}), weak_from_this());
  exchange_ = asked;
  const auto failed = [&](const http_error& error) {
    if (phase_ != phase::answering || answer_complete_) return;
    if (answer_began_) return close();
    asked->respond({.status = error.status,
                    .content_type = "application/json",
                    .body = core_.error_body(error.status, error.code, error.what(), record_.path),
                    .headers = {}});
  };
  try {
    core_.answers(asked);
  } catch (const http_error& error) {
    failed(error);
  } catch (const input_error& error) {
    failed(http_error(400, "invalid_request", error.what()));
  } catch (const std::exception& error) {
    core_.report(error.what());
    failed(http_error(500, "internal_error", "the server failed; the error is in its log"));
  } catch (...) {
    core_.report("an unknown exception");
    failed(http_error(500, "internal_error", "the server failed; the error is in its log"));
  }
}

void connection::append_head(int status, const std::string& content_type, const header_list& headers,
                             std::optional<uint64_t> content_length) {
  output_ += to_text({.status = status,
                      .content_type = content_type,
                      .request_id = record_.id,
                      .headers = headers,
                      .content_length = content_length,
                      .chunked = chunked_,
                      .keeps_alive = keeps_alive_,
                      .http_1_1 = http_1_1_},
                     std::time(nullptr));
  record_.status = status;
  answer_began_ = true;
  flush_soon();
}

void connection::respond(response&& answer) {
  const bool none = has_no_body(answer.status);
  append_head(answer.status, answer.content_type, answer.headers, none ? std::nullopt : std::optional<uint64_t>(answer.body.size()));
  answer_complete_ = true;
  if (none || body_left_out_) return;
  output_ += answer.body;
  record_.bytes += answer.body.size();
}

void connection::begin_stream(int status, const std::string& content_type, const header_list& headers) {
  body_left_out_ = body_left_out_ || has_no_body(status);
  chunked_ = http_1_1_ && !body_left_out_;
  if (!chunked_ && !body_left_out_) keeps_alive_ = false;
  append_head(status, content_type, headers, std::nullopt);
}

void connection::write(std::string_view piece) {
  if (piece.empty() || body_left_out_) return;
  if (queued_bytes() > core_.options.output_bytes_max) return close();
  if (chunked_) {
    std::array<char, 20> text;
    output_.append(chunk_size_line(piece.size(), text)).append(piece).append("\r\n");
  } else {
    output_ += piece;
  }
  record_.bytes += piece.size();
  flush_soon();
}

void connection::end_stream() {
  if (chunked_) output_ += "0\r\n\r\n";
  answer_complete_ = true;
  flush_soon();
}

void connection::dropped() {
  if (phase_ != phase::answering || answer_complete_) return;
  if (answer_began_) return close();
  try {
    respond({.status = 500,
             .content_type = "application/json",
             .body = core_.error_body(500, "internal_error", "the request got no answer", record_.path),
             .headers = {}});
  } catch (const std::exception& error) {
    core_.report(error.what());
    close();
  } catch (...) {
    core_.report("an unknown exception");
    close();
  }
}

void connection::finish_answer() {
  if (const auto asked = exchange_.lock()) asked->finish();
  exchange_.reset();
  account_body(0);
  log(true);
  if (keeps_alive_ && !core_.draining) return wait_for_request();
  phase_ = phase::closing;
  shut_down();
  read();
}

void connection::refuse(const http_error& error) {
  if (phase_ == phase::answering) return close();
  if (phase_ == phase::closing || phase_ == phase::closed) return;
  leave_idle();
  phase_ = phase::closing;
  set_deadline_in(core_.options.closing_time);
  ++core_.facts.requests_refused;
  account_body(0);
  body_left_out_ = request_.method == "HEAD";
  record_.id = request_.id.empty() ? core_.fresh_request_id() : request_.id;
  request_ = {};
  input_.consume(input_.view().size());
  refused_ = recording_ = true;
  keeps_alive_ = false;
  header_list headers;
  if (error.status == 503) headers.emplace_back("Retry-After", "1");
  respond({.status = error.status,
           .content_type = "application/json",
           .body = core_.error_body(error.status, error.code, error.what(), record_.path),
           .headers = std::move(headers)});
  read();
}

void connection::log(bool complete) {
  if (!std::exchange(recording_, false) || !core_.options.log) return;
  record_.complete = complete;
  record_.duration = std::chrono::duration_cast<std::chrono::microseconds>(clock::now() - request_since_);
  try {
    core_.options.log(record_);
  } catch (const std::exception& error) {
    core_.report(error.what());
  } catch (...) {
    core_.report("an unknown exception");
  }
}

// Writing.

/// After what else happens in this turn, so that it goes out together.
void connection::flush_soon() {
  if (flush_posted_ || sending_now_) return;
  flush_posted_ = true;
  boost::asio::post(core_.io, guarded([this] {
                      flush_posted_ = false;
                      output_since_ = clock::now();
                      output_sent_ = 0;
                      flush();
                    }));
}

void connection::flush() {
  std::swap(sending_, output_);
  sent_ = 0;
  sending_now_ = true;
  send_some();
}

void connection::send_some() {
  if (phase_ == phase::answering) set_deadline(transfer_deadline(output_since_, output_sent_));
  const auto rest = boost::asio::buffer(sending_) + sent_;
  auto then = guarded([this](const error_code& error, size_t bytes) { on_sent(error, bytes); });
  if (tls_) {
    tls_->async_write_some(rest, std::move(then));
  } else {
    socket_.async_write_some(rest, std::move(then));
  }
}

void connection::on_sent(const error_code& error, size_t bytes) {
  if (error) return close();
  core_.facts.bytes_sent += bytes;
  sent_ += bytes;
  output_sent_ += bytes;
  if (sent_ < sending_.size()) return send_some();
  sent_ = 0;
  sending_.clear();
  if (sending_.capacity() > input_bytes_max) sending_ = {};
  sending_now_ = false;
  if (!output_.empty()) return flush();
  on_flushed();
}

void connection::on_flushed() {
  if (phase_ == phase::answering) {
    if (answer_complete_) return finish_answer();
    set_deadline(clock::time_point::max());
  } else if (phase_ == phase::closing) {
    log(true);
    shut_down();
  }
}

/// Ends our side of the connection; the rest of what the peer sends is read and dropped, because closing with unread bytes would take
/// the answer away from it.
void connection::shut_down() {
  if (peer_ended_) return close();
  set_deadline_in(core_.options.closing_time);
  if (!tls_) {
    error_code ignored;
    socket_.shutdown(protocol::socket::shutdown_send, ignored);
  } else if (!refused_) { // TLS cannot end one side alone while the other sends.
    tls_->async_shutdown(guarded([this](const error_code&) { close(); }));
  }
}

// Time.

connection::clock::time_point connection::transfer_deadline(clock::time_point since, uint64_t bytes) const {
  const auto& options = core_.options;
  return since + options.transfer_time + std::chrono::milliseconds(bytes * 1000 / std::max<size_t>(options.transfer_rate_min, 1));
}

/// The timer is set anew only if it would come too late: most deadlines are moved back long before they come.
void connection::set_deadline(clock::time_point deadline) {
  deadline_ = deadline;
  if (deadline_ < timer_expiry_) arm_timer();
}

void connection::arm_timer() {
  timer_expiry_ = deadline_;
  timer_.expires_at(deadline_);
  timer_.async_wait(guarded([this](const error_code& error) {
    if (error) return;
    timer_expiry_ = clock::time_point::max();
    if (deadline_ == clock::time_point::max()) return;
    if (clock::now() < deadline_) return arm_timer();
    on_deadline();
  }));
}

void connection::on_deadline() {
  deadline_ = clock::time_point::max();
  if (phase_ == phase::header) return refuse(http_error(408, "request_timeout", "the header of the request took too long"));
  if (phase_ == phase::body) return refuse(http_error(408, "request_timeout", "the body of the request took too long"));
  close();
}

} // namespace troupe::http
