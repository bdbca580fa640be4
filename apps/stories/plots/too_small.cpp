// A short one: the smallest is too small for everything, until something small is needed.
#include "apps/stories/phrases/openings.hpp"
#include "apps/stories/plots/plots.hpp"
#include "apps/stories/telling/casting.hpp"

namespace troupe::stories {
namespace {

struct rescue {
  std::string_view what;  // What happens; a sentence.
  std::string_view big;   // What the big ones try.
  std::string_view small; // What the hero does.
};

constexpr rescue rescues[] = {
  {"The key to the store fell into a crack in the floor",
    "The big ones poked around in it with their paws, but the crack was too narrow",
    "{h} slipped into the crack, and a moment later {h.he} came out again, dusty, with the key"},
  {"A landslide closed the entrance of a burrow, and a family was inside",
    "The big ones dug, but the stones only slid down again",
    "{h} crept through a hole no wider than a thumb, took the children by the hand and led them out, one after the other"},
  {"A little owl got its foot caught between two roots", "The big ones pulled at the roots, but the roots were as hard as iron",
    "{h} crept in between, scratched away the earth from under the foot, a crumb at a time, and then the owl was free"},
  {"A young finch was caught in the middle of a thorn bush", "The big ones pricked their noses and gave up",
    "{h} went in under the thorns, where there was just enough room, and bit through the twig that held the bird"},
  {"A stone had got stuck in the pipe, and no water came from the spring any more",
    "The big ones shook the pipe and knocked against it",
    "{h} crawled into the pipe, pushed the stone out in front of {h.him} and came out at the other end, dripping wet, with the "
    "water behind {h.him}"},
  {"The wind blew the only candle under the great root, deep inside",
    "The big ones reached for it, but nobody's arm was long enough",
    "{h} walked in under the root, as through a high gate, and rolled the candle out"},
};

} // namespace

std::string too_small(teller& t) {
  cast_hero(t, [](const kind& one) { return one.home_world == world::forest && one.size == 1 && one.handy; });
  cast_friend(t, 'o', [](const kind&, const kind& other) { return other.size == 3; });
  set_defaults(t);
  const rescue& chosen = t.one_of(rescues);
  t.set("what", chosen.what);
  t.set("trait", "[tiny|small|young|eager|lively|cheerful]");
  t.set("season", "[spring|summer|autumn]");
  t.set("no", "[“You are too small for that,”|“You would only get under our feet,”|“Wait until you have grown,”]");

  open(t);
  t.say({
    "Whatever the others did, {h} wanted to do as well. {no} they said.",
    "When the others carried logs, {h} wanted to help. {no} <said> {o}, a~ {o.kind}.",
    "More than anything {h} wanted to be big. But {h.he} did not grow, however often {h.he} stood in the rain.",
    "“I want to help, too,” {h.he} used to say. {no} <said> {o}, the {o.kind}.",
  });
  t.say({
    "<sad>",
    "“Small, small, small,” grumbled {h}. “I cannot hear it any more.”",
    "So {h} sat at the side and watched.",
    "{h} stood on {h.his} toes. It did not make much of a difference.",
  });
  t.paragraph();
  t.say({
    "Then, one day, something happened. {what}.",
    "<one day> there was a great commotion. {what}.",
    "<one day> everybody came running. {what}.",
  });
  t.say_sentence(chosen.big);
  t.say({
    "Even {o}, the {o.kind}, who was as strong as ten, could not do anything.",
    "“What we need,” <said> {o}, the {o.kind}, “is somebody really small.” And they all turned around.",
    "{o}, the {o.kind}, shook {o.his} head. “We are all too big,” {o.he} <said>.",
    "Then it was quiet. “May I?” <asked> a voice from below.",
  });
  t.say_sentence(chosen.small);
  t.paragraph();
  t.say({
    "There was a great cheer.",
    "{o} lifted {h.him} up so that everybody could see {h.him}.",
    "“Well done,” <said> {o}, and {o.he} bowed, so deeply that {o.his} nose touched the ground.",
  });
  t.say({
    "“How good that you are so small,” <said> {o}. <glad>",
    "After that nobody said that {h} was too small. They said, “How good that we have a small one.”",
    "“I do not need to be big,” <said> {h} that evening. “Big ones there are enough. I am the one who is small.”",
    "And {h}? {^h.he} was as small as before. But {h.he} did not feel small any more.",
  });
  return "small";
}

} // namespace troupe::stories
