#include "apps/service/serving/model_identity.hpp"

#include "actors/engine.hpp"
#include "model/chat/chat_template.hpp"

#include <algorithm>
#include <cstdio>
#include <span>

namespace troupe::service {
namespace {

/// 64 bits of what was added, in that order: FNV-1a.
class digest {
public:
  void add(std::span<const std::byte> bytes) {
    for (const auto one : bytes) sum_ = (sum_ ^ uint64_t(one)) * 0x100000001B3u;
  }
  void add(const std::string& text) {
    add(text.size());
    add(std::as_bytes(std::span(text)));
  }
  void add(uint64_t number) { add(std::as_bytes(std::span(&number, 1))); }
  std::string text() const {
    char digits[17];
    std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(sum_));
    return digits;
  }

private:
  uint64_t sum_ = 0xCBF29CE484222325u;
};

void add_sample(digest& to, const stored_tensor& tensor) {
  if (!tensor.from) return;
  constexpr uint64_t most = 4096;
  std::vector<std::byte> bytes(std::min(tensor.bytes(), most));
  tensor.from->read(tensor.offset, bytes);
  to.add(bytes);
  tensor.from->read(tensor.offset + tensor.bytes() - bytes.size(), bytes);
  to.add(bytes);
}

} // namespace

std::string model_identity(const engine& runs) {
  const auto& model = runs.model();
  digest sum;
  for (const auto& one : model.published) {
    sum.add(one.gguf_name);
    sum.add(uint64_t(one.view.type));
    for (const uint64_t length : one.shape) sum.add(length);
    add_sample(sum, one.view);
  }
  sum.add(model.spec.context_length);
  for (const auto& piece : model.words.pieces) sum.add(piece);
  for (const auto& merge : model.words.merges) sum.add(merge);
  sum.add(chat_template_source(model.words));
  sum.add(uint64_t(runs.options().cached.value_or(cache_type::f32)));
  sum.add(runs.options().as_q8_0);
  return sum.text();
}

} // namespace troupe::service
