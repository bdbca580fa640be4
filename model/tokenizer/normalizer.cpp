#include "model/tokenizer/normalizer.hpp"
#include "model/error.hpp"
#include "model/tokenizer/characters.hpp"
#include "model/tokenizer/unicode_forms.hpp"
#include "model/tokenizer/utf8_runs.hpp"
#include <algorithm>
#include <utf8proc.h>

namespace troupe {

namespace {

using kind = text_rule_kind;

constexpr std::string_view replacement_character = "\xEF\xBF\xBD"; // U+FFFD.

/// No rule of Unicode's forms makes a text twelve times as long; a file that wants more wants the memory to end.
void check_size(const rewritten_text& made, const rewritten_text& from) {
  const size_t most = std::min(text_bytes_max, 16 * from.text().size() + 4096);
  if (made.text().size() > most)
    throw input_error("a rule of the vocabulary would make more than " + std::to_string(most) + " bytes of a text of " +
                      std::to_string(from.text().size()));
}

template <class keeps_function>
rewritten_text filter(const rewritten_text& text, const keeps_function& keeps) {
  auto out = rewritten_text::like(text);
  for_each_character(text.text(), [&](size_t begin, size_t end, uint32_t c) {
    if (keeps(c)) out.keep(text, begin, end);
  });
  return out;
}

/// As BertNormalizer does with clean_text.
rewritten_text clean(const rewritten_text& text) {
  auto out = rewritten_text::like(text);
  for_each_character(text.text(), [&](size_t begin, size_t end, uint32_t c) {
    if (c == '\t' || c == '\n' || c == '\r') return out.put(" ", text, begin, end);
    if (c == 0 || c == 0xFFFD || c == no_character || is_control(c)) return;
    if (is_white_space(c) && c != ' ') return out.put(" ", text, begin, end);
    out.keep(text, begin, end);
  });
  return out;
}

rewritten_text put_space_around_ideographs(const rewritten_text& text) {
  auto out = rewritten_text::like(text);
  for_each_character(text.text(), [&](size_t begin, size_t end, uint32_t c) {
    const bool is_apart = is_ideograph(c);
    if (is_apart) out.put(" ", text, begin, begin);
    out.keep(text, begin, end);
    if (is_apart) out.put(" ", text, end, end);
  });
  return out;
}

rewritten_text strip(const rewritten_text& text, bool left, bool right) {
  const auto [first, last] = inside_white_space(text.text());
  auto out = rewritten_text::like(text);
  const size_t begin = left ? first : 0, end = right ? last : text.text().size();
  if (begin < end) out.keep(text, begin, end);
  return out;
}

rewritten_text replace_text(const rewritten_text& text, std::string_view from, std::string_view by) {
  auto out = rewritten_text::like(text);
  size_t done = 0;
  for (size_t at = text.text().find(from); at != std::string::npos; at = text.text().find(from, done)) {
    out.keep(text, done, at);
    out.put(by, text, at, at + from.size());
    done = at + from.size();
    check_size(out, text);
  }
  out.keep(text, done, text.text().size());
  return out;
}

rewritten_text replace_matches(const rewritten_text& text, const regular_expression& expression, std::string_view by) {
  auto out = rewritten_text::like(text);
  const std::string_view all = text.text();
  regular_expression::workspace work(all.size());
  size_t kept = 0;
  for (const auto& run : utf8_runs(all)) {
    if (!run.is_valid) continue;
    const auto offset = static_cast<size_t>(run.text.data() - all.data());
    for (size_t done = 0; done < run.text.size();) {
      const auto match = expression.next(run.text, done, work);
      if (match.empty()) break;
      const auto begin = static_cast<size_t>(match.data() - all.data());
      out.keep(text, kept, begin);
      kept = begin + match.size();
      out.put(by, text, begin, kept);
      done = kept - offset;
      check_size(out, text);
    }
  }
  out.keep(text, kept, all.size());
  return out;
}

} // namespace

normalizer::normalizer(const vocabulary& words) {
  for (const auto& one : words.rules) {
    rule made{one, nullptr, nullptr};
    if (one.kind == kind::charsmap || one.kind == kind::sentencepiece) made.map = std::make_unique<charsmap>(one.content);
    if (one.kind == kind::replace && one.is_expression)
      made.expression = std::make_unique<regular_expression>(one.pattern, regular_expression::syntax::oniguruma);
    if (one.kind == kind::replace && one.pattern.empty()) throw input_error("a normalizer's pattern is empty");
    is_for_whole_texts_ = is_for_whole_texts_ || one.kind == kind::sentencepiece;
    rules_.push_back(std::move(made));
  }
  const bool has_marks =
      words.kind == tokenizer_kind::sentencepiece || words.kind == tokenizer_kind::character_pair || words.kind == tokenizer_kind::unigram;
  marks_spaces_ = has_marks && !is_for_whole_texts_ && words.split == word_split::none; // Words that were split have none.
  has_prefix_ = marks_spaces_ && words.prefix == space_prefix::always;
  for (uint32_t id = 0; is_for_whole_texts_ && id < words.pieces.size(); ++id)
    if (words.kinds[id] == piece_kind::user_defined && !words.pieces[id].empty()) verbatim_.add(words.pieces[id], id);
}

rewritten_text normalizer::apply(rewritten_text text) const {
  for (const auto& one : rules_) {
    auto made = apply(one, text);
    check_size(made, text);
    text = std::move(made);
  }
  return marks_spaces_ ? mark_spaces(text) : text;
}

rewritten_text normalizer::apply(const rule& one, const rewritten_text& text) const {
  switch (one.what.kind) {
  case kind::nfc:
    return to_form(text, {false, true});
  case kind::nfd:
    return to_form(text, {false, false});
  case kind::nfkc:
    return to_form(text, {true, true});
  case kind::nfkd:
    return to_form(text, {true, false});
  case kind::lowercase:
    return to_lower_case(text);
  case kind::strip_accents:
    return is_ascii(text.text()) ? text : filter(text, [](uint32_t c) { return !is_nonspacing_mark(c); });
  case kind::strip_marks:
    return is_ascii(text.text()) ? text : filter(text, [](uint32_t c) { return !is_mark(c); });
  case kind::clean:
    return clean(text);
  case kind::space_around_ideographs:
    return is_ascii(text.text()) ? text : put_space_around_ideographs(text);
  case kind::replace:
    if (one.expression) return replace_matches(text, *one.expression, one.what.content);
    return replace_text(text, one.what.pattern, one.what.content);
  case kind::strip:
    return strip(text, one.what.left, one.what.right);
  case kind::charsmap:
    return map_graphemes(text, *one.map);
  case kind::sentencepiece:
    return apply_sentencepiece(text, one);
  }
  throw_broken_invariant("a rule of a known kind", __FILE__, __LINE__);
}

/// tokenizer.json's reading of a charsmap: a short grapheme cluster is replaced as a whole by the rule for its shortest beginning, whatever
/// follows in it; in others it goes by characters.
rewritten_text normalizer::map_graphemes(const rewritten_text& text, const charsmap& map) const {
  constexpr size_t cluster_bytes_max = 5;
  const std::string_view all = text.text();
  auto out = rewritten_text::like(text);
  const auto replaces = [&](size_t begin, size_t end) {
    const auto found = map.shortest(all.substr(begin, end - begin));
    if (found) out.put(found->content, text, begin, end);
    return found.has_value();
  };
  const auto write_cluster = [&](size_t begin, size_t end) {
    if (begin == end || (end - begin <= cluster_bytes_max && replaces(begin, end))) return;
    for_each_character(all.substr(begin, end - begin), [&](size_t at, size_t behind, uint32_t) {
      if (!replaces(begin + at, begin + behind)) out.keep(text, begin + at, begin + behind);
    });
    check_size(out, text);
  };
  size_t begin = 0;
  uint32_t before = no_character;
  utf8proc_int32_t state = 0;
  for_each_character(all, [&](size_t at, size_t, uint32_t c) {
    const bool are_characters = c != no_character && before != no_character;
    const bool is_in_cluster = are_characters && !utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(before),
                                                                                   static_cast<utf8proc_int32_t>(c), &state);
    if (!is_in_cluster) {
      if (!are_characters) state = 0;
      write_cluster(begin, at);
      begin = at;
    }
    before = c;
  });
  write_cluster(begin, all.size());
  return out;
}

