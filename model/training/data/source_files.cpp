#include "model/training/data/source_files.hpp"
#include "model/error.hpp"
#include "model/formats/byte_reader.hpp"
#include "model/content_hash.hpp"
#include <algorithm>
#include <glob.h>
#include <system_error>

namespace troupe {

namespace {

using std::filesystem::path;

bool is_hidden(const path& file) { return file.filename().string().starts_with('.'); }

void add_folder(const path& folder, std::vector<path>& files) {
  const size_t before = files.size();
  std::error_code error;
  std::filesystem::recursive_directory_iterator entry(folder, error), end;
  for (; !error && entry != end; entry.increment(error)) {
    if (is_hidden(entry->path())) {
      entry.disable_recursion_pending();
      continue;
    }
    std::error_code no_file; // A link that leads nowhere: not a regular file.
    if (entry->is_regular_file(no_file)) files.push_back(entry->path());
  }
  if (error) throw input_error(folder.string() + ": cannot list the folder: " + error.message());
  if (files.size() == before) throw input_error(folder.string() + ": there are no files in this folder");
}

void add_pattern(const std::string& pattern, std::vector<path>& files) {
  struct matches {
    glob_t found{};
    ~matches() { ::globfree(&found); }
  } all;
  const int status = ::glob(pattern.c_str(), GLOB_ERR, nullptr, &all.found);
  if (status == GLOB_NOMATCH) throw input_error(in_quotes(pattern) + ": no file matches");
  if (status != 0) throw input_error(in_quotes(pattern) + ": cannot list the files that match");
  for (size_t i = 0; i < all.found.gl_pathc; ++i) {
    const path match = all.found.gl_pathv[i];
    if (std::filesystem::is_directory(match)) add_folder(match, files);
    else files.push_back(match);
  }
}

} // namespace

std::vector<path> find_source_files(const std::vector<std::string>& paths) {
  if (paths.empty()) throw input_error("no files are named as training data");
  std::vector<path> files;
  for (const auto& name : paths) {
    std::error_code error;
    const auto status = std::filesystem::status(name, error);
    if (std::filesystem::is_directory(status)) add_folder(name, files);
    else if (!std::filesystem::exists(status) && name.find_first_of("*?[") != std::string::npos) add_pattern(name, files);
    else files.emplace_back(name); // What does not exist is refused when it is opened, with the system's reason.
  }
  for (auto& file : files) file = file.lexically_normal();
  std::sort(files.begin(), files.end(), [](const path& a, const path& b) { return a.native() < b.native(); });
  files.erase(std::unique(files.begin(), files.end(), [](const path& a, const path& b) { return a.native() == b.native(); }),
              files.end());
  return files;
}

std::vector<std::shared_ptr<const input_file>> open_source_files(const std::vector<std::string>& paths) {
  constexpr size_t open_max = 256; // Systems allow 1024 open files, mostly.
  const auto names = find_source_files(paths);
  const auto kept = names.size() > open_max ? input_file::kept::closed : input_file::kept::open;
  std::vector<std::shared_ptr<const input_file>> files;
  for (const auto& name : names) {
    files.push_back(std::make_shared<const input_file>(name, kept));
    if (files.back()->size() == 0) throw input_error(name.string() + ": the file is empty");
  }
  return files;
}

uint64_t fingerprint_of(const std::vector<std::shared_ptr<const input_file>>& files) {
  constexpr uint64_t part = 1 << 20;
  std::vector<std::byte> buffer(part);
  content_hash hash;
  hash.add(uint64_t(files.size()));
  for (const auto& file : files) {
    hash.add(file->size());
    for (uint64_t done = 0; done < file->size(); done += part) {
      const auto bytes = std::span(buffer).first(std::min(part, file->size() - done));
      file->read(done, bytes);
      hash.add(bytes);
    }
  }
  return hash.value();
}

} // namespace troupe
