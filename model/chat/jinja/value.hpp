#pragma once
// The values of templates: Python's, as far as templates use them. All but objects never change once made.
#include "model/chat/jinja/evaluation.hpp"
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace troupe::jinja {

struct text;
struct sequence;
struct dict;
class object;

/// What a name or an attribute is that nothing defines: it prints as nothing and is false; most of all else is an error.
struct undefined {
  std::shared_ptr<const std::string> reason; // "'x' is undefined".
};
struct none {};

struct value {
  std::variant<undefined, none, bool, int64_t, double, std::shared_ptr<const text>, std::shared_ptr<const sequence>,
               std::shared_ptr<const dict>, std::shared_ptr<object>>
      content;

  bool is_undefined() const { return std::holds_alternative<undefined>(content); }
  bool is_none() const { return std::holds_alternative<none>(content); }
  const bool* as_bool() const { return std::get_if<bool>(&content); }
  const int64_t* as_integer() const { return std::get_if<int64_t>(&content); }
  const double* as_float() const { return std::get_if<double>(&content); }
  // Null when it is of another kind.
  const text* as_text() const { return pointer<const text>(); }
  const sequence* as_sequence() const { return pointer<const sequence>(); }
  const dict* as_dict() const { return pointer<const dict>(); }
  object* as_object() const { return pointer<object>(); }
  template <class kind>
  kind* as() const {
    return dynamic_cast<kind*>(as_object());
  }

private:
  template <class T>
  T* pointer() const {
    const auto* held = std::get_if<std::shared_ptr<T>>(&content);
    return held ? held->get() : nullptr;
  }
};

/// A string. Positions and lengths count characters.
struct text {
  std::string bytes; // UTF-8.
  size_t characters = 0;
  bool is_escaped = false; // By the filters escape and safe: "+" escapes what is added to it.
  bool is_ascii() const { return characters == bytes.size(); }
};

enum class sequence_kind : uint8_t { list, tuple, range, keys, values, items };

struct sequence {
  sequence_kind kind = sequence_kind::list;
  std::vector<value> items;
  uint32_t depth = 1;                    // 1 + that of the deepest item.
  int64_t start = 0, stop = 0, step = 1; // range
  bool is_view() const { return kind >= sequence_kind::keys; } // Of a dict: it has no positions.
};

struct dict {
  std::vector<std::pair<value, value>> items; // In the order of insertion; no key twice.
  uint32_t depth = 1;
};

/// Arguments of a call: f(1, 2, name=3).
struct call_arguments {
  std::vector<value> positional;
  std::vector<std::pair<std::string, value>> named;
};

/// Anything else: namespaces, loops, macros, functions, methods, iterators.
class object {
public:
  explicit object(uint32_t depth) : depth_(depth) {}
  virtual ~object() = default;
  object(const object&) = delete;
  object& operator=(const object&) = delete;

  virtual std::string_view type_name() const = 0;
  virtual std::optional<value> attribute(evaluation&, std::string_view) { return std::nullopt; }
  virtual bool is_callable() const { return false; }
  virtual value call(evaluation& run, const call_arguments& arguments);
  /// As Python prints it. Fails for what prints as an address.
  virtual std::string print(evaluation& run);
  uint32_t depth() const { return depth_; }

private:
  uint32_t depth_; // As of sequences, of the values it holds for good.
};

/// What filters such as `map` give: each of its items is handed out once.
class iterator : public object {
public:
  explicit iterator(std::shared_ptr<const sequence> items) : object(items->depth + 1), items_(std::move(items)) {}
  std::string_view type_name() const override { return "generator"; }
  const value* next() { return next_ < items_->items.size() ? &items_->items[next_++] : nullptr; }

private:
  std::shared_ptr<const sequence> items_;
  size_t next_ = 0;
};

/// A function of ours that templates may call.
using native_function = value (*)(evaluation& run, const value& receiver, const call_arguments& arguments);

/// A function, or a method with what it is a method of. Without `function`: one that is known to exist and not supported.
class function_object : public object {
public:
  function_object(std::string name, native_function function, value receiver);
  std::string_view type_name() const override { return "function"; }
  bool is_callable() const override { return true; }
  value call(evaluation& run, const call_arguments& arguments) override;

private:
  std::string name_;
  native_function function_;
  value receiver_;
};

value make_undefined(std::string reason);
value make_text(evaluation& run, std::string bytes, bool is_escaped = false);
/// Input_error where the items are nested too deeply.
std::shared_ptr<const sequence> make_sequence(evaluation& run, std::vector<value> items, sequence_kind kind = sequence_kind::list);
value make_list(evaluation& run, std::vector<value> items, sequence_kind kind = sequence_kind::list);
value make_iterator(evaluation& run, std::vector<value> items);
/// The keys must differ.
value make_dict(evaluation& run, std::vector<std::pair<value, value>> items);
value make_object(evaluation& run, std::shared_ptr<object> made);

/// 0 for what holds no other values. Input_error where `depth` is too much.
uint32_t depth_of(const value& one);
uint32_t check_depth(evaluation& run, uint32_t depth);

/// "list", "str", "NoneType": for error texts.
std::string_view type_name(const value& one);

} // namespace troupe::jinja
