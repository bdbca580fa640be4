#pragma once
// The names that a part of a template sees: its own, then those around it.
#include "model/chat/jinja/value.hpp"
#include <string_view>
#include <vector>

namespace troupe::jinja {

class scope {
public:
  /// is_kept: until the rendering ends; then its names are charged to it.
  explicit scope(const scope* around, bool is_kept = false) : around_(around), is_kept_(is_kept) {}
  scope(const scope&) = delete;
  scope& operator=(const scope&) = delete;

  const value* find(evaluation& run, std::string_view name) const {
    for (const scope* one = this; one != nullptr; one = one->around_) {
      run.spend(1 + one->names_.size() / 16);
      for (const auto& [known, content] : one->names_) {
        if (known == name) return &content;
      }
    }
    return nullptr;
  }
  /// The name must outlive the scope.
  void set(evaluation& run, std::string_view name, value content) {
    for (auto& [known, old] : names_) {
      if (known == name) {
        old = std::move(content);
        return;
      }
    }
    if (is_kept_) run.make(sizeof(value) * 2);
    names_.emplace_back(name, std::move(content));
  }

private:
  const scope* around_;
  bool is_kept_;
  std::vector<std::pair<std::string_view, value>> names_;
};

} // namespace troupe::jinja
