#include "messages/message_types.hpp"

#include "messages/caf_message.hpp"

#include <caf/actor_system_config.hpp>

// One numbered block of types, instead of a call of add_message_type for each: that would also register vectors and
// streams of every message, which are never sent and which triple the time this file takes to compile. The numbers never
// leave the process in CAF 0.17; the names do, and are protobuf's.
namespace {

constexpr long first_type_id = caf::first_custom_type_id;
enum type_index : long {
#define TROUPE_INDEX(name) index_of_##name,
  TROUPE_MESSAGE_TYPES(TROUPE_INDEX)
#undef TROUPE_INDEX
  type_count
};

struct type_block {
  static constexpr caf::type_id_t begin = first_type_id;
  static constexpr caf::type_id_t end = first_type_id + type_count;
};

} // namespace

namespace caf {

#define TROUPE_NUMBER(name)                                                                                  \
  template <> struct type_by_id<first_type_id + index_of_##name> { using type = troupe::v1::name; };         \
  template <> struct type_name_by_id<first_type_id + index_of_##name> {                                      \
    static constexpr const char* value = "troupe.v1." #name;                                                 \
  };
TROUPE_MESSAGE_TYPES(TROUPE_NUMBER)
#undef TROUPE_NUMBER

} // namespace caf

namespace troupe {

void register_messages(caf::actor_system_config& config) {
  config.add_message_types<type_block>();
}

} // namespace troupe
