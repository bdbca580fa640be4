// Somebody old can no longer do a thing alone; the hero helps, and learns something that cannot be bought.
#include "apps/stories/phrases/openings.hpp"
#include "apps/stories/plots/plots.hpp"
#include "apps/stories/telling/casting.hpp"

namespace troupe::stories {
namespace {

struct need {
  std::string_view word;    // Of what the hero learns about; occurs in `later`.
  std::string_view trouble; // What {e} cannot do any more; a sentence.
  std::string_view first;   // The first try, which fails; a sentence.
  std::string_view idea;    // The better way; a sentence.
  std::string_view knows;   // What {e} knows; "how to ..."
  std::string_view later;   // When it is of use; "when ..."
  bool (*fits)(const kind&);
};

bool child_or_paws(const kind& one) { return one.handy && (one.home_world == world::village || one.home_world == world::forest); }

constexpr need needs[] = {
  {"rain", "The wood for the stove lay at the bottom of the hill, and {e} could not carry it up any more",
    "{h} took as many logs as {h.he} could hold. Halfway up they all rolled down again",
    "Then {h.he} tied the logs to an old sled and pulled them up, a few at a time",
    "how one can read the weather from the clouds, the swallows and the smell of the wind",
    "the others wanted to go on a long walk, {h} looked up, smelled the wind and held them back. An hour later the great rain "
    "came",
    [](const kind& one) { return child_or_paws(one) && one.size > 1; }},
  {"apples", "The apples were ripe, and {e}, whose back was stiff, could not reach a single one",
    "{h} shook the tree. The apples fell down all right, but they were full of bruises",
    "Then {h.he} tied a small bag to a long stick and picked one apple after the other, without a scratch",
    "how one keeps apples fresh in dry sand until spring",
    "the snow lay deep and nobody had any fruit left, {h} opened a box of sand, and there lay red apples as if they had just "
    "been picked",
    [](const kind& one) { return child_or_paws(one) && one.size > 1; }},
  {"star", "The water had to be fetched from the spring, and the path was too steep for {e}",
    "{h} filled the bucket to the brim. When {h.he} arrived, half of it was in {h.his} shoes",
    "Then {h.he} laid a big leaf on the water, and not one drop jumped out any more", "how one finds the north by the stars",
    "{h} and {h.his} friends lost their way in the dark, {h.he} found the right star, and it led them home",
    [](const kind& one) { return one.handy && one.home_world == world::village; }},
  {"herbs", "{e} had to weed the herb garden, but {e.he} could not bend down any more",
    "{h} pulled out everything that looked like a weed, and half of it was parsley",
    "Then {e} sat down on a box and pointed, and {h} pulled. So they had four eyes and two hands for the work",
    "which herbs are good for a cough and which for a bad dream",
    "{h.his} little brother had a cough in the winter, {h} knew at once which herbs to boil", child_or_paws},
  {"thread", "{e} could no longer see well enough to thread a needle, and all {e.his} coats had holes",
    "{h} wet the thread and pushed. It bent to the left, it bent to the right, but it would not go in",
    "Then {h.he} drew the end of the thread through a bit of wax, and it slipped through the eye like a fish",
    "how one sews a patch so that nobody sees it",
    "{h.his} best friend tore a new jacket, {h} took needle and thread, and in the end one could not find the place",
    [](const kind& one) { return one.handy && one.home_world != world::yard; }},
  {"bread", "{e} still baked bread, but the dough was too heavy now for {e.his} tired arms",
    "{h} beat the dough with all {h.his} strength, and it stuck to {h.his} arms up to the elbows",
    "Then {e} showed {h.him} how to dust everything with flour, and to push and fold, push and fold",
    "how bread becomes light if one lets it rest",
    "a hungry stranger came to the door one cold evening, {h} could put a fresh bread on the table that {h.he} had baked alone",
    [](const kind& one) { return one.handy && one.home_world != world::yard && one.home_world != world::roots; }},
};

} // namespace

std::string helping_old(teller& t) {
  cast_hero(t, [](const kind& one) { return one.handy && one.home_world != world::yard; });
  std::vector<const need*> fitting;
  for (const need& one : needs) {
    if (one.fits(*t.who('h').body)) fitting.push_back(&one);
  }
  const need& chosen = *fitting[t.draws().below(static_cast<uint32_t>(fitting.size()))];
  cast_elder(t, 'e', elder_hands::needed);
  set_defaults(t);
  t.set("season", "autumn");
  t.set("knows", chosen.knows);
  t.set("play",
    by_world(t, "[play ball|fly a kite|catch fish|go to the fair]", "[slide down the hill|chase leaves|look for chestnuts]", "",
      "[sail on a leaf|ride on a beetle|slide down the drain pipe]", ""));
  t.set("trouble", chosen.trouble);

  open(t);
  t.paragraph();
  t.say({
    "<one day> {h} was on {h.his} way to {play}. Then {h.he} saw {e}, the {e.kind}, sitting {e.seat} and sighing.",
    "{h} wanted to {play} that day. But at the crossing {h.he} met {e}, the old {e.kind}, who looked worried.",
    "It was a good day to {play}, and {h} was already on the way. But then {h.he} saw {e}, the {e.kind}, who stood there and "
    "[did not know what to do|looked at the ground].",
    "On the way to the others, who wanted to {play}, {h} passed {e}, the old {e.kind}. {^e.he} was sitting {e.seat} and did not "
    "even look up.",
    "“Today I will {play},” {h.he} said. Just then {h.he} heard somebody groan. It was {e}, the {e.kind}.",
    "Nearby lived {e}, an old {e.kind}. When {h.he} came past, on {h.his} way to {play}, {e.the} was shaking {e.his} head.",
  });
  t.say({
    "“What is wrong?” {h} <asked>. {trouble}.",
    "{trouble}. {h} saw it at once.",
    "“Once I could do it with one hand,” <said> {e}. And then {e.he} told {h.him} about it. {trouble}.",
    "It was easy to see what was the matter. {trouble}.",
    "“Oh, I am no longer young,” {e.he} <said>. {trouble}.",
  });
  t.maybe({
    "{h} thought of the others, who were waiting. Then {h.he} <said>, “Let me try.”",
    "“I can do that,” <said> {h}, although {h.he} would have liked to go and {play}.",
    "“Two can do it better than one,” <said> {h}, and {h.he} stayed.",
    "{h} hesitated, but only for a moment. “I will help you,” {h.he} <said>.",
    "“I have time,” <said> {h}. That was not quite true, but it was kind.",
    "“[To {play}|That] can wait,” thought {h}, and {h.he} stayed.",
    "{h} looked at the sky. It was still early. “Tell me what to do,” {h.he} <said>.",
  });
  t.paragraph();
  t.say_sentence(chosen.first);
  t.maybe({
    "{e} had to laugh, and then {h} laughed, too.",
    "“Well,” <said> {e}, “that is one way to do it.”",
    "<sad> “It does not matter,” <said> {e}.",
    "“I am no help at all,” {h.he} <said>. “Nobody can do it at once,” <said> {e}.",
  });
  t.maybe({
    "<think>",
    "“Let me think,” <said> {h}.",
    "“Once more,” <said> {h}.",
  });
  t.say_sentence(chosen.idea);
  t.maybe({
    "They did not stop until it was finished.",
    "An hour went by, and another one. Then {e} [clapped|nodded]. “Done!”",
    "When the sun went down, everything was done.",
    "It took all day, but then it was done.",
    "They worked until evening, and the time went by quickly.",
  });
  t.paragraph();
  t.say({
    "“I have no money to give you,” <said> {e}. “But I can show you something that I know.”",
    "“And now I will give you something for it,” <said> {e}. “It weighs nothing, and nobody can steal it.”",
    "“Sit down,” <said> {e}. “Who works must also rest. And while you rest, I will tell you something that hardly anybody knows "
    "any more.”",
    "“What can an old {e.kind} give you?” asked {e}. “Only what is in my head.”",
    "{e} made tea and was silent for a while. “You have a good head,” {e.he} said then. “Shall I teach you something?”",
  });
  t.say({
    "And {e.he} told {h.him} {knows}.",
    "And then {h} heard, for the first time, {knows}.",
    "{e.he} told {h.him} {knows}, and {h} asked, and asked again, until {h.he} knew it by heart.",
    "So {h} learned {knows}.",
    "All evening {e} explained to {h.him} {knows}. {h} forgot the time.",
  });
  t.maybe({
    "“Who taught you that?” <asked> {h}. “Somebody old,” <replied> {e}, “when I was as small as you.”",
    "After that {h} came every week, to help and to learn.",
    "“Come again,” <said> {e}. {h} came again the very next day.",
  });
  t.paragraph();
  t.set("later", chosen.later);
  t.say({
    "A few weeks later, when {later}.",
    "That was not forgotten. When {later}.",
    "It paid sooner than {h} had thought. When {later}.",
    "And when {later}.",
    "Then winter came. And when {later}.",
  });
  t.say({
    "“How did you know that?” the others <asked>. “From {e},” <replied> {h}. “{^e.he} gave it to me.”",
    "Everybody was amazed. “It is nothing special,” <said> {h}. “One only has to know somebody who is old.”",
    "The same evening {h} told {e} about it. {e} did not say much, but {e.his} eyes shone.",
    "“You can learn it, too,” {h} told the others. “Come along to {e} tomorrow. But bring some time.”",
    "{^h.he} had not gone to {play} that day, and {h.he} was glad of it.",
    "{e} heard of it and smiled. “Now it will not be lost when I am gone,” {e.he} said.",
    "“What a wonderful present,” thought {h}. “I can give it away and still have it.”",
  });
  return std::string(chosen.word);
}

} // namespace troupe::stories
