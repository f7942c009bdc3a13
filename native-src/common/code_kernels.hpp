// Distance kernels over rows of 8-bit codes, for ranking: component i of such a row is bases[i] + steps[i] * code[i].
#pragma once

#include <cstddef>
#include <cstdint>

#include "panvec_kernels.hpp"

namespace panvec {

// Any alignment, any n >= 0.
struct CodeKernels {
  // Sum of weights[i] * code[i]: the inner product with a query, less that of query and bases, when weights is
  // query * steps.
  float (*product)(const float* weights, const std::uint8_t* code, std::size_t n);
  // Sum of (target[i] - steps[i] * code[i])^2: the squared distance from a query when target is query - bases.
  float (*l2_squared)(const float* target, const float* steps, const std::uint8_t* code, std::size_t n);
  // Two rows. Bit-equal when a and b change places, so that duplicates tie with each other; l2_squared_between is 0 for
  // equal codes.
  float (*product_between)(const float* bases, const float* steps, const std::uint8_t* a, const std::uint8_t* b,
                           std::size_t n);
  float (*l2_squared_between)(const float* steps, const std::uint8_t* a, const std::uint8_t* b, std::size_t n);
};

const CodeKernels& code_kernels(SimdLevel level) noexcept;

}  // namespace panvec
