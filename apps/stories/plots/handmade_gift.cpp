// Somebody has a birthday; what can be bought is out of reach, what is made goes wrong, and an idea helps.
#include "apps/stories/phrases/openings.hpp"
#include "apps/stories/plots/plots.hpp"
#include "apps/stories/telling/casting.hpp"

namespace troupe::stories {
namespace {

struct gift {
  std::string_view name, word;
  std::string_view lack;   // What {e} said or did that gives the idea.
  std::string_view make;   // How it is made; a sentence.
  std::string_view fail;   // The first attempt.
  std::string_view remedy; // The second.
  std::string_view use;    // What {e} does with it.
};

constexpr gift gifts[] = {
  {"a warm shawl", "shawl",
    "On windy evenings {e} always [pulled up {e.his} shoulders|rubbed {e.his} arms] and said, “Oh, this draft.”",
    "{h} [found|begged] some gray wool and began to knit.",
    "But a stitch slipped, and then ten more, and the shawl had [a hole as big as a plate|more holes than wool].",
    "So {h.he} pulled out all the rows and began again, slowly, counting every stitch.",
    "{^e.he} put it around {e.his} shoulders and did not take it off [until the next morning|all evening]"},
  {"a walking stick", "stick", "Whenever {e} went up the hill, {e.he} had to [stop and rest|hold on to the fence].",
    "{h} looked for a straight branch and began to peel off the bark.",
    "But the branch was [dry and snapped in two|full of worm holes and broke].",
    "So {h.he} went to the hazel bushes, where the wood is tough, and found a better one.",
    "{^e.he} walked once around the house with it, and then [up the hill|all the way to the bridge] without a rest"},
  {"a bird house", "bird",
    "“In spring the birds used to wake me,” {e} had said one day. “Now they nest [somewhere else|far away].”",
    "{h} collected [old boards|pieces of bark] and made four walls and a roof.",
    "But the roof would not stay on. It [slid down|fell off] again and again.",
    "Then {h.he} tied it on with a piece of wire, and it held.",
    "{^e.he} hung it in front of {e.his} window, and before the week was over two birds had moved in"},
  {"a lantern", "lantern", "“After sunset I stay at home now,” {e} often said. “My eyes no longer find the way in the dark.”",
    "{h} took an old jar and painted it with stars.",
    "But the paint ran down in long drops, and the stars looked like [spiders|potatoes].",
    "Then {h.he} washed it all off and pasted leaves of colored paper on the glass instead.",
    "{^e.he} lit it at once and took {e.his} first evening walk in years"},
  {"a cushion", "cushion", "{e} had a chair [at the door|under a tree], but it was as hard as a stone.",
    "{h} sewed a bag out of an old shirt and filled it with leaves.",
    "But the leaves crackled and [crumbled to dust|poked through the cloth].",
    "Then {h.he} filled it with soft dry moss and closed it with a double thread.",
    "{^e.he} sat down on it, closed {e.his} eyes and [smiled|said that it was like sitting on a cloud]"},
  {"a wind chime", "chime", "“It is so quiet here since my children moved away,” {e} had once said.",
    "{h} hung [spoons|shells|bits of tin] on threads, one beside the other.",
    "But the threads got tangled, and instead of a song there was only a knot.",
    "Then {h.he} tied them to a ring, far enough from each other, and blew. It rang like tiny bells.",
    "{^e.he} hung it up by the door, and [at every breath of wind|all through the evening] it played for {e.him}"},
  {"a pot of honey cakes", "cakes", "{e} liked sweet things, but {e.his} oven had been cold for years.",
    "{h} stirred flour, eggs and honey in a bowl and put little cakes into the oven.",
    "But {h.he} [fell asleep beside the oven|ran out to look at a rainbow], and the cakes turned as black as coal.",
    "{^h.he} mixed a new dough and this time {h.he} did not leave the oven, not even for a moment.",
    "{^e.he} ate one, and a second, and shared the others with [every guest|all who came by]"},
  {"a picture", "picture", "{e} had a bare white wall, and {e.he} often stared at it when it rained.",
    "{h} took a brush and began to paint the house of {e}.",
    "But {h.he} was in a hurry, and a [sleeve|tail of cloth] went through the wet paint. Everything was one brown smear.",
    "{h} looked at the brown smear, and it looked like a hill. So {h.he} painted trees on it, and a path, and a yellow sun.",
    "{^e.he} hung it on the bare wall, and on rainy days {e.he} had a hill with a sun to look at"},
};

} // namespace

std::string handmade_gift(teller& t) {
  cast_hero(t, [](const kind& one) { return one.handy && one.home_world != world::yard; });
  cast_elder(t, 'e', elder_hands::needed);
  set_defaults(t);
  const gift& made = t.one_of(gifts);
  t.set("gift", made.name);
  t.set("hands", by_world(t, "hands", "paws", "", "hands", ""));
  t.set("price", "[more than {h} had ever had|ten times what {h} had|far too much for {h}]");
  t.set("wares", by_world(t, "[a gold chain|a silk cloth|a big box of sweets|a vase of blue glass]",
                   "[a string of pearls|a pot of rare honey|a silver comb]", "",
                   "[a thimble full of gold dust|a silk cloth|a drop of perfume]", ""));
  t.set("seller", by_world(t, "[the shop on the corner|the trader on the market]", "[a peddler|a traveling merchant]", "",
                    "[a traveling cricket|a merchant ant]", ""));

  open(t);
  habit(t);
  t.paragraph();
  t.say({
    "In three days {e}, the {e.kind}, would have a birthday. {h} wanted to give {e.him} something, for {e.he} had always been "
    "kind to {h.him}.",
    "{e}, the old {e.kind}, [lived next door|was {h.his} neighbor], and soon {e.he} would have a birthday. “What can I give "
    "{e.him}?” {h} wondered.",
    "“On Sunday {e} has a birthday,” {h} heard somebody say. {e} was the {e.kind} who had [taught {h.him} to count|told {h.him} "
    "so many stories]. There had to be a present!",
    "Everybody was talking about the birthday of {e}, the {e.kind}. {h} liked {e.him} [very much|more than anybody], and so "
    "{h.he} began to think about a present.",
    "“[I am getting older by a year|Soon I will be a year older],” said {e}, the old {e.kind}, and laughed. {h} pricked up "
    "{h.his} ears. A birthday! And {h.he} had no present yet.",
    "{h} had a secret plan. {e}, the old {e.kind}, would soon be [seventy|eighty|a hundred] years old, and {h} wanted to bring "
    "{e.him} the best present of all.",
  });
  t.maybe({
    "{^seller} had {wares}, but it cost {price}.",
    "{^h.he} looked at the things that {seller} sold. There was {wares}! But it cost {price}.",
    "{^h.he} turned out {h.his} pockets and found [two nuts and a thread|one small coin|a string and a button]. With that one "
    "could not buy anything.",
  });
  t.maybe({
    "“Then I will make something,” {h.he} said. “But what?”",
    "“Then it must be something else,” {h.he} said, “something that costs nothing but work.”",
    "<sad> “[A kiss is free|A smile is free],” said {h.his} mother. But {h} wanted to give more than that.",
    "“[Whoever has no money needs ideas|No money, then ideas],” {h.he} said.",
    "“What I cannot buy, I can make,” {h.he} thought. But what?",
    "<sad> But then {h.he} thought, “I have two {hands}.”",
  });
  t.paragraph();
  t.maybe({
    "For two days {h.he} [watched|looked at] {e} and [thought|pondered].",
    "“What does {e.he} really need?” {h.he} asked {h.himself}.",
    "In bed {h.he} lay awake and thought about {e}.",
    "{^h.he} thought about {e} and what {e.he} might need.",
    "Then something came to {h.his} mind.",
    "<think>",
  });
  t.say(made.lack);
  t.maybe({
    "“{^gift}!” <cried> {h}. “That is it.”",
    "Of course, {gift}!",
    "“{^gift},” {h.he} [said|murmured], “that would be something.”",
    "Then {h.he} knew it: {gift}!",
    "“I know,” {h.he} <whispered>. “I will make {e.him} {gift}.”",
    "{^gift} would be just right.",
  });
  t.say(made.make);
  t.say(made.fail);
  t.maybe({
    "<sad>",
    "“I will never finish in time,” {h.he} sighed.",
    "{^h.he} could have [cried|thrown it into the corner].",
  });
  t.say(made.remedy);
  t.maybe({
    "It was [late in the night|almost morning] when it was finished.",
    "It was not perfect, but it was {h.his} own work.",
    "This time it was [good|just right].",
  });
  t.paragraph();
  t.maybe(
    {
      "On the birthday many guests came with big parcels. {h} stood [at the back|by the door] and hid {h.his} present.",
      "Then the day was there. {h} had [wrapped everything in a big leaf|tied a blue ribbon around it] and was the last in a "
      "long row of guests.",
      "On the morning of the birthday {h} knocked so softly that {e} almost did not hear it.",
      "“Happy birthday,” said {h} and held {h.his} present out [with both arms|and looked at the floor].",
      "When the day came, {h} {h.went} to {e} with {h.his} heart beating fast.",
      "On the morning of the birthday {h} was the first guest. “It is only something small,” {h.he} said.",
    },
    4, 5);
  t.say({
    "{e} unwrapped {the gift} and said nothing at first.",
    "{e} looked at {the gift} for a long time.",
    "“{^gift}!” said {e}, and {e.his} voice was not quite steady.",
  });
  t.say({
    "“[How did you know|Who told you]?” {e.he} <asked> at last. “[This is just what I was missing|I never told anybody that I "
    "needed it].”",
    "“A thing like this no shop can sell,” {e.he} said.",
    "“You made this yourself?” asked {e}. {h} nodded. “Then it is [worth more than gold|the best of them all].”",
    "“[I have waited a long time for this|I needed nothing more than this],” {e.he} <said>, and {e.he} [blew {e.his} nose|wiped "
    "{e.his} eyes].",
    "“My [dear|good] {h},” {e.he} <said>, and had to [stop|begin again]. “This is the most beautiful thing I have ever been "
    "given.”",
    "“You have listened to me,” {e.he} said. “That is the [greatest|finest] present.”",
  });
  t.say_sentence(made.use);
  t.say({
    "And {h}? {^h.he} went home without a coin in {h.his} pocket and felt rich. And {the gift} was the reason.",
    "<glad> The best things, {h.he} thought, [do not come from a shop|are made, not bought], and {the gift} was one of them.",
    "“What did it cost?” the other guests wanted to know. “A bit of time,” <said> {h}. And everybody wished for {gift} made like "
    "that.",
    "When {h} goes by there today, {h.he} can still see {the gift}, and each time it makes {h.him} [smile|proud].",
    "<that evening> {h} was so tired that {h.he} fell asleep [at the table|with {h.his} shoes on], and {h.he} dreamed of {the "
    "gift}.",
    "On the way home {h} whistled. Whoever wants to give a present, {h.he} thought, must first listen well. Then even {gift} can "
    "be a treasure.",
    "And when the guests had gone, the big parcels stood in a corner. But {the gift} was never far from {e}.",
  });
  return std::string(made.word);
}

} // namespace troupe::stories
