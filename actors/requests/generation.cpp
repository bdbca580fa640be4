#include "actors/requests/generation.hpp"

namespace troupe {

std::string_view to_string(finish_reason reason) {
  switch (reason) {
  case finish_reason::length: return "length";
  case finish_reason::stop: return "stop";
  case finish_reason::cancelled: return "cancelled";
  case finish_reason::error: return "error";
  case finish_reason::deadline: return "deadline";
  case finish_reason::overloaded: return "overloaded";
  }
  return "error";
}

bool is_failure(finish_reason reason) {
  return reason == finish_reason::error || reason == finish_reason::deadline || reason == finish_reason::overloaded;
}

} // namespace troupe
