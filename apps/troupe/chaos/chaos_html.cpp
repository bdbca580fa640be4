#include "actors/faults/plan.hpp"
#include "apps/troupe/chaos/chaos_report.hpp"
#include "apps/troupe/inspect/actor_tree.hpp"
#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <set>

namespace troupe {
namespace {

constexpr double names_width = 250, lane_height = 20; // Of the picture, in pixels.
constexpr int units = 10'000;                         // Of its width, for paths; all else is placed in per cent of it.
constexpr size_t requests_max = 16, actors_max = 60, injections_max = 500, prompt_max = 160;

constexpr const char* style = R"(
:root { --ink: #1c2330; --soft: #5b6473; --line: #d9dee6; --paper: #ffffff; --incarnation: #b9cbe4; --restart: #23466f;
        --request: #cfe6d4; --token: #2e7d4f; --injection: #c62828; --recovery: #f2a65a; --good: #2e7d4f; --bad: #c62828; }
@media (prefers-color-scheme: dark) {
:root { --ink: #e4e8ee; --soft: #9aa5b5; --line: #343c48; --paper: #14181f; --incarnation: #35506f; --restart: #b7d3f5;
        --request: #23442f; --token: #79c795; --injection: #ff6b6b; --recovery: #d98a3d; --good: #79c795; --bad: #ff6b6b; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto; max-width: 1150px;
       padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { margin: .3rem 0; color: var(--soft); }
.verdict { font-weight: 600; } .good { color: var(--good); } .bad { color: var(--bad); } .soft { color: var(--soft); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td { overflow-wrap: anywhere; } th { color: var(--soft); font-weight: 500; } td.n, th.n { text-align: right; white-space: nowrap; }
summary { font-size: 1.1rem; font-weight: 600; margin: 2rem 0 .5rem; cursor: pointer; }
.picture { display: flex; } .picture svg { display: block; flex: none; } .scroll { overflow-x: auto; flex: auto; }
.time { width: 100%; } #zoom4:checked ~ .picture .time { width: 400%; } #zoom16:checked ~ .picture .time { width: 1600%; }
svg text { font: 11px system-ui, sans-serif; fill: var(--ink); } svg .axis { fill: var(--soft); } .grid { stroke: var(--line); }
svg svg { overflow: visible; } .incarnation { fill: var(--incarnation); } .restart { stroke: var(--restart); stroke-width: 2; }
.request { fill: var(--request); } .token { stroke: var(--token); vector-effect: non-scaling-stroke; }
.on-actor { fill: var(--injection); } .on-message { fill: var(--paper); stroke: var(--injection); stroke-width: 1.5; }
.recovery { fill: var(--recovery); stroke: var(--recovery); }
.key span { display: inline-block; margin-right: 1.2rem; } .key svg { display: inline-block; margin-right: .35rem; }
)";

/// One line of the picture.
struct lane {
  std::string name;
  std::vector<const v1::ActorIncarnation*> incarnations;
  std::vector<const v1::FaultInjection*> injections;
  const request_record* request = nullptr;
  int rank = 2; // 0: a target itself, 1: started again, 2: only messages to it were targets. Lower ranks are drawn first.
};

/// Names of the faults on actors; all others are on messages.
std::set<std::string> faults_on_actors(const chaos_result& result) {
  std::set<std::string> names;
  for (const auto& fault : result.plan.faults())
    if (targets_actors(fault.effect())) names.insert(fault.name());
  return names;
}

/// Every actor that was a target or was started again, in the order of the tree.
std::vector<lane> actor_lanes(const chaos_result& result) {
  const auto& log = result.disturbed.log;
  const auto on_actors = faults_on_actors(result);
  std::map<std::string, lane> actors;
  const auto note = [&](const std::string& path, int rank) -> lane& {
    auto& one = actors[path];
    one.name = path;
    one.rank = std::min(one.rank, rank);
    return one;
  };
  for (const auto& injection : log.injections())
    note(injection.path(), on_actors.contains(injection.fault()) ? 0 : 2).injections.push_back(&injection);
  for (const auto& incarnation : log.incarnations())
    if (incarnation.incarnation() > 0) note(incarnation.path(), 1);
  for (const auto& incarnation : log.incarnations())
    if (const auto it = actors.find(incarnation.path()); it != actors.end()) it->second.incarnations.push_back(&incarnation);
  std::vector<lane> lanes;
  for (auto& [path, one] : actors) lanes.push_back(std::move(one));
  return lanes;
}

/// Times to places in the picture, in per cent.
struct scale {
  double end_ms;
  double x(double ms) const { return 100 * std::clamp(ms, 0.0, end_ms) / end_ms; }
};

double tick_ms(double end_ms) {
  const double rough = std::max(end_ms / 8, 1e-3), power = std::pow(10, std::floor(std::log10(rough)));
  for (const double step : {1.0, 2.0, 5.0})
    if (step * power >= rough) return step * power;
  return 10 * power;
}

std::string bar(const char* kind, double x0, double x1, double y, double height, const std::string& title) {
  return format("<rect class=\"%s\" x=\"%.3f%%\" y=\"%.0f\" width=\"%.3f%%\" height=\"%.0f\"><title>", kind, x0, y, x1 - x0, height) +
         xml_text(title) + "</title></rect>\n";
}

std::string draw_incarnation(const std::string& path, const v1::ActorIncarnation& incarnation, const scale& at, double y) {
  const double x = at.x(incarnation.started_ms()), end = incarnation.has_ended_ms() ? incarnation.ended_ms() : at.end_ms;
  auto title =
    path + ", incarnation " + std::to_string(incarnation.incarnation() + 1) + format(": from %.1f ms", incarnation.started_ms());
  if (incarnation.has_ended_ms()) title += format(" to %.1f ms, ", incarnation.ended_ms()) + incarnation.reason();
  auto out = bar("incarnation", x, at.x(end), y + 5, 9, title);
  if (incarnation.incarnation() > 0)
    out += format("<line class=\"restart\" x1=\"%.3f%%\" x2=\"%.3f%%\" y1=\"%.0f\" y2=\"%.0f\"/>\n", x, x, y + 4, y + 15);
  return out;
}

std::string draw_request(const lane& one, const scale& at, double y) {
  const auto& times = one.request->event_ms;
  if (times.empty()) return "";
  auto out = bar("request", 0, at.x(times.back()), y + 5, 9,
                 one.name + format(": %zu events, the last one after %.1f ms", times.size(), times.back()));
  out += format("<svg y=\"%.0f\" width=\"100%%\" height=\"9\" viewBox=\"0 0 %d 9\" preserveAspectRatio=\"none\"><path class=\"token\" d=\"",
                y + 5, units);
  int last = -1;
  for (const double ms : times)
    if (const int x = int(at.x(ms) * units / 100); x > last) {
      out += format("M%d 0v9", x);
      last = x;
    }
  return out + "\"/></svg>\n";
}

std::string draw_injection(const v1::FaultInjection& injection, bool on_actor, const scale& at, double y) {
  auto title = injection.fault() + format(" at %.1f ms ", injection.time_ms()) + injection.message();
  if (injection.has_recovered_ms()) title += format(", recovered after %.1f ms", injection.recovered_ms() - injection.time_ms());
  return format("<svg x=\"%.3f%%\" y=\"%.0f\" width=\"1\" height=\"1\">", at.x(injection.time_ms()), y) +
         (on_actor ? "<path class=\"on-actor\" d=\"M0 9l4-8h-8z\">" : "<circle class=\"on-message\" cy=\"5\" r=\"2.5\">") +
         "<title>" + xml_text(title) + "</title>" + (on_actor ? "</path>" : "</circle>") + "</svg>\n";
}

std::string draw(const lane& one, const std::set<std::string>& on_actors, const scale& at, double y) {
  std::string out;
  for (const auto* incarnation : one.incarnations) out += draw_incarnation(one.name, *incarnation, at, y);
  if (one.request) out += draw_request(one, at, y);
  for (const auto* injection : one.injections)
    if (injection->has_recovered_ms())
      out += bar("recovery", at.x(injection->time_ms()), at.x(injection->recovered_ms()), y + 12, 3,
                 injection->fault() + format(": recovered after %.1f ms", injection->recovered_ms() - injection->time_ms()));
  for (const bool on_actor : {false, true}) // Injections into actors are drawn on top.
    for (const auto* injection : one.injections)
      if (on_actors.contains(injection->fault()) == on_actor) out += draw_injection(*injection, on_actor, at, y);
  return out;
}

/// "3 more actors".
std::string more(size_t all, size_t drawn, const char* what) {
  return all <= drawn ? "" : " " + std::to_string(all - drawn) + " more " + what + (all - drawn == 1 ? "" : "s") + " not drawn.";
}

std::string picture(const chaos_result& result) {
  std::vector<lane> lanes;
  for (size_t i = 0; i < std::min(result.requests.size(), requests_max); ++i)
    lanes.push_back({name_of_request(result, i), {}, {}, &result.disturbed.requests[i]});
  auto actors = actor_lanes(result);
  const auto left_out = more(result.requests.size(), requests_max, "request") + more(actors.size(), actors_max, "actor");
  std::stable_sort(actors.begin(), actors.end(), [](const lane& a, const lane& b) { return a.rank < b.rank; });
  if (actors.size() > actors_max) actors.resize(actors_max);
  std::sort(actors.begin(), actors.end(), [](const lane& a, const lane& b) { return comes_before(a.name, b.name); });
  std::move(actors.begin(), actors.end(), std::back_inserter(lanes));

  const auto on_actors = faults_on_actors(result);
  const scale at{std::max(result.disturbed.wall_ms, 1.0)};
  const double height = 30 + lane_height * double(lanes.size());
  auto names = format("<svg width=\"%.0f\" height=\"%.0f\">\n", names_width, height);
  auto time = format("<svg class=\"time\" height=\"%.0f\" role=\"img\" aria-label=\"Timeline of the disturbed run\">\n", height);
  for (double ms = 0; ms <= at.end_ms; ms += tick_ms(at.end_ms)) {
    const double x = at.x(ms);
    time += format("<line class=\"grid\" x1=\"%.3f%%\" x2=\"%.3f%%\" y1=\"4\" y2=\"%.0f\"/>", x, x, height);
    if (x < 94) time += format("<text class=\"axis\" x=\"%.3f%%\" dx=\"4\" y=\"12\">%g ms</text>\n", x, ms);
  }
  for (size_t i = 0; i < lanes.size(); ++i) {
    const double y = 22 + lane_height * double(i);
    auto name = lanes[i].name;
    if (name.size() > 38) name = "…" + name.substr(name.size() - 37);
    names += format("<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"end\">", names_width - 10, y + 13) + xml_text(name) + "</text>\n";
    time += draw(lanes[i], on_actors, at, y);
  }
  return "<div class=\"picture\">" + names + "</svg><div class=\"scroll\">" + time + "</svg></div></div>\n" +
         (left_out.empty() ? "" : "<p>" + left_out + "</p>\n");
}

constexpr const char* key = R"(<p class="key">
<span><svg width="24" height="12"><rect class="request" y="2" width="24" height="9"/><path class="token" d="M5 2v9M12 2v9M17 2v9"/></svg>a request, its tokens; training, its steps</span>
<span><svg width="24" height="12"><rect class="incarnation" y="2" width="24" height="9"/><path class="restart" d="M12 1v11"/></svg>an actor; started again</span>
<span><svg width="12" height="12"><path class="on-actor" d="M6 10l4-8h-8z"/></svg>a fault is injected into it</span>
<span><svg width="12" height="12"><circle class="on-message" cx="6" cy="6" r="2.5"/></svg>into a message to it</span>
<span><svg width="24" height="12"><rect class="recovery" y="5" width="24" height="3"/></svg>until the troupe had recovered</span></p>
<input type="radio" name="zoom" id="zoom1" checked><label for="zoom1">whole</label>
<input type="radio" name="zoom" id="zoom4"><label for="zoom4">4 times as wide</label>
<input type="radio" name="zoom" id="zoom16"><label for="zoom16">16 times</label>
)";

std::string cell(const std::string& text, bool is_number = false) {
  return (is_number ? "<td class=\"n\">" : "<td>") + xml_text(text) + "</td>";
}

std::string verdict_cell(bool good, const std::string& text) {
  return std::string("<td class=\"") + (good ? "good" : "bad") + "\">" + xml_text(text) + "</td>";
}

/// Not in the middle of a character of UTF-8.
std::string shortened(const std::string& text) {
  if (text.size() <= prompt_max) return text;
  size_t end = prompt_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "…";
}

std::string injection_table(const chaos_result& result) {
  const auto& injections = result.disturbed.log.injections();
  std::string out = "<details><summary>All " + std::to_string(injections.size()) +
                    " injections</summary><table><tr><th class=\"n\">at</th><th>fault</th><th>target</th><th>message</th>"
                    "<th class=\"n\">replaced after</th><th class=\"n\">rows run again</th><th class=\"n\">in</th>"
                    "<th class=\"n\">recovered after</th></tr>\n";
  for (int i = 0; i < std::min(injections.size(), int(injections_max)); ++i) {
    const auto& one = injections[i];
    const auto after = [&](bool is_known, double ms) { return cell(is_known ? format("%.1f ms", ms - one.time_ms()) : "", true); };
    out += "<tr>" + cell(format("%.1f ms", one.time_ms()), true) + cell(one.fault()) + cell(one.path()) + cell(one.message()) +
           after(one.has_replaced_ms(), one.replaced_ms()) + cell(std::to_string(one.rows_replayed()), true) +
           cell(one.rows_replayed() > 0 ? format("%.1f ms", one.replay_ms()) : "", true) +
           after(one.has_recovered_ms(), one.recovered_ms()) + "</tr>\n";
  }
  if (injections.size() > int(injections_max)) out += "<tr><td colspan=\"8\">And more: --json lists all.</td></tr>\n";
  return out + "</table></details>\n";
}

std::string tables(const chaos_result& result) {
  const auto& v = result.verdict;
  std::string out = "<h2>Faults</h2><table><tr><th>fault</th><th>verdict</th><th class=\"n\">injections</th>"
                    "<th class=\"n\">recovered</th><th class=\"n\">time to recover, p50</th><th class=\"n\">p99</th>"
                    "<th class=\"n\">max</th></tr>\n";
  for (const auto& one : v.faults) {
    const auto ms = [&](double value) { return cell(one.recovered > 0 ? format("%.1f ms", value) : "", true); };
    out += "<tr>" + cell(one.name) +
           (one.injections == 0 && one.optional
              ? "<td class=\"soft\">never injected (optional)</td>"
              : verdict_cell(one.injections > 0, one.injections > 0 ? "injected" : fault_note(one))) +
           cell(std::to_string(one.injections), true) + cell(std::to_string(one.recovered), true) + ms(one.recovery_p50_ms) +
           ms(one.recovery_p99_ms) + ms(one.recovery_max_ms) + "</tr>\n";
  }
  out += "</table><h2>What must hold</h2><table><tr><th>probe</th><th>verdict</th><th>found</th></tr>\n";
  for (const auto& one : v.probes)
    out += "<tr>" + cell(one.name) + verdict_cell(one.holds, one.holds ? "holds" : "broken") + cell(one.why) + "</tr>\n";
  out += result.steps > 0 ? "</table><h2>Training</h2><table><tr><th></th><th></th><th>weights</th><th class=\"n\">steps</th>"
                          : "</table><h2>Requests</h2><table><tr><th>#</th><th>prompt</th><th>verdict</th><th class=\"n\">tokens</th>";
  out += "<th class=\"n\">longest pause</th></tr>\n";
  for (size_t i = 0; i < v.requests.size(); ++i)
    out += "<tr>" + cell(name_of_request(result, i)) + cell(shortened(result.requests[i].prompt)) +
           verdict_cell(v.requests[i].what == request_verdict::identical, to_string(v.requests[i])) +
           cell(std::to_string(result.disturbed.requests[i].tokens.size() + result.disturbed.requests[i].losses.size()), true) +
           cell(format("%.1f ms", v.requests[i].pause_ms), true) + "</tr>\n";
  return out + "</table>\n" + injection_table(result);
}

} // namespace

std::string to_html(const chaos_result& result) {
  const auto& v = result.verdict;
  const auto name = xml_text(result.plan.name());
  std::string out = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
                    "content=\"width=device-width\"><title>troupe chaos: " + name + "</title><style>" + style + "</style></head><body>\n";
  out += "<h1>" + name + ": <span class=\"verdict " + (v.passed() ? "good\">passed" : "bad\">FAILED") + "</span></h1>\n";
  if (!result.plan.description().empty()) out += "<p>" + xml_text(result.plan.description()) + "</p>\n";
  out += "<p>" + xml_text(load_of(result) + ". " + times_of(result) + "; " + repetitions_of(result)) + ".</p>\n";
  out += std::string("<h2>The disturbed run</h2>") + key;
  return out + picture(result) + tables(result) + "</body></html>\n";
}

} // namespace troupe
