// From a file's rows to the layout of layout.hpp.
#include "model/content_hash.hpp"
#include "model/error.hpp"
#include "model/kernels/kernel_arguments.hpp"
#include "model/kernels/layout.hpp"
#include <algorithm>

namespace troupe {
namespace {

constexpr uint32_t ones = 0x01010101; // One in each byte of a word.

/// Writes the codes of 32 columns of the row in `lane`. codes: [32]; block: [packed_code_bytes].
template <uint32_t CodeBits>
void pack_codes(const uint8_t* codes, uint32_t lane, uint8_t* block) {
  uint32_t words[8];
  std::memcpy(words, codes, sizeof words);
  const auto put = [&](uint32_t vector, uint32_t word) {
    std::memcpy(block + vector * 64 + lane * 4, &word, sizeof word);
  };
  if constexpr (CodeBits == 8) {
    for (uint32_t j = 0; j < 8; ++j) put(j, words[j]);
    return;
  }
  for (uint32_t v = 0; v < 4; ++v) put(v, (words[v] & 15 * ones) | (words[v + 4] & 15 * ones) << 4);
  if constexpr (CodeBits == 5) {
    uint32_t fifth = 0;
    for (uint32_t j = 0; j < 8; ++j) fifth |= (words[j] >> 4 & ones) << j;
    put(4, fifth);
  }
  if constexpr (CodeBits == 6)
    for (uint32_t half = 0; half < 2; ++half) {
      uint32_t upper = 0;
      for (uint32_t j = 0; j < 4; ++j) upper |= (words[4 * half + j] >> 4 & 3 * ones) << 2 * j;
      put(4 + half, upper);
    }
}

void put_half(uint8_t* halves, uint32_t lane, uint16_t value) { std::memcpy(halves + 2 * lane, &value, 2); }

/// Writes the scales of one block of the file's format for the row in `lane`. record: [packed_scale_bytes].
template <scale_kind Kind>
void pack_scales(const block_parts& parts, uint32_t lane, uint8_t* record) {
  put_half(record, lane, parts.d);
  if constexpr (Kind == scale_kind::half_minimum) put_half(record + 32, lane, parts.minimum);
  if constexpr (Kind == scale_kind::super_minimum) {
    put_half(record + 32, lane, parts.minimum ^ 0x8000); // Negated, so that the kernel adds.
    for (uint32_t i = 0; i < 8; ++i) {
      record[64 + 32 * i + lane] = parts.scales[i];
      record[64 + 32 * i + 16 + lane] = parts.minimums[i];
    }
  }
  if constexpr (Kind == scale_kind::super_signed)
    for (uint32_t i = 0; i < 16; ++i) record[32 + 16 * i + lane] = parts.scales[i];
}

/// Packs up to 16 rows, `row_bytes` apart. codes and scales: of the group. column_sums: of its strip, added to; or null.
template <class Format>
void pack_group(const uint8_t* rows, uint32_t row_count, uint64_t row_bytes, uint64_t columns, uint8_t* codes,
                uint8_t* scales, int16_t* column_sums) {
  constexpr uint64_t code_bytes = packed_code_bytes(Format::code_bits);
  constexpr uint64_t scale_bytes = packed_scale_bytes(Format::scaling);
  static_assert(scale_columns(Format::scaling) == Format::elements);
  constexpr uint32_t runs = Format::elements / 32;
  for (uint64_t block = 0; block < columns / Format::elements; ++block) {
    for (uint32_t lane = 0; lane < group_rows; ++lane) {
      block_parts parts;
      if (lane < row_count)
        Format::unpack(rows + lane * row_bytes + block * Format::bytes, parts);
      else
        std::memset(parts.codes, 0, sizeof parts.codes); // With scales of 0 from block_parts.
      for (uint32_t run = 0; run < runs; ++run)
        pack_codes<Format::code_bits>(parts.codes + 32 * run, lane, codes + run * code_bytes);
      pack_scales<Format::scaling>(parts, lane, scales);
      if (column_sums != nullptr)
        for (uint32_t i = 0; i < Format::elements; ++i) column_sums[i] += int16_t(parts.codes[i] - int(Format::offset));
    }
    if (column_sums != nullptr) column_sums += Format::elements;
    codes += runs * code_bytes;
    scales += scale_bytes;
  }
}

/// The same for elements of `Word`'s size: [columns][16].
template <class Word>
void pack_plain_group(const uint8_t* rows, uint32_t row_count, uint64_t row_bytes, uint64_t columns,
                      uint8_t* out) {
  constexpr uint64_t tile = 16; // Columns at a time, so that what is written stays in the nearest cache.
  for (uint64_t first = 0; first < columns; first += tile)
    for (uint32_t lane = 0; lane < group_rows; ++lane)
      for (uint64_t column = first; column < std::min(first + tile, columns); ++column) {
        Word word = 0;
        if (lane < row_count) std::memcpy(&word, rows + lane * row_bytes + column * sizeof word, sizeof word);
        std::memcpy(out + (column * group_rows + lane) * sizeof word, &word, sizeof word);
      }
}

} // namespace

packed_matrix::packed_matrix() : layout_(std::make_unique<layout>()) {}
packed_matrix::~packed_matrix() = default;

operand_kind packed_matrix::wants() const {
  return layout_->scale_bytes == 0 ? operand_kind::float32 : operand_kind::int8_blocks;
}

uint64_t packed_matrix::bytes() const {
  return layout_->bytes();
}

namespace {

strip_sums sums_of(const packed_matrix::layout& w, uint32_t strip, uint32_t columns) {
  const auto sum = current_kernels().sum_words;
  const uint32_t first = strip * strip_groups, groups = std::min(strip_groups, w.groups - first);
  strip_sums sums{};
  sums.codes = sum(w.codes(first), groups * w.code_bytes);
  sums.scales = sum(w.scales(first), groups * w.scale_bytes);
  if (w.column_sums != nullptr)
    sums.columns = sum(reinterpret_cast<const uint8_t*>(w.column_sums + uint64_t(strip) * columns), columns * sizeof(int16_t));
  return sums;
}

} // namespace

kept_sums packed_matrix::keeps() const { return layout_->keep; }

uint32_t packed_matrix::strips() const { return uint32_t(layout_->strips.size()); }

uint64_t packed_matrix::strip_bytes() const {
  return strip_groups * (layout_->scale_bytes + layout_->code_bytes);
}

bool packed_matrix::is_intact(uint32_t strip) const {
  if (layout_->strips.empty()) return true;
  TROUPE_ASSERT(strip < strips());
  return sums_of(*layout_, strip, columns_) == layout_->strips[strip];
}

bool packed_matrix::is_intact() const {
  for (uint32_t strip = 0; strip < strips(); ++strip)
    if (!is_intact(strip)) return false;
  return true;
}

std::span<uint8_t> packed_matrix::all_bytes() const {
  const uint64_t sums = layout_->column_sums == nullptr ? 0 : uint64_t(strips()) * columns_ * sizeof(int16_t);
  return {layout_->memory.get(), bytes() + sums};
}

namespace {

/// The sizes of a packed tensor; everything but its memory.
struct packed_sizes {
  packed_matrix::layout layout;
  uint64_t column_sum_bytes;
};

packed_sizes measure(const tensor_view& tensor, kept_sums keep) {
  TROUPE_ASSERT(tensor.rows > 0 && tensor.rows <= UINT32_MAX - group_rows);
  TROUPE_ASSERT(tensor.columns > 0 && tensor.columns <= UINT32_MAX - 31);
  packed_sizes sizes{};
  packed_matrix::layout& target = sizes.layout;
  target.type = tensor.type;
  target.keep = keep;
  target.groups = uint32_t((tensor.rows + group_rows - 1) / group_rows);
  const bool has_blocks = with_block_format(tensor.type, [&](auto format) {
    using type = decltype(format);
    target.code_bytes = tensor.columns / 32 * packed_code_bytes(type::code_bits);
    target.scale_bytes = (tensor.columns / type::elements * packed_scale_bytes(type::scaling) + 63) / 64 * 64;
  });
  if (!has_blocks) target.code_bytes = tensor.columns * group_rows * traits_of(tensor.type).block_bytes;
  if (keep != kept_sums::none) target.strips.resize((target.groups + strip_groups - 1) / strip_groups);
  if (keep == kept_sums::columns && has_blocks)
    sizes.column_sum_bytes = target.strips.size() * tensor.columns * sizeof(int16_t);
  return sizes;
}

tensor_view shape_of(const stored_tensor& tensor) { return {tensor.name, tensor.type, tensor.rows, tensor.columns, {}}; }

} // namespace

uint64_t packed_matrix::packed_bytes(const tensor_view& tensor, kept_sums keep) {
  const packed_sizes sizes = measure(tensor, keep);
  return (sizes.layout.bytes() + sizes.column_sum_bytes + 63) / 64 * 64;
}

uint64_t packed_matrix::packed_bytes(const stored_tensor& tensor, kept_sums keep) { return packed_bytes(shape_of(tensor), keep); }

std::shared_ptr<packed_matrix> packed_matrix::empty(const tensor_view& shape, weight_memory memory, kept_sums keep) {
  TROUPE_ASSERT(reinterpret_cast<uintptr_t>(memory.get()) % 64 == 0);
  std::shared_ptr<packed_matrix> matrix(new packed_matrix);
  matrix->rows_ = uint32_t(shape.rows);
  matrix->columns_ = uint32_t(shape.columns);
  packed_sizes sizes = measure(shape, keep);
  layout& target = *matrix->layout_;
  target = std::move(sizes.layout);
  target.memory = std::move(memory);
  if (sizes.column_sum_bytes > 0) target.column_sums = reinterpret_cast<int16_t*>(target.memory.get() + target.bytes());
  return matrix;
}

void packed_matrix::pack_rows(const tensor_view& tensor, uint64_t first_row) {
  const uint64_t row_bytes = tensor.row_bytes();
  TROUPE_ASSERT(first_row % group_rows == 0 && first_row + tensor.rows <= rows_);
  TROUPE_ASSERT(tensor.bytes.size() >= tensor.rows * row_bytes);
  const auto* source = reinterpret_cast<const uint8_t*>(tensor.bytes.data());
  const layout& target = *layout_;
  for (uint64_t row = 0; row < tensor.rows; row += group_rows) {
    const auto group = uint32_t((first_row + row) / group_rows), count = uint32_t(std::min<uint64_t>(group_rows, tensor.rows - row));
    const uint8_t* rows = source + row * row_bytes;
    uint8_t* scales = target.memory.get() + group * target.scale_bytes;
    uint8_t* codes = target.memory.get() + target.groups * target.scale_bytes + group * target.code_bytes;
    const bool has_blocks = with_block_format(tensor.type, [&](auto format) {
      int16_t* sums = target.column_sums == nullptr ? nullptr : target.column_sums + group / strip_groups * tensor.columns;
      pack_group<decltype(format)>(rows, count, row_bytes, tensor.columns, codes, scales, sums);
    });
    if (!has_blocks && traits_of(tensor.type).block_bytes == 4)
      pack_plain_group<uint32_t>(rows, count, row_bytes, tensor.columns, codes);
    else if (!has_blocks)
      pack_plain_group<uint16_t>(rows, count, row_bytes, tensor.columns, codes);
  }
}

/// Takes the sums of what was packed.
void packed_matrix::finish() {
  for (uint32_t strip = 0; strip < strips(); ++strip) layout_->strips[strip] = sums_of(*layout_, strip, columns_);
}

std::shared_ptr<const packed_matrix> packed_matrix::pack(const tensor_view& tensor, weight_memory memory, kept_sums keep) {
  const auto matrix = empty(tensor, std::move(memory), keep);
  matrix->pack_rows(tensor, 0);
  matrix->finish();
  return matrix;
}

std::shared_ptr<const packed_matrix> packed_matrix::pack(const tensor_view& tensor, kept_sums keep) {
  return pack(tensor, allocate_weights(packed_bytes(tensor, keep)), keep);
}

std::shared_ptr<const packed_matrix> packed_matrix::pack(const stored_tensor& tensor, weight_memory memory, kept_sums keep,
                                                         uint64_t* content) {
  const auto matrix = empty(shape_of(tensor), std::move(memory), keep);
  content_hash hash;
  for_each_piece(tensor, group_rows, [&](const tensor_view& piece, uint64_t first_row) {
    if (content != nullptr) hash.add(piece.bytes);
    matrix->pack_rows(piece, first_row);
  });
  if (content != nullptr) *content = hash.value();
  matrix->finish();
  return matrix;
}

} // namespace troupe
