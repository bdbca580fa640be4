// The hero has something good to eat and shares it with one guest after the other, until nothing is left, or so it seems.
#include "apps/stories/phrases/openings.hpp"
#include "apps/stories/plots/plots.hpp"
#include "apps/stories/telling/casting.hpp"

namespace troupe::stories {
namespace {

struct meal {
  std::string_view name, word;
  std::string_view piece;
};

constexpr meal meals[] = {
  {"a plum cake", "cake", "a piece"},
  {"a pot of bean soup", "soup", "a bowl"},
  {"an apple pie", "pie", "a slice"},
  {"a pan full of potato pancakes", "pancakes", "a pancake"},
  {"a big loaf of nut bread", "bread", "a slice"},
  {"a pot of sweet porridge", "porridge", "a spoonful"},
  {"a dish of baked apples", "apples", "an apple"},
  {"a carrot cake", "cake", "a piece"},
  {"a pot of mushroom soup", "soup", "a bowl"},
  {"a tray of nut cookies", "cookies", "a cookie"},
};

} // namespace

std::string shared_meal(teller& t) {
  cast_hero(t, [](const kind& one) { return one.handy && one.home_world != world::yard; });
  set_defaults(t);
  const meal& chosen = t.one_of(meals);
  t.set("meal", chosen.name);
  t.set("word", chosen.word);
  t.set("piece", chosen.piece);
  t.set("trait", "[hungry|hardworking|quiet|careful|cheerful|gentle|busy|shy]");
  t.set("season", "[autumn|winter]");
  const std::string_view guests[] = {
    by_world(t, "the postman with his heavy bag", "a woodpecker with an aching head", "", "an ant with a heavy load", ""),
    by_world(t, "a girl who had missed the last ferry", "a thin little shrew", "", "a worm who had come up for air", ""),
    by_world(t, "an old soldier with a wooden flute", "an old wolf without teeth", "", "an old bee with tired wings", ""),
    by_world(
      t, "a boy who had lost his key", "a young rabbit who did not know the way", "", "a young cricket with a broken fiddle", ""),
    by_world(t, "a woman who sold brooms", "a weasel with wet feet", "", "a dung beetle with a sore back", "")};
  set_distinct(t, "guest", guests, 3);
  const std::string_view presents[] = {"a handful of walnuts", "a jar of honey", "a warm blanket", "a pair of warm socks",
    "a pot of plum jam", "a basket of mushrooms", "a big yellow pear", "a bundle of dry wood"};
  set_distinct(t, "present", presents, 3);

  open(t);
  t.paragraph();
  t.say({
    "<one day> {h.he} made {meal}. The smell went out through the window and down the path.",
    "Nothing was better, {h} thought, than {meal}. And today {h.he} made it.",
    "It was {h.his} birthday, but nobody knew it. So {h.he} made {meal} for {h.himself}.",
    "All morning {h.he} had stood at the stove, and now it was ready: {meal}.",
    "It had been a hard week, and as a reward {h.he} made {meal}, all for {h.himself}.",
    "{^h.he} had saved and saved, and at last there was enough in the cupboard to make {meal}.",
    "“Today I want something good to eat,” {h.he} <said>, and {h.he} made {meal}. {^h.he} had looked forward to it for days.",
  });
  t.say({
    "{^h.he} was just sitting down when somebody knocked. Outside stood {guest1}.",
    "But before {h.he} could take the first bite, there was a knock at the door. It was {guest1}.",
    "{h.he} had already put a plate on the table when there was a noise outside. It was {guest1}.",
    "Then somebody coughed at the door. {h} opened. It was {guest1}.",
    "Just as {h.he} was about to eat, a face looked in at the window. It was {guest1}.",
  });
  t.maybe({
    "“It smells so good here,” <said> the visitor. “I have not eaten since yesterday.”",
    "“Excuse me,” <said> the guest. “I followed my nose.”",
    "“I do not want to disturb you,” <said> a small voice, but the eyes were looking at the {word}.",
  });
  t.say({
    "{h} looked at the {word}. There was enough for two. “Sit down,” {h.he} <said>.",
    "{h} had wanted to eat it all alone. But who can eat when somebody is watching hungrily? {^h.he} gave the guest {piece}.",
    "“[Have you eaten yet|Are you hungry]?” {h} <asked>. It was not really a question, and so {h.he} brought a second plate.",
    "{h} counted quickly what would be left. Then {h.he} was ashamed that {h.he} had counted. “Come in and eat,” {h.he} <said>.",
    "“Half of it is still plenty,” {h} thought, and {h.he} put out a second plate.",
  });
  t.paragraph();
  t.say({
    "Soon there was another knock, and in came {guest2}.",
    "Then the door opened a crack. It was {guest2}.",
    "Good smells travel far. {guest2} had noticed it as well, and came to the door.",
    "Before the plates were empty, {guest2} looked in.",
    "They had hardly begun when {guest2} came by.",
    "The next one to stop at the door was {guest2}.",
  });
  t.say({
    "“There is {piece} left for you, too,” <said> {h}.",
    "{h} gave away {piece} again, and {h.his} own share grew smaller.",
    "“Take a seat,” <said> {h}, and gave away {piece}.",
    "What could {h.he} do? {h} moved over and gave away {piece}.",
    "Again {h} divided what there was.",
  });
  t.say({
    "And who came last? It was {guest3}.",
    "Then it began to [snow|rain], and {guest3} came to the door, cold and tired.",
    "The door had not been closed for long when it opened again, for {guest3}.",
    "And because all good things come in threes, there now was {guest3}.",
    "When only a little was left, {guest3} came as well.",
  });
  t.say({
    "{h} looked into the dish. There was only {piece} left, and that had been for {h.him}. {^h.he} swallowed. Then {h.he} pushed "
    "it over.",
    "{h} looked at the last bit. It smiled at {h.him}, one could almost say. “Here,” {h.he} <said>, and gave it away.",
    "There was exactly as much left as {h} had meant to eat. {^h.he} gave it away and drank a glass of water.",
    "“That is the last of it,” <said> {h}. “Take it. I can smell it, and that is almost like eating.”",
    "Only {h.his} own share was left now. {h} hesitated. “Eat,” {h.he} <said> then. “I am at home and warm. You are not.”",
  });
  t.paragraph();
  t.maybe({
    "They ate, they talked, they laughed, and the room had never been so full.",
    "The guests ate, and {h} watched them. It is a fine thing to watch somebody who is getting full.",
    "“I have never eaten anything better,” they said, one after the other.",
    "It was a merry evening. The guests told stories, one funnier than the other, and {h} forgot that {h.he} was hungry.",
    "All of them licked their plates clean. Then they sang together, loud and not quite in tune.",
  });
  t.maybe({
    "At last they all went home. {h} was alone again, with an empty dish and an empty belly.",
    "When they had gone, {h} scraped out the dish. There was nothing in it any more.",
    "{h} went to bed hungry. But in {h.his} dream {h.he} ate {meal} all alone, and strangely enough, it did not taste good.",
    "Late at night the last one left. {h} washed the dishes. Not a crumb of the {word} was left.",
    "Then it was quiet. {h} went to bed with a growling belly, but with a warm heart.",
  });
  t.paragraph();
  t.say({
    "<next day> there was a knock, very early. There stood the first guest and brought {present1}. Behind came the second one "
    "with {present2}.",
    "But when {h.he} opened the door in the morning, there lay {present1}, and beside it {present2}.",
    "But the story does not end there. In the morning two of the guests came back, one with {present1} and one with {present2}.",
    "{h} was woken up by voices. In front of the house lay {present1} and {present2}, with many thanks.",
    "The day after, {h.he} came home and found something on the table: {present1} and {present2}.",
  });
  t.say({
    "And the third one had brought {present3}.",
    "And what did the last one bring? It was {present3}.",
    "A little later came the third one, out of breath, with {present3}.",
    "Last of all the third guest came with {present3}.",
    "“This is from me,” <said> the third guest and gave {h.him} {present3}.",
  });
  t.say({
    "“And now,” they said, “we will make {meal} together. And this time you get the first [bite|taste].”",
    "Then they all sat down together. And as there was nothing left of the {word}, they ate what there was, and {h} ate the "
    "most.",
    "“The {word} was for one,” <said> {h}, “but it was enough for four. How is that possible?” Nobody knew.",
    "From then on they met once a week, each time at another one's place. And once a year {h} makes {meal}, in memory of that "
    "evening.",
    "“Yesterday we ate your {word},” they said. “Today you eat with us.”",
    "<glad> The {word} had been eaten long ago, and yet there was more in the house than before.",
    "{h} counted on {h.his} fingers: {h.he} had given away {meal}, and {h.he} had got three friends for it. “I shall make {meal} "
    "more often,” {h.he} said.",
  });
  return std::string(chosen.word);
}

} // namespace troupe::stories
