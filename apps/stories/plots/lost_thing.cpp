// Something dear is lost, looked for in the wrong places, and found where nobody had thought of.
#include "apps/stories/phrases/openings.hpp"
#include "apps/stories/plots/plots.hpp"
#include "apps/stories/telling/casting.hpp"

namespace troupe::stories {
namespace {

enum property : unsigned { soft = 1, shiny = 2, floats = 4, worn = 8 };

struct treasure {
  std::string_view name, word;
  unsigned properties;
};

constexpr treasure treasures[] = {
  {"[red|striped|yellow] scarf", "scarf", soft | worn},
  {"[woolen|checked] blanket", "blanket", soft},
  {"silver whistle", "whistle", shiny},
  {"[brass|silver] bell", "bell", shiny},
  {"[blue|green] glass marble", "marble", shiny},
  {"[blue|red] cap", "cap", soft | worn},
  {"[little wooden|painted] boat", "boat", floats},
  {"[red|painted] ball", "ball", floats},
  {"[green|velvet] ribbon", "ribbon", soft | worn},
  {"golden button", "button", shiny},
  {"straw hat", "hat", floats | worn},
  {"[small|shiny] brass key", "key", shiny},
};

constexpr std::string_view village_spots[] = {"under the bench in front of the bakery", "behind the well",
  "in the tall grass beside the road", "in every corner of the school yard", "under the stairs", "along the garden fences",
  "under the bed and behind the stove", "on the market square"};
constexpr std::string_view forest_spots[] = {"between the ferns", "under the brambles", "along the stream", "in a hollow log",
  "behind the big rocks", "on the path to the clearing", "under a heap of leaves", "around the old oak"};
constexpr std::string_view garden_spots[] = {"under the rhubarb leaves", "between the flower pots", "behind the watering can",
  "along the garden wall", "in the strawberry bed", "among the bean poles", "under the wheelbarrow", "beside the compost heap"};

/// How the thing turns up again. True if somebody else needs it now, so that the hero leaves it there for a while.
bool turn_up(teller& t, const treasure& what) {
  std::vector<int> ways{0, 1};
  if (what.properties & soft) ways.push_back(2);
  if (what.properties & shiny) ways.push_back(3);
  if (what.properties & floats) ways.push_back(4);
  if (what.properties & worn) ways.push_back(5);
  switch (ways[t.draws().below(static_cast<uint32_t>(ways.size()))]) {
  case 0:
    t.set("finder", by_world(t, "[small child|white goat|friendly dog]", "[rabbit|young weasel]", "", "[snail|beetle]", ""));
    t.say({
      "“What is that over there?” <asked> {o}. Something hung on a twig and moved in the wind. It was the {thing}. Somebody must "
      "have [found it|picked it up] and hung it there for whoever would come looking.",
      "Then {o} stopped. On a [fence post|low branch|stick beside the path] hung the {thing}. Somebody had [found it|picked it "
      "up] and put it there, where [its owner would see it|nobody could step on it].",
      "<suddenly> they met a~ {finder} who came out of the [grass|bushes] with something familiar. It was the {thing}! “It lay "
      "in the mud,” <said> the {finder}, “and I was looking for its owner.”",
    });
    return false;
  case 1:
    cast_elder(t, 'e');
    t.say({
      "<suddenly> {e}, the {e.kind}, came along the path with the {thing}. “It had a [hole|crack|scratch],” <said> {e.the}, “so "
      "I took it home and mended it. I wanted to surprise you.”",
      "When they passed {e}, the {e.kind}, {e.he} waved. “Are you looking for this?” {^e.he} held up the {thing}. It had been "
      "lying in the rain, and {e.he} had dried it.",
    });
    return false;
  case 2:
    t.say({
      "Then they heard a soft peep above them. In a bush a [wren|robin] was sitting on her nest, and under her lay the {thing}. "
      "“My eggs were cold,” <said> the bird. “I did not know that it was yours.”",
      "<at last> they came to a heap of straw, and something moved in it. There lay a mouse with four tiny pink babies, rolled "
      "up in the {thing}. “Hush,” <whispered> the mouse. “They have just fallen asleep.”",
    });
    return true;
  case 3:
    t.say({
      "<suddenly> something flashed high up in a tree. “A magpie's nest!” <cried> {o}. And there it lay, the {thing}, between [a "
      "bent spoon and a piece of glass|a bottle cap and a bent nail]. The magpie [blushed under her feathers|looked the other "
      "way]. “It shone so nicely,” she said, and gave it back.",
      "A sunbeam fell through the leaves, and something in the mud [flashed|sparkled]. {h} wiped it clean. It was the {thing}! "
      "It must have fallen there when {h.he} jumped over the puddle.",
    });
    return false;
  case 4:
    t.say({
      "“Where was the water flowing, the last time you had it?” <asked> {o}. They followed the [ditch|stream|little brook], "
      "around one bend and around another, and there, where the water stood still, floated the {thing}.",
      "Then {o} looked at the ditch. After the rain the water had carried away leaves and twigs, and not only those. Behind a "
      "dam of branches floated the {thing}, wet but whole.",
    });
    return false;
  default:
    t.say({
      "{o} walked once around {h} and began to laugh. “Turn around,” {o.he} said. “No, you cannot see it, for it hangs on your "
      "back!” The {thing} had been there the whole time.",
      "{h} was so tired that {h.he} [sat down on a stone|leaned against a tree]. Something tickled {h.his} neck. It was the "
      "{thing}! It had slipped under {h.his} collar in the morning.",
    });
    return false;
  }
}

} // namespace

std::string lost_thing(teller& t) {
  cast_hero(t, [](const kind& one) { return one.handy && one.home_world != world::yard; });
  cast_friend(t, 'o');
  set_defaults(t);
  t.set("season", "[spring|summer]"); // Birds may be sitting on their eggs.
  const treasure& what = t.one_of(treasures);
  t.set("thing", what.name);
  t.set("word", what.word);
  t.set("giver", "{h.his} [grandmother|grandfather|aunt|uncle|big sister|big brother]");
  const std::span<const std::string_view> spots = world_of(t) == world::village ? std::span<const std::string_view>(village_spots)
                                                  : world_of(t) == world::forest
                                                    ? std::span<const std::string_view>(forest_spots)
                                                    : std::span<const std::string_view>(garden_spots);
  set_distinct(t, "spot", spots, 2);

  open(t);
  t.say({
    "{^h.he} owned a~ {thing}, and it was the dearest thing {h.he} had. {^giver} had [made it|given it to {h.him}|once brought "
    "it home from a journey].",
    "{^h.he} had a~ {thing}, and {h.he} was proud of it, for it came from {giver}.",
    "There were many things {h.he} liked, but {h.he} loved {h.his} {thing}, a present from {giver}.",
    "From {giver} {h.he} had got a~ {thing}. {^h.he} [guarded it like a treasure|showed it to everybody|would not have traded it "
    "for a kingdom].",
    "Wherever {h.he} went, {h.he} took {h.his} {thing} along. It was a present from {giver}.",
    "The best thing {h.he} had was a~ {thing}. {^giver} had given it to {h.him} [before going away|on {h.his} birthday|when "
    "{h.he} was ill].",
    "{giver} had once given {h.him} a~ {thing}, and {h.he} never [went anywhere|fell asleep] without it.",
  });
  t.paragraph();
  t.say({
    "Then, on a [windy|cloudy] day, {h} found that the {word} was gone.",
    "<one day> {h} [reached for it|wanted to fetch it], and it was not in its place.",
    "It was on [a Tuesday|a Thursday] that {h} missed the {word}.",
    "<one day> {h} looked for it, and it was gone.",
    "But one evening, when {h} came home, the {word} was not there.",
    "Then came the day when {h} could not find it.",
    "<one day> {h} [woke up|came home] and saw that the {word} was missing.",
  });
  t.maybe({
    "<sad> “[Without it I cannot sleep|Where can it be|What shall I say at home]?”",
    "<sad>",
    "{^h.he} felt [hot and cold|as if a stone lay in {h.his} belly]. “It must be somewhere,” {h.he} <whispered>.",
    "[“No, no, no,” {h.he} whispered. |]It had been there [that morning|the evening before], {h.he} was sure of that.",
    "<sad> How could that have happened?",
    "“I only put it down for a moment,” {h.he} said [to nobody|in a thin voice].",
    "“Think,” {h.he} told {h.himself}. “Where did I have it last?” But {h.he} could not remember.",
  });
  t.say({
    "{^h.he} looked {spot1}. There was [nothing but dust|nothing|only an old shoe].",
    "{^h.he} ran and looked {spot1}. But there was nothing except [dust|a snail|last year's leaves].",
    "“Perhaps {spot1},” {h.he} thought, and ran there. It was not there.",
    "{^h.he} turned everything over {spot1}. All {h.he} found was [a bent nail|a spider|half a nut].",
    "First {h.he} searched {spot1}, but there {h.he} found [nothing|only leaves and a rusty nail|only a sleepy beetle].",
    "{^h.he} looked {spot1}, [twice|three times|carefully], and found nothing.",
  });
  t.paragraph();
  t.say({
    "{o} the {o.kind} came by. “What are you looking for?” {o.he} <asked>. {h} told {o.him} everything.",
    "There {o}, a~ {o.kind}, saw {h.him}. “You look as if it had rained into your soup,” {o.he} said. {h} told {o.him} what had "
    "happened.",
    "{o}, a~ {o.kind}, was sitting [on a stone|in the shade] and had watched for a while. “Have you lost something?” {o.he} "
    "<asked>. “My {word},” said {h}.",
    "“[May I help|Can I help you]?” <asked> {o}, a~ {o.kind} who happened to come along. “It is my {word},” said {h}. “It has "
    "gone.”",
    "On the way {h.he} met {o}, a~ {o.kind}. “Have you seen a~ {thing}?” {h} <asked>. {o} had not. “But I will help you,” {o.he} "
    "said.",
    "“Why so sad?” <asked> a voice. It was {o}, the {o.kind} from next door. “I have lost my {word},” <replied> {h}.",
    "So {h.he} went to {h.his} friend {o}, a~ {o.kind} with sharp eyes. “Help me, please,” {h.he} said. “My {word} is gone.”",
  });
  t.say({
    "“Four eyes see more than two,” <said> {o}. Together they looked {spot2}, but the {word} was not there either.",
    "“[We will find it|Nothing is ever quite lost],” <said> {o}. And they began to look {spot2}. But it was not there.",
    "They asked everybody they met. “Look {spot2},” somebody said. They did, but found no {word}.",
    "Side by side they searched {spot2}. The {word} was not there, either.",
    "“Then we shall search together,” {o.he} said. They looked {spot2}. Nothing!",
    "{o} had an idea. “You were playing yesterday {spot2},” {o.he} said. They ran there and turned over every [leaf|stone]. But "
    "no, there was no {word}.",
    "{o} did not ask much. {^o.he} began to look {spot2}, and {h} helped. They found [a feather|three nuts|an old spoon], but no "
    "{word}.",
  });
  t.maybe({
    "{h} [almost gave up|wanted to go home]. “One more place,” <said> {o}.",
    "The sun was already [low|going down].",
    "“It is no use,” <said> {h}. But {o} [shook {o.his} head|would not hear of it].",
  });
  const bool needed = turn_up(t, what);
  t.paragraph();
  if (needed) {
    t.say({
      "{h} had already [reached for it|stretched out {h.his} arm]. Then {h.he} [pulled it back|stopped].",
      "<think>",
      "{h} looked at {o}, and {o} looked at {h}.",
    });
    t.say({
      "“Keep the {word} until the little ones [are big|can walk],” {h.he} said. “I can wait.”",
      "“[Stay where you are|Do not get up],” {h.he} <whispered>. “The {word} is yours until the little ones are big.”",
      "“I have a warm bed,” {h.he} <said>, “and they have only this {word}. Let them have it for now.”",
      "“They need it more than I do,” {h.he} said. “I will come back for my {word} when they have grown.”",
    });
    t.say({
      "A few weeks later the {word} lay in front of {h.his} door, washed and neatly folded, and beside it lay [a blue feather|a "
      "ripe strawberry|five daisies]. {h} put both under {h.his} pillow and slept well.",
      "That night {h} missed the {word} only a little. {^h.he} thought of the little ones, who had it warm, and that warmed "
      "{h.him}, too.",
      "Every day {h} and {o} came to visit, and when at last {h} took the {word} home, {h.he} had lost nothing and won [a whole "
      "family of friends|some new friends].",
    });
  } else {
    t.say({
      "{h} pressed the {word} to {h.his} heart and {h.joy}.",
      "There it was again, the {word}! <glad>",
      "{h} hugged the {word}, and then {h.he} hugged {o}. <glad>",
      "“My {word}!” <cried> {h}, and {h.he} {h.joy}.",
      "<glad> “There it is again, my {word}!”",
    });
    t.say({
      "“Thank you, {o},” {h.he} said. “Alone I would have stopped looking [long ago|at the first corner].”",
      "“How can I thank you?” {h.he} <asked>. “Come and [eat with us|have supper with me],” <replied> {o}, “that is the best "
      "thanks.”",
      "“[Two find more than one|Without you I would have gone home],” {h.he} <said> to {o}.",
      "“You never gave up,” {h.he} <said> to {o}. “It was not even your {word}.”",
      "{o} [smiled|grinned]. “Next time you will help me,” {o.he} <said>.",
      "{^h.he} thanked everybody, and {o} most of all.",
    });
    t.say({
      "<since then> {h} [tied the {word} to {h.himself} with a string|looked twice before {h.he} went home], and {h.he} never "
      "lost the {word} again.",
      "<that evening> the {word} lay beside {h.his} bed. Before {h.he} fell asleep, {h.he} touched it once more. It was still "
      "there.",
      "<since then>, whenever somebody had lost something, {h} was the first to help. {^h.he} knew how it feels, and {h.he} had "
      "{h.his} {word} as a reminder.",
      "In the evening {h} told {giver} the whole story of the {word}, and it grew a little longer and a little more exciting at "
      "every turn.",
      "“A thing that comes back to you is worth twice as much,” {giver} said later, when {h} told about it. {h} held the {word} "
      "tight and nodded.",
      "The {word} was no newer and no prettier than before. But now, when {h} looked at it, {h.he} thought of {giver} and also "
      "of {o}.",
    });
  }
  return std::string(what.word);
}

} // namespace troupe::stories
