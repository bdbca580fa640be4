#pragma once
// Makes every protobuf class of package troupe.v1 a CAF message type, and sends one message to many receivers without
// copying it. What CAF 0.17 requires of a message type is written in this file only; a later CAF changes it here.
//
// Include it, and the .pb.h of the messages you handle, wherever actors send or receive them. Crossing to another
// process needs message_types.hpp too.
#include <caf/actor.hpp>
#include <caf/actor_cast.hpp>
#include <caf/actor_control_block.hpp>
#include <caf/detail/stringification_inspector.hpp>
#include <caf/error.hpp>
#include <caf/local_actor.hpp>
#include <caf/message.hpp>
#include <caf/meta/load_callback.hpp>
#include <caf/meta/save_callback.hpp>
#include <caf/meta/type_name.hpp>
#include <caf/response_type.hpp>
#include <caf/sec.hpp>
#include <caf/typed_actor.hpp>
#include <google/protobuf/message_lite.h>

#include <concepts>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

namespace troupe::v1 {

template <class T>
concept generated_message = std::derived_from<T, google::protobuf::MessageLite>;

/// How CAF writes, reads and prints a generated class; CAF finds it by argument-dependent lookup.
/// Wire: one string element that holds the protobuf encoding, so floats keep their bits (CAF's own encoding of floats
/// loses NaN, infinities and denormals). Text: type and size, as in "troupe.v1.HiddenStates(4005)", never the values.
/// Bytes that are no valid encoding of T end in sec::invalid_argument.
template <class Inspector, generated_message T>
typename Inspector::result_type inspect(Inspector& f, T& x) {
  if constexpr (std::is_same_v<Inspector, caf::detail::stringification_inspector>) {
    const std::string name = x.GetTypeName();
    auto size = static_cast<std::uint64_t>(x.ByteSizeLong());
    return f(caf::meta::type_name(name.c_str()), size);
  } else {
    std::string bytes;
    auto verdict = [](bool ok) { return ok ? caf::error{} : caf::make_error(caf::sec::invalid_argument); };
    auto save = [&]() -> caf::error { return verdict(x.SerializeToString(&bytes)); };
    auto load = [&]() -> caf::error { return verdict(x.ParseFromString(bytes)); };
    // The inspector handles its arguments in order: `save` fills the bytes that follow, `load` uses what was read before
    // it. In any other order all messages would silently arrive empty.
    return f(caf::meta::save_callback(save), bytes, caf::meta::load_callback(load));
  }
}

} // namespace troupe::v1

namespace troupe {

/// A message that is built once and sent to many. All receivers whose handlers take `const T&` read the very object that
/// was packed, on whatever thread they run; a handler that takes `T&` or `T` gets a copy of its own. `Ts` are kept for the
/// type check that a bare caf::message has lost. Copying a `packed` shares the content.
template <class... Ts>
struct packed {
  static_assert((std::is_same_v<Ts, std::decay_t<Ts>> && ...), "pack values, not references");

  caf::message message;

  explicit packed(Ts... elements) : message(caf::make_message(std::move(elements)...)) {}
};

/// Whether actors of the typed handle `Handle` have a handler for a message of `Ts`.
template <class Handle, class... Ts>
inline constexpr bool accepts =
    caf::response_type_unbox<caf::signatures_of_t<Handle>, caf::detail::type_list<Ts...>>::valid;

/// Sends `content` from `self` to `to`, asynchronously, by reference. Sending to a null handle or to an actor that has
/// ended does nothing. `self` is any actor, also the `scoped.ptr()` of a caf::scoped_actor.
template <class Handle, class... Ts>
void send_packed(caf::local_actor* self, const Handle& to, const packed<Ts...>& content) {
  static_assert(accepts<Handle, Ts...>, "the receiver has no handler for this message");
  if (to)
    to->eq_impl(caf::make_message_id(), self->ctrl(), self->context(), content.message);
}

/// The same for handles without an interface: whether there is a handler is decided at run time, by the receiver, whose
/// default handler gets the message if there is none.
template <class... Ts>
void send_packed(caf::local_actor* self, const caf::strong_actor_ptr& to, const packed<Ts...>& content) {
  if (to)
    to->get()->eq_impl(caf::make_message_id(), self->ctrl(), self->context(), content.message);
}

template <class... Ts>
void send_packed(caf::local_actor* self, const caf::actor& to, const packed<Ts...>& content) {
  if (to)
    to->eq_impl(caf::make_message_id(), self->ctrl(), self->context(), content.message);
}

/// The sender of the message being handled, as a handle of an actor that handles Message; null if it has no sender.
template <class Message>
auto asker_of(caf::local_actor* self) {
  return caf::actor_cast<caf::typed_actor<caf::reacts_to<Message>>>(self->current_sender());
}

/// Passes on a message that came in, or one that is kept to be sent again, by reference. Unchecked: for content that was
/// checked when it was packed or received.
template <class Handle>
void pass_on(caf::local_actor* self, const Handle& to, const caf::message& content) {
  if (to)
    to->eq_impl(caf::make_message_id(), self->ctrl(), self->context(), content);
}

} // namespace troupe
