// A storm comes; the hero has room for a few, then for all, and in the morning they set things right together.
#include "apps/stories/phrases/openings.hpp"
#include "apps/stories/plots/plots.hpp"
#include "apps/stories/telling/casting.hpp"

namespace troupe::stories {

std::string the_storm(teller& t) {
  cast_hero(t, [](const kind& one) {
    return one.home_world == world::forest || one.home_world == world::roots || (one.home_world == world::farm && one.size > 1);
  });
  // Nobody who lives under the ground: the wind takes homes away.
  cast_friend(t, 'o',
    [](const kind& hero, const kind& other) { return no_larger(hero, other) && other.name != "mole" && other.name != "badger"; });
  set_defaults(t);
  t.set("season", "[spring|summer|autumn]");
  t.set("trait", "[tidy|quiet|careful|busy|shy|grumpy|gentle|patient]");
  const std::string_view guests_of_world[] = {by_world(t, "", "two wet mice", "two wet mice", "a wet bumblebee", ""),
    by_world(t, "", "a thrush with a bent feather", "a family of ducklings", "three shivering ants", ""),
    by_world(t, "", "a young rabbit", "a lost chick", "a family of ladybugs", ""),
    by_world(t, "", "three shivering finches", "three shivering sparrows", "a moth with a torn wing", ""),
    by_world(t, "", "an old weasel", "an old rooster", "a snail with a cold", "")};
  set_distinct(t, "guest", guests_of_world, 2);

  open(t);
  t.say({
    "There {h.he} had everything in its place, and {h.he} liked it best when nobody disturbed {h.him}.",
    "{^h.his} home was not large. “It is just big enough for one,” {h} liked to say.",
    "{h.he} wished for nothing but peace and quiet.",
    "{^h.his} home was small and tidy, and {h.he} liked to be alone in it.",
    "“Nobody comes, nobody talks, how nice,” {h.he} often said.",
    "It was a good place, dry in the rain and cool in the heat, and {h.he} shared it with nobody.",
    "“Visitors bring dirt into the house,” {h.he} used to say, and so nobody visited {h.him}.",
  });
  t.paragraph();
  t.say({
    "One evening the sky turned [yellow|black|the color of lead]. The wind grew stronger and stronger, and then the storm broke "
    "loose.",
    "One day the swallows flew low, and the air stood still. In the evening the storm came.",
    "At first there was only a little wind. Then there was more of it, and at midnight the storm was [roaring like a "
    "bear|tearing at every leaf].",
    "Toward evening the clouds piled up, higher than any hill. And when it was dark, the storm came.",
    "Nobody had expected the storm. It came from behind the hills, and in a moment it was everywhere.",
    "Then came the night of the great storm. Branches flew through the air, and the rain came from all sides.",
  });
  t.maybe({
    "{h} closed the door tightly and was glad to be at home.",
    "{h} was sitting snug and warm and listened to the rain.",
    "“Let it blow,” {h} said. “Here I am safe.”",
    "{h} listened to the wind and pulled up {h.his} feet.",
    "{h} had stuffed every crack with moss. Not a drop came in.",
  });
  t.say({
    "Then somebody knocked. It was {o}, the {o.kind}, wet to the skin. “The wind has taken my roof,” {o.he} said. “Can I stay "
    "with you?”",
    "There was a knock. Outside stood {o}, a~ {o.kind} from the neighborhood. “My home is full of water,” {o.he} said, and "
    "{o.his} teeth chattered.",
    "Something bumped against the door. It was {o}, a~ {o.kind}, whom the wind had rolled along like a ball. “My home is gone,” "
    "{o.he} said.",
    "“Is anybody there?” cried somebody outside. It was {o}, the {o.kind}, with [leaves in {o.his} face|mud up to {o.his} "
    "belly]. “I do not know where to go.”",
    "Through the noise {h.he} heard a voice. “Please, let me in!” It was {o}, the {o.kind}, whose home had been blown away.",
  });
  t.say({
    "{h} looked at {h.his} clean floor. Then {h.he} looked at {o}. “Come in,” {h.he} <said>.",
    "{h} thought of {h.his} peace and quiet. But could one leave anybody outside in such weather? “Come in, quickly,” {h.he} "
    "<said>.",
    "“Wipe your feet,” said {h}. And then, more softly, “And come in, you are shivering.”",
    "{h} hesitated for as long as one breath. “Of course you can stay,” {h.he} <said>.",
    "For a moment it was quiet, except for the wind. “Come in before you are blown away,” <said> {h}.",
    "“There is no room,” {h} wanted to say. But {h.he} <said>, “If we move close together, there is room.”",
  });
  t.paragraph();
  t.say({
    "They had hardly sat down when there was another knock. It was {guest1}.",
    "{o} was hardly dry when {guest1} asked to come in.",
    "“There is somebody else out there,” <said> {o}. Indeed, it was {guest1}.",
    "Not long after that {guest1} stood in front of the door.",
    "The next to come was {guest1}.",
  });
  t.say({
    "And after that came {guest2}.",
    "{h} was just closing the door when {guest2} slipped in.",
    "Behind them, blown in by the wind, came {guest2}.",
    "Then a tiny knock. It was {guest2}.",
    "“One more makes no difference,” <said> {h}. Then came {guest2}.",
    "And then, when nobody thought that anybody else would fit in, {guest2} came as well.",
  });
  t.maybe({
    "It was so crowded that one could not fall over.",
    "{h} no longer knew which feet were {h.his} own.",
    "When one of them sneezed, all of them shook.",
    "Everybody had somebody else's [elbow|foot] in the ribs.",
    "Everybody had to breathe in so that the door would close.",
    "There was mud on the floor, and somebody was sitting on {h.his} pillow.",
  });
  t.maybe(
    {
      "But it was also warm, warmer than ever before.",
      "They told each other stories, to drown out the wind. {h} knew some as well, and {h.he} had never told them to anybody.",
      "But strangely enough, {h} was not angry. One could hear the storm outside and the others breathing, and that was a good "
      "sound.",
      "Little by little they grew warm, and then they grew merry.",
      "“How cozy it is here,” somebody said.",
      "Outside the storm roared, and inside somebody began to hum. One after the other joined in.",
    },
    2, 3);
  t.maybe(
    {
      "{o} told the story of a fish that wanted to fly, and {h} laughed so much that {h.he} forgot the mud.",
      "They shared what there was, and it was enough.",
      "When the thunder was very loud, they held on to each other.",
      "{h} noticed that {h.he} was smiling.",
    },
    2, 3);
  t.paragraph();
  t.say({
    "In the morning the storm was over.",
    "Toward morning the wind grew tired and lay down.",
    "And then it was quiet outside. A single bird began to sing.",
    "When they woke up, the sun was shining.",
    "The next day the air was clear and smelled of wet leaves.",
  });
  t.say({
    "They all went out together, and they all helped to build a new home for {o}.",
    "“And now we will build you a new roof,” <said> {h} to {o}, and everybody helped.",
    "“Where shall I live now?” <asked> {o}. “We will see to that,” <replied> {h}, and they all got to work.",
    "Nobody went home. First they built a new home for {o}, a stronger one than before.",
    "There was a lot to do. They carried away branches and built up again what had fallen down, first where {o} had lived, then everywhere.",
  });
  t.maybe({
    "By the evening it was finished.",
    "It took three days, and on the third they danced.",
    "Many hands make quick work.",
  });
  t.paragraph();
  t.say({
    "Then everybody went home. {h} swept the floor and sat down. Now {h.he} had {h.his} peace and quiet again. But was it not a "
    "little too quiet?",
    "When the last one had said goodbye, {h} tidied up. Everything was back in its place. Only something was missing, and it "
    "took {h.him} a while to find out what it was: the others.",
    "At night {h} could not sleep. The storm had been loud, but this silence was louder.",
    "That evening {h} sat alone in {h.his} clean home. It was as {h.he} had always wished: quiet. Nobody knocked, and the storm "
    "was far away.",
    "And {h}? {^h.he} had {h.his} place to {h.himself} again. It seemed much too large to {h.him} now, and much too quiet.",
  });
  t.say({
    "So {h.he} went to {o} and <said>, “Would you like to come for supper tomorrow? Even if there is no storm?”",
    "Then {h.he} took a piece of bark and wrote on it: Please knock, even without a storm. {^h.he} hung it on the door.",
    "{h} went to {o} at once. “There is something I did not know before the storm,” {h.he} <said>. “I like to have company.”",
    "Since then the door has always been open a little. And when a storm comes up, {h.he} is almost glad.",
    "{^h.he} waited a little. Then {h.he} got up, went out and invited them all again. “But this time without a storm,” {h.he} "
    "<said>.",
    "“One can be alone on some days and have guests on others,” {h.he} thought, and went to ask {o} whether {o.he} was hungry. "
    "It did not always need a storm.",
  });
  return "storm";
}

} // namespace troupe::stories
