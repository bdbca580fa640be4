#include "model/parts/weights.hpp"
#include "model/error.hpp"
#include "model/kernels/weight_memory.hpp"

namespace troupe {
namespace {

template <class... Projections>
projection_list list_of(const Projections&... projections) {
  projection_list list;
  for (const projection* one : {&projections...})
    if (one->matrix) list.push_back(one);
  return list;
}

std::shared_ptr<const packed_matrix> pack_again(const projection& wrong) {
  const stored_tensor& source = wrong.source;
  const std::string what = "the weights of " + source.name + " have a wrong bit, and cannot be loaded again: ";
  uint64_t content = 0;
  std::shared_ptr<const packed_matrix> matrix;
  try {
    matrix = packed_matrix::pack(source, allocate_weights(packed_matrix::packed_bytes(source, wrong.matrix->keeps())),
                                 wrong.matrix->keeps(), &content);
  } catch (const input_error& reason) {
    throw input_error(what + reason.what());
  }
  if (content != wrong.content) throw input_error(what + source.from->name() + ": it is not what was loaded: the file was changed");
  return matrix;
}

template <class Part>
std::shared_ptr<const Part> repaired(std::shared_ptr<const Part> part) {
  std::shared_ptr<Part> copy;
  const auto weights = projections_of(*part);
  for (size_t i = 0; i < weights.size(); ++i) {
    const projection& old = *weights[i];
    if (old.matrix->is_intact()) continue;
    if (!copy) copy = std::make_shared<Part>(*part);
    // Nothing else refers to the copy until it is returned.
    auto& broken = const_cast<projection&>(*projections_of(*copy)[i]);
    broken.matrix = pack_again(old);
  }
  return copy ? copy : part;
}

} // namespace

projection_list projections_of(const attention_head_part& part) { return list_of(part.query, part.key, part.value); }
projection_list projections_of(const projection_shard_part& part) {
  return list_of(part.output, part.cross_output, part.gate, part.up, part.down);
}
projection_list projections_of(const output_shard_part& part) { return list_of(part.output, part.transform); }

uint32_t verify_weights(const projection_list& weights, uint32_t first, uint64_t bytes_max) {
  uint32_t strip = 0; // Of the first strip of the matrix at hand.
  uint64_t bytes = 0;
  for (const projection* one : weights) {
    const packed_matrix& matrix = *one->matrix;
    for (uint32_t i = first > strip ? first - strip : 0; i < matrix.strips(); ++i) {
      if (bytes > 0 && bytes + matrix.strip_bytes() > bytes_max) return strip + i;
      if (!matrix.is_intact(i))
        throw wrong_bits("the weights of " + one->source.name + " are not what they were: strip " + std::to_string(i));
      bytes += matrix.strip_bytes();
    }
    strip += matrix.strips();
  }
  return 0;
}

std::shared_ptr<const attention_head_part> with_intact_weights(std::shared_ptr<const attention_head_part> part) {
  return repaired(std::move(part));
}
std::shared_ptr<const projection_shard_part> with_intact_weights(std::shared_ptr<const projection_shard_part> part) {
  return repaired(std::move(part));
}
std::shared_ptr<const output_shard_part> with_intact_weights(std::shared_ptr<const output_shard_part> part) {
  return repaired(std::move(part));
}

void flip_weight_bit(const projection_list& weights, uint64_t draw) {
  uint64_t bits = 0;
  for (const projection* one : weights) bits += one->matrix->all_bytes().size() * 8;
  if (bits == 0) return; // A shard of a small model may have no rows.
  uint64_t bit = draw % bits;
  for (const projection* one : weights) {
    const auto bytes = one->matrix->all_bytes();
    if (bit < bytes.size() * 8) {
      bytes[bit / 8] ^= uint8_t(1u << bit % 8);
      return;
    }
    bit -= bytes.size() * 8;
  }
}

} // namespace troupe
