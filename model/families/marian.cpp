// Marian (Junczys-Dowmunt et al. 2018): the translation models of OPUS-MT. bart with sinusoidal positions, scaled embeddings and no
// norm behind them.
#include "model/families/bart.hpp"

namespace troupe {

model_description describe_marian(const model_source& source) {
  const hyperparameters parameters(source, "marian");
  if (!parameters.flag({"", "static_position_embeddings"}).value_or(true))
    parameters.fail({"", "static_position_embeddings"}, "learned positions are not supported");
  if (parameters.flag({"", "normalize_embedding"}).value_or(false))
    parameters.fail({"", "normalize_embedding"}, "a norm behind the embedding is not supported");
  return describe_bart_like(source, {"marian", position_kind::sinusoidal_halves, 0, false});
}

} // namespace troupe
