#include "model/float64_model.hpp"
#include "model/kernels/dequantize.hpp"
#include <cmath>
#include <complex>
#include <numbers>
#include <stdexcept>

namespace troupe {
namespace {

float64_matrix matrix_of(const stored_tensor& tensor) {
  const std::vector<float> values = dequantize(tensor);
  float64_matrix matrix(tensor.rows, tensor.columns);
  for (Eigen::Index i = 0; i < matrix.size(); ++i) matrix.data()[i] = values[size_t(i)];
  return matrix;
}

float64_matrix product(const projection_tensors& tensors, const float64_matrix& x) {
  float64_matrix y = x * matrix_of(tensors.weight).transpose();
  if (tensors.bias) y.rowwise() += matrix_of(*tensors.bias).row(0);
  return y;
}

float64_matrix norm(const norm_spec& spec, const norm_tensors& tensors, float64_matrix x) {
  const float64_matrix weight = matrix_of(tensors.weight);
  for (Eigen::Index i = 0; i < x.rows(); ++i) {
    if (spec.kind == norm_kind::layer) x.row(i).array() -= x.row(i).mean();
    x.row(i) /= std::sqrt(x.row(i).squaredNorm() / double(x.cols()) + spec.epsilon);
    x.row(i).array() *= weight.row(0).array();
    if (tensors.bias) x.row(i) += matrix_of(*tensors.bias).row(0);
  }
  return x;
}

double activate_one(activation_kind kind, double x) {
  switch (kind) {
  case activation_kind::relu:
    return x > 0 ? x : 0;
  case activation_kind::gelu_tanh:
    return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
  case activation_kind::gelu_erf:
    return 0.5 * x * (1 + std::erf(x / std::numbers::sqrt2));
  case activation_kind::silu:
    return x / (1 + std::exp(-x));
  case activation_kind::tanh:
    return std::tanh(x);
  }
  throw std::logic_error("no such activation");
}

/// Row i is at position i. A pair is a complex number, which turns by position * frequency.
float64_matrix turn(const rope_spec& spec, float64_matrix x) {
  const uint32_t pairs = spec.kind == rope_kind::none ? 0 : spec.dimensions / 2;
  for (Eigen::Index position = 0; position < x.rows(); ++position)
    for (uint32_t pair = 0; pair < pairs; ++pair) {
      const bool interleaved = spec.kind == rope_kind::interleaved;
      double& re = x(position, interleaved ? 2 * pair : pair);
      double& im = x(position, interleaved ? 2 * pair + 1 : pair + pairs);
      double frequency = std::pow(double(spec.base), -2.0 * pair / spec.dimensions) / spec.scaling_factor;
      if (!spec.factors.empty()) frequency /= spec.factors[pair];
      double magnitude = 1;
      if (spec.yarn) { // By how many turns the bounds make, as the paper has it, and rounded to whole pairs.
        const auto pair_of = [&](double turns) {
          return spec.dimensions / 2.0 * std::log(spec.yarn->original_context / (2 * std::numbers::pi * turns)) / std::log(spec.base);
        };
        const double low = std::max(0.0, std::floor(pair_of(spec.yarn->beta_fast))), high = std::ceil(pair_of(spec.yarn->beta_slow));
        const double slower = pair <= low ? 0 : pair >= high ? 1 : (pair - low) / (high - low);
        frequency = frequency / spec.yarn->factor * slower + frequency * (1 - slower);
        magnitude = spec.yarn->magnitude;
      }
      const std::complex<double> turned =
          std::complex<double>(re, im) * std::polar(magnitude, double(position) * frequency);
      re = turned.real();
      im = turned.imag();
    }
  return x;
}

float64_matrix softmax_attention(const float64_matrix& q, const float64_matrix& k, const float64_matrix& v,
                                 double scale, bool causal) {
  float64_matrix out(q.rows(), v.cols());
  for (Eigen::Index i = 0; i < q.rows(); ++i) {
    const Eigen::Index seen = causal ? i + 1 : k.rows();
    Eigen::RowVectorXd scores = scale * q.row(i) * k.topRows(seen).transpose();
    scores = (scores.array() - scores.maxCoeff()).exp();
    out.row(i) = scores / scores.sum() * v.topRows(seen);
  }
  return out;
}

float64_matrix attention(const attention_spec& spec, const attention_tensors& tensors, const float64_matrix& x,
                         const float64_matrix& source) {
  const float64_matrix q = product(tensors.query, x);
  const float64_matrix k = product(tensors.key, source);
  const float64_matrix v = product(tensors.value, source);
  float64_matrix heads(x.rows(), q.cols());
  for (uint32_t head = 0; head < spec.heads; ++head) {
    const Eigen::Index dim = spec.head_dim, own = head * dim, shared = head / spec.group() * dim;
    float64_matrix query = q.middleCols(own, dim), key = k.middleCols(shared, dim);
    if (spec.query_key_norm) {
      query = norm(*spec.query_key_norm, *tensors.query_norm, query);
      key = norm(*spec.query_key_norm, *tensors.key_norm, key);
    }
    heads.middleCols(own, dim) = softmax_attention(turn(spec.rope, query), turn(spec.rope, key),
                                                   v.middleCols(shared, dim), spec.scale, spec.causal);
  }
  return product(tensors.output, heads);
}

float64_matrix feed_forward(const feed_forward_spec& spec, const feed_forward_tensors& tensors,
                            const float64_matrix& x) {
  const auto act = [&](double value) { return activate_one(spec.activation, value); };
  const float64_matrix up = product(tensors.up, x);
  if (!spec.gated) return product(tensors.down, up.unaryExpr(act));
  return product(tensors.down, product(*tensors.gate, x).unaryExpr(act).cwiseProduct(up));
}

/// Pixel by pixel, as the formula of a convolution has them.
void enter_patches(const image_spec& image, const projection_tensors& tensors, std::span<const float> pixels, float64_matrix& x) {
  const float64_matrix weight = matrix_of(tensors.weight), bias = matrix_of(*tensors.bias);
  const uint32_t across = image.width / image.patch_width;
  for (uint32_t patch = 0; patch < image.patches(); ++patch) {
    auto row = x.row(patch + 1);
    row = bias.row(0);
    for (uint32_t channel = 0; channel < image.channels; ++channel)
      for (uint32_t i = 0; i < image.patch_height; ++i)
        for (uint32_t j = 0; j < image.patch_width; ++j) {
          const uint32_t y = patch / across * image.patch_height + i, column = patch % across * image.patch_width + j;
          row += double(pixels[(size_t(channel) * image.height + y) * image.width + column]) *
                 weight.col((channel * image.patch_height + i) * image.patch_width + j).transpose();
        }
  }
}

float64_matrix embed(const stack_spec& stack, const stack_tensors& tensors, std::span<const uint32_t> tokens,
                     std::span<const uint32_t> segments, std::span<const float> pixels) {
  const embedding_spec& spec = stack.embedding;
  const float64_matrix table = matrix_of(tensors.embedding);
  const float64_matrix position_table = tensors.positions ? matrix_of(*tensors.positions) : float64_matrix();
  const float64_matrix segment_table = tensors.segments ? matrix_of(*tensors.segments) : float64_matrix();
  const Eigen::Index width = table.cols();
  float64_matrix x(tokens.size(), width);
  if (spec.image) enter_patches(*spec.image, *tensors.patches, pixels, x);
  for (Eigen::Index i = 0; i < x.rows(); ++i) {
    if (!spec.image || i == 0) x.row(i) = double(spec.scale) * table.row(tokens[size_t(i)]);
    if (tensors.positions) x.row(i) += position_table.row(i + spec.position_offset);
    if (tensors.segments) x.row(i) += segment_table.row(segments.empty() ? 0 : segments[size_t(i)]);
    const bool in_halves = spec.positions == position_kind::sinusoidal_halves;
    if (spec.positions != position_kind::sinusoidal && !in_halves) continue;
    for (Eigen::Index pair = 0; pair < width / 2; ++pair) {
      const double angle = double(i) / std::pow(10000.0, double(2 * pair) / double(width));
      x(i, in_halves ? pair : 2 * pair) += std::sin(angle);
      x(i, in_halves ? pair + width / 2 : 2 * pair + 1) += std::cos(angle);
    }
  }
  return spec.norm ? norm(*spec.norm, *tensors.embedding_norm, x) : x;
}

template <class Block> void add_block(const layer_spec& layer, const norm_tensors& tensors, float64_matrix& x, Block block) {
  if (layer.norms == norm_place::before) x += block(norm(layer.norm, tensors, x));
  else x = norm(layer.norm, tensors, x + block(x));
}

float64_matrix run_stack(const stack_spec& spec, const stack_tensors& tensors, std::span<const uint32_t> tokens,
                         std::span<const uint32_t> segments, std::span<const float> pixels, const float64_matrix& source) {
  float64_matrix x = embed(spec, tensors, tokens, segments, pixels);
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    const layer_spec& layer = spec.layers[i];
    const layer_tensors& parts = tensors.layers[i];
    add_block(layer, parts.attention_norm, x,
              [&](const float64_matrix& in) { return attention(layer.attention, parts.attention, in, in); });
    if (layer.cross_attention)
      add_block(layer, *parts.cross_attention_norm, x,
                [&](const float64_matrix& in) { return attention(*layer.cross_attention, *parts.cross_attention, in, source); });
    add_block(layer, parts.feed_forward_norm, x,
              [&](const float64_matrix& in) { return feed_forward(layer.feed_forward, parts.feed_forward, in); });
  }
  return spec.final_norm ? norm(*spec.final_norm, *tensors.final_norm, x) : x;
}

} // namespace

