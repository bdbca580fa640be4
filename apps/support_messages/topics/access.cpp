// The way into an account: passwords, codes, locks.
#include "apps/support_messages/topics/topic.hpp"

namespace troupe::support_messages {
namespace {

constexpr std::string_view concerns[] = {
  "I [cannot|can't] log in [any more|since {weekday}]: [the password is refused|it says that my password is wrong].",
  "The mail for a new password never comes[.|, I have looked into the spam folder too.|, I have asked for it {number} times.]",
  "My account [is|has been] locked[.| after three tries.| and I do not know why.]",
  "The code for signing in goes to a phone that I no longer have.",
  "Your page claims that my e-mail address does not exist, but I have used it for {number} years.",
  "[Since|After] I changed my name, [my login is gone|I do not get into my account].",
  "Somebody has changed my password, and it was not me.",
  "I am thrown out of my account [as soon as I have signed in|after a few seconds].",
  "The invitation for my colleague {name} expired before {name} could choose a password.",
  "I have set a new password, and the page still wants the old one.",
  "The second step of the sign-in asks for a key that I never got.",
  "How do I get back into my account? [I forgot the answer to the security question.|I no longer have the old e-mail address.]",
  "The login page only turns and turns, [in every browser|on my phone and on the computer], and lets me in nowhere.",
  "There is a sign-in from {place} in my account that cannot be mine. [Please throw it out.|What now?]",
  "[The puzzle with the pictures|The check whether I am a human] never lets me through to my account.",
  "My user name is [taken|unknown], it says, when I want to sign in.",
  "I need to get at my [orders|data] and stand before a closed door: [access denied|no permission].",
};

constexpr std::string_view settled[] = {
  "Logging in works.",
  "My password is fine[.|, I have checked that.]",
  "The mail for a new password came at once when I tried it.",
  "I am signed in while I write this.",
  "My account is in good order.",
  "The code arrives on my phone each time.",
};

} // namespace

const topic access{"access", concerns, settled};

} // namespace troupe::support_messages
