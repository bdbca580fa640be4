// Things that do not work as they should: devices and the app.
#include "apps/support_messages/topics/topic.hpp"

namespace troupe::support_messages {
namespace {

constexpr std::string_view concerns[] = {
  "The {product} [does not|doesn't] [switch on|start] [any more|since {weekday}].",
  "The {product} stops after [{number}|a few] minutes [and has to be restarted|and I have to pull the plug].",
  "Since the update the app [crashes|freezes|closes] whenever I open [the settings|a photo|my list].",
  "The {product} [makes a loud hum|rattles|whistles] [all the time|when it is warm|since {weekday}].",
  "The {product} gets so hot that it smells burnt.",
  "The {product} shows error {number}[.| and a red light.|, what does it mean and what can I do?]",
  "The {product} loses the connection every {number} minutes.",
  "My {product} [no longer charges|is empty after an hour], whichever cable I take.",
  "Water runs out of the {product} [at the bottom|when it is full].",
  "The app writes an empty file when I export my data.",
  "What I have entered in the app is gone after every restart.",
  "One of the buttons of the {product} [has no effect|is stuck|came off].",
  "The light of the {product} flickers[.|, and sometimes it goes out altogether.]",
  "The lid of the {product} is [broken|cracked|loose] [after one week|though nobody dropped it].",
  "The clock of the {product} is {number} minutes slow each morning.",
  "The {product} and the app [do not find each other|no longer talk to each other].",
  "The search in your app finds nothing, whatever I type.",
  "[How do I repair|Can you mend] the {product}? It only blinks.",
};

constexpr std::string_view settled[] = {
  "The {product} itself works perfectly.",
  "Nothing is broken[.|, everything runs.]",
  "The app runs well.",
  "The crash of last month has not come back since the update.",
  "There is no error message anywhere.",
  "It switches on and does what it should.",
};

} // namespace

const topic fault{"fault", concerns, settled};

} // namespace troupe::support_messages
