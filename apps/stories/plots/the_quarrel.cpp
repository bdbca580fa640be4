// Two friends find a thing, quarrel and divide it; the halves are good for nothing.
#include "apps/stories/phrases/openings.hpp"
#include "apps/stories/plots/plots.hpp"
#include "apps/stories/telling/casting.hpp"

namespace troupe::stories {
namespace {

struct find {
  std::string_view name, word;
  std::string_view half1, half2;   // The hero's and the friend's.
  std::string_view alone1, alone2; // What they try with them.
  std::string_view need;           // What happens; "then ...".
  std::string_view joint;          // What they do together.
};

constexpr find finds[] = {
  {"an old cart", "cart", "the wheels", "the box", "{h} rolled the wheels down the hill, and they ran away from {h.him}",
    "{o} sat in the box and waited, but it did not move",
    "the potatoes had to come in before the frost, and there were so many of them",
    "They put the box on the wheels again. {h} pulled, {o} pushed, and by evening all the potatoes were in"},
  {"a boat", "boat", "the oars", "the boat", "{h} rowed in the grass, and the ants laughed",
    "{o} sat in the boat and drifted in a circle until {o.he} was dizzy",
    "the water rose in the night, and on the island the rabbits were standing with wet feet",
    "{h} took the oars, {o} steered, and one trip after another they brought all the rabbits ashore"},
  {"a drum", "drum", "the sticks", "the drum", "{h} beat on stones, on pots and on {h.his} own knees, but it only clattered",
    "{o} tapped on the drum, and it sounded like a sleepy moth", "there was a wedding, and the fiddler had lost his fiddle",
    "{h} had the sticks, {o} had the drum, and they played until the last guest had danced"},
  {"a tent", "tent", "the poles", "the cloth", "{h} stood the poles up in a ring and sat down in it. The wind blew right through",
    "{o} wrapped the cloth around {o.himself}, and when it rained, it stuck to {o.him}", "a cold rain came, and it did not stop",
    "{h} put up the poles, {o} threw the cloth over them, and then they sat in the dry tent and listened to the drops"},
  {"a kite", "kite", "the string", "the kite", "{h} pulled the string through the meadow, but a string alone does not fly",
    "{o} threw the kite into the air, and it came down again, every time", "the wind blew as it blows only once a year",
    "{h} held the string, {o} let go of the kite at the right moment, and it rose until it was no larger than a leaf"},
  {"a sled", "sled", "the runners", "the seat",
    "{h} stood on the runners, one foot on each, and fell over before {h.he} had even begun",
    "{o} sat down on the seat at the top of the hill and waited. It stayed where it was",
    "the hill was white with the last snow of the year",
    "They put the seat back on the runners, {h} sat in front, {o} sat behind, and they rushed down the hill until the snow was "
    "gone"},
  {"a swing", "swing", "the board", "the ropes", "{h} sat down on the board. It was a board on the ground, nothing more",
    "{o} hung on the ropes until {o.his} arms were as long as the ropes", "everybody asked why there was no swing this year",
    "{h} held the board, {o} tied the knots, and then they took turns, ten times each"},
};

} // namespace

std::string the_quarrel(teller& t) {
  cast_hero(t, [](const kind& one) {
    return one.handy && one.size <= 2 && (one.home_world == world::village || one.home_world == world::forest);
  });
  cast_friend(t, 'o', [](const kind&, const kind& other) { return other.handy && other.size <= 2; });
  set_defaults(t);
  const find& chosen = t.one_of(finds);
  t.set("find", chosen.name);
  t.set("word", chosen.word);
  t.set("half1", chosen.half1);
  t.set("half2", chosen.half2);
  t.set("season", chosen.word == "sled" ? "winter" : chosen.word == "cart" ? "autumn" : "[spring|summer]");
  t.set("trait", "[stubborn|proud|lively|quick|cheerful|wild|strong]");

  open(t);
  t.say({
    "{h.his} best friend was {o}, a~ {o.kind}. They had never quarreled.",
    "{^h.he} and {o}, a~ {o.kind}, had been friends for as long as they could remember.",
    "{h} had a friend, {o}, a~ {o.kind}. They shared [everything|every apple and every secret].",
    "There were no better friends than {h} and {o}, a~ {o.kind}. So everybody said, and so it was.",
    "{o}, a~ {o.kind}, was {h.his} friend. In all those years there had not been a bad word between them.",
    "Where {h} was, there was {o}, the {o.kind}, and the other way around.",
  });
  t.paragraph();
  t.say({
    "<one day> they found {find} [behind an old shed|at the side of the road|on the bank of the river]. It belonged to nobody.",
    "One [morning|day] the river had washed up something: {find}. It was old, but nothing was missing.",
    "On a walk, behind a hedge, they saw {find}. It belonged to nobody, and nobody wanted it.",
    "Then they found {find}. Somebody had thrown it away, but it was still good.",
    "After a long walk they came upon {find} [under a tarp|behind a hedge]. “Take it,” said an old man, “I do not need it any "
    "more.”",
  });
  t.say({
    "“I saw it first,” <cried> {h}. “But I got there first,” <cried> {o}.",
    "“It is mine,” <said> {h}. “No, mine,” <said> {o}.",
    "“My {word}!” <said> {h}. “What do you mean, your {word}?” <asked> {o}.",
    "“[I know|I have a place] where we can put it,” <said> {o}, “at my house.” “At mine,” <said> {h}.",
    "For a moment they were silent. Then both said at the same time, “It is mine.”",
    "At first they were glad. But then each of them wanted to have it at home.",
    "“I will take it with me,” <said> {o}. “Why you?” <asked> {h}.",
  });
  t.maybe({
    "One word led to another. They pulled at it from both sides, and there was a crack.",
    "Soon it was not about the {word} any more. It was about who had been right last week, and the week before.",
    "They grew louder and louder, and in the end they did not even know what they were shouting.",
    "They shouted so loudly that the birds flew up. Neither of them would give in.",
    "They pulled and pushed and called each other names that do not belong in a story.",
  });
  t.say({
    "In the end they divided the {word}. {h} took {half1}, and {o} took {half2}.",
    "“Then we will share,” <said> {o} angrily. “You take {half1}, and I take {half2}. And then I do not want to see you any "
    "more.”",
    "“Half for you and half for me,” <said> {h}, “and that is the end of it.” {^h.he} took {half1}. {o} took {half2}.",
    "And because neither would give in, they took the {word} apart. {^half1} went to {h}, {half2} went to {o}.",
    "So {h} went home with {half1}, and {o} went home with {half2}, and they did not say goodbye.",
  });
  t.paragraph();
  t.say_sentence(chosen.alone1);
  t.say_sentence(chosen.alone2);
  t.maybe(
    {
      "“I do not care,” <said> {h}. But {h.he} looked over to the other side again and again.",
      "A joke came to {h.his} mind, a very good one. But there was nobody to tell it to.",
      "{h} played alone, and {o} played alone, and both of them pretended that it was fun.",
      "When they met on the path, each of them looked at the sky. It must have been very interesting up there.",
      "It was boring without {o}, but {h} would never have said so.",
      "The days grew long. Whatever {h} saw, {h.he} thought, “I must tell {o}.” And then {h.he} remembered.",
      "<sad> With whom could {h.he} laugh now?",
    },
    2, 3);
  t.paragraph();
  t.set("need", chosen.need);
  t.say({
    "Then {need}.",
    "Perhaps it would have gone on like that for ever. But one day {need}.",
    "A week later {need}.",
    "And then, one day, {need}.",
  });
  t.say({
    "{h} looked at {half1}. “Half a~ {word} is no good to anybody,” {h.he} <said>. And {h.he} {h.went} to {o}.",
    "At {h.his} door {h} stood still, with {half1} beside {h.him}. It was not far to {o}. It was only hard. Then {h.he} went.",
    "“I could go over,” {h} thought. “I could,” thought {o}, too. They met in the middle, one with {half1} and one with {half2}.",
    "{h} took a deep breath, took {half1} and set off. Halfway {h.he} met {o}, who was carrying {half2}.",
    "There was a knock. {o} stood outside with {half2}. “I thought,” {o.he} <said>, and did not know how to go on.",
  });
  t.say({
    "“I am sorry,” they both said at the same time.",
    "“I have missed you,” <said> {h}. “Every day,” <said> {o}.",
    "“Do you want it?” <asked> {h}. “You can have all of it.” “No, you,” <replied> {o}. That would almost have been the next "
    "quarrel.",
    "“I was stupid,” <said> {h}. “I was, too,” <said> {o}.",
    "Neither of them knew what to say. Then they both had to laugh.",
    "“[It was my fault|I started it],” <said> {h}. “No, I did,” <said> {o}. They almost began to quarrel again.",
  });
  t.say_sentence(chosen.joint);
  t.paragraph();
  t.say({
    "“Whose is the {word} now?” <asked> {o} in the evening. “Mine,” <replied> {h}, “and yours.”",
    "The {word} stayed with {h} for one week and with {o} for the next. But most of the time they were together "
    "anyway.",
    "They painted both their names on the {word}, one on the left and one on the right. And between the names they painted a "
    "small sun.",
    "“Did we really quarrel about a~ {word}?” <asked> {o}. “We will never do that again,” <said> {h}. They did, of course, but "
    "never for so long.",
    "If you meet them today, with their {word}, ask whose it is. They will both point at each other.",
    "From then on the {word} belonged to both of them, and that was more than twice as good as half a~ {word}.",
    "Half a~ {word}, {h} thought that night, is not a small {word}. It is none at all. And with friends it is the same.",
  });
  return std::string(chosen.word);
}

} // namespace troupe::stories
