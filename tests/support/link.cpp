#include "support/link.hpp"
#include <utility>
#include <algorithm>
#include <array>
#include <boost/asio.hpp>
#include <deque>
#include <functional>
#include <future>
#include <set>
#include <thread>
#include <vector>

namespace troupe::testing {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using error_code = boost::system::error_code;
using clock = std::chrono::steady_clock;

constexpr size_t kept_bytes_max = size_t(4) << 20;
constexpr size_t piece_bytes_max = size_t(64) << 10;
constexpr int system_buffer_bytes = 64 << 10; // Of each socket, so that what is under way is kept here.

/// One direction of one connection. `changed` is called when it is over.
class flow {
public:
  flow(tcp::socket& from, tcp::socket& to, const tcp_link::quality& quality, uint64_t& bytes_passed)
      : from_(from), to_(to), quality_(quality), bytes_passed_(bytes_passed), timer_(from.get_executor()) {}

  /// Nothing can pass any more.
  bool is_over() const { return has_ended_ || is_broken_; }

  /// `alive` keeps the connection while something is under way.
  void read(const std::shared_ptr<void>& alive, const std::function<void()>& changed) {
    if (is_reading_ || source_has_ended_ || kept_bytes_ >= kept_bytes_max) return;
    is_reading_ = true;
    from_.async_read_some(asio::buffer(piece_), [this, alive, changed](const error_code& error, size_t count) {
      is_reading_ = false;
      if (error) source_has_ended_ = true;
      if (error || !is_broken_) {
        kept_.push_back({clock::now(), std::vector<char>(piece_.begin(), piece_.begin() + static_cast<ptrdiff_t>(count))});
        kept_bytes_ += count;
      }
      read(alive, changed);
      write(alive, changed);
    });
  }

  /// Passes on what is due. To be called again when the quality changes.
  void write(const std::shared_ptr<void>& alive, const std::function<void()>& changed) {
    timer_.cancel();
    if (is_writing_ || quality_.is_stalled || kept_.empty()) return;
    const auto now = clock::now();
    const auto due = std::max(kept_.front().came + quality_.delay, next_piece_);
    if (due > now) {
      timer_.expires_at(due);
      timer_.async_wait([this, alive, changed](const error_code& error) {
        if (!error) write(alive, changed);
      });
      return;
    }
    const auto& front = kept_.front().bytes;
    if (front.empty()) return end(changed);
    size_t count = front.size() - written_;
    if (const uint64_t rate = quality_.bytes_per_second; rate > 0) {
      count = std::min<size_t>(count, std::max<uint64_t>(1, rate / 100));
      next_piece_ = std::max(next_piece_, now - std::chrono::milliseconds(10)) + std::chrono::nanoseconds(count * 1'000'000'000 / rate);
    }
    is_writing_ = true;
    bytes_passed_ += count; // Before somebody can have received them.
    asio::async_write(to_, asio::buffer(front.data() + written_, count), [this, alive, changed](const error_code& error, size_t passed) {
      is_writing_ = false;
      kept_bytes_ -= passed;
      written_ += passed;
      if (error) {
        is_broken_ = true; // Whoever was to get it is gone; that its direction has ended is told by the other one.
        kept_.clear();
        kept_bytes_ = 0;
        written_ = 0;
        changed();
      } else if (written_ == kept_.front().bytes.size()) {
        kept_.pop_front();
        written_ = 0;
      }
      read(alive, changed);
      write(alive, changed);
    });
  }

private:
  void end(const std::function<void()>& changed) {
    kept_.clear();
    has_ended_ = true;
    error_code ignored;
    to_.shutdown(tcp::socket::shutdown_send, ignored);
    changed();
  }

  struct piece {
    clock::time_point came;
    std::vector<char> bytes; // None: the end.
  };
  tcp::socket &from_, &to_;
  const tcp_link::quality& quality_;
  uint64_t& bytes_passed_;
  asio::steady_timer timer_;
  std::array<char, piece_bytes_max> piece_;
  std::deque<piece> kept_;
  size_t kept_bytes_ = 0, written_ = 0; // written_: of the first piece.
  clock::time_point next_piece_{};      // Not before.
  bool is_reading_ = false, is_writing_ = false, source_has_ended_ = false, has_ended_ = false, is_broken_ = false;
};

} // namespace

/// Everything in it belongs to its thread, once that runs.
struct tcp_link::state {
  struct connection : std::enable_shared_from_this<connection> {
    connection(state& owner, tcp::socket from)
        : client(std::move(from)), target(owner.context), there(client, target, owner.there, owner.counted.bytes_there),
          back(target, client, owner.back, owner.counted.bytes_back) {}
    void close() {
      error_code ignored;
      client.close(ignored);
      target.close(ignored);
    }
    tcp::socket client, target;
    flow there, back;
    bool is_connected = false;
  };

