#include "apps/troupe/bench/peer.hpp"
#include "apps/troupe/cli/command.hpp"
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <sys/wait.h>

namespace troupe {
namespace {

using json = nlohmann::ordered_json;

std::optional<double> number_in(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? std::optional(found->get<double>()) : std::nullopt;
}

/// One run of llama-bench: either a prompt or a generation.
void take_llama_bench(const json& run, peer_rates& rates) {
  const auto prompt = number_in(run, "n_prompt"), generate = number_in(run, "n_gen"), rate = number_in(run, "avg_ts");
  if (!prompt || !generate || !rate) return;
  if (*prompt > 0 && *generate == 0) rates.prefill = rate;
  if (*generate > 0 && *prompt == 0) rates.decode = rate;
}

void take(const json& value, peer_rates& rates) {
  if (value.is_array())
    for (const auto& run : value) take(run, rates);
  if (!value.is_object()) return;
  take_llama_bench(value, rates);
  if (const auto rate = number_in(value, "prefill_tokens_per_s")) rates.prefill = rate;
  if (const auto rate = number_in(value, "decode_tokens_per_s")) rates.decode = rate;
}

} // namespace

peer_rates parse_peer(const std::string& text) {
  peer_rates rates;
  const auto whole = json::parse(text, nullptr, false);
  if (!whole.is_discarded()) {
    take(whole, rates);
    return rates;
  }
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (const auto value = json::parse(line, nullptr, false); !value.is_discarded()) take(value, rates);
  return rates;
}

peer_rates run_peer(const std::string& command) {
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), nullptr);
  if (!pipe) throw run_error("--compare: cannot start a shell");
  std::string text;
  char part[4096];
  while (const size_t size = std::fread(part, 1, sizeof part, pipe.get())) text.append(part, size);
  const int status = ::pclose(pipe.release());
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw run_error("--compare: the command failed: " + command + "\n" + text.substr(0, 2000));
  const auto rates = parse_peer(text);
  if (!rates.prefill && !rates.decode)
    throw run_error("--compare: the command printed no rates that are understood; see troupe bench --help\n" +
                    text.substr(0, 2000));
  return rates;
}

} // namespace troupe
