// A large message that many receive is allocated once.
#include "messages/caf_message.hpp"
#include "messages/counting_new.hpp"
#include "support/catch.hpp"
#include "troupe/v1/attention.pb.h"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/typed_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <cstdint>
#include <vector>

namespace {

using namespace troupe;

constexpr int receivers_count = 8;
constexpr int values_count = 1 << 20; // 4 MiB
static_assert(values_count * sizeof(float) >= testing::large_allocation_bytes);

using address = std::uint64_t;
using head_actor = caf::typed_actor<caf::replies_to<v1::AttendStep>::with<address>>;

address address_of(const v1::AttendStep& step) {
  return reinterpret_cast<address>(step.values().data());
}

/// Answers with the address of the values it received.
template <class Parameter>
head_actor::behavior_type head(head_actor::pointer) {
  return {[](Parameter step) { return address_of(step); }};
}

v1::AttendStep make_step() {
  v1::AttendStep step;
  step.mutable_values()->Resize(values_count, 0.5f);
  return step;
}

/// The result of `send` to `receivers_count` actors that take a `Parameter`.
struct outcome {
  int large_allocations;
  int at_senders_address; // How many receivers read the sender's own values.
};

template <class Parameter, class Send>
outcome run(Send send) {
  caf::actor_system_config config;
  config.set("scheduler.max-threads", 2);
  caf::actor_system system{config};
  caf::scoped_actor self{system};
  std::vector<head_actor> heads;
  for (int i = 0; i < receivers_count; ++i)
    heads.push_back(system.spawn(head<Parameter>));
  const int before = testing::large_allocations();
  auto step = make_step();
  const auto original = address_of(step);
  outcome result{0, 0};
  auto keep_alive = send(self, heads, std::move(step)); // So that no address is used again.
  for (int i = 0; i < receivers_count; ++i)
    self->receive([&](address seen) { result.at_senders_address += seen == original; });
  result.large_allocations = testing::large_allocations() - before;
  return result;
}

auto send_one_packed = [](caf::scoped_actor& self, const std::vector<head_actor>& heads, v1::AttendStep step) {
  const packed<v1::AttendStep> content{std::move(step)};
  for (const auto& to : heads)
    send_packed(self.ptr(), to, content);
  return content;
};

auto send_each_its_own = [](caf::scoped_actor& self, const std::vector<head_actor>& heads, v1::AttendStep step) {
  for (const auto& to : heads)
    self->send(to, step);
  return step;
};

TEST_CASE("one packed message to 8 actors is one allocation, read at one address") {
  const auto shared = run<const v1::AttendStep&>(send_one_packed);
  CHECK(shared.large_allocations == 1); // The values, when the sender made them.
  CHECK(shared.at_senders_address == receivers_count);
}

TEST_CASE("the count includes the copies of separate sends to each receiver") {
  const auto copied = run<const v1::AttendStep&>(send_each_its_own);
  CHECK(copied.large_allocations == 1 + receivers_count);
  CHECK(copied.at_senders_address == 0);
}

TEST_CASE("the count includes the copies of receivers that take no const reference") {
  CHECK(run<v1::AttendStep&>(send_one_packed).large_allocations == 1 + receivers_count);
  CHECK(run<v1::AttendStep>(send_one_packed).large_allocations >= 1 + receivers_count);
}

} // namespace
