#pragma once
// Names of what the service makes: "chatcmpl-5f3c...".
#include <cstdint>
#include <random>
#include <string>

namespace troupe::service {

/// What an answer has that is neither its request's nor the model's: with the same facts the same answer is made again, byte for byte.
struct drawn_facts {
  std::string name;    // What nobody can guess: 24 digits.
  int64_t created = 0; // Unix time, seconds.
  uint64_t seed = 0;   // Of a request that names none.

  /// "resp_5f3c..."
  std::string id(const char* prefix) const { return prefix + name; }
  /// "call_5f3c..._0": one of several.
  std::string id(const char* prefix, size_t index) const { return id(prefix) + "_" + std::to_string(index); }
};

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
  drawn_facts draw(int64_t now) { return {next(""), now, (uint64_t(device_()) << 32 | device_()) >> 1}; }

private:
  std::random_device device_;
};

} // namespace troupe::service
