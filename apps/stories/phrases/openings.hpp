#pragma once
// How stories begin: who the hero is, where, what the weather is like.
#include "apps/stories/telling/teller.hpp"

namespace troupe::stories {

/// Sets what openings write, unless the plot has set something else afterwards: {trait}, {where}, {season}.
void set_defaults(teller& t);

/// The first paragraph, or the beginning of it. Every third story begins with "Once upon a time".
void open(teller& t);
/// What the hero likes to do; sometimes nothing.
void habit(teller& t);
/// A sentence about {season}.
void weather(teller& t);

} // namespace troupe::stories
