// Claims: a general product is, element by element, the chain of fused operations that its header states, to the bit, in every shape,
// for both orientations of A, however it is cut, on every instruction set; and it touches its own elements only.
#include "model/kernels/gemm.hpp"
#include "model/error.hpp"
#include "model/kernels/kernel_support.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

constexpr float sentinel = 42.0f;

void multiply(const gemm_operand& a, const_rows b, mutable_rows c, bool add, row_buffer& scratch) {
  row_buffer panels;
  gemm(a, lay_out(as_is(b), panels), c, add, scratch);
}

/// Matrices with strides larger than their widths. What is between the rows of A and B is NaN, so that whoever uses it is found out.
class product_case {
public:
  product_case(uint32_t i, uint32_t t, uint32_t j, random_bits& random, uint32_t b_stride_min = 0)
      : rows_(i), length_(t), columns_(j), a_stride_(t + 3), turned_stride_(i + 5), b_stride_(std::max(j + 7, b_stride_min)),
        c_stride_(j + 9), a_(i * a_stride_, std::nanf("")), turned_(t * turned_stride_, std::nanf("")),
        b_(t * b_stride_, std::nanf("")), before_(random.units(i * c_stride_)), chains_(before_), sums_(i * c_stride_, 0.0f) {
    for (uint32_t row = 0; row < i; ++row)
      for (uint32_t k = 0; k < t; ++k) a_[row * a_stride_ + k] = turned_[k * turned_stride_ + row] = random.unit();
    for (uint32_t k = 0; k < t; ++k)
      for (uint32_t column = 0; column < j; ++column) b_[k * b_stride_ + column] = random.unit();
    for (auto* all : {&chains_, &sums_})
      for (uint32_t row = 0; row < i; ++row)
        for (uint32_t column = 0; column < j; ++column) {
          float& sum = (*all)[row * c_stride_ + column];
          for (uint32_t k = 0; k < t; ++k) sum = std::fma(b_[k * b_stride_ + column], a_[row * a_stride_ + k], sum);
        }
  }

  uint32_t rows() const { return rows_; }
  uint32_t length() const { return length_; }
  uint32_t columns() const { return columns_; }
  /// Rows [row, row + rows) and columns [k, k + length) of A.
  gemm_operand a(bool turned, uint32_t row, uint32_t rows, uint32_t k, uint32_t length) const {
    if (turned) return transposed({turned_.data() + k * turned_stride_ + row, length, rows, turned_stride_});
    return as_is({a_.data() + row * a_stride_ + k, rows, length, a_stride_});
  }
  const_rows b(uint32_t k, uint32_t length, uint32_t column, uint32_t columns) const {
    return {b_.data() + k * b_stride_ + column, length, columns, b_stride_};
  }
  uint64_t c_stride() const { return c_stride_; }
  /// What C holds before a product that adds; what it is to hold after it, or after one that does not add.
  const std::vector<float>& before() const { return before_; }
  const std::vector<float>& expected(bool add) const { return add ? chains_ : sums_; }

  /// Whether the first `rows` rows and `columns` columns of the product have the bits of the chains, and nothing else is written.
  bool holds(uint32_t rows, uint32_t columns, bool turned, bool add, row_buffer& scratch) const {
    std::vector<float> out((rows + 2) * c_stride_, sentinel);
    const mutable_rows c{out.data() + c_stride_, rows, columns, c_stride_}; // Between two rows that are not its own.
    if (add)
      for (uint32_t row = 0; row < rows; ++row)
        std::copy_n(before_.begin() + ptrdiff_t(row * c_stride_), columns, c.row(row).begin());
    multiply(a(turned, 0, rows, 0, length_), b(0, length_, 0, columns), c, add, scratch);
    for (uint32_t row = 0; row < rows + 2; ++row) {
      const bool is_own = row > 0 && row <= rows;
      const float* got = out.data() + row * c_stride_;
      if (is_own && std::memcmp(got, expected(add).data() + (row - 1) * c_stride_, columns * sizeof(float)) != 0) return false;
      for (uint64_t column = is_own ? columns : 0; column < c_stride_; ++column)
        if (got[column] != sentinel) return false;
    }
    return true;
  }

private:
  uint32_t rows_, length_, columns_;
  uint64_t a_stride_, turned_stride_, b_stride_, c_stride_;
  std::vector<float> a_, turned_, b_, before_, chains_, sums_;
};

