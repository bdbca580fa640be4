#pragma once
// In which order requests of an earlier process go on, so that one which ends the process is found, and takes no other one with it. Pure.
//
// Nobody can know which request has ended a process: all that had begun and have got no further since are suspects. At first all go on
// together, since most deaths have other reasons. Suspects of two deaths in a row go on alone: one at a time, those with the fewest
// deaths first, until it has got further or has ended, and nothing else begins meanwhile. So whatever only waited or shared a batch is
// cleared, and in the end only one that died alone has deaths that count.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace troupe::service {

class restart_order {
public:
  static constexpr uint32_t together_max = 2; // With so many deaths a request goes on alone.
  static constexpr uint32_t deaths_max = 10;  // With so many it is given up.

  void add(std::string name, uint32_t deaths) {
    if (deaths < together_max) return others_.push_back(std::move(name));
    const auto place = std::ranges::lower_bound(suspects_, deaths, std::greater<>(), &suspect::deaths);
    suspects_.insert(place, {std::move(name), deaths});
  }
  /// Those that may begin now, which are not returned again. None while one is alone.
  std::vector<std::string> next() {
    if (is_alone()) return {};
    if (suspects_.empty()) return std::exchange(others_, {});
    alone_ = std::move(suspects_.back().name);
    suspects_.pop_back();
    return {alone_};
  }
  /// It has got further, or has ended. True: next() may have more.
  bool passed(const std::string& name) {
    if (!is_alone() || name != alone_) return false;
    alone_.clear();
    return true;
  }
  bool is_alone() const { return !alone_.empty(); }
  size_t suspects() const { return suspects_.size() + size_t(is_alone()); }

private:
  struct suspect {
    std::string name;
    uint32_t deaths;
  };
  std::vector<suspect> suspects_; // The last one goes first.
  std::vector<std::string> others_;
  std::string alone_; // Empty: none.
};

} // namespace troupe::service
