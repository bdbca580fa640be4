#pragma once
// What templates may call without having defined it: range, dict, namespace, cycler, joiner, raise_exception, strftime_now.
#include "model/chat/jinja/value.hpp"

namespace troupe::jinja {

/// namespace(): attributes that a template may set, also from within a loop.
class namespace_object : public object {
public:
  namespace_object() : object(1) {}
  std::string_view type_name() const override { return "Namespace"; }
  std::optional<value> attribute(evaluation& run, std::string_view name) override;
  std::string print(evaluation& run) override;
  void set(evaluation& run, std::string_view name, value content);
  /// Forgets all: two namespaces may hold each other.
  void clear() { attributes_.clear(); }

private:
  friend value make_namespace(evaluation&, const call_arguments&, std::vector<std::shared_ptr<namespace_object>>&);
  std::vector<std::pair<value, value>> attributes_;
};

/// `all` gets it, too, and holds it until the rendering ends: see clear().
value make_namespace(evaluation& run, const call_arguments& arguments, std::vector<std::shared_ptr<namespace_object>>& all);

/// range, dict, cycler, joiner, raise_exception; nothing for another name.
std::optional<value> find_function(evaluation& run, std::string_view name);

/// strftime_now, for which it is always `now`, "2026-11-30" or "2026-11-30T08:15:00". Input_error for another text.
value make_clock(evaluation& run, std::string_view now);

} // namespace troupe::jinja
