#pragma once
// A pool of messages for each thread, so that messages that are sent thousands of times a second reuse their memory.
#include "messages/caf_message.hpp"
#include <algorithm>
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
/// own. Each thread's pool keeps up to `kept_max` messages of each T, and, of those that are long, so many that their encodings have at
/// most `kept_bytes_max` bytes together, but always one: memory that is asked for anew is cleared by the system page by page, which
/// costs as much as to fill it.
template <v1::generated_message T>
class pooled_message {
public:
  static constexpr std::size_t kept_max = 16, kept_bytes_max = 32 << 20;

  pooled_message() : kept_(this_threads_pool().take()), content_(&kept_.message.template get_mutable_as<T>(0)) { content_->Clear(); }
  pooled_message(pooled_message&& other) noexcept
    : kept_(std::move(other.kept_)), content_(std::exchange(other.content_, nullptr)) {}
  pooled_message& operator=(pooled_message&& other) noexcept {
    kept_ = std::move(other.kept_);
    content_ = std::exchange(other.content_, nullptr);
    return *this;
  }

  T* operator->() const { return content_; }
  T& operator*() const { return *content_; }

  caf::message seal() && {
    kept_.bytes = std::max(kept_.bytes, std::exchange(content_, nullptr)->ByteSizeLong());
    this_threads_pool().put(kept_);
    return std::move(kept_.message);
  }

private:
  struct kept_message {
    caf::message message;
    std::size_t bytes = 0; // Its longest encoding so far: clearing it keeps its memory.
  };

  /// Sealed messages, oldest first, as the oldest is most likely to be free again.
  class pool {
  public:
    void put(const kept_message& one) {
      while (count_ == kept_max || (count_ > 0 && bytes_ + one.bytes > kept_bytes_max)) take_oldest();
      ring_[(oldest_ + count_++) % kept_max] = one;
      bytes_ += one.bytes;
    }
    /// The oldest, if nothing else has a reference to it; else a new one.
    kept_message take() {
      if (count_ == 0 || ring_[oldest_].message.shared()) return {caf::make_message(T{})};
      return take_oldest();
    }

  private:
    kept_message take_oldest() {
      auto one = std::exchange(ring_[oldest_], {});
      oldest_ = (oldest_ + 1) % kept_max;
      --count_;
      bytes_ -= one.bytes;
      return one;
    }

    std::array<kept_message, kept_max> ring_;
    std::size_t oldest_ = 0, count_ = 0, bytes_ = 0;
  };

  static pool& this_threads_pool() {
    static thread_local pool messages;
    return messages;
  }

  kept_message kept_;
  T* content_; // In kept_; null once the message is sealed or moved from.
};

/// Seals and sends, by reference. Sending to a null handle, or to an actor that has ended, does nothing.
template <class Handle, class T>
void send_pooled(caf::local_actor* self, const Handle& to, pooled_message<T> message) {
  static_assert(accepts<Handle, T>, "the receiver has no handler for this message");
  pass_on(self, to, std::move(message).seal());
}

} // namespace troupe
