#include "apps/service/api/log_record.hpp"

#include "apps/service/api/json_text.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace troupe::service {
namespace {

json value_of(const log_record::value& value) {
  return std::visit([](const auto& one) { return json(one); }, value);
}

bool is_plain(std::string_view text) {
  constexpr std::string_view also = "-_./:,+@%*?&[]()";
  const auto fits = [&](unsigned char c) { return std::isalnum(c) != 0 || also.find(char(c)) != std::string_view::npos; };
  return !text.empty() && std::ranges::all_of(text, fits);
}

const char* name_of(log_level level) {
  switch (level) {
  case log_level::info: return "info";
  case log_level::warning: return "warning";
  case log_level::error: return "error";
  }
  return "?";
}

std::string utc(int64_t time_ms) {
  const std::time_t seconds = time_ms / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char date[32], text[48];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text, sizeof text, "%s.%03dZ", date, int(time_ms % 1000));
  return text;
}

} // namespace

std::string to_line(const log_record& record) {
  std::string line = "level=" + std::string(name_of(record.level)) + " event=" + std::string(record.event);
  for (const auto& [name, value] : record.fields) {
    const auto* text = std::get_if<std::string>(&value);
    line += " " + std::string(name) + "=" + (text && is_plain(*text) ? *text : to_text(value_of(value)));
  }
  return line;
}

std::string to_json_line(const log_record& record, int64_t time_ms) {
  json line{{"time", utc(time_ms)}, {"level", name_of(record.level)}, {"event", record.event}};
  for (const auto& [name, value] : record.fields) line[std::string(name)] = value_of(value);
  return to_text(line);
}

} // namespace troupe::service
