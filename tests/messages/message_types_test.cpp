// messages/message_types.hpp: every message of the schemas is registered and crosses the wire unchanged.
#include "messages/message_types.hpp"

#include "messages/caf_message.hpp"
#include "messages/fill.hpp"
#include "support/catch.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace troupe;
using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::Message;
using testing::random_bits;

/// One entry of TROUPE_MESSAGE_TYPES, with what needs the C++ type.
struct message_type {
  const Message* prototype; // An empty one.
  caf::message (*pack)(const Message& content);
  bool (*holds)(const caf::message& message);
  const Message& (*unpack)(const caf::message& message);
  caf::error (*decode)(caf::binary_deserializer& source, Message& into);
};

template <class T>
message_type describe() {
  return {
      &T::default_instance(),
      [](const Message& content) { return caf::make_message(static_cast<const T&>(content)); },
      [](const caf::message& message) { return message.match_elements<T>(); },
      [](const caf::message& message) -> const Message& { return message.get_as<T>(0); },
      [](caf::binary_deserializer& source, Message& into) { return source(static_cast<T&>(into)); },
  };
}

const std::vector<message_type>& all_types() {
#define TROUPE_DESCRIBE(name) describe<v1::name>(),
  static const std::vector<message_type> types{TROUPE_MESSAGE_TYPES(TROUPE_DESCRIBE)};
#undef TROUPE_DESCRIBE
  return types;
}

/// The full names of all messages of `file`, those declared inside others too.
void collect(const Descriptor& type, std::set<std::string>& names) {
  names.insert(type.full_name());
  for (int i = 0; i < type.nested_type_count(); ++i)
    if (!type.nested_type(i)->options().map_entry())
      collect(*type.nested_type(i), names);
}

TEST_CASE("the list of message types holds every message of the schemas") {
  std::set<std::string> in_schemas;
  const std::filesystem::path schemas = TROUPE_SOURCE_DIR "/messages";
  for (const auto& entry : std::filesystem::directory_iterator(schemas / "troupe/v1")) {
    if (entry.path().extension() != ".proto")
      continue;
    const auto name = std::filesystem::relative(entry.path(), schemas).string();
    INFO("schema " << name << " (no message of it in the list: include its .pb.h and add them)");
    const auto* file = DescriptorPool::generated_pool()->FindFileByName(name);
    REQUIRE(file != nullptr);
    CHECK(file->package() == "troupe.v1");
    for (int i = 0; i < file->message_type_count(); ++i)
      collect(*file->message_type(i), in_schemas);
  }
  std::set<std::string> in_list;
  for (const auto& type : all_types())
    CHECK(in_list.insert(type.prototype->GetTypeName()).second); // No name twice.
  std::vector<std::string> missing;
  std::ranges::set_difference(in_schemas, in_list, std::back_inserter(missing));
  CHECK(missing == std::vector<std::string>{});
  CHECK(in_list.size() == in_schemas.size());
  CHECK(in_list.size() >= 30); // Not two empty lists that agree.
}

TEST_CASE("every message type is registered under its full protobuf name") {
  caf::actor_system_config config;
  const auto names_before = config.value_factories_by_name.size();
  register_messages(config);
  for (const auto& type : all_types()) {
    INFO(type.prototype->GetTypeName());
    auto factory = config.value_factories_by_name.find(type.prototype->GetTypeName());
    REQUIRE(factory != config.value_factories_by_name.end());
    const auto made = factory->second();
    const auto& content = *static_cast<const Message*>(static_cast<const google::protobuf::MessageLite*>(made->get()));
    CHECK(content.GetDescriptor() == type.prototype->GetDescriptor());
  }
  CHECK(config.value_factories_by_name.size() == names_before + all_types().size());
}

TEST_CASE("every message type survives the wire bit by bit") {
  caf::actor_system_config config;
  config.set("scheduler.max-threads", 1);
  register_messages(config);
  caf::actor_system system{config};
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    for (const auto& type : all_types()) {
      random_bits random{seed};
      const std::unique_ptr<Message> content{type.prototype->New()};
      testing::fill(*content, random, 40);
      INFO(content->GetTypeName() << ", seed " << seed);
      REQUIRE(testing::is_full(*content)); // Nothing is compared by being absent on both sides.
      const auto bytes = content->SerializeAsString();
      REQUIRE(bytes.empty() == (content->GetDescriptor()->field_count() == 0));

      std::vector<char> wire;
      caf::binary_serializer sink{system, wire};
      // save and load themselves: `sink(message)` would swallow their errors.
      REQUIRE(type.pack(*content).save(sink) == caf::none);
      caf::message arrived;
      caf::binary_deserializer source{system, wire};
      REQUIRE(arrived.load(source) == caf::none);
      CHECK(source.remaining() == 0);
      REQUIRE(type.holds(arrived));
      CHECK(type.unpack(arrived).SerializeAsString() == bytes);
    }
  }
}

/// Damages `bytes` as networks, disks and attackers do: 1 to 4 times a flipped bit, another byte, a large varint, a cut,
/// a repeated, a removed or an inserted piece.
void mutate(std::string& bytes, random_bits& random) {
  for (auto left = 1 + random() % 4; left > 0; --left) {
    if (bytes.empty())
      bytes += static_cast<char>(random());
    const auto drawn = random();
    const auto at = (drawn >> 32) % bytes.size();
    const auto length = std::min<std::size_t>(1 + (drawn >> 16) % 16, bytes.size() - at);
    switch (drawn % 8) {
    case 0:
    case 1: bytes[at] = static_cast<char>(bytes[at] ^ (1 << ((drawn >> 8) % 8))); break;
    case 2: bytes[at] = static_cast<char>(drawn >> 8); break;
    case 3: bytes.insert(at, length % 10, '\xff'); break;
    case 4: bytes.resize(at); break;
    case 5: bytes.insert(at, bytes.substr(at, length)); break;
    case 6: bytes.erase(at, length); break;
    case 7: bytes.insert(at, 1, static_cast<char>(drawn >> 8)); break;
    }
  }
}

TEST_CASE("100,000 damaged encodings of every type end in a value or an error") {
  constexpr int damaged_per_type = 100'000;
  const std::uint64_t seed = 20'261'122;
  const google::protobuf::LogSilencer silence; // A line on stderr for each string that is not UTF-8.
  std::size_t values = 0;
  std::size_t errors = 0;
  std::vector<char> wire;
  std::string bytes;
  for (const auto& type : all_types()) {
    random_bits random{seed};
    std::array<std::string, 16> valid;
    const std::unique_ptr<Message> content{type.prototype->New()};
    for (auto& encoding : valid) {
      content->Clear();
      testing::fill(*content, random, 3);
      encoding = content->SerializeAsString();
    }
    INFO(content->GetTypeName() << ", seed " << seed);
    for (int i = 0; i < damaged_per_type; ++i) {
      bytes = valid[random() % valid.size()];
      mutate(bytes, random);
      wire.clear();
      caf::binary_serializer sink{nullptr, wire};
      if (sink(bytes))
        FAIL("the envelope does not fit");
      caf::binary_deserializer source{nullptr, wire};
      if (type.decode(source, *content)) {
        ++errors;
        continue;
      }
      // What was accepted is a whole message: it can be written again.
      if (++values % 16 == 0 && content->SerializeAsString().size() != content->ByteSizeLong())
        FAIL("a decoded message cannot be encoded");
    }
  }
  // Both outcomes really occur: the damage is neither always fatal nor never.
  CHECK(values > errors / 10);
  CHECK(errors > values / 10);
  CHECK(values + errors == damaged_per_type * all_types().size());
}

} // namespace
