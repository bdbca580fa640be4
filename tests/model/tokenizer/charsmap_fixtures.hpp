#pragma once
// Small charsmaps, laid out in the plain way: a block of 256 units for the children of each node.
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace troupe {

inline std::string make_charsmap(const std::map<std::string, std::string>& rules) {
  struct node {
    std::map<uint8_t, size_t> children;
    int64_t value = -1;
  };
  std::vector<node> nodes(1);
  std::string contents;
  for (const auto& [from, to] : rules) {
    size_t at = 0;
    for (const char c : from) {
      const auto byte = static_cast<uint8_t>(c);
      if (!nodes[at].children.contains(byte)) {
        nodes[at].children[byte] = nodes.size();
        nodes.emplace_back();
      }
      at = nodes[at].children[byte];
    }
    nodes[at].value = static_cast<int64_t>(contents.size());
    contents += to + '\0';
  }
  // Node n has its children, and its value at label 0, in block n + 1; where the node itself is, its parent decides.
  std::vector<uint32_t> units((nodes.size() + 1) * 256, 0);
  const auto fill = [&](auto&& self, size_t n, size_t place) -> void {
    const size_t block = (n + 1) * 256;
    units[place] |= static_cast<uint32_t>((place ^ block) << 10);
    if (nodes[n].value >= 0) {
      units[place] |= 1U << 8;
      units[block] = static_cast<uint32_t>(nodes[n].value) | 1U << 31;
    }
    for (const auto& [label, child] : nodes[n].children) {
      units[block + label] = label;
      self(self, child, block + label);
    }
  };
  fill(fill, 0, 0);
  const auto bytes = static_cast<uint32_t>(units.size() * sizeof(uint32_t));
  std::string map(sizeof bytes + bytes, '\0');
  std::memcpy(map.data(), &bytes, sizeof bytes);
  std::memcpy(map.data() + sizeof bytes, units.data(), bytes);
  return map + contents;
}

} // namespace troupe
