// A seed is planted; waiting is the hard part.
#include "apps/stories/phrases/openings.hpp"
#include "apps/stories/plots/plots.hpp"
#include "apps/stories/telling/casting.hpp"

namespace troupe::stories {
namespace {

struct seed {
  std::string_view name, word;
  std::string_view looks;  // What it looks like.
  std::string_view grows;  // How it grows; a sentence.
  std::string_view result; // What there is in the end; a sentence.
  std::string_view feast;  // What they do with it.
};

constexpr seed seeds[] = {
  {"a pumpkin seed", "pumpkin", "flat and white",
    "A stalk with big rough leaves crept over the ground, and one morning there was a yellow flower",
    "Under the leaves lay a pumpkin, so round and heavy that nobody could lift it",
    "They cooked soup for everybody, and out of the empty pumpkin they made a lantern"},
  {"a sunflower seed", "sunflower", "gray with thin stripes",
    "The stem grew every day, until {h.he} had to look up to see the top",
    "It was a sunflower, larger than a plate, and it turned its face to the sun",
    "In the autumn the birds came for the seeds of the sunflower, and there were enough for all of them"},
  {"a bean", "bean", "brown with a white spot", "A green hook came out, stretched itself and wound around a stick, up and up",
    "The bean had red flowers first, and then long pods, and in each of them lay eight beans",
    "They ate and ate, and still there was a whole bag of beans for the next spring"},
  {"an apple pip", "apple", "small and brown and shiny",
    "In the first year there were two leaves, in the second a twig, and in the fifth spring the little tree was full of white "
    "flowers",
    "In the autumn one single apple hung there, red on the one side and yellow on the other",
    "They cut the apple into [six|eight|ten] thin slices, so that everybody had a taste"},
  {"a pea", "pea", "round and green and a little wrinkled",
    "A thin plant climbed up a string with its little curly hands, and soon it was full of white flowers",
    "The flowers fell, and in their place there were pods, thin at first, then thick, then ready to burst",
    "When one opened a pod, one pea after the other rolled out, and everybody got a handful"},
  {"a poppy seed", "poppy", "black and no larger than a dot",
    "First there was a ring of jagged leaves, and then a bud that hung its head, as if it were ashamed",
    "One morning the bud lifted its head and threw off its green cap, and it was a poppy, as red as fire and as thin as paper",
    "The poppy flowered for three days only. But in its little box there were more seeds than anybody could count"},
  {"a strawberry seed", "strawberry", "as tiny as a grain of sand",
    "Three little leaves came up, and after a while a white flower sat between them",
    "Under a leaf hung a strawberry, red and warm from the sun",
    "They sniffed at the strawberry first, all of them, and then {h} shared it as well as one can share a strawberry"},
  {"a bulb", "tulip", "round and brown, like an onion",
    "A green tip came up, like the nose of a mouse, and then a bud as tight as a fist",
    "One morning the bud was open, and there stood a red tulip with a drop of dew in it",
    "Nobody picked the tulip. They came by every day, only to look at it"},
};

} // namespace

std::string planted_seed(teller& t) {
  cast_hero(t, [](const kind& one) { return one.home_world != world::yard && one.home_world != world::farm && one.handy; });
  cast_elder(t, 'e');
  set_defaults(t);
  const seed& chosen = t.one_of(seeds);
  t.set("seed", chosen.name);
  t.set("word", chosen.word);
  t.set("season", "spring");
  t.set("trait", "[impatient|lively|quick|eager|curious|restless|cheerful]");
  t.set("place", by_world(t, "[behind the house|beside the steps|in an old tub]",
                   "[in front of {h.his} door|at the edge of the clearing]", "", "[beside the wall|in a ring of pebbles]", ""));

  open(t);
  t.maybe(
    {
      "Waiting was something that {h.he} had never learned.",
      "Everything had to happen at once, or {h.he} lost interest.",
      "“Now!” was {h.his} favorite word.",
      "{^h.he} could not sit still for as long as it takes to [tie a shoe|eat a nut].",
    },
    2, 3);
  t.paragraph();
  t.set("looks", chosen.looks);
  t.say({
    "One spring day {e}, the {e.kind}, gave {h.him} {seed}. It was {looks}.",
    "“Here, this is for you,” <said> {e}, an old {e.kind}, one day in spring. {h} looked. It was {seed}, {looks}.",
    "It was spring when {e}, the old {e.kind}, put {seed} in front of {h.him}. It was {looks}, and it did not look like much.",
    "“Do you want to see a miracle?” asked {e}, the {e.kind}, one morning in spring. {^e.he} had {seed} with {e.him}. It was "
    "{looks}.",
    "In spring {h} found {seed} on the path. It was {looks}. “Keep it,” <said> {e}, the {e.kind}, “and plant it.”",
  });
  t.maybe({
    "“Such a little thing?” <asked> {h}. “There is more in it than you think,” <replied> {e}.",
    "“What can one do with it?” <asked> {h}. “Wait,” <replied> {e}.",
    "“What will it be?” <asked> {h}. {e} only smiled.",
  });
  t.say({
    "{h} dug a hole {place}, put it in and covered it with earth.",
    "{h} looked for the best place of all and found it {place}. There {h.he} planted {the seed}.",
    "{h} pushed it into the ground {place}, not too deep.",
    "“[Sleep well|Good luck],” {h} said, and covered it with earth, {place}.",
    "{h} planted it {place} and watered it.",
    "{h} found a good spot {place}, where the sun was shining, and planted it there.",
  });
  t.paragraph();
  t.maybe({
    "After an hour {h.he} went to look. Nothing.",
    "At noon {h.he} looked, and in the evening, and once more by moonlight. Nothing.",
    "{h} lay down beside it and waited. Then {h.he} fell asleep, and when {h.he} woke up, nothing had changed.",
    "Before supper {h.he} looked for the first time. There was only earth.",
    "<next day> {h.he} ran out before breakfast. Nothing had happened.",
  });
  t.maybe(
    {
      "On the third day {h.he} dug it up again, to see whether it was still there. It was. {^h.he} put it back.",
      "{h} wanted to help and pushed the earth aside. “You are letting the cold in,” said {e}.",
      "Every hour {h} put a stick into the earth, to measure. There was nothing to measure.",
      "“The others laugh at me because I am guarding a spot of earth,” {h.he} complained.",
      "“Grow!” {h.he} shouted at the ground. But the ground did not listen.",
      "{h} told it jokes and sang it songs. It did not help.",
      "{h} poured so much water on it that there was a small lake. “Do you want it to swim?” <asked> {e}.",
    },
    2, 3);
  t.maybe(
    {
      "“It is not growing,” {h.he} <said>. “It is,” <said> {e}. “You only cannot see it yet. First it makes its roots.”",
      "“How long does it take?” <asked> {h}. “As long as it takes,” <replied> {e}. “Nobody grows faster because someone pulls at "
      "him.”",
      "“Why does it do nothing?” <asked> {h}. “It does a lot,” <replied> {e}, “but it does it in the dark.”",
      "“I cannot wait any longer,” <said> {h}. “You have been doing it the whole time,” <said> {e}, “and quite well.”",
      "“Is there a trick?” <asked> {h}. “There is one,” <replied> {e}. “It is called tomorrow.”",
      "“Maybe it is broken,” {h} <said>. {e} shook {e.his} head. “Do you know what you looked like, when you were only a week "
      "old?”",
    },
    3, 4);
  t.maybe({
    "So {h} waited. It was the hardest thing {h.he} had ever done.",
    "So a week went by, and then another one. {h} brought water and counted the days.",
    "So {h} made a little fence around it, and then {h.he} went to help {e}, for time passes better in company.",
    "So {h.he} learned to wait. {^h.he} gave it a little water, not too much, and pulled out the weeds.",
    "{h} began to do other things while {h.he} waited. And sometimes {h.he} even forgot to wait.",
  });
  t.maybe(
    {
      "Once a snail wanted to eat the first green leaf. {h} carried the snail to the other side of the path, where there was "
      "lettuce.",
      "In a hot week {h} brought water every morning, before the sun was high.",
      "When the hail came, {h} held a basket over it and got the hailstones on {h.his} own head.",
    },
    2, 3);
  t.paragraph();
  t.say({
    "One day {e} called, “Come here, quickly!” Something green had come up.",
    "{h} had almost stopped looking. And just then the first green tip came out of the ground.",
    "Then, one morning, something green looked out of the earth.",
    "And then it happened, on a day when {h.he} had not been thinking of it at all: the earth had a crack, and in it something "
    "green was shining.",
    "After twelve days there was a green dot. {h} lay down on {h.his} belly and looked at it until noon.",
  });
  t.say_sentence(chosen.grows);
  t.say_sentence(chosen.result);
  t.maybe({
    "<glad>",
    "{h} did not say anything. {^h.he} just sat in front of it.",
    "Now nobody laughed any more.",
    "“I did not make it,” {h} <whispered>. “I only waited.”",
    "{h} ran to {e} and pulled {e.him} along. “Come and look!”",
  });
  t.paragraph();
  t.say_sentence(chosen.feast);
  t.say({
    "“Was it worth the waiting?” <asked> {e}. “Yes,” <replied> {h}. “But next time I will plant two. Then I can wait twice as "
    "well.”",
    "And if you ask {h} how one gets a~ {word}, {h.he} will say, “With earth, with water, with sun. And the most important thing "
    "cannot be seen: time.”",
    "“So much, out of {seed},” <said> {h}. “It was all in there from the beginning,” <said> {e}. “One {word} is in the next one, "
    "and so on, without an end.”",
    "{h} kept one seed and gave it to a small one who could not sit still. “What will it be?” asked the small one. “A~ {word},” "
    "<said> {h}, “if you can wait.”",
    "Of all the things that {h} had ever owned, {h.he} liked the {word} best, because {h.he} had waited for it so long.",
    "{h} had learned to wait, and that lasted longer than the {word}.",
    "“And what will you do now?” <asked> {e}. “I will plant something again,” <replied> {h}, “and wait.”",
  });
  return std::string(chosen.word);
}

} // namespace troupe::stories
