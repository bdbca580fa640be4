#pragma once
// A value or why there is none, for programs that take errors as values: what std::expected of C++23 will be here one day.
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

namespace troupe {

/// refused: what was asked for can never be served (input_error, where errors are exceptions). failed: it was begun and could not be
/// finished, or the engine has stopped. deadline: it had passed. overloaded: there was no room, see retry_after. system: the operating
/// system gave no memory or threads.
enum class error_kind : uint8_t { refused, failed, deadline, overloaded, system };

struct call_error {
  error_kind kind = error_kind::failed;
  std::string text;                         // For a person.
  std::chrono::milliseconds retry_after{0}; // overloaded: when there will probably be room.
};

/// What expected::value() throws.
class call_failed : public std::runtime_error {
public:
  explicit call_failed(call_error why) : std::runtime_error(why.text), why_(std::move(why)) {}
  const call_error& why() const { return why_; }

private:
  call_error why_;
};

/// Names are those of std::expected. The functions that give the value are to be called where there is one: operator* and operator->
/// throw std::bad_variant_access else, value() throws call_failed.
template <class T>
class expected {
public:
  expected(T value) : content_(std::in_place_index<0>, std::move(value)) {}
  expected(call_error error) : content_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return content_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& value() & {
    require();
    return std::get<0>(content_);
  }
  const T& value() const& {
    require();
    return std::get<0>(content_);
  }
  T&& value() && {
    require();
    return std::get<0>(std::move(content_));
  }
  T& operator*() { return std::get<0>(content_); }
  const T& operator*() const { return std::get<0>(content_); }
  T* operator->() { return &std::get<0>(content_); }
  const T* operator->() const { return &std::get<0>(content_); }
  const call_error& error() const { return std::get<1>(content_); }

private:
  void require() const {
    if (!has_value()) throw call_failed(error());
  }
  std::variant<T, call_error> content_;
};

} // namespace troupe
