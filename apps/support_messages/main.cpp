// The program `support_messages`: prints short messages to a support desk, with topic and urgency.
#include "apps/generators/program.hpp"
#include "apps/support_messages/message.hpp"

namespace {

constexpr const char* footer = R"(
Examples:
  support_messages --count 20 --seed 7
  support_messages --count 60000 --seed 1 --out train.tsv
  support_messages --count 5000 --seed 2 --held-out --out held_out.tsv

A line is a message, a tab, and its label: one of billing, delivery, access, fault, cancellation, question, then /urgent or /routine.
What the labels mean: docs/support_messages.md. Line number i of a seed is the same wherever one begins and on every machine.)";

} // namespace

int main(int argc, char** argv) {
  const troupe::generators::generator messages{
    .name = "support_messages",
    .description = "Prints short messages to a support desk, with topic and urgency, made up by a seeded generator.",
    .noun = "messages",
    .footer = footer,
    .fields = {"text", "label"},
    .between = "",
    .has_parts = true,
    .has_entropy = false,
    .make =
      [](uint64_t seed, uint64_t index, troupe::generators::part from) {
        auto made = troupe::support_messages::make_message(seed, index, from);
        return troupe::generators::record{{std::move(made.text), std::move(made.label)}, made.bits};
      },
  };
  return troupe::generators::run(messages, argc, argv);
}
