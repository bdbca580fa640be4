// A short one: the hero cannot sleep, asks how others do it, and finds an own way.
#include "apps/stories/phrases/openings.hpp"
#include "apps/stories/plots/plots.hpp"
#include "apps/stories/telling/casting.hpp"

namespace troupe::stories {

std::string cannot_sleep(teller& t) {
  cast_hero(t, [](const kind& one) { return one.home_world != world::yard && !one.flies && one.name != "hen"; });
  set_defaults(t);
  const std::string_view advice[] = {
    "The bat said, “Hang upside down, then sleep runs into your head.” {h} tried it and only got dizzy",
    "The owl said, “Sleep? At night? Nobody does that.” That was no help at all",
    "The fish in the pond said, “I sleep with my eyes open.” {h} tried that, and {h.his} eyes began to [itch|burn]",
    "The horse in the meadow said, “I sleep standing up.” {h} stood on the spot until {h.his} legs hurt",
    "The cricket said, “I sing until I am tired.” {h} sang, and all the others woke up and complained",
    "The snail said, “Pull in your head and close the door.” But {h} had no door on {h.his} back",
    "The heron said, “Stand on one leg.” {h} stood on one leg and fell over",
  };
  const bool three = t.draws().chance(1, 2);
  set_distinct(t, "advice", advice, three ? 3 : 2);
  t.set("reason", "[{^h.he} had slept too long in the afternoon|The moon was too bright|{^h.he} was thinking of too many things "
                  "at once|Tomorrow was {h.his} birthday|The wind kept telling stories]");

  open(t);
  t.say({
    "One night {h} could not sleep. {reason}.",
    "{reason}, and so, one night, {h} could not sleep.",
    "It was late, and everybody was asleep but {h}. {reason}.",
    "{h} was a good sleeper. But one night sleep would not come. {reason}.",
  });
  t.say({
    "{^h.he} turned to the left. {^h.he} turned to the right.",
    "{^h.he} counted up to a hundred and back again.",
    "{^h.he} closed one eye and then the other.",
    "First it was too warm, and then it was too cold.",
  });
  t.say({
    "At last {h.he} got up and went outside. “Who can tell me how to sleep?”",
    "So {h.he} got up to ask the others how they did it.",
    "“The others must know how one does it,” {h.he} thought, and went out into the night.",
  });
  t.paragraph();
  t.say_sentence(t.value("advice1"));
  t.say_sentence(t.value("advice2"));
  if (three) t.say_sentence(t.value("advice3"));
  t.paragraph();
  t.say({
    "Tired from so much advice, {h} went home again and lay down.",
    "“They all do it in a different way,” {h} thought. “Then I will do it in mine.”",
    "When {h.he} came home, [the stars were still out|the bed was still there]. {h} lay down, just for a moment.",
  });
  t.say({
    "{^h.he} listened to the [rain|wind|night] and thought of [the nicest thing of the day|everybody {h.he} liked, one after the "
    "other|a boat that goes down a quiet river].",
    "{^h.he} told {h.himself} a story, very slowly. It began, “Once there was a~ {h.kind} who could not sleep.”",
    "{^h.he} made a place for {h.himself}, just so, with a hollow for the head and a hollow for the feet, and breathed in and "
    "out.",
  });
  t.say({
    "And before {h.he} came to the end, {h.he} was fast asleep.",
    "{^h.he} never found out how it ended, for in the middle of it {h.he} fell asleep.",
    "Nobody saw it, because all the others had been asleep for hours: {h} had found {h.his} own way.",
    "“So that is how I sleep,” {h.he} wanted to say. But by then {h.he} was asleep.",
  });
  return "asleep";
}

} // namespace troupe::stories
