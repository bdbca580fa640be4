#include "model/chat/jinja/functions.hpp"
#include "model/chat/jinja/arguments.hpp"
#include "model/chat/jinja/comparison.hpp"
#include "model/chat/jinja/printing.hpp"
#include "model/error.hpp"
#include <array>
#include <cstdio>

namespace troupe::jinja {
namespace {

value range(evaluation& run, const value&, const call_arguments& arguments) {
  if (!arguments.named.empty()) run.fail("range takes no named arguments");
  const bound_arguments given(run, "range", arguments, {"start", "stop", "step"}, 1);
  const bool has_start = given.has(1);
  const int64_t start = has_start ? given.integer_at(0) : 0, stop = given.integer_at(has_start ? 1 : 0), step = given.integer_or(2, 1);
  if (step == 0) run.fail("range: the step is 0");
  std::vector<value> items;
  for (int64_t at = start; step > 0 ? at < stop : at > stop;) {
    if (int64_t(items.size()) == range_length_max) run.fail("range: more than " + std::to_string(range_length_max) + " numbers");
    items.push_back({at});
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  sequence made = *make_sequence(run, std::move(items), sequence_kind::range);
  made.start = start;
  made.stop = stop;
  made.step = step;
  return {std::make_shared<const sequence>(std::move(made))};
}

/// The keys and values of dict(...) and namespace(...).
std::vector<std::pair<value, value>> read_pairs(evaluation& run, const call_arguments& arguments) {
  if (arguments.positional.size() > 1) run.fail("dict takes one argument that is not named");
  std::vector<std::pair<value, value>> pairs;
  if (!arguments.positional.empty()) {
    const value& from = arguments.positional.front();
    if (const dict* map = from.as_dict()) {
      pairs = map->items;
    } else {
      for (const value& item : iterate(run, from)) {
        const auto pair = iterate(run, item);
        if (pair.size() != 2) run.fail("dict wants pairs");
        pairs.emplace_back(pair[0], pair[1]);
      }
    }
  }
  for (const auto& [name, given] : arguments.named) pairs.emplace_back(make_text(run, name), given);
  return pairs;
}

value dict_function(evaluation& run, const value&, const call_arguments& arguments) {
  return make_dict_of(run, read_pairs(run, arguments));
}

uint32_t deepest(const std::vector<value>& items) {
  uint32_t depth = 0;
  for (const value& item : items) depth = std::max(depth, depth_of(item));
  return depth;
}

class cycler_object : public object, public std::enable_shared_from_this<cycler_object> {
public:
  explicit cycler_object(std::vector<value> items) : object(deepest(items) + 1), items_(std::move(items)) {}
  std::string_view type_name() const override { return "Cycler"; }
  std::optional<value> attribute(evaluation& run, std::string_view name) override {
    if (name == "current") return items_[at_];
    if (name == "pos") return value{int64_t(at_)};
    if (name == "items") return make_list(run, items_, sequence_kind::tuple);
    if (name == "next") return method(run, next);
    if (name == "reset") return method(run, reset);
    return std::nullopt;
  }

private:
  value method(evaluation& run, native_function function) {
    return make_object(run, std::make_shared<function_object>("cycler", function, value{std::shared_ptr<object>(shared_from_this())}));
  }
  static value next(evaluation& run, const value& receiver, const call_arguments& arguments) {
    const bound_arguments given(run, "next", arguments, {});
    auto& self = *receiver.as<cycler_object>();
    const value current = self.items_[self.at_];
    self.at_ = (self.at_ + 1) % self.items_.size();
    return current;
  }
  static value reset(evaluation& run, const value& receiver, const call_arguments& arguments) {
    const bound_arguments given(run, "reset", arguments, {});
    receiver.as<cycler_object>()->at_ = 0;
    return {none{}};
  }

  std::vector<value> items_;
  size_t at_ = 0;
};

value cycler(evaluation& run, const value&, const call_arguments& arguments) {
  if (!arguments.named.empty() || arguments.positional.empty()) run.fail("cycler wants items, without names");
  return make_object(run, std::make_shared<cycler_object>(arguments.positional));
}

class joiner_object : public object {
public:
  explicit joiner_object(value separator) : object(depth_of(separator) + 1), separator_(std::move(separator)) {}
  std::string_view type_name() const override { return "Joiner"; }
  bool is_callable() const override { return true; }
  std::optional<value> attribute(evaluation&, std::string_view name) override {
    if (name == "sep") return separator_;
    if (name == "used") return value{is_used_};
    return std::nullopt;
  }
  value call(evaluation& run, const call_arguments& arguments) override {
    const bound_arguments given(run, "joiner", arguments, {});
    if (is_used_) return separator_;
    is_used_ = true;
    return make_text(run, "");
  }

private:
  value separator_;
  bool is_used_ = false;
};

value joiner(evaluation& run, const value&, const call_arguments& arguments) {
  const bound_arguments given(run, "joiner", arguments, {"sep"});
  return make_object(run, std::make_shared<joiner_object>(given.has(0) ? given[0] : make_text(run, ", ")));
}

value raise_exception(evaluation& run, const value&, const call_arguments& arguments) {
  const bound_arguments given(run, "raise_exception", arguments, {"message"}, 1);
  throw input_error(to_text(run, given[0]));
}

struct named_function {
  std::string_view name;
  native_function function;
};
constexpr named_function functions[] = {
    {"range", range}, {"dict", dict_function}, {"cycler", cycler}, {"joiner", joiner}, {"raise_exception", raise_exception}};

/// A moment, as a caller gave it.
struct moment {
  int year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0;
};

bool is_leap(int year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }
constexpr std::array<int, 12> month_days{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
int days_of(int year, int month) { return month_days[size_t(month - 1)] + (month == 2 && is_leap(year) ? 1 : 0); }
int day_of_year(const moment& now) {
  int days = now.day;
  for (int month = 1; month < now.month; ++month) days += days_of(now.year, month);
  return days;
}
/// 0: Sunday. The first of January of year 1 was a Monday.
int weekday(const moment& now) {
  const int before = now.year - 1;
  return (before * 365 + before / 4 - before / 100 + before / 400 + day_of_year(now)) % 7;
}

std::optional<moment> read_moment(std::string_view bytes) {
  moment now;
  int end = 0;
  const std::string plain(bytes);
  const int date = std::sscanf(plain.c_str(), "%4d-%2d-%2d%n", &now.year, &now.month, &now.day, &end);
  if (date != 3) return std::nullopt;
  if (size_t(end) != plain.size()) {
    int rest = 0;
    const int time = std::sscanf(plain.c_str() + end, "%*1[T ]%2d:%2d:%2d%n", &now.hour, &now.minute, &now.second, &rest);
    if (time != 3 || size_t(end + rest) != plain.size()) return std::nullopt;
  }
  const bool is_date = now.year >= 1 && now.month >= 1 && now.month <= 12 && now.day >= 1 && now.day <= days_of(now.year, now.month);
  const bool is_time = now.hour >= 0 && now.hour < 24 && now.minute >= 0 && now.minute < 60 && now.second >= 0 && now.second < 60;
  return is_date && is_time ? std::optional(now) : std::nullopt;
}

std::string digits(int number, int width) {
  char out[16];
  std::snprintf(out, sizeof out, "%0*d", width, number);
  return out;
}

constexpr std::string_view weekdays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
constexpr std::string_view months[] = {"January", "February", "March",     "April",   "May",      "June",
                                       "July",    "August",   "September", "October", "November", "December"};

std::string field_of(evaluation& run, const moment& now, char letter) {
  const int hour = now.hour % 12 == 0 ? 12 : now.hour % 12;
  switch (letter) {
  case 'Y': return digits(now.year, 1);
  case 'y': return digits(now.year % 100, 2);
  case 'm': return digits(now.month, 2);
  case 'd': return digits(now.day, 2);
  case 'e': return (now.day < 10 ? " " : "") + digits(now.day, 1);
  case 'H': return digits(now.hour, 2);
  case 'I': return digits(hour, 2);
  case 'M': return digits(now.minute, 2);
  case 'S': return digits(now.second, 2);
  case 'p': return now.hour < 12 ? "AM" : "PM";
  case 'j': return digits(day_of_year(now), 3);
  case 'A': return std::string(weekdays[weekday(now)]);
  case 'a': return std::string(weekdays[weekday(now)].substr(0, 3));
  case 'B': return std::string(months[now.month - 1]);
  case 'b': return std::string(months[now.month - 1].substr(0, 3));
  case 'F': return digits(now.year, 1) + "-" + digits(now.month, 2) + "-" + digits(now.day, 2);
  case 'T': return digits(now.hour, 2) + ":" + digits(now.minute, 2) + ":" + digits(now.second, 2);
  case '%': return "%";
  default: run.fail(std::string("strftime_now: %") + letter + " is not supported");
  }
}

value strftime_now(evaluation& run, const value& receiver, const call_arguments& arguments) {
  const bound_arguments given(run, "strftime_now", arguments, {"format"}, 1);
  const moment now = *read_moment(receiver.as_text()->bytes);
  const std::string& format = given.text_at(0).bytes;
  run.make(format.size() * 8);
  std::string out;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] == '%' && i + 1 < format.size()) {
      out += field_of(run, now, format[++i]);
    } else {
      out += format[i];
    }
  }
  return make_text(run, std::move(out));
}

} // namespace

