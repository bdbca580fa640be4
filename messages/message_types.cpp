#include "messages/message_types.hpp"

#include "messages/caf_message.hpp"

#include <caf/actor_system_config.hpp>

namespace troupe {

void register_messages(caf::actor_system_config& config) {
#define TROUPE_REGISTER(name) config.add_message_type<v1::name>("troupe.v1." #name);
  TROUPE_MESSAGE_TYPES(TROUPE_REGISTER)
#undef TROUPE_REGISTER
}

} // namespace troupe
