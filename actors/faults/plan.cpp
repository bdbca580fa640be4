#include "actors/faults/plan.hpp"

#include "model/error.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <google/protobuf/util/json_util.h>
#include <set>

namespace troupe {
namespace {

/// Which messages a fault on messages hits if its selector names no type. All of these may be lost, come twice or late.
constexpr std::array<std::string_view, 30> step_messages{
  "ForwardStep", "HiddenStates", "AttendStep", "AttendResult", "ProjectStep", "ProjectResult", "LogitsResult", "StepFault",
  "AppendToken", "ReportProgress", "StepProgress", "TokenEvent",
  // Of training.
  "ForwardBatch", "ForwardStates", "BackwardStates", "HeadPass", "HeadPassResult", "ShardPass", "ShardPassResult", "SumLogits",
  "LogitSums", "BatchLoss", "BatchDone", "CollectGradients", "CopyGradient", "CopyValues", "GradientSquares", "UpdateWeights",
  "OwnerUpdated", "OwnerReady"};

[[noreturn]] void fail(const std::string& field, const std::string& text) { throw input_error(field + ": " + text); }

std::string number(double value) {
  auto text = std::to_string(value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

void check_time(const std::string& field, double ms) {
  if (!std::isfinite(ms) || ms < 0 || ms > 1e9) fail(field, number(ms) + " is no time in milliseconds between 0 and 1e9");
}

void check_stars(const std::string& field, const std::string& glob) {
  if (std::count(glob.begin(), glob.end(), '*') > 12) fail(field, "more than 12 stars");
}

void check_selector(const std::string& field, const v1::Selector& selector, bool on_actors) {
  if (selector.path().empty() && selector.from().empty() && selector.to().empty())
    fail(field, "what is the target? Give a path, or from, or to");
  if (!on_actors && !selector.path().empty() && !selector.to().empty())
    fail(field + ".to", "for an effect on messages, path and to are the same: give one of them");
  if (on_actors && selector.path().empty() && selector.to().empty())
    fail(field, "from alone does not name a target: give a path or to");
  for (const auto& [name, glob] : {std::pair{".path", selector.path()}, {".from", selector.from()}, {".to", selector.to()}})
    if (check_stars(field + name, glob); !glob.empty() && glob[0] != '/' && glob[0] != '*')
      fail(field + name, "\"" + glob + "\" is no path: those begin with /");
  check_stars(field + ".message", selector.message());
  if (selector.message().find('/') != std::string::npos)
    fail(field + ".message", "\"" + selector.message() + "\" is no name of a message type, such as AttendResult");
}

void check_trigger(const std::string& field, const v1::Trigger& trigger, const std::set<std::string>& names_before) {
  check_stars(field + ".after_restart_of", trigger.after_restart_of());
  check_time(field + ".after_ms", trigger.after_ms());
  check_time(field + ".every_ms", trigger.every_ms());
  check_time(field + ".duration_ms", trigger.duration_ms());
  if (!(trigger.probability() >= 0 && trigger.probability() <= 1))
    fail(field + ".probability", number(trigger.probability()) + " is no probability: it must be between 0 and 1");
  if (!trigger.after_fault().empty() && !names_before.contains(trigger.after_fault()))
    fail(field + ".after_fault", "there is no fault \"" + trigger.after_fault() + "\" before this one");
}

void check_effect(const std::string& field, const v1::Effect& effect) {
  using kind = v1::Effect;
  const auto field_of = [&](const char* name) { return field + "." + std::string(name_of(effect)) + "." + name; };
  switch (effect.kind_case()) {
  case kind::KIND_NOT_SET: fail(field, "what is to happen? Give one effect, such as {\"kill\": {}}");
  case kind::kHang: return check_time(field_of("for_ms"), effect.hang().for_ms());
  case kind::kSlowDown: {
    const auto& slow = effect.slow_down();
    check_time(field_of("added_ms"), slow.added_ms());
    check_time(field_of("for_ms"), slow.for_ms());
    const double factor = slow.factor();
    if (factor != 0 && !(factor >= 1 && factor <= 1e6)) fail(field_of("factor"), number(factor) + " is not between 1 and 1e6");
    if (factor <= 1 && slow.added_ms() == 0) fail(field + ".slow_down", "by how much? Give a factor above 1 or added_ms");
    return;
  }
  case kind::kDelay:
    check_time(field_of("ms"), effect.delay().ms());
    check_time(field_of("jitter_ms"), effect.delay().jitter_ms());
    if (effect.delay().ms() + effect.delay().jitter_ms() == 0) fail(field + ".delay", "for how long? Give ms or jitter_ms");
    return;
  case kind::kAnswerLate: return check_time(field_of("ms"), effect.answer_late().ms());
  case kind::kDuplicate:
    if (effect.duplicate().copies() > 1000) fail(field_of("copies"), "more than 1000; flood is for that");
    return;
  case kind::kFlipBit:
    if (effect.flip_bit().bit() > 31)
      fail(field_of("bit"), std::to_string(effect.flip_bit().bit()) + " is not one of the 32 bits 0 to 31");
    return;
  case kind::kFlood:
    if (effect.flood().messages() > 10'000'000) fail(field_of("messages"), "more than 10000000");
    return;
  case kind::kClockJump:
    check_time(field_of("ms"), effect.clock_jump().ms());
    if (effect.clock_jump().ms() == 0) fail(field_of("ms"), "by how much does the clock jump?");
    return;
  default: return;
  }
}

void check_probe(const std::string& field, v1::Probe& probe) {
  const auto* choice = v1::Probe::descriptor()->FindOneofByName("kind");
  const auto* chosen = probe.GetReflection()->GetOneofFieldDescriptor(probe, choice);
  if (!chosen)
    fail(field, "what must hold? Give one of all_requests_finish, bytes_equal, pause_p99_below_ms, restarts_below, "
                "no_actor_left_over");
  if (chosen->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_BOOL && !probe.GetReflection()->GetBool(probe, chosen))
    fail(field + "." + chosen->name(), "what need not hold needs no probe: leave it out");
  if (probe.kind_case() == v1::Probe::kPauseP99BelowMs) check_time(field + ".pause_p99_below_ms", probe.pause_p99_below_ms());
  if (probe.continuous() && probe.kind_case() == v1::Probe::kNoActorLeftOver)
    fail(field + ".continuous", "actors that are left over are known at the end only");
  if (probe.name().empty()) probe.set_name(chosen->name());
}

} // namespace

bool matches_glob(std::string_view glob, std::string_view text) {
  if (glob.empty()) return text.empty();
  if (!glob.starts_with('*')) return !text.empty() && glob[0] == text[0] && matches_glob(glob.substr(1), text.substr(1));
  const bool crosses = glob.starts_with("**");
  const auto rest = glob.substr(crosses ? 2 : 1);
  for (size_t n = 0;; ++n) { // What the star stands for, shortest first.
    if (matches_glob(rest, text.substr(n))) return true;
    if (n == text.size() || (!crosses && text[n] == '/')) return false;
  }
}

std::string_view name_of(const v1::Effect& effect) {
  const auto* choice = v1::Effect::descriptor()->FindOneofByName("kind");
  const auto* chosen = effect.GetReflection()->GetOneofFieldDescriptor(effect, choice);
  return chosen ? std::string_view(chosen->name()) : std::string_view();
}

bool targets_actors(const v1::Effect& effect) {
  return effect.kind_case() <= v1::Effect::kFlipWeightBit || effect.has_clock_jump();
}

bool ends_actors(const v1::Effect& effect) {
  return effect.has_throw_() || effect.has_exit() || effect.has_kill() || effect.has_allocation_failure() || effect.has_hang();
}

bool concerns(const v1::Fault& fault, std::string_view path) {
  const auto& selector = fault.selector();
  return (!selector.path().empty() && matches_glob(selector.path(), path)) ||
         (!selector.to().empty() && matches_glob(selector.to(), path)) ||
         (!selector.from().empty() && matches_glob(selector.from(), path));
}

bool fits_type(const v1::Fault& fault, std::string_view type) {
  const auto& glob = fault.selector().message();
  if (!glob.empty()) return matches_glob(glob, type);
  return targets_actors(fault.effect()) || std::find(step_messages.begin(), step_messages.end(), type) != step_messages.end();
}

v1::FaultPlan checked(v1::FaultPlan plan) {
  if (plan.faults_size() == 0) fail("faults", "a plan needs at least one fault");
  std::set<std::string> names;
  for (int i = 0; i < plan.faults_size(); ++i) {
    const auto field = "faults[" + std::to_string(i) + "]";
    auto& fault = *plan.mutable_faults(i);
    if (!fault.has_selector()) fail(field + ".selector", "is missing: what is its target?");
    if (!fault.has_effect()) fail(field + ".effect", "is missing: what is to happen?");
    check_effect(field + ".effect", fault.effect());
    check_selector(field + ".selector", fault.selector(), targets_actors(fault.effect()));
    check_trigger(field + ".trigger", fault.trigger(), names);
    if (fault.name().empty()) {
      fault.set_name(std::string(name_of(fault.effect())));
      for (int n = 2; names.contains(fault.name()); ++n)
        fault.set_name(std::string(name_of(fault.effect())) + " " + std::to_string(n));
    }
    if (!names.insert(fault.name()).second) fail(field + ".name", "\"" + fault.name() + "\" is the name of an earlier fault");
  }
  auto& probes = *plan.mutable_steady_state()->mutable_probes();
  if (probes.empty()) {
    probes.Add()->set_all_requests_finish(true);
    probes.Add()->set_bytes_equal(true);
    probes.Add()->set_no_actor_left_over(true);
  }
  for (int i = 0; i < probes.size(); ++i) check_probe("steady_state.probes[" + std::to_string(i) + "]", probes[i]);
  return plan;
}

v1::FaultPlan parse_fault_plan(const std::string& json) {
  v1::FaultPlan plan;
  const auto status = google::protobuf::util::JsonStringToMessage(json, &plan);
  if (!status.ok()) throw input_error("no fault plan: " + std::string(status.message()));
  return checked(std::move(plan));
}

v1::FaultPlan read_fault_plan(const std::filesystem::path& file) {
  std::ifstream in{file, std::ios::binary};
  if (!in) throw input_error(file.string() + ": cannot be opened");
  constexpr size_t bytes_max = 16 << 20;
  std::string text, part(1 << 16, '\0');
  while ((in.read(part.data(), std::streamsize(part.size())) || in.gcount() > 0) && text.size() <= bytes_max)
    text.append(part, 0, size_t(in.gcount()));
  if (in.bad()) throw input_error(file.string() + ": cannot be read");
  if (text.size() > bytes_max) throw input_error(file.string() + ": too long for a fault plan");
  try {
    auto plan = parse_fault_plan(text);
    if (plan.name().empty()) plan.set_name(file.stem().string());
    return plan;
  } catch (const input_error& error) {
    throw input_error(file.string() + ": " + error.what());
  }
}

void check_for_training(const v1::FaultPlan& plan) {
  for (int i = 0; i < plan.faults_size(); ++i) {
    const auto field = "faults[" + std::to_string(i) + "].";
    const auto& fault = plan.faults(i);
    if (fault.trigger().request() != 0) fail(field + "trigger.request", "a training run has no requests");
    if (fault.trigger().has_token_position()) fail(field + "trigger.token_position", "a training run has no token positions");
    if (fault.effect().has_flip_cache_bit()) fail(field + "effect.flip_cache_bit", "a training run has no key/value caches");
    if (fault.effect().has_flip_weight_bit()) fail(field + "effect.flip_weight_bit", "a training run has no packed weights");
  }
}

void check_reachable(const v1::FaultPlan& plan, const std::vector<std::string>& paths) {
  const bool has_sequences = std::ranges::find(paths, "/sequences") != paths.end();
  const auto check = [&](const std::string& field, const std::string& glob) {
    const auto fits = [&](const std::string& path) { return matches_glob(glob, path); };
    // Sequences are named by numbers, and so are clients: any will do.
    if (glob.empty() || (has_sequences && (glob.starts_with("/sequences/") || fits("/sequences/1"))) ||
        glob.starts_with("/client/") || fits("/client/1") || std::any_of(paths.begin(), paths.end(), fits))
      return;
    fail(field, "\"" + glob + "\" fits no actor of this model");
  };
  for (int i = 0; i < plan.faults_size(); ++i) {
    const auto field = "faults[" + std::to_string(i) + "].";
    const auto& fault = plan.faults(i);
    check(field + "selector.path", fault.selector().path());
    check(field + "selector.from", fault.selector().from());
    check(field + "selector.to", fault.selector().to());
    check(field + "trigger.after_restart_of", fault.trigger().after_restart_of());
  }
}

namespace {

std::string json_text(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(message, &text, options);
  TROUPE_ASSERT(status.ok());
  return text;
}

} // namespace

std::string to_json(const v1::FaultPlan& plan) { return json_text(plan); }
std::string to_json(const v1::FaultLog& log) { return json_text(log); }

} // namespace troupe
