// A contest; on the way somebody needs help; who stops loses the prize, or so it seems.
#include "apps/stories/phrases/openings.hpp"
#include "apps/stories/plots/plots.hpp"
#include "apps/stories/telling/casting.hpp"

namespace troupe::stories {
std::string the_contest(teller& t) {
  cast_hero(t, [](const kind& one) { return !one.flies && one.home_world != world::roots; });
  // A rival of another kind, and somebody who needs help.
  cast_friend(t, 'o', [](const kind&, const kind& other) { return !other.flies; });
  set_defaults(t);
  const world where = world_of(t);
  const bool machine = where == world::yard;
  t.set("event",
    machine ? "[the race to the harbor and back|the great race around the town|the race up the hill with a full load of sand]"
            : "[the race to the old mill and back|the great race around the lake|the race across the seven ditches|the race up "
              "the hill and down again]");
  t.set("start",
    machine
      ? "[The light turned green, and they all set off with a roar|A horn gave the sign, and they set off in a cloud of dust]"
      : "[At the sound of a horn|A bell rang, and|“Ready, steady, go!” And] they all set off[|, and the dust flew]");
  t.set("season", "[spring|summer|autumn]");
  t.set("trait", "[quick|strong|stubborn|cheerful|eager|lively]");
  t.set("prize", machine ? "[a coat of new red paint|a golden horn|a set of new tires]"
                         : "[a basket of cherries|a golden ribbon|a silver cup|a pie as big as a wheel|a drum with a red rim]");
  t.set("needy", by_world(t,
                   "[a small boy who had lost his shoe|an old man whose basket had tipped over|a girl with a bleeding knee|a "
                   "woman whose goat had run away]",
                   "[a young thrush that had fallen out of the nest|an old hamster whose winter store had rolled down the "
                   "slope|a tiny lizard that was caught under a stone]",
                   "[a duckling that had lost the other ducklings|an old sheep that was stuck in the brambles|a kitten that did "
                   "not dare to come down from a post]",
                   "", "[a small cart with a flat tire|an old tram that had run out of power|a van that was stuck in the mud]"));
  t.set("help", by_world(t, "[{^h.he} helped until everything was in order again|{^h.he} did not leave before all was well]",
                  "[{^h.he} helped until everything was in its place again|{^h.he} did not leave until all was well]",
                  "[{^h.he} pulled and pushed and talked kindly until all was well|{^h.he} did not leave until all was well]", "",
                  "[{^h.he} pulled and pushed until it was on the road again|{^h.he} did not leave until it could move again]"));

  open(t);
  t.say({
    "Every year there was {event}, and this year {h.he} wanted to win it.",
    "“This year it will be me,” {h.he} told everybody. {^h.he} meant {event}.",
    "Soon it would be time for {event}, and {h} [could hardly sleep|thought of nothing else].",
    "All [spring|year] long {h} had been looking forward to {event}.",
    "{^h.he} had only one thing in {h.his} head: {event}.",
    "The next Sunday was the day of {event}. {h} had been [training|practicing] for weeks.",
  });
  t.say({
    "For the winner there was {prize}.",
    "They said that there would be {prize} for the first at the finish.",
    "{^prize} was waiting for the winner. {h} had seen it [with {h.his} own eyes|from close by], and it was beautiful.",
    "The prize was {prize}, and {h.he} already saw it [in {h.his} dreams|before {h.him}].",
    "“If I win {prize},” {h.he} said, “I will [share it with everybody|show it to everybody who ever laughed at me].”",
  });
  t.say({
    "“You? Never,” <said> {o}, a~ {o.kind} who had won the year before.",
    "{h} feared only one: {o}, a~ {o.kind} with [a proud look|endless strength].",
    "“[Good luck|May the best one win],” <said> {o}, a~ {o.kind}, and smiled like somebody who has already won.",
    "But there was also {o}, a~ {o.kind}, who had won three times.",
    "The fastest of all was {o}, a~ {o.kind}. “I will be asleep at the finish by the time you come,” {o.he} liked to say.",
  });
  t.paragraph();
  t.say("{start}.");
  t.maybe(
    {
      "{h} was [well in front|among the first|second only to one].",
      "{h} was fast. {^h.he} could [already hear the others breathing hard|feel the wind in {h.his} face], and in front of "
      "{h.him} was only {o}.",
      "It went better than {h} had dared to hope. {^h.he} overtook one, and another, and then two at once.",
      "{h} got away well. Soon there were only two in front of {h.him}, then one.",
      "{h} had never been so fast. One after the other fell behind.",
    },
    2, 3);
  t.say({
    "Then, at a bend, {h.he} saw {needy}.",
    "Then something moved beside the path. It was {needy}.",
    "On the last stretch, where the path is narrow, {h.he} came upon {needy}.",
    "“Help!” said a small voice. {h} turned {h.his} head. There was {needy}.",
    "But halfway there, at the side of the path, was {needy}.",
    "The finish was already in sight when {h.he} heard somebody cry. It was {needy}.",
  });
  t.maybe(
    {
      "All the others went past, with their eyes on the finish.",
      "{o} had gone past without a look, and so had all the others.",
      "Nobody else stopped. They were all thinking of {the prize}.",
      "“Somebody else will help,” thought the others, and on they went.",
    },
    2, 3);
  t.say({
    "{h} looked at the finish. {^h.he} looked back. Then {h.he} stopped.",
    "“Only a moment,” {h} thought. But it took more than a moment.",
    "There are moments when one does not have to think. {h} stopped.",
    "Was that worth more than {the prize}? {h} did not ask {h.himself} for long.",
    "“If I stop now, it is over,” {h} thought. And {h.he} stopped.",
    "{h} went on for ten steps, and each was heavier than the last. Then {h.he} turned around.",
    "It took {h} only a moment to decide.",
  });
  t.say("{help}.");
  t.paragraph();
  t.say({
    "When {h} came to the finish, the flags were already being rolled up.",
    "By then the race was over. {h} came to the finish quite alone.",
    "When {h} arrived at last, somebody was already sweeping the road.",
    "{h} was the very last to arrive.",
    "{h} reached the finish when the others had long had their breath back.",
  });
  t.say({
    "{o} had won, and {the prize} belonged to {o.him}.",
    "The winner was {o}, and {o.he} was just being given {the prize}.",
    "Everybody stood around {o} and cheered. {^o.he} had {the prize}.",
    "First had been {o}. That was no surprise to anybody, and {the prize} was gone.",
    "{^the prize}? That had gone to {o}.",
  });
  t.maybe({
    "<sad>",
    "{h} was tired and a little sad.",
    "“Never mind,” {h} thought, but it did hurt a little.",
  });
  t.paragraph();
  if (t.draws().chance(1, 2)) {
    t.say({
      "Then {o} came up to {h.him}. “I saw it,” {o.he} <said>. “I saw who was there by the path, and I went on.”",
      "“Why are you so late?” <asked> {o}. {h} told {o.him}. {o} grew quiet.",
      "Only {o} did not cheer. “Something is wrong,” {o.he} <said>. “You were right behind me. Why did you stop?” And {h} told "
      "{o.him}.",
      "In the evening there was a knock at the door. It was {o}, with {the prize}. “I have heard what you did,” {o.he} <said>. "
      "“I cannot be happy with it.”",
      "{o} looked at {the prize} and was not happy with it. “I went past,” {o.he} <said>. “You did not.”",
    });
    t.say({
      "“Half of it is yours,” {o.he} said, “or I will not enjoy it.”",
      "“Without that stop you would have won,” {o.he} said. “Let us share.”",
      "“Let us say that both of us have won,” {o.he} said, “each in a different way.”",
      "“[Take it|It is yours],” {o.he} said. “No,” <said> {h}. “But I would take half.”",
      "“Next year I will stop, too,” {o.he} said. “And today we share.”",
    });
    t.say({
      "<glad> “And next year,” {h.he} said, “we will practice for the race together.”",
      "After that {h} had no more dreams about {the prize}, but a friend to train with. And the next race? That is another "
      "story.",
      "{h} had lost the race and won a friend, and that lasts longer than any prize.",
      "<glad> They went home together, and on the way they agreed that it had been the best race of all.",
      "The next year the two went side by side, and nobody could say which of them had won the race.",
    });
  } else {
    t.say({
      "Then somebody pushed through the crowd. It was the one whom {h} had helped.",
      "Then the crowd moved apart. The one whom {h} had helped came to the front and told it all, from the beginning to the end.",
      "But then there was a noise at the back. The one whom {h} had helped had come, too, and told everybody what had happened.",
    });
    t.say({
      "“[Listen|Quiet], all of you!” <said> the judge. “Today we have two winners. One was the fastest, and one had the best "
      "heart.”",
      "The crowd went quiet. Then one began to clap, and another, and in the end they all cheered for {h}, louder than they had "
      "cheered for {o}.",
      "“And you all went past?” <asked> the judge. Nobody answered. {o} looked at the ground.",
    });
    t.say({
      "<glad> There was no prize for it, and still {h.he} would not have traded it for winning the race.",
      "Long after everybody had forgotten who won the race that year, they still told each other how {h} had lost it.",
      "{h} went home without a prize. But {h.he} had never gone home so happy after a race.",
      "Since then there has been a rule: in the race, whoever passes somebody in need cannot win. {h} had not won the race, but "
      "{h.he} had changed it.",
      "In the end it was {o} who put {the prize} before {h}. “You ran the better race,” {o.he} <said>.",
    });
  }
  return "race";
}

} // namespace troupe::stories
