#pragma once
// Work that would keep the server's thread from its connections, such as asking actors and waiting for their answer.
#include "actors/threads/processors.hpp"
#include "apps/service/http/server.hpp"
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <utility>

namespace troupe::service {

/// Each job has a thread for itself; there are never many.
class background_jobs {
public:
  using job = std::function<std::function<void()>()>;
  using failure = std::function<void(const std::string&)>;

  explicit background_jobs(http::server& server) : server_(server) {}

  /// Runs `work` in a thread; then, on the server's thread, what it returns, or `failed` with the reason. False: too many are under way.
  bool run(job work, failure failed) {
    constexpr size_t jobs_max = 16;
    if (threads_.size() - computing_ >= jobs_max) return false;
    begin(std::move(work), std::move(failed), [] {});
    return true;
  }

  /// The same for work that keeps a processor busy. Never more of it is under way than there are processors: the rest waits in its order.
  void compute(job work, failure failed) {
    waiting_.emplace_back(std::move(work), std::move(failed));
    begin_waiting();
  }

private:
  void begin(job work, failure failed, std::function<void()> ended) {
    const uint64_t number = ++last_;
    threads_.emplace(number, std::jthread([this, number, work = std::move(work), failed = std::move(failed), ended = std::move(ended)] {
                       std::function<void()> finish;
                       try {
                         finish = work();
                       } catch (const std::exception& error) {
                         finish = [failed, reason = std::string(error.what())] { failed(reason); };
                       }
                       server_.post([this, number, finish = std::move(finish), ended = std::move(ended)] {
                         threads_.erase(number); // Joins it: it has nothing left to do.
                         ended();
                         finish();
                       });
                     }));
  }
  void begin_waiting() {
    while (!waiting_.empty() && computing_ < processors_) {
      auto [work, failed] = std::move(waiting_.front());
      waiting_.pop_front();
      try {
        begin(std::move(work), failed, [this] {
          --computing_;
          begin_waiting();
        });
        ++computing_;
      } catch (const std::exception& error) { // There is no thread to be had.
        failed(error.what());
      }
    }
  }

  http::server& server_;
  std::map<uint64_t, std::jthread> threads_;
  std::deque<std::pair<job, failure>> waiting_; // To compute.
  const size_t processors_ = usable_processors().count;
  size_t computing_ = 0;
  uint64_t last_ = 0;
};

} // namespace troupe::service
