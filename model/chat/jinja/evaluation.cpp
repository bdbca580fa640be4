#include "model/chat/jinja/evaluation.hpp"
#include "model/error.hpp"

namespace troupe::jinja {

void evaluation::fail(std::string_view reason) const {
  throw input_error("chat template, line " + std::to_string(line) + ": " + std::string(reason));
}

void evaluation::fail_for_steps() const { fail("takes more than " + std::to_string(steps_max) + " steps"); }
void evaluation::fail_for_memory() const { fail("makes values of more than " + std::to_string(made_bytes_max) + " bytes"); }
void evaluation::fail_for_depth() const { fail("is nested too deeply"); }

} // namespace troupe::jinja
