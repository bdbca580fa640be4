#include "raw_client.hpp"
#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe::testing {
namespace {

using clock = std::chrono::steady_clock;

bool is_ready(int descriptor, short events, milliseconds timeout) {
  pollfd waits{descriptor, events, 0};
  return ::poll(&waits, 1, static_cast<int>(std::max<int64_t>(timeout.count(), 0))) == 1;
}

milliseconds left_until(clock::time_point end) { return std::chrono::duration_cast<milliseconds>(end - clock::now()); }

} // namespace

raw_client::raw_client(unconnected) : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}

raw_client::raw_client(uint16_t port, int receive_buffer) : raw_client(unconnected{}) {
  if (receive_buffer > 0) ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  if (!connect(port)) throw std::runtime_error("the test cannot connect");
}

bool raw_client::connect(uint16_t port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::connect(descriptor_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
}

bool raw_client::send(std::string_view bytes, milliseconds timeout) {
  const auto end = clock::now() + timeout;
  while (!bytes.empty()) {
    if (!is_ready(descriptor_, POLLOUT, left_until(end))) return false;
    const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN) return false;
    if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

byte_stream::outcome raw_client::receive(std::string& to, milliseconds timeout) {
  if (!is_ready(descriptor_, POLLIN, timeout)) return outcome::nothing;
  char bytes[65536];
  const ssize_t got = ::recv(descriptor_, bytes, sizeof bytes, 0);
  if (got < 0) return outcome::broken;
  to.append(bytes, static_cast<size_t>(got));
  return got == 0 ? outcome::end : outcome::bytes;
}

void raw_client::end_sending() { ::shutdown(descriptor_, SHUT_WR); }

void raw_client::close() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

void raw_client::reset() {
  const linger at_once{1, 0};
  ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

answer raw_client::read_answer(milliseconds timeout, bool head) { return read_answer_from(*this, received_, timeout, head); }

bool raw_client::read_until(std::string_view text, milliseconds timeout) {
  const auto end = clock::now() + timeout;
  while (received_.find(text) == std::string::npos) {
    if (receive(received_, left_until(end)) != outcome::bytes) return false;
  }
  return true;
}

bool raw_client::ended_within(milliseconds timeout) {
  const auto end = clock::now() + timeout;
  for (;;) {
    received_.clear();
    const outcome what = receive(received_, left_until(end));
    if (what != outcome::bytes) return what != outcome::nothing;
  }
}

answer read_answer_from(byte_stream& stream, std::string& received, milliseconds timeout, bool head) {
  const auto end = clock::now() + timeout;
  answer found;
  const auto more = [&] { return stream.receive(received, left_until(end)); };
  size_t header_end = 0;
  while ((header_end = received.find("\r\n\r\n")) == std::string::npos) {
    if (more() != byte_stream::outcome::bytes) return found;
  }
  std::string header = received.substr(0, header_end + 2);
  received.erase(0, header_end + 4);
  if (header.starts_with("HTTP/1.1 ")) found.status = std::stoi(header.substr(9, 3));
  for (size_t at = header.find("\r\n") + 2; at < header.size();) {
    const size_t line_end = header.find("\r\n", at), colon = header.find(": ", at);
    std::string name = header.substr(at, colon - at);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    found.headers[name] = header.substr(colon + 2, line_end - colon - 2);
    at = line_end + 2;
  }
  if (found.status == 100 || head || found.status == 204 || found.status == 304) {
    found.complete = true;
  } else if (found.headers.count("content-length") == 1) {
    const size_t bytes = std::stoul(found.headers["content-length"]);
    while (received.size() < bytes) {
      if (more() != byte_stream::outcome::bytes) break;
    }
    found.complete = received.size() >= bytes;
    found.body = received.substr(0, bytes);
    received.erase(0, found.body.size());
  } else if (found.headers.count("transfer-encoding") == 1) {
    for (;;) {
      size_t line_end = 0;
      while ((line_end = received.find("\r\n")) == std::string::npos) {
        if (more() != byte_stream::outcome::bytes) return found;
      }
      const size_t bytes = std::stoul(received, nullptr, 16);
      while (received.size() < line_end + 2 + bytes + 2) {
        if (more() != byte_stream::outcome::bytes) return found;
      }
      found.body += received.substr(line_end + 2, bytes);
      received.erase(0, line_end + 2 + bytes + 2);
      if (bytes == 0) break;
    }
    found.complete = true;
  } else {
    byte_stream::outcome what;
    while ((what = more()) == byte_stream::outcome::bytes) {}
    found.complete = what == byte_stream::outcome::end;
    found.body = std::exchange(received, {});
  }
  return found;
}

std::string get(const std::string& path, const std::string& headers) {
  return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n";
}

std::string post(const std::string& path, const std::string& body, const std::string& headers) {
  return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + headers + "\r\n" + body;
}

http::server_options running_server::quick_options() {
  http::server_options options;
  options.port = 0;
  return options;
}

running_server::running_server(http::handler answers, http::server_options options)
    : server_(std::move(options), std::move(answers)), thread_([this] { server_.run(); }) {}

running_server::~running_server() {
  server_.stop();
  if (thread_.joinable()) thread_.join();
}

void running_server::in_server(std::function<void()> f) {
  std::promise<void> done;
  server_.post([&] {
    try {
      f();
      done.set_value();
    } catch (...) { // A REQUIRE that failed, for example.
      done.set_exception(std::current_exception());
    }
  });
  done.get_future().get();
}

http::server_facts running_server::facts() {
  http::server_facts facts;
  in_server([&] { facts = server_.facts(); });
  return facts;
}

bool running_server::becomes(const std::function<bool(const http::server_facts&)>& condition, milliseconds timeout) {
  const auto end = clock::now() + timeout;
  while (!condition(facts())) {
    if (clock::now() > end) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

void echo(const std::shared_ptr<http::exchange>& exchange) {
  const auto& asked = exchange->asked();
  exchange->respond({200, "text/plain", asked.method + " " + asked.path + " " + asked.query + " " + asked.body, {}});
}

size_t open_descriptors() {
  size_t count = 0;
  for ([[maybe_unused]] const auto& one : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

size_t threads() {
  size_t count = 0;
  for ([[maybe_unused]] const auto& one : std::filesystem::directory_iterator("/proc/self/task")) ++count;
  return count;
}

size_t resident_bytes() {
  size_t total = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

} // namespace troupe::testing
