#include "model/chat/jinja/arguments.hpp"
#include "model/chat/jinja/characters.hpp"
#include "model/chat/jinja/comparison.hpp"
#include "model/chat/jinja/filters.hpp"
#include "model/chat/jinja/methods.hpp"
#include "model/chat/jinja/operators.hpp"
#include "model/chat/jinja/printing.hpp"

namespace troupe::jinja {
namespace {

/// The value itself, or as text.
value as_text(evaluation& run, const value& one) { return one.as_text() ? one : make_text(run, to_text(run, one)); }

value call_method(evaluation& run, const value& subject, std::string_view method, std::vector<value> positional) {
  return find_text_method(method)(run, subject, {.positional = std::move(positional), .named = {}});
}

value string(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "string", arguments, {});
  return as_text(run, subject);
}

value upper(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "upper", arguments, {});
  return call_method(run, as_text(run, subject), "upper", {});
}

value lower(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "lower", arguments, {});
  return call_method(run, as_text(run, subject), "lower", {});
}

value capitalize(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "capitalize", arguments, {});
  return call_method(run, as_text(run, subject), "capitalize", {});
}

/// Words begin behind white space and - ( { [ <; unlike str.title, not behind other characters that are no letters.
value title(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "title", arguments, {});
  const std::string bytes = to_text(run, subject);
  run.spend(1 + bytes.size() / 16);
  run.make(bytes.size() * 2);
  std::string out;
  for (size_t at = 0; at < bytes.size();) {
    const size_t begin = at;
    const auto parts_words = [&](uint32_t character) {
      return is_space(character) || (character < 0x80 && std::string_view("-({[<").find(char(character)) != std::string_view::npos);
    };
    size_t first_end = 0;
    while (at < bytes.size()) {
      size_t next = at;
      if (parts_words(next_character(bytes, next))) break;
      at = next;
      if (first_end == 0) first_end = at;
    }
    if (first_end != 0) {
      out += to_upper(std::string_view(bytes).substr(begin, first_end - begin));
      out += to_lower(std::string_view(bytes).substr(first_end, at - first_end));
    }
    while (at < bytes.size()) {
      const size_t here = at;
      if (!parts_words(next_character(bytes, at))) {
        at = here;
        break;
      }
      out += bytes.substr(here, at - here);
    }
  }
  return make_text(run, std::move(out));
}

value trim(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "trim", arguments, {"chars"});
  return call_method(run, as_text(run, subject), "strip", given.has(0) ? std::vector<value>{given[0]} : std::vector<value>{});
}

value replace(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "replace", arguments, {"old", "new", "count"}, 2);
  std::vector<value> positional{make_text(run, to_text(run, given[0])), make_text(run, to_text(run, given[1]))};
  if (given.has(2) && !given[2].is_none()) positional.push_back(given[2]);
  return call_method(run, make_text(run, to_text(run, subject)), "replace", std::move(positional));
}

value format(evaluation& run, const value& subject, const call_arguments& arguments) {
  if (!arguments.named.empty()) run.fail("format: named arguments are not supported");
  const value plain = as_text(run, subject);
  return make_text(run, print_with_format(run, plain.as_text()->bytes, arguments.positional), plain.as_text()->is_escaped);
}

value escape_filter(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "escape", arguments, {});
  return escape(run, subject);
}

value safe(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "safe", arguments, {});
  return make_text(run, to_text(run, subject), true);
}

value indent(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "indent", arguments, {"width", "first", "blank"});
  if (!subject.as_text()) run.fail("indent wants a string, not a " + std::string(type_name(subject)));
  std::string margin(4, ' ');
  if (given.has(0) && given[0].as_text()) {
    margin = given[0].as_text()->bytes;
  } else if (given.has(0)) {
    const int64_t width = given.integer_at(0);
    run.make(width < 0 ? 0 : uint64_t(width));
    margin.assign(width < 0 ? 0 : size_t(width), ' ');
  }
  const bool indents_blank = given.truth_or(2, false);
  const std::string all = subject.as_text()->bytes + "\n";
  const auto lines = split_lines(all, false);
  std::string out = given.truth_or(1, false) ? margin : "";
  for (size_t i = 0; i < lines.size(); ++i) {
    run.make(lines[i].size() + margin.size() + 1);
    if (i > 0) out += '\n';
    if (i > 0 && (indents_blank || !lines[i].empty())) out += margin;
    out += lines[i];
  }
  return make_text(run, std::move(out), subject.as_text()->is_escaped);
}

value center(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "center", arguments, {"width"});
  return call_method(run, as_text(run, subject), "center", {given.has(0) ? given[0] : value{int64_t(80)}});
}

value wordcount(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "wordcount", arguments, {});
  const std::string bytes = to_text(run, subject);
  run.spend_search(bytes.size());
  int64_t words = 0;
  bool is_inside = false;
  for (size_t at = 0; at < bytes.size();) {
    const uint32_t character = next_character(bytes, at);
    const bool is_word = is_letter(character) || is_number(character) || character == '_';
    if (is_word && !is_inside) ++words;
    is_inside = is_word;
  }
  return {words};
}

value tojson(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  json_style style;
  style.is_ascii = given.truth_or(0, false);
  style.sorts_keys = given.truth_or(3, false);
  if (given.has(1) && given[1].as_text()) {
    style.indent = given[1].as_text()->bytes;
  } else if (given.has(1) && !given[1].is_none()) {
    const int64_t width = given.integer_at(1);
    if (width > 1000) run.fail("tojson: the indent is wider than 1000");
    style.indent.emplace(size_t(width < 0 ? 0 : width), ' ');
  }
  if (style.indent) style.between_items = ",";
  if (given.has(2) && !given[2].is_none()) {
    const auto both = iterate(run, given[2]);
    if (both.size() != 2 || !both[0].as_text() || !both[1].as_text()) {
      run.fail("tojson: separators are two strings");
    }
    style.between_items = both[0].as_text()->bytes;
    style.behind_keys = both[1].as_text()->bytes;
  }
  return make_text(run, to_json(run, subject, style));
}

} // namespace

const named_filter text_filters[] = {{"string", string},   {"upper", upper},         {"lower", lower},     {"capitalize", capitalize},
                                     {"title", title},     {"trim", trim},           {"replace", replace}, {"format", format},
                                     {"escape", escape_filter}, {"e", escape_filter}, {"safe", safe},       {"indent", indent},
                                     {"center", center},   {"wordcount", wordcount}, {"tojson", tojson},   {"", nullptr}};

} // namespace troupe::jinja
