#include "apps/support_messages/phrases/words.hpp"
#include "apps/generators/patterns.hpp"

namespace troupe::support_messages {
namespace {

constexpr std::string_view greeting_list[] = {"Hello,", "Hi,", "Hi there,", "Dear team,", "Good morning,", "Good evening,",
  "Hello support,", "Dear Sir or Madam,", "Hey,", "To whom it may concern,"};

constexpr std::string_view closing_list[] = {"Thanks, {name}", "Thank you!", "Best regards, {name}", "Regards, {name}",
  "Thanks in advance.", "Kind regards, {name}", "{name}", "Thank you for your help.", "Greetings from {place}", "Yours, {name}",
  "Cheers, {name}"};

constexpr std::string_view remark_list[] = {
  "I have been your customer for {number} years.",
  "Your colleague {name} was [very |]kind on the phone.",
  "I am writing this on my phone.",
  "My [order|customer] number is {number}.",
  "I tried the chat first, but nobody was there.",
  "I use the {product} in my {room}.",
  "I bought the {product} [in {place}|as a gift|{ago}].",
  "Sorry for my English.",
  "I found your address in the manual.",
  "My neighbor has one too.",
  "I have written to you before.",
  "You can reach me at this address[.| all day.]",
  "I hope that I am in the right place here.",
  "My [wife|husband|son|boss] told me to write to you.",
  "We run a small [shop|café|office|school] in {place}.",
  "I have attached a picture.",
  "We are very happy with your shop [otherwise|in general].",
  "I searched your help pages and found nothing about it.",
};

} // namespace

void set_words(generators::pattern_writer& t) {
  t.set("product",
    "[kettle|lamp|speaker|camera|router|printer|vacuum cleaner|heater|watch|monitor|keyboard|kitchen scale|toaster|drill|air "
    "filter|fan|headset|projector|radio|coffee machine|doorbell|thermostat]");
  t.set("room", "[kitchen|office|bedroom|workshop|garage|classroom|cellar|living room]");
  t.set("name",
    "[Anna|Ben|Carla|David|Elif|Farid|Greta|Hugo|Ines|Jakob|Kim|Lena|Milan|Nora|Oskar|Paula|Quentin|Rosa|Samir|Tilda|Uma|Viktor|Wanda|"
    "Yusuf|Zoe]");
  t.set("place", "[Leeds|Cork|Graz|Lyon|Porto|Turin|Ghent|Bergen|Malmo|Gdansk|Brno|Basel|Aarhus|Leiden|Toledo|Dover]");
  t.set("weekday", "[Monday|Tuesday|Wednesday|Thursday|Friday|Saturday]");
  t.set("month", "[January|February|March|April|May|June|July|August|September|October|November|December]");
  t.set("ago", "[two weeks ago|last week|ten days ago|on {weekday}|last month|days ago|a month ago]");
  t.set("number", "[3|4|5|7|10|12|15|20|24|30|31|42]");
  t.set("amount", "[9|12|18|25|39|49|60|75|80|99|120|150][|.50|.90|.99] [euros|pounds|dollars]");
  t.set("other amount", "[8|11|16|22|35|45|55|70|85|95|110|140][|.50|.90|.99]");
}

const std::span<const std::string_view> greetings = greeting_list;
const std::span<const std::string_view> closings = closing_list;
const std::span<const std::string_view> remarks = remark_list;

} // namespace troupe::support_messages
