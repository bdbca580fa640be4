// The bookkeeping and the output of `troupe generate`.
#include "apps/troupe/generate/generate.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include <cstdio>
#include <nlohmann/json.hpp>

namespace troupe {
namespace {

using json = nlohmann::ordered_json;

double milliseconds(time_point from, time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

/// Tokens after the first, by the time from the first to the last. Null for less than 10 ms: the tokens of a tiny model
/// come faster than this thread is woken, so that several are seen at once.
json decode_rate(const generation& one) {
  const double ms = milliseconds(one.first_token, one.last_token);
  if (one.tokens.size() < 2 || ms < 10) return nullptr;
  return 1000.0 * static_cast<double>(one.tokens.size() - 1) / ms;
}

/// Generated tokens by the time from submit to end, prefill and queueing included.
double rate(const generation& one) {
  const double ms = milliseconds(one.started, one.ended);
  return ms > 0 ? 1000.0 * static_cast<double>(one.tokens.size()) / ms : 0;
}

json timings(const generation& one) {
  json result;
  const bool any = !one.tokens.empty();
  const double first = milliseconds(one.started, one.first_token);
  result["first_token_ms"] = any ? json(first) : json(nullptr);
  result["prefill_tokens_per_s"]
    = any && first > 0 ? json(1000.0 * static_cast<double>(one.prompt_ids.size()) / first) : json(nullptr);
  result["decode_tokens_per_s"] = decode_rate(one);
  result["tokens_per_s"] = rate(one);
  result["total_ms"] = milliseconds(one.started, one.ended);
  return result;
}

/// The beginning of a prompt for a header line: one line, cut between characters.
std::string shortened(const std::string& prompt) {
  constexpr size_t longest = 50;
  std::string line;
  for (const char c : prompt) {
    const bool continues = (static_cast<unsigned char>(c) & 0xc0) == 0x80;
    if (line.size() >= longest && !continues) return line + "...";
    line += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return line;
}

} // namespace

void apply(generation& one, const generation_event& event) {
  const auto now = std::chrono::steady_clock::now();
  if (event.kind == event_kind::token) {
    if (one.tokens.empty()) one.first_token = now;
    one.last_token = now;
    one.tokens.push_back(event.token);
    one.text += event.text;
  } else if (event.kind == event_kind::finished) {
    one.text += event.text;
    one.finished = true;
    one.ended = now;
    one.reason = event.reason;
    one.error = event.error;
  }
}

json to_json(const generation& one) {
  json result;
  result["prompt"] = one.prompt;
  result["text"] = one.text;
  result["tokens"] = one.tokens;
  result["finish_reason"] = to_string(one.reason);
  result["prompt_tokens"] = one.prompt_ids.size();
  result["timings"] = timings(one);
  if (is_failure(one.reason)) result["error"] = one.error;
  return result;
}

std::string summary(const generation& one) {
  std::string text = std::to_string(one.prompt_ids.size()) + " prompt tokens, " + std::to_string(one.tokens.size())
                     + " generated (" + std::string(to_string(one.reason)) + ")";
  if (one.tokens.empty()) return text;
  char buffer[120];
  std::snprintf(buffer, sizeof buffer, " in %.1f ms, %.1f tokens/s; the first after %.1f ms",
                milliseconds(one.started, one.ended), rate(one), milliseconds(one.started, one.first_token));
  return text + buffer;
}

generation_printer::generation_printer(generation_format format, bool echo, std::optional<uint64_t> count, done_callback done)
  : format_(format), echo_(echo), count_(count), done_(std::move(done)) {}

generation& generation_printer::add() { return kept_.emplace_back(); }

void generation_printer::update() {
  while (!kept_.empty()) {
    const generation& one = kept_.front();
    if (format_ == generation_format::text) print_text(one);
    if (!one.finished) return;
    if (format_ == generation_format::json) print_json(one);
    done_(front_, one);
    kept_.pop_front();
    ++front_;
    front_open_ = false;
    printed_ = 0;
  }
}

void generation_printer::print_json(const generation& one) {
  print(to_json(one).dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
}

/// What has come of it since the last time.
void generation_printer::print_text(const generation& one) {
  const bool is_alone = count_ == 1;
  std::string out;
  if (!front_open_) {
    const std::string place = std::to_string(front_) + (count_ ? "/" + std::to_string(*count_) : "");
    if (!is_alone) out += (front_ > 1 ? "\n==> " : "==> ") + place + ": " + shortened(one.prompt) + " <==\n";
    if (echo_) out += one.prompt;
    front_open_ = true;
  }
  out += one.text.substr(printed_);
  printed_ = one.text.size();
  const bool anything = !one.text.empty() || echo_ || !is_alone;
  if (one.finished && anything && !one.text.ends_with('\n')) out += '\n';
  print(out);
}

} // namespace troupe
