#include "apps/stories/phrases/openings.hpp"
#include "apps/stories/telling/casting.hpp"

namespace troupe::stories {

void set_defaults(teller& t) {
  t.set("trait", "[curious|cheerful|quiet|patient|clever|stubborn|gentle|brave|shy|busy|dreamy|careful]");
  t.set("season", "[spring|summer|autumn|winter]");
  t.set("where",
    by_world(t,
      "[in a village between two hills|in a small town by the sea|in a village on a wide river|in a village at the foot of a "
      "mountain|in the last street of a little town]",
      "[in a green forest|at the edge of a forest|deep in the forest|in a forest beside a lake|in a forest full of birds]",
      "on a [small farm|farm on a hill|farm at the end of a long road|farm by the river]",
      "[in a corner of a wild garden|at the end of an old garden|behind the ivy of a garden wall|in a garden without a gate]",
      "[in a busy yard|in a yard by the canal|in a yard behind the station|at the edge of a big town]"));
  t.set("everybody",
    by_world(t, "[everybody in the village|all the children of the street|all the neighbors]",
      "[all the animals of the forest|everybody in the forest]", "[all the animals of the farm|everybody on the farm]",
      "[all the little folk|everybody in the garden]", "[all the machines|everybody in the yard]"));
}

void open(teller& t) {
  const bool child = world_of(t) == world::village;
  if (t.draws().chance(1, 4)) {
    weather(t);
    t.say({
      "{h}, a~ {trait} {h.kind}, [stood|was sitting] in front of {h.his} home.",
      "{h}, a~ {trait} {h.kind} who lived in {h.home}, [had been awake since sunrise|was already up|was looking for something to "
      "do].",
      "{^where} a~ {trait} {h.kind} named {h} [was just waking up|was up before all others|looked up at the sky].",
      "In {h.home} lived {h}, a~ {trait} {h.kind}.",
      "A~ {trait} {h.kind} called {h} [looked out at the new day|was the first to come outside|was in the best of moods].",
    });
    return;
  }
  t.say({
    "4*Once upon a time there was a~ {trait} {h.kind} [named|called] {h}[.| who lived {where}.| who lived in {h.home}.]",
    "3*Once upon a time, {where}, there lived a~ {trait} {h.kind} [named|called] {h}.",
    "2*Once upon a time a~ {trait} {h.kind} [named|called] {h} lived in {h.home}.",
    "2*{^where} lived a~ {trait} {h.kind} [named|called] {h}.",
    "2*{h} was a~ {trait} {h.kind} who lived [{where}|in {h.home}].",
    "There was once a~ {trait} {h.kind}. {^h.his} name was {h}, and {h.he} lived in {h.home}.",
    "Everybody {where} knew {h}, the {trait} {h.kind}.",
    "This is the story of {h}, a~ {trait} {h.kind} who lived {where}.",
    "Not [very |]long ago a~ {trait} {h.kind} [named|called] {h} lived {where}.",
    "In {h.home} lived {h}, a~ {trait} {h.kind}.",
    child ? "There was nobody {where} who was as {trait} as a certain {h.kind} named {h}."
          : "If you had gone for a walk {where}, you might have met {h}, the {trait} {h.kind}.",
  });
}

void habit(teller& t) {
  if (!t.draws().chance(2, 5)) return;
  const std::string_view like = by_world(t,
    "[collect round stones|draw maps of places that nobody knew|climb trees|whistle on the way to school|count the carts that "
    "went by|tell stories to the cat|jump over puddles|build towers of wooden blocks|watch the baker at work]",
    "[lie in the moss and look at the clouds|know everything that went on in the forest|sit by the stream and listen|play hide "
    "and seek between the ferns|collect shiny pebbles|be the first one awake in the morning|count the stars]",
    "[lie in the straw and listen to the rain|look over the fence at the road|play tag around the haystack|drink from the trough "
    "when the water was still cold|greet the sun in the morning|tell the hens what was new]",
    "[ride on the backs of beetles|sleep in a flower on warm nights|drink dew from an acorn cup|slide down the rhubarb "
    "leaves|polish snail shells until they shone|sing with the crickets]",
    "[race the clouds along the road|feel warm rain on {h.his} roof|help wherever something heavy had to be moved|sparkle in the "
    "morning sun|listen to the trains at night]");
  t.set("like", like);
  t.say({
    "2*{^h.he} liked to {like}.",
    "More than anything {h.he} liked to {like}.",
    "On most days {h.he} got up early to {like}.",
    "When there was nothing else to do, {h.he} liked to {like}.",
    "{^h.he} loved to {like}, whatever the weather was like.",
  });
}

void weather(teller& t) {
  const std::string& season = t.value("season");
  if (season == "spring") {
    t.say({
      "It was spring, and [the first flowers stood in the grass|every bush was turning green|the birds had come back|the air "
      "smelled of wet earth].",
      "It was a [mild|bright|windy] spring [morning|day].",
      "The snow was gone, and spring had come [overnight|at last].",
      "A soft spring rain had [just stopped|fallen all night].",
      "[The swallows were back, and it was spring|It was the first warm day of spring].",
    });
  } else if (season == "summer") {
    t.say({
      "It was a [hot|warm|bright|long] summer day.",
      "It was summer, and [the bees were humming|the grass stood high|the days were long|the air was still and warm].",
      "The summer sun [was already high|shone on every leaf|made everybody sleepy].",
      "[For a week it had not rained, and the summer air was full of dust|It was the middle of summer, and the cherries were "
      "ripe].",
    });
  } else if (season == "autumn") {
    t.say({
      "It was autumn, and [the leaves were turning red|a cool wind blew|the nights were growing cold|there was fog in the "
      "morning].",
      "It was a [gray|golden|windy|foggy] autumn day.",
      "Yellow leaves were [falling|dancing in the wind|lying everywhere], for it was autumn.",
      "The autumn wind [whistled|shook the trees|smelled of apples and rain].",
    });
  } else {
    t.say({
      "It was winter, and [snow lay on everything|all the puddles were frozen|the ground was as hard as stone|one could see "
      "one's breath].",
      "It was a [cold|clear|white|quiet] winter [morning|day].",
      "In the night it had snowed, and [the whole world was white|everything was still].",
      "The winter sun was [low and pale|shining, but it gave no warmth].",
    });
  }
}

} // namespace troupe::stories
