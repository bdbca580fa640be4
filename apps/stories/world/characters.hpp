#pragma once
// Who can be in a story: kinds of characters with what they can do, and names.
//
// The texts of a kind are patterns (telling/teller.hpp); "{.his}" is the pronoun of the character that is spoken of.
#include <cstdint>
#include <span>
#include <string_view>

namespace troupe::stories {

/// Where a story takes place. Characters of one world know each other.
enum class world : uint8_t { village, forest, farm, roots, yard };
inline constexpr world all_worlds[] = {world::village, world::forest, world::farm, world::roots, world::yard};

enum class sex : uint8_t { either, female, male };

struct kind {
  std::string_view name;
  world home_world;
  int size;   // 1: a mouse, 2: a fox, a child, 3: a bear, a tractor. Nobody carries what is larger than himself.
  bool handy; // Has hands, or paws that can hold a needle.
  bool flies, swims, climbs;
  std::string_view went; // How it moves.
  std::string_view home;
  std::string_view carry;          // How it carries: "in {.his} beak".
  std::string_view joy, sad, fear; // What it does then; follows the name.
};

struct elder_kind {
  std::string_view name;
  world home_world;
  sex only;
  bool handy;
  std::string_view seat; // Where one finds it.
};

struct character {
  std::string_view name;
  std::string_view kind_name;
  bool female = false;
  bool old = false;
  const kind* body = nullptr;        // Not of elders.
  const elder_kind* elder = nullptr; // Of elders.
};

std::span<const kind> all_kinds();
std::span<const elder_kind> all_elder_kinds();
std::span<const std::string_view> names_of(world where, bool female);
std::span<const std::string_view> elder_names(bool female);

} // namespace troupe::stories
