#include "model/chat/jinja/printing.hpp"
#include "model/chat/jinja/characters.hpp"
#include "model/chat/jinja/comparison.hpp"
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace troupe::jinja {
namespace {

/// Text that grows at the cost of the rendering.
class charged_text {
public:
  explicit charged_text(evaluation& run) : run_(run) {}
  void add(std::string_view part) {
    run_.make(part.size());
    text_ += part;
  }
  std::string take() { return std::move(text_); }

private:
  evaluation& run_;
  std::string text_;
};

std::string hexadecimal(const char* format, uint32_t number) {
  char digits[16];
  std::snprintf(digits, sizeof digits, format, number);
  return digits;
}

std::string quoted(std::string_view bytes) {
  const bool has_single = bytes.find('\'') != std::string_view::npos, has_double = bytes.find('"') != std::string_view::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  std::string out(1, quote);
  for (size_t at = 0; at < bytes.size();) {
    const size_t begin = at;
    const uint32_t character = next_character(bytes, at);
    if (character == uint32_t(quote) || character == '\\') {
      out += '\\';
      out += char(character);
    } else if (character == '\n') {
      out += "\\n";
    } else if (character == '\r') {
      out += "\\r";
    } else if (character == '\t') {
      out += "\\t";
    } else if (is_printable(character)) {
      out += bytes.substr(begin, at - begin);
    } else {
      out += hexadecimal(character < 0x100 ? "\\x%02x" : character < 0x10000 ? "\\u%04x" : "\\U%08x", character);
    }
  }
  return out + quote;
}

void represent_into(evaluation& run, const value& one, charged_text& out);

void represent_items(evaluation& run, const std::vector<value>& items, std::string_view open, std::string_view close,
                     charged_text& out) {
  out.add(open);
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out.add(", ");
    represent_into(run, items[i], out);
  }
  out.add(close);
}

void represent_sequence(evaluation& run, const sequence& list, charged_text& out) {
  switch (list.kind) {
  case sequence_kind::list: return represent_items(run, list.items, "[", "]", out);
  case sequence_kind::tuple: return represent_items(run, list.items, "(", list.items.size() == 1 ? ",)" : ")", out);
  case sequence_kind::keys: return represent_items(run, list.items, "dict_keys([", "])", out);
  case sequence_kind::values: return represent_items(run, list.items, "dict_values([", "])", out);
  case sequence_kind::items: return represent_items(run, list.items, "dict_items([", "])", out);
  case sequence_kind::range:
    out.add("range(" + std::to_string(list.start) + ", " + std::to_string(list.stop) +
            (list.step == 1 ? "" : ", " + std::to_string(list.step)) + ")");
  }
}

void represent_dict(evaluation& run, const dict& map, charged_text& out) {
  out.add("{");
  for (size_t i = 0; i < map.items.size(); ++i) {
    if (i > 0) out.add(", ");
    represent_into(run, map.items[i].first, out);
    out.add(": ");
    represent_into(run, map.items[i].second, out);
  }
  out.add("}");
}

void represent_into(evaluation& run, const value& one, charged_text& out) {
  const level deeper(run);
  run.spend(1);
  if (one.is_undefined()) return out.add("Undefined");
  if (const text* words = one.as_text()) {
    run.make(words->bytes.size() * 4);
    return out.add(words->is_escaped ? "Markup(" + quoted(words->bytes) + ")" : quoted(words->bytes));
  }
  if (const sequence* list = one.as_sequence()) return represent_sequence(run, *list, out);
  if (const dict* map = one.as_dict()) return represent_dict(run, *map, out);
  out.add(to_text(run, one));
}

std::string quoted_json(std::string_view bytes, bool is_ascii) {
  std::string out = "\"";
  for (size_t at = 0; at < bytes.size();) {
    const size_t begin = at;
    const uint32_t character = next_character(bytes, at);
    constexpr std::string_view special = "\"\\\n\r\t\f\b", letters = "\"\\nrtfb";
    const size_t found = character < 0x80 ? special.find(char(character)) : std::string_view::npos;
    if (found != std::string_view::npos) {
      out += '\\';
      out += letters[found];
    } else if (character < 0x20 || (is_ascii && character >= 0x7F && character < 0x10000)) {
      out += hexadecimal("\\u%04x", character);
    } else if (is_ascii && character >= 0x10000) {
      const uint32_t beyond = character - 0x10000;
      out += hexadecimal("\\u%04x", 0xD800 + (beyond >> 10)) + hexadecimal("\\u%04x", 0xDC00 + (beyond & 0x3FF));
    } else {
      out += bytes.substr(begin, at - begin);
    }
  }
  return out + '"';
}

class json_printer {
public:
  json_printer(evaluation& run, const json_style& style) : run_(run), style_(style), out_(run) {}

  void print(const value& one) {
    const level deeper(run_);
    run_.spend(1);
    if (const text* words = one.as_text()) {
      run_.make(words->bytes.size());
      out_.add(quoted_json(words->bytes, style_.is_ascii));
    } else if (one.is_none()) {
      out_.add("null");
    } else if (const bool* flag = one.as_bool()) {
      out_.add(*flag ? "true" : "false");
    } else if (const int64_t* integer = one.as_integer()) {
      out_.add(std::to_string(*integer));
    } else if (const double* number = one.as_float()) {
      out_.add(json_number(*number));
    } else if (const dict* map = one.as_dict()) {
      print_dict(*map);
    } else if (const sequence* list = one.as_sequence();
               list && (list->kind == sequence_kind::list || list->kind == sequence_kind::tuple)) {
      print_list(*list);
    } else {
      run_.fail("tojson: a " + std::string(type_name(one)) + " is nothing that JSON knows");
    }
  }
  std::string take() { return out_.take(); }

private:
  static std::string json_number(double number) {
    if (std::isnan(number)) return "NaN";
    if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
    return print_float(number);
  }

  void begin_line() {
    if (!style_.indent) return;
    out_.add("\n");
    for (size_t i = 0; i < depth_; ++i) out_.add(*style_.indent);
  }

  void print_list(const sequence& list) {
    if (list.items.empty()) return out_.add("[]");
    out_.add("[");
    ++depth_;
    for (size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) out_.add(style_.between_items);
      begin_line();
      print(list.items[i]);
    }
    --depth_;
    begin_line();
    out_.add("]");
  }

  std::string key_text(const value& key) {
    if (const text* words = key.as_text()) return words->bytes;
    if (key.is_none()) return "null";
    if (const bool* flag = key.as_bool()) return *flag ? "true" : "false";
    if (const int64_t* integer = key.as_integer()) return std::to_string(*integer);
    if (const double* number = key.as_float()) return json_number(*number);
    run_.fail("tojson: a " + std::string(type_name(key)) + " cannot be a key");
  }

  void print_dict(const dict& map) {
    if (map.items.empty()) return out_.add("{}");
    std::vector<const std::pair<value, value>*> items;
    for (const auto& item : map.items) items.push_back(&item);
    if (style_.sorts_keys) {
      run_.spend(items.size() * 16);
      std::stable_sort(items.begin(), items.end(),
                       [&](const auto* a, const auto* b) { return is_less(run_, a->first, b->first); });
    }
    out_.add("{");
    ++depth_;
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_.add(style_.between_items);
      begin_line();
      const std::string key = key_text(items[i]->first);
      run_.make(key.size());
      out_.add(quoted_json(key, style_.is_ascii));
      out_.add(style_.behind_keys);
      print(items[i]->second);
    }
    --depth_;
    begin_line();
    out_.add("}");
  }

  evaluation& run_;
  const json_style& style_;
  charged_text out_;
  size_t depth_ = 0;
};

