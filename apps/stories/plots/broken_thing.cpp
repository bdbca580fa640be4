// The hero breaks what belongs to somebody else, hides it, and finds that telling is lighter than hiding.
#include "apps/stories/phrases/openings.hpp"
#include "apps/stories/plots/plots.hpp"
#include "apps/stories/telling/casting.hpp"

namespace troupe::stories {
namespace {

struct fragile {
  std::string_view name, word;
  std::string_view accident; // Why it broke.
  std::string_view repair;   // How the two mend it.
  std::string_view better;   // What is different about it afterwards.
};

constexpr fragile things[] = {
  {"the blue bowl", "bowl",
    "{h} only wanted to see the painted fish on the bottom. The bowl was wet, it slipped, and it fell on the stones",
    "They glued piece to piece with resin, and {e} held them together until they were dry",
    "the fish now had a thin golden line across its back"},
  {"the big kite", "kite",
    "{h} only wanted to fly it once. A gust of wind took it and threw it into the thorns, and the paper tore from top to bottom",
    "They cut a patch from an old map and pasted it over the tear", "it now flew with a map of the world on its belly"},
  {"the rocking chair", "chair",
    "{h} rocked, higher and higher, as if it were a ship. Then there was a crack, and one leg was broken",
    "They fitted two thin boards to the leg and wound a strong cord around it", "it creaked a little now, like a ship at sea"},
  {"the clay whistle", "whistle", "{h} wanted to blow just one note. But it rolled off the table, and there it lay in two halves",
    "They wet some fresh clay, closed the crack with it and let it dry by the stove",
    "it had a new note now, deep and soft like an owl"},
  {"the garden gate", "gate",
    "{h} swung on it, back and forth, although it was forbidden. Then the hinge broke, and the gate fell into the dust",
    "{e} held the gate straight, and {h} put in the screws, one after the other",
    "it now closed by itself, which it had never done before"},
  {"the little lamp", "lamp",
    "{h} was chasing a moth and did not look where {h.he} was going. The lamp fell, and the glass burst",
    "They took a jar for the broken glass and bent a new handle out of wire", "it threw a ring of green light on the wall"},
  {"the snow globe", "globe",
    "{h} shook it to make it snow, harder and harder. It flew out of {h.his} grip, and the water ran over the floor",
    "They set the tiny house into a jar of water, and for snow they took crushed eggshell",
    "in it now the flakes fell more slowly, as they do on quiet nights"},
  {"the music box", "box",
    "{h} wanted to hear the tune again and again and wound the key too far. Something snapped, and the box was silent",
    "They took it apart on a white cloth, bent the spring straight and put a drop of oil on every wheel",
    "it played a little slower now, and one could sing along"},
};

} // namespace

std::string broken_thing(teller& t) {
  cast_hero(t, [](const kind& one) { return one.handy && one.home_world != world::yard && one.size <= 2; });
  cast_elder(t, 'e', elder_hands::needed);
  set_defaults(t);
  const fragile& what = t.one_of(things);
  t.set("trait", "[curious|lively|quick|clumsy|cheerful|wild|merry|impatient]");
  t.set("thing", what.name);
  t.set("better", what.better);
  t.set("hiding",
    by_world(t, "[under the steps|behind the shed|under {h.his} bed]", "[under a heap of leaves|in a hollow log|behind a bush]",
      "", "[under a flower pot|behind a loose stone|under a leaf]", ""));

  open(t);
  habit(t);
  t.say({
    "Next door lived {e}, the {e.kind}, and {e} had {thing}.",
    "{^h.he} often visited {e}, the old {e.kind}, [because there was always something to see, above all {thing}|who owned "
    "{thing} and let everybody look at it].",
    "{h.his} neighbor was {e}, a~ {e.kind}, who owned something that {h} liked very much: {thing}.",
  });
  t.maybe({
    "“You may look at {thing},” {e.the} used to say, “but please be careful.”",
    "{^thing} was very old. {^e.he} had it from {e.his} own [mother|father|grandmother].",
    "Nobody else was allowed to touch {thing}.",
  });
  t.paragraph();
  t.set("accident", what.accident);
  t.say({
    "<one day> {e} was out. {accident}.",
    "One day, when {e} had gone out, it happened. {accident}.",
    "It happened [on a Monday|on a Tuesday|on a rainy afternoon]. {accident}.",
  });
  t.maybe({
    "For a moment {h} [forgot to breathe|did not dare to move].",
    "“[Why did I not leave it alone|Why me]?” {h} thought.",
    "<afraid>",
    "It was very quiet.",
    "<afraid>",
    "{h} stood there and could not believe it.",
    "“Oh no,” <whispered> {h}.",
  });
  t.say({
    "Nobody had seen it. {h} hid everything {hiding} and ran home.",
    "{h} looked around. No one was there. So {h.he} put it {hiding}, [as deep as {h.he} could|and covered it up], and slipped "
    "away.",
    "“Nobody must find out,” {h} thought, and {h.he} hid it {hiding}.",
    "Trembling, {h} gathered it all up. Then {h.he} hid it {hiding}.",
    "Quickly {h} hid it {hiding}. Then {h.he} went home as if nothing had happened.",
    "What now? {h} pushed it {hiding} and [hurried|crept] away.",
  });
  t.paragraph();
  t.maybe({
    "But supper did not taste good, and when {h.he} closed {h.his} eyes {h.he} saw {thing}.",
    "Every time somebody said the name of {e}, {h} [started|turned hot and cold].",
    "{h} could not be merry any more. In everything {h.he} saw {thing}.",
    "At night {h.he} dreamed that {thing} stood in front of {h.his} bed and looked at {h.him}.",
    "That night {h.he} turned from one side to the other and could not sleep.",
    "{h} tried to play, but {h.he} could think only of {thing}.",
    "From then on {h} took the long way around so as not to meet {e}.",
  });
  t.maybe(
    {
      "<next day> {h.he} heard {e} say, “Maybe [the wind did it|it was a thief]. Or I am getting old and forget where I put my "
      "things.”",
      "<next day> {e} was searching everywhere. “I must have put it in the wrong place,” {e.he} murmured. “My old head!”",
      "<next day> {e} <asked> {h.him}, “Have you seen it, by any chance?” {h} shook {h.his} head, and [it grew heavy as a "
      "stone|at once {h.he} felt worse than before].",
    },
    3, 4);
  t.maybe({
    "<sad>",
    "A secret like this grows heavier every hour.",
    "The lump in {h.his} throat grew bigger and bigger.",
  });
  t.say({
    "{h} turned around three times on the way. The fourth time {h.he} went [in|up to the door].",
    "{h} waited until nobody else was there.",
    "“It has to come out,” {h.he} said to {h.himself}, and {h.he} went to {e}.",
    "Then {h.he} could bear it no longer.",
    "{h} took a deep breath.",
    "“Now or never,” {h.he} thought.",
    "<that evening> {h.he} knocked at the door.",
  });
  t.say({
    "“It was me,” {h} <said>. “I broke it, and I hid it, and I am sorry.”",
    "“It was not the wind, and you did not forget anything,” {h} <said>. “It was I. I broke {thing} and hid it.”",
    "“{^thing},” {h} began, and had to begin again. “I broke it. I did not want to, but I did.”",
    "“I know where it is,” {h} <said> very softly. “And I know who broke it.”",
    "“I must tell you something,” {h} <said>. And then it all came out, the accident and the hiding place, too.",
    "“Please do not look any longer,” {h} <said>. “I broke it. I was afraid to tell you.”",
  });
  t.paragraph();
  t.maybe({
    "{e} was silent for a moment.",
    "{e} looked sad, but not angry.",
    "{e} [sat down|nodded slowly].",
  });
  t.say({
    "“I am sorry about it,” {e.he} <said>. “But I am glad that you came. That was harder than keeping quiet.”",
    "“So that is what it was,” {e.he} <said>. “I was already wondering where your laugh had gone.”",
    "“I am a little angry,” {e.he} <said>, “and very glad. Both are possible at the same time.”",
    "“[Thank you|I thank you] for telling me,” {e.he} <said>. “{^thing} is broken, but between us everything is whole.”",
    "“A thing can break,” {e.he} <said>. “What I would not like to lose is a friend I can believe.”",
    "“Shall I tell you something?” {e.he} <asked>. “When I was small, I broke a window and blamed the cat. I am still ashamed of "
    "it.”",
  });
  t.maybe({
    "“And now fetch the pieces, we will see what can be done.”",
    "“And now? Shall we cry or shall we mend it?” asked {e}.",
    "“Bring it here, and bring the box with the tools,” <said> {e}.",
    "“[Come|Let us see], four hands can mend a lot.”",
    "“Can one mend it?” <asked> {h}. “We can try,” <replied> {e}.",
  });
  t.say_sentence(what.repair);
  t.paragraph();
  t.say({
    "{^thing} was not as it had been, for {better}. “I like it even better now,” <said> {e}.",
    "And really, it worked. {^thing} was whole again. Only one thing was different: {better}.",
    "“[Good as new|Almost as new],” <said> {e}. No, {thing} was different now, for {better}.",
    "When it was done, {thing} was whole again, only {better}.",
    "Now {thing} had a story, and {better}.",
  });
  t.say({
    "That night {h} slept like a stone at the bottom of a lake. {^thing} was mended, and something in {h.him} was, too.",
    "{h} ran home, and {h.he} felt so light that {h.he} [almost flew|jumped over every puddle].",
    "“Will you come tomorrow?” asked {e}. “I will,” <said> {h}, “and I will only look at it.” {^e.he} laughed. “And I will show "
    "you how one holds it.”",
    "And every time somebody asks {e} about it, {e.he} winks at {h} and says, “That? That is a long story.”",
    "{h} breathed in deeply. The air had not smelled so good for days.",
    "“You may look at it whenever you like,” <said> {e}. “You know now how to be careful.”",
    "When {h} breaks something now, {h.he} tells it at once. It saves a lot of bad dreams.",
    "And each time {h} saw it, {h.he} thought, “Things can be mended if one does not hide them.”",
  });
  return std::string(what.word);
}

} // namespace troupe::stories
