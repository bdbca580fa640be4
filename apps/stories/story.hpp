#pragma once
// Children's stories, made up by a seeded generator: the training text of troupe's own small model. docs/stories.md
#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::stories {

struct story {
  std::string text;      // ASCII; paragraphs are separated by one line break; none at the end.
  double bits = 0;       // The information of the choices that made it: apps/generators/choice.hpp.
  std::string hero;      // The main character's name.
  std::string wish;      // The word for what the hero wanted; occurs in the last paragraph.
  std::string_view plot; // A name in plots/plots.cpp.
};

/// Story `index` of `seed`. The same bytes on every machine; no story depends on another one.
story make_story(uint64_t seed, uint64_t index);

} // namespace troupe::stories
