#pragma once
// JSON files that are not trusted. Every access says what it wants; what is not so ends in an input_error
// with the file, the place ("rope_parameters.factor", "added_tokens[3].id") and the reason.
#include "model/error.hpp"
#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace troupe {

struct json_member;

struct json_value {
  using array = std::vector<json_value>;
  using object = std::vector<json_member>; // In the order of the file; no name twice.
  std::variant<std::nullptr_t, bool, uint64_t, int64_t, double, std::string, array, object> content;
};

struct json_member {
  std::string name;
  json_value value;
};

class json_node;

/// What a JSON text says is not acceptable. what(): with the file and the place.
struct json_error : input_error {
  json_error(const std::filesystem::path& path, std::string where, std::string why);
  std::string place;  // "messages[3].role"; empty: the text as a whole.
  std::string reason;
};

/// The text of a file of at most bytes_max bytes. Throws input_error.
std::string read_text(const std::filesystem::path& path, uint64_t bytes_max);

/// Holds what the nodes point into: keep it as long as them.
class json_file {
public:
  /// Throws input_error when the file cannot be read, is longer than bytes_max, is no JSON, nests deeper than
  /// 64, or has two members of one name. Memory is bounded by about thirty times the file's length, and about
  /// ten for a vocabulary.
  explicit json_file(const std::filesystem::path& path, uint64_t bytes_max = 256 << 20);
  /// Of this text; `path` is for errors only. comments: whether // and /* */ are skipped, as in files that people write.
  json_file(const std::filesystem::path& path, std::string_view text, bool comments = false);
  json_file(const json_file&) = delete;
  json_file& operator=(const json_file&) = delete;

  json_node root() const;
  const json_value& value() const { return root_; }
  const std::filesystem::path& path() const { return path_; }

private:
  friend class json_node;
  std::filesystem::path path_;
  json_value root_;
};

/// A value of a file, and where it is.
class json_node {
public:
  bool is_text() const { return std::holds_alternative<std::string>(value_->content); }
  bool is_array() const { return std::holds_alternative<json_value::array>(value_->content); }
  bool is_object() const { return std::holds_alternative<json_value::object>(value_->content); }
  bool is_flag() const { return std::holds_alternative<bool>(value_->content); }

  // Input_error when it is of another kind.
  bool flag() const;
  uint64_t natural(uint64_t max = ~uint64_t(0)) const;
  double number() const;
  const std::string& text() const;
  size_t size() const;                  // Elements of an array.
  json_node operator[](size_t i) const; // i < size().
  std::vector<json_node> elements() const;
  const json_value::object& members() const;
  json_node of(const json_member& member) const { return {*file_, member.value}; }

  // A member of an object; null counts as absent.
  std::optional<json_node> find(std::string_view name) const;
  json_node get(std::string_view name) const;
  std::string_view text_or(std::string_view name, std::string_view otherwise) const;
  bool flag_or(std::string_view name, bool otherwise) const;

  /// Input_error naming the first member that is none of these, unless it is null, false, or an empty string.
  void require_only(std::initializer_list<std::string_view> names) const;

  const json_value& value() const { return *value_; }
  [[noreturn]] void fail(std::string_view reason) const;
  /// "wanted <what>, found <what it is>".
  [[noreturn]] void fail_kind(std::string_view wanted) const;

private:
  friend class json_file;
  json_node(const json_file& file, const json_value& value) : file_(&file), value_(&value) {}

  const json_file* file_;
  const json_value* value_;
};

} // namespace troupe
