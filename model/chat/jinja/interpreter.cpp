#include "model/chat/jinja/interpreter.hpp"
#include "model/chat/jinja/comparison.hpp"
#include "model/chat/jinja/from_json.hpp"
#include "model/chat/jinja/functions.hpp"
#include "model/chat/jinja/lookup.hpp"
#include "model/chat/jinja/operators.hpp"
#include "model/chat/jinja/printing.hpp"
#include "model/chat/jinja/scope.hpp"
#include "model/error.hpp"
#include <algorithm>
#include <optional>

namespace troupe::jinja {
namespace {

/// How a body ended.
enum class flow : uint8_t { on, leave_loop, next_round };

class interpreter;

/// The variable `loop`. It hands out the items that the loop's condition lets through, and looks no further ahead than it is asked to.
class loop_object : public object, public std::enable_shared_from_this<loop_object> {
public:
  loop_object(interpreter& owner, const statement& loop, const scope& around, std::shared_ptr<const sequence> items, int64_t depth)
      : object(items->depth + 1), owner_(&owner), loop_(loop), around_(around), items_(std::move(items)), depth_(depth) {}

  std::string_view type_name() const override { return "LoopContext"; }
  bool is_callable() const override { return true; }
  std::optional<value> attribute(evaluation& run, std::string_view name) override;
  value call(evaluation& run, const call_arguments& arguments) override;
  std::string print(evaluation& run) override;

  /// The next item; null at the end.
  const value* advance() {
    const value* next = at(index_ + 1);
    if (next != nullptr) ++index_;
    return next;
  }
  /// The loop is over: what it looked at may not be there any more.
  void end() {
    owner_ = nullptr;
    seen_.reset();
  }

private:
  const value* at(int64_t index);
  int64_t length() {
    while (at(known()) != nullptr) {
    }
    return known();
  }
  int64_t known() const { return int64_t(loop_.condition ? passed_.size() : items_->items.size()); }
  value method(evaluation& run, native_function function);
  static value cycle(evaluation& run, const value& receiver, const call_arguments& arguments);
  static value changed(evaluation& run, const value& receiver, const call_arguments& arguments);

  interpreter* owner_;
  const statement& loop_;
  const scope& around_;
  std::shared_ptr<const sequence> items_;
  std::vector<value> passed_; // With a condition: those it let through so far.
  size_t tried_ = 0;
  int64_t depth_, index_ = -1;
  std::optional<std::vector<value>> seen_; // What changed() was called with last.
};

/// A macro, or the body of a call block.
class macro_object : public object {
public:
  macro_object(interpreter& owner, const statement& definition, const scope& around)
      : object(0), owner_(owner), definition_(definition), around_(around) {}
  std::string_view type_name() const override { return "Macro"; }
  bool is_callable() const override { return true; }
  std::optional<value> attribute(evaluation& run, std::string_view name) override;
  value call(evaluation& run, const call_arguments& arguments) override;

private:
  bool has_parameter(std::string_view name) const {
    return std::any_of(definition_.parameters.begin(), definition_.parameters.end(), [&](const auto& one) { return one.name == name; });
  }

  interpreter& owner_;
  const statement& definition_;
  const scope& around_;
};

/// The function `namespace`.
class namespace_maker : public object {
public:
  explicit namespace_maker(std::vector<std::shared_ptr<namespace_object>>& all) : object(0), all_(all) {}
  std::string_view type_name() const override { return "function"; }
  bool is_callable() const override { return true; }
  value call(evaluation& run, const call_arguments& arguments) override { return make_namespace(run, arguments, all_); }

private:
  std::vector<std::shared_ptr<namespace_object>>& all_;
};

class interpreter {
public:
  explicit interpreter(const json_value& variables) : root_(nullptr) {
    const auto* members = std::get_if<json_value::object>(&variables.content);
    if (members == nullptr) throw input_error("chat template: its variables are not an object");
    for (const auto& [name, content] : *members) {
      const auto* now = name == "strftime_now" ? std::get_if<std::string>(&content.content) : nullptr;
      root_.set(run_, name, now ? make_clock(run_, *now) : from_json(run_, content));
    }
  }
  ~interpreter() {
    for (const auto& one : namespaces_) one->clear();
  }

  std::string run(const block& body) {
    std::string out;
    out_ = &out;
    scope top(&root_);
    run_body(body, top);
    return out;
  }

