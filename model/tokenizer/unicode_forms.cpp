#include "model/tokenizer/unicode_forms.hpp"
#include "model/error.hpp"
#include "model/tokenizer/characters.hpp"
#include <algorithm>
#include <utf8proc.h>

namespace troupe {

namespace {

constexpr size_t characters_of_one_max = 64; // The longest decomposition has 18.

/// Changes a text stretch by stretch: a base character and what may combine with it.
class form_writer {
public:
  form_writer(const rewritten_text& from, unicode_form form) : from_(from), form_(form), out_(rewritten_text::like(from)) {}

  rewritten_text write() {
    size_t begin = 0;
    for_each_character(from_.text(), [&](size_t at, size_t end, uint32_t c) {
      if (!combines(c)) {
        finish(begin, at);
        begin = at;
      }
      if (c == no_character) {
        out_.keep(from_, at, end);
        begin = end;
      } else {
        decompose(c);
      }
    });
    finish(begin, from_.text().size());
    return std::move(out_);
  }

private:
  // Whatever may become one character with those before it, or change places with them, is a mark, or a vowel or a
  // final consonant of Hangul.
  static bool combines(uint32_t c) { return c != no_character && (is_mark(c) || (c >= 0x1160 && c <= 0x11FF)); }

  void decompose(uint32_t c) {
    utf8proc_int32_t parts[characters_of_one_max];
    int boundary = 0;
    const auto options = static_cast<utf8proc_option_t>(
        UTF8PROC_STABLE | (form_.is_compatible ? UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT : UTF8PROC_DECOMPOSE));
    const auto count =
        utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts, characters_of_one_max, options, &boundary);
    TROUPE_ASSERT(count >= 0 && static_cast<size_t>(count) <= characters_of_one_max);
    stretch_.insert(stretch_.end(), parts, parts + count);
  }

  void put_marks_in_order() {
    const auto class_of = [](utf8proc_int32_t c) { return utf8proc_get_property(c)->combining_class; };
    for (auto begin = stretch_.begin(); begin != stretch_.end();) {
      const auto end = std::find_if(begin, stretch_.end(), [&](auto c) { return class_of(c) == 0; });
      std::stable_sort(begin, end, [&](auto a, auto b) { return class_of(a) < class_of(b); });
      begin = end == stretch_.end() ? end : end + 1;
    }
  }

  void finish(size_t begin, size_t end) {
    if (stretch_.empty()) return;
    put_marks_in_order();
    if (form_.is_composed) {
      const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
      const auto size = static_cast<utf8proc_ssize_t>(stretch_.size());
      const auto count = utf8proc_normalize_utf32(stretch_.data(), size, options);
      TROUPE_ASSERT(count >= 0 && count <= size);
      stretch_.resize(static_cast<size_t>(count));
    }
    bytes_.clear();
    for (const auto c : stretch_) append_utf8(bytes_, static_cast<uint32_t>(c));
    stretch_.clear();
    if (std::string_view(from_.text()).substr(begin, end - begin) == bytes_)
      out_.keep(from_, begin, end);
    else
      out_.put(bytes_, from_, begin, end);
  }

  const rewritten_text& from_;
  unicode_form form_;
  rewritten_text out_;
  std::vector<utf8proc_int32_t> stretch_;
  std::string bytes_;
};

} // namespace

rewritten_text to_form(const rewritten_text& text, unicode_form form) {
  if (is_ascii(text.text())) return text;
  return form_writer(text, form).write();
}

rewritten_text to_lower_case(const rewritten_text& text) {
  auto out = rewritten_text::like(text);
  for_each_character(text.text(), [&](size_t begin, size_t end, uint32_t c) {
    if (c == 0x130) { // The only character whose lower case is two.
      out.put("i\xCC\x87", text, begin, end);
      return;
    }
    const uint32_t lower = c == no_character ? c : static_cast<uint32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
    if (lower == c) return out.keep(text, begin, end);
    std::string bytes;
    append_utf8(bytes, lower);
    out.put(bytes, text, begin, end);
  });
  return out;
}

std::string compose(std::string_view text) { return to_form({std::string(text), 0, false}, {false, true}).text(); }

} // namespace troupe
