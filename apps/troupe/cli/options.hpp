#pragma once
// Options that several commands share, and the parsing of the values that CLI11 does not know.
#include "model/kernels/attention.hpp"
#include "model/sampling/sampler.hpp"
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace CLI {
class App;
class Option;
} // namespace CLI

namespace troupe {

/// The options of every command that runs a model. 0: the engine's own choice.
struct run_options {
  std::string model;
  uint32_t threads = 0;
  uint32_t shards = 0;
  uint32_t replicas = 1;
  uint32_t chunk = 0;
  uint32_t parallel = 0;
  bool as_q8_0 = false;
  std::optional<cache_type> cached;
  uint64_t cache_memory = 0; // In bytes.
  bool prefix_reuse = true;
  std::vector<std::string> checks; // products, weights, caches.
  uint32_t workers = 0, spares = 0; // Processes of this machine that compute the layers.
  std::string cluster;              // A file that names nodes.
  bool quiet = false;
};

void declare_model(CLI::App& app, run_options& options);
void declare_threads(CLI::App& app, run_options& options);
void declare_engine(CLI::App& app, run_options& options); // --threads, --shards, --chunk, --parallel, --cache-type,
                                                           // --cache-memory, --int8, --check, --workers, --spares, --cluster
void declare_quiet(CLI::App& app, run_options& options);

/// How tokens are drawn.
struct sampling_arguments {
  sampling_options chosen;
  std::vector<std::string> logit_bias; // ID=VALUE
};
/// needed: an option without which these mean nothing; or null.
void declare_sampling(CLI::App& app, sampling_arguments& arguments, CLI::Option* needed = nullptr);
/// Completes `chosen`. Throws usage_error.
void check(sampling_arguments& arguments);

/// Adds examples under the help text.
void declare_examples(CLI::App& app, std::string_view examples);

/// "1,403,407" or "1 403 407". Throws usage_error naming `option`.
std::vector<uint32_t> parse_ids(std::string_view text, std::string_view option);

/// "13=-inf". Throws usage_error naming `option`.
std::pair<uint32_t, float> parse_bias(const std::string& text, std::string_view option);

} // namespace troupe
