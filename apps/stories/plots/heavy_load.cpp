// A short one of machines: one is laughed at for what it is, and that is what helps in the end.
#include "apps/stories/phrases/openings.hpp"
#include "apps/stories/plots/plots.hpp"
#include "apps/stories/telling/casting.hpp"

namespace troupe::stories {
namespace {

struct flaw {
  std::string_view word;
  std::string_view is;    // "had ..."
  std::string_view laugh; // What the others say.
  std::string_view event; // What happens.
  std::string_view helps; // How it helps.
};

constexpr flaw flaws[] = {
  {"slow", "was the slowest of all", "“By the time you arrive, we will be on our way back,”",
    "a load of glass had to be brought over the bumpy road. The fast ones took the bends too quickly, and it clinked and "
    "clattered",
    "{h} rolled over every bump as softly as a cat, and when {h.he} arrived, slow as {h.he} was, not one pane was broken"},
  {"horn", "had a horn that croaked like a frog", "“Did somebody step on a frog?”",
    "fog came up from the canal, so thick that the machines could not see their own lamps. They all hooted, and all the hooting "
    "sounded the same",
    "Then {h} sounded {h.his} horn. “That is {h}!” they called, and they all followed the frog until they stood safely in the "
    "yard"},
  {"rust", "had a big spot of rust on one door", "“Come no closer, it might be catching,”",
    "new paint was sprayed in the yard, and afterwards all of them looked alike. Nobody knew any longer who was who, and every "
    "load went to the wrong place",
    "Only {h} could still be told by the rust. So {h} stood in the middle and called out the names, and one by one they found "
    "their places again"},
  {"color", "was painted in a loud yellow color, because no other had been left", "“Look away, or you will go blind,”",
    "snow fell and fell, and two of the machines slid into a ditch. Everything was white, and nobody could find the road any "
    "more",
    "The yellow color of {h} could be seen from far away. {^h.he} drove slowly in front, and the others followed the yellow "
    "spot, and so they all came home"},
  {"creaked", "creaked at every turn of the wheels", "“Here comes the old door,”",
    "it was time for the mice in the field to move house, but they did not hear the quiet new machines coming",
    "{h} drove in front, very slowly, and creaked as loudly as {h.he} could. The mice heard it, took their children and ran. Not "
    "one of them was hurt"},
  {"small", "was small for a machine", "“You could park in my toolbox,”",
    "a lamb stood in the middle of the narrow bridge and did not dare to move. None of the big ones could get on the bridge",
    "{h} fitted between the railings by a finger on each side, stopped in front of the lamb, let it climb up and rolled back "
    "with it"},
  {"old", "was older than all the others together", "“You belong in a museum,”",
    "the power failed, and all the new machines stood still, for they did not know what to do without it",
    "{h} coughed twice, as {h.he} always did, and started with a crank. {^h.he} pulled them home, one after the other, the whole "
    "night long"},
};

} // namespace

std::string heavy_load(teller& t) {
  cast_hero(t, [](const kind& one) { return one.home_world == world::yard; });
  set_defaults(t);
  const flaw& chosen = t.one_of(flaws);
  t.set("is", chosen.is);
  t.set("word", chosen.word);
  t.set("laugh", chosen.laugh);
  t.set("event", chosen.event);
  t.set("trait", "[quiet|friendly|patient|gentle|hardworking|cheerful]");

  open(t);
  habit(t);
  t.say({
    "{h} worked [as well as anybody|from morning to night]. There was only one thing: {h.he} {is}.",
    "{^h.he} did {h.his} work and never complained. But {h.he} {is}.",
    "Unfortunately {h.he} {is}, and everybody knew it.",
    "{h} was a good machine, but {h.he} {is}.",
  });
  t.say({
    "{laugh} the others [laughed|called] when {h.he} came by.",
    "{laugh} said the others. They said it every day.",
    "{laugh} somebody would say, and all the others hooted with laughter.",
  });
  t.say({
    "{h} laughed along, but {h.he} did not find it funny.",
    "<sad>",
    "{h} would have liked to be [different|like the others].",
    "In the evening {h} stood in {h.his} corner and wished that {h.he} were somebody else.",
  });
  t.paragraph();
  t.say({
    "Then came the day when {event}.",
    "One morning {event}.",
    "A little later {event}.",
    "It was a day like any other, until {event}.",
  });
  t.maybe(
    {
      "Nobody knew what to do.",
      "“And now?” they asked each other.",
      "Even the strongest of them were at a loss.",
    },
    1, 2);
  t.say({
    "“Let me try,” <said> {h}.",
    "Then {h} came out of {h.his} corner.",
    "“I may be able to help,” <said> a voice from behind. It was {h}.",
    "“Make room,” <said> {h}.",
  });
  t.say_sentence(chosen.helps);
  t.paragraph();
  t.say({
    "The others stood there and said nothing. Then they hooted, all together, and this time nobody was laughing.",
    "“We were wrong,” <said> the others.",
    "“Without you,” <said> the others, “we would still be standing there.”",
  });
  t.set("praise", chosen.word == "horn"      ? "There is no finer horn than one that everybody knows"
                  : chosen.word == "rust"    ? "A little rust is not the worst thing, if one is needed"
                  : chosen.word == "color"   ? "There is no such thing as a wrong color"
                  : chosen.word == "creaked" ? "Whoever has never creaked has never worked"
                                             : "It is not so bad to be {word}, if one is needed");
  t.say({
    "<glad> {praise}.",
    "“{praise},” thought {h} that night, and {h.his} lamps glowed in the dark.",
    "They never made jokes about it again. {praise}.",
    "“You know what?” <said> {h}. “{praise}.” And nobody said a word against it.",
  });
  return std::string(chosen.word);
}

} // namespace troupe::stories
