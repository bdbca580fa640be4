#include "model/formats/json.hpp"
#include "model/error.hpp"
#include "model/formats/byte_reader.hpp"
#include "model/formats/input_file.hpp"
#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace troupe {
namespace {

constexpr size_t depth_max = 64;

/// Builds a json_value from the events of nlohmann's parser. Returning false ends the parsing.
class tree_builder {
public:
  explicit tree_builder(json_value& root) : root_(root) {}
  const std::string& error() const { return error_; }

  bool null() { return add({nullptr}); }
  bool boolean(bool value) { return add({value}); }
  bool number_integer(int64_t value) { return add({value}); }
  bool number_unsigned(uint64_t value) { return add({value}); }
  bool number_float(double value, const std::string&) { return add({value}); }
  bool string(std::string& value) { return add({std::move(value)}); }
  bool binary(nlohmann::json::binary_t&) { return false; }

  bool start_object(size_t) { return open({json_value::object{}}); }
  bool start_array(size_t) { return open({json_value::array{}}); }
  bool key(std::string& name) {
    std::get<json_value::object>(open_.back()->content).push_back({std::move(name), {}});
    return true;
  }
  bool end_array() {
    open_.pop_back();
    return true;
  }
  bool end_object() {
    std::vector<std::string_view> names;
    for (const auto& member : std::get<json_value::object>(open_.back()->content))
      names.push_back(member.name);
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice != names.end()) {
      error_ = in_quotes(*twice) + " appears twice in one object";
      return false;
    }
    open_.pop_back();
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception& error) {
    error_ = "is not valid JSON at byte " + std::to_string(position) + ": " + in_quotes(error.what());
    return false;
  }

private:
  json_value* place(json_value value) {
    json_value* at = &root_;
    if (!open_.empty()) {
      if (auto* array = std::get_if<json_value::array>(&open_.back()->content)) {
        at = &array->emplace_back();
      } else {
        at = &std::get<json_value::object>(open_.back()->content).back().value;
      }
    }
    *at = std::move(value);
    return at;
  }
  bool add(json_value value) {
    place(std::move(value));
    return true;
  }
  bool open(json_value value) {
    if (open_.size() == depth_max) {
      error_ = "its JSON is nested too deeply";
      return false;
    }
    // Only the innermost open value grows, so the pointers to the outer ones stay.
    open_.push_back(place(std::move(value)));
    return true;
  }

  json_value& root_;
  std::vector<json_value*> open_;
  std::string error_;
};

/// The way from `from` to `wanted`, as "a.b[3]"; false when it is not in there.
bool find_place(const json_value& from, const json_value* wanted, std::string& place) {
  if (&from == wanted) return true;
  const size_t length = place.size();
  if (const auto* array = std::get_if<json_value::array>(&from.content)) {
    for (size_t i = 0; i < array->size(); ++i) {
      place += "[" + std::to_string(i) + "]";
      if (find_place((*array)[i], wanted, place)) return true;
      place.resize(length);
    }
  }
  if (const auto* object = std::get_if<json_value::object>(&from.content)) {
    for (const auto& member : *object) {
      const std::string quoted = in_quotes(member.name);
      place += (length == 0 ? "" : ".") + quoted.substr(1, quoted.size() - 2);
      if (find_place(member.value, wanted, place)) return true;
      place.resize(length);
    }
  }
  return false;
}

std::string describe(const json_value& value) {
  struct visitor {
    std::string operator()(std::nullptr_t) const { return "null"; }
    std::string operator()(bool flag) const { return flag ? "true" : "false"; }
    std::string operator()(uint64_t number) const { return std::to_string(number); }
    std::string operator()(int64_t number) const { return std::to_string(number); }
    std::string operator()(double number) const { return nlohmann::json(number).dump(); }
    std::string operator()(const std::string& text) const { return in_quotes(text); }
    std::string operator()(const json_value::array& array) const {
      return "an array of " + std::to_string(array.size()) + " elements";
    }
    std::string operator()(const json_value::object&) const { return "an object"; }
  };
  return std::visit(visitor{}, value.content);
}

} // namespace

json_error::json_error(const std::filesystem::path& path, std::string where, std::string why)
    : input_error(path.string() + ": " + (where.empty() ? "the file" : where) + ": " + why), place(std::move(where)),
      reason(std::move(why)) {}

