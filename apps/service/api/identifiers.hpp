#pragma once
// Names of what the service makes: "chatcmpl-5f3c...".
#include <cstdint>
#include <random>
#include <string>

namespace troupe::service {

/// Names that nobody can guess.
class identifiers {
public:
  std::string next(const char* prefix) {
    constexpr char digits[] = "0123456789abcdef";
    std::string name(prefix);
    for (int i = 0; i < 3; ++i) {
      uint32_t bits = device_();
      for (int digit = 0; digit < 8; ++digit, bits >>= 4) name += digits[bits & 15];
    }
    return name;
  }

private:
  std::random_device device_;
};

} // namespace troupe::service
