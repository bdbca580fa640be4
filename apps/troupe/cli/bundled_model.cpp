#include "apps/troupe/cli/bundled_model.hpp"
#include "model/error.hpp"
#include <filesystem>
#include <system_error>

namespace troupe {

std::string bundled_model(const std::string& name) {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  for (const auto* folder : {"../../apps", "../../../apps", "../share/troupe"}) {
    const auto path = program / folder / name;
    if (std::filesystem::exists(path, error)) return path.lexically_normal().string();
  }
  throw input_error("the model that comes with troupe is not where it should be (" + name + "): give --model");
}

std::string program_version() { return TROUPE_VERSION; }

} // namespace troupe
