#include "model/chat/jinja/lookup.hpp"
#include "model/chat/jinja/characters.hpp"
#include "model/chat/jinja/comparison.hpp"
#include "model/chat/jinja/methods.hpp"
#include <algorithm>

namespace troupe::jinja {
namespace {

/// The position that an index means; nothing when it is outside.
std::optional<size_t> position_of(const value& key, size_t length) {
  const auto index = integer_of(key);
  if (!index) return std::nullopt;
  const int64_t position = *index < 0 ? *index + int64_t(length) : *index;
  if (position < 0 || position >= int64_t(length)) return std::nullopt;
  return size_t(position);
}

value character_at(evaluation& run, const text& words, size_t position) {
  if (words.is_ascii()) return make_text(run, words.bytes.substr(position, 1), words.is_escaped);
  run.spend_search(words.bytes.size());
  size_t end = bytes_of(words.bytes, position);
  const size_t begin = end;
  next_character(words.bytes, end);
  return make_text(run, words.bytes.substr(begin, end - begin), words.is_escaped);
}

std::optional<value> find_item(evaluation& run, const value& one, const value& key) {
  if (const dict* map = one.as_dict()) {
    if (!is_hashable(run, key)) return std::nullopt;
    const value* found = find_key(run, *map, key);
    return found ? std::optional<value>(*found) : std::nullopt;
  }
  if (const text* words = one.as_text()) {
    const auto position = position_of(key, words->characters);
    return position ? std::optional<value>(character_at(run, *words, *position)) : std::nullopt;
  }
  if (const sequence* list = one.as_sequence(); list && !list->is_view()) {
    const auto position = position_of(key, list->items.size());
    return position ? std::optional<value>(list->items[*position]) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<value> find_attribute(evaluation& run, const value& one, std::string_view name) {
  if (object* other = one.as_object()) {
    if (auto found = other->attribute(run, name)) return found;
  }
  return find_method(run, one, name);
}

} // namespace

value get_attribute(evaluation& run, const value& one, std::string_view name) {
  if (one.is_undefined()) fail_undefined(run, one);
  if (auto found = find_attribute(run, one, name)) return *found;
  if (one.as_dict()) {
    if (auto found = find_item(run, one, make_text(run, std::string(name)))) return *found;
  }
  return make_undefined("'" + std::string(type_name(one)) + " object' has no attribute '" + std::string(name) + "'");
}

value get_item(evaluation& run, const value& one, const value& key) {
  if (one.is_undefined()) fail_undefined(run, one);
  if (auto found = find_item(run, one, key)) return *found;
  if (const text* name = key.as_text()) {
    if (auto found = find_attribute(run, one, name->bytes)) return *found;
  }
  return make_undefined("'" + std::string(type_name(one)) + " object' has no item " +
                        (key.as_text()      ? "'" + key.as_text()->bytes + "'"
                         : key.as_integer() ? std::to_string(*key.as_integer())
                                            : "of this key"));
}

value get_slice(evaluation& run, const value& one, const value& begin, const value& end, const value& step) {
  if (one.is_undefined()) fail_undefined(run, one);
  const text* words = one.as_text();
  const sequence* list = one.as_sequence();
  if (!words && (!list || list->is_view())) {
    run.fail("a " + std::string(type_name(one)) + " has no slices");
  }
  for (const value* bound : {&begin, &end, &step}) {
    if (!bound->is_none() && !integer_of(*bound)) run.fail("a slice has a bound that is no integer");
  }
  const int64_t length = *length_of(one);
  const int64_t stride = step.is_none() ? 1 : *integer_of(step);
  if (stride == 0) run.fail("a slice has the step 0");
  const auto clamp = [&](const value& bound, int64_t otherwise) {
    if (bound.is_none()) return otherwise;
    int64_t at = *integer_of(bound);
    if (at < 0) at = at < -length ? -1 : at + length;
    const int64_t least = stride > 0 ? 0 : -1, most = stride > 0 ? length : length - 1;
    return std::clamp(at, least, std::max(least, most));
  };
  const int64_t first = clamp(begin, stride > 0 ? 0 : length - 1), last = clamp(end, stride > 0 ? length : -1);
  if (words && stride == 1) {
    run.spend_search(words->bytes.size());
    if (last <= first) return make_text(run, "", words->is_escaped);
    const size_t from = words->is_ascii() ? size_t(first) : bytes_of(words->bytes, size_t(first));
    const size_t to = words->is_ascii() ? size_t(last) : bytes_of(words->bytes, size_t(last));
    return make_text(run, words->bytes.substr(from, to - from), words->is_escaped);
  }
  std::vector<size_t> picked;
  for (int64_t at = first; stride > 0 ? at < last : at > last;) {
    picked.push_back(size_t(at));
    if (__builtin_add_overflow(at, stride, &at)) break;
  }
  run.make(picked.size() * sizeof(size_t));
  if (words) {
    run.make(words->bytes.size() * sizeof(size_t));
    const auto offsets = character_offsets(words->bytes);
    std::string out;
    for (const size_t at : picked) out.append(words->bytes, offsets[at], offsets[at + 1] - offsets[at]);
    return make_text(run, std::move(out), words->is_escaped);
  }
  std::vector<value> items;
  for (const size_t at : picked) items.push_back(list->items[at]);
  if (list->kind != sequence_kind::range) return make_list(run, std::move(items), list->kind);
  sequence part = *make_sequence(run, std::move(items), sequence_kind::range);
  part.start = list->start + first * list->step;
  part.stop = list->start + last * list->step;
  if (__builtin_mul_overflow(list->step, stride, &part.step)) run.fail("an integer is beyond 64 bits");
  return {std::make_shared<const sequence>(std::move(part))};
}

} // namespace troupe::jinja
