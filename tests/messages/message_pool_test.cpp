// messages/message_pool.hpp: messages that reuse memory. Each test has a message type of its own, because the pool of a thread
// would carry messages from one test to the next.
#include "messages/message_pool.hpp"
#include "support/catch.hpp"
#include "troupe/v1/attention.pb.h"
#include "troupe/v1/projection.pb.h"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/typed_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace {

using namespace troupe;

template <class T>
caf::message sealed(int values, float value) {
  pooled_message<T> message;
  message->set_step(7);
  message->mutable_values()->Resize(values, value);
  return std::move(message).seal();
}

const float* values_of(const caf::message& message) {
  return message.get_as<v1::ProjectStep>(0).values().data();
}

TEST_CASE("a pooled message begins empty, in the memory of a message that all receivers have dropped") {
  auto message = sealed<v1::ProjectStep>(100, 0.5f);
  const float* memory = values_of(message);
  message.reset();
  pooled_message<v1::ProjectStep> next;
  CHECK(next->ByteSizeLong() == 0);
  next->mutable_values()->Resize(100, 1.5f);
  CHECK(next->values().data() == memory);
  CHECK(std::move(next).seal().get_as<v1::ProjectStep>(0).values(99) == 1.5f);
}

TEST_CASE("a sealed message to which a reference is held never changes") {
  const auto held = sealed<v1::AttendResult>(100, 0.5f);
  const auto again = sealed<v1::AttendResult>(100, 1.5f);
  const auto& content = held.get_as<v1::AttendResult>(0);
  CHECK(content.step() == 7);
  REQUIRE(content.values_size() == 100);
  for (const float value : content.values()) REQUIRE(value == 0.5f);
  CHECK(again.get_as<v1::AttendResult>(0).values(0) == 1.5f);
}

TEST_CASE("the pool of a thread keeps a bounded number of messages, and of long ones the newest that are not too long together") {
  using pooled_result = pooled_message<v1::ProjectResult>;
  std::vector<caf::message> many;
  for (std::size_t i = 0; i < 3 * pooled_result::kept_max; ++i) many.push_back(sealed<v1::ProjectResult>(100, 0.5f));
  many.clear();
  const auto capacities_of_all = [] {
    std::vector<pooled_result> messages;
    std::vector<int> capacities;
    for (std::size_t i = 0; i <= pooled_result::kept_max; ++i) capacities.push_back(messages.emplace_back()->values().Capacity());
    return capacities; // All messages are gone now.
  };
  auto capacities = capacities_of_all();
  CHECK(capacities.back() == 0);
  capacities.pop_back();
  for (const int capacity : capacities) CHECK((capacity >= 100 && capacity < 1000));

  const int third = int(pooled_result::kept_bytes_max / sizeof(float) / 3 - 100);
  for (int i = 0; i < 5; ++i) many.push_back(sealed<v1::ProjectResult>(third, 0.5f));
  many.clear();
  capacities = capacities_of_all();
  CHECK(std::ranges::count_if(capacities, [&](int capacity) { return capacity >= third; }) == 3);
  CHECK(std::ranges::count(capacities, 0) == ptrdiff_t(pooled_result::kept_max) - 2);

  sealed<v1::ProjectResult>(100, 0.5f);
  sealed<v1::ProjectResult>(int(pooled_result::kept_bytes_max), 0.5f); // Longer than all may be: kept alone.
  capacities = capacities_of_all();
  CHECK(capacities[0] >= int(pooled_result::kept_bytes_max));
  CHECK(capacities[1] == 0);

  const int half = int(pooled_result::kept_bytes_max / sizeof(float) / 2 + 100);
  sealed<v1::ProjectResult>(half, 0.5f);
  many.push_back(sealed<v1::ProjectResult>(1, 0.5f));    // In the memory of the long one, which is how long it counts.
  many.push_back(sealed<v1::ProjectResult>(half, 0.5f)); // There is no room for both.
  many.clear();
  CHECK(capacities_of_all()[1] == 0);
}

TEST_CASE("a message's memory is reused only when its receivers, on other threads, have read it") {
  using reader_actor = caf::typed_actor<caf::replies_to<v1::AttendStep>::with<bool>>;
  caf::actor_system_config config;
  config.set("scheduler.max-threads", 2);
  caf::actor_system system{config};
  caf::scoped_actor self{system};
  const auto reader = [](reader_actor::pointer) -> reader_actor::behavior_type {
    return {[](const v1::AttendStep& step) {
      const auto is_right = [&](float value) { return value == float(step.layer()); };
      return step.values_size() == 1000 && std::all_of(step.values().begin(), step.values().end(), is_right);
    }};
  };
  const reader_actor readers[]{system.spawn(reader), system.spawn(reader)};
  for (uint32_t i = 0; i < 2000; ++i) {
    pooled_message<v1::AttendStep> message;
    message->set_layer(i);
    message->mutable_values()->Resize(1000, float(i));
    const auto content = std::move(message).seal();
    for (const auto& to : readers) pass_on(self.ptr(), to, content);
    if (i < 4) continue; // So that 4 messages are always under way.
    for (int answers = 0; answers < 2; ++answers) self->receive([](bool is_right) { REQUIRE(is_right); });
  }
}

} // namespace
