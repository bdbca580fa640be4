#pragma once
// What the service counts, as Prometheus reads it (text exposition format 0.0.4).
#include "apps/service/serving/generation.hpp"
#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>

namespace troupe::service {

inline double in_seconds(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

/// Counts of values below bounds, which are in seconds.
class histogram {
public:
  static constexpr std::array<double, 20> bounds{0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15,
                                                 0.25,  0.5,   0.75,  1,    2,    5,    10,   20,    60,  300};
  void add(double seconds);
  /// With labels: `{model_name="m"` is what each line has besides `le`.
  void print(std::string& out, const std::string& name, const std::string& labels) const;

private:
  std::array<uint64_t, bounds.size() + 1> counts_{};
  double sum_ = 0;
};

struct service_metrics {
  struct of_model {
    uint64_t prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0;
    std::map<std::string, uint64_t> ended; // By finish reason.
    histogram first_token, per_token, whole;
  };
  std::map<std::string, of_model> models; // By name.
  uint64_t refused = 0;
  uint64_t dashboard_looks = 0; // How often engines were asked for those who watch the dashboard.

  void ended(const generation& one, const api_error* failure);
};

} // namespace troupe::service