struct piece {
  uint32_t first, count;
};
std::vector<piece> random_cut(uint32_t size, random_bits& random) {
  std::vector<piece> pieces;
  for (uint32_t first = 0; first < size; first += pieces.back().count) pieces.push_back({first, 1 + random.below(size - first)});
  return pieces;
}

} // namespace

TEST_CASE("every element of a general product is its chain of fused sums, in every small shape on every instruction set",
          "[kernels]") {
  const isa_guard guard;
  random_bits random(101);
  row_buffer scratch;
  for (const uint32_t length : {0u, 1u, 2u, 3u, 7u, 16u, 40u}) {
    const product_case product(40, length, 40, random);
    for (const std::string& isa : available_isas()) {
      pin_isa(isa);
      for (uint32_t rows = 1; rows <= 40; ++rows)
        for (uint32_t columns = 1; columns <= 40; columns += isa == "plain" ? 1 + random.below(12) : 1)
          for (const bool turned : {false, true})
            for (const bool add : {false, true}) {
              if (product.holds(rows, columns, turned, add, scratch)) continue;
              INFO(rows << " x " << length << " x " << columns << (turned ? " transposed" : "") << (add ? " added" : "") << " on "
                        << isa);
              FAIL("other bits, or bits elsewhere");
            }
    }
  }
}