/// Sentencepiece's own normaliser (Kudo and Richardson 2018): the longest rule wherever one fits, user-defined pieces as they are.
rewritten_text normalizer::apply_sentencepiece(const rewritten_text& text, const rule& one) const {
  const std::string_view all = text.text();
  auto out = rewritten_text::like(text);
  size_t at = 0;
  // What comes next and how much of the text it takes.
  const auto next = [&]() -> charsmap::match {
    if (const auto piece = verbatim_.longest(all, at, all.size())) return {piece->length, all.substr(at, piece->length)};
    if (const auto found = one.map->longest(all.substr(at))) return *found;
    const auto step = utf8_next(all, at);
    if (step.state == utf8_state::whole) return {step.bytes, all.substr(at, step.bytes)};
    return {1, replacement_character};
  };
  if (one.what.drops_spaces) {
    while (at < all.size()) {
      const auto first = next();
      if (first.content != " ") break;
      at += first.length;
    }
  }
  if (at == all.size()) return out;
  const std::string_view space = one.what.marks_spaces ? space_mark : " ";
  if (one.what.adds_space) out.put(space, text, at, at);
  bool is_after_space = one.what.drops_spaces;
  while (at < all.size()) {
    const auto found = next();
    auto content = found.content;
    while (is_after_space && content.starts_with(' ')) content.remove_prefix(1);
    const bool is_same = content.data() == all.data() + at && content.size() == found.length && content.find(' ') == content.npos;
    if (is_same) {
      out.keep(text, at, at + found.length);
    } else {
      for (const char& byte : content) out.put(byte == ' ' ? space : std::string_view(&byte, 1), text, at, at + found.length);
    }
    if (!content.empty()) is_after_space = content.ends_with(' ') && one.what.drops_spaces;
    at += found.length;
    check_size(out, text);
  }
  while (one.what.drops_spaces && out.text().ends_with(space)) out.resize(out.text().size() - space.size());
  return out;
}

rewritten_text normalizer::mark_spaces(const rewritten_text& text) const {
  auto out = rewritten_text::like(text);
  if (has_prefix_) out.put(space_mark, text, 0, 0);
  const std::string& all = text.text();
  size_t done = 0;
  for (size_t at = all.find(' '); at != std::string::npos; at = all.find(' ', done)) {
    out.keep(text, done, at);
    out.put(space_mark, text, at, at + 1);
    done = at + 1;
  }
  out.keep(text, done, all.size());
  return out;
}

} // namespace troupe
