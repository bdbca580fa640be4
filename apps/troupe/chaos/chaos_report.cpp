#include "apps/troupe/chaos/chaos_report.hpp"
#include "actors/faults/plan.hpp"
#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <google/protobuf/util/json_util.h>
#include <map>
#include <nlohmann/json.hpp>

namespace troupe {

std::string format(const char* pattern, ...) {
  char line[1024];
  va_list values;
  va_start(values, pattern);
  std::vsnprintf(line, sizeof line, pattern, values);
  va_end(values);
  return line;
}

namespace {

using json = nlohmann::ordered_json;

json parse(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text, options).ok()) return nullptr;
  return json::parse(text, nullptr, false);
}

/// One case of the JUnit suite; `problem` empty: it passed.
std::string junit_case(const char* group, const std::string& name, double seconds, const std::string& problem) {
  auto text = format("  <testcase classname=\"troupe.chaos.%s\" name=\"", group) + xml_text(name) + format("\" time=\"%.4f\"", seconds);
  if (problem.empty()) return text + "/>\n";
  return text + "><failure message=\"" + xml_text(problem) + "\"/></testcase>\n";
}

} // namespace

std::string fault_note(const fault_verdict& one) {
  if (one.injections > 0) return "";
  return one.fitted ? "never injected: its trigger never fired" : "never injected: its selector fitted nothing";
}

std::string load_of(const chaos_result& result) {
  return result.steps > 0 ? std::to_string(result.steps) + (result.steps == 1 ? " step of " : " steps of ") + result.model
                          : std::to_string(result.requests.size()) + " requests on " + result.model;
}

std::string name_of_request(const chaos_result& result, size_t index) {
  return result.steps > 0 ? "training run" : "request " + std::to_string(index + 1);
}

std::string times_of(const chaos_result& result) {
  const auto& v = result.verdict;
  return format("undisturbed %.1f ms, disturbed %.1f ms; %s p50 %.1f, p99 %.1f, max %.1f ms", result.undisturbed.wall_ms,
                result.disturbed.wall_ms, result.steps > 0 ? "from step to step" : "a request's longest pause", v.pause_p50_ms,
                v.pause_p99_ms, v.pause_max_ms);
}

std::string repetitions_of(const chaos_result& result) {
  const auto& log = result.disturbed.log;
  return format("restarts %llu, %s again %llu, rows replayed %llu of %llu", static_cast<unsigned long long>(log.restarts()),
                result.steps > 0 ? "updates done" : "requests sent", static_cast<unsigned long long>(result.disturbed.repeated),
                static_cast<unsigned long long>(log.rows_replayed()), static_cast<unsigned long long>(log.rows()));
}

std::string to_text(const chaos_result& result) {
  const auto& v = result.verdict;
  std::string out = result.plan.name() + ": " + load_of(result) + "\n";
  size_t width = 32;
  for (const auto& one : v.faults) width = std::clamp(one.name.size(), width, size_t(100));
  const auto column = int(width);
  out += format("%-*s %10s %9s   %s\n", column, "fault", "injections", "recovered", "time to recover p50 / p99 / max");
  for (const auto& one : v.faults) {
    out += format("%-*s %10llu %9llu   ", column, one.name.c_str(), static_cast<unsigned long long>(one.injections),
                  static_cast<unsigned long long>(one.recovered));
    if (one.recovered > 0) out += format("%.1f / %.1f / %.1f ms", one.recovery_p50_ms, one.recovery_p99_ms, one.recovery_max_ms);
    else out += one.injections > 0 ? "nothing was left to do" : fault_note(one) + (one.optional ? " (optional)" : "");
    out += "\n";
  }
  out += repetitions_of(result) + "\n" + times_of(result) + "\n";
  size_t identical = 0;
  for (size_t i = 0; i < v.requests.size(); ++i) {
    if (v.requests[i].what == request_verdict::identical) ++identical;
    else out += (result.steps > 0 ? "weights" : name_of_request(result, i)) + ": " + to_string(v.requests[i]) + "\n";
  }
  if (result.steps > 0) out += identical > 0 ? "weights: identical\n" : "";
  else out += "requests: " + std::to_string(identical) + " of " + std::to_string(v.requests.size()) + " identical\n";
  for (const auto& one : v.probes) out += (one.holds ? "holds   " : "BROKEN  ") + one.name + ": " + one.why + "\n";
  return out + (v.passed() ? "passed\n" : "FAILED\n");
}

