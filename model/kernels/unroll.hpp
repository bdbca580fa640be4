// Loops that the compiler must unroll so that arrays of vectors become registers. Included once per
// instruction set, inside its target pragma.
#pragma once
#include <type_traits>
#include <utility>

namespace troupe::TROUPE_ISA {

/// function(0), function(1), ... function(Count - 1), each with the index as a constant, for up to 12 of them. The function must be
/// a lambda marked TROUPE_LAMBDA. Written out: a fold over an index sequence is another function to inline at each of
/// thousands of places, and the kernels took a sixth more memory and time to compile.
#define TROUPE_LAMBDA __attribute__((always_inline))

template <int Count, class Function>
inline __attribute__((always_inline)) void repeat(Function&& function) {
  static_assert(Count <= 12);
  if constexpr (Count > 0) function(std::integral_constant<int, 0>{});
  if constexpr (Count > 1) function(std::integral_constant<int, 1>{});
  if constexpr (Count > 2) function(std::integral_constant<int, 2>{});
  if constexpr (Count > 3) function(std::integral_constant<int, 3>{});
  if constexpr (Count > 4) function(std::integral_constant<int, 4>{});
  if constexpr (Count > 5) function(std::integral_constant<int, 5>{});
  if constexpr (Count > 6) function(std::integral_constant<int, 6>{});
  if constexpr (Count > 7) function(std::integral_constant<int, 7>{});
  if constexpr (Count > 8) function(std::integral_constant<int, 8>{});
  if constexpr (Count > 9) function(std::integral_constant<int, 9>{});
  if constexpr (Count > 10) function(std::integral_constant<int, 10>{});
  if constexpr (Count > 11) function(std::integral_constant<int, 11>{});
}

/// Calls function with the smallest of Sizes (ascending) that is >= wanted, or the last, as a constant.
template <int Size, int... Sizes, class Function>
void with_size(uint32_t wanted, Function&& function) {
  if constexpr (sizeof...(Sizes) == 0) {
    function(std::integral_constant<int, Size>{});
  } else {
    if (wanted <= uint32_t(Size))
      function(std::integral_constant<int, Size>{});
    else
      with_size<Sizes...>(wanted, std::forward<Function>(function));
  }
}

} // namespace troupe::TROUPE_ISA
