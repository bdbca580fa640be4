#pragma once
// A pool of messages for each thread, so that messages that are sent thousands of times a second reuse their memory.
#include "messages/caf_message.hpp"
#include <array>
#include <cstddef>
#include <utility>

namespace troupe {

/// A message under construction. It begins as an empty T, in the memory of a message that this thread sealed earlier and that all
/// receivers have dropped since, if there is one: so a message that is sent again and again is not allocated again and again,
/// except for the messages nested in it, which protobuf allocates anew. To seal it makes it a message like any other, which is
/// not modified any more, and keeps a reference to it in the thread's pool.
///
/// Receivers take it by `const T&`. Because the pool has a reference too, a handler that takes `T&` always gets a copy of its
/// own. Each thread's pool keeps up to `kept_max` messages of each T, and none whose encoding is longer than `kept_bytes_max`:
/// those are allocated each time, which is little compared with the time to fill them.
template <v1::generated_message T>
class pooled_message {
public:
  static constexpr std::size_t kept_max = 16, kept_bytes_max = 64 << 10;

  pooled_message() : message_(this_threads_pool().take()), content_(&message_.get_mutable_as<T>(0)) { content_->Clear(); }
  pooled_message(pooled_message&& other) noexcept
    : message_(std::move(other.message_)), content_(std::exchange(other.content_, nullptr)) {}
  pooled_message& operator=(pooled_message&& other) noexcept {
    message_ = std::move(other.message_);
    content_ = std::exchange(other.content_, nullptr);
    return *this;
  }

  T* operator->() const { return content_; }
  T& operator*() const { return *content_; }

  caf::message seal() && {
    if (std::exchange(content_, nullptr)->ByteSizeLong() <= kept_bytes_max) this_threads_pool().put(message_);
    return std::move(message_);
  }

private:
  /// Sealed messages, oldest first, as the oldest is most likely to be free again.
  class pool {
  public:
    void put(const caf::message& message) {
      ring_[(oldest_ + count_) % kept_max] = message; // When the ring is full: in place of the oldest.
      if (count_ < kept_max) ++count_;
      else oldest_ = (oldest_ + 1) % kept_max;
    }
    /// The oldest, if nothing else has a reference to it; else a new one.
    caf::message take() {
      if (count_ == 0 || ring_[oldest_].shared()) return caf::make_message(T{});
      --count_;
      return std::move(ring_[std::exchange(oldest_, (oldest_ + 1) % kept_max)]);
    }

  private:
    std::array<caf::message, kept_max> ring_;
    std::size_t oldest_ = 0, count_ = 0;
  };

  static pool& this_threads_pool() {
    static thread_local pool messages;
    return messages;
  }

  caf::message message_;
  T* content_; // In message_; null once the message is sealed or moved from.
};

/// Seals and sends, by reference. Sending to a null handle, or to an actor that has ended, does nothing.
template <class Handle, class T>
void send_pooled(caf::local_actor* self, const Handle& to, pooled_message<T> message) {
  static_assert(accepts<Handle, T>, "the receiver has no handler for this message");
  pass_on(self, to, std::move(message).seal());
}

} // namespace troupe
