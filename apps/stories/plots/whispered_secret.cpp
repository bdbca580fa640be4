// The others whisper and fall silent when the hero comes; it is not what it seems.
#include "apps/stories/phrases/openings.hpp"
#include "apps/stories/plots/plots.hpp"
#include "apps/stories/telling/casting.hpp"

namespace troupe::stories {

std::string whispered_secret(teller& t) {
  cast_hero(t, [](const kind& one) { return one.home_world != world::yard; });
  cast_friend(t, 'o');
  set_defaults(t);
  const bool handy = t.who('h').body->handy;
  const bool farm = world_of(t) == world::farm;
  t.set("season", "[spring|summer|autumn]");
  t.set("wish", farm ? "[garland of flowers|bell with a clear sound|bed of fresh hay|wreath of clover]"
                : handy && t.who('h').body->size > 1 ? "[swing|kite|hammock|garland of flowers|flute|little boat]"
                : handy                              ? "[swing|flute|garland of flowers|bed of feathers|little boat]"
                                                     : "[garland of flowers|bed of feathers|bed of fresh moss]");
  t.set(
    "spot", by_world(t, "[behind the mill|in the old barn|in the garden of {o}]",
              "[behind the big rock|in the hollow oak|on the other side of the hill]",
              "[in the barn|behind the stable|in the orchard]", "[in the old flower pot|behind the ivy|inside the pumpkin]", ""));
  t.set("odd",
    "[colored paper in {o.his} hair|flour on {o.his} nose|a piece of string on {o.his} back|a spot of red paint on {o.his} ear]");

  open(t);
  t.say({
    "“If only I had a~ {wish},” {h.he} sometimes said, but {h.he} did not really believe in it.",
    "There was something {h.he} had always wanted: a~ {wish}.",
    "“One day,” {h.he} used to say, “one day I shall have a~ {wish}.”",
    "{h} had many wishes, little ones and big ones. The biggest was a~ {wish}.",
    "Once {h.he} had said that {h.he} would like a~ {wish}. But that was long ago.",
    "When the others talked about what they wished for, {h} always said, “A~ {wish}.”",
  });
  t.say({
    "{h.his} best friend was {o}, a~ {o.kind}, and they did everything together.",
    "If one saw {h}, one also saw {o}, a~ {o.kind}, for they were best friends.",
    "{^h.his} best friend was a~ {o.kind} called {o}, and there was nobody {h.he} liked more.",
    "With {o}, a~ {o.kind}, {h.he} shared every secret.",
    "Every day {h.he} played with {o}, a~ {o.kind}, who was {h.his} best friend.",
  });
  t.paragraph();
  t.say({
    "But one day {o} had no time. “I have something to do,” {o.he} said and [was gone|ran off].",
    "Then something changed. When {h} came to play, {o} said, “Not today,” and went away quickly.",
    "<one day> {h} saw {o} whispering with the others. When {h.he} came closer, they all fell silent.",
    "But for some days everything had been different. “I cannot come today,” {o} said, and {o.he} did not say why.",
    "Then there was a day when {o} came too late, and the day after that {o.he} did not come at all.",
    "One morning {h} [called|waited] for {o}, but {o.he} did not come.",
  });
  t.maybe({
    "The next day it was the same.",
    "The day after, it was no better.",
    "And so it went on all week.",
  });
  t.say({
    "{o} had {odd}, and when {h} asked about it, {o.he} <said>, “Oh, nothing.”",
    "Another time {o} ran past with {odd}. {^o.he} did not even stop.",
    "And what was that? {o} had {odd}. “Do not ask,” {o.he} said.",
    "Once {h.he} met {o}, who had {odd}. “Where have you been?” “Nowhere,” <said> {o}.",
    "In the evening {o} came home with {odd}, and {o.he} was humming.",
  });
  t.maybe(
    {
      "“They do not like me any more,” thought {h}.",
      "<sad> What had {h.he} done wrong?",
      "“What have I done?” {h} asked {h.himself}. But {h.he} could not think of anything.",
      "Surely they were laughing at {h.him}. {h} grew quieter every day.",
      "It is a bad feeling when others have a secret and you are not part of it. {h} knew that feeling now.",
      "“{^o.he} has found a better friend,” {h} thought, and it hurt.",
      "{h} thought of everything that {h.he} had ever said. Had {h.he} made {o} angry?",
    },
    4, 5);
  t.maybe({
    "{^h.he} did not want to eat, not even {h.his} favorite food.",
    "At night {h.he} lay awake.",
    "“Then I will play alone,” {h.he} said. But alone no game was any good.",
  });
  t.paragraph();
  t.say({
    "At last {h.he} could bear it no longer and followed {o}. The track led to a place {spot}, and from there came "
    "[whispering|laughter].",
    "{h.he} had to know. So one evening {h.he} crept after {o}, and found them all {spot}.",
    "In the end {h.he} went looking for the truth, and {h.he} found it {spot}.",
    "{h.he} did not want to listen. But {h.he} came by, and there they were, {spot}, all of them.",
    "On the seventh day {h} followed {o}. {^o.he} looked around twice and disappeared {spot}.",
    "Then {h.he} heard voices {spot}, and one of them was the voice of {o}.",
  });
  t.say({
    "<afraid> Then {h.he} stepped forward. “Why do you not want me any more?” {h.he} <asked>.",
    "“So here you are,” <said> {h}, and {h.his} voice shook. “All of you, without me.”",
    "{h} did not know where the words came from, but there they were: “What have I done to you?”",
    "“If you do not like me,” <said> {h} in a small voice, “then please tell me.”",
    "{h} wanted to turn around, but a twig cracked. Everybody looked at {h.him}.",
  });
  t.maybe({
    "For a moment nobody said a word.",
    "{o} spun around and went red.",
    "“Oh no,” <said> {o}. “You were not supposed to see it until tomorrow!”",
  });
  t.say({
    "Then they moved aside, and {h} saw what it was: a~ {wish}, almost finished.",
    "{o} pulled away a cloth. Under it was a~ {wish}, not quite finished.",
    "“Close your eyes,” <said> {o}, “no, it is too late. Open them.” It was a~ {wish}.",
    "“[Well, now|Then] it is too late,” {o.he} said. “Look!” And there, between all of them, was everything for a~ {wish}.",
  });
  t.say({
    "“It is for you,” <said> {o}. “You have wished for it as long as I have known you.”",
    "“You once helped every one of us,” <said> {o}. “Now it was our turn.”",
    "“Tomorrow is your birthday,” <said> {o}. “Have you forgotten it?”",
    "“It is one year tomorrow since you came to us,” <said> {o}. “We wanted to surprise you.”",
    "“For you,” <said> {o}. “Because you always help everybody and never ask for anything.”",
  });
  t.paragraph();
  t.maybe(
    {
      "{h} did not know whether to laugh or to cry, so {h.he} did both.",
      "<glad> Then {h.he} was ashamed. “And I thought that you were angry with me.”",
      "“Oh,” said {h}. And after a while, “Oh.”",
      "{h} turned red, redder than {o}. “I have been so stupid,” {h.he} <said>.",
      "{h} looked from one to the other. They were all smiling.",
      "“So that is what all the running was for!” <cried> {h}.",
    },
    3, 4);
  t.say({
    "“Next time,” <said> {o}, “ask me first, before you are sad for a week.” “Next time,” <said> {h}, “keep your secrets a "
    "little better.” And they went to work on the {wish} together.",
    "They finished it together, and the next day {h} had a~ {wish} and knew more surely than ever that {h.he} had friends.",
    "The {wish} was wonderful. But when {h} thought back to it later, the best thing was that everybody had kept quiet for a "
    "whole week just for {h.him}.",
    "“Not everybody who whispers means harm,” {h} told {h.himself} that night, and {h.he} fell asleep thinking of {h.his} "
    "{wish}.",
  });
  const std::string wish = t.value("wish");
  return wish.starts_with("little ") ? "boat" : wish.substr(0, wish.find(' '));
}

} // namespace troupe::stories
