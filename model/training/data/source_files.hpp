#pragma once
// Which files training data comes from, and a number that stands for what is in them.
#include "model/formats/input_file.hpp"
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace troupe {

/// The files that `paths` name, each once, in the order of their paths' bytes. A path is a file; or a folder: all regular files
/// below it whose names, and those of the folders between, do not begin with a dot; or a pattern with *, ? or [...], as in a shell,
/// if no file is called so.
/// Throws input_error for a path that names nothing, or what cannot be listed.
std::vector<std::filesystem::path> find_source_files(const std::vector<std::string>& paths);

/// Opened, or, when there are many, at least looked at: see input_file. Throws input_error for a file that cannot be read, or is empty.
std::vector<std::shared_ptr<const input_file>> open_source_files(const std::vector<std::string>& paths);

/// Of the contents of the files, in order; not of their names or times. A copy on another machine, or a fresh checkout, is the same
/// data, and a file edited within a clock tick is not. The price is to read all once, far less than to tokenize it.
uint64_t fingerprint_of(const std::vector<std::shared_ptr<const input_file>>& files);

} // namespace troupe
