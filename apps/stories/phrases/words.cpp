#include "apps/stories/phrases/words.hpp"

namespace troupe::stories {
namespace {

struct list {
  std::string_view name;
  std::span<const std::string_view> phrases;
};

// Before the speaker's name.
constexpr std::string_view said[] = {"said"};
constexpr std::string_view replied[] = {"2*said", "2*answered", "replied"};
constexpr std::string_view says[] = {"5*said", "explained", "announced"};
constexpr std::string_view asked[] = {"asked"};
constexpr std::string_view cried[] = {"2*cried", "2*called", "shouted", "exclaimed"};
constexpr std::string_view whispered[] = {"2*whispered", "murmured", "breathed"};

// At the start of a sentence.
constexpr std::string_view one_day[] = {"2*One day", "2*One morning", "One afternoon", "One fine day"};
constexpr std::string_view next_day[] = {
  "2*The next morning", "2*The next day", "Early the next morning", "The day after that", "As soon as the sun was up"};
constexpr std::string_view soon[] = {"2*Soon", "Before long", "After a while", "A little later"};
constexpr std::string_view at_last[] = {"2*At last", "Finally", "In the end", "After a long time"};
constexpr std::string_view suddenly[] = {"Suddenly", "Just then", "At that moment", "All at once"};
constexpr std::string_view that_evening[] = {"That evening", "In the evening", "That night", "When it grew dark"};
constexpr std::string_view since_then[] = {"Since that day", "From that day on", "From then on", "After that"};

// Within a sentence.
constexpr std::string_view thought[] = {"2*thought about it", "thought hard", "thought for a long while", "thought and thought"};
constexpr std::string_view for_long[] = {"for a long time", "for a long while", "until {h.he} was tired", "all afternoon"};
constexpr std::string_view very[] = {"3*very", "2*so", "really", "quite"};

// Sentences about the hero.
constexpr std::string_view sad[] = {"5*{h} {h.sad}.", "“Oh dear,” said {h}[| and sighed].", "{h} did not say a word.",
  "For a moment {h} wanted to give up.", "{h} had imagined it differently.", "That hurt {h} a little.",
  "“[Too bad|What a pity],” [said|murmured] {h}."};
constexpr std::string_view glad[] = {"5*{h} {h.joy}.", "{h} could have [hugged the whole world|sung out loud].",
  "{h} felt as light as a feather.", "All the worry fell off {h}.", "{h} beamed like the sun.", "“[Hurray|Yes]!” cried {h}."};
constexpr std::string_view afraid[] = {"5*{h} {h.fear}.", "A shiver went through {h}.", "{h} did not feel well at all.",
  "{h} would rather have been somewhere else.", "“[Oh no|Oh dear],” [breathed|whispered] {h}."};
constexpr std::string_view think[] = {"3*{h} <thought>.", "“Hm,” said {h}.",
  "{h} looked at the clouds, as {h.he} always did when {h.he} was thinking.", "{h} closed {h.his} eyes in order to think better.",
  "{h} needed a moment."};

constexpr list lists[] = {
  {"said", said},
  {"replied", replied},
  {"says", says},
  {"asked", asked},
  {"cried", cried},
  {"whispered", whispered},
  {"one day", one_day},
  {"next day", next_day},
  {"soon", soon},
  {"at last", at_last},
  {"suddenly", suddenly},
  {"that evening", that_evening},
  {"since then", since_then},
  {"thought", thought},
  {"for long", for_long},
  {"very", very},
  {"sad", sad},
  {"glad", glad},
  {"afraid", afraid},
  {"think", think},
};

} // namespace

std::span<const std::string_view> phrase_list(std::string_view name) {
  for (const list& one : lists) {
    if (one.name == name) return one.phrases;
  }
  return {};
}

} // namespace troupe::stories
