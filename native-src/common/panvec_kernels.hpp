// Distance kernels of all Panvec libraries: float32 ones that rank, and the reference kernel in double that every
// reported distance comes from (docs/adr/0006-reference-distance.md). Compiled into each library; no global state but
// the chosen SIMD level.
#pragma once

#include <cstddef>
#include <cstdint>

namespace panvec {

enum class Metric : std::int32_t { kL2 = 0, kCosine = 1, kDot = 2 };

enum class SimdLevel : std::int32_t { kBaseline = 0, kNeon = 1, kAvx2 = 2, kAvx512 = 3 };

// The best level of this CPU (cpuid and xgetbv; baseline code), and the one in use (the best unless forced).
SimdLevel best_simd_level() noexcept;
SimdLevel simd_level() noexcept;
const char* simd_level_name(SimdLevel level) noexcept;
// "auto" or a level's name. False when the name is unknown or the CPU lacks it; `available` then lists the usable
// names.
bool set_simd_level(const char* name, char* available, std::size_t capacity) noexcept;

// Ranking kernels in float, any alignment, any n >= 0. Squared L2, and the plain inner product.
// |result - exact| <= ranking_error(n) * (sum of |a_i * b_i|, or the exact squared distance), barring overflow and
// underflow.
using RankingKernel = float (*)(const float* a, const float* b, std::size_t n);
RankingKernel l2_squared_kernel(SimdLevel level) noexcept;
RankingKernel inner_product_kernel(SimdLevel level) noexcept;
double ranking_error(std::size_t n) noexcept;

// Reference kernels: eight double accumulators, accumulator i % 8 takes component i, summed as
// ((c0+c4)+(c2+c6))+((c1+c5)+(c3+c7)). Bit-equal on every level and platform, and to plain Java.
double reference_dot(const float* a, const float* b, std::size_t n) noexcept;
double reference_l2_squared(const float* a, const float* b, std::size_t n) noexcept;
// The reported distance; for COSINE both vectors are unit vectors already.
float reference_distance(Metric metric, const float* a, const float* b, std::size_t n) noexcept;

// Index of the first component that is NaN or infinite, or -1.
std::int64_t first_non_finite(const float* vector, std::size_t n) noexcept;
// Writes the unit vector; false (and nothing written) when the vector is zero. `unit` may be `vector` itself.
bool reference_unit(const float* vector, std::size_t n, float* unit) noexcept;

}  // namespace panvec
