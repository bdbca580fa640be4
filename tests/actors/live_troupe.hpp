#pragma once
// A whole troupe on real worker threads, with a client, for tests that kill its actors or make them throw.
#include "actors/interfaces/paths.hpp"
#include "actors/requests/request_tracker.hpp"
#include "actors/threads/workers.hpp"
#include "actors/tree/root.hpp"
#include "messages/message_types.hpp"
#include "model/model_file.hpp"
#include "model/tokenizer/make_tokenizer.hpp"
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace troupe::testing {

struct live_config : caf::actor_system_config {
  explicit live_config(uint32_t threads) {
    register_messages(*this);
    configure_workers(*this, {.threads = threads});
  }
};

class live_troupe {
public:
  explicit live_troupe(std::shared_ptr<const model_parts> model, child_hook hook = {}, uint32_t threads = 2)
      : config_(threads), system_(config_), running_before_(system_.registry().running()) {
    troupe_config config{model, model->file->words.kind == tokenizer_kind::none ? nullptr
                                                                              : make_tokenizer(model->file->words),
                         {}};
    config.limits.step_rows_max = 16; // Small, so that prefill takes several steps.
    config.limits.prefill_chunk = 5;
    config.limits.cache_positions_max = 16ull * model->positions_max;
    config.hook = std::move(hook);
    root_ = spawn_root(system_, std::move(config));
    tracker_ = std::make_unique<request_tracker>(system_, root_);
  }

  request_tracker& tracker() { return *tracker_; }
  caf::actor_system& system() { return system_; }

  /// The actor at `path` now; waits for it a little, since it may just be restarted.
  caf::strong_actor_ptr find(const std::string& path) {
    caf::scoped_actor self{system_};
    self->send(root_, v1::FindDirectory{});
    caf::strong_actor_ptr found;
    for (bool timeout = false; !found && !timeout;)
      self->receive(
        [&](const v1::ActorStarted& started, const caf::strong_actor_ptr& handle) {
          if (started.path() == path) found = handle;
          else {
            v1::Subscribe request;
            request.add_paths(path);
            self->send(caf::actor_cast<directory_actor>(handle), std::move(request),
                       caf::strong_actor_ptr(self.ptr()->ctrl()));
          }
        },
        caf::after(std::chrono::seconds(2)) >> [&] { timeout = true; });
    return found;
  }

  /// Paths of all actors the directory knows.
  std::vector<std::string> paths() {
    std::vector<std::string> all;
    caf::scoped_actor self{system_};
    if (const auto directory = find(paths::directory))
      self->request(caf::actor_cast<directory_actor>(directory), std::chrono::seconds(2), v1::ListActors{})
        .receive([&](const v1::ActorList& list) { all.assign(list.paths().begin(), list.paths().end()); },
                 [](caf::error&) {});
    return all;
  }

  /// Stops everything. How many actors are left over.
  size_t shut_down() {
    tracker_.reset();
    {
      caf::scoped_actor self{system_};
      self->monitor(root_);
      self->send_exit(root_, caf::exit_reason::user_shutdown);
      root_ = nullptr;
      self->receive([](const caf::down_msg&) {});
    }
    for (int i = 0; i < 2000 && system_.registry().running() > running_before_; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return system_.registry().running() - running_before_;
  }

private:
  live_config config_;
  caf::actor_system system_;
  size_t running_before_;
  root_actor root_;
  std::unique_ptr<request_tracker> tracker_;
};

} // namespace troupe::testing
