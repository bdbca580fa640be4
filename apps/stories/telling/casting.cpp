#include "apps/stories/telling/casting.hpp"
#include <algorithm>
#include <stdexcept>

namespace troupe::stories {
namespace {

bool is_child(const kind& one) { return one.home_world == world::village; }

template <class Filter>
std::vector<const kind*> fitting(world where, Filter fits) {
  std::vector<const kind*> found;
  for (const kind& one : all_kinds()) {
    if (one.home_world == where && fits(one)) found.push_back(&one);
  }
  return found;
}

std::string_view draw_name(teller& t, std::span<const std::string_view> names) {
  return names[t.draws().below(static_cast<uint32_t>(names.size()))];
}

character make_character(teller& t, const kind& body, bool female) {
  character one;
  one.name = draw_name(t, names_of(body.home_world, female));
  one.kind_name = is_child(body) ? (female ? "girl" : "boy") : body.name;
  one.female = female;
  one.body = &body;
  return one;
}

} // namespace

void cast_hero(teller& t, kind_filter fits) {
  std::vector<world> worlds;
  std::vector<uint32_t> weights;
  for (const world where : all_worlds) {
    const auto kinds = fitting(where, fits);
    if (kinds.empty()) continue;
    worlds.push_back(where);
    // Children and the animals of the forest are met most often; a world of which few kinds fit, seldom.
    weights.push_back(where == world::village || where == world::forest ? 4 : kinds.size() > 2 ? 2 : 1);
  }
  if (worlds.empty()) throw std::logic_error("stories: no kind fits");
  const world where = worlds[t.draws().weighted(weights)];
  const auto kinds = fitting(where, fits);
  const kind& body = *kinds[t.draws().below(static_cast<uint32_t>(kinds.size()))];
  const bool female = t.draws().chance(1, 2);
  const character hero = make_character(t, body, female);
  t.cast('h', [hero](teller&) { return hero; });
}

void cast_friend(teller& t, char role, pair_filter fits) {
  const character hero = t.who('h');
  const auto kinds =
    fitting(world_of(t), [&](const kind& one) { return (&one != hero.body || is_child(one)) && fits(*hero.body, one); });
  if (kinds.empty()) throw std::logic_error("stories: no kind fits the friend of a " + std::string(hero.kind_name));
  t.cast(role, [kinds, female = !hero.female](teller& teller) {
    const kind& body = *kinds[teller.draws().below(static_cast<uint32_t>(kinds.size()))];
    return make_character(teller, body, female);
  });
}

void cast_elder(teller& t, char role, elder_hands hands) {
  const bool female = !t.who('h').female;
  std::vector<const elder_kind*> found;
  for (const elder_kind& one : all_elder_kinds()) {
    if (hands == elder_hands::needed && !one.handy) continue;
    if (one.home_world == world_of(t) && one.only != (female ? sex::male : sex::female)) found.push_back(&one);
  }
  t.cast(role, [found, female](teller& teller) {
    character one;
    one.elder = found[teller.draws().below(static_cast<uint32_t>(found.size()))];
    one.kind_name = one.elder->name;
    one.name = draw_name(teller, elder_names(female));
    one.female = female;
    return one;
  });
}

void cast_parent(teller& t, char role) {
  t.cast(role, [female = !t.who('h').female](teller& teller) {
    const bool grand = teller.draws().chance(1, 2);
    character one;
    one.female = female;
    one.kind_name = female ? (grand ? "grandmother" : "mother") : grand ? "grandfather" : "father";
    one.name = female ? (grand ? "his grandmother" : "his mother") : grand ? "her grandfather" : "her father";
    return one;
  });
}

world world_of(teller& t) { return t.who('h').body->home_world; }

std::string_view by_world(teller& t, std::string_view village, std::string_view forest, std::string_view farm,
  std::string_view roots, std::string_view yard) {
  const std::string_view all[] = {village, forest, farm, roots, yard};
  return all[static_cast<size_t>(world_of(t))];
}

void set_distinct(teller& t, std::string_view slot, std::span<const std::string_view> patterns, uint32_t count) {
  std::vector<std::string_view> left(patterns.begin(), patterns.end());
  for (uint32_t i = 1; i <= count; ++i) {
    const auto chosen = left.begin() + t.draws().below(static_cast<uint32_t>(left.size()));
    t.set(std::string(slot) + std::to_string(i), *chosen);
    left.erase(chosen);
  }
}

} // namespace troupe::stories