/// %[flags][width][.precision]conversion
struct conversion {
  bool left = false, zero = false, plus = false, space = false, alternate = false;
  int width = 0, precision = -1;
  char letter = 0;
};

constexpr int format_width_max = 1000;

std::string padded(std::string bytes, const conversion& wanted) {
  const size_t characters = count_characters(bytes);
  if (characters >= size_t(wanted.width)) return bytes;
  const std::string space(size_t(wanted.width) - characters, ' ');
  return wanted.left ? bytes + space : space + bytes;
}

std::string printf_flags(const conversion& wanted) {
  std::string flags = "%";
  if (wanted.left) flags += '-';
  if (wanted.zero) flags += '0';
  if (wanted.plus) flags += '+';
  if (wanted.space) flags += ' ';
  if (wanted.alternate) flags += '#';
  if (wanted.width > 0) flags += std::to_string(wanted.width);
  if (wanted.precision >= 0) flags += "." + std::to_string(wanted.precision);
  return flags;
}

std::string convert(evaluation& run, const conversion& wanted, const value& one) {
  char out[2 * format_width_max + 400];
  switch (wanted.letter) {
  case 's':
  case 'r': {
    std::string plain = wanted.letter == 's' ? to_text(run, one) : represent(run, one);
    if (wanted.precision >= 0) plain.resize(bytes_of(plain, size_t(wanted.precision)));
    return padded(std::move(plain), wanted);
  }
  case 'd':
  case 'i': {
    auto integer = integer_of(one);
    if (const double* number = one.as_float(); number && std::fabs(*number) < 9e18) integer = int64_t(*number);
    if (!integer) run.fail("%d wants a number that fits 64 bits");
    std::snprintf(out, sizeof out, (printf_flags(wanted) + "ld").c_str(), long(*integer));
    return out;
  }
  case 'f': {
    const auto number = float_of(one);
    if (!number) run.fail("%f wants a number");
    std::snprintf(out, sizeof out, (printf_flags(wanted) + "f").c_str(), *number);
    return out;
  }
  case 'x':
  case 'X':
  case 'o': {
    const auto integer = integer_of(one);
    if (!integer || *integer < 0 || wanted.alternate) run.fail("this use of %x, %X or %o is not supported");
    std::snprintf(out, sizeof out, (printf_flags(wanted) + "l" + wanted.letter).c_str(), long(*integer));
    return out;
  }
  default: run.fail(std::string("the conversion %") + wanted.letter + " is not supported");
  }
}

} // namespace

