#include "apps/stories/story.hpp"
#include "apps/stories/phrases/words.hpp"
#include "apps/stories/plots/plots.hpp"

namespace troupe::stories {

story make_story(uint64_t seed, uint64_t index) {
  choice draws{seed, index};
  teller t{draws, phrase_list};
  std::vector<uint32_t> weights;
  for (const plot& one : all_plots()) weights.push_back(one.weight);
  const plot& chosen = all_plots()[draws.weighted(weights)];
  story result;
  result.wish = chosen.tell(t);
  result.text = t.text();
  result.bits = draws.bits();
  result.hero = t.who('h').name;
  result.plot = chosen.name;
  return result;
}

} // namespace troupe::stories
