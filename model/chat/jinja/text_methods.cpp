#include "model/chat/jinja/arguments.hpp"
#include "model/chat/jinja/characters.hpp"
#include "model/chat/jinja/comparison.hpp"
#include "model/chat/jinja/methods.hpp"
#include "model/chat/jinja/printing.hpp"
#include <algorithm>

namespace troupe::jinja {
namespace {

constexpr size_t npos = std::string_view::npos;

const text& self(const value& receiver) { return *receiver.as_text(); }

void refuse_names(evaluation& run, std::string_view method, const call_arguments& arguments) {
  if (!arguments.named.empty()) run.fail(std::string(method) + " takes no named arguments");
}

value like(evaluation& run, const value& receiver, std::string bytes) {
  return make_text(run, std::move(bytes), self(receiver).is_escaped);
}

value list_of(evaluation& run, const value& receiver, const std::vector<std::string_view>& parts,
              sequence_kind kind = sequence_kind::list) {
  run.make(parts.size() * sizeof(value));
  std::vector<value> items;
  for (const auto part : parts) items.push_back(like(run, receiver, std::string(part)));
  return make_list(run, std::move(items), kind);
}

template <bool left, bool right>
value strip_method(evaluation& run, const value& receiver, const call_arguments& arguments) {
  refuse_names(run, "strip", arguments);
  const bound_arguments given(run, "strip", arguments, {"chars"});
  const auto set = given.text_or_none(0);
  run.spend_search(self(receiver).bytes.size() * (set ? 1 + set->size() / 8 : 1));
  return like(run, receiver, std::string(strip(self(receiver).bytes, set, left, right)));
}

/// Parts between separators; the last of `splits_max` + 1 is the rest. From the right, the first is.
std::vector<std::string_view> split_at(evaluation& run, std::string_view bytes, std::string_view separator, uint64_t splits_max,
                                       bool from_right) {
  std::vector<std::string_view> parts;
  if (!from_right) {
    run.spend_search(bytes.size());
    size_t begin = 0;
    while (parts.size() < splits_max) {
      const size_t found = find_first(bytes, separator, begin);
      if (found == npos) break;
      parts.push_back(bytes.substr(begin, found - begin));
      begin = found + separator.size();
    }
    parts.push_back(bytes.substr(begin));
    return parts;
  }
  run.spend(1 + bytes.size() / 64 * std::min<uint64_t>(separator.size(), bytes.size()));
  while (parts.size() < splits_max) {
    const size_t found = bytes.rfind(separator);
    if (found == npos) break;
    parts.push_back(bytes.substr(found + separator.size()));
    bytes = bytes.substr(0, found);
  }
  parts.push_back(bytes);
  std::reverse(parts.begin(), parts.end());
  return parts;
}

template <bool from_right>
value split_method(evaluation& run, const value& receiver, const call_arguments& arguments) {
  const bound_arguments given(run, "split", arguments, {"sep", "maxsplit"});
  const auto separator = given.text_or_none(0);
  const int64_t wanted = given.integer_or(1, -1);
  const uint64_t splits_max = wanted < 0 ? ~uint64_t(0) : uint64_t(wanted);
  const std::string& bytes = self(receiver).bytes;
  if (!separator) {
    run.spend_search(bytes.size());
    return list_of(run, receiver, split_words(bytes, splits_max, from_right));
  }
  if (separator->empty()) run.fail("split: the separator is empty");
  return list_of(run, receiver, split_at(run, bytes, *separator, splits_max, from_right));
}

value splitlines(evaluation& run, const value& receiver, const call_arguments& arguments) {
  const bound_arguments given(run, "splitlines", arguments, {"keepends"});
  run.spend_search(self(receiver).bytes.size());
  return list_of(run, receiver, split_lines(self(receiver).bytes, given.integer_or(0, 0) != 0));
}

template <bool from_right>
value partition(evaluation& run, const value& receiver, const call_arguments& arguments) {
  refuse_names(run, "partition", arguments);
  const bound_arguments given(run, "partition", arguments, {"sep"}, 1);
  const std::string& separator = given.text_at(0).bytes;
  if (separator.empty()) run.fail("partition: the separator is empty");
  const auto parts = split_at(run, self(receiver).bytes, separator, 1, from_right);
  if (parts.size() == 2) return list_of(run, receiver, {parts[0], separator, parts[1]}, sequence_kind::tuple);
  if (from_right) return list_of(run, receiver, {"", "", parts[0]}, sequence_kind::tuple);
  return list_of(run, receiver, {parts[0], "", ""}, sequence_kind::tuple);
}

/// The part of the text between the characters that arguments `first` and `first` + 1 name; nothing where the first is beyond the end.
std::optional<std::pair<size_t, size_t>> range_of(const text& words, const bound_arguments& given, size_t first) {
  const int64_t length = int64_t(words.characters);
  const auto position = [&](size_t i, int64_t otherwise) {
    if (!given.has(i) || given[i].is_none()) return otherwise;
    const int64_t at = given.integer_at(i);
    return at < 0 ? std::max<int64_t>(0, at + length) : at;
  };
  const int64_t begin = position(first, 0), end = std::min(position(first + 1, length), length);
  if (begin > end) return std::nullopt;
  return std::pair(bytes_of(words.bytes, size_t(begin)), bytes_of(words.bytes, size_t(end)));
}

template <bool at_end>
value affix_method(evaluation& run, const value& receiver, const call_arguments& arguments) {
  refuse_names(run, "startswith", arguments);
  const bound_arguments given(run, at_end ? "endswith" : "startswith", arguments, {"prefix", "start", "end"}, 1);
  run.spend_search(self(receiver).bytes.size());
  const auto range = range_of(self(receiver), given, 1);
  const auto fits = [&](const value& one) {
    const text* affix = one.as_text();
    if (affix == nullptr) run.fail("startswith and endswith want strings");
    if (!range) return false;
    const auto part = std::string_view(self(receiver).bytes).substr(range->first, range->second - range->first);
    return at_end ? part.ends_with(affix->bytes) : part.starts_with(affix->bytes);
  };
  const sequence* several = given[0].as_sequence();
  if (several == nullptr || several->kind != sequence_kind::tuple) return {fits(given[0])};
  return {std::any_of(several->items.begin(), several->items.end(), fits)};
}

template <bool at_end>
value remove_affix(evaluation& run, const value& receiver, const call_arguments& arguments) {
  refuse_names(run, "removeprefix", arguments);
  const bound_arguments given(run, "removeprefix", arguments, {"prefix"}, 1);
  const std::string &bytes = self(receiver).bytes, &affix = given.text_at(0).bytes;
  const bool fits = at_end ? bytes.ends_with(affix) : bytes.starts_with(affix);
  if (!fits) return receiver;
  return like(run, receiver, at_end ? bytes.substr(0, bytes.size() - affix.size()) : bytes.substr(affix.size()));
}

enum class find_kind { first, last, first_index, last_index };

template <find_kind kind>
value find_text(evaluation& run, const value& receiver, const call_arguments& arguments) {
  refuse_names(run, "find", arguments);
  const bound_arguments given(run, "find", arguments, {"sub", "start", "end"}, 1);
  constexpr bool is_last = kind == find_kind::last || kind == find_kind::last_index;
  const std::string_view bytes = self(receiver).bytes, wanted = given.text_at(0).bytes;
  run.spend(1 + bytes.size() / 64 * (is_last ? std::max<size_t>(1, std::min(wanted.size(), bytes.size())) : 1));
  size_t found = npos;
  const auto range = range_of(self(receiver), given, 1);
  if (range) {
    const auto part = bytes.substr(0, range->second);
    found = is_last ? part.rfind(wanted) : find_first(part, wanted, range->first);
    if (found != npos && found < range->first) found = npos;
  }
  if (found != npos) return {int64_t(count_characters(bytes.substr(0, found)))};
  if (kind == find_kind::first_index || kind == find_kind::last_index) run.fail("index: the string does not contain this");
  return {int64_t(-1)};
}

value count_text(evaluation& run, const value& receiver, const call_arguments& arguments) {
  refuse_names(run, "count", arguments);
  const bound_arguments given(run, "count", arguments, {"sub", "start", "end"}, 1);
  const text& words = self(receiver);
  const std::string& wanted = given.text_at(0).bytes;
  run.spend_search(words.bytes.size());
  const auto range = range_of(words, given, 1);
  if (!range) return {int64_t(0)};
  const auto part = std::string_view(words.bytes).substr(0, range->second);
  if (wanted.empty()) return {int64_t(count_characters(part.substr(range->first))) + 1};
  int64_t times = 0;
  for (size_t at = find_first(part, wanted, range->first); at != npos; at = find_first(part, wanted, at + wanted.size())) ++times;
  return {times};
}

value replace(evaluation& run, const value& receiver, const call_arguments& arguments) {
  refuse_names(run, "replace", arguments);
  const bound_arguments given(run, "replace", arguments, {"old", "new", "count"}, 2);
  const std::string &bytes = self(receiver).bytes, &old = given.text_at(0).bytes, &replacement = given.text_at(1).bytes;
  const int64_t wanted = given.integer_or(2, -1);
  uint64_t left = wanted < 0 ? ~uint64_t(0) : uint64_t(wanted);
  run.spend_search(bytes.size());
  std::string out;
  const auto add = [&](std::string_view part) {
    run.make(part.size());
    out += part;
  };
  size_t at = 0;
  if (old.empty()) { // Before each character, and at the end.
    while (left > 0) {
      --left;
      add(replacement);
      if (at == bytes.size()) break;
      const size_t begin = at;
      next_character(bytes, at);
      add(std::string_view(bytes).substr(begin, at - begin));
    }
  } else {
    for (; left > 0; --left) {
      const size_t found = find_first(bytes, old, at);
      if (found == npos) break;
      add(std::string_view(bytes).substr(at, found - at));
      add(replacement);
      at = found + old.size();
    }
  }
  add(std::string_view(bytes).substr(at));
  return like(run, receiver, std::move(out));
}

template <std::string (*change)(std::string_view)>
value change_case(evaluation& run, const value& receiver, const call_arguments& arguments) {
  const bound_arguments given(run, "this method", arguments, {});
  const std::string& bytes = self(receiver).bytes;
  run.make(bytes.size() * 2);
  run.spend(1 + bytes.size() / 16);
  return like(run, receiver, change(bytes));
}

template <bool (*holds)(uint32_t)>
value all_are(evaluation& run, const value& receiver, const call_arguments& arguments) {
  const bound_arguments given(run, "this method", arguments, {});
  const std::string& bytes = self(receiver).bytes;
  run.spend_search(bytes.size());
  for (size_t at = 0; at < bytes.size();) {
    if (!holds(next_character(bytes, at))) return {false};
  }
  return {!bytes.empty()};
}

bool is_alphanumeric(uint32_t character) { return is_letter(character) || is_number(character); }

value all_ascii(evaluation& run, const value& receiver, const call_arguments& arguments) {
  const bound_arguments given(run, "isascii", arguments, {});
  return {self(receiver).is_ascii()}; // Of nothing, too.
}

/// Some character has that case, and none another.
template <bool upper>
value has_case(evaluation& run, const value& receiver, const call_arguments& arguments) {
  const bound_arguments given(run, "this method", arguments, {});
  const std::string& bytes = self(receiver).bytes;
  run.spend_search(bytes.size());
  bool found = false;
  for (size_t at = 0; at < bytes.size();) {
    const uint32_t character = next_character(bytes, at);
    if (!is_cased(character)) continue;
    if (!(upper ? is_upper_case(character) : is_lower_case(character))) return {false};
    found = true;
  }
  return {found};
}

value is_title(evaluation& run, const value& receiver, const call_arguments& arguments) {
  const bound_arguments given(run, "istitle", arguments, {});
  const std::string& bytes = self(receiver).bytes;
  run.spend_search(bytes.size());
  bool found = false, follows_letter = false;
  for (size_t at = 0; at < bytes.size();) {
    const uint32_t character = next_character(bytes, at);
    const bool is_cased_one = is_cased(character);
    if (is_cased_one && is_lower_case(character) != follows_letter) return {false};
    follows_letter = is_cased_one;
    found = found || is_cased_one;
  }
  return {found};
}

value join(evaluation& run, const value& receiver, const call_arguments& arguments) {
  refuse_names(run, "join", arguments);
  const bound_arguments given(run, "join", arguments, {"iterable"}, 1);
  std::string out;
  bool is_first = true;
  for (const value& item : iterate(run, given[0])) {
    if (!item.as_text()) run.fail("join: wants strings, not a " + std::string(type_name(item)));
    run.make(self(receiver).bytes.size() + item.as_text()->bytes.size());
    if (!is_first) out += self(receiver).bytes;
    is_first = false;
    out += item.as_text()->bytes;
  }
  return like(run, receiver, std::move(out));
}

value format(evaluation& run, const value& receiver, const call_arguments& arguments) {
  return like(run, receiver, print_with_fields(run, self(receiver).bytes, arguments));
}

enum class justify_kind { left, right, center };

template <justify_kind kind>
value justify(evaluation& run, const value& receiver, const call_arguments& arguments) {
  refuse_names(run, "ljust, rjust and center", arguments);
  const bound_arguments given(run, "this method", arguments, {"width", "fillchar"}, 1);
  const text& words = self(receiver);
  const std::string fill = given.has(1) ? given.text_at(1).bytes : " ";
  if (count_characters(fill) != 1) run.fail("a text is filled up with one character");
  const int64_t width = given.integer_at(0);
  if (width <= int64_t(words.characters)) return receiver;
  const uint64_t missing = uint64_t(width) - words.characters;
  // str.center: where both the width and what is missing are odd, the extra one goes left.
  const uint64_t centered = missing / 2 + (missing & uint64_t(width) & 1);
  const uint64_t left = kind == justify_kind::left ? 0 : kind == justify_kind::right ? missing : centered;
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(missing, uint64_t(fill.size()), &bytes)) bytes = ~uint64_t(0);
  run.make(bytes);
  std::string out;
  for (uint64_t i = 0; i < left; ++i) out += fill;
  out += words.bytes;
  for (uint64_t i = left; i < missing; ++i) out += fill;
  return like(run, receiver, std::move(out));
}

value zero_fill(evaluation& run, const value& receiver, const call_arguments& arguments) {
  refuse_names(run, "zfill", arguments);
  const bound_arguments given(run, "zfill", arguments, {"width"}, 1);
  const text& words = self(receiver);
  const int64_t width = given.integer_at(0);
  if (width <= int64_t(words.characters)) return receiver;
  run.make(uint64_t(width));
  const size_t sign = words.bytes.starts_with('-') || words.bytes.starts_with('+') ? 1 : 0;
  return like(run, receiver,
              words.bytes.substr(0, sign) + std::string(size_t(width) - words.characters, '0') + words.bytes.substr(sign));
}

struct named_function {
  std::string_view name;
  native_function function;
};

constexpr named_function methods[] = {{"capitalize", change_case<to_capitalised>},
                                      {"center", justify<justify_kind::center>},
                                      {"count", count_text},
                                      {"endswith", affix_method<true>},
                                      {"find", find_text<find_kind::first>},
                                      {"format", format},
                                      {"index", find_text<find_kind::first_index>},
                                      {"isalnum", all_are<is_alphanumeric>},
                                      {"isalpha", all_are<is_letter>},
                                      {"isascii", all_ascii},
                                      {"isdigit", all_are<is_digit>},
                                      {"islower", has_case<false>},
                                      {"isnumeric", all_are<is_number>},
                                      {"isspace", all_are<is_space>},
                                      {"istitle", is_title},
                                      {"isupper", has_case<true>},
                                      {"join", join},
                                      {"ljust", justify<justify_kind::left>},
                                      {"lower", change_case<to_lower>},
                                      {"lstrip", strip_method<true, false>},
                                      {"partition", partition<false>},
                                      {"removeprefix", remove_affix<false>},
                                      {"removesuffix", remove_affix<true>},
                                      {"replace", replace},
                                      {"rfind", find_text<find_kind::last>},
                                      {"rindex", find_text<find_kind::last_index>},
                                      {"rjust", justify<justify_kind::right>},
                                      {"rpartition", partition<true>},
                                      {"rsplit", split_method<true>},
                                      {"rstrip", strip_method<false, true>},
                                      {"split", split_method<false>},
                                      {"splitlines", splitlines},
                                      {"startswith", affix_method<false>},
                                      {"strip", strip_method<true, true>},
                                      {"title", change_case<to_title>},
                                      {"upper", change_case<to_upper>},
                                      {"zfill", zero_fill}};

} // namespace

native_function find_text_method(std::string_view name) {
  for (const auto& candidate : methods) {
    if (candidate.name == name) return candidate.function;
  }
  return nullptr;
}

} // namespace troupe::jinja
