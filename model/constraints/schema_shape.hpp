#pragma once
// What a JSON schema says about one value, with references resolved and combinations of schemas merged.
#include "model/constraints/compile_budget.hpp"
#include "model/constraints/number_range.hpp"
#include "model/formats/json.hpp"
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace troupe {

/// Schemas that all hold for a value: their numbers, sorted, each once. None: any value.
using schema_list = std::vector<uint32_t>;

/// Kinds of values; `number` are two of them, so that an integer is one, too.
namespace value_kind {
constexpr uint8_t null = 1, boolean = 2, whole = 4, other_number = 8, number = 12, text = 16, array = 32, object = 64, all = 127;
}

/// One way a value can be: all of this holds.
struct value_shape {
  uint8_t kinds = value_kind::all;
  std::optional<std::vector<const json_value*>> values; // It is one of these.

  uint32_t length_least = 0, length_most = ~uint32_t(0); // Of a text, in characters; ~0: no limit.
  std::optional<std::string> pattern, format;

  std::optional<decimal> least, most;
  bool above_least = false, below_most = false;
  uint32_t multiple_of = 0; // 0: the schema does not say.

  std::vector<schema_list> first_items; // Of an array: what its first elements are,
  schema_list items;                    // and all others.
  uint32_t items_least = 0, items_most = ~uint32_t(0);

  std::vector<std::pair<std::string, schema_list>> properties; // In order.
  std::set<std::string> required;
  std::optional<schema_list> additional; // Of all other properties; nothing: the schema does not say.
  bool allows_additional = true;         // False: `additional` is that there are none.

  uint8_t mentioned = 0; // Kinds that something other than `kinds` and `values` is said about.
};

/// What it costs to copy a shape.
uint64_t weight(const value_shape& shape);
/// Whether the keywords about numbers hold.
bool is_within(const value_shape& shape, const decimal& number);

/// Reads the schemas of a file, and numbers them in the order in which it comes to them: the same text always gives the same. Everything
/// that it does not know is an input_error with its place ("#/properties/a/minItems").
class schema_reader {
public:
  schema_reader(const json_value& root, compile_budget& budget);

  schema_list whole() const { return {0}; }
  /// The ways a value can be for which all these schemas hold; none: there is no such value.
  std::vector<value_shape> shapes_of(const schema_list& schemas);
  /// Where the first of them is in the file.
  std::string place(const schema_list& schemas) const;
  [[noreturn]] void fail(const std::string& place, const std::string& reason) const;

private:
  static constexpr size_t shapes_max = 256; // Of one value.
  static constexpr int depth_max = 100;     // Of references and combinations that lead to each other.

  struct known_schema {
    const json_value* value = nullptr;
    std::string place;
    std::optional<std::vector<value_shape>> shapes = {}; // Once it has been read.
    bool is_being_read = false;
  };
  /// A schema says what it is by itself.
  struct endless : input_error {
    using input_error::input_error;
  };

  const std::vector<value_shape>& read(uint32_t schema);
  std::vector<value_shape> read_keywords(uint32_t schema);
  void read_keyword(const std::string& schema_place, const json_member& keyword, value_shape& shape);
  std::vector<value_shape> read_choice(const json_value& choices, const std::string& where, bool exclusive);
  std::vector<value_shape> cross(const std::vector<value_shape>& left, const std::vector<value_shape>& right, const std::string& where);
  std::optional<value_shape> merged(const value_shape& a, const value_shape& b, const std::string& where);
  void merge_objects(const value_shape& a, const value_shape& b, value_shape& both);
  bool are_disjoint(const value_shape& a, const value_shape& b, int depth);
  bool have_common_value(const value_shape& a, const value_shape& b);
  void keep_common(std::vector<const json_value*>& values, const std::vector<const json_value*>& others);
  std::set<std::string> spelled(const std::vector<const json_value*>& values);
  const schema_list* find_property(const value_shape& shape, const std::string& name);
  uint32_t resolve(const std::string& reference, const std::string& where);
  uint32_t number_of(const json_value& schema, const std::string& place);
  schema_list child(const json_value& schema, const std::string& place);
  uint32_t count(const json_value& value, const std::string& where) const;
  decimal number(const json_value& value, const std::string& where) const;
  void read_types(const json_value& value, const std::string& where, value_shape& shape) const;

  const json_value& root_;
  compile_budget& budget_;
  std::deque<known_schema> schemas_; // By number.
  std::unordered_map<const json_value*, uint32_t> numbers_;
  int depth_ = 0;
};

/// The same for all spellings of a value: 1 is 1.0, and the order of members does not matter.
std::string canonical_text(const json_value& value);
uint8_t kind_of(const json_value& value);
decimal decimal_of(const json_value& number);
/// As it is spelled in generated texts, with spaces after colons and commas.
std::string to_json_text(const json_value& value);

} // namespace troupe
