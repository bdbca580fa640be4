#pragma once
// The command line that all generators have: --count, --seed, --first, --json, --out, and what only some can do.
#include "apps/generators/split.hpp"
#include <string>
#include <vector>

namespace troupe::generators {

/// One text with what belongs to it.
struct record {
  std::vector<std::string> values; // As many as the generator has fields.
  double bits = 0;                 // The information of the choices that made it (choice.hpp); for --entropy.
};

struct generator {
  const char* name;        // Of the program.
  const char* description; // One sentence.
  const char* noun;        // What it makes: "stories".
  const char* footer;      // Examples and rules, for --help.
  std::vector<const char*> fields; // Names of a record's values. As text they stand in one line, a tab between them.
  const char* between;             // What separates records in the text, beside the end of a line.
  bool has_parts;                  // --held-out: training and held-out texts are told apart.
  bool has_entropy;                // --entropy
  /// Record `index` of `seed`: the same on every machine.
  record (*make)(uint64_t seed, uint64_t index, part from);
};

/// Runs the program. Returns its exit code: 0 done, 1 the output could not be written, 2 wrong usage, 130 interrupted, 141 the reader
/// closed it.
int run(const generator& made, int argc, char** argv);

} // namespace troupe::generators
