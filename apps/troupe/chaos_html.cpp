#include "apps/troupe/chaos_report.hpp"
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace troupe {
namespace {

constexpr double left = 250, width = 860, lane_height = 20; // Of the picture, in pixels.
constexpr size_t lanes_max = 60;

constexpr const char* style = R"(
:root { --ink: #1c2330; --soft: #5b6473; --line: #d9dee6; --paper: #ffffff; --life: #b9cbe4; --request: #cfe6d4;
        --token: #2e7d4f; --strike: #c62828; --recovery: #f2a65a; --good: #2e7d4f; --bad: #c62828; }
@media (prefers-color-scheme: dark) {
:root { --ink: #e4e8ee; --soft: #9aa5b5; --line: #343c48; --paper: #14181f; --life: #35506f; --request: #23442f;
        --token: #79c795; --strike: #ff6b6b; --recovery: #d98a3d; --good: #79c795; --bad: #ff6b6b; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto; max-width: 1150px;
       padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { margin: .3rem 0; color: var(--soft); }
.verdict { font-weight: 600; } .good { color: var(--good); } .bad { color: var(--bad); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 500; } td.n, th.n { text-align: right; }
.picture { overflow-x: auto; } svg { display: block; } svg text { font: 11px system-ui, sans-serif; fill: var(--ink); }
svg .axis { fill: var(--soft); } .grid { stroke: var(--line); }
.life { fill: var(--life); } .request { fill: var(--request); } .token { stroke: var(--token); }
.strike { fill: var(--strike); } .recovery { fill: var(--recovery); opacity: .75; }
.key span { display: inline-block; margin-right: 1.2rem; } .key i { display: inline-block; width: .9rem; height: .7rem; margin-right: .35rem; }
)";

/// One line of the picture.
struct lane {
  std::string name;
  std::vector<const v1::ActorLife*> lives;
  std::vector<const v1::FaultStrike*> strikes;
  const request_record* request = nullptr;
};

/// All requests, and every actor that was struck or started again, those that were struck first.
std::vector<lane> lanes_of(const chaos_result& result) {
  std::vector<lane> lanes;
  for (size_t i = 0; i < result.requests.size() && i < 16; ++i)
    lanes.push_back({"request " + std::to_string(i + 1), {}, {}, &result.disturbed.requests[i]});
  const auto& log = result.disturbed.log;
  std::map<std::string, lane> actors;
  std::vector<std::string> order;
  const auto of = [&](const std::string& path) -> lane& {
    const auto [it, is_new] = actors.try_emplace(path);
    if (is_new) order.push_back(path);
    it->second.name = path;
    return it->second;
  };
  for (const auto& strike : log.strikes()) of(strike.path()).strikes.push_back(&strike);
  for (const auto& life : log.lives())
    if (life.life() > 0) of(life.path());
  for (const auto& life : log.lives())
    if (actors.contains(life.path())) actors.at(life.path()).lives.push_back(&life);
  for (const auto& path : order)
    if (lanes.size() < lanes_max) lanes.push_back(actors.at(path));
  return lanes;
}

/// Times to pixels.
struct scale {
  double end_ms;
  double x(double ms) const { return left + width * std::clamp(ms, 0.0, end_ms) / end_ms; }
};

double tick_ms(double end_ms) {
  const double rough = std::max(end_ms / 8, 1e-3), power = std::pow(10, std::floor(std::log10(rough)));
  for (const double step : {1.0, 2.0, 5.0})
    if (step * power >= rough) return step * power;
  return 10 * power;
}

std::string bar(const char* kind, double x0, double x1, double y, double height, const std::string& title) {
  return format("<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"2\"><title>", kind, x0, y,
                std::max(x1 - x0, 1.0), height) +
         xml_text(title) + "</title></rect>\n";
}

std::string draw(const lane& one, const scale& at, double y) {
  std::string out;
  auto name = one.name;
  if (name.size() > 38) name = "…" + name.substr(name.size() - 37);
  out += format("<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">", left - 8, y + 13) + xml_text(name) + "</text>\n";
  for (const auto* life : one.lives) {
    const double end = life->has_ended_ms() ? life->ended_ms() : at.end_ms;
    auto title = one.name + ", life " + std::to_string(life->life()) + format(": from %.1f ms", life->started_ms());
    if (life->has_ended_ms()) title += format(" to %.1f ms, ", life->ended_ms()) + life->reason();
    out += bar("life", at.x(life->started_ms()), std::max(at.x(end) - 1, at.x(life->started_ms()) + 1), y + 5, 9, title);
  }
  if (one.request && !one.request->event_ms.empty()) {
    const auto& times = one.request->event_ms;
    out += bar("request", at.x(0), at.x(times.back()), y + 5, 9,
               one.name + format(": %zu tokens, the last event after %.1f ms", one.request->tokens.size(), times.back()));
    out += "<path class=\"token\" d=\"";
    double last = -1;
    for (const double ms : times)
      if (const double x = at.x(ms); x - last > 0.7) {
        out += format("M%.1f %.1fv9", x, y + 5);
        last = x;
      }
    out += "\"/>\n";
  }
  for (const auto* strike : one.strikes) {
    if (strike->has_recovered_ms())
      out += bar("recovery", at.x(strike->time_ms()), at.x(strike->recovered_ms()), y + 12, 4,
                 strike->fault() + format(": recovered after %.1f ms", strike->recovered_ms() - strike->time_ms()));
    const double x = at.x(strike->time_ms());
    out += format("<path class=\"strike\" d=\"M%.1f %.1fl4 -7h-8z\"><title>", x, y + 9) +
           xml_text(strike->fault() + format(" at %.1f ms ", strike->time_ms()) + strike->message()) + "</title></path>\n";
  }
  return out;
}

std::string picture(const chaos_result& result) {
  const auto lanes = lanes_of(result);
  const scale at{std::max(result.disturbed.wall_ms, 1.0)};
  const double height = 30 + lane_height * double(lanes.size());
  auto out = format("<div class=\"picture\"><svg width=\"%.0f\" height=\"%.0f\" role=\"img\" aria-label=\"Timeline of the disturbed run\">\n",
                    left + width + 20, height);
  for (double ms = 0; ms <= at.end_ms; ms += tick_ms(at.end_ms))
    out += format("<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"20\" y2=\"%.0f\"/><text class=\"axis\" x=\"%.1f\" y=\"12\" "
                  "text-anchor=\"middle\">%g ms</text>\n", at.x(ms), at.x(ms), height, at.x(ms), ms);
  for (size_t i = 0; i < lanes.size(); ++i) out += draw(lanes[i], at, 22 + lane_height * double(i));
  return out + "</svg></div>\n";
}

std::string cell(const std::string& text, bool is_number = false) {
  return (is_number ? "<td class=\"n\">" : "<td>") + xml_text(text) + "</td>";
}

std::string verdict_cell(bool good, const std::string& text) {
  return std::string("<td class=\"") + (good ? "good" : "bad") + "\">" + xml_text(text) + "</td>";
}

std::string tables(const chaos_result& result) {
  const auto& v = result.verdict;
  std::string out = "<h2>Faults</h2><table><tr><th>fault</th><th>verdict</th><th class=\"n\">strikes</th><th class=\"n\">recovered</th>"
                    "<th class=\"n\">p50</th><th class=\"n\">p99</th><th class=\"n\">max</th></tr>\n";
  for (const auto& one : v.faults) {
    const auto ms = [&](double value) { return cell(one.recovered > 0 ? format("%.1f ms", value) : "", true); };
    out += "<tr>" + cell(one.name) + verdict_cell(one.strikes > 0 || one.optional, one.strikes > 0 ? "struck" : "never struck") +
           cell(std::to_string(one.strikes), true) + cell(std::to_string(one.recovered), true) + ms(one.recovery_p50_ms) +
           ms(one.recovery_p99_ms) + ms(one.recovery_max_ms) + "</tr>\n";
  }
  out += "</table><h2>What must hold</h2><table><tr><th>probe</th><th>verdict</th><th>found</th></tr>\n";
  for (const auto& one : v.probes)
    out += "<tr>" + cell(one.name) + verdict_cell(one.holds, one.holds ? "holds" : "broken") + cell(one.why) + "</tr>\n";
  out += "</table><h2>Requests</h2><table><tr><th>#</th><th>prompt</th><th>verdict</th><th class=\"n\">tokens</th>"
         "<th class=\"n\">longest pause</th></tr>\n";
  for (size_t i = 0; i < v.requests.size(); ++i)
    out += "<tr>" + cell(std::to_string(i + 1)) + cell(result.requests[i].prompt) +
           verdict_cell(v.requests[i].what == request_verdict::identical, to_string(v.requests[i])) +
           cell(std::to_string(result.disturbed.requests[i].tokens.size()), true) +
           cell(format("%.1f ms", v.requests[i].pause_ms), true) + "</tr>\n";
  return out + "</table>\n";
}

} // namespace

std::string to_html(const chaos_result& result) {
  const auto& v = result.verdict;
  const auto& log = result.disturbed.log;
  const auto name = xml_text(result.plan.name());
  std::string out = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
                    "content=\"width=device-width\"><title>troupe chaos: " + name + "</title><style>" + style + "</style></head><body>\n";
  out += "<h1>" + name + ": <span class=\"verdict " + (v.passed() ? "good\">passed" : "bad\">FAILED") + "</span></h1>\n";
  if (!result.plan.description().empty()) out += "<p>" + xml_text(result.plan.description()) + "</p>\n";
  out += "<p>" + xml_text(result.model) +
         format(", %zu requests. Undisturbed %.1f ms, disturbed %.1f ms. Longest pause of a request: p50 %.1f, p99 %.1f, max %.1f ms. "
                "%llu restarts, %llu of %llu rows replayed.</p>\n",
                result.requests.size(), result.calm.wall_ms, result.disturbed.wall_ms, v.pause_p50_ms, v.pause_p99_ms,
                v.pause_max_ms, static_cast<unsigned long long>(log.restarts()),
                static_cast<unsigned long long>(log.rows_replayed()), static_cast<unsigned long long>(log.rows()));
  out += "<h2>The disturbed run</h2><p class=\"key\"><span><i style=\"background:var(--request)\"></i>a request, its tokens</span>"
         "<span><i style=\"background:var(--life)\"></i>an actor's lives</span><span><i style=\"background:var(--strike)\"></i>a fault "
         "strikes</span><span><i style=\"background:var(--recovery)\"></i>until the troupe had recovered</span></p>\n";
  return out + picture(result) + tables(result) + "</body></html>\n";
}

} // namespace troupe
