#include "apps/support_messages/phrases/urgency.hpp"

namespace troupe::support_messages {
namespace {

constexpr std::string_view hurry[] = {
  "I need [this solved|an answer|help|a solution] [today|by tonight|within the hour|before noon|by tomorrow morning]",
  "my [train|flight|ferry] leaves in [two|three|four] hours",
  "we open tomorrow morning, and [without this we cannot|not like this]",
  "every hour of this costs us [money|customers|a day's work]",
  "the whole office is standing still",
  "this cannot wait until {weekday}",
  "the deadline is [tonight|tomorrow at noon|in a few hours]",
  "[please call|please ring] me [at once|right away|in the next minutes]",
  "if nothing happens by this evening, [I lose the contract|we lose our biggest customer|my place is gone|we have to close]",
  "this is [really |very |extremely |]urgent",
  "it has to be done [as soon as possible|ASAP|immediately|this very day]",
  "our guests arrive in [two|three] hours",
  "the exam is tomorrow at eight, and I cannot do without it",
  "I am standing [at the counter|at the airport|in front of forty people] right now",
  "drop everything else, please",
  "my [mother|father|daughter] is ill and depends on it tonight",
  "tomorrow will be too late",
  "I am losing [work|sleep and money|customers] with every minute",
  "treat this as an emergency, please",
};

constexpr std::string_view at_an_end[] = {
  "Normally I would say take your time, but {reason}.",
  "Last week I wrote that there was no hurry; that has changed: {reason}.",
  "You know that I am patient, but {reason}.",
  "It would not be urgent, if it were not for this: {reason}.",
  "I do not like to press you, yet {reason}.",
  "I know that you have until next week for an answer. I do not: {reason}.",
  "Whenever you have time, I used to say. This time {reason}.",
  "My colleague says: \"{calm}\" I see it differently: {reason}.",
  "\"{calm}\" was true {ago}. Now it is like this: {reason}.",
  "The form ticks \"{calm}\" by itself. That is wrong: {reason}.",
};

constexpr std::string_view calm[] = {
  "There is no hurry.",
  "Take your time.",
  "[Whenever|Just answer whenever] you get round to it.",
  "An answer [next week|next month|after the holidays] is early enough.",
  "It is not urgent[.| at all.]",
  "Nothing depends on it.",
  "It can [easily |]wait until [{weekday}|next week|after the holidays].",
  "No need to call me back.",
  "I am in no rush.",
  "If it takes a few weeks, that is fine [with me|too].",
  "There is no deadline[.| for this.]",
  "I only need it [in {month}|some day].",
};

constexpr std::string_view unreal[] = {
  "Last time it was urgent, and you helped me at once, thank you for that.",
  "I know that others need help today, so put me at the end of the line.",
  "Call immediately only in an emergency, says your page, and this is none.",
  "I thought it had to be done by tonight, but the deadline was moved to next month.",
  "My flight left {ago}, so it no longer matters when.",
  "My husband would write ASAP here; I would not.",
  "Please do not drop everything else for this.",
  "Your colleague asked whether it must be today: no.",
  "Your last mail was marked urgent. Mine is not.",
  "The emergency of {weekday} is over, you can do this one in peace.",
  "The guests for whom I needed it right away have left again.",
  "It need not be as soon as possible, as your form makes me say.",
  "Nobody loses money if this takes longer.",
  "Tomorrow is as good as today.",
  "3*Others would write \"{reason}\" here; [I have time|with me it is not so].",
  "3*I could claim \"{reason}\", but it would not be true.",
  "3*In {month} it was still \"{reason}\", and that is over.",
  "3*\"{reason}\" is what [my boss|my neighbor] would say to get ahead of others. I can wait my turn.",
  "3*Your form offers \"{reason}\", I have chosen the opposite.",
};

} // namespace

const std::span<const std::string_view> reasons_to_hurry = hurry;
const std::span<const std::string_view> patience_at_an_end = at_an_end;
const std::span<const std::string_view> patience = calm;
const std::span<const std::string_view> no_real_hurry = unreal;

} // namespace troupe::support_messages
