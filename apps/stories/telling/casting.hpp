#pragma once
// Who plays in a story. The hero has the role h; a second main character is of the other sex, so that "he" and "she" are clear.
// All but the hero are drawn when a pattern first names them.
#include "apps/stories/telling/teller.hpp"

namespace troupe::stories {

using kind_filter = bool (*)(const kind&);
inline bool any_kind(const kind&) { return true; }
using pair_filter = bool (*)(const kind& hero, const kind& other);
inline bool any_pair(const kind&, const kind&) { return true; }
inline bool no_larger(const kind& hero, const kind& other) { return other.size <= hero.size; }

/// Draws, at once, a world, then a kind that fits, then a name. Some kind must fit.
void cast_hero(teller& t, kind_filter fits = any_kind);
/// A friend of the hero's, of another kind (children: the other of boy and girl) and the other sex. Some kind of the hero's world
/// must fit.
void cast_friend(teller& t, char role, pair_filter fits = any_pair);
enum class elder_hands { any, needed };
/// An old inhabitant of the hero's world, of the other sex; one that can hold a needle if hands are needed.
void cast_elder(teller& t, char role, elder_hands hands = elder_hands::any);
/// Mother or grandmother of a boy, father or grandfather of a girl: "her father".
void cast_parent(teller& t, char role);

world world_of(teller& t);
/// The pattern for the hero's world.
std::string_view by_world(teller& t, std::string_view village, std::string_view forest, std::string_view farm,
  std::string_view roots, std::string_view yard);
/// Sets {<slot>1}, {<slot>2}, ... to `count` different ones of the patterns.
void set_distinct(teller& t, std::string_view slot, std::span<const std::string_view> patterns, uint32_t count);

} // namespace troupe::stories
