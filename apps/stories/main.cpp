// The program `stories`: prints children's stories of a seeded generator.
#include "apps/generators/program.hpp"
#include "apps/stories/story.hpp"

namespace {

constexpr const char* footer = R"(
Examples:
  stories --count 3 --seed 7
  stories --count 100000 --seed 1 --out train.txt
  stories --count 1000 --seed 2 --json > held_out.jsonl
  stories --count 1000 --seed 2 --entropy

Stories are separated by an empty line; within a story there is none. Story number i of a seed is the same wherever one begins and
on every machine.)";

} // namespace

int main(int argc, char** argv) {
  const troupe::generators::generator stories{
    .name = "stories",
    .description = "Prints children's stories that a seeded generator makes up.",
    .noun = "stories",
    .footer = footer,
    .fields = {"text"},
    .between = "\n",
    .has_parts = false, // No two stories of different seeds are equal anyway.
    .has_entropy = true,
    .make =
      [](uint64_t seed, uint64_t index, troupe::generators::part) {
        troupe::stories::story made = troupe::stories::make_story(seed, index);
        return troupe::generators::record{{std::move(made.text)}, made.bits};
      },
  };
  return troupe::generators::run(stories, argc, argv);
}
