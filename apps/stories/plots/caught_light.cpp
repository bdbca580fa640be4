// Somebody who cannot go out longs for something that cannot be caught; the hero brings it all the same, in another way.
#include "apps/stories/phrases/openings.hpp"
#include "apps/stories/plots/plots.hpp"
#include "apps/stories/telling/casting.hpp"

namespace troupe::stories {
namespace {

struct wonder {
  std::string_view name, word;
  std::string_view wish; // What {o} says, without quotes.
  std::string_view try1, try2;
  std::string_view idea; // What the hero notices; sentences.
  std::string_view brings;
  std::string_view season;
};

constexpr wonder wonders[] = {
  {"the moon", "moon", "From my bed I cannot see the moon",
    "{^h.he} climbed the highest hill and jumped. The moon stayed where it was",
    "{^h.he} threw a loop of rope at it. The rope fell on {h.his} own head",
    "Tired, {h} bent down to the water barrel to drink. There it was, round and bright, and it looked up at {h.him}",
    "{^h.he} filled a wide bowl with water, put it on the window sill beside the bed, and moved it until the moon lay in the "
    "middle of it",
    "[spring|summer|autumn]"},
  {"the rainbow", "rainbow", "I have never seen a rainbow from near by",
    "{^h.he} ran toward it, over two fields, but it ran away just as fast",
    "{^h.he} held up a sack where it touched the ground. The sack stayed empty",
    "Sadly {h} watered the flowers. The sun was shining from behind, and in the fine drops there were colors, red and yellow and "
    "blue",
    "{^h.he} went under the window of {o} with the watering can, tipped it against the sun, and a small rainbow stood over the "
    "flower bed",
    "[spring|summer]"},
  {"a star", "star", "If only I could have one star for my dark room",
    "{^h.he} went up the hill with a ladder. There were only a few steps missing, {h.he} thought, but it was more than a few",
    "{^h.he} waited for one to fall. One did fall, but far away, behind the forest",
    "Then {h} saw that in the grass tiny lights were glowing, here and there, as if the sky had come down",
    "{^h.he} asked the glowworms very politely. Seven of them came along, sat down on the ceiling above the bed and shone, and "
    "one of them looked just like a star",
    "summer"},
  {"the sun", "sun", "The sun never comes into my room. It goes past",
    "{^h.he} opened a box in the sun, waited, closed it quickly and carried it home. Inside it was dark",
    "{^h.he} asked the sun to come a little lower. It did come lower, but only in the evening, and on the other side",
    "Then {h} saw a bright spot dancing across the wall. It came from a piece of a broken mirror that lay in the yard",
    "{^h.he} fixed the mirror to the fence, turned it a little to the left and a little to the right, and the sun fell through "
    "the window, straight on the pillow",
    "[spring|summer]"},
  {"the first snow", "snow", "I love the first snow so much, and now I have to stay in bed",
    "{^h.he} carried a snowball up to the room. On the way it turned into water",
    "{^h.he} held out one flake on a glove, very carefully. At the door it was gone",
    "Then {h} looked at a flake for a long time, before it melted. It had six arms, and each was like a little fern",
    "{^h.he} folded white paper, cut out six arms, again and again, and hung a hundred paper flakes over the bed, so that it was "
    "a snow that did not melt",
    "winter"},
  {"the sea", "sea", "Once more I would like to hear the sea",
    "{^h.he} filled a bottle at the shore. In the bottle it was only water, and it did not make a sound",
    "{^h.he} tried to sing like the waves. It sounded like an old cow, and they both had to laugh",
    "On the beach {h} found a large shell. Without thinking, {h.he} held it to one ear, and held {h.his} breath",
    "{^h.he} ran all the way and laid the shell on the pillow. “Listen,” {h.he} said. {o} listened, and there it was, far away "
    "and near at the same time: the sea",
    "[summer|autumn]"},
};

} // namespace

std::string caught_light(teller& t) {
  cast_hero(t, [](const kind& one) { return one.handy && one.size == 2 && one.home_world == world::village; });
  cast_friend(t, 'o');
  set_defaults(t);
  const wonder& chosen = t.one_of(wonders);
  t.set("wonder", chosen.name);
  t.set("word", chosen.word);
  t.set("wish", chosen.wish);
  t.set("neighbor", "[the baker|an old fisherman|{h.his} uncle]");
  t.set("season", chosen.season);
  if (chosen.word == "sea") t.set("where", "[in a small town by the sea|in a fishing village|in a village behind the dunes]");

  open(t);
  t.say({
    "{h.his} best friend was {o}, who lived across the street.",
    "{h} and {o} were friends. They had sat side by side since the first day of school.",
    "Nobody could laugh like {o}, a~ {o.kind} from the next street and {h.his} best friend.",
    "Every afternoon {h.he} met {o}, a~ {o.kind} from the same street, and then they were never bored.",
    "In the house next door lived {o}, who was just as old as {h.he}.",
    "{h.he} had a friend, a~ {o.kind} named {o}, and every day they went to school together.",
  });
  t.paragraph();
  t.say({
    "But then {o} broke a leg and had to lie still for six weeks.",
    "In that year {o} was ill for a long time. {h} was allowed to visit {o.him}, but not for long.",
    "Then came a bad week. {o} slipped on the stairs, and after that {o.he} had to lie in bed with {o.his} leg in a bandage.",
    "Then {o} fell ill and had to stay in bed for a long time.",
    "But one day {o} fell out of the apple tree and was not allowed to get up for a month.",
  });
  t.say({
    "“What can I bring you?” <asked> {h}. {o} thought for a while. “{wish}.”",
    "“Is it very boring?” <asked> {h}. “It is not so bad,” <replied> {o}. “Only sometimes. {wish}.”",
    "When {h} came to visit, {o} was looking out of the window. “{wish},” {o.he} <said>.",
    "“If you could wish for something,” <asked> {h}, “what would it be?” {o} did not have to think. “{wish}.”",
    "“Do you need anything?” <asked> {h}. “{wish},” <replied> {o}. “But you cannot bring me that.”",
    "“I have [apples|books|tea] enough,” <said> {o}. “Only one thing I miss. {wish}.”",
  });
  t.say({
    "“Then I will bring you {wonder},” <said> {h}. It was out before {h.he} had thought about it.",
    "“Nothing easier than that,” <said> {h}. But outside the door {h.he} scratched {h.his} head. {^wonder}? How does one get "
    "that?",
    "{h} said nothing. But on the stairs {h.he} already began to think about how one could bring {o} {wonder}.",
    "“I promise you {wonder},” <said> {h}, and a promise is a promise.",
    "“Wait,” <said> {h}. “I will get it for you.”",
    "On the way home {h} made up {h.his} mind: {o} should have {wonder}.",
  });
  t.paragraph();
  t.set("try1", chosen.try1);
  t.set("try2", chosen.try2);
  t.say({
    "{try1}.",
    "So {h.he} went out to fetch it. {try1}.",
    "{h} did not waste any time. {try1}.",
    "First {h} tried it in the simplest way. {try1}.",
    "<that evening> {h} set to work. {try1}.",
  });
  t.say({
    "Then {h.he} tried something else. {try2}.",
    "“Not like that,” {h.he} <said>. {try2}.",
    "{h} did not give up. {try2}.",
    "It had to be done in another way. {try2}.",
    "The next time {h.he} was cleverer. {try2}.",
  });
  t.say({
    "<sad> How could {h.he} go to {o} now?",
    "“It is impossible,” thought {h}. “I should not have promised it.”",
    "“[Nobody can catch {wonder}|{^wonder} cannot be caught],” <said> {neighbor}.",
    "<sad>",
  });
  t.say_sentence(chosen.idea);
  t.maybe({
    "{h} jumped up. “That is it!”",
    "And then {h.he} had an idea.",
    "“Why did I not think of it before?” {h.he} <said>.",
    "{h} looked at it for a long time. Then {h.he} smiled.",
    "{h} stood quite still. Then {h.he} began to run.",
    "“So that is how it goes,” {h.he} <whispered>.",
  });
  t.paragraph();
  t.say_sentence(chosen.brings);
  t.maybe({
    "{o} did not say anything for a long time.",
    "{o} sat up and forgot that it hurt.",
    "First {o} laughed, then {o.he} cried a little, and then {o.he} laughed again.",
    "The eyes of {o} were shining.",
    "“Oh,” <said> {o}, and nothing else.",
    "“How did you do that?” <whispered> {o}.",
  });
  t.paragraph();
  t.say({
    "“I could not catch {wonder},” <said> {h}. “But I could invite it.”",
    "“You have really brought me {the wonder},” <said> {o}. “Not all of it,” <said> {h}. “But a part.”",
    "“Now I am well again,” <said> {o}. It was not true yet, but it was a little truer than before, and {wonder} had done it.",
    "“Is it real?” <asked> {o}. “As real as {the wonder} can be in a room,” <replied> {h}.",
    "“Tomorrow I will bring you something else,” <said> {h}. “No,” <said> {o}, “leave {the wonder} here for one more day.”",
    "{o} was the only one in the whole town to whom somebody had brought {wonder}. And {h} was the only one who had ever carried "
    "it.",
    "They sat there together until it was late. And when {o} was well again, they went out and looked at {wonder} side by side.",
    "Weeks later {o} could walk again. “Do you know what was best?” {o.he} <asked>. “The {word}?” <asked> {h}. “No. That you ran "
    "so far for it.”",
  });
  t.maybe(
    {
      "<glad> It does not always need to be the whole thing, a little of it is enough if it comes from a friend.",
      "And that night {h} looked up and thanked {wonder}, just in case it could hear {h.him}.",
    },
    1, 3);
  return std::string(chosen.word);
}

} // namespace troupe::stories
