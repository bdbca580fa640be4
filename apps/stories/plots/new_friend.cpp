// Somebody new comes, who is different; the others keep away; the hero finds out what the difference is good for.
#include "apps/stories/phrases/openings.hpp"
#include "apps/stories/plots/plots.hpp"
#include "apps/stories/telling/casting.hpp"

namespace troupe::stories {
namespace {

struct newcomer {
  bool machine;            // It can be a machine.
  std::string_view odd;    // What is strange about {o}.
  std::string_view gossip; // What the others say, without quotes.
  std::string_view reason; // What {o} tells the hero, without quotes.
  std::string_view proof;  // The day when it was good for all.
};

constexpr newcomer newcomers[] = {
  {false, "spoke so softly that nobody could understand {o.him}", "Does {o.he} think that we are not good enough to talk to",
    "Where I come from, one must be quiet, because of the avalanches in the mountains",
    "a lost swallow sat in a thorn bush and was afraid of every loud voice. Only {o} could go near and calm it with soft words"},
  {false, "always carried a bag that nobody was allowed to see into", "Surely {o.he} has stolen something",
    "There are seeds in it, from the home that I had to leave. They are all I have of it",
    "the bag was opened, and {o} planted the seeds along the path. In the summer red flowers grew there such as nobody had seen "
    "before"},
  {false, "slept by day and was awake at night", "Only thieves walk around at night",
    "At night I can see well, and by day the light hurts my eyes",
    "smoke rose in the middle of the night while everybody was asleep. {o} was awake. {^o.he} woke them all, and the fire was "
    "put out before it was big"},
  {false, "never laughed, not even at the best jokes", "What a bore",
    "I laugh inside. My face has not learned it yet, because I was alone for so long",
    "everybody was sad because rain had spoiled the fair. {o} told a story, with a very serious face, and they laughed until "
    "they cried. And at the very end {o} laughed, too"},
  {true, "sang strange songs in a language that nobody knew", "What kind of noise is that",
    "They are the songs of my home. When I sing them, I am not so far away from it",
    "a thick fog came, and nobody could see the way home. {o} stood on the hill and sang, and they all followed the song"},
  {false, "greeted everybody by touching the ground", "How silly that looks",
    "With us it means: I stand on the same earth as you",
    "two neighbors who had not spoken to each other for a year met on the narrow path, and neither would step aside. {o} showed "
    "them the greeting. They had to laugh, and then they could talk again"},
  {true, "collected old things that others threw away", "{^o.he} brings nothing but rubbish",
    "Nothing is rubbish if you know what it can become",
    "a wheel of the big cart broke, just before the fair. {o} looked through all the old things and found the one piece that "
    "fitted"},
};

} // namespace

std::string new_friend(teller& t) {
  cast_hero(t);
  cast_friend(t, 'o', [](const kind& hero, const kind& other) { return hero.home_world == world::village || &hero != &other; });
  set_defaults(t);
  std::vector<const newcomer*> fitting;
  for (const newcomer& one : newcomers) {
    if (one.machine || world_of(t) != world::yard) fitting.push_back(&one);
  }
  const newcomer& guest = *fitting[t.draws().below(static_cast<uint32_t>(fitting.size()))];
  t.set("odd", guest.odd);
  t.set("gossip", guest.gossip);
  t.set("reason", guest.reason);
  t.set("proof", guest.proof);
  t.set("season", "[spring|summer|autumn]");
  t.set("game", by_world(t, "[ball|hide and seek|tag]", "[tag|hide and seek]", "[tag around the haystack|hide and seek]",
                  "[leapfrog|hide and seek]", "[races|hide and seek]"));
  t.set("place",
    by_world(t, "[at the edge of the market square|under the lime tree|on the wall by the school]",
      "[beside the stream|under a fir tree|at the edge of the clearing]", "[behind the barn|beside the pond|under the pear tree]",
      "[under a dandelion|on the edge of the well|beside the ivy]",
      "[beside the gate|behind the workshop|at the end of the rails]"));

  open(t);
  t.maybe(
    {
      "{^h.he} [had everything but a good friend|knew everybody and had no best friend|would have liked to have a friend].",
      "There was one thing {h.he} wished for, and that was a real friend.",
      "“A friend,” {h} often thought, “that would be something.”",
    },
    2, 3);
  t.paragraph();
  t.say({
    "<one day> somebody new arrived, a~ {o.kind} named {o}. {^o.he} {odd}.",
    "In that year {o} came to live there, a~ {o.kind} from far away. {^o.he} {odd}.",
    "<one day> everybody ran together. There was someone new! It was a~ {o.kind} with the name of {o}, and {o.he} {odd}.",
    "“Have you seen the new one?” the others asked {h}. The new one was {o}, a~ {o.kind}. {^o.he} {odd}.",
    "Then a new {o.kind} came. {^o.he} was called {o}, and {o.he} {odd}.",
    "One [rainy|windy|sunny] evening a~ {o.kind} arrived who had come a long way. {^o.his} name was {o}, and {o.he} {odd}.",
  });
  const bool question = guest.gossip.starts_with("Does") || guest.gossip.starts_with("What kind");
  t.say(question
          ? teller::ways{"“{gossip}?” the others asked.", "The others put their heads together. “{gossip}?” they whispered."}
          : teller::ways{
              "“{gossip}!” the others said.",
              "“{gossip},” they said behind {o.his} back.",
              "The others put their heads together. “{gossip},” they whispered.",
            });
  t.maybe({
    "When they played {game}, nobody called {o.him}.",
    "They did not mean any harm. But when {o} came, they [moved closer together|fell silent].",
    "{o} said good morning to everybody, and hardly anybody said it back.",
    "And when there was a game of {game}, there was always one too many, and it was always {o}.",
    "Nobody was unkind to {o.him}. But nobody sat down beside {o.him} either.",
    "So {o} sat alone {place} and watched the others play {game}.",
    "And so {o} was always alone, {place}, with {o.his} eyes on the ground.",
  });
  t.paragraph();
  t.say({
    "At first {h} kept away, too.",
    "{h} said nothing. But it felt wrong to say nothing.",
    "“They do not even know {o.him},” {h} thought.",
    "{h} watched {o} from far away. {^o.he} did not look [proud|bad], {o.he} looked lonely.",
    "{h} did not know what to think.",
    "{h} played with the others, but {h.he} kept looking over to {o}.",
    "<think> It was not right.",
  });
  t.say({
    "Then {h.he} remembered [{h.his} first day, when {h.he} had known nobody|how it feels to be left out].",
    "Once their eyes met, and {o} smiled a tiny smile. {h} went over.",
    "The others went home. {o} stayed, and this time {h} stayed, too.",
    "<one day> {h} stumbled and fell, and the one who helped {h.him} up was {o}.",
    "One day {h} took heart, went over and sat down.",
    "<one day> it rained, and the two stood under the same roof.",
    "“I can at least say good morning,” {h.he} thought.",
  });
  t.say({
    "“Hello,” {h.he} <said>. “I am {h}.” “I know,” <said> {o}. “I have been listening.”",
    "“[Is this seat free|May I]?” {h} <asked>. “It always is,” <said> {o}.",
    "“They say that you are strange,” <said> {h}. “They say a lot,” <said> {o}. “What do you say?”",
    "“I do not know any games here,” <said> {o} after a while. “Then I will show you one,” <said> {h}.",
    "“May I sit with you?” {h} <asked>. {o} moved over and made room.",
    "“Would you like half of my [pear|apple]?” {h} <asked>. {o} nodded.",
    "For a while they said nothing and looked at the [clouds|rain]. It was a good kind of silence.",
  });
  t.say({
    "Then {h} asked what {h.he} had wanted to know all the time. “{reason},” <said> {o}.",
    "“May I ask you something?” <said> {h}. “Why is it that you are not like the others?” {o} smiled. “{reason}.”",
    "They talked about this and that, and in the end {h} asked about it. {o} was not angry. “{reason}.”",
    "“Everybody wonders about me, I know,” <said> {o}. “{reason}.”",
    "“If you will not laugh, I will tell you,” <said> {o}. “{reason}.”",
    "And then {o} began to talk. “{reason},” {o.he} <said>.",
  });
  t.maybe({
    "“That is not strange at all,” <said> {h}.",
    "{h} had not thought of that.",
    "“[Nobody has ever|None of them has ever] asked me,” {o.he} added.",
    "Now {h} understood.",
  });
  t.maybe({
    "After that they met every day {place}.",
    "The two met again the next day, and the day after that.",
    "“Will you come again tomorrow?” <asked> {o}. {h} came, and not only tomorrow.",
  });
  t.paragraph();
  t.say({
    "And then came the day when {proof}.",
    "Not long after that {proof}.",
    "A few weeks passed. Then, one day, {proof}.",
    "Nobody would have thought of {o} again if it had not been for one day: {proof}.",
  });
  t.say({
    "“And we thought that {o.he} was strange!” <said> the others, and they were ashamed.",
    "After that nobody whispered about {o} any more.",
    "“How stupid we were,” <said> the others.",
    "The others stood there and did not know where to look. Then one of them said, “We are sorry.”",
    "Now all of them wanted to know {o}.",
    "“Will you play {game} with us?” the others asked.",
    "“Thank you, {o},” <said> the others, and this time they meant it.",
  });
  t.say({
    "{o} was glad. But on the way home {o.he} stayed beside {h}. “You came before I was of use to anybody,” {o.he} <said>. “That "
    "is a friend.”",
    "“[I have known it for a long time|I could have told you that],” <said> {h} and {h.joy}. And {o}, {h.his} friend, laughed.",
    "{o} looked for {h}, came close and said, “My first friend is still my best one.”",
    "“Come on, both of you!” the others called. {o} looked at {h}. “Together?” {o.he} asked. “Together,” <said> {h}. That is "
    "what a friend is for.",
    "<that evening> {h} lay awake for a while, out of joy. {^h.he} had a friend, and {h.he} had found {o.him} before all the "
    "others.",
    "Today nobody knows any longer who was there first and who came later. But {h} and {o} know it, for that was how {h} found a "
    "friend.",
    "And whenever somebody new arrives, two come to say hello at once: {h} and {h.his} friend {o}.",
    "So {h}, who had wished for a friend, found one where nobody had looked.",
  });
  return "friend";
}

} // namespace troupe::stories