std::string print_float(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, number, std::chars_format::scientific).ptr;
  const std::string_view all(buffer, size_t(end - buffer));
  const size_t mark = all.find('e');
  const int exponent = std::atoi(std::string(all.substr(mark + 1)).c_str());
  std::string digits(all.substr(0, mark));
  const std::string sign = digits[0] == '-' ? "-" : "";
  digits.erase(std::remove_if(digits.begin(), digits.end(), [](char byte) { return byte == '-' || byte == '.'; }), digits.end());
  if (exponent < -4 || exponent >= 16) {
    std::string out = sign + digits.substr(0, 1);
    if (digits.size() > 1) out += "." + digits.substr(1);
    const int size = std::abs(exponent);
    return out + (exponent < 0 ? "e-" : "e+") + (size < 10 ? "0" : "") + std::to_string(size);
  }
  if (exponent < 0) return sign + "0." + std::string(size_t(-exponent - 1), '0') + digits;
  const size_t whole = size_t(exponent) + 1;
  if (digits.size() <= whole) return sign + digits + std::string(whole - digits.size(), '0') + ".0";
  return sign + digits.substr(0, whole) + "." + digits.substr(whole);
}

std::string to_text(evaluation& run, const value& one) {
  if (one.is_undefined()) return "";
  if (one.is_none()) return "None";
  if (const bool* flag = one.as_bool()) return *flag ? "True" : "False";
  if (const int64_t* integer = one.as_integer()) return std::to_string(*integer);
  if (const double* number = one.as_float()) return print_float(*number);
  if (const text* words = one.as_text()) {
    run.make(words->bytes.size());
    return words->bytes;
  }
  if (object* other = one.as_object()) return other->print(run);
  return represent(run, one);
}