  /// What the body prints, in a scope of its own that `fill` gives its names.
  template <class fill_function>
  value run_apart(const block& body, const scope& around, bool has_macros, const fill_function& fill) {
    const level deeper(run_);
    std::string out;
    const printing_to here(*this, out);
    with_scope(around, has_macros, [&](scope& inner) {
      fill(inner);
      return run_body(body, inner);
    });
    return make_text(run_, std::move(out));
  }

  flow run_loop(const statement& loop, const scope& around, const value& over, int64_t depth);
  bool passes(const statement& loop, const scope& around, const value& item);
  value evaluate(const expression& one, const scope& names);
  evaluation& state() { return run_; }

private:
  /// While it lives, what is printed goes to `out`.
  class printing_to {
  public:
    printing_to(interpreter& owner, std::string& out) : owner_(owner), before_(owner.out_) { owner.out_ = &out; }
    ~printing_to() { owner_.out_ = before_; }

  private:
    interpreter& owner_;
    std::string* before_;
  };

  /// Where macros are defined, what they see must outlive the body.
  template <class body_function>
  flow with_scope(const scope& around, bool has_macros, const body_function& body) {
    if (!has_macros) {
      scope inner(&around);
      return body(inner);
    }
    run_.make(sizeof(scope));
    return body(*kept_.emplace_back(std::make_unique<scope>(&around, true)));
  }

  void print(std::string_view bytes) {
    run_.make(bytes.size());
    if (out_->size() + bytes.size() > output_bytes_max) run_.fail("prints more than " + std::to_string(output_bytes_max) + " bytes");
    *out_ += bytes;
  }

  flow run_body(const block& body, scope& names) {
    for (const statement& one : body) {
      const flow ended = run_statement(one, names);
      if (ended != flow::on) return ended;
    }
    return flow::on;
  }

  flow run_statement(const statement& one, scope& names);
  flow run_condition(const statement& one, scope& names);
  flow run_captured(const statement& one, scope& names);
  void call_with_block(const statement& one, scope& names);
  void run_with(const statement& one, scope& names, flow& ended);
  void assign(const expression& target, const value& content, scope& names);

  value evaluate_constant(const expression& one);
  value evaluate_name(const expression& one, const scope& names);
  value evaluate_dict(const expression& one, const scope& names);
  value evaluate_item(const expression& one, const scope& names);
  value evaluate_call(const expression& one, const scope& names, const value* caller);
  value evaluate_comparison(const expression& one, const scope& names);
  value evaluate_concatenation(const expression& one, const scope& names);
  value apply_filters(const expression* one, const value& innermost, const scope& names);
  std::vector<value> evaluate_all(const std::vector<expression_pointer>& parts, const scope& names);
  call_arguments evaluate_arguments(const argument_list& arguments, const scope& names);
  value evaluate_or_none(const expression* one, const scope& names) { return one ? evaluate(*one, names) : value{none{}}; }

