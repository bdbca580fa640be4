// The hero wants to be able to do something, fails, gets a hint, practices, and can use it on the day when it matters.
#include "apps/stories/phrases/openings.hpp"
#include "apps/stories/plots/plots.hpp"
#include "apps/stories/telling/casting.hpp"

namespace troupe::stories {
namespace {

struct skill {
  std::string_view name, word; // "to whistle"
  std::string_view fail1, fail2;
  std::string_view hint;  // What {o} says, without quotes.
  std::string_view works; // Sentences.
  std::string_view use;   // Sentences; the day when it matters.
  bool (*fits)(const kind&);
};

bool village_or_paws(const kind& one) {
  return one.handy && (one.home_world == world::village || one.home_world == world::forest);
}
bool handy_folk(const kind& one) { return one.handy && one.home_world != world::yard; }

constexpr skill skills[] = {
  {"to whistle", "whistle", "{^h.he} puffed up {h.his} cheeks and blew, but there was only air",
    "{^h.he} tried it with two fingers, and {h.he} only got wet fingers",
    "Do not blow so hard. Make a tiny hole, as if you wanted to cool a single pea",
    "{h} made a tiny hole and breathed out. There was a sound, thin as a thread. It was a real whistle",
    "a thick fog came up while they were all out on the hill, and nobody could see the others. {h} whistled, loud and long, and "
    "one after the other they found {h.him}",
    [](const kind& one) { return one.home_world == world::village || one.home_world == world::roots; }},
  {"to swim", "swim", "{^h.he} jumped in, beat the water wildly and swallowed half of the pond",
    "{^h.he} tried it close to the bank, and {h.his} legs sank like two stones",
    "First just lie on your back and look at the sky. The water will hold you",
    "{h} lay on the water like a leaf. Then {h.he} moved {h.his} legs a little, and a little more, and really moved forward",
    "a small duckling was caught in the reeds and could not get free. {h} swam out, bit through the stalk and pushed it home "
    "with {h.his} nose",
    [](const kind& one) {
      return (one.home_world == world::forest || one.home_world == world::farm) && !one.swims && !one.flies && one.size >= 2;
    }},
  {"to skate", "skate", "{^h.he} stood on the ice, and the next moment {h.he} was sitting on it",
    "{^h.he} held on to a branch, but the branch broke, and {h.he} slid across the pond on {h.his} belly",
    "Bend your knees a little, and look where you want to go and not at your feet",
    "{h} bent {h.his} knees and looked at the willow on the other side. One glide, two glides, three, and {h.he} held on to the "
    "willow",
    "the doctor had to be fetched from the other side of the frozen lake. By the road it would have taken two hours. {h} skated "
    "across in ten minutes",
    [](const kind& one) { return one.home_world == world::village; }},
  {"to read", "read", "{^h.he} stared at the black marks, but they only looked like ants",
    "{^h.he} learned three letters, and the next day {h.he} mixed them all up",
    "Every letter has a sound, like an animal. Let us give each one a name and a face",
    "The S was a snake, the O was an owl with round eyes, the M was a mountain. {h} put the sounds together, and there was a "
    "word. Then there was a whole line",
    "they all stood at a crossing in the woods and did not know the way. There was a sign, but who could read it? {h} could. “To "
    "the bridge,” {h.he} read aloud",
    village_or_paws},
  {"to juggle", "juggle", "{^h.he} threw up three apples, and all three came down on {h.his} head",
    "{^h.he} tried it with two, and one of them rolled under the cupboard",
    "Begin with one. Throw it as high as your eyes, a hundred times, until your hands do it alone",
    "One apple, a hundred times. Then two. Then, on the ninth day, three apples were in the air, and none of them fell",
    "a baby would not stop crying, and everybody had tried everything. {h} took three apples and began to juggle. The baby "
    "looked up and laughed",
    handy_folk},
  {"to bake bread", "bread", "{^h.he} forgot the salt, and it tasted of nothing",
    "{^h.he} let it bake too long, and one could have built a wall with it",
    "Knock on the bottom of it. If it sounds like a drum, it is ready",
    "{h} waited, opened the oven and knocked. It sounded like a drum. The bread was brown and smelled of home",
    "the snow lay so deep that nobody could get to the shop for three days. {h} baked bread for the whole street, and nobody "
    "went hungry",
    [](const kind& one) { return one.home_world == world::village; }},
  {"to fly high", "fly", "{^h.he} flapped so hard that {h.he} was out of breath before {h.he} reached the treetops",
    "{^h.he} jumped from a high branch, but the wind pushed {h.him} down again",
    "Do not fight the wind. Look for the places where the warm air goes up, and let it lift you",
    "{h} spread {h.his} wings over the warm field and held still. Something lifted {h.him}, higher and higher, until the trees "
    "were as small as moss",
    "a young bird had lost its way, and nobody knew where its nest was. {h} flew so high that {h.he} could see the whole forest, "
    "and there, beside the river, was the empty nest",
    [](const kind& one) { return one.flies && one.home_world == world::forest; }},
  {"to drive backwards", "backwards", "{^h.he} turned the wheels to the left and went to the right, straight into a heap of sand",
    "{^h.he} tried it slowly and knocked over all the buckets",
    "Choose one point behind you, look at it in your mirror and think of nothing else",
    "{h} looked at the gate post in {h.his} mirror and at nothing else. Slowly, slowly, and {h.he} was through the gate without "
    "a scratch",
    "a tree had fallen across the narrow road behind the hill, with a long line of cars in front of it. Nobody could turn "
    "around. {h} went first, backwards, for a whole mile, and showed the others the way out",
    [](const kind& one) { return one.home_world == world::yard; }},
  {"to knit", "knit", "{^h.he} got the wool around {h.his} neck and around both legs of the chair",
    "{^h.he} knitted a whole evening, and it looked like a fishing net",
    "Every stitch holds on to the one before it. Say it each time: reach, catch, pull, let go",
    "“Reach, catch, pull, let go,” {h} murmured. Row after row grew, and they were almost even",
    "the first frost came, and in a nest there were five young ones with bare heads. {h} knitted five tiny caps in one night",
    handy_folk},
};

} // namespace

std::string learned_skill(teller& t) {
  cast_hero(t, [](const kind& one) {
    for (const skill& each : skills) {
      if (each.fits(one)) return true;
    }
    return false;
  });
  std::vector<const skill*> fitting;
  for (const skill& one : skills) {
    if (one.fits(*t.who('h').body)) fitting.push_back(&one);
  }
  const skill& chosen = *fitting[t.draws().below(static_cast<uint32_t>(fitting.size()))];
  cast_parent(t, 'p');
  set_defaults(t);
  t.set("skill", chosen.name);
  t.set("fail1", chosen.fail1);
  t.set("fail2", chosen.fail2);
  t.set("season", chosen.word == "skate"  ? "winter"
                  : chosen.word == "swim" ? "summer"
                  : chosen.word == "knit" ? "autumn"
                                          : "[spring|summer|autumn]");
  t.set("trait", "[eager|stubborn|impatient|young|lively|ambitious|proud|cheerful]");

  open(t);
  t.say({
    "There was one thing that {h.he} wanted more than anything: {skill}.",
    "{^h.he} had seen somebody do it once, and since then {h.he} had only one wish: {skill}.",
    "{h.his} big cousin knew how {skill}, and it looked so easy.",
    "If a fairy had granted {h.him} a wish, {h} would have said, “{^skill}.”",
    "All {h.his} friends could do it, only {h.he} had never learned {skill}.",
    "“I want to learn {skill},” {h.he} told everybody who would listen.",
    "{^h.he} could do many things. But {skill}, that was what {h.he} could not do.",
  });
  t.maybe(
    {
      "“Then it is time to begin,” said {p}.",
      "“You are too small for that,” the others said, and that made {h.him} want it even more.",
      "“Why?” {p} asked once. “Because it looks like magic,” <said> {h}.",
      "{^h.he} even dreamed of it.",
    },
    2, 3);
  t.paragraph();
  t.say({
    "“Today I will learn it,” {h.he} said. {fail1}.",
    "{h} went to a place where nobody could see {h.him}. {fail1}.",
    "So {h.he} tried it. {fail1}.",
    "<one day> {h.he} began. {fail1}.",
    "It looked easy. {fail1}.",
  });
  t.say({
    "The second time was no better. {fail2}.",
    "{h} got up again and tried another way. {fail2}.",
    "“Perhaps like this?” {h.he} thought. {fail2}.",
    "“Again!” {h.he} said. {fail2}.",
    "<next day> {h.he} tried once more. {fail2}.",
  });
  t.maybe({
    "<sad>",
    "“I shall never learn it,” {h.he} said.",
    "“I am too stupid for it,” {h.he} said.",
    "For that day {h.he} had had enough.",
    "“Everybody can do it, only I cannot,” {h.he} [complained|said].",
    "“It is a stupid thing anyway,” {h.he} grumbled, but {h.he} did not mean it.",
    "The others giggled, and <sad>",
  });
  t.paragraph();
  t.set("hint", chosen.hint);
  t.say({
    "{^p} sat down beside {h.him} and waited for a while. “{hint},” {p.he} said then.",
    "“Nobody is born a master,” said {p}. “{hint}.”",
    "“Do you want to know how I learned it?” asked {p}. “{hint}.”",
    "{^p} had been watching. “Shall I tell you a trick?” {p.he} <asked>. “{hint}.”",
    "“Come here,” said {p}. “When I was your age, I could not do it either. {hint}.”",
    "In the evening {h.he} told {p} about it. {^p} smiled. “{hint},” {p.he} <said>.",
    "“[You are doing it too fast|You want too much at once],” said {p}. “{hint}.”",
  });
  t.maybe({
    "That sounded strange, but {h} tried it.",
    "{h} <thought> and nodded.",
    "“Is that all?” <asked> {h}. “That is all. And practice.”",
  });
  t.say({
    "<next day> {h} tried it like that.",
    "{h} tried it again, and this time {h.he} took {h.his} time.",
    "Again and again {h} tried it, on Monday, on Tuesday and on Wednesday.",
    "It did not work at once. But every day it was a little better.",
    "{h} practiced [every day|morning and evening|when nobody was looking].",
    "For [a week|two weeks|nine days] {h} did nothing else.",
  });
  t.say_sentence(chosen.works);
  t.maybe({
    "<glad> “I can do it!”",
    "{h} did it once more, just to be sure. It was true!",
    "“Once more!” {h.he} <cried>. And it worked once more.",
    "“Did you see that?” {h} <cried>.",
    "{h} could hardly believe it.",
    "{^p} clapped, and <glad>",
  });
  t.paragraph();
  t.set("use", chosen.use);
  t.say({
    "And that was not the end of it. One day {use}.",
    "And what was it good for? One day {use}.",
    "In the same [month|year], on a day that nobody has forgotten, {use}.",
    "Some time later {use}.",
    "It was good that {h.he} had learned it, for not long after that {use}.",
    "Then, one day, {use}.",
  });
  t.say({
    "“Where did you learn {skill} so well?” they all <asked>. {h} looked at {p}, and {p} looked at {h}.",
    "{^p} heard about it and was so proud that {p.he} told it three times that evening. And {h} thought, how good that I wanted "
    "{skill}!",
    "“Was it hard to learn?” they asked {h.him}. “{^skill} is easy,” <said> {h}. “Only not giving up is hard.”",
    "That evening {h} lay in bed and thought of all the times when it had not worked. {^skill}, it seemed to {h.him}, was made "
    "of nothing but mistakes.",
    "“Everybody can learn {skill},” <said> {h}, but {h.he} {h.joy}.",
    "And that {h} had once been unable {skill}, nobody would have believed any more.",
    "“Can you teach me {skill}?” <asked> a small one. “Of course,” <replied> {h}. “I know a trick.”",
  });
  return std::string(chosen.word);
}

} // namespace troupe::stories