TEST_CASE("general products around blocks and panels have the same bits as small ones", "[kernels]") {
  const isa_guard guard;
  random_bits random(102);
  // Copies of A are made where B is wide and A transposed, or its rows 512 apart (as with a length of 509, see product_case).
  for (const uint32_t length : {4u, 39u, 255u, 256u, 257u, 509u, 513u})
    for (const uint32_t b_stride : {0u, 600u}) {
      const product_case product(51, length, 164, random, b_stride);
      for (const std::string& isa : available_isas()) {
        pin_isa(isa);
        for (const uint32_t rows : {1u, 16u, 17u, 25u, 48u, 49u, 51u})
          for (const uint32_t columns : {3u, 32u, 63u, 64u, 65u, 127u, 128u, 129u, 145u, 164u}) {
            if (isa == "plain" && random.below(8) != 0) continue;
            const bool turned = random.below(2) == 0, add = random.below(2) == 0;
            row_buffer scratch(random.below(2) * 100'000, std::nanf("")); // What it held before does not matter.
            INFO(rows << " x " << length << " x " << columns << " stride " << b_stride << (turned ? " transposed" : "")
                      << (add ? " added" : "") << " on " << isa);
            REQUIRE(product.holds(rows, columns, turned, add, scratch));
          }
      }
    }
}

TEST_CASE("however a general product is cut along its rows, columns and sums, its bits stay the same", "[kernels]") {
  const isa_guard guard;
  random_bits random(103);
  row_buffer scratch;
  for (const std::string& isa : available_isas()) {
    pin_isa(isa);
    for (int round = 0; round < (isa == "plain" ? 2 : 12); ++round) {
      const product_case product(1 + random.below(70), 1 + random.below(600), 1 + random.below(200), random);
      const bool turned = round % 2 == 0;
      std::vector<float> out = product.before();
      for (const piece k : random_cut(product.length(), random)) // In their order; each with a cut of its own.
        for (const piece i : random_cut(product.rows(), random))
          for (const piece j : random_cut(product.columns(), random))
            multiply(product.a(turned, i.first, i.count, k.first, k.count), product.b(k.first, k.count, j.first, j.count),
                 {out.data() + i.first * product.c_stride() + j.first, i.count, j.count, product.c_stride()}, true, scratch);
      INFO(product.rows() << " x " << product.length() << " x " << product.columns() << " on " << isa);
      REQUIRE(same_bits(out, product.expected(true)));
    }
  }
}

TEST_CASE("parts of panels, of a matrix or of a transpose, give the bits of that part of the matrix", "[kernels]") {
  const isa_guard guard;
  random_bits random(107);
  row_buffer scratch, buffer, turned_buffer;
  for (const std::string& isa : available_isas()) {
    pin_isa(isa);
    for (const uint32_t columns : {1u, 31u, 32u, 33u, 100u, 300u, 320u}) {
      const uint32_t rows = 7, length = 90;
      const std::vector<float> a = random.units(rows * length), b = random.units(length * columns);
      std::vector<float> turned(b.size()), wanted(rows * columns), got(wanted.size());
      for (uint32_t t = 0; t < length; ++t)
        for (uint32_t column = 0; column < columns; ++column) turned[column * length + t] = b[t * columns + column];
      const const_rows whole{b.data(), length, columns, columns};
      lay_out(as_is(whole), buffer);
      lay_out(transposed({turned.data(), columns, length, length}), turned_buffer);
      for (int round = 0; round < 5; ++round) {
        const uint32_t first = random.below(length), count = 1 + random.below(length - first), width = 1 + random.below(columns);
        const gemm_operand part = as_is({a.data() + first, rows, count, length});
        multiply(part, some_columns(some_rows(whole, first, count), 0, width), {wanted.data(), rows, width, columns}, false, scratch);
        for (const row_buffer* panels : {&buffer, &turned_buffer}) {
          gemm(part, panels_of_buffer(*panels, length, columns).some_rows(first, count).first_columns(width),
               {got.data(), rows, width, columns}, false, scratch);
          INFO("rows " << first << " + " << count << ", columns " << width << " of " << columns << " on " << isa);
          REQUIRE(same_bits(got, wanted));
        }
      }
    }
  }
}

TEST_CASE("a general product is within rounding of the one in float64", "[kernels]") {
  random_bits random(104);
  row_buffer scratch;
  for (const uint32_t length : {0u, 1u, 40u, 257u, 1000u})
    for (const bool add : {false, true})
      for (const bool turned : {false, true}) {
        const uint32_t rows = 13, columns = 37;
        const std::vector<float> values = random.units(rows * length), b = random.units(length * columns);
        std::vector<float> c = random.units(rows * columns), exact = c;
        const gemm_operand a = turned ? transposed({values.data(), length, rows, rows}) : as_is({values.data(), rows, length, length});
        multiply(a, {b.data(), length, columns, columns}, rows_of(c, rows), add, scratch);
        gemm_reference(a, {b.data(), length, columns, columns}, rows_of(exact, rows), add);
        for (uint32_t i = 0; i < rows; ++i)
          for (uint32_t j = 0; j < columns; ++j) {
            double magnitude = 2; // Of what was there, and the rounding of the reference.
            for (uint32_t t = 0; t < length; ++t)
              magnitude += std::abs(double(values[turned ? t * rows + i : i * length + t]) * double(b[t * columns + j]));
            INFO("element " << i << ", " << j << " of length " << length);
            REQUIRE(std::abs(c[i * columns + j] - exact[i * columns + j]) <= double(length + 2) * 0x1p-24 * magnitude);
          }
      }
}

TEST_CASE("a general product has the bits of the product by packed float32 weights", "[kernels]") {
  const isa_guard guard;
  random_bits random(105);
  row_buffer scratch;
  for (const std::string& isa : available_isas()) {
    pin_isa(isa);
    for (const uint32_t columns : {1u, 7u, 172u, 300u, 512u}) {
      const uint32_t rows = 19, outputs = 67;
      const owned_tensor w = random_tensor(tensor_type::f32, outputs, columns, random);
      const std::vector<float> x = random.units(rows * columns);
      std::vector<float> turned(columns * outputs), y(rows * outputs);
      for (uint32_t n = 0; n < outputs; ++n)
        for (uint32_t k = 0; k < columns; ++k) std::memcpy(&turned[k * outputs + n], &w.bytes[4 * (n * columns + k)], 4);
      multiply(as_is(rows_of(x, rows)), {turned.data(), columns, outputs, outputs}, rows_of(y, rows), false, scratch);
      INFO("columns " << columns << " on " << isa);
      REQUIRE(same_bits(y, product_of(*packed_matrix::pack(w.view), rows_of(x, rows))));
    }
  }
}

TEST_CASE("an element of A that is not finite spoils its row of the product only, one of B its column only", "[kernels]") {
  const isa_guard guard;
  random_bits random(106);
  row_buffer scratch;
  for (const std::string& isa : available_isas()) {
    pin_isa(isa);
    for (const float poison : {std::nanf(""), HUGE_VALF})
      for (const bool turned : {false, true}) {
        const uint32_t rows = 29, length = 9, columns = 35, row = random.below(rows), column = random.below(columns);
        std::vector<float> a = random.units(rows * length), b = random.units(length * columns), clean(rows * columns), c = clean;
        const auto multiply_into = [&](std::vector<float>& to) {
          multiply(turned ? transposed({a.data(), length, rows, rows}) : as_is({a.data(), rows, length, length}),
               {b.data(), length, columns, columns}, rows_of(to, rows), false, scratch);
        };
        multiply_into(clean);
        const uint32_t t = random.below(length);
        a[turned ? t * rows + row : row * length + t] = poison;
        b[random.below(length) * columns + column] = poison;
        multiply_into(c);
        for (uint32_t i = 0; i < rows; ++i)
          for (uint32_t j = 0; j < columns; ++j) {
            INFO("element " << i << ", " << j << " on " << isa);
            if (i == row || j == column)
              REQUIRE(!std::isfinite(c[i * columns + j]));
            else
              REQUIRE(same_bits(c[i * columns + j], clean[i * columns + j]));
          }
      }
  }
}

TEST_CASE("a general product refuses matrices that do not fit", "[kernels]") {
  std::vector<float> a(6), b(12), c(8);
  row_buffer scratch;
  const const_rows x{a.data(), 2, 3, 3}, y{b.data(), 3, 4, 4};
  REQUIRE_NOTHROW(multiply(as_is(x), y, {c.data(), 2, 4, 4}, false, scratch));
  REQUIRE_NOTHROW(multiply(transposed(y), {b.data(), 3, 2, 2}, {c.data(), 4, 2, 2}, false, scratch));
  REQUIRE_THROWS_AS(multiply(transposed(x), y, {c.data(), 2, 4, 4}, false, scratch), broken_invariant);
  REQUIRE_THROWS_AS(multiply(as_is(x), y, {c.data(), 1, 4, 4}, false, scratch), broken_invariant);
  REQUIRE_THROWS_AS(multiply(as_is(x), y, {c.data(), 2, 3, 4}, false, scratch), broken_invariant);
  REQUIRE_THROWS_AS(multiply(as_is(x), y, {c.data(), 2, 4, 3}, false, scratch), broken_invariant);
  REQUIRE_THROWS_AS(multiply(as_is(x), {b.data(), 3, 4, 3}, {c.data(), 2, 4, 4}, false, scratch), broken_invariant);
  row_buffer buffer;
  REQUIRE_NOTHROW(gemm(as_is(x), lay_out(as_is(y), buffer), {c.data(), 2, 4, 4}, false, scratch));
  REQUIRE_THROWS_AS(gemm(as_is(x), lay_out(transposed(y), buffer), {c.data(), 2, 4, 4}, false, scratch), broken_invariant);
  REQUIRE_THROWS_AS(panels_of_buffer(buffer, 1000, 1000), broken_invariant);
  REQUIRE_THROWS_AS(multiply({a.data(), 2, 3, 3, 2}, y, {c.data(), 2, 4, 4}, false, scratch), broken_invariant);
}
