#include "actors/supervision/failure.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/exit_reason.hpp>
#include <caf/message.hpp>
#include <caf/scheduled_actor.hpp>
#include <caf/sec.hpp>

#include <exception>
#include <new>

namespace troupe {
namespace {

constexpr caf::atom_value failure_category = caf::atom("troupe");

std::string failure_text(const caf::message& context) {
  return context.match_elements<std::string>() ? context.get_as<std::string>(0)
                                               : std::string("failure without text");
}

caf::error error_of_exception(caf::scheduled_actor*, std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::bad_alloc&) {
    return make_error(failure::out_of_memory, "out of memory");
  } catch (const std::exception& e) {
    return make_error(failure::exception, e.what());
  } catch (...) {
    return make_error(failure::exception, "something that is not a std::exception was thrown");
  }
}

} // namespace

caf::error make_error(failure code, std::string text) {
  return caf::error{static_cast<std::uint8_t>(code), failure_category, caf::make_message(std::move(text))};
}

bool is_failure(const caf::error& reason, failure code) {
  return reason && reason.category() == failure_category && reason.code() == static_cast<std::uint8_t>(code);
}

std::string reason_text(const caf::error& reason) {
  if (!reason)
    return "normal";
  if (reason.category() == failure_category)
    return failure_text(reason.context());
  std::string name;
  if (reason.category() == make_error(caf::exit_reason::kill).category())
    name = to_string(static_cast<caf::exit_reason>(reason.code()));
  else if (reason.category() == make_error(caf::sec::runtime_error).category())
    name = to_string(static_cast<caf::sec>(reason.code()));
  else
    name = to_string(reason.category()) + " error " + std::to_string(reason.code());
  return reason.context().empty() ? name : name + to_string(reason.context());
}

bool is_normal_end(const caf::error& reason) { return !reason || reason == caf::exit_reason::user_shutdown; }

std::string engine_has_stopped(const caf::error& reason) {
  const std::string text = "the engine has stopped";
  return is_normal_end(reason) ? text : text + ": " + reason_text(reason);
}

void report_exceptions(caf::scheduled_actor* self) { self->set_exception_handler(error_of_exception); }

void register_failures(caf::actor_system_config& config) {
  config.add_error_category(failure_category, [](std::uint8_t, caf::atom_value, const caf::message& context) {
    return failure_text(context);
  });
}

} // namespace troupe
