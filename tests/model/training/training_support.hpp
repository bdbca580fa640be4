#pragma once
// Small models whose values may be changed, batches, and what the shards have put together, for the tests of training.
#include "model/kernels/dequantize.hpp"
#include "model/kernels/isa.hpp"
#include "model/model_file.hpp"
#include "model/testing/tiny_model.hpp"
#include "model/training/reference_trainer.hpp"
#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace troupe::testing {

/// Values that belong to somebody else, as the content of a tensor.
class borrowed_values final : public byte_source {
public:
  explicit borrowed_values(const std::vector<float>& values) : bytes_(std::as_bytes(std::span(values))) {}
  std::string name() const override { return "values"; }
  uint64_t size() const override { return bytes_.size(); }
  void read(uint64_t offset, std::span<std::byte> out) const override { std::ranges::copy(bytes_.subspan(offset, out.size()), out.begin()); }

private:
  std::span<const std::byte> bytes_;
};

/// A model of one of the families with its values in float32, in memory of its own: the tensors of `file` are `values`.
struct small_model {
  explicit small_model(const tiny_model_options& options) : file(*open_model(write_tiny_model(options))) {
    const bool tied = is_tied(file.tensors);
    for (const auto& [key, view] : keyed_tensors(file.tensors)) {
      std::vector<float>& copy = values[key] = dequantize(*view);
      auto& own = const_cast<stored_tensor&>(*view); // Of file.tensors, which is ours.
      own.type = tensor_type::f32;
      own.from = std::make_shared<const borrowed_values>(copy);
      own.offset = 0;
    }
    if (tied) file.tensors.output.weight = file.tensors.embedding;
  }
  small_model(const small_model&) = delete;

  trainable_model trainable(uint32_t shards, uint32_t leaf_rows_min) const {
    return trainable_builder(file.spec, file.tensors, shards, leaf_rows_min).all();
  }

  model_file file;
  std::map<tensor_key, std::vector<float>> values;
};

/// Random tokens and targets; every `ignored`-th row has no target.
inline micro_batch random_batch(const model_spec& spec, std::vector<uint32_t> lengths, uint32_t ignored, uint64_t seed) {
  raw_bits bits{seed};
  micro_batch batch;
  batch.lengths = std::move(lengths);
  for (const uint32_t length : batch.lengths)
    for (uint32_t i = 0; i < length; ++i) {
      batch.tokens.push_back(uint32_t(bits.below(spec.vocabulary)));
      const auto target = int32_t(bits.below(spec.vocabulary));
      batch.targets.push_back(ignored > 0 && batch.tokens.size() % ignored == 0 ? no_target : target);
    }
  return batch;
}

/// The sequences in order, cut into pieces of so many; where there are more sequences, it begins with the first count again.
inline std::vector<micro_batch> cut(const micro_batch& whole, const std::vector<uint32_t>& counts) {
  std::vector<micro_batch> pieces;
  size_t row = 0;
  uint32_t left = 0;
  for (const uint32_t length : whole.lengths) {
    if (left == 0) {
      left = counts[pieces.size() % counts.size()];
      pieces.emplace_back();
    }
    --left;
    micro_batch& piece = pieces.back();
    piece.lengths.push_back(length);
    piece.tokens.insert(piece.tokens.end(), whole.tokens.begin() + ptrdiff_t(row), whole.tokens.begin() + ptrdiff_t(row + length));
    piece.targets.insert(piece.targets.end(), whole.targets.begin() + ptrdiff_t(row), whole.targets.begin() + ptrdiff_t(row + length));
    row += length;
  }
  return pieces;
}

using tensor_values = std::map<tensor_key, std::vector<float>>;

/// Whole tensors, put together from the slices that the parts have. `what`: &parameter::value, for example.
inline tensor_values gather(trainable_model& model, std::vector<float> parameter::* what) {
  std::vector<parameter*> all = model.parameters();
  std::ranges::sort(all, {}, [](const parameter* one) { return one->slice; });
  tensor_values whole;
  for (const parameter* one : all) {
    std::vector<float>& to = whole[one->slice.key];
    to.insert(to.end(), (one->*what).begin(), (one->*what).end());
  }
  return whole;
}

/// Pins every instruction set of this machine in turn, and the one in use again at the end.
template <class Run> void on_each_isa(Run run) {
  struct restore {
    std::string name;
    ~restore() { pin_isa(name); }
  } at_end{current_isa()};
  for (const std::string& name : available_isas()) {
    pin_isa(name);
    run(name);
  }
}

} // namespace troupe::testing
