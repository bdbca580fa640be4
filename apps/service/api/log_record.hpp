#pragma once
// What the service writes in its log: events with named values, for people and for programs.
#include "actors/interfaces/log.hpp"
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace troupe::service {

struct log_record {
  using value = std::variant<std::string, int64_t, double, bool>;

  std::string_view event; // What happened: "request", "generation", "engine", "journal", "stopping", "exception".
  log_level level = log_level::info; // What is more is for whoever runs the service, whether or not there is a log.
  std::vector<std::pair<std::string_view, value>> fields = {};

  log_record& add(std::string_view name, value of) {
    fields.emplace_back(name, std::move(of));
    return *this;
  }
};

/// One line without its end, as logfmt has it: level=info event=request status=200 path="/a b". What is no plain word stands in quotes, as
/// in JSON.
std::string to_line(const log_record& record);
/// The same as an object: {"time": "2026-11-30T15:07:12.345Z", "level": "info", "event": "request", "status": 200, ...}. time_ms: Unix time.
std::string to_json_line(const log_record& record, int64_t time_ms);

} // namespace troupe::service
