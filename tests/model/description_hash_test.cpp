// Goal: what makes a model compute otherwise, though its tensors hold the same, changes its description.
#include "model/description_hash.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"

#include <functional>
#include <set>
#include <utility>
#include <vector>

namespace troupe {

TEST_CASE("hyperparameters, names, types and shapes change the description of a model, and its path does not", "[description]") {
  const auto model = open_model(testing::write_tiny_model());
  const auto same = description_hash(*model);
  model_file moved = *model;
  moved.path = "elsewhere";
  CHECK(description_hash(moved) == same);
  const std::vector<std::function<void(model_file&)>> changes = {
    [](model_file& of) { of.spec.layers[1].norm.epsilon *= 2; },
    [](model_file& of) { of.spec.layers[0].attention.rope.base = 1e6f; },
    [](model_file& of) { of.spec.layers[0].attention.scale *= 2; },
    [](model_file& of) { --of.spec.context_length; },
    [](model_file& of) { of.spec.output.scale = 2; },
    [](model_file& of) { of.published[0].gguf_name += "x"; },
    [](model_file& of) { of.published[0].view.type = tensor_type::f16; },
    [](model_file& of) { ++of.published[0].shape[0]; },
  };
  std::set<uint64_t> all{same};
  for (const auto& change : changes) {
    model_file other = *model;
    change(other);
    CHECK(all.insert(description_hash(other)).second);
  }
}

} // namespace troupe
