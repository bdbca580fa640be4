// Attention from its formula in attention.hpp, in float64.
#include "model/error.hpp"
#include "model/kernels/attention.hpp"
#include <Eigen/Core>

namespace troupe {

void attend_reference(std::span<const float> keys, std::span<const float> values,
                      std::span<const float> query, float scale, std::span<float> out) {
  TROUPE_ASSERT(query.size() > 0);
  TROUPE_ASSERT(keys.size() % query.size() == 0);
  TROUPE_ASSERT(values.size() == keys.size());
  TROUPE_ASSERT(out.size() == query.size());
  using matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const auto head_dim = Eigen::Index(query.size()), positions = Eigen::Index(keys.size()) / head_dim;
  const Eigen::Map<const matrix> k(keys.data(), positions, head_dim), v(values.data(), positions, head_dim);
  const Eigen::Map<const Eigen::VectorXf> q(query.data(), head_dim);
  const Eigen::VectorXd scores = double(scale) * (k.cast<double>() * q.cast<double>());
  const Eigen::VectorXd weights = (scores.array() - scores.maxCoeff()).exp();
  Eigen::Map<Eigen::VectorXf>(out.data(), head_dim) =
      (v.cast<double>().transpose() * weights / weights.sum()).cast<float>();
}

} // namespace troupe
