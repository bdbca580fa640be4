// messages/caf_message.hpp: protobuf classes as CAF messages, sent without copies.
#include "messages/caf_message.hpp"

#include "messages/message_types.hpp"
#include "support/catch.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/typed_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <vector>

namespace {

using namespace troupe;

using reader_actor = caf::typed_actor<caf::replies_to<v1::HiddenStates>::with<caf::strong_actor_ptr>>;

static_assert(accepts<reader_actor, v1::HiddenStates>);
static_assert(!accepts<reader_actor, v1::AttendStep>);
static_assert(!accepts<reader_actor, v1::HiddenStates, v1::HiddenStates>);

TEST_CASE("a message prints as its type and size, not as its values") {
  v1::HiddenStates states;
  states.set_layer(7);
  for (int i = 0; i < 100; ++i)
    states.add_values(1.5f);
  auto message = caf::make_message(states);
  CHECK(to_string(message) == "(troupe.v1.HiddenStates(405))");
  CHECK(to_string(caf::make_message(v1::ListActors{})) == "(troupe.v1.ListActors(0))");
}

TEST_CASE("a packed message reaches typed, untyped and anonymous handles") {
  caf::actor_system_config config;
  config.set("scheduler.max-threads", 2);
  caf::actor_system system{config};
  caf::scoped_actor self{system};
  auto echo = [](caf::event_based_actor* me) -> caf::behavior {
    return {[me](const v1::AppendToken& token) {
      me->quit();
      return static_cast<int>(token.token());
    }};
  };
  v1::AppendToken token;
  token.set_token(42);
  const packed<v1::AppendToken> content{token};
  auto answers_42 = [&] { self->receive([](int answer) { CHECK(answer == 42); }); };

  using typed = caf::typed_actor<caf::replies_to<v1::AppendToken>::with<int>>;
  auto typed_echo = system.spawn([](typed::pointer me) -> typed::behavior_type {
    return {[me](const v1::AppendToken& t) {
      me->quit();
      return static_cast<int>(t.token());
    }};
  });
  send_packed(self.ptr(), typed_echo, content);
  answers_42();
  send_packed(self.ptr(), system.spawn(echo), content);
  answers_42();
  send_packed(self.ptr(), caf::actor_cast<caf::strong_actor_ptr>(system.spawn(echo)), content);
  answers_42();
  send_packed(self.ptr(), typed{}, content); // Null handles: nothing happens.
  send_packed(self.ptr(), caf::actor{}, content);
  send_packed(self.ptr(), caf::strong_actor_ptr{}, content);
}

} // namespace
