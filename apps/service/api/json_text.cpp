#include "apps/service/api/json_text.hpp"

namespace troupe::service {

std::string to_text(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

json to_json(const json_value& value) {
  struct visitor {
    json operator()(const json_value::array& array) const {
      json result = json::array();
      for (const auto& one : array) result.push_back(to_json(one));
      return result;
    }
    json operator()(const json_value::object& object) const {
      json result = json::object();
      auto& members = result.get_ref<json::object_t&>();
      // No name comes twice: json_file has seen to that. To look each one up would take a time that grows with the square.
      for (const auto& member : object) members.emplace_back(member.name, to_json(member.value));
      return result;
    }
    json operator()(std::nullptr_t) const { return nullptr; }
    json operator()(bool flag) const { return flag; }
    json operator()(uint64_t number) const { return number; }
    json operator()(int64_t number) const { return number; }
    json operator()(double number) const { return number; }
    json operator()(const std::string& text) const { return text; }
  };
  return std::visit(visitor{}, value.content);
}

json_value to_value(const json& value) {
  switch (value.type()) {
  case json::value_t::object: {
    json_value::object object;
    for (const auto& [name, member] : value.items()) object.push_back({name, to_value(member)});
    return {std::move(object)};
  }
  case json::value_t::array: {
    json_value::array array;
    for (const auto& one : value) array.push_back(to_value(one));
    return {std::move(array)};
  }
  case json::value_t::string: return {value.get<std::string>()};
  case json::value_t::boolean: return {value.get<bool>()};
  case json::value_t::number_unsigned: return {value.get<uint64_t>()};
  case json::value_t::number_integer: return {value.get<int64_t>()};
  case json::value_t::number_float: return {value.get<double>()};
  default: return {nullptr};
  }
}

} // namespace troupe::service
