// The hero finds a little animal that is lost, and looks for where it belongs.
#include "apps/stories/phrases/openings.hpp"
#include "apps/stories/plots/plots.hpp"
#include "apps/stories/telling/casting.hpp"

namespace troupe::stories {
namespace {

struct baby {
  std::string_view name, mother;
  std::string_view looks;          // "it was ..."
  std::string_view wrong1, wrong2; // Whom they ask, and what the answer is, with quotes.
  std::string_view clue;           // What the little one does that tells where it belongs; sentences.
  std::string_view home;           // Where the mother is; "on the pond".
};

constexpr baby babies[] = {
  {"duckling", "duck", "yellow and soft and no larger than a lemon",
    "They asked a hen. “Mine can scratch the ground,” she said. “Can it do that?” It could not",
    "They asked a dove. “Mine sit still in the nest and wait,” she said. “This one cannot sit still at all.”",
    "Then they came past a puddle. The little one jumped into it and swam in a circle as if it had never done anything else. "
    "“You belong on the water,” <cried> {h}",
    "between the reeds on the pond"},
  {"kitten", "cat", "gray with white feet and a tail like a piece of string",
    "They asked a rabbit. “Mine have long ears,” she said, “and they eat clover.”",
    "They asked a dog. “It does not smell like one of mine,” he said. “It smells of hay and milk.”",
    "Hay and milk! Where does it smell like that? {h} looked at the big barn on the hill", "in the hay of the barn"},
  {"little owl", "owl", "round as a ball, with eyes that it could hardly keep open",
    "They asked a hen. “Mine are awake by day,” she said. “This one falls asleep while I am talking to it.”",
    "They asked a woodpecker. “Mine are thin and loud,” he said",
    "So they waited until it grew dark. Then the little one opened its eyes wide and called, and from the old tower something "
    "called back",
    "in the old tower"},
  {"young bat", "bat", "small and brown, and its coat seemed too large for it",
    "They asked a mouse. “Mine have no wings,” she said, “as far as I know.”",
    "They asked a sparrow. “Mine have feathers,” he said. “Where are its feathers?”",
    "The little one had had enough. It took hold of a twig, turned upside down and fell asleep. “Somebody who sleeps like that "
    "lives under a roof,” <said> {h}",
    "under the roof of the mill"},
  {"baby squirrel", "squirrel", "red as a chestnut, with a tail that was too big for it",
    "They asked a rabbit. “Mine live under the ground,” she said. “This one keeps looking up.”",
    "They asked a frog. “Mine like water,” he said. The little one put one foot into the pond and pulled it out again at once",
    "There was a pine cone on the path. The little one picked it up, turned it around and around and ate the seeds, one by one. "
    "“Where there are cones, there is your home,” <said> {h}",
    "high up in the tallest pine"},
  {"lamb", "sheep", "white and shaky on its legs",
    "They asked a goat. “Mine have hard heads,” she said, and gave it a little push. The lamb fell over",
    "They asked a cow. “It has a nice voice,” she said, “but mine are bigger on the first day.”",
    "Then the wind turned, and there was the sound of bells in it, far away. The little one pricked up its ears and began to "
    "call",
    "on the far meadow, in the middle of the flock"},
  {"little turtle", "turtle", "no larger than a walnut, with a green pattern on its back",
    "They asked a snail. “Mine have a house, too,” said the snail, “but they have no legs.”",
    "They asked a frog. “Mine have no house and, for now, no legs either,” said the frog",
    "Then {h} set the little one on the ground and did nothing. It turned its head this way and that way, and then it marched "
    "off, always downhill. “It knows the way itself,” <said> {h}",
    "on the warm bank of the river"},
};

} // namespace

std::string little_one(teller& t) {
  cast_hero(t, [](const kind& one) {
    return (one.home_world == world::village || one.home_world == world::forest || one.home_world == world::farm) &&
           one.size >= 2;
  });
  set_defaults(t);
  std::vector<const baby*> fitting; // A duck would know a duckling, and a dog need not ask a dog.
  for (const baby& one : babies) {
    const std::string_view own = t.who('h').body->name;
    const std::string asked_own = "asked a " + std::string(own) + ".";
    if (own != one.mother && !(own == "lamb" && one.mother == "sheep") && one.wrong1.find(asked_own) == std::string_view::npos &&
        one.wrong2.find(asked_own) == std::string_view::npos) {
      fitting.push_back(&one);
    }
  }
  const baby& chosen = *fitting[t.draws().below(static_cast<uint32_t>(fitting.size()))];
  t.set("baby", chosen.name);
  t.set("mother", chosen.mother);
  t.set("looks", chosen.looks);
  t.set("home", chosen.home);
  t.set("season", "[spring|summer]");

  open(t);
  habit(t);
  t.paragraph();
  t.say({
    "<one day> {h.he} heard a thin voice [under a bush|in the grass|behind a stone]. There sat a~ {baby}. It was {looks}.",
    "<one day> {h} almost stepped on something. It was a~ {baby}, {looks}.",
    "Something was moving in the grass. {h} bent down. It was a~ {baby}, {looks}.",
    "It had been raining all night. In the morning a~ {baby} sat in front of {h.his} door. It was {looks}.",
    "{h} heard something cry. {^h.he} stood still. There it was again. It was a~ {baby}, {looks}.",
    "On the way home {h.he} found a~ {baby}. It was {looks}, and it was all alone.",
    "After a rainy night {h} found somebody [under a leaf|at the side of the path]. It was {looks}: a~ {baby}.",
  });
  t.maybe({
    "“Where is your mother?” <asked> {h}. The little one only [cried|looked at {h.him}].",
    "“Who are you?” <asked> {h}. The {baby} did not know what to say to that. “Where do you live?” It did not know that, either.",
    "A fat tear rolled down its face. “[Gone|All gone],” said the {baby}.",
    "“Good morning,” <said> {h}. “Mama?” <asked> the {baby}. “No,” <replied> {h}, “but we will find her.”",
    "“Are you lost?” <asked> {h}. The {baby} moved close to {h.him} and trembled.",
    "“I want to go home,” said the {baby} in a tiny voice. “But I do not know where that is.”",
  });
  t.say({
    "“Do not be afraid,” <said> {h}. “We will find your home.”",
    "{h} could not leave it there. “Come along,” {h.he} <said>. “I will bring you home.”",
    "“Whoever is lost must be looked for,” <said> {h}, “so we will go and meet the one who is looking. Come, we will find your "
    "home.”",
    "“You cannot stay here alone,” <said> {h}. “I will take you home, wherever that is.”",
    "{h} had been small once, too. “I will help you find the way home,” {h.he} promised.",
    "{h} had no idea where it belonged. But {h.he} <said>, “I will stay with you until you are home.”",
  });
  t.paragraph();
  t.say_sentence(chosen.wrong1);
  t.maybe({
    "“Thank you anyway,” <said> {h}.",
    "So they went on.",
    "That was not the right place.",
    "{h} said thank you and went on.",
    "Well, it had been worth a try.",
    "“That was not it,” <said> {h}. “We will ask somebody else.”",
  });
  t.say_sentence(chosen.wrong2);
  t.maybe(
    {
      "“Are we lost now, both of us?” <asked> the {baby}. “You are lost,” <replied> {h}. “I am only looking.”",
      "The little one stumbled more and more often. So {h} told it a story, about a star that lost the sky and found it again.",
      "“I think nobody knows me,” <said> the {baby} sadly. “I know you,” <said> {h}.",
      "The {baby} let its head hang.",
      "“Does nobody want me?” <asked> the {baby}. “Somebody is looking for you right now,” <replied> {h}. “I am sure of it.”",
      "The little one grew tired, and {h} carried it {h.carry}.",
      "The sun was going down, and {h} began to worry.",
      "“Tell me what you know about home,” <said> {h}. “It is warm,” <said> the little one, “and it smells good.”",
    },
    2, 3);
  t.paragraph();
  t.say_sentence(chosen.clue);
  t.say({
    "And there, {home}, was the {mother}, who had been calling all day.",
    "And so it was. {^home} was the {mother}, and when she heard the little voice, she jumped up.",
    "They hurried. {^home} was the {mother}, who had not slept all night.",
    "And really, {home} they found her, the {mother}, hoarse from calling.",
    "There, {home}, somebody was running up and down and searching. It was the {mother}.",
  });
  t.maybe({
    "The {baby} ran to her so fast that it fell over its own feet.",
    "The little one did not say a word. It just crept under her and closed its eyes.",
    "“There you are, there you are,” she said, again and again.",
    "“Mama!” <cried> the little one, and all its sorrow was forgotten.",
    "She put her head on her child and closed her eyes.",
  });
  t.say({
    "“I turned around for a moment,” she said, “and it was gone. How can I ever thank you?”",
    "“I asked everybody,” she said, “but nobody had seen it. How did you know where to go?” “It told me itself,” <replied> {h}. "
    "“I only had to watch.”",
    "“Stay and eat with us,” she said, and {h} stayed until the stars came out.",
    "“You have brought me the dearest thing I have,” she said.",
    "“Where did you find it? I have looked everywhere,” she said, and she laughed and cried.",
  });
  t.paragraph();
  t.say({
    "{h} wanted to go quietly, but the {baby} came after {h.him}. “Will you come again?” it <asked>. “Now that I know where your "
    "home is,” <replied> {h}, “I will come every week.”",
    "On the way back {h} was alone again. The evening was cool, but {h.he} was warm inside. How good it is, {h.he} thought, to "
    "have a home.",
    "“Bye-bye,” said the {baby} and was asleep before it had finished. {h} went home on tiptoe.",
    "All the way back {h} whistled. One of them was home again, and the other one would soon be.",
    "When {h} cannot sleep now, {h.he} thinks of the {baby}, safe at home. Then {h.he} falls asleep at once.",
    "It was late when {h} came to {h.his} own door. There somebody was waiting as well, and {h.he} was hugged just as tightly. "
    "Yes, {h} was home, too.",
    "When {h} passed by there later, a~ {baby}, no longer quite so little, waved to {h.him}. It was not lost any more, it was at "
    "home.",
  });
  return "home";
}

} // namespace troupe::stories
