#include "model/chat/jinja/filters.hpp"

namespace troupe::jinja {

filter_function find_filter(std::string_view name) {
  for (const named_filter* table : {text_filters, list_filters, item_filters, number_filters}) {
    for (; !table->name.empty(); ++table) {
      if (table->name == name) return table->function;
    }
  }
  return nullptr;
}

} // namespace troupe::jinja
