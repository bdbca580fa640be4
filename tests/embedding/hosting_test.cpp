// Goal: an engine in the actor system of a program is supervised by an actor of that program: its root ends on purpose, the program's
// supervisor starts another, and all streams go on with the same bits.
#include "actors/hosting.hpp"
#include "actors/requests/event_messages.hpp"
#include "actors/requests/request_tracker.hpp"
#include "embedding/embedded_models.hpp"
#include "model/reference.hpp"
#include "model/testing/tiny_encoder.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <chrono>
#include <future>

namespace troupe {
namespace {

using namespace std::chrono_literals;
using testing::numbered_request;
using testing::small_model;

/// The program's supervisor: replaces the engine's root whenever it ends unasked.
caf::behavior supervisor(caf::event_based_actor* self, engine* supervised, std::atomic<uint32_t>* restarts) {
  self->monitor(supervised->root());
  self->set_down_handler([=](const caf::down_msg& down) {
    if (down.reason == caf::exit_reason::user_shutdown) return;
    ++*restarts;
    self->monitor(supervised->start_root());
  });
  return {[](int) {}};
}

/// An actor of the program, which asks by a message and collects what it gets.
struct asker_state {
  std::vector<uint32_t> tokens;
};
asker_actor::behavior_type asker(asker_actor::stateful_pointer<asker_state> self, requests_actor requests, v1::GenerateRequest request,
                                 std::promise<std::pair<std::vector<uint32_t>, v1::GenerateEnd>>* result) {
  self->send(requests, std::move(request), caf::strong_actor_ptr(self->ctrl()));
  return {[self](const v1::TokenEvent& token) {
            if (token.index() == self->state.tokens.size()) self->state.tokens.push_back(token.token());
          },
          [](const v1::LogitsRows&) {}, [](const v1::HiddenRows&) {},
          [self, result](const v1::GenerateEnd& end) {
            result->set_value({self->state.tokens, end});
            self->quit();
          }};
}

v1::GenerateRequest message_of(const generate_request& request, uint64_t number) {
  const auto parts = make_parts(small_model(), {});
  auto message = to_message(request, *parts, {});
  message.set_request_id(number);
  return message;
}

using asked = std::promise<std::pair<std::vector<uint32_t>, v1::GenerateEnd>>;

} // namespace

TEST_CASE("the root ends on purpose, the program's supervisor starts another, and every stream goes on with the same bits") {
  constexpr uint32_t count = 8, tokens = 300;
  const auto wanted = testing::undisturbed_answers(count, tokens);
  caf::actor_system_config config;
  caf::actor_system system{config};
  std::atomic<uint32_t> restarts = 0;
  {
    engine engine{system, small_model(), {}};
    caf::scoped_actor self{system};
    const auto watching = self->spawn(supervisor, &engine, &restarts);
    {
      auto client = engine.connect_async();
      std::vector<std::future<expected<answer>>> answers;
      for (uint32_t i = 0; i < count; ++i) answers.push_back(client.ask(numbered_request(i, tokens)));
      auto stream = client.stream(numbered_request(0, tokens));
      std::vector<uint32_t> streamed;
      while (const auto* event = stream.next()) {
        if (event->kind != event_kind::token) continue;
        streamed.push_back(event->token);
        if (streamed.size() % 100 == 50) // Three times, while all others run.
          caf::anon_send_exit(engine.root(), streamed.size() == 150 ? caf::exit_reason::kill : caf::exit_reason::remote_link_unreachable);
      }
      CHECK(streamed == wanted[0]);
      for (uint32_t i = 0; i < count; ++i) CHECK(answers[i].get().value().tokens == wanted[i]);
    }
    self->monitor(watching);
    self->send_exit(watching, caf::exit_reason::user_shutdown);
    self->receive([](const caf::down_msg&) {});
    CHECK(engine.stop() == 0);
  }
  CHECK(restarts == 3);
  // What is left are actors of the system itself.
  const auto end = std::chrono::steady_clock::now() + 5s;
  while (system.registry().running() > 0 && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(1ms);
  CHECK(system.registry().running() == 0);
}

TEST_CASE("actors of a program ask by messages, cancel, and are refused with a reason") {
  const auto wanted = testing::undisturbed_answers(2);
  caf::actor_system_config config;
  caf::actor_system system{config};
  engine engine{system, small_model(), {}};
  const auto requests = spawn_requests(engine);

  asked first, second, wrong;
  system.spawn(asker, requests, message_of(numbered_request(0), 7), &first);
  system.spawn(asker, requests, message_of(numbered_request(1), 7), &second); // The same number of another asker.
  auto hostile = message_of(numbered_request(1), 9);
  hostile.set_prompt_tokens(0, 5'000'000);
  system.spawn(asker, requests, hostile, &wrong);
  const auto one = first.get_future().get();
  CHECK(one.first == wanted[0]);
  CHECK(one.second.request_id() == 7);
  CHECK(one.second.finish_reason() == v1::FINISH_REASON_LENGTH);
  CHECK(one.second.tokens() == 40);
  CHECK(second.get_future().get().first == wanted[1]);
  const auto refused = wrong.get_future().get().second;
  CHECK(refused.finish_reason() == v1::FINISH_REASON_ERROR);
  CHECK(refused.error().find("5000000") != std::string::npos);

  asked more; // One whose lists contradict each other, which would break an invariant further inside.
  hostile = message_of(numbered_request(1), 9);
  hostile.mutable_sampling()->add_bias_tokens(1);
  system.spawn(asker, requests, hostile, &more);
  CHECK(more.get_future().get().second.finish_reason() == v1::FINISH_REASON_ERROR);

  { // An asker that ends has its requests cancelled.
    caf::scoped_actor self{system};
    self->send(requests, message_of(numbered_request(2, 500), 1), caf::strong_actor_ptr(self.ptr()->ctrl()));
    self->receive([](const v1::TokenEvent&) {});
  }
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (engine.statistics().sequences_running > 0 && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(1ms);
  CHECK(engine.statistics().sequences_running == 0);
  CHECK(engine.statistics().decode.rows < 500);
  caf::anon_send_exit(requests, caf::exit_reason::user_shutdown);
}

TEST_CASE("a request that became a message comes back as the same request") {
  auto request = numbered_request(5);
  request.source.clear();
  request.rules.forbidden = {{1, 2}, {3}};
  request.rules.forced_first = 4;
  request.sampling.logit_bias = {{7, 1.5f}};
  request.stop_strings = {"end"};
  request.want_logprobs = true;
  request.top_logprobs = 3;
  request.priority = -2;
  request.tenant = "somebody";
  request.tenant_weight = 2;
  request.constraint = text_constraint{constraint_kind::regex, "[a-z]+"};
  request.deadline_at = std::chrono::steady_clock::time_point(std::chrono::seconds(1'000'000));
  request.start_deadline = 5s;
  request.generated = {261, 262};
  const auto now = caf::actor_clock::time_point(std::chrono::seconds(999'000));
  const auto parts = make_parts(small_model(), {});
  const auto message = to_message(request, *parts, now);
  CHECK(to_message(to_request(message, now), *parts, now).SerializeAsString() == message.SerializeAsString());

  const auto sees = make_parts(testing::tiny_encoder("ViTForImageClassification"), {});
  generate_request image;
  image.features.assign(sees->spec.embedding.image->elements(), 0.25f);
  image.tokens_max = 0;
  image.want_logits = true;
  const auto seen = to_message(image, *sees, now);
  CHECK(seen.features_size() == int(image.features.size()));
  CHECK(to_message(to_request(seen, now), *sees, now).SerializeAsString() == seen.SerializeAsString());
}

} // namespace troupe
