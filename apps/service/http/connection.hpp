#pragma once
// One connection of a client: reads a request, asks the handler, writes the answer; the same again, as long as both sides keep it.
//
//   handshake (TLS) -> idle -> header -> body -> answering -> idle ...
//   any of them -> closing, in which the last answer goes out and what comes in is dropped; or closed at once
//
// A read is always pending, as far as there is room for what a client sends ahead, so that the end of the peer is noticed while the
// answer is being made.
#include "apps/service/http/header_parser.hpp"
#include "apps/service/http/body_reader.hpp"
#include "apps/service/http/server_core.hpp"
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>

namespace troupe::http {

/// Bytes that were received and not used up, in one piece.
class input_buffer {
public:
  std::string_view view() const { return {bytes_.data() + begin_, end_ - begin_}; }
  bool empty() const { return begin_ == end_; }
  void consume(size_t bytes);
  /// Room behind the view: up to `bytes_max` in all. Empty if the view fills that.
  boost::asio::mutable_buffer room(size_t bytes_max);
  void added(size_t bytes) { end_ += bytes; }
  void release(); // Gives memory back as far as the view allows.

private:
  std::vector<char> bytes_;
  size_t begin_ = 0, end_ = 0;
};

class connection : public answer_sink, public std::enable_shared_from_this<connection> {
public:
  using protocol = boost::asio::ip::tcp;
  using clock = std::chrono::steady_clock;
  connection(server_core& core, protocol::socket socket, std::string peer);

  void start();
  /// Instead of start: answers 503 and closes.
  void start_refusing();
  /// At once. An exchange is told that its peer is gone.
  void close();
  /// The server accepts no more: closes now, or after the present answer.
  void drain();
  /// For one of core.idle.
  bool idle_for(clock::duration time) const { return clock::now() - idle_since_ >= time; }

  void respond(response&& answer) override;
  void begin_stream(int status, const std::string& content_type, const header_list& headers) override;
  void write(std::string_view piece) override;
  size_t queued_bytes() const override { return output_.size() + sending_.size() - sent_; }
  void end_stream() override;
  void body_taken() override { account_body(0); }
  void dropped() override;

private:
  using error_code = boost::system::error_code;
  enum class phase { handshake, idle, header, body, answering, closing, closed };

  template <class F> auto guarded(F f); // The completion handler of an asynchronous operation.
  void wait_for_request();
  void read();
  void on_read(const error_code& error, size_t bytes);
  void receive();
  void read_header();
  void header_complete();
  void choose_body();
  void ask_handler();
  void finish_answer();
  void refuse(const http_error& error);
  void append_head(int status, const std::string& content_type, const header_list& headers, std::optional<uint64_t> content_length);

  void flush_soon();
  void flush();
  void send_some();
  void on_sent(const error_code& error, size_t bytes);
  void on_flushed();
  void shut_down();

  void set_deadline(clock::time_point deadline);
  void set_deadline_in(std::chrono::milliseconds time) { set_deadline(clock::now() + time); }
  void arm_timer();
  void on_deadline();
  clock::time_point transfer_deadline(clock::time_point since, uint64_t bytes) const;
  void account_body(size_t bytes);
  void leave_idle();
  void log(bool complete);

  server_core& core_;
  protocol::socket socket_;
  std::unique_ptr<boost::asio::ssl::stream<protocol::socket&>> tls_;
  boost::asio::steady_timer timer_;
  clock::time_point deadline_ = clock::time_point::max(), timer_expiry_ = clock::time_point::max();
  phase phase_ = phase::handshake;
  std::optional<std::list<connection*>::iterator> idle_place_;
  clock::time_point idle_since_;

  input_buffer input_;
  bool reading_ = false, peer_ended_ = false;
  std::optional<header_parser> parser_;
  body_reader body_;
  request request_;           // While it is being read.
  size_t accounted_body_ = 0; // Of core_.facts.body_bytes.
  clock::time_point body_since_;
  uint64_t body_received_ = 0;

  std::weak_ptr<exchange> exchange_;
  finished_request record_; // Of the present request.
  clock::time_point request_since_;
  bool recording_ = false, http_1_1_ = true, keeps_alive_ = true, chunked_ = false, answer_began_ = false, answer_complete_ = false;
  bool body_left_out_ = false; // HEAD, or a status that has none.
  bool refused_ = false;       // What the peer still sends is of a request that was not read.

  std::string output_, sending_; // What is queued, and what is being sent, of which sent_ bytes are gone.
  size_t sent_ = 0;
  bool flush_posted_ = false, sending_now_ = false;
  clock::time_point output_since_;
  uint64_t output_sent_ = 0; // Since output_since_.
};

} // namespace troupe::http
