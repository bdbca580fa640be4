// Questions about a product, before or after it is bought.
#include "apps/support_messages/topics/topic.hpp"

namespace troupe::support_messages {
namespace {

constexpr std::string_view concerns[] = {
  "Does the {product} [work|go together] with [older phones|a solar panel|the one of another maker|rechargeable batteries]?",
  "Which of the two models of the {product} [is better for|would you take for] a [small|large] {room}?",
  "Do you [have|sell] the {product} in [white|black|green|another color] too?",
  "Is there a cheaper version of the {product} for [schools|students|clubs]?",
  "How long is the warranty on the {product}?",
  "How [wide|high|heavy|long] is the {product}?",
  "Can the {product} be used [outdoors|in the rain|in a damp {room}|on a boat]?",
  "[Is the {product} suitable|Would the {product} be right] for [small children|somebody with weak eyes|a beginner]?",
  "Do you have [spare parts|filters|a bag|a wall mount] for the {product}?",
  "Do you have a shop in {place} where I can look at the {product}?",
  "Will the {product} be [in stock|on sale] again [before {month}|this year]?",
  "How loud is the {product} when it runs[ all night|]?",
  "How much power does the {product} [use|need] in a year?",
  "What is the difference between the {product} and the one of last year?",
  "What is the {product} made of, [metal or plastic|and where is it made]?",
  "[In which languages is the manual of the {product}|Is there a manual for the {product} in Polish]?",
  "Before I buy it: [does the {product} need|must the {product} have] [a subscription|an account|the app]?",
  "[Which|What] batteries go into the {product}, and are they in the box?",
};

constexpr std::string_view settled[] = {
  "I have no questions about the {product} itself.",
  "Your answer about the warranty was clear, thank you.",
  "Your colleague {name} has told me all about the sizes.",
  "I know from the manual how it is used.",
  "I have read which batteries it takes.",
};

} // namespace

const topic question{"question", concerns, settled};

} // namespace troupe::support_messages
