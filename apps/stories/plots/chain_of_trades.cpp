// The hero wants something; its owner wants something else for it, whose owner wants something else again.
#include "apps/stories/phrases/openings.hpp"
#include "apps/stories/plots/plots.hpp"
#include "apps/stories/telling/casting.hpp"

namespace troupe::stories {
namespace {

struct good {
  std::string_view name, word;
  std::string_view for_what;               // Why the hero wants it; "to ...".
  std::string_view village, forest, roots; // Who has it.
  std::string_view lacks;                  // Why that one wants the next good of the table; a sentence in the first person.
};

// Everybody wants what the next one has, and the last one what the first has.
constexpr good goods[] = {
  {"a pot", "pot", "to cook a soup for {h.his} grandmother, who was in bed with a cold", "the potter", "the raccoon", "the troll",
    "I have such a sore throat. A spoon of honey would do it good"},
  {"a jar of honey", "honey", "to bake a cake for {h.his} grandfather's birthday", "the beekeeper", "the badger", "the dwarf",
    "My ears are always cold. A warm scarf would be the right thing"},
  {"a warm scarf", "scarf", "to have something for {h.his} little sister, who was always cold", "the weaver", "the marmot",
    "the spider", "I work until late in the evening, but my last candle has burned down"},
  {"a candle", "candle", "to put it in the window, so that {h.his} father would find the way home in the dark",
    "the candle maker", "the hamster", "the moth", "I need string, for a candle without a wick is nothing but wax"},
  {"a ball of string", "string", "to let a kite fly, higher than any kite before", "the rope maker", "the dormouse",
    "the caterpillar", "I can no longer carry everything under my arm. I need a basket"},
  {"a basket", "basket", "to bring home the plums that were lying in the grass", "the basket weaver", "the muskrat",
    "the cricket", "My old pot has a hole, and I have eaten nothing warm for a week"},
};

} // namespace

std::string chain_of_trades(teller& t) {
  cast_hero(t, [](const kind& one) {
    return one.handy && (one.home_world == world::village || one.home_world == world::forest || one.home_world == world::roots) &&
           one.name != "badger";
  });
  set_defaults(t);
  const uint32_t count = std::size(goods);
  const uint32_t first = t.draws().below(count);
  const good* chain[] = {&goods[first], &goods[(first + 1) % count], &goods[(first + 2) % count]};
  for (int i = 0; i < 3; ++i) {
    const std::string number = std::to_string(i + 1);
    t.set("good" + number, chain[i]->name);
    t.set("word" + number, chain[i]->word);
    t.set("owner" + number, by_world(t, chain[i]->village, chain[i]->forest, "", chain[i]->roots, ""));
    t.set("lacks" + number, chain[i]->lacks);
  }
  t.set("hands", by_world(t, "hands", "paws", "", "hands", ""));
  t.set("purpose", chain[0]->for_what);
  t.set("season", chain[0]->word == "scarf"    ? "winter"
                  : chain[0]->word == "basket" ? "autumn"
                  : chain[0]->word == "string" ? "[spring|autumn]"
                                               : "[spring|autumn|winter]");
  t.set("deed", by_world(t, "[sweep the yard|carry in the wood|hold a ladder for an hour|read a long letter aloud]",
                  "[crack a heap of nuts|rake the leaves together|carry stones out of the brook]", "",
                  "[roll the dew drops out of the way|polish seven windows|sing for the baby until it sleeps]", ""));

  open(t);
  t.say({
    "{h.he} needed {good1}, {purpose}. But {h.he} had nothing to pay with.",
    "There was something that {h.he} needed very much: {good1}, {purpose}. But {h.he} did not have a single coin.",
    "{h} had to have {good1}, {purpose}. But money {h.he} had none.",
    "{h} had a plan, and for the plan {h.he} needed {good1}, {purpose}. The only trouble was that {h.he} had no money.",
    "One day {h.he} wanted {good1}, {purpose}. {h.his} pockets were empty.",
    "If only {h.he} had {good1}, {purpose}! But where does one get it without money?",
  });
  t.paragraph();
  t.say({
    "{h} {h.went} to {owner1}. “May I have {good1}?” {h.he} <asked>.",
    "“{^owner1} has {good1},” somebody told {h.him}. So {h} {h.went} there at once.",
    "{h} knocked at the door of {owner1} and asked politely for {good1}.",
    "There was only one who had {good1}, and that was {owner1}. {h} {h.went} there.",
    "“I will ask,” {h} <said>, and went to {owner1}.",
    "{^owner1} had just what {h.he} needed. So {h} went there.",
  });
  t.say({
    "“You may have it,” was the answer, “if you bring me something for it. {lacks1}.”",
    "“Gladly,” <said> {owner1}, “but do me a favor. {lacks1}.”",
    "“Take it,” <said> {owner1}, “but not for nothing. {lacks1}.”",
    "{^owner1} thought for a moment. “{lacks1}. If you help me, I will help you.”",
    "“What would I do with money?” <said> {owner1}. “{lacks1}.”",
    "“Let us trade,” <said> {owner1}. “{lacks1}.”",
  });
  t.say({
    "So {h} {h.went} on to {owner2}, who had {good2}.",
    "So {h.he} thanked {owner1} and went to look for {good2}. {^owner2} had it.",
    "{good2}? {^owner2} had that, as everybody knew, and {h} was there before noon.",
    "Where does one find {good2}? {h} knew: with {owner2}.",
    "“That cannot be hard,” thought {h}, and {h.he} went to {owner2}, who was known for {word2} of the finest kind.",
  });
  t.say({
    "But {owner2} had a wish, too. “{lacks2}.”",
    "“{lacks2},” <said> {owner2}. “Bring me that, and it is yours.”",
    "{^owner2} listened and nodded. “Good. But I need something, too. {lacks2}.”",
    "“There is just one thing,” <said> {owner2}. “{lacks2}.”",
    "“For nothing?” <asked> {owner2}. “No, no. {lacks2}.”",
  });
  t.maybe({
    "“[Will this never end|And so it goes on]!” thought {h}.",
    "{h} sighed. {h.his} feet were getting tired.",
    "{h} said it over to {h.himself}: {good1} for {good2}, {good2} for {good3}.",
  });
  t.paragraph();
  t.say({
    "{h} came to {owner3} and did not have much hope left. “You have {good3},” {h.he} <said>, “and I have nothing at all.”",
    "The last way was the longest. It led {h} to {owner3}, who had {good3}. “But I have nothing to give,” <said> {h}.",
    "{^owner3} was the last on {h.his} list. “I have heard that you have {good3},” <said> {h}. “Could I earn it?”",
    "With {owner3} there was {good3}. But what would {h} have to give for it this time?",
    "So at last {h} stood in front of {owner3} and asked for {good3}.",
  });
  t.say({
    "“You have two {hands},” <said> {owner3}. “If you {deed}, we are even.”",
    "{^owner3} looked {h.him} up and down. “I do not want anything that one can buy. But I am tired, and somebody should "
    "{deed}.”",
    "“You look as if you could work,” <said> {owner3}. “[Would you|Could you] {deed}? Then you shall have it.”",
    "“I want no money and no goods,” <said> {owner3}. “But somebody must {deed}, and I cannot do it any more.”",
    "“Nothing?” <said> {owner3}. “Whoever can {deed} does not have nothing.”",
  });
  t.set("deed2", "{deed}");
  t.say({
    "{h} did it, and did it well, and {h.he} was given {good3}.",
    "{h} could have laughed for joy. No more trading! {^h.he} went to work, and in the end {h.he} held {good3}.",
    "It was harder than it sounded. But {h} did not stop before it was done, and then {h.he} had {good3}.",
    "That {h.he} could do! An hour later {h.he} had {good3}.",
    "{h} set to work at once. When {h.he} was done, {owner3} handed {h.him} {good3} and a piece of bread as well.",
  });
  t.paragraph();
  t.maybe({
    "Then {h.he} ran all the way back.",
    "Now everything went quickly.",
    "The way back was easy.",
  });
  t.say({
    "{^owner2} got {good3} and gave {h.him} {good2}. {^owner1} got {good2} and gave {h.him} {good1}.",
    "{^owner2} was waiting at the door and cried, “{^good3}!” And {owner1} cried, “{^good2}!” And {h} cried, “{^good1}!”",
    "First {h.he} gave {good3} and got {good2}. Then {h.he} gave {good2} and got {good1}.",
    "{h.he} traded {good3} for {good2}, and {good2} for {good1}.",
    "{^owner2} was happy with the {word3}, {owner1} was happy with the {word2}, and {h} had {good1}.",
  });
  t.maybe({
    "“You have gone a long way for it,” <said> {owner1}. “I have met many others,” <said> {h}.",
    "<glad>",
    "On the way home {h.he} did not let go of it for a moment.",
  });
  t.paragraph();
  t.say({
    "So {h} had {good1}, {purpose}, and three others had what they needed, too. And all of that had come out of one hour of "
    "work.",
    "“It was not even difficult,” {h.he} told {h.his} mother. “Everybody had too much of one thing and too little of another. I "
    "only carried it around.” And {h.he} held up the {word1}.",
    "{h} now knew what the {word1} was really worth: some tired feet, a few friendly words and an hour of work. That was a fair "
    "price.",
    "Whenever {h.he} needed something after that, {h} did not ask, “What does it cost?” {^h.he} asked, “What do you need?” That "
    "was how {h.he} had come by the {word1}, and it worked every time.",
    "“Where did you get the {word1}?” they asked {h.him} at home. “I worked for it,” <said> {h}. “Only it took a few detours.”",
    "That evening {h} thought about it: three wishes had come true, and the {word1} was only one of them.",
    "When {h} looked at the {word1}, {h.he} saw more in it than others did: a whole day, a long way, and three happy faces.",
  });
  return std::string(chain[0]->word);
}

} // namespace troupe::stories