std::string represent(evaluation& run, const value& one) {
  charged_text out(run);
  represent_into(run, one, out);
  return out.take();
}

std::string to_json(evaluation& run, const value& one, const json_style& style) {
  json_printer printer(run, style);
  printer.print(one);
  return printer.take();
}

std::string print_with_format(evaluation& run, std::string_view format, const std::vector<value>& items, bool may_be_left) {
  charged_text out(run);
  size_t next = 0;
  for (size_t at = 0; at < format.size();) {
    const size_t mark = std::min(format.find('%', at), format.size());
    out.add(format.substr(at, mark - at));
    at = mark + 1;
    if (mark == format.size()) break;
    conversion wanted;
    const auto sees = [&](std::string_view any) { return at < format.size() && any.find(format[at]) != std::string_view::npos; };
    for (; sees("-0+ #"); ++at) {
      const char flag = format[at];
      (flag == '-' ? wanted.left : flag == '0' ? wanted.zero : flag == '+' ? wanted.plus : flag == ' ' ? wanted.space : wanted.alternate) =
          true;
    }
    const auto read_number = [&](int& number) {
      for (number = 0; sees("0123456789"); ++at) {
        number = number * 10 + (format[at] - '0');
        if (number > format_width_max) run.fail("a format is wider than " + std::to_string(format_width_max));
      }
    };
    read_number(wanted.width);
    if (sees(".")) {
      ++at;
      read_number(wanted.precision);
    }
    if (at == format.size()) run.fail("a format ends within a conversion");
    wanted.letter = format[at++];
    if (wanted.letter == '%') {
      if (at - mark != 2) run.fail("this use of %% is not supported");
      out.add("%");
      continue;
    }
    if (next == items.size()) run.fail("a format wants more values than it gets");
    out.add(convert(run, wanted, items[next++]));
  }
  if (next < items.size() && !may_be_left) run.fail("a format gets more values than it wants");
  return out.take();
}

std::string print_with_fields(evaluation& run, std::string_view format, const call_arguments& arguments) {
  charged_text out(run);
  size_t next = 0;
  bool counts = false, is_numbered = false;
  for (size_t at = 0; at < format.size();) {
    const char byte = format[at];
    if (byte != '{' && byte != '}') {
      const size_t end = std::min(format.find_first_of("{}", at), format.size());
      out.add(format.substr(at, end - at));
      at = end;
      continue;
    }
    if (at + 1 < format.size() && format[at + 1] == byte) {
      out.add(format.substr(at, 1));
      at += 2;
      continue;
    }
    const size_t close = format.find('}', at);
    if (byte == '}' || close == std::string_view::npos) run.fail("a format has a bracket that is not paired");
    const std::string field(format.substr(at + 1, close - at - 1));
    at = close + 1;
    const bool is_index = !field.empty() && field.size() < 6 && field.find_first_not_of("0123456789") == std::string::npos;
    if (field.find_first_of(".[]!:{") != std::string::npos) run.fail("the field {" + field + "} of a format is not supported");
    counts = counts || field.empty();
    is_numbered = is_numbered || is_index;
    if (counts && is_numbered) run.fail("a format numbers only some of its fields");
    if (field.empty() || is_index) {
      const size_t index = field.empty() ? next++ : size_t(std::stoul(field));
      if (index >= arguments.positional.size()) run.fail("a format wants more values than it gets");
      out.add(to_text(run, arguments.positional[index]));
      continue;
    }
    const auto named = std::find_if(arguments.named.begin(), arguments.named.end(), [&](const auto& one) { return one.first == field; });
    if (named == arguments.named.end()) run.fail("a format wants a value " + field + " that it does not get");
    out.add(to_text(run, named->second));
  }
  return out.take();
}

} // namespace troupe::jinja
