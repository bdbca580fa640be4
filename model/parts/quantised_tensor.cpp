#include "model/parts/quantised_tensor.hpp"
#include "model/error.hpp"
#include "model/kernels/dequantize.hpp"
#include "model/kernels/quantize.hpp"
#include "model/kernels/rowwise.hpp"
#include <algorithm>

namespace troupe {
namespace {

class q8_0_source final : public byte_source {
public:
  explicit q8_0_source(stored_tensor tensor) : tensor_(std::move(tensor)), row_bytes_(quantised().row_bytes()) {}

  std::string name() const override { return tensor_.from->name(); }
  uint64_t size() const override { return tensor_.rows * row_bytes_; }
  void read(uint64_t offset, std::span<std::byte> out) const override {
    TROUPE_ASSERT(offset % row_bytes_ == 0 && out.size() % row_bytes_ == 0 && out.size() <= size() - offset);
    const auto values = dequantize(tensor_.row_slice(offset / row_bytes_, out.size() / row_bytes_));
    if (!is_finite(values)) throw input_error(name() + ": " + tensor_.name + ": has values that are not finite");
    std::ranges::copy(quantize(tensor_type::q8_0, values), out.begin());
  }

private:
  stored_tensor quantised() const { return {tensor_.name, tensor_type::q8_0, tensor_.rows, tensor_.columns, nullptr}; }

  stored_tensor tensor_;
  uint64_t row_bytes_;
};

} // namespace

stored_tensor as_q8_0(const stored_tensor& tensor) {
  const bool is_plain = traits_of(tensor.type).block_elements == 1;
  if (!is_plain || tensor.columns % traits_of(tensor_type::q8_0).block_elements != 0) return tensor;
  return {tensor.name, tensor_type::q8_0, tensor.rows, tensor.columns, std::make_shared<q8_0_source>(tensor)};
}

} // namespace troupe
