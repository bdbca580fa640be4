// Somebody at home is ill, and what helps grows far away: a journey with three obstacles.
#include "apps/stories/phrases/openings.hpp"
#include "apps/stories/plots/plots.hpp"
#include "apps/stories/telling/casting.hpp"

namespace troupe::stories {
namespace {

struct cure {
  std::string_view name, word;
  std::string_view place; // Where it is.
  std::string_view use;   // What is made of it.
};

constexpr cure cures[] = {
  {"a leaf of the silver mint", "mint", "at the spring behind the third hill",
    "They boiled the mint and stirred in a spoon of honey"},
  {"a jug of water from the warm spring", "water", "behind the black rocks",
    "The warm water steamed beside the bed, and the sick one breathed it in"},
  {"a bit of wild honey", "honey", "in the hollow lime tree on the far side of the river",
    "They stirred the honey into a cup of hot milk"},
  {"the root of the moor lily", "root", "in the middle of the moor", "They grated the root and cooked a soup with it"},
  {"three drops of pine resin", "resin", "in the dark wood behind the moor",
    "They melted the resin in a spoon and let the sick one breathe the warm smell"},
  {"a bunch of thyme", "thyme", "on the sunny side of the far hill",
    "They made a tea of the thyme, hot and bitter, and the sick one drank it to the last drop"},
  {"a handful of blue berries", "berries", "high up on the slope, where the old pines stand",
    "They pressed the berries, and the juice was as dark as the night"},
};

struct obstacle {
  std::string_view meets;  // What is in the way.
  std::string_view passes; // How the hero gets past it.
  bool (*fits)(const kind&);
};

constexpr obstacle obstacles[] = {
  {"a wide stream without a bridge",
    "{h} jumped from stone to stone, and only the last jump was too short. Splash! But {h.he} was across",
    [](const kind& one) { return !one.flies && !one.swims; }},
  {"a wide stream with a strong current", "{h} swam with all {h.his} strength and came out far down on the other side",
    [](const kind& one) { return one.swims && !one.flies; }},
  {"a hedge of thorns without a gap", "{h} lay down flat and crept under it, on {h.his} belly",
    [](const kind& one) { return one.size <= 2 && !one.flies; }},
  {"a hedge of thorns without a gap", "{h} put {h.his} head down, closed {h.his} eyes and pushed right through it",
    [](const kind& one) { return one.size == 3; }},
  {"a path that split in three", "{h} remembered what {wise} had said, “Always toward the sun,” and took the one in the middle",
    [](const kind&) { return true; }},
  {"a thick fog", "{h} stood still and listened. To the left, a brook could be heard, and {h.he} followed the sound",
    [](const kind&) { return true; }},
  {"a grumpy goose that let nobody pass",
    "{h} said good morning and asked how her children were. Nobody had ever asked her that. The goose told {h.him} about all "
    "seven of them, and then she stepped aside",
    [](const kind&) { return true; }},
  {"a gate with a bolt", "{h} pushed the bolt back, slipped through and closed the gate again behind {h.him}",
    [](const kind& one) { return one.handy && one.size > 1; }},
  {"a steep slope of loose stones", "{h} slid back twice. The third time {h.he} went up in a zigzag, and that worked",
    [](const kind& one) { return !one.flies; }},
  {"a strong wind on the hilltop", "{h} flew low, close to the ground, from bush to bush",
    [](const kind& one) { return one.flies; }},
  {"a hunter's net between two trees", "{h} saw it just in time and went around it in a wide circle",
    [](const kind& one) { return one.home_world == world::forest; }},
};

} // namespace

std::string journey_for_cure(teller& t) {
  cast_hero(t, [](const kind& one) {
    return one.home_world == world::village || one.home_world == world::forest || one.home_world == world::farm;
  });
  set_defaults(t);
  const cure& chosen = t.one_of(cures);
  t.set("season", "[spring|summer|autumn]");
  t.set("trait", "[brave|small|young|quick|shy|stubborn|quiet]");
  t.set("cure", chosen.name);
  t.set("word", chosen.word);
  t.set("place", chosen.place);
  t.set("sick", by_world(t, "{h.his} [little brother|little sister|grandmother|grandfather]",
                  "{h.his} [little brother|little sister|grandmother|mother]",
                  "[the old mare|the farmer's little daughter|the smallest lamb]", "", ""));
  t.set("wise", by_world(t, "the [midwife|old shepherd|village doctor]", "the wise [owl|raven|toad]",
                  "the old [sheepdog|ram|owl in the barn]", "", ""));

  open(t);
  habit(t);
  t.paragraph();
  t.say({
    "But one day {sick} became ill and could not get up any more.",
    "Then {sick} fell ill. Day and night there was nothing but coughing.",
    "Then something happened that made everybody quiet: {sick} had a fever and did not get better.",
    "But that week nobody laughed, for {sick} was ill and grew weaker every day.",
    "One morning {sick} had a fever and did not want to eat.",
  });
  t.say({
    "“Only one thing can help,” <said> {wise}: “{cure}. It is to be found {place}.”",
    "{^wise} came and shook a gray head. “What we need is {cure}. One can find it {place}, but that is far.”",
    "{^wise} knew what to do. “It takes {cure}. But it is found only {place}, and who would go so far?”",
    "“I have heard of something,” <said> {wise} slowly. “{^cure}. It helped my own mother. You must look for it {place}.”",
    "They asked {wise}. “There is a cure,” was the answer, “{cure}. But one has to look for it {place}.”",
  });
  t.say({
    "“I will go,” <said> {h}.",
    "“Tell me the way,” <said> {h}.",
    "They looked at each other. It was far, and it was not without danger. Then somebody said, “I am going.” It was {h}.",
    "{h} was the [youngest|quietest] of all. But it was {h} who stood up.",
    "Nobody had time, or nobody dared to go. “Then I will go,” <said> {h}.",
    "{h} did not think for long. {^h.he} set off before the sun was up.",
  });
  t.maybe({
    "“You? You are so small,” they said. But {h} was already at the door.",
    "“Be careful,” they called after {h.him}.",
    "{^h.he} took nothing along but [a piece of bread|a warm thought of home].",
  });
  t.paragraph();
  std::vector<const obstacle*> fitting;
  for (const obstacle& one : obstacles) {
    if (one.fits(*t.who('h').body)) fitting.push_back(&one);
  }
  const obstacle* first = fitting[t.draws().below(static_cast<uint32_t>(fitting.size()))];
  std::erase_if(fitting, [&](const obstacle* one) { return one->meets == first->meets || one->passes == first->passes; });
  const obstacle* second = fitting[t.draws().below(static_cast<uint32_t>(fitting.size()))];
  t.set("meets1", first->meets);
  t.set("meets2", second->meets);
  t.say({
    "The way was long. First {h.he} came to {meets1}.",
    "{h} went on and on, until {h.he} came to {meets1}.",
    "Nobody had told {h.him} that on the way there would be {meets1}.",
    "The first half of the way was easy. Then, all at once, there was {meets1}.",
    "It did not take long until {h.he} met with {meets1}.",
    "For an hour everything went well. Then there was {meets1}.",
  });
  t.say_sentence(first->passes);
  const bool two = t.draws().chance(2, 5);
  if (two) {
    t.say({
      "Next there was {meets2}.",
      "Now it could not be far any more. But there was still {meets2}.",
      "And as if that were not enough, there was {meets2}.",
      "{h} rested for a moment, then {h.he} went on, to {meets2}.",
      "But behind the next bend {h.he} came upon {meets2}.",
      "The sun was already high when {h.he} came to {meets2}.",
      "“That was not so bad,” {h} thought. But then came {meets2}.",
    });
    t.maybe({
      "“If I am careful, it will work,” {h.he} thought.",
      "{h} thought about turning back. {^h.he} thought about {sick}. Then {h.he} did not think about turning back any more.",
      "“What now?” {h.he} asked {h.himself}.",
      "<afraid> But {h.he} thought of {sick}.",
      "“I cannot turn back,” {h.he} <said>.",
    });
    t.say_sentence(second->passes);
  }
  t.paragraph();
  t.say({
    "<at last> {h.he} was there, {place}. And there it was: {cure}!",
    "Then the wind brought a new smell, and {h} knew that {h.he} was there. {^place} was {cure}.",
    "And then, when {h.he} hardly believed in it any more, {h.he} saw it: {cure}!",
    "{^place} {h.he} found it: {cure}.",
    "Tired and dusty {h.he} reached the place at last. It was just as {wise} had said. There was {cure}!",
  });
  if (!two && t.draws().chance(1, 2)) {
    t.set("other", "[hare|squirrel|lizard|thrush|dormouse]");
    t.say({
      "But in front of it sat a thin little {other} with a bandaged foot. “I need it, too,” it <said>. “But I cannot reach it.”",
      "Somebody else was there, an old {other}, who was looking at it with wet eyes. “My child is ill, too,” it <said>, “and I "
      "cannot reach it.”",
    });
    t.say({
      "{h} shared it, half and half. “[Then|And] I will show you a shorter way home,” <said> the {other}.",
      "There was enough for two. {h} shared without a word. “You have a good heart,” <said> the {other}. “Go to the left at the "
      "fallen tree. That saves you half of the way.”",
      "{h} gave the {other} half of what {h.he} took. In return the {other} showed {h.him} a path that nobody knew, and it was "
      "only half as long.",
    });
  } else {
    t.maybe({
      "“One takes what one needs and no more,” {h.his} grandmother used to say. So that is what {h.he} did.",
      "{^h.he} took only as much as {h.he} needed and left the rest for others.",
      "{^h.he} said thank you, although nobody was there to hear it, and took a little, not all.",
    });
    t.maybe({
      "{^h.he} carried it home {h.carry}, so carefully that nothing was lost.",
      "{^h.he} sang on the way home, so as not to feel how tired {h.he} was.",
      "The way back seemed only half as long.",
    });
  }
  t.paragraph();
  t.maybe({
    "When {h.he} came home, the moon was [high in the sky|already up].",
    "Late in the evening there were steps outside. “It is {h}!”",
    "{h} arrived with [dust on {h.his} nose|tired legs] and shining eyes.",
    "It was dark when {h} came home.",
    "They were all standing at the door when {h} came back.",
  });
  t.say_sentence(chosen.use);
  t.say({
    "<next day> the fever was gone. “I am hungry,” said a weak voice, and nothing had ever sounded better.",
    "For three days they waited. On the fourth, {sick} sat up and laughed.",
    "It did not help at once, and it did not help quickly. But it helped. After a week {sick} wanted to go outside.",
    "The whole night they sat and waited. In the morning {sick} opened both eyes and smiled.",
    "And slowly, day by day, {sick} grew well again.",
  });
  t.say({
    "“Who would have thought it?” <said> {wise}. “So small, and all that way for the {word}!” {h} did not hear it. {^h.he} had "
    "fallen asleep.",
    "“And what do you wish for, now that you have done such a thing?” {wise} <asked>. {h} thought for a moment. “A little of the "
    "{word} for the cupboard,” {h.he} <said>, “so that I need not go again so soon.”",
    "A bit of the {word} was left over. They kept it in a jar, and on the jar they wrote the name of {h}.",
    "In the place where the {word} comes from, nobody knows {h}. But at home everybody knew who had brought it.",
    "<glad> {^h.he} would have gone twice as far for the {word}.",
    "“Were you not afraid, alone on such a long way?” they <asked>. “I was not alone,” <replied> {h}. “I was thinking of you.” "
    "And {h.he} put what was left of the {word} away with care.",
    "When somebody asked {h} how far it was to the {word}, {h.he} said, “Far. But it is shorter if you know for whom you are "
    "going.”",
  });
  return std::string(chosen.word);
}

} // namespace troupe::stories
