// A noise in the night: it sounds like a monster, and it is somebody or something small.
#include "apps/stories/phrases/openings.hpp"
#include "apps/stories/plots/plots.hpp"
#include "apps/stories/telling/casting.hpp"

namespace troupe::stories {
namespace {

struct noise {
  std::string_view sound, word; // "a scratching and a sniffing", "scratching"
  std::string_view guess;       // What they think it is.
  std::string_view truth;       // What it is; a sentence.
  std::string_view action;      // What they do about it.
  std::string_view after;       // What remains.
  bool living;                  // Somebody made it.
};

constexpr noise noises[] = {
  {"a knocking, three times and then a pause", "knocking", "a ghost with a wooden leg",
    "It was a loose shutter, and the wind was playing with it", "{h} bent a piece of wire and fastened it",
    "And when the wind came again, there was no knocking any more", false},
  {"a scratching and a sniffing", "scratching", "a wolf with long claws",
    "It was a hedgehog baby with its head stuck in a tin can",
    "{h} held the can and {o} pulled, very gently, and with a plop the head was free",
    "The next evening there was a scratching again. It was the little one, who had come to say thank you", true},
  {"a howling, long and hollow", "howling", "a giant with a toothache",
    "It was an empty bottle in the grass. Whenever the wind blew across its neck, it howled",
    "{o} poured a little water into it, and the howling turned into a whistle",
    "They kept the bottle, and on windy evenings they played howling songs on it", false},
  {"a soft crying, now here and now there", "crying", "a water spirit",
    "It was a kitten, wet and as thin as a thread, that could not find the way back to its basket",
    "{o} dried it, and {h} let it drink from {h.his} own cup",
    "By noon they had found its mother. And on that night there was no more crying, only purring", true},
  {"a rumbling that came closer and went away", "rumbling", "a dragon with an empty belly",
    "It was a barrel that had come loose, and with every gust of wind it rolled down the yard and back again",
    "Together they rolled it into a corner and put a stone in front of it",
    "“Good night, dragon,” said {h}, and there was no rumbling any more", false},
  {"a slow dripping, plip, plop", "dripping", "a ghost with wet feet",
    "It was the gutter. A leaf was stuck in it, and the water had to look for another way", "{h} poked the leaf out with a stick",
    "Later, when it rained, {h.he} put a bucket there on purpose, because the dripping made such a nice song", false},
  {"a clattering and a giggling", "clattering", "a band of thieves",
    "It was two young mice who were sliding down a heap of spoons",
    "“May we have a turn, too?” {o} <asked>, and then there were four of them sliding",
    "Now and then, when they cannot sleep, one can hear a clattering and a giggling again, and it is not only the mice", true},
  {"a deep buzzing from inside the wall", "buzzing", "a monster that was sharpening its teeth",
    "It was a bumblebee that had lost its way and could not find the crack by which it had come in",
    "{h} held a light to the crack, and the bumblebee followed it out",
    "In the summer there was a buzzing at the window every morning, and {h} knew who it was", true},
};

} // namespace

std::string noise_at_night(teller& t) {
  cast_hero(t, [](const kind& one) { return one.handy && one.home_world == world::village; });
  const noise& chosen = t.one_of(noises);
  cast_friend(t, 'o');
  set_defaults(t);
  t.set("sound", chosen.sound);
  t.set("word", chosen.word);
  t.set("guess", chosen.guess);
  t.set("trait", "[curious|sleepy|careful|quiet|cheerful|clever|shy]");
  t.set("season", "[spring|summer|autumn]");
  t.set("relation", "[{h.his} friend {o}, who was staying for the night|{h.his} {kin2} {o}]");
  t.set("kin2", !t.who('h').female ? "[sister|cousin]" : "[brother|cousin]");

  open(t);
  habit(t);
  t.paragraph();
  t.say({
    "One night {h.he} woke up. There was {sound}.",
    "It was in the middle of the night. The moon was behind the clouds, and {h} heard {sound}.",
    "{h} had just put out the light when it began: {sound}.",
    "{h} was dreaming of [a ship|a mountain of cake], when something woke {h.him} up. It was {sound}.",
    "The clock had just struck twelve. Then {h.he} heard it for the first time: {sound}.",
    "It began on a Friday, shortly before midnight. {h} lay in bed and heard {sound}.",
    "One evening everybody was asleep already, except for {h}. And so {h.he} was the only one who heard it: {sound}.",
  });
  t.maybe({
    "<afraid>",
    "{h} pulled the blanket up to {h.his} nose.",
    "{h.his} heart beat [louder than the noise|in {h.his} throat].",
  });
  t.say({
    "In the next bed slept {relation}. “Wake up,” {h} <whispered>. “There is something outside.”",
    "Beside {h.him} lay {relation}, and {o.he} was awake, too. “You hear it as well, do you not?” {h} <whispered>.",
    "{h} pulled at the blanket of {relation}. “Listen!” {h.he} <whispered>.",
    "{h.he} crept over to {relation}. “Do you hear that?”",
  });
  t.say({
    "{o} sat up at once. “That is {guess},” {o.he} <whispered>.",
    "“I know what it is,” <whispered> {o}, with eyes as big as plates. “It is {guess}.”",
    "{o} pulled the blanket over {o.his} nose. “{^guess},” {o.he} <said>, “what else?”",
    "{o} listened. “It could be {guess},” {o.he} <said>.",
    "{o} turned pale. “{^guess},” {o.he} <whispered>. “I have heard of such things.”",
  });
  t.maybe(
    {
      "“There is no such thing,” <said> {h}, but it did not sound very sure.",
      "“Let us hide,” <whispered> {o}.",
      "Again! It was even louder now.",
      "They held hands and did not dare to breathe.",
    },
    2, 3);
  t.paragraph();
  t.say({
    "“I have to know,” <said> {h} at last. “If I do not look, it will grow bigger and bigger in my head.”",
    "“We will go and see,” <said> {h}. “You take the lamp, and I take the broom.”",
    "After a while {h} had enough of being afraid. “Come,” {h.he} <said>. “Together we will look.”",
    "{h} put both feet on the floor. It was cold. “Are you coming?” {h.he} <asked>.",
    "“If it wanted to eat us, it would have done so already,” <said> {h}. That was true, and so they got up.",
    "“Ghosts do not exist,” <said> {h}. “And if they do, I want to see one.”",
  });
  t.say({
    "Step by step they crept down the stairs. A board creaked, and they both jumped.",
    "They crept through the dark [hall|kitchen], and their shadows grew huge on the wall.",
    "{h} opened the door a finger wide. The wind blew in and almost put out the lamp.",
    "They took each other by the hand and went, one step and then another.",
    "{h} went in front with the lamp, and {o} held on to {h.his} shirt.",
    "On tiptoe they went outside. The grass was wet and cold.",
  });
  t.maybe({
    "The noise came closer. Or they came closer to the noise.",
    "Now it was quite near.",
    "There it was again, right in front of them!",
  });
  t.say({
    "“One, two, three!” <whispered> {h}, and they looked.",
    "{h} counted to three in {h.his} head and held out the lamp.",
    "{h} lifted the lamp.",
    "“Who is there?” <asked> {h}. No one answered. Then the light fell on it.",
    "{o} closed {o.his} eyes, but {h} looked.",
  });
  t.paragraph();
  t.set("truth", chosen.truth);
  t.say({
    "{truth}.",
    "They had thought of everything, but not of this. {truth}.",
    "The light shook a little. {truth}.",
    "And what was it? {truth}.",
    "Then {h} began to laugh. {truth}.",
  });
  t.say({
    "“So much for {guess},” <said> {o}, and {o.he} turned red.",
    "“And we were afraid of that!” <said> {h}.",
    "“{^guess},” <said> {h}, and they laughed until they had to sit down.",
    "They looked at each other and did not know what to say.",
  });
  t.say_sentence(chosen.action);
  t.maybe({
    "When they lay in bed again, it was [almost morning|quiet].",
    "“Good night,” <said> {o}. “Good night,” <said> {h}, “and sweet dreams.”",
    "Then they went back to bed, and this time they slept at once.",
  });
  t.paragraph();
  t.maybe({
    "“Most monsters,” <said> {h} at breakfast, “are very small if you hold a lamp to them.”",
    "At breakfast nobody wanted to believe their story.",
    "“Did you sleep well?” they were asked in the morning. They looked at each other and giggled.",
  });
  t.say_sentence(chosen.after);
  return std::string(chosen.word);
}

} // namespace troupe::stories
