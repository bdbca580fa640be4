// Loops that the compiler must unroll so that arrays of vectors become registers. Included once per
// instruction set, inside its target pragma.
#pragma once
#include <type_traits>
#include <utility>

namespace troupe::TROUPE_ISA {

/// function(0), function(1), ... function(Count - 1), each with the index as a constant.
/// The function must be a lambda marked TROUPE_LAMBDA.
#define TROUPE_LAMBDA __attribute__((always_inline))

template <class Function, int... Indices>
inline __attribute__((always_inline)) void repeat_each(Function& function,
                                                       std::integer_sequence<int, Indices...>) {
  (function(std::integral_constant<int, Indices>{}), ...);
}
template <int Count, class Function>
inline __attribute__((always_inline)) void repeat(Function function) {
  repeat_each(function, std::make_integer_sequence<int, Count>{});
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
