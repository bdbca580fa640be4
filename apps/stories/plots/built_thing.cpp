// Something is built, falls down, and stands when the builders look how others do it.
#include "apps/stories/phrases/openings.hpp"
#include "apps/stories/plots/plots.hpp"
#include "apps/stories/telling/casting.hpp"

namespace troupe::stories {
namespace {

struct work {
  std::string_view name, word, why;
  std::string_view first, breaks1;
  std::string_view second, breaks2;
  std::string_view teacher; // What they watch, and what they see.
  std::string_view third;
  std::string_view test; // How it proves good.
  std::string_view season;
  bool (*fits)(const kind&);
};

bool paws_or_child(const kind& one) { return one.handy && (one.home_world == world::village || one.home_world == world::forest); }

constexpr work works[] = {
  {"a bridge over the brook", "bridge",
    "On the other side grew the [sweetest berries|best chestnuts], and every time one got wet feet",
    "They laid a thin trunk across", "in the middle it bent and broke, and {h} sat in the water", "They made one of stones",
    "in the night it rained, and in the morning the brook had carried the stones away",
    "Then {h} saw how a spider had made her web: many thin threads, and each one held the others",
    "So they tied many thin sticks together, crossed and crossed again, and laid them over the brook",
    "It swayed a little, but it held, first {o}, then {h}, then both of them together", "[summer|autumn]", paws_or_child},
  {"a hut in the trees", "hut", "From up there one would be able to see as far as the river",
    "They nailed three boards between two branches", "when {o} sat down, the boards tipped over like a seesaw",
    "They tied everything with old string", "when the wind came, the knots opened, and down it came",
    "Then {h} watched a pair of crows building a nest. They began with the thick twigs, in the fork of the tree, and only then "
    "took the thin ones",
    "So they began again, in the fork of the tree, with the thickest beams first",
    "That night a wind blew over the hill, and in the morning the hut was still there", "[spring|summer]",
    [](const kind& one) { return one.home_world == world::village; }},
  {"a raft", "raft", "In the middle of the lake was an island where nobody had ever been",
    "They rolled a big log into the water and sat on it", "it turned over, and so did they", "They tied two logs together",
    "the rope was too thin, and each of them floated off in a different direction",
    "Then {h} saw a family of water striders standing on the pond with their legs spread wide",
    "“Broad,” <said> {o}, “it must be broad!” So they laid five logs side by side and tied them twice",
    "It floated as calmly as a duck, and by noon they stood on the island. There was nothing on it but a bush full of "
    "raspberries, and that was more than enough",
    "summer", [](const kind& one) { return one.home_world == world::village; }},
  {"a house of snow", "house", "They wanted a place where the wind could not get in",
    "They heaped up the snow and dug a hole into it", "the roof came down, and only {o.his} ears looked out",
    "They built straight walls, but what should be the roof? They laid branches on it",
    "snow fell on the branches, and they broke",
    "Then {h} looked at half an eggshell that lay in the kitchen. It was thin, but it was round, and one could lean on it with "
    "all one's weight",
    "So they set the blocks of snow in a ring, each ring a little smaller than the one below, until they met at the top",
    "Inside they lit a candle, and the house of snow shone like a lamp in the dark", "winter",
    [](const kind& one) { return one.home_world == world::village; }},
  {"a dam", "dam", "The pond was drying out, and the tadpoles hardly had enough water to swim",
    "They piled up earth across the outlet", "the water licked it away, a bit at a time", "They took big stones",
    "the water ran through between the stones and laughed",
    "Then {h} watched a swallow, who was mixing mud with straw before she built it into her nest",
    "So they mixed clay with grass and pressed it between the stones, and laid branches in front",
    "The water rose, finger by finger, and in the evening the frogs sang as they had not sung for weeks. The dam did not let a "
    "drop through",
    "[spring|summer]", paws_or_child},
  {"a kite", "kite", "Up there the wind was blowing every day, and nobody was doing anything with it",
    "They tied a leaf of paper to a string", "it only ran behind them on the ground like a dog",
    "They gave it a cross of thick sticks", "it was so heavy that it jumped up once and fell down like a stone",
    "Then {h} found a feather and blew on it. It was light and hollow, and it had a long tip that kept it straight",
    "So they took thin reeds, which are hollow, and made a long tail of knotted string",
    "The next gust took it, and it rose, above the bushes, above the trees, until the kite was only a dot", "[spring|autumn]",
    [](const kind& one) { return one.handy && one.home_world != world::yard; }},
};

} // namespace

std::string built_thing(teller& t) {
  cast_hero(t, [](const kind& one) { return one.handy && one.home_world != world::yard; });
  std::vector<const work*> fitting;
  for (const work& one : works) {
    if (one.fits(*t.who('h').body)) fitting.push_back(&one);
  }
  const work& chosen = *fitting[t.draws().below(static_cast<uint32_t>(fitting.size()))];
  cast_friend(t, 'o', [](const kind&, const kind& other) { return other.handy && other.size <= 2; });
  set_defaults(t);
  t.set("work", chosen.name);
  t.set("word", chosen.word);
  t.set("why", chosen.why);
  t.set("season", chosen.season);

  open(t);
  t.say({
    "The best friend of {h} was {o}, a~ {o.kind}.",
    "{h} was always together with {o}, a~ {o.kind}.",
    "Next door to {h} lived {o}, a~ {o.kind}, and the two were friends.",
  });
  t.say({
    "“We should build {work},” <said> {h} one day. {why}.",
    "“Do you know what we need?” <said> {o} one day. “{^work}!” {why}.",
    "For a long time they had talked about it: {work}. {why}.",
    "“Others have {work},” <said> {h}. “Why do we not?” {why}.",
    "{why}. “If only there were {work}!” <said> {o}. “Then let us build one,” <said> {h}.",
    "They had a plan: they wanted to build {work}. {why}.",
  });
  t.paragraph();
  t.set("first", chosen.first);
  t.set("breaks1", chosen.breaks1);
  t.say({
    "{first}. But {breaks1}.",
    "At once they set to work. {first}. It looked good, but {breaks1}.",
    "“We will be done by noon,” <said> {h}. {first}. But {breaks1}.",
    "The next morning they began. {first}. It did not last long: {breaks1}.",
    "“That is easy,” <said> {o}. {first}. But {breaks1}.",
  });
  t.maybe({
    "They had to laugh.",
    "“Ouch,” <said> {h}.",
    "“Well,” <said> {o}, “now we know that.”",
    "“That was only practice,” {h} murmured.",
    "They looked at each other and shook their heads.",
    "“So that is how it does not work,” <said> {o}.",
    "“Once again,” <said> {h}.",
  });
  t.set("second", chosen.second);
  t.set("breaks2", chosen.breaks2);
  t.say({
    "{second}. But {breaks2}.",
    "<next day> they came back. {second}. But {breaks2}.",
    "The second time they thought about it first. {second}. But {breaks2}.",
    "“It has to be different,” <said> {o}. {second}. This time they were sure of it. But {breaks2}.",
    "“I know what was wrong,” <said> {o}. {second}. Alas, {breaks2}.",
  });
  t.maybe(
    {
      "Now {o} had had enough. “We cannot do it,” {o.he} <said>.",
      "This time nobody laughed. “It was your idea,” <said> {o}. “It was your string,” <said> {h}. They did not speak to each "
      "other for an hour.",
      "“That is that,” <said> {o} and sat down. {h} could not think of anything to say.",
      "“Let us forget it,” <said> {h}, and they went home without looking back.",
      "They were tired and dirty, and they still did not have {work}.",
      "They sat down and were silent. <sad>",
      "“Perhaps we are too small for it,” <said> {h}.",
    },
    2, 3);
  t.paragraph();
  t.say_sentence(chosen.teacher);
  t.maybe({
    "“Look at that,” {h.he} <said>. “That is how we have to do it!”",
    "“Do you see what I see?” <asked> {h}. {o} saw it, too.",
    "For a while {h} did not move at all. “So that is the secret,” {h.he} <said>.",
    "{h} jumped up. “[I have got it|Now I know]!” {h.he} <cried>.",
    "<think> Then {h.he} ran to {o}. “Come, I want to try something.”",
  });
  t.set("third", chosen.third);
  t.say({
    "{third}. It took [two|three|four] days.",
    "{third}. It went slowly, but nobody was in a hurry any more.",
    "“This time we do it properly,” <said> {o}. {third}.",
    "{third}. In the evening their backs hurt, but they sang on the way home.",
    "{third}. {o} had to hold, and {h} had to tie.",
    "{third}. Neither of them said a word until it was done.",
  });
  t.maybe({
    "“Now?” <asked> {o}. “Now,” <replied> {h}.",
    "Then came the great moment.",
    "They hardly dared to look.",
    "“If it does not work now,” <said> {o}, and did not finish the sentence.",
    "They held their breath.",
    "“You first,” <said> {h}. “No, you,” <said> {o}.",
  });
  t.say_sentence(chosen.test);
  t.paragraph();
  t.maybe({
    "<glad>",
    "They hugged each other and danced for joy.",
    "“We did it,” <said> {o}, quite softly.",
  });
  t.say({
    "“Who taught you to build a~ {word} like that?” the others asked. “[Somebody much smaller than we are|Nobody you know],” "
    "<said> {h}, and {o} winked.",
    "And when others came to ask how one builds a~ {word}, {h} said, “First it goes wrong twice. That is part of it.”",
    "When they are old, they will still tell how they built their first {word}, and how often it went wrong. But until then "
    "there is time.",
    "“Shall we build another one?” <asked> {h}. “Another {word}?” <asked> {o}. “No,” <replied> {h}, “something that we cannot do "
    "yet.”",
    "{h} and {o} had built a~ {word}. But they had built something else as well, and they noticed it only later: they now knew "
    "that one can begin again.",
    "Every {word} in the neighborhood is built like this now. But the first one still belongs to {h} and {o}.",
    "The {word} was a bit crooked. But they would not have traded it for a straight one that somebody else had built.",
  });
  return std::string(chosen.word);
}

} // namespace troupe::stories
