#pragma once
// Another program, run to its end.
#include <filesystem>
#include <string>
#include <vector>

namespace troupe {

struct child_outcome {
  int exit_code = 0; // 128 + signal when a signal ended it, as shells say.
  std::string out, err;
};

/// Runs a program with these arguments, an empty stdin, and its outputs collected. Throws run_error when it cannot be started.
child_outcome run_child(const std::filesystem::path& program, const std::vector<std::string>& arguments);

/// A program beside the one that runs.
std::filesystem::path program_beside(const std::string& name);

} // namespace troupe
