#include "support/program.hpp"
#include "support/catch.hpp"
#include <cstdio>
#include <sys/wait.h>

program_result run_program(const std::string& program, const std::string& arguments) {
  program_result result;
  FILE* pipe = ::popen((program + " 2>/dev/null " + arguments).c_str(), "r");
  REQUIRE(pipe != nullptr);
  char buffer[4096];
  for (size_t count; (count = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) result.out.append(buffer, count);
  const int status = ::pclose(pipe);
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  return result;
}
