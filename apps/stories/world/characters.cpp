#include "apps/stories/world/characters.hpp"

namespace troupe::stories {
namespace {

constexpr std::string_view fur_joy = "[3*danced in a circle|laughed until {.his} belly shook|jumped over {.his} own "
                                     "shadow|rolled in the grass|wagged from nose to tail|turned a somersault]";
constexpr std::string_view fur_sad = "[let {.his} ears hang|sat down and said nothing|looked at the ground|gave a long "
                                     "sigh|blinked a tear away|pulled in {.his} head]";
constexpr std::string_view fur_fear = "[trembled from nose to tail|sat as still as a stone|felt {.his} fur stand on "
                                      "end|swallowed hard|wanted to run away|felt {.his} knees go weak]";
constexpr std::string_view bird_joy =
  "[flapped {.his} wings|sang at the top of {.his} voice|hopped from one foot to the other|puffed up {.his} feathers with joy]";
constexpr std::string_view bird_sad =
  "[let {.his} wings hang|put {.his} head under one wing|made no sound at all|gave a long sigh]";
constexpr std::string_view bird_fear =
  "[ruffled {.his} feathers|wanted to fly far away|felt {.his} heart flutter|swallowed hard]";
constexpr std::string_view hoof_joy = "[kicked up {.his} heels|galloped once around the yard|jumped in the air with all four "
                                      "legs|laughed so that everybody heard it]";
constexpr std::string_view hoof_sad = "[let {.his} head hang|stared at the fence|gave a long sigh|did not want to eat]";
constexpr std::string_view hoof_fear = "[stamped and snorted|felt {.his} knees shake|laid back {.his} ears|wanted to run away]";
constexpr std::string_view hand_joy = "[clapped {.his} hands|jumped up and down|laughed out loud|danced on one leg|threw {.his} "
                                      "cap into the air|turned around and around]";
constexpr std::string_view hand_sad = "[looked at {.his} shoes|blinked a tear away|sat down and said nothing|gave a long "
                                      "sigh|bit {.his} lip|hid {.his} face in {.his} hands]";
constexpr std::string_view hand_fear = "[held {.his} breath|felt {.his} heart beat like a drum|felt {.his} knees shake|swallowed "
                                       "hard|wanted to run away|turned quite pale]";
constexpr std::string_view metal_joy =
  "[blinked with all {.his} lamps|hooted twice for joy|hummed like a bee|turned in a circle and hooted]";
constexpr std::string_view metal_sad =
  "[let {.his} lamps go dim|gave a long creak|stood still and said nothing|rolled into a corner]";
constexpr std::string_view metal_fear =
  "[rattled in every screw|held {.his} brakes tight|felt a cold drop run down {.his} paint|wanted to roll back]";

using enum world;
constexpr bool yes = true, no = false;

// name, world, size, handy, flies, swims, climbs, went, home, carry, joy, sad, fear
constexpr kind kinds[] = {
  {"child", village, 2, yes, no, yes, yes, "[2*ran|walked|hurried]",
    "[a white house with a green door|a small house beside the mill|a house with a crooked chimney|two rooms above the bakery|a "
    "yellow house at the end of the lane|a house by the bridge]",
    "in {.his} arms", hand_joy, hand_sad, hand_fear},
  {"fox", forest, 2, yes, no, no, no, "[ran|trotted]", "a den under the roots of an old oak", "in {.his} paws", fur_joy, fur_sad,
    fur_fear},
  {"hare", forest, 2, yes, no, no, no, "[hopped|ran]", "a hollow in the long grass", "in {.his} paws", fur_joy, fur_sad,
    fur_fear},
  {"squirrel", forest, 1, yes, no, no, yes, "[ran|hurried]", "a nest of twigs high up in a pine", "in {.his} paws", fur_joy,
    fur_sad, fur_fear},
  {"hedgehog", forest, 1, yes, no, no, no, "[pattered|hurried]", "a house of dry leaves under a hedge", "in {.his} paws", fur_joy,
    fur_sad, fur_fear},
  {"mouse", forest, 1, yes, no, no, yes, "[ran|scurried]", "a snug hole under a mossy stone", "in {.his} paws", fur_joy, fur_sad,
    fur_fear},
  {"badger", forest, 2, yes, no, no, no, "[walked|trotted]", "a deep burrow with two doors", "in {.his} paws", fur_joy, fur_sad,
    fur_fear},
  {"bear", forest, 3, yes, no, yes, yes, "[walked|trotted]", "a dry cave behind the bushes", "in {.his} paws", fur_joy, fur_sad,
    fur_fear},
  {"otter", forest, 2, yes, no, yes, no, "[ran|hurried]", "a den in the bank of the stream", "in {.his} paws", fur_joy, fur_sad,
    fur_fear},
  {"beaver", forest, 2, yes, no, yes, no, "[walked|waddled]", "a round house of sticks in the stream", "in {.his} paws", fur_joy,
    fur_sad, fur_fear},
  {"mole", forest, 1, yes, no, no, no, "[crawled|hurried]", "a tunnel with a round room at the end", "in {.his} paws", fur_joy,
    fur_sad, fur_fear},
  {"frog", forest, 1, no, no, yes, no, "[hopped|jumped]", "a cool corner under a fern", "in {.his} mouth",
    "[jumped as high as a bush|croaked for joy|turned a somersault]", "[pulled in {.his} head|said nothing|gave a long sigh]",
    "[sat as still as a stone|swallowed hard|wanted to dive away]"},
  {"sparrow", forest, 1, no, yes, no, no, "[flew|fluttered]", "a nest in a thorn bush", "in {.his} beak", bird_joy, bird_sad,
    bird_fear},
  {"duck", forest, 2, no, yes, yes, no, "[waddled|flew]", "a nest in the reeds", "in {.his} beak", bird_joy, bird_sad, bird_fear},
  {"crow", forest, 2, no, yes, no, no, "[flew|flapped]", "a nest at the top of a tall fir", "in {.his} beak", bird_joy, bird_sad,
    bird_fear},
  {"deer", forest, 3, no, no, no, no, "[ran|walked]", "a bed of soft ferns", "on {.his} back", hoof_joy, hoof_sad, hoof_fear},
  {"cat", farm, 2, no, no, no, yes, "[ran|crept]", "a basket in the kitchen", "in {.his} mouth", fur_joy, fur_sad, fur_fear},
  {"dog", farm, 2, no, no, yes, no, "[ran|trotted]", "a kennel beside the gate", "in {.his} mouth", fur_joy, fur_sad, fur_fear},
  {"goat", farm, 2, no, no, no, no, "[trotted|jumped]", "a shed with a flat roof", "in {.his} mouth", hoof_joy, hoof_sad,
    hoof_fear},
  {"pony", farm, 3, no, no, no, no, "[trotted|galloped]", "a stable with a round window", "on {.his} back", hoof_joy, hoof_sad,
    hoof_fear},
  {"lamb", farm, 2, no, no, no, no, "[skipped|ran]", "a fold behind the barn", "in {.his} mouth", hoof_joy, hoof_sad, hoof_fear},
  {"donkey", farm, 3, no, no, no, no, "[trotted|walked]", "a stall at the back of the barn", "on {.his} back", hoof_joy, hoof_sad,
    hoof_fear},
  {"calf", farm, 3, no, no, no, no, "[trotted|ran]", "a warm corner of the cowshed", "on {.his} back", hoof_joy, hoof_sad,
    hoof_fear},
  {"piglet", farm, 2, no, no, no, no, "[trotted|ran]", "a sty full of clean straw", "in {.his} mouth", fur_joy, fur_sad,
    fur_fear},
  {"hen", farm, 1, no, no, no, no, "[ran|hurried]", "a wooden coop on four legs", "in {.his} beak", bird_joy, bird_sad,
    bird_fear},
  {"goose", farm, 2, no, yes, yes, no, "[waddled|flapped]", "a hut beside the pond", "in {.his} beak", bird_joy, bird_sad,
    bird_fear},
  {"gnome", roots, 1, yes, no, no, yes, "[ran|hurried]", "a room under the roots of a beech", "in {.his} arms", hand_joy,
    hand_sad, hand_fear},
  {"elf", roots, 1, yes, no, no, yes, "[ran|tripped]", "a house in a hollow stump", "in {.his} arms", hand_joy, hand_sad,
    hand_fear},
  {"pixie", roots, 1, yes, no, no, yes, "[ran|skipped]", "an old kettle that lay on its side", "in {.his} arms", hand_joy,
    hand_sad, hand_fear},
  {"goblin", roots, 1, yes, no, no, yes, "[ran|stomped]", "a house made of a broken jug", "in {.his} arms", hand_joy, hand_sad,
    hand_fear},
  {"robot", yard, 2, yes, no, no, no, "[rolled|hurried]", "a shed with a tin roof", "in {.his} arms", metal_joy, metal_sad,
    metal_fear},
  {"tractor", yard, 3, no, no, no, no, "[rolled|rumbled]", "a barn that smelled of hay", "on {.his} hook", metal_joy, metal_sad,
    metal_fear},
  {"digger", yard, 3, no, no, no, no, "[rolled|rumbled]", "a dry corner of the yard", "in {.his} shovel", metal_joy, metal_sad,
    metal_fear},
  {"truck", yard, 3, no, no, no, no, "[rolled|drove]", "a garage with a red gate", "on {.his} back", metal_joy, metal_sad,
    metal_fear},
  {"bus", yard, 3, no, no, no, no, "[rolled|drove]", "a long garage behind the station", "on {.his} back seat", metal_joy,
    metal_sad, metal_fear},
};

constexpr elder_kind elder_kinds[] = {
  {"baker", village, sex::either, yes, "in front of the oven"},
  {"gardener", village, sex::either, yes, "between the beans"},
  {"miller", village, sex::either, yes, "on a sack of flour"},
  {"clockmaker", village, sex::either, yes, "behind a hundred clocks"},
  {"beekeeper", village, sex::either, yes, "beside the hives"},
  {"carpenter", village, sex::either, yes, "among the wood shavings"},
  {"potter", village, sex::either, yes, "at the wheel"},
  {"tailor", village, sex::either, yes, "at the window with a needle"},
  {"owl", forest, sex::either, no, "on a dead branch"},
  {"toad", forest, sex::either, no, "under a large leaf"},
  {"tortoise", forest, sex::either, no, "in a patch of sun"},
  {"heron", forest, sex::either, no, "on one leg in the shallow water"},
  {"raven", forest, sex::either, no, "on a rock"},
  {"marmot", forest, sex::either, yes, "on a flat stone"},
  {"raccoon", forest, sex::either, yes, "at the water"},
  {"hamster", forest, sex::either, yes, "in front of a burrow"},
  {"dormouse", forest, sex::either, yes, "on a mossy root"},
  {"stag", forest, sex::male, no, "at the edge of the clearing"},
  {"sheepdog", farm, sex::either, no, "across the doorstep"},
  {"mare", farm, sex::female, no, "in the shade of the pear tree"},
  {"ram", farm, sex::male, no, "on top of the hill"},
  {"turkey", farm, sex::either, no, "on the cart"},
  {"ox", farm, sex::male, no, "by the well"},
  {"snail", roots, sex::either, no, "under a cabbage leaf"},
  {"beetle", roots, sex::either, no, "on a warm stone"},
  {"spider", roots, sex::either, no, "in the middle of a web"},
  {"dwarf", roots, sex::either, yes, "on a bench made of a clothespin"},
  {"troll", roots, sex::either, yes, "under the loose stone"},
  {"cricket", roots, sex::either, yes, "on a matchbox"},
  {"lizard", roots, sex::either, no, "on the wall in the sun"},
  {"steam engine", yard, sex::either, no, "at the end of the rails"},
  {"crane", yard, sex::either, no, "beside the canal"},
  {"steamroller", yard, sex::either, no, "under the bridge"},
  {"fire engine", yard, sex::either, no, "in an open garage"},
};

constexpr std::string_view girls[] = {"Lena", "Mila", "Nora", "Ida", "Tilda", "Rosa", "Greta", "Pia", "Hanna", "Marla", "Lotte",
  "Ines", "Juna", "Kaya", "Mina", "Alba", "Selma", "Elif", "Runa", "Vera"};
constexpr std::string_view boys[] = {"Emil", "Oskar", "Nils", "Milo", "Timo", "Bela", "Anton", "Karim", "Luis", "Otto", "Finn",
  "Mats", "Piet", "Rafi", "Samir", "Theo", "Ole", "Hugo", "Arlo", "Jakob"};
constexpr std::string_view females[] = {"Tika", "Ruda", "Willa", "Fenja", "Nuna", "Pepa", "Dotti", "Lumi", "Mirre", "Zilla",
  "Olka", "Susa", "Bibi", "Henna", "Yola", "Kessi"};
constexpr std::string_view males[] = {
  "Bodo", "Fipp", "Grum", "Knut", "Pikko", "Rollo", "Tamo", "Zeb", "Muck", "Orlo", "Wim", "Kip", "Barto", "Nock", "Jaro", "Ludo"};
constexpr std::string_view female_machines[] = {"Trudi", "Zinka", "Molla", "Bippa", "Klara", "Rosti"};
constexpr std::string_view male_machines[] = {"Rasko", "Tuck", "Bolto", "Krank", "Bruno", "Pomp"};
constexpr std::string_view old_women[] = {"Old Marta", "Old Tilde", "Old Agnes", "Old Berta", "Old Olga", "Old Frieda"};
constexpr std::string_view old_men[] = {"Old Jonas", "Old Bram", "Old Gorm", "Old Alfons", "Old Enok", "Old Ruben"};

} // namespace

std::span<const kind> all_kinds() { return kinds; }
std::span<const elder_kind> all_elder_kinds() { return elder_kinds; }

std::span<const std::string_view> names_of(world where, bool female) {
  using list = std::span<const std::string_view>;
  if (where == village) return female ? list(girls) : list(boys);
  if (where == yard) return female ? list(female_machines) : list(male_machines);
  return female ? list(females) : list(males);
}

std::span<const std::string_view> elder_names(bool female) {
  using list = std::span<const std::string_view>;
  return female ? list(old_women) : list(old_men);
}

} // namespace troupe::stories
