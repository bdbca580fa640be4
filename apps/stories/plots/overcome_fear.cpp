// The hero is afraid of something; a friend in need and a small trick help.
#include "apps/stories/phrases/openings.hpp"
#include "apps/stories/plots/plots.hpp"
#include "apps/stories/telling/casting.hpp"

namespace troupe::stories {
namespace {

struct fear {
  std::string_view word;
  std::string_view of;      // "was afraid of ..."
  std::string_view avoids;  // What the hero does because of it.
  std::string_view trouble; // What happens to {o}; ends with where {o} is.
  std::string_view trick;   // What {e} had once said.
  std::string_view deed;    // How the hero does it all the same.
  std::string_view after;
  bool (*fits)(const kind&);
};

bool is_village(const kind& one) { return one.home_world == world::village; }
bool on_legs(const kind& one) { return one.home_world != world::yard && !one.flies; }
bool outdoors(const kind& one) {
  return one.home_world == world::village || one.home_world == world::forest || one.home_world == world::farm;
}

constexpr fear fears[] = {
  {"dark", "the dark",
    "[When the lamp went out, {h.he} pulled the blanket over {h.his} head|In the evening {h.he} was always the first to be "
    "home|{^h.he} never went into the cellar]",
    "{o} went to pick mushrooms and did not come home. The sun went down, and from far away came a thin cry. {o} had stepped "
    "into a hole and could not get out",
    "The dark is only the day with its eyes closed",
    "{h} went out. At first {h.he} saw nothing at all. Then {h.he} began to hum, and step by step the black things became what "
    "they were: [a tree, a stone, a gate|a bush, a root, a fence]. {^h.he} followed the cry, found the hole and pulled {o} out",
    "[On clear nights {h} now sat outside and looked at the stars, which one can see only in the dark|<since then> {h} went for "
    "a walk in the dark whenever {h.he} wanted to hear the owls|<since then> the dark was, for {h}, only a day with its eyes "
    "closed]",
    on_legs},
  {"thunder", "thunder",
    "[At the first clap {h.he} crept under the bed|As soon as a cloud came up, {h.he} ran and hid|{^h.he} looked at the sky ten "
    "times a day]",
    "{o} was playing in the old shed when a black cloud came over the hill. The rain began, and the wind blew the door shut. {o} "
    "was alone in there and could not open it",
    "Count slowly from the flash to the thunder, then you know how far away it is",
    "A flash! {h} counted: one, two, three, four, five. Then it rumbled. “It is still far away,” {h.he} said and ran. At the "
    "next flash {h.he} counted again, and while {h.he} was counting, {h.he} forgot to be afraid. {^h.he} pushed the door open, "
    "and {o} fell into {h.his} arms",
    "[When a storm came now, the two sat together and counted until the thunder came|<since then> {h} counted the seconds for "
    "all who were afraid of the thunder|The next storm came soon. {h} looked out at the flashes, and when the thunder rolled, "
    "{h.he} said, “Seven,” and went on eating]",
    on_legs},
  {"water", "deep water",
    "[When the others splashed about, {h.he} sat on the bank and kept {h.his} feet dry|{^h.he} took the long way over the "
    "bridge, every time|{^h.he} washed only {h.his} nose]",
    "{o} sat down on a log at the edge of the pond. The log rolled and drifted off, and soon {o} was out in the middle, where no "
    "one could reach {o.him}",
    "Water carries you if you do not fight with it",
    "{h} saw a long branch on the bank. {^h.he} held on to it and went in, first up to the knees, then up to the belly. The "
    "water was cold, but it carried {h.him} a little. {^h.he} pushed the other end of the branch out to {o}, {o} held on to it, "
    "and {h} pulled {o.him} to the shore",
    "[From then on {h} went a little deeper into the water every warm day, and before the leaves fell {h.he} could swim|<since "
    "then> {h} could float on the water like a leaf|The next time the others splashed about in the water, somebody splashed more "
    "than all of them. It was {h}]",
    [](const kind& one) { return outdoors(one) && (!one.swims || is_village(one)) && !one.flies; }},
  {"high", "high places",
    "[{^h.he} would not even stand on a chair|When the others climbed about, {h.he} stayed below and held their things|Even on "
    "the little bridge {h.he} felt dizzy]",
    "{o} climbed onto the roof of the old barn to see the sunset. Then it grew dark, the ladder fell over, and {o} did not dare "
    "to move",
    "Look at the next step and never at the ground",
    "{h} put the ladder up again and looked at the first rung. Then at the second, and at the third. {^h.he} did not look down "
    "once. “Put your foot where I put mine,” {h.he} told {o}. So they climbed down, rung by rung, until they felt the grass",
    "[<since then> {h} sometimes climbed high up just to see the sunset|A week later {h} sat high up in the apple tree and threw "
    "down apples for everybody|High places still made {h} a little dizzy. But {h.he} knew now how one gets down again]",
    [](const kind& one) { return one.handy && outdoors(one) && one.size == 2 && (is_village(one) || !one.climbs); }},
  {"bridge", "the long bridge",
    "[It swayed in the wind, and one could see the water between the boards|The bridge creaked at every step, and {h.he} always "
    "turned back|While the others ran across, {h.he} stayed behind and waved]",
    "{o} went to look for plums on the other side of the river. There {o.he} fell and hurt {o.his} foot, and {o.he} could not "
    "walk home alone",
    "A bridge that carries a hundred others will carry you",
    "{h} put one foot on the first board. It creaked. “You creak for everybody,” {h.he} said to the bridge, and {h.he} went on, "
    "and with every step {h.he} sang a little louder. Then {h.he} stood on the other side. On the way back {o} leaned on "
    "{h.him}, and {h} had no time to be afraid",
    "[<since then> {h} went across the bridge every day, and sometimes {h.he} stopped in the middle to look at the fish|<since "
    "then> {h} took all who were afraid across the bridge|The bridge creaked just as it always had. {h} had even begun to like "
    "the sound]",
    [](const kind& one) { return outdoors(one) && (!one.swims || is_village(one)) && !one.flies; }},
  {"dark", "the dark tunnel",
    "[{^h.he} always took the long way around the hill|When it came into sight, {h.he} braked|{^h.he} dreamed of it at night]",
    "{o} rolled into the dark tunnel and did not come out again. A wheel was stuck between two stones, deep inside",
    "Every tunnel is only a road with a roof",
    "{h} put on all {h.his} lamps and rolled in slowly. {^h.he} hooted, and the tunnel hooted back. “You sound just like me,” "
    "{h} said, and {h.he} hooted all the way. {^h.he} found {o}, tied a rope to {o.him} and pulled {o.him} backwards into the "
    "light",
    "[<since then> {h} drove through the dark tunnel every day and hooted a greeting|<since then> {h} showed all new machines "
    "how to hoot in the dark tunnel|In the dark tunnel it was as black as ever. But {h} knew who would answer in there]",
    [](const kind& one) { return one.home_world == world::yard; }},
};

} // namespace

std::string overcome_fear(teller& t) {
  // The kind first, so that the fears that fit it can be counted.
  cast_hero(t, [](const kind& one) { return one.home_world == world::yard || (on_legs(one) && one.name != "hen"); });
  std::vector<const fear*> fitting;
  for (const fear& one : fears) {
    if (one.fits(*t.who('h').body)) fitting.push_back(&one);
  }
  const fear& chosen = *fitting[t.draws().below(static_cast<uint32_t>(fitting.size()))];
  // Whoever falls into the water cannot swim, and who is pulled out is no larger than the hero.
  cast_friend(
    t, 'o',
    chosen.word == "water"
      ? [](const kind& hero, const kind& one) { return no_larger(hero, one) && !one.flies && (!one.swims || is_village(one)); }
      : [](const kind& hero, const kind& one) { return (no_larger(hero, one) || one.home_world == world::yard) && !one.flies; });
  set_defaults(t);
  t.set("season", "[spring|summer|autumn]");
  t.set("trait", "[strong|clever|cheerful|quick|helpful|curious|proud]");
  t.set("fear", chosen.of);
  t.set("saying", chosen.trick);

  open(t);
  habit(t);
  t.say({
    "But {h.he} was afraid of {fear}.",
    "But when it came to {fear}, {h.he} [lost all {h.his} courage|became very small].",
    "One thing, though, {h.he} could not stand: {fear}.",
    "“[I do not like|I cannot bear] {fear},” {h.he} used to say. In truth {h.he} was afraid of it.",
    "Everybody has something to be afraid of. With {h} it was {fear}.",
    "There was only one thing that {h.he} feared, and that was {fear}.",
    "Nobody knew it, but {h} was terribly afraid of {fear}.",
    "{^h.he} was not afraid of [wasps|big dogs|anything], only of {fear}.",
  });
  t.say_sentence(chosen.avoids);
  t.maybe({
    "“One day it will pass,” {h.he} told {h.himself}. But it did not pass.",
    "The others [laughed|smiled] about it. {h} did not find it funny.",
    "“I wish I were not afraid,” {h.he} often thought.",
    "How {h.he} wished to be brave!",
  });
  t.paragraph();
  t.set("trouble", chosen.trouble);
  t.say({
    "{h.his} best friend was {o}, a~ {o.kind}. <one day> {trouble}.",
    "Then something happened to {h.his} best friend, the {o.kind} {o}. <one day> {trouble}.",
    "{^h.he} had a good friend, a~ {o.kind} named {o}. <one day> {trouble}.",
    "{o}, a~ {o.kind}, was {h.his} friend and was not afraid of anything. Then, one evening, {trouble}.",
  });
  t.maybe({
    "There was no time to fetch help.",
    "“[Help|Help me], please!” called {o}. Only {h} was near enough to hear it.",
    "{h} looked around. There was nobody else who could help.",
    "Somebody had to go, and there was only {h}.",
    "“{h}!” {o.he} called. “{h}, help me!”",
    "Nobody heard it but {h}.",
    "Everybody else was [far away|asleep|at the fair].",
  });
  t.say({
    "<afraid>",
    "{h} {h.fear} and did not move.",
    "<afraid> Why did it have to be {fear}, of all things?",
    "{h} stood there, and everything in {h.him} said no.",
    "{h} took one step and stopped.",
    "“Not that,” {h.he} <whispered>. “Anything but that.”",
  });
  t.paragraph();
  t.say({
    "Then {h.he} remembered what {h.his} [grandmother|grandfather] used to say. “{saying}.”",
    "“{saying},” {h.his} [mother|father|uncle] had once told {h.him}. Now {h.he} thought of it.",
    "Somewhere {h.he} had heard a saying: “{saying}.”",
    "A sentence came into {h.his} mind, one of {h.his} [grandmother|grandfather]'s: “{saying}.”",
    "“{saying},” {h.he} said to {h.himself}, again and again. {^h.he} had that from {h.his} [uncle|aunt].",
    "How did the old saying go? “{saying}.”",
  });
  t.maybe(
    {
      "{^h.he} took a deep breath.",
      "“I am afraid,” {h.he} said aloud, “but {o} is more afraid than I am.”",
      "{h.his} friend needed {h.him}, and that was stronger than the fear.",
    },
    2, 3);
  t.say_sentence(chosen.deed);
  t.paragraph();
  t.say({
    "“You came,” <said> {o}. “And you are so afraid of {fear}!” “I was afraid,” <said> {h}. “[I still am|A little, I still am]. "
    "But I came.”",
    "“I knew that you would come,” <said> {o}. “I did not,” <said> {h}, and both had to laugh.",
    "“Thank you,” <said> {o}. “I know what it cost you.” {h} only nodded. {h.his} knees were still soft.",
    "{o} did not let go of {h.him} for a long time. “You, of all people!” {o.he} <said>. <glad>",
    "“Were you not afraid?” <asked> {o}. “Yes,” <replied> {h}, “all the time.” Then they both laughed.",
    "{o} hugged {h.him}. “You are the bravest {h.kind} I know,” {o.he} said. <glad>",
  });
  t.maybe({
    "Being brave, {h} understood, does not mean that one has no fear.",
    "The fear had not gone, but it had become small enough to carry.",
    "“[Tomorrow|Next time] it will be easier,” {h.he} thought.",
    "Whoever has been brave once can do it again.",
    "That night {h} slept deeply and had no bad dreams.",
    "{h} was proud, and {h.he} had good reason to be.",
  });
  t.say_sentence(chosen.after);
  return std::string(chosen.word);
}

} // namespace troupe::stories
