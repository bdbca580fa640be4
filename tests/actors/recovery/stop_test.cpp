// Goal: an engine stops in bounded time, whatever its actors do. Method: an actor that does not return from its handler.
#include "actors/engine.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <chrono>
#include <thread>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

namespace troupe {

using namespace testing;
using namespace std::chrono_literals;

TEST_CASE("an engine with an actor that never returns from its handler stops all the same", "[stop]") {
  static std::atomic<bool> may_return{false}; // Its thread outlives this test.
  {
#ifdef __SANITIZE_ADDRESS__
    const __lsan::ScopedDisabler its_actor_system_is_left_to_it;
#endif
    engine one{open_model(write_tiny_model({})), {.threads = 2}};
    one.system().spawn([](caf::event_based_actor*) {
      while (!may_return) std::this_thread::sleep_for(1ms);
    });
    CHECK(one.stop() == 1);
  } // And so does its destructor: if it waited for that actor, this test would never end.
  may_return = true;
}

} // namespace troupe
