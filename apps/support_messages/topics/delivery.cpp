// The way of a parcel: where it is, when it comes, what is missing in it.
#include "apps/support_messages/topics/topic.hpp"

namespace troupe::support_messages {
namespace {

constexpr std::string_view concerns[] = {
  "The [parcel|package|box] with my {product} [has not come|has not arrived|never showed up], though it was due [on {weekday}|{ago}].",
  "The tracking [has said|says] [on its way|being processed] [for {number} days|since {weekday}], and nothing moves.",
  "The courier left my [parcel|package] with a neighbor whom nobody here knows.",
  "The driver [says|noted] that nobody was at home, but I was here all day.",
  "[I have moved|We have moved]: can the [parcel|package] still be sent on to {place}?",
  "Only one of the two boxes has come[.|, where is the other one?|; the one with the {product} is missing.]",
  "You shipped my order to my old address[.| in {place}.]",
  "When will the {product} be here? It was sent {ago}.",
  "The tracking number opens an empty page, and the carrier does not know it either.",
  "My [parcel|package] has been lying at a depot in {place} [since {weekday}|for {number} days], and nobody brings it.",
  "The {product} was not in the box, [only paper|there was nothing in it but paper|just the cable was there].",
  "The pickup point that holds my [parcel|package] has closed for good[.|. How do I get it?]",
  "[Where is|What has become of] my order? [You wrote that it left your warehouse {ago}.|It should have been here {ago}.]",
  "Customs in {place} [holds|has stopped] the [parcel|package] because a paper is missing.",
  "Can the {product} be brought [in the evening|on {weekday}]? I am at work during the day, and the driver came twice in vain.",
  "According to your message the {product} was handed over {ago}. I have never seen it.",
  "The carrier wants to send the [parcel|package] back because they cannot find our door.",
};

constexpr std::string_view settled[] = {
  "Your [parcel|package] came on time[.|, thanks.]",
  "Delivery was quick, as always.",
  "The courier was very friendly[.|, by the way.]",
  "Everything was in the box.",
  "The tracking worked well this time.",
  "It [arrived|was delivered] {ago} in one piece.",
  "When it is shipped does not matter to me.",
};

} // namespace

const topic delivery{"delivery", concerns, settled};

} // namespace troupe::support_messages
