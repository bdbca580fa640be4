#pragma once
// What every instruction set implements: the functions of model/kernels, behind their checks.
#include "model/kernels/row_buffers.hpp"
#include "model/spec.hpp"

namespace troupe {

class packed_matrix; // matrix.hpp
class operand;
struct int8_block;
class kv_cache; // attention.hpp
struct gemm_operand; // gemm.hpp
struct gemm_panels;
struct logit_sums;   // backward.hpp
struct adam_step;

/// Arguments of `multiply`, checked.
struct product {
  const packed_matrix& w;
  const operand& x;
  const float* bias; // [w.rows()] or null.
  mutable_rows out;
};

/// Arguments of `attend`, checked.
struct attention_task {
  const kv_cache& cache;
  const_rows queries; // [rows, heads * head_dim]
  uint32_t heads;
  visible_positions visible;
  float scale;
  score_bias bias;
  mutable_rows out; // [rows, heads * head_dim]
  const kv_cache* next; // What is attended to after this, or null: its memory is fetched meanwhile.
  float* weights;   // Scratch: [4][the most positions rounded up to whole pages].
  float* sums;      // Result: [rows * heads]
};

/// Arguments of `gemm`, checked.
struct gemm_task {
  const gemm_operand& a;
  const gemm_panels& b;
  mutable_rows c;
  bool add;
  row_buffer& scratch;
};

struct kernel_table {
  const char* name;
  void (*multiply)(const product& task);
  /// False: something is wrong, and the output with it. totals: scratch, [x.rows]. For matrices that keep column sums.
  bool (*multiply_checked)(const product& task, uint32_t* totals);
  /// The sum of all 32-bit words, modulo 2^32. bytes: aligned to 4, a multiple of 4.
  uint32_t (*sum_words)(const uint8_t* bytes, uint64_t count);
  /// x: [columns], blocks: [(columns + 31) / 32].
  void (*quantize_row)(const float* x, uint32_t columns, int8_block* blocks);
  void (*normalize)(const norm_spec& spec, const float* weight, const float* bias, const float* x, float* out,
                    uint32_t columns);
  void (*activate)(activation_kind kind, float* x, uint32_t columns);
  void (*activate_gated)(activation_kind kind, float* gate, const float* up, uint32_t columns);
  void (*add)(float* x, const float* y, uint32_t columns);
  /// Turns pairs of elements: (2i, 2i+1), or (i, i + pairs). cosines, sines: [pairs].
  void (*rotate_interleaved)(float* head, const float* cosines, const float* sines, uint32_t pairs);
  void (*rotate_halves)(float* head, const float* cosines, const float* sines, uint32_t pairs);
  float (*largest)(const float* x, uint64_t count);
  bool (*is_finite)(const float* x, uint64_t count);
  /// halves[i] = half_of_float(x[i]). Room for whole vectors of 16; what is behind the last element is not defined.
  void (*to_halves)(const float* x, uint16_t* halves, uint32_t count);
  void (*attend)(const attention_task& task);
  void (*gemm)(const gemm_task& task);
  // See backward.hpp.
  void (*normalize_backward)(const norm_spec& spec, const float* weight, const float* x, const float* dy, float* dx,
                             float* dweight, float* dbias, uint32_t columns);
  void (*activate_backward)(activation_kind kind, const float* x, float* dy, uint32_t columns);
  void (*activate_gated_backward)(activation_kind kind, float* gate, float* up, const float* dy, uint32_t columns);
  void (*softmax)(float* x, uint32_t count);
  void (*softmax_backward)(const float* weights, float* dy, uint32_t count, float scale);
  logit_sums (*sum_logits)(const float* x, uint32_t count);
  void (*cross_entropy_backward)(float* x, uint32_t count, float log_sum, float scale, float each);
  void (*adam)(const adam_step& step, float* w, float* m, float* v, const float* g, uint64_t count, bool decays);
  // See limits.hpp.
  void (*read_all)(const uint8_t* bytes, uint64_t count);
  uint64_t (*multiply_int8_only)(uint64_t operations);
  uint64_t (*multiply_float_only)(uint64_t operations);
  bool has_tile_registers = false; // Operands of many rows are wanted in tiles as well.
};

extern const kernel_table plain_kernels;
#if defined(__x86_64__)
extern const kernel_table avx2_kernels;
extern const kernel_table avx512_kernels;
const kernel_table& amx_kernels();
#endif

/// The table in use, see isa.hpp.
const kernel_table& current_kernels();

} // namespace troupe
