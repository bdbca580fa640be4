// Ending something: a subscription, an order, a purchase.
#include "apps/support_messages/topics/topic.hpp"

namespace troupe::support_messages {
namespace {

constexpr std::string_view concerns[] = {
  "I [want|would like] to cancel my [subscription|membership|plan] [at the end of {month}|as soon as the contract allows|from {month} on].",
  "[Please take the {product} back, it|Would you take the {product} back? It] does not suit [us|me].",
  "I [would like|want] to send the {product} back[.|. What do I have to do?|, it is still in its wrapping.]",
  "Please drop order {number}, I placed it by mistake.",
  "We no longer need the service. Please end the contract.",
  "How do I get out of the yearly plan?",
  "I have changed my mind about the {product}[. Please stop the order.| and do not want it any more.]",
  "I hereby withdraw from the purchase of the {product}.",
  "Please do not renew my [membership|subscription] [in {month}|next year].",
  "The {product} is not what I had imagined. [Please send me a label for the way back.|I would like to give it back.]",
  "[Please close|I want you to close] my customer account for good and delete what you know about me.",
  "[Take me off|Please take me off] the list for the {product}, I have bought another one elsewhere.",
  "The color of the {product} does not fit our {room}, so I want to return it.",
  "My mother, who had the [subscription|plan], does not use it any more. [Please end it.|How can I end it for her?]",
  "[By when|Until when] do I have to give notice so that the [plan|subscription] ends in {month}? I want to leave.",
  "I ordered the {product} twice and need it once: the other one can go back.",
};

constexpr std::string_view settled[] = {
  "I do not want to cancel anything.",
  "I will keep the {product}, no question.",
  "Sending it back is not what I want.",
  "My old subscription ended long ago, that is settled.",
  "I am glad to stay your customer.",
  "You have already confirmed the return of the other one.",
};

} // namespace

const topic cancellation{"cancellation", concerns, settled};

} // namespace troupe::support_messages
