#pragma once
// The fields that every endpoint which generates takes, whichever API they are from.
#include "actors/requests/generation.hpp"
#include "model/formats/json.hpp"
#include "model/model_file.hpp"
#include <cstdint>
#include <string>

namespace troupe::service {

/// Who asks: what decides about shares, priorities and limits.
struct caller {
  std::string tenant;  // Of the key; or the request's `user` where no keys are configured.
  float weight = 1;
  bool is_known = false; // It came with a key.
  int32_t priority_max = 100; // Higher ones are lowered to this.
  uint32_t requests_max = 0;  // Of the tenant at once; 0: no limit.
};

struct generation_fields {
  generate_request request; // All but the prompt.
  uint32_t choices = 1;     // `n`
  bool streams = false, includes_usage = false;
  uint64_t seed = 0;        // Drawn, if the request has none.

  /// That of the nth choice: they differ by their seeds only.
  generate_request nth(uint32_t n) const;
};

/// Throws json_error. tokens_otherwise: where the request does not say how many; drawn_seed: where it names none. Unknown fields are ignored.
generation_fields read_generation_fields(const json_node& body, const caller& who, const model_file& model, uint32_t tokens_otherwise,
                                         uint64_t drawn_seed);

} // namespace troupe::service