  explicit state(const tcp::endpoint& to) : target(to) {
    bind(tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    port = acceptor.local_endpoint().port();
    acceptor.listen();
    accept();
    thread = std::thread([this] { context.run(); });
  }
  ~state() {
    asio::post(context, [this] { context.stop(); });
    thread.join();
  }

  /// Runs it in the link's thread and waits for it.
  template <class F> auto in_thread(F f) {
    return asio::post(context, std::packaged_task<decltype(f())()>(std::move(f))).get();
  }

  void bind(const tcp::endpoint& to) {
    acceptor.open(to.protocol());
    acceptor.set_option(tcp::acceptor::reuse_address(true));
    acceptor.bind(to);
  }
  void accept() {
    acceptor.async_accept([this](const error_code& error, tcp::socket client) {
      if (error == asio::error::operation_aborted) return;
      if (!error) connect(std::move(client));
      accept();
    });
  }
  void connect(tcp::socket client) {
    const auto made = std::make_shared<connection>(*this, std::move(client));
    connections.insert(made);
    ++counted.connections;
    made->target.async_connect(target, [this, made](const error_code& error) {
      if (error || !connections.contains(made)) return close(made);
      for (auto* one : {&made->client, &made->target}) {
        error_code ignored;
        one->set_option(tcp::no_delay(true), ignored);
        one->set_option(tcp::socket::receive_buffer_size(system_buffer_bytes), ignored);
        one->set_option(tcp::socket::send_buffer_size(system_buffer_bytes), ignored);
      }
      made->is_connected = true;
      for (auto* one : {&made->there, &made->back}) one->read(made, changed(made));
    });
  }
  /// Closes a connection both of whose directions are over.
  std::function<void()> changed(const std::shared_ptr<connection>& of) {
    return [this, weak = std::weak_ptr(of)] {
      const auto one = weak.lock();
      if (!one) return;
      if (one->there.is_over() && one->back.is_over()) close(one);
    };
  }
  void close(const std::shared_ptr<connection>& one) {
    one->close();
    connections.erase(one);
  }
  void write_all() {
    for (const auto& one : std::set(connections)) { // A connection that ends leaves them.
      if (!one->is_connected) continue;
      for (auto* way : {&one->there, &one->back}) way->write(one, changed(one));
    }
  }

  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()}; // The thread goes on when nothing is to do.
  tcp::endpoint target;
  tcp::acceptor acceptor{context};
  uint16_t port = 0;
  bool is_cut = false;
  quality there, back;
  counts counted;
  std::set<std::shared_ptr<connection>> connections;
  std::thread thread;
};

tcp_link::tcp_link(uint16_t target_port, const std::string& target_address)
    : state_(std::make_unique<state>(tcp::endpoint(asio::ip::make_address(target_address), target_port))) {}

tcp_link::~tcp_link() = default;

uint16_t tcp_link::port() const { return state_->port; }

void tcp_link::set(direction one, const quality& wanted) {
  state_->in_thread([&] {
    (one == direction::there ? state_->there : state_->back) = wanted;
    state_->write_all();
  });
}

void tcp_link::set(const quality& both) {
  set(direction::there, both);
  set(direction::back, both);
}

void tcp_link::cut() {
  state_->in_thread([&] {
    if (std::exchange(state_->is_cut, true)) return;
    for (const auto& one : std::exchange(state_->connections, {})) one->close();
    state_->acceptor.close();
    state_->bind(tcp::endpoint(asio::ip::address_v4::loopback(), state_->port)); // So that nobody else gets the port meanwhile.
  });
}

void tcp_link::restore() {
  state_->in_thread([&] {
    if (!std::exchange(state_->is_cut, false)) return;
    state_->acceptor.listen();
    state_->accept();
  });
}

tcp_link::counts tcp_link::count() const {
  return state_->in_thread([&] {
    counts now = state_->counted;
    now.open_connections = state_->connections.size();
    return now;
  });
}

} // namespace troupe::testing