std::optional<value> namespace_object::attribute(evaluation& run, std::string_view name) {
  run.spend(1 + attributes_.size() / 16);
  for (const auto& [key, content] : attributes_) {
    if (key.as_text() && key.as_text()->bytes == name) return content;
  }
  return std::nullopt;
}

void namespace_object::set(evaluation& run, std::string_view name, value content) {
  run.spend(1 + attributes_.size() / 16);
  for (auto& [key, old] : attributes_) {
    if (key.as_text() && key.as_text()->bytes == name) {
      old = std::move(content);
      return;
    }
  }
  run.make(2 * sizeof(value));
  attributes_.emplace_back(make_text(run, std::string(name)), std::move(content));
}

std::string namespace_object::print(evaluation& run) {
  const level deeper(run);
  return "<Namespace " + represent(run, make_dict(run, attributes_)) + ">";
}

value make_namespace(evaluation& run, const call_arguments& arguments, std::vector<std::shared_ptr<namespace_object>>& all) {
  auto made = std::make_shared<namespace_object>();
  made->attributes_ = make_dict_of(run, read_pairs(run, arguments)).as_dict()->items;
  all.push_back(made);
  return make_object(run, made);
}

std::optional<value> find_function(evaluation& run, std::string_view name) {
  for (const auto& candidate : functions) {
    if (candidate.name == name) {
      return make_object(run, std::make_shared<function_object>(std::string(name), candidate.function, value{}));
    }
  }
  return std::nullopt;
}

value make_clock(evaluation& run, std::string_view now) {
  if (!read_moment(now)) throw input_error("strftime_now: wanted a date as 2026-11-30 or 2026-11-30T08:15:00");
  return make_object(run, std::make_shared<function_object>("strftime_now", strftime_now, make_text(run, std::string(now))));
}

} // namespace troupe::jinja