  evaluation run_;
  std::string* out_ = nullptr;
  std::vector<std::unique_ptr<scope>> kept_;
  std::vector<std::shared_ptr<namespace_object>> namespaces_;
  scope root_;
};

const value* loop_object::at(int64_t index) {
  if (index < 0) return nullptr;
  if (!loop_.condition) return size_t(index) < items_->items.size() ? &items_->items[size_t(index)] : nullptr;
  while (int64_t(passed_.size()) <= index && tried_ < items_->items.size() && owner_ != nullptr) {
    const value& item = items_->items[tried_++];
    if (owner_->passes(loop_, around_, item)) {
      owner_->state().make(sizeof(value));
      passed_.push_back(item);
    }
  }
  return int64_t(passed_.size()) > index ? &passed_[size_t(index)] : nullptr;
}

value loop_object::method(evaluation& run, native_function function) {
  return make_object(run, std::make_shared<function_object>("loop", function, value{std::shared_ptr<object>(shared_from_this())}));
}

std::optional<value> loop_object::attribute(evaluation& run, std::string_view name) {
  if (name == "index0") return value{index_};
  if (name == "index") return value{index_ + 1};
  if (name == "first") return value{index_ == 0};
  if (name == "last") return value{at(index_ + 1) == nullptr};
  if (name == "length") return value{length()};
  if (name == "revindex") return value{length() - index_};
  if (name == "revindex0") return value{length() - index_ - 1};
  if (name == "depth") return value{depth_};
  if (name == "depth0") return value{depth_ - 1};
  if (name == "previtem") return index_ > 0 ? *at(index_ - 1) : make_undefined("there is no previous item");
  if (name == "nextitem") {
    const value* next = at(index_ + 1);
    return next ? *next : make_undefined("there is no next item");
  }
  if (name == "cycle") return method(run, cycle);
  if (name == "changed") return method(run, changed);
  return std::nullopt;
}

value loop_object::cycle(evaluation& run, const value& receiver, const call_arguments& arguments) {
  if (arguments.positional.empty() || !arguments.named.empty()) run.fail("loop.cycle wants items, without names");
  return arguments.positional[size_t(receiver.as<loop_object>()->index_) % arguments.positional.size()];
}

value loop_object::changed(evaluation& run, const value& receiver, const call_arguments& arguments) {
  if (!arguments.named.empty()) run.fail("loop.changed takes no named arguments");
  auto& self = *receiver.as<loop_object>();
  const auto is_same = [&](const value& a, const value& b) { return are_equal(run, a, b); };
  if (self.seen_ && std::equal(self.seen_->begin(), self.seen_->end(), arguments.positional.begin(), arguments.positional.end(), is_same)) {
    return {false};
  }
  if (self.owner_ != nullptr) self.seen_ = arguments.positional;
  return {true};
}

value loop_object::call(evaluation& run, const call_arguments& arguments) {
  if (!loop_.is_recursive || owner_ == nullptr) run.fail("this loop is not recursive");
  if (arguments.positional.size() != 1 || !arguments.named.empty()) run.fail("loop() wants one list");
  return owner_->run_apart({}, around_, false, [&](scope&) {
    owner_->run_loop(loop_, around_, arguments.positional[0], depth_ + 1);
  });
}

std::string loop_object::print(evaluation&) {
  return "<LoopContext " + std::to_string(index_ + 1) + "/" + std::to_string(length()) + ">";
}

std::optional<value> macro_object::attribute(evaluation& run, std::string_view name) {
  if (name == "name") return definition_.kind == statement_kind::macro ? make_text(run, definition_.text) : value{none{}};
  if (name == "catch_kwargs") return value{definition_.uses_kwargs};
  if (name == "catch_varargs") return value{definition_.uses_varargs};
  if (name == "caller") return value{definition_.uses_caller};
  if (name == "explicit_caller") return value{has_parameter("caller")};
  if (name == "arguments") {
    std::vector<value> names;
    for (const auto& one : definition_.parameters) names.push_back(make_text(run, one.name));
    return make_list(run, std::move(names), sequence_kind::tuple);
  }
  return std::nullopt;
}

value macro_object::call(evaluation& run, const call_arguments& arguments) {
  const std::string name = definition_.kind == statement_kind::macro ? definition_.text : "caller";
  const size_t count = definition_.parameters.size();
  const size_t positional = std::min(arguments.positional.size(), count);
  std::vector<std::pair<std::string, value>> named = arguments.named;
  const auto take = [&](std::string_view wanted) -> std::optional<value> {
    const auto found = std::find_if(named.begin(), named.end(), [&](const auto& one) { return one.first == wanted; });
    if (found == named.end()) return std::nullopt;
    value taken = std::move(found->second);
    named.erase(found);
    return taken;
  };
  std::vector<std::optional<value>> given(count);
  for (size_t i = 0; i < count; ++i) {
    given[i] = i < positional ? std::optional(arguments.positional[i]) : take(definition_.parameters[i].name);
  }
  const bool passes_caller = definition_.uses_caller && !has_parameter("caller");
  value caller = make_undefined("No caller defined");
  if (passes_caller) {
    if (auto found = take("caller"); found && !found->is_none()) caller = *found;
  }
  if (!definition_.uses_kwargs && !named.empty()) run.fail("the macro " + name + " takes no argument " + named.front().first);
  if (!definition_.uses_varargs && arguments.positional.size() > count) {
    run.fail("the macro " + name + " takes at most " + std::to_string(count) + " arguments");
  }
  return owner_.run_apart(definition_.body, around_, definition_.has_macros, [&](scope& inner) {
    for (size_t i = 0; i < count; ++i) {
      const auto& parameter = definition_.parameters[i];
      value content = given[i] ? *given[i]
                      : parameter.otherwise ? owner_.evaluate(*parameter.otherwise, inner)
                                            : make_undefined("parameter '" + parameter.name + "' was not provided");
      inner.set(run, parameter.name, std::move(content));
    }
    if (passes_caller) inner.set(run, "caller", caller);
    if (definition_.uses_kwargs) {
      std::vector<std::pair<value, value>> rest;
      for (auto& [key, content] : named) rest.emplace_back(make_text(run, key), std::move(content));
      inner.set(run, "kwargs", make_dict(run, std::move(rest)));
    }
    if (definition_.uses_varargs) {
      std::vector<value> rest(arguments.positional.begin() + std::ptrdiff_t(positional), arguments.positional.end());
      inner.set(run, "varargs", make_list(run, std::move(rest), sequence_kind::tuple));
    }
  });
}

flow interpreter::run_statement(const statement& one, scope& names) {
  const level deeper(run_);
  run_.line = one.line;
  run_.spend(1);
  switch (one.kind) {
  case statement_kind::data: print(one.text); return flow::on;
  case statement_kind::print: {
    const value content = evaluate(*one.value, names);
    if (const text* words = content.as_text()) {
      print(words->bytes);
    } else {
      print(to_text(run_, content));
    }
    return flow::on;
  }
  case statement_kind::condition: return run_condition(one, names);
  case statement_kind::loop: return run_loop(one, names, evaluate(*one.value, names), 1);
  case statement_kind::assignment: assign(*one.target, evaluate(*one.value, names), names); return flow::on;
  case statement_kind::block_assignment:
  case statement_kind::filter_block: return run_captured(one, names);
  case statement_kind::macro:
    names.set(run_, one.text, make_object(run_, std::make_shared<macro_object>(*this, one, names)));
    return flow::on;
  case statement_kind::call_block: call_with_block(one, names); return flow::on;
  case statement_kind::with: {
    flow ended = flow::on;
    run_with(one, names, ended);
    return ended;
  }
  case statement_kind::scope: {
    const value inside = run_apart(one.body, names, one.has_macros, [](scope&) {});
    print(inside.as_text()->bytes);
    return flow::on;
  }
  case statement_kind::leave_loop: return flow::leave_loop;
  case statement_kind::next_round: return flow::next_round;
  }
  return flow::on;
}

flow interpreter::run_condition(const statement& one, scope& names) {
  for (const auto& [condition, body] : one.branches) {
    if (is_true(evaluate(*condition, names))) return run_body(body, names);
  }
  return run_body(one.body, names);
}

flow interpreter::run_captured(const statement& one, scope& names) {
  std::string out;
  flow ended = flow::on;
  {
    const printing_to here(*this, out);
    ended = with_scope(names, one.has_macros, [&](scope& inner) { return run_body(one.body, inner); });
  }
  if (ended != flow::on) return ended;
  const value content = apply_filters(one.value.get(), make_text(run_, std::move(out)), names);
  if (one.kind == statement_kind::block_assignment) {
    assign(*one.target, content, names);
  } else {
    print(to_text(run_, content));
  }
  return flow::on;
}

void interpreter::call_with_block(const statement& one, scope& names) {
  const value caller = make_object(run_, std::make_shared<macro_object>(*this, one, names));
  print(to_text(run_, evaluate_call(*one.value, names, &caller)));
}

void interpreter::run_with(const statement& one, scope& names, flow& ended) {
  ended = with_scope(names, one.has_macros, [&](scope& inner) {
    for (const auto& [target, content] : one.targets) assign(*target, evaluate(*content, names), inner);
    return run_body(one.body, inner);
  });
}

bool interpreter::passes(const statement& loop, const scope& around, const value& item) {
  scope inner(&around);
  assign(*loop.target, item, inner);
  return is_true(evaluate(*loop.condition, inner));
}

flow interpreter::run_loop(const statement& loop, const scope& around, const value& over, int64_t depth) {
  const level deeper(run_);
  const auto state = std::make_shared<loop_object>(*this, loop, around, iterate(run_, over).held, depth);
  struct at_end {
    loop_object& loop;
    ~at_end() { loop.end(); }
  } const guard{*state};
  const value loop_value = make_object(run_, state);
  bool has_round = false; // That reached its end: as in jinja2, break and continue in each round leave the way to {% else %} open.
  while (const value* next = state->advance()) {
    const value item = *next;
    run_.spend(1);
    const flow ended = with_scope(around, loop.has_macros, [&](scope& inner) {
      inner.set(run_, "loop", loop_value);
      assign(*loop.target, item, inner);
      return run_body(loop.body, inner);
    });
    if (ended == flow::leave_loop) break;
    has_round = has_round || ended == flow::on;
  }
  if (has_round || loop.otherwise.empty()) return flow::on;
  return with_scope(around, loop.has_macros, [&](scope& inner) { return run_body(loop.otherwise, inner); });
}

void interpreter::assign(const expression& target, const value& content, scope& names) {
  run_.line = target.line;
  if (target.kind == expression_kind::name) return names.set(run_, target.name, content);
  if (target.kind == expression_kind::attribute) {
    const value* owner = names.find(run_, target.parts[0]->name);
    auto* space = owner ? owner->as<namespace_object>() : nullptr;
    if (space == nullptr) run_.fail("'" + target.parts[0]->name + "' is no namespace: its attributes cannot be set");
    return space->set(run_, target.name, content);
  }
  const auto items = iterate(run_, content);
  if (items.size() != target.parts.size()) {
    run_.fail("there are " + std::to_string(items.size()) + " values for " + std::to_string(target.parts.size()) + " names");
  }
  for (size_t i = 0; i < items.size(); ++i) assign(*target.parts[i], items[i], names);
}

value interpreter::evaluate(const expression& one, const scope& names) {
  const level deeper(run_);
  run_.line = one.line;
  run_.spend(1);
  switch (one.kind) {
  case expression_kind::constant: return evaluate_constant(one);
  case expression_kind::name: return evaluate_name(one, names);
  case expression_kind::tuple: return make_list(run_, evaluate_all(one.parts, names), sequence_kind::tuple);
  case expression_kind::list: return make_list(run_, evaluate_all(one.parts, names));
  case expression_kind::dict: return evaluate_dict(one, names);
  case expression_kind::attribute: return get_attribute(run_, evaluate(*one.parts[0], names), one.name);
  case expression_kind::item: return evaluate_item(one, names);
  case expression_kind::slice: run_.fail("a slice stands where none can be");
  case expression_kind::call: return evaluate_call(one, names, nullptr);
  case expression_kind::filter: {
    const value subject = evaluate(*one.parts[0], names);
    return one.filter(run_, subject, evaluate_arguments(*one.arguments, names));
  }
  case expression_kind::test: {
    const value subject = evaluate(*one.parts[0], names);
    return {one.test(run_, subject, evaluate_arguments(*one.arguments, names))};
  }
  case expression_kind::negative:
  case expression_kind::positive:
    return negate(run_, evaluate(*one.parts[0], names), one.kind == expression_kind::negative);
  case expression_kind::logical_not: return {!is_true(evaluate(*one.parts[0], names))};
  case expression_kind::logical_and:
  case expression_kind::logical_or: {
    value left = evaluate(*one.parts[0], names);
    return is_true(left) == (one.kind == expression_kind::logical_or) ? left : evaluate(*one.parts[1], names);
  }
  case expression_kind::arithmetic: {
    const value left = evaluate(*one.parts[0], names), right = evaluate(*one.parts[1], names);
    return arithmetic(run_, one.name, left, right);
  }
  case expression_kind::concatenation: return evaluate_concatenation(one, names);
  case expression_kind::comparison: return evaluate_comparison(one, names);
  case expression_kind::conditional:
    if (is_true(evaluate(*one.parts[0], names))) return evaluate(*one.parts[1], names);
    if (one.parts[2]) return evaluate(*one.parts[2], names);
    return make_undefined("the condition does not hold, and there is no 'else'");
  }
  return {};
}

value interpreter::evaluate_constant(const expression& one) {
  if (const bool* flag = std::get_if<bool>(&one.constant)) return {*flag};
  if (const int64_t* integer = std::get_if<int64_t>(&one.constant)) return {*integer};
  if (const double* number = std::get_if<double>(&one.constant)) return {*number};
  if (const std::string* bytes = std::get_if<std::string>(&one.constant)) return make_text(run_, *bytes);
  return {none{}};
}

value interpreter::evaluate_name(const expression& one, const scope& names) {
  if (const value* found = names.find(run_, one.name)) return *found;
  if (one.name == "namespace") return make_object(run_, std::make_shared<namespace_maker>(namespaces_));
  if (auto found = find_function(run_, one.name)) return *found;
  return make_undefined("'" + one.name + "' is undefined");
}

std::vector<value> interpreter::evaluate_all(const std::vector<expression_pointer>& parts, const scope& names) {
  std::vector<value> items;
  for (const auto& part : parts) items.push_back(evaluate(*part, names));
  return items;
}

value interpreter::evaluate_dict(const expression& one, const scope& names) {
  std::vector<std::pair<value, value>> items;
  for (size_t i = 0; i < one.parts.size(); i += 2) {
    value key = evaluate(*one.parts[i], names);
    items.emplace_back(std::move(key), evaluate(*one.parts[i + 1], names));
  }
  return make_dict_of(run_, std::move(items));
}

value interpreter::evaluate_item(const expression& one, const scope& names) {
  const value subject = evaluate(*one.parts[0], names);
  const expression& key = *one.parts[1];
  if (key.kind != expression_kind::slice) return get_item(run_, subject, evaluate(key, names));
  const value begin = evaluate_or_none(key.parts[0].get(), names), end = evaluate_or_none(key.parts[1].get(), names);
  return get_slice(run_, subject, begin, end, evaluate_or_none(key.parts[2].get(), names));
}

call_arguments interpreter::evaluate_arguments(const argument_list& arguments, const scope& names) {
  call_arguments out;
  out.positional = evaluate_all(arguments.positional, names);
  for (const auto& [name, content] : arguments.named) out.named.emplace_back(name, evaluate(*content, names));
  if (arguments.more) {
    const auto more = iterate(run_, evaluate(*arguments.more, names));
    run_.make(more.size() * sizeof(value));
    out.positional.insert(out.positional.end(), more.begin(), more.end());
  }
  if (arguments.others) {
    const value others = evaluate(*arguments.others, names);
    if (!others.as_dict()) run_.fail("'**' wants a dict");
    for (const auto& [key, content] : others.as_dict()->items) {
      if (!key.as_text()) run_.fail("'**' wants names that are strings");
      run_.spend(1 + out.named.size() / 16);
      for (const auto& [name, other] : out.named) {
        if (name == key.as_text()->bytes) run_.fail("the argument " + name + " is given twice");
      }
      out.named.emplace_back(key.as_text()->bytes, content);
    }
  }
  return out;
}

value interpreter::evaluate_call(const expression& one, const scope& names, const value* caller) {
  const value callee = evaluate(*one.parts[0], names);
  call_arguments arguments = evaluate_arguments(*one.arguments, names);
  if (caller != nullptr) {
    for (const auto& [name, content] : arguments.named) {
      if (name == "caller") run_.fail("the argument caller is given twice");
    }
    arguments.named.emplace_back("caller", *caller);
  }
  run_.line = one.line;
  if (const auto* missing = std::get_if<undefined>(&callee.content)) run_.fail(missing->reason ? *missing->reason : "undefined");
  object* function = callee.as_object();
  if (function == nullptr) run_.fail("a " + std::string(type_name(callee)) + " cannot be called");
  return function->call(run_, arguments);
}

value interpreter::evaluate_comparison(const expression& one, const scope& names) {
  value left = evaluate(*one.parts[0], names);
  for (size_t i = 0; i < one.operators.size(); ++i) {
    value right = evaluate(*one.parts[i + 1], names);
    if (!compare(run_, one.operators[i], left, right)) return {false};
    left = std::move(right);
  }
  return {true};
}

value interpreter::evaluate_concatenation(const expression& one, const scope& names) {
  std::string out;
  for (const auto& part : one.parts) {
    const std::string bytes = to_text(run_, evaluate(*part, names));
    run_.make(bytes.size());
    out += bytes;
  }
  return make_text(run_, std::move(out));
}

value interpreter::apply_filters(const expression* one, const value& innermost, const scope& names) {
  if (one == nullptr) return innermost;
  const level deeper(run_);
  const value subject = apply_filters(one->parts.empty() ? nullptr : one->parts[0].get(), innermost, names);
  run_.line = one->line;
  return one->filter(run_, subject, evaluate_arguments(*one->arguments, names));
}

} // namespace

std::string render(const block& body, const json_value& variables) { return interpreter(variables).run(body); }

} // namespace troupe::jinja
