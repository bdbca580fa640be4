// Money: what was charged, invoiced, paid, refunded.
#include "apps/support_messages/topics/topic.hpp"

namespace troupe::support_messages {
namespace {

constexpr std::string_view concerns[] = {
  "I was charged twice for [the|my] {product}[.| {ago}.| and would like one of the two payments back.]",
  "My [card|account] was debited {amount}, but the confirmation [says|names] {other amount}.",
  "The [invoice|bill] for {month} [lists|contains|shows] a [fee|service charge|surcharge] that I never agreed to.",
  "The discount was accepted when I [ordered|bought the {product}], but it is missing on the [invoice|bill].",
  "You [promised me|were going to send me] {amount} back {ago}, and nothing has reached my [account|bank] [yet|so far].",
  "Why does my statement show [two|three] payments to you on the same day?",
  "You took {amount} from my card although the trial month is free.",
  "The tax on [the|our] invoice is wrong, we are a company in {place}.",
  "[Please make|Could you make] the invoice out to my company[, not to me| and not to me]?",
  "My payment was declined [twice|three times], yet the money is gone from my account.",
  "I suddenly pay {amount} a month instead of {other amount}[, and nobody told me|. How come?|. Please put that right.]",
  "[Please explain|Can you explain] the {amount} on my last bill[.|? I cannot make sense of it.|, I do not know what they are for.]",
  "The sum that you paid back for the {product} is {amount} too little.",
  "I paid by bank transfer {ago} and still get reminders[.| to pay.|, with a late fee on top.]",
  "[I never got|I am still missing] an invoice for the {product}[.|, and my accountant asks for it.]",
  "[How|Where] can I change the card that you charge each month?",
  "The amount on the receipt [does not add up|is wrong|is not what I paid].",
  "Your shop calculated shipping costs [twice|although they should be free above {amount}].",
};

constexpr std::string_view settled[] = {
  "I have paid the [invoice|bill] already[.|, that is not the point.]",
  "The payment went through without any trouble.",
  "The [bill|invoice] is correct, by the way.",
  "You charged my card the right amount, [that is not it|so no worries there].",
  "The refund for my last order has arrived, thank you.",
  "The price is fine with me.",
  "I do not want any money back.",
};

} // namespace

const topic billing{"billing", concerns, settled};

} // namespace troupe::support_messages