json to_json(const chaos_result& result) {
  const auto& v = result.verdict;
  json out;
  out["passed"] = v.passed();
  out["plan"] = parse(result.plan);
  out["model"] = result.model;
  out["undisturbed_ms"] = result.undisturbed.wall_ms;
  out["disturbed_ms"] = result.disturbed.wall_ms;
  out["restarts"] = result.disturbed.log.restarts();
  out[result.steps > 0 ? "updates_done_again" : "requests_sent_again"] = result.disturbed.repeated;
  out["rows"] = result.disturbed.log.rows();
  out["rows_replayed"] = result.disturbed.log.rows_replayed();
  out["actors_left_over"] = result.disturbed.left_over;
  out["pause_ms"] = {{"p50", v.pause_p50_ms}, {"p99", v.pause_p99_ms}, {"max", v.pause_max_ms}};
  out["faults"] = json::array();
  for (const auto& one : v.faults) {
    json fault{{"name", one.name}, {"injections", one.injections}, {"recovered", one.recovered}, {"recovery_ms", nullptr}};
    if (one.recovered > 0)
      fault["recovery_ms"] = {{"p50", one.recovery_p50_ms}, {"p99", one.recovery_p99_ms}, {"max", one.recovery_max_ms}};
    if (one.injections == 0) fault["note"] = fault_note(one);
    out["faults"].push_back(std::move(fault));
  }
  out["probes"] = json::array();
  for (const auto& one : v.probes) out["probes"].push_back({{"name", one.name}, {"holds", one.holds}, {"found", one.why}});
  if (result.steps > 0)
    out["training"] = {{"verdict", to_string(v.requests.front())},
                       {"steps", result.steps},
                       {"steps_done", result.disturbed.requests.front().losses.size()}};
  else out["requests"] = json::array();
  for (size_t i = 0; i < v.requests.size() && result.steps == 0; ++i) {
    const auto& record = result.disturbed.requests[i];
    out["requests"].push_back({{"prompt", result.requests[i].prompt},
                               {"verdict", to_string(v.requests[i])},
                               {"tokens", record.tokens.size()},
                               {"pause_ms", v.requests[i].pause_ms}});
  }
  out["injections"] = json::array();
  for (const auto& one : result.disturbed.log.injections()) {
    json injection{{"fault", one.fault()}, {"path", one.path()}, {"from", one.from()}, {"message", one.message()},
                   {"time_ms", one.time_ms()}, {"replaced_ms", nullptr}, {"recovered_ms", nullptr},
                   {"rows_replayed", one.rows_replayed()}, {"replay_ms", one.replay_ms()}};
    if (one.has_replaced_ms()) injection["replaced_ms"] = one.replaced_ms();
    if (one.has_recovered_ms()) injection["recovered_ms"] = one.recovered_ms();
    out["injections"].push_back(std::move(injection));
  }
  return out;
}

std::string xml_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '"') out += "&quot;";
    else if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') out += '?';
    else out += c;
  }
  return out;
}

std::string to_junit(const chaos_result& result) {
  const auto& v = result.verdict;
  std::string cases;
  size_t count = 0, failures = 0;
  const auto add = [&](const char* group, const std::string& name, double seconds, const std::string& problem) {
    cases += junit_case(group, name, seconds, problem);
    ++count;
    failures += !problem.empty();
  };
  // A request that differs is a failure where the plan asks for equal bytes, and only then.
  const auto asks_for = [&](v1::Probe::KindCase kind) {
    const auto& probes = result.plan.steady_state().probes();
    return std::any_of(probes.begin(), probes.end(), [&](const auto& one) { return one.kind_case() == kind; });
  };
  for (size_t i = 0; i < v.requests.size(); ++i) {
    const auto& one = v.requests[i];
    const auto& record = result.disturbed.requests[i];
    const bool bad = one.what == request_verdict::differs  ? asks_for(v1::Probe::kBytesEqual)
                     : one.what == request_verdict::identical ? false
                                                              : asks_for(v1::Probe::kAllRequestsFinish);
    add("request", name_of_request(result, i), record.event_ms.empty() ? 0 : record.event_ms.back() / 1000,
        bad ? to_string(one) : "");
  }
  for (const auto& one : v.probes) add("probe", one.name, 0, one.holds ? "" : one.why);
  for (const auto& one : v.faults) add("fault", one.name + " is injected", 0, one.optional ? "" : fault_note(one));
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"" + xml_text(result.plan.name()) + "\" tests=\"" +
         std::to_string(count) + "\" failures=\"" + std::to_string(failures) +
         format("\" errors=\"0\" time=\"%.4f\">\n", result.disturbed.wall_ms / 1000) + cases + "</testsuite>\n";
}

} // namespace troupe
