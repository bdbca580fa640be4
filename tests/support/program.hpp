#pragma once
// Runs a built program, for tests of its command line.
#include <string>

struct program_result {
  int exit_code = -1;
  std::string out; // Of stdout.
};

/// Through a shell, so that arguments may redirect; stderr is dropped unless they do so.
program_result run_program(const std::string& program, const std::string& arguments);
