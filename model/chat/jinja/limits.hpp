#pragma once
// What one template, and one rendering of it, may use. A template comes with a model file, and a model file is not trusted.
#include <cstddef>
#include <cstdint>

namespace troupe::jinja {

constexpr size_t template_bytes_max = size_t(1) << 20;
constexpr uint32_t tree_depth_max = 200;      // Of expressions in expressions and of statements in statements, each; of lists in lists.
constexpr uint32_t evaluation_depth_max = 700; // Of everything that is being evaluated, through the calls of macros.
constexpr uint64_t steps_max = 20'000'000;    // Expressions, statements, elements looked at, bytes of text searched / 64.
constexpr uint64_t made_bytes_max = uint64_t(256) << 20; // Of all values made on the way, dropped ones too.
constexpr uint64_t output_bytes_max = uint64_t(16) << 20;
constexpr int64_t range_length_max = 100'000; // As jinja2's sandbox.

} // namespace troupe::jinja
