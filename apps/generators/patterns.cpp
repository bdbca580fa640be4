#include "apps/generators/patterns.hpp"
#include <algorithm>
#include <stdexcept>
#include <vector>

namespace troupe::generators {
namespace {

/// The position after the bracket that closes the one at `open`; npos if none does.
size_t after_closing(std::string_view pattern, size_t open) {
  int depth = 0;
  for (size_t at = open; at < pattern.size(); ++at) {
    if (pattern[at] == '[') ++depth;
    if (pattern[at] == ']' && --depth == 0) return at + 1;
  }
  return std::string_view::npos;
}

/// "a|b[c|d]|e" without the outer brackets, at its outer bars.
void split(std::string_view inside, std::vector<std::string_view>& parts) {
  int depth = 0;
  size_t start = 0;
  for (size_t at = 0; at < inside.size(); ++at) {
    if (inside[at] == '[') ++depth;
    if (inside[at] == ']') --depth;
    if (inside[at] == '|' && depth == 0) {
      parts.push_back(inside.substr(start, at - start));
      start = at + 1;
    }
  }
  parts.push_back(inside.substr(start));
}

/// Takes "3*" off a pattern.
uint32_t take_weight(std::string_view& pattern) {
  if (pattern.size() < 2 || pattern[1] != '*' || pattern[0] < '1' || pattern[0] > '9') return 1;
  const uint32_t weight = static_cast<uint32_t>(pattern[0] - '0');
  pattern.remove_prefix(2);
  return weight;
}

} // namespace

std::string capitalised(std::string_view words) {
  std::string result{words};
  if (!result.empty() && result[0] >= 'a' && result[0] <= 'z') result[0] = static_cast<char>(result[0] - 'a' + 'A');
  return result;
}

void pattern_writer::wrong(std::string_view what, std::string_view where) {
  throw std::logic_error("patterns: " + std::string(what) + ": " + std::string(where));
}

void pattern_writer::set(std::string_view name, std::string_view pattern) {
  slots_.insert_or_assign(
    std::string(name), slot{std::string(pattern), pattern.find_first_of("[{<") == std::string_view::npos});
}

const std::string& pattern_writer::value(std::string_view name) {
  const auto found = slots_.find(name);
  if (found == slots_.end()) wrong("a name is not set", name);
  slot& entry = found->second;
  if (!entry.fixed) {
    entry.pattern = written(entry.pattern);
    entry.fixed = true;
  }
  return entry.pattern;
}

std::string pattern_writer::written(std::string_view pattern) {
  std::string result;
  expand(pattern, result);
  return result;
}

std::string pattern_writer::written_one(std::span<const std::string_view> patterns) {
  std::string result;
  expand_one(patterns, result);
  return result;
}

void pattern_writer::expand_one(std::span<const std::string_view> patterns, std::string& into) {
  if (patterns.size() == 1) return expand(patterns[0], into);
  std::array<uint32_t, 128> weights;
  if (patterns.empty() || patterns.size() > weights.size()) wrong("no patterns, or too many", "");
  bool equal = true;
  for (size_t i = 0; i < patterns.size(); ++i) {
    std::string_view pattern = patterns[i];
    weights[i] = take_weight(pattern);
    equal = equal && weights[i] == weights[0];
  }
  const auto count = static_cast<uint32_t>(patterns.size());
  std::string_view chosen = patterns[equal ? draws_.below(count) : draws_.weighted({weights.data(), count})];
  take_weight(chosen);
  expand(chosen, into);
}

void pattern_writer::expand(std::string_view pattern, std::string& into) {
  std::vector<std::string_view> parts;
  for (size_t at = 0; at < pattern.size();) {
    const size_t special = std::min(pattern.find_first_of("[{<", at), pattern.size());
    into += pattern.substr(at, special - at);
    if (special == pattern.size()) return;
    if (pattern[special] == '[') {
      at = after_closing(pattern, special);
      if (at == std::string_view::npos) wrong("a bracket is not closed", pattern);
      parts.clear();
      split(pattern.substr(special + 1, at - special - 2), parts);
      expand_one(parts, into);
      continue;
    }
    const bool is_name = pattern[special] == '{';
    const size_t closing = pattern.find(is_name ? '}' : '>', special);
    if (closing == std::string_view::npos) wrong("a name is not closed", pattern);
    const std::string_view name = pattern.substr(special + 1, closing - special - 1);
    at = closing + 1;
    if (is_name) {
      const bool capital = name.starts_with('^');
      const size_t start = into.size();
      write_name(capital ? name.substr(1) : name, into);
      if (capital) into.replace(start, std::string::npos, capitalised(std::string_view(into).substr(start)));
    } else {
      const auto list = phrases_(name);
      if (list.empty()) wrong("there is no list of phrases", name);
      expand_one(list, into);
    }
  }
}

void pattern_writer::write_name(std::string_view name, std::string& into) { into += value(name); }

} // namespace troupe::generators
