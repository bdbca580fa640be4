#pragma once
// Fault plans as they come from people: read, checked, and the globs in them. Pure: no actor, no clock.
#include "troupe/v1/faults.pb.h"
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// `*` stands for any characters but '/', `**` for any characters; all others for themselves.
bool matches_glob(std::string_view glob, std::string_view text);

/// What messages.troupe.v1.faults.proto says of a plan holds, or input_error names the field that is wrong, as in
/// "faults[2].trigger.probability: 1.5 is no probability". Fills in the names of faults and probes, and the default probes.
v1::FaultPlan checked(v1::FaultPlan plan);

/// Strict: an unknown field, a wrong type, a number out of range are input_errors.
v1::FaultPlan parse_fault_plan(const std::string& json);

/// The same from a file; every error begins with the file's name.
v1::FaultPlan read_fault_plan(const std::filesystem::path& file);

/// Throws input_error for what a training run does not have: requests, positions, caches, packed weights.
void check_for_training(const v1::FaultPlan& plan);

/// Throws input_error for a selector that fits none of `paths` (all actors of a troupe or a training run), no sequence of a troupe and no
/// client.
void check_reachable(const v1::FaultPlan& plan, const std::vector<std::string>& paths);

/// For people and for `read_fault_plan`.
std::string to_json(const v1::FaultPlan& plan);
/// What came of a plan, with the names of the fields as messages/troupe/v1/faults.proto has them.
std::string to_json(const v1::FaultLog& log);

/// Whether the effect is on an actor (throw, hang, ...) and not on a message.
bool targets_actors(const v1::Effect& effect);

/// Whether it makes an actor end, or be as good as ended, so that it has to be replaced.
bool ends_actors(const v1::Effect& effect);

/// "kill", "not_a_number": the effect's name in plans.
std::string_view name_of(const v1::Effect& effect);

/// Whether `path` is among those a fault is about: its target, or the ends of its link.
bool concerns(const v1::Fault& fault, std::string_view path);

/// Whether messages of this type (name without package) fit the selector of a fault, whatever their sender.
bool fits_type(const v1::Fault& fault, std::string_view type);

} // namespace troupe
