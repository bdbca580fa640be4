#pragma once
// The events of one request on their way from a client's thread to the thread that reads them.
#include "actors/requests/generation.hpp"
#include <atomic>
#include <utility>

namespace troupe {

/// One thread pushes, one pops; nothing is locked: a list whose last node the writer owns and whose first node the reader owns. Without a
/// bound: as long as the answer at most.
class event_queue {
public:
  event_queue() : first_(new node), last_(first_) {}
  ~event_queue() {
    while (first_) delete std::exchange(first_, first_->next.load(std::memory_order_relaxed));
  }
  event_queue(const event_queue&) = delete;
  event_queue& operator=(const event_queue&) = delete;

  void push(generation_event event) {
    auto* added = new node{std::move(event), nullptr};
    last_->next.store(added, std::memory_order_release);
    last_->next.notify_all();
    last_ = added;
  }
  /// Waits for an event. It stays where it is until the next call.
  const generation_event& pop() {
    first_->next.wait(nullptr, std::memory_order_acquire);
    delete std::exchange(first_, first_->next.load(std::memory_order_acquire));
    return first_->event;
  }

private:
  struct node {
    generation_event event = {};
    std::atomic<node*> next = nullptr;
  };
  node* first_; // Popped last.
  node* last_;
};

} // namespace troupe