float64_matrix float64_logits(const model_file& file, std::span<const uint32_t> tokens, std::span<const uint32_t> segments,
                              std::span<const uint32_t> source, std::span<const float> pixels) {
  const model_spec& spec = file.spec;
  const model_tensors& tensors = file.tensors;
  float64_matrix encoded;
  if (spec.encoder) encoded = run_stack(*spec.encoder, *tensors.encoder, source, {}, {}, {});
  float64_matrix x = run_stack(spec, tensors, tokens, segments, pixels, encoded);
  if (spec.output.of_first_row) x = float64_matrix(x.topRows(1));
  x *= double(spec.output.scale);
  if (const auto& transform = spec.output.transform) {
    x = product(*tensors.output_transform, x).unaryExpr([&](double value) { return activate_one(transform->activation, value); });
    if (transform->norm) x = norm(*transform->norm, *tensors.output_transform_norm, x);
  }
  return product(tensors.output, x);
}

double relative_error(std::span<const float> actual, const float64_matrix& expected) {
  if (actual.size() != size_t(expected.size())) throw std::logic_error("sizes differ");
  double squares = 0;
  for (size_t i = 0; i < actual.size(); ++i) squares += std::pow(actual[i] - expected.data()[i], 2);
  const double spread = (expected.array() - expected.mean()).matrix().squaredNorm();
  return std::sqrt(squares / spread);
}

} // namespace troupe
