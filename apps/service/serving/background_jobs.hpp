#pragma once
// Work that would keep the server's thread from its connections, such as asking actors and waiting for their answer.
#include "apps/service/http/server.hpp"
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <string>
#include <thread>

namespace troupe::service {

/// Each job has a thread for itself; there are never many.
class background_jobs {
public:
  explicit background_jobs(http::server& server) : server_(server) {}

  /// Runs `work` in a thread; then, on the server's thread, what it returns, or `failed` with the reason. False: too many are under way.
  bool run(std::function<std::function<void()>()> work, std::function<void(const std::string&)> failed) {
    constexpr size_t jobs_max = 16;
    if (threads_.size() >= jobs_max) return false;
    const uint64_t number = ++last_;
    threads_.emplace(number, std::jthread([this, number, work = std::move(work), failed = std::move(failed)] {
                       std::function<void()> finish;
                       try {
                         finish = work();
                       } catch (const std::exception& error) {
                         finish = [failed, reason = std::string(error.what())] { failed(reason); };
                       }
                       server_.post([this, number, finish = std::move(finish)] {
                         threads_.erase(number); // Joins it: it has nothing left to do.
                         finish();
                       });
                     }));
    return true;
  }

private:
  http::server& server_;
  std::map<uint64_t, std::jthread> threads_;
  uint64_t last_ = 0;
};

} // namespace troupe::service
