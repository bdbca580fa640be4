#pragma once
// The reports of `troupe chaos`: a table for the terminal, JSON, JUnit XML, an HTML page. Pure.
#include "apps/troupe/chaos/chaos_verdict.hpp"
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace troupe {

/// As printf does it, up to 1023 characters.
[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...);

struct chaos_result {
  v1::FaultPlan plan;
  std::string model; // The file's name; of a training run its configuration's.
  std::vector<chaos_request> requests; // Of a training run one, without a prompt.
  run_record undisturbed, disturbed;
  chaos_verdict verdict;
  uint64_t steps = 0; // Of a training run.
};

/// "8 requests on stories260K.gguf", "20 steps of storyteller.json".
std::string load_of(const chaos_result& result);
/// The nth request, from 0: "request 1"; "training run".
std::string name_of_request(const chaos_result& result, size_t index);
/// Times and pauses, and what had to be done again, each as a line without its end.
std::string times_of(const chaos_result& result);
std::string repetitions_of(const chaos_result& result);

/// Why it was never injected; empty: it was.
std::string fault_note(const fault_verdict& one);

/// "never injected: its selector fitted nothing", "requests: 8 of 8 identical" and so on, line by line; the last one is the
/// verdict.
std::string to_text(const chaos_result& result);

/// docs/faults.md describes its fields.
nlohmann::ordered_json to_json(const chaos_result& result);

/// A test suite with a case for each request, each probe and each fault.
std::string to_junit(const chaos_result& result);

/// One self-contained page with a picture of the run: actors, faults, recoveries over time.
std::string to_html(const chaos_result& result);

/// For text between tags and in quoted attributes; what XML 1.0 cannot hold becomes '?'.
std::string xml_text(std::string_view text);

} // namespace troupe
