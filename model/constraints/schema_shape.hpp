#pragma once
// What a JSON schema says about one value, with references resolved and combinations of schemas merged.
#include "model/constraints/number_range.hpp"
#include "model/formats/json.hpp"
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace troupe {

/// Schemas that all hold for a value: places in the file, sorted, each once. None: any value.
using schema_list = std::vector<const json_value*>;

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
  uint32_t multiple_of = 1;

  std::vector<schema_list> first_items; // Of an array: what its first elements are,
  schema_list items;                    // and all others.
  uint32_t items_least = 0, items_most = ~uint32_t(0);

  std::vector<std::pair<std::string, schema_list>> properties; // In order.
  std::set<std::string> required;
  std::optional<schema_list> additional; // Of all other properties; nothing: the schema does not say.
  bool allows_additional = true;         // False: `additional` is that there are none.

  uint8_t mentioned = 0; // Kinds that something other than `kinds` and `values` is said about.
};

/// Reads the schemas of a file. Everything that it does not know is an input_error with its place ("#/properties/a/minItems").
class schema_reader {
public:
  explicit schema_reader(const json_value& root);

  schema_list whole() const { return {&root_}; }
  /// The ways a value can be for which all these schemas hold; none: there is no such value.
  std::vector<value_shape> shapes_of(const schema_list& schemas);
  /// Where the first of them is in the file.
  std::string place(const schema_list& schemas) const;
  [[noreturn]] void fail(const std::string& place, const std::string& reason) const;

private:
  static constexpr size_t shapes_max = 256; // Of one value.
  static constexpr int depth_max = 100;     // Of references and combinations that lead to each other.
  static constexpr uint64_t work_max = 1 << 18;

  std::vector<value_shape> read(const json_value& schema, int depth);
  void read_keyword(const json_value& schema, const json_member& keyword, value_shape& shape);
  std::vector<value_shape> read_choice(const json_value& choices, const std::string& where, int depth, bool exclusive);
  std::vector<value_shape> cross(const std::vector<value_shape>& left, const std::vector<value_shape>& right, const std::string& where);
  std::optional<value_shape> merged(const value_shape& a, const value_shape& b, const std::string& where);
  void merge_objects(const value_shape& a, const value_shape& b, value_shape& both);
  bool are_disjoint(const value_shape& a, const value_shape& b, int depth);
  const json_value& resolve(const std::string& reference, const std::string& where);
  schema_list child(const json_value& schema, const std::string& place);
  uint32_t count(const json_value& value, const std::string& where) const;
  decimal number(const json_value& value, const std::string& where) const;
  void read_types(const json_value& value, const std::string& where, value_shape& shape) const;

  const json_value& root_;
  std::unordered_map<const json_value*, std::string> places_; // Of schemas.
  std::map<const json_value*, std::vector<value_shape>> known_;
  uint64_t work_ = 0;
};

/// Whether two values are the same to JSON: 1 is 1.0, and the order of members does not matter.
bool are_equal(const json_value& a, const json_value& b);
uint8_t kind_of(const json_value& value);
decimal decimal_of(const json_value& number);
/// A value as text, with spaces after colons and commas.
std::string to_json_text(const json_value& value);

} // namespace troupe
