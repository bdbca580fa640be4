#include "apps/support_messages/message.hpp"
#include "apps/generators/patterns.hpp"
#include "apps/generators/slips.hpp"
#include "apps/support_messages/phrases/quotes.hpp"
#include "apps/support_messages/phrases/words.hpp"
#include <utility>
#include <vector>

namespace troupe::support_messages {
namespace {

using generators::choice;
using generators::pattern_writer;

constexpr size_t topic_count = std::size(all_topics);

std::string what_says_urgent(pattern_writer& t) {
  const std::string reason = t.written_one(reasons_to_hurry);
  if (!t.draws().chance(1, 3)) return generators::capitalised(reason) + (t.draws().chance(1, 5) ? "!" : ".");
  t.set("reason", reason);
  t.set("calm", t.written_one(patience));
  return t.written_one(patience_at_an_end);
}

/// Seldom nothing at all; often something that a hasty reader takes for haste.
std::string what_says_routine(pattern_writer& t) {
  const uint32_t kind = t.draws().below(10);
  if (kind < 3) return "";
  if (kind < 5) return t.written_one(patience);
  t.set("reason", t.written_one(reasons_to_hurry));
  return t.written_one(no_real_hurry);
}

/// In any order: no sentence needs another one before it.
std::string in_some_order(choice& draws, std::vector<std::string> sentences) {
  std::string text;
  while (!sentences.empty()) {
    const auto next = sentences.begin() + draws.below(static_cast<uint32_t>(sentences.size()));
    if (!next->empty()) text += (text.empty() ? "" : " ") + *next;
    sentences.erase(next);
  }
  return text;
}

/// As people type: most messages stay as they are.
std::string typed(choice& draws, std::string text) {
  const uint32_t slips = draws.chance(1, 4) ? draws.below(2) + 1 : 0;
  for (uint32_t i = 0; i < slips; ++i) generators::slip_in_a_word(draws, text, 5);
  if (draws.chance(1, 10)) {
    for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  if (draws.chance(1, 8) && text.ends_with('.')) text.pop_back();
  return text;
}

std::string what_is_wanted(pattern_writer& t, const topic& about) {
  std::string concern = t.written_one(about.concerns);
  if (!t.draws().chance(1, 6)) return concern;
  t.set("quote", concern);
  return t.written_one(open_matters);
}

/// The words of a topic, in a sentence that asks for nothing.
std::string what_is_not_wanted(pattern_writer& t, const topic& other) {
  if (t.draws().chance(1, 2)) return t.written_one(other.settled);
  t.set("quote", t.written_one(other.concerns));
  return t.written_one(closed_matters);
}

/// A topic that is not this one.
const topic& other_topic(choice& draws, const topic& about) {
  const topic* drawn = all_topics[draws.below(topic_count - 1)];
  return drawn == &about ? *all_topics[topic_count - 1] : *drawn;
}

std::string write(choice& draws, const topic& about, urgency how_soon) {
  pattern_writer t(draws);
  set_words(t);
  std::vector<std::string> sentences{what_is_wanted(t, about)};
  sentences.push_back(how_soon == urgency::urgent ? what_says_urgent(t) : what_says_routine(t));
  const bool is_short = draws.chance(1, 5);
  const uint32_t others = is_short ? 0 : draws.below(3);
  for (uint32_t i = 0; i < others; ++i) sentences.push_back(what_is_not_wanted(t, other_topic(draws, about)));
  if (!is_short && draws.chance(1, 2)) sentences.push_back(t.written_one(remarks));
  std::string text = in_some_order(draws, std::move(sentences));
  if (!is_short && draws.chance(2, 5)) text = t.written_one(greetings) + " " + text;
  if (!is_short && draws.chance(2, 5)) text += " " + t.written_one(closings);
  return typed(draws, std::move(text));
}

} // namespace

message make_message(uint64_t seed, uint64_t index, generators::part from) {
  choice draws{seed, index};
  for (;;) {
    const double before = draws.bits();
    const topic& about = *all_topics[draws.below(topic_count)];
    const urgency how_soon = draws.chance(1, 2) ? urgency::urgent : urgency::routine;
    std::string text = write(draws, about, how_soon);
    if (generators::is_held_out(text) != (from == generators::part::held_out)) continue;
    std::string label = std::string(about.name) + (how_soon == urgency::urgent ? "/urgent" : "/routine");
    return {std::move(text), std::move(label), &about, how_soon, draws.bits() - before};
  }
}

} // namespace troupe::support_messages
