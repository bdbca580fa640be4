#include "apps/generators/slips.hpp"
#include <utility>
#include <vector>

namespace troupe::generators {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

} // namespace

void slip_in_a_word(choice& draws, std::string& text, size_t letters) {
  std::vector<size_t> places; // Letters that have one before and one behind them.
  for (size_t start = 0; start < text.size();) {
    size_t end = start;
    while (end < text.size() && is_letter(text[end])) ++end;
    if (end - start >= letters) {
      for (size_t i = start + 1; i + 1 < end; ++i) places.push_back(i);
    }
    start = end + 1;
  }
  if (places.empty()) return;
  const size_t at = places[draws.below(static_cast<uint32_t>(places.size()))];
  const uint32_t kind = draws.below(3);
  if (kind == 0) std::swap(text[at], text[at + 1]);
  if (kind == 1) text.erase(at, 1);
  if (kind == 2) text.insert(at, 1, text[at]);
}

} // namespace troupe::generators
