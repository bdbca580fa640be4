#pragma once
// Messages that are sent thousands of times a second, in memory that serves again.
#include "messages/caf_message.hpp"
#include <array>
#include <cstddef>
#include <utility>

namespace troupe {

/// A message that nobody has seen yet. It begins as an empty T, in the memory of one that this thread sealed before and that all
/// others have dropped since, if there is one: what is sent again and again is not allocated again and again, but for messages within
/// it, which protobuf makes anew. Once it is sealed it is a message like any other, which nobody changes.
///
/// Receivers take it by `const T&`. The thread keeps it too, so a handler that takes `T&` would always get a copy of its own.
/// Each thread keeps up to `kept_max` of each T, and none whose encoding is longer than `kept_bytes_max`: those are allocated
/// each time, and their time goes elsewhere.
template <v1::generated_message T>
class draft {
public:
  static constexpr std::size_t kept_max = 16, kept_bytes_max = 64 << 10;

  draft() : message_(kept().take()), content_(&message_.get_mutable_as<T>(0)) { content_->Clear(); }
  draft(draft&& other) noexcept : message_(std::move(other.message_)), content_(std::exchange(other.content_, nullptr)) {}
  draft& operator=(draft&& other) noexcept {
    message_ = std::move(other.message_);
    content_ = std::exchange(other.content_, nullptr);
    return *this;
  }

  T* operator->() const { return content_; }
  T& operator*() const { return *content_; }

  caf::message seal() && {
    if (std::exchange(content_, nullptr)->ByteSizeLong() <= kept_bytes_max) kept().put(message_);
    return std::move(message_);
  }

private:
  /// Sealed ones, in the order in which they will be free again, as far as one can tell.
  class shelf {
  public:
    void put(const caf::message& message) {
      places_[(oldest_ + count_) % kept_max] = message; // When all are taken: the oldest one's.
      if (count_ < kept_max) ++count_;
      else oldest_ = (oldest_ + 1) % kept_max;
    }
    /// The oldest, if nobody else holds it; else a new one.
    caf::message take() {
      if (count_ == 0 || places_[oldest_].shared()) return caf::make_message(T{});
      --count_;
      return std::move(places_[std::exchange(oldest_, (oldest_ + 1) % kept_max)]);
    }

  private:
    std::array<caf::message, kept_max> places_;
    std::size_t oldest_ = 0, count_ = 0;
  };

  static shelf& kept() {
    static thread_local shelf messages;
    return messages;
  }

  caf::message message_;
  T* content_; // In message_; null once that has gone.
};

/// Seals and sends, by reference. To a null handle, or to an actor that has ended: does nothing.
template <class Handle, class T>
void send_draft(caf::local_actor* self, const Handle& to, draft<T> message) {
  static_assert(accepts<Handle, T>, "the receiver has no handler for this message");
  pass_on(self, to, std::move(message).seal());
}

} // namespace troupe