std::string read_text(const std::filesystem::path& path, uint64_t bytes_max) {
  const input_file file(path);
  if (file.size() > bytes_max) {
    throw input_error(path.string() + ": the file: has " + std::to_string(file.size()) + " bytes; wanted at most " +
                      std::to_string(bytes_max));
  }
  std::string text(file.size(), '\0');
  file.read(0, std::as_writable_bytes(std::span(text)));
  return text;
}

json_file::json_file(const std::filesystem::path& path, uint64_t bytes_max)
    : json_file(path, read_text(path, bytes_max)) {}

json_file::json_file(const std::filesystem::path& path, std::string_view text, bool comments) : path_(path) {
  tree_builder builder(root_);
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder, nlohmann::json::input_format_t::json, true, comments)) {
    throw json_error(path, {}, builder.error());
  }
}

json_node json_file::root() const { return {*this, root_}; }

void json_node::fail(std::string_view reason) const {
  std::string place;
  find_place(file_->root_, value_, place);
  throw json_error(file_->path(), std::move(place), std::string(reason));
}

void json_node::fail_kind(std::string_view wanted) const {
  fail("wanted " + std::string(wanted) + ", found " + describe(*value_));
}

bool json_node::flag() const {
  if (const auto* value = std::get_if<bool>(&value_->content)) return *value;
  fail_kind("true or false");
}

uint64_t json_node::natural(uint64_t max) const {
  const auto* value = std::get_if<uint64_t>(&value_->content);
  if (value == nullptr) fail_kind("an integer that is not negative");
  if (*value > max) fail("wanted at most " + std::to_string(max) + ", found " + std::to_string(*value));
  return *value;
}

double json_node::number() const {
  if (const auto* value = std::get_if<double>(&value_->content)) return *value;
  if (const auto* value = std::get_if<uint64_t>(&value_->content)) return double(*value);
  if (const auto* value = std::get_if<int64_t>(&value_->content)) return double(*value);
  fail_kind("a number");
}

const std::string& json_node::text() const {
  if (const auto* value = std::get_if<std::string>(&value_->content)) return *value;
  fail_kind("a string");
}

size_t json_node::size() const {
  if (const auto* array = std::get_if<json_value::array>(&value_->content)) return array->size();
  fail_kind("an array");
}

json_node json_node::operator[](size_t i) const {
  TROUPE_ASSERT(i < size());
  return {*file_, std::get<json_value::array>(value_->content)[i]};
}

std::vector<json_node> json_node::elements() const {
  std::vector<json_node> nodes;
  nodes.reserve(size());
  for (size_t i = 0; i < size(); ++i) nodes.push_back((*this)[i]);
  return nodes;
}

const json_value::object& json_node::members() const {
  if (const auto* object = std::get_if<json_value::object>(&value_->content)) return *object;
  fail_kind("an object");
}

std::optional<json_node> json_node::find(std::string_view name) const {
  for (const auto& member : members()) {
    if (member.name != name) continue;
    if (std::holds_alternative<std::nullptr_t>(member.value.content)) break;
    return of(member);
  }
  return std::nullopt;
}

json_node json_node::get(std::string_view name) const {
  const auto found = find(name);
  if (!found) fail(in_quotes(name) + " is missing");
  return *found;
}

std::string_view json_node::text_or(std::string_view name, std::string_view otherwise) const {
  const auto found = find(name);
  return found ? std::string_view(found->text()) : otherwise;
}

bool json_node::flag_or(std::string_view name, bool otherwise) const {
  const auto found = find(name);
  return found ? found->flag() : otherwise;
}

void json_node::require_only(std::initializer_list<std::string_view> names) const {
  for (const auto& member : members()) {
    const auto& content = member.value.content;
    const auto* flag = std::get_if<bool>(&content);
    const auto* text = std::get_if<std::string>(&content);
    const bool says_nothing =
        std::holds_alternative<std::nullptr_t>(content) || (flag && !*flag) || (text && text->empty());
    const bool is_known = std::find(names.begin(), names.end(), member.name) != names.end();
    if (!is_known && !says_nothing) of(member).fail("is not supported: " + describe(member.value));
  }
}

} // namespace troupe
