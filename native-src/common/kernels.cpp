// Compiled with -ffp-contract=off: a fused t * t + c would change the last bit of the reference kernels.
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>

#include "panvec_kernels.hpp"
#include "simd.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace panvec {
namespace {

// ---------------------------------------------------------------------------------------------------------------------
// Which instructions this CPU and its operating system offer

#if defined(__x86_64__)

std::uint64_t enabled_register_state() noexcept {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<std::uint64_t>(high) << 32) | low;
}

// The levels are x86-64-v3 and x86-64-v4 as the psABI defines them, more than our own kernels need: libraries that a
// compiler made for a level may use all of it, and the C library refuses files marked for it by the same list.
SimdLevel detect() noexcept {
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned fma = 1u << 12, movbe = 1u << 22, popcnt = 1u << 23, osxsave = 1u << 27, avx = 1u << 28,
                     f16c = 1u << 29;
  constexpr unsigned v3_basic = fma | movbe | popcnt | osxsave | avx | f16c;
  if (!__get_cpuid(1, &a, &b, &c, &d) || (c & v3_basic) != v3_basic) return SimdLevel::kBaseline;
  constexpr unsigned lzcnt = 1u << 5;
  if (!__get_cpuid(0x80000001u, &a, &b, &c, &d) || (c & lzcnt) == 0) return SimdLevel::kBaseline;
  const std::uint64_t state = enabled_register_state();
  constexpr std::uint64_t ymm = 0x06, zmm = 0xE6;
  if ((state & ymm) != ymm) return SimdLevel::kBaseline;
  constexpr unsigned v3 = (1u << 3) | (1u << 5) | (1u << 8);  // BMI1, AVX2, BMI2
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (b & v3) != v3) return SimdLevel::kBaseline;
  constexpr unsigned f = 1u << 16, dq = 1u << 17, cd = 1u << 28, bw = 1u << 30, vl = 1u << 31;
  constexpr unsigned v4 = f | dq | cd | bw | vl;
  return (b & v4) == v4 && (state & zmm) == zmm ? SimdLevel::kAvx512 : SimdLevel::kAvx2;
}

#elif defined(__aarch64__)

SimdLevel detect() noexcept { return SimdLevel::kNeon; }

#else

SimdLevel detect() noexcept { return SimdLevel::kBaseline; }

#endif

bool usable(SimdLevel level) noexcept {
  const SimdLevel best = best_simd_level();
  if (level == SimdLevel::kBaseline || level == best) return true;
  return level == SimdLevel::kAvx2 && best == SimdLevel::kAvx512;
}

constexpr SimdLevel kLevels[] = {SimdLevel::kBaseline, SimdLevel::kNeon, SimdLevel::kAvx2, SimdLevel::kAvx512};

constexpr std::int32_t kNotChosen = -1;
std::atomic<std::int32_t> chosen_level{kNotChosen};

// Rows in a mapped file of FAISS's begin at any address.
PANVEC_INLINE float at(const float* vector, std::size_t i) {
  float component;
  std::memcpy(&component, vector + i, sizeof component);
  return component;
}

// ---------------------------------------------------------------------------------------------------------------------
// Ranking kernels. ranking_error relies on their shape: at least 16 running sums, at most 3 extra steps for whole
// blocks, one for the rest, and a reduction as a tree.

float l2_squared_baseline(const float* a, const float* b, std::size_t n) {
  float sums[kLanes] = {};
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float t = at(a, i + lane) - at(b, i + lane);
      sums[lane] += t * t;
    }
  }
  for (std::size_t lane = 0; i + lane < n; ++lane) {
    const float t = at(a, i + lane) - at(b, i + lane);
    sums[lane] += t * t;
  }
  return sum_lanes(sums);
}

float inner_product_baseline(const float* a, const float* b, std::size_t n) {
  float sums[kLanes] = {};
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += at(a, i + lane) * at(b, i + lane);
  }
  for (std::size_t lane = 0; i + lane < n; ++lane) sums[lane] += at(a, i + lane) * at(b, i + lane);
  return sum_lanes(sums);
}

#if defined(__x86_64__)

PANVEC_TARGET_AVX2 PANVEC_INLINE __m256 add_square_avx2(__m256 a, __m256 b, __m256 sum) {
  const __m256 t = _mm256_sub_ps(a, b);
  return _mm256_fmadd_ps(t, t, sum);
}

PANVEC_TARGET_AVX2 float l2_squared_avx2(const float* a, const float* b, std::size_t n) {
  __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
  std::size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    s0 = add_square_avx2(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), s0);
    s1 = add_square_avx2(_mm256_loadu_ps(a + i + 8), _mm256_loadu_ps(b + i + 8), s1);
    s2 = add_square_avx2(_mm256_loadu_ps(a + i + 16), _mm256_loadu_ps(b + i + 16), s2);
    s3 = add_square_avx2(_mm256_loadu_ps(a + i + 24), _mm256_loadu_ps(b + i + 24), s3);
  }
  for (; i + 8 <= n; i += 8) s0 = add_square_avx2(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), s0);
  if (i < n) {
    const __m256i mask = mask_avx2(n - i);
    s1 = add_square_avx2(_mm256_maskload_ps(a + i, mask), _mm256_maskload_ps(b + i, mask), s1);
  }
  return sum_avx2(_mm256_add_ps(_mm256_add_ps(s0, s1), _mm256_add_ps(s2, s3)));
}

PANVEC_TARGET_AVX2 float inner_product_avx2(const float* a, const float* b, std::size_t n) {
  __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
  std::size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    s0 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), s0);
    s1 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 8), _mm256_loadu_ps(b + i + 8), s1);
    s2 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 16), _mm256_loadu_ps(b + i + 16), s2);
    s3 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 24), _mm256_loadu_ps(b + i + 24), s3);
  }
  for (; i + 8 <= n; i += 8) s0 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), s0);
  if (i < n) {
    const __m256i mask = mask_avx2(n - i);
    s1 = _mm256_fmadd_ps(_mm256_maskload_ps(a + i, mask), _mm256_maskload_ps(b + i, mask), s1);
  }
  return sum_avx2(_mm256_add_ps(_mm256_add_ps(s0, s1), _mm256_add_ps(s2, s3)));
}

PANVEC_TARGET_AVX512 PANVEC_INLINE __m512 add_square_avx512(__m512 a, __m512 b, __m512 sum) {
  const __m512 t = _mm512_sub_ps(a, b);
  return _mm512_fmadd_ps(t, t, sum);
}

PANVEC_TARGET_AVX512 float l2_squared_avx512(const float* a, const float* b, std::size_t n) {
  __m512 s0 = _mm512_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
  std::size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    s0 = add_square_avx512(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i), s0);
    s1 = add_square_avx512(_mm512_loadu_ps(a + i + 16), _mm512_loadu_ps(b + i + 16), s1);
    s2 = add_square_avx512(_mm512_loadu_ps(a + i + 32), _mm512_loadu_ps(b + i + 32), s2);
    s3 = add_square_avx512(_mm512_loadu_ps(a + i + 48), _mm512_loadu_ps(b + i + 48), s3);
  }
  for (; i + 16 <= n; i += 16) s0 = add_square_avx512(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i), s0);
  if (i < n) {
    const __mmask16 mask = mask_avx512(n - i);
    s1 = add_square_avx512(_mm512_maskz_loadu_ps(mask, a + i), _mm512_maskz_loadu_ps(mask, b + i), s1);
  }
  return sum_avx512(_mm512_add_ps(_mm512_add_ps(s0, s1), _mm512_add_ps(s2, s3)));
}

PANVEC_TARGET_AVX512 float inner_product_avx512(const float* a, const float* b, std::size_t n) {
  __m512 s0 = _mm512_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
  std::size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    s0 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i), s0);
    s1 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 16), _mm512_loadu_ps(b + i + 16), s1);
    s2 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 32), _mm512_loadu_ps(b + i + 32), s2);
    s3 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 48), _mm512_loadu_ps(b + i + 48), s3);
  }
  for (; i + 16 <= n; i += 16) s0 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i), s0);
  if (i < n) {
    const __mmask16 mask = mask_avx512(n - i);
    s1 = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, a + i), _mm512_maskz_loadu_ps(mask, b + i), s1);
  }
  return sum_avx512(_mm512_add_ps(_mm512_add_ps(s0, s1), _mm512_add_ps(s2, s3)));
}

#elif defined(__aarch64__)

PANVEC_INLINE float32x4_t add_square_neon(float32x4_t a, float32x4_t b, float32x4_t sum) {
  const float32x4_t t = vsubq_f32(a, b);
  return vfmaq_f32(sum, t, t);
}

float l2_squared_neon(const float* a, const float* b, std::size_t n) {
  float32x4_t s0 = vdupq_n_f32(0.0f), s1 = s0, s2 = s0, s3 = s0;
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    s0 = add_square_neon(vld1q_f32(a + i), vld1q_f32(b + i), s0);
    s1 = add_square_neon(vld1q_f32(a + i + 4), vld1q_f32(b + i + 4), s1);
    s2 = add_square_neon(vld1q_f32(a + i + 8), vld1q_f32(b + i + 8), s2);
    s3 = add_square_neon(vld1q_f32(a + i + 12), vld1q_f32(b + i + 12), s3);
  }
  for (; i + 4 <= n; i += 4) s0 = add_square_neon(vld1q_f32(a + i), vld1q_f32(b + i), s0);
  float rest = 0.0f;
  for (; i < n; ++i) {
    const float t = at(a, i) - at(b, i);
    rest += t * t;
  }
  return vaddvq_f32(vaddq_f32(vaddq_f32(s0, s1), vaddq_f32(s2, s3))) + rest;
}

float inner_product_neon(const float* a, const float* b, std::size_t n) {
  float32x4_t s0 = vdupq_n_f32(0.0f), s1 = s0, s2 = s0, s3 = s0;
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    s0 = vfmaq_f32(s0, vld1q_f32(a + i), vld1q_f32(b + i));
    s1 = vfmaq_f32(s1, vld1q_f32(a + i + 4), vld1q_f32(b + i + 4));
    s2 = vfmaq_f32(s2, vld1q_f32(a + i + 8), vld1q_f32(b + i + 8));
    s3 = vfmaq_f32(s3, vld1q_f32(a + i + 12), vld1q_f32(b + i + 12));
  }
  for (; i + 4 <= n; i += 4) s0 = vfmaq_f32(s0, vld1q_f32(a + i), vld1q_f32(b + i));
  float rest = 0.0f;
  for (; i < n; ++i) rest += at(a, i) * at(b, i);
  return vaddvq_f32(vaddq_f32(vaddq_f32(s0, s1), vaddq_f32(s2, s3))) + rest;
}

#endif

// ---------------------------------------------------------------------------------------------------------------------
// Reference kernels: one source, compiled once per instruction set; the eight lanes are the vector.

struct Product {
  PANVEC_INLINE static double term(float a, float b) { return static_cast<double>(a) * static_cast<double>(b); }
};

struct SquaredDifference {
  PANVEC_INLINE static double term(float a, float b) {
    const double t = static_cast<double>(a) - static_cast<double>(b);
    return t * t;
  }
};

template <typename Term>
PANVEC_INLINE double eight_lane_sum(const float* a, const float* b, std::size_t n) {
  double c[8] = {};
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    for (std::size_t lane = 0; lane < 8; ++lane) c[lane] += Term::term(at(a, i + lane), at(b, i + lane));
  }
  for (std::size_t lane = 0; i + lane < n; ++lane) c[lane] += Term::term(at(a, i + lane), at(b, i + lane));
  return ((c[0] + c[4]) + (c[2] + c[6])) + ((c[1] + c[5]) + (c[3] + c[7]));
}

double dot_baseline(const float* a, const float* b, std::size_t n) { return eight_lane_sum<Product>(a, b, n); }
double l2_baseline(const float* a, const float* b, std::size_t n) { return eight_lane_sum<SquaredDifference>(a, b, n); }

#if defined(__x86_64__)
// No fma here: these must round like the baseline.
__attribute__((target("avx2"))) double dot_avx2(const float* a, const float* b, std::size_t n) {
  return eight_lane_sum<Product>(a, b, n);
}
__attribute__((target("avx2"))) double l2_avx2(const float* a, const float* b, std::size_t n) {
  return eight_lane_sum<SquaredDifference>(a, b, n);
}
__attribute__((target("avx512f,avx512vl"))) double dot_avx512(const float* a, const float* b, std::size_t n) {
  return eight_lane_sum<Product>(a, b, n);
}
__attribute__((target("avx512f,avx512vl"))) double l2_avx512(const float* a, const float* b, std::size_t n) {
  return eight_lane_sum<SquaredDifference>(a, b, n);
}
#endif

}  // namespace

SimdLevel best_simd_level() noexcept {
  static const SimdLevel best = detect();
  return best;
}

SimdLevel simd_level() noexcept {
  const std::int32_t level = chosen_level.load(std::memory_order_relaxed);
  return level == kNotChosen ? best_simd_level() : static_cast<SimdLevel>(level);
}

const char* simd_level_name(SimdLevel level) noexcept {
  switch (level) {
    case SimdLevel::kAvx512:
      return "avx512";
    case SimdLevel::kAvx2:
      return "avx2";
    case SimdLevel::kNeon:
      return "neon";
    case SimdLevel::kBaseline:
      break;
  }
  return "baseline";
}

bool set_simd_level(const char* name, char* available, std::size_t capacity) noexcept {
  if (name != nullptr) {
    if (std::strcmp(name, "auto") == 0) {
      chosen_level.store(kNotChosen, std::memory_order_relaxed);
      return true;
    }
    for (const SimdLevel level : kLevels) {
      if (usable(level) && std::strcmp(name, simd_level_name(level)) == 0) {
        chosen_level.store(static_cast<std::int32_t>(level), std::memory_order_relaxed);
        return true;
      }
    }
  }
  if (available == nullptr || capacity == 0) return false;
  std::size_t length = 0;
  const auto append = [&](const char* text) {
    for (; *text != '\0' && length + 1 < capacity; ++text) available[length++] = *text;
  };
  append("auto");
  for (const SimdLevel level : kLevels) {
    if (!usable(level)) continue;
    append(", ");
    append(simd_level_name(level));
  }
  available[length] = '\0';
  return false;
}

RankingKernel l2_squared_kernel(SimdLevel level) noexcept {
#if defined(__x86_64__)
  if (level == SimdLevel::kAvx512) return l2_squared_avx512;
  if (level == SimdLevel::kAvx2) return l2_squared_avx2;
#elif defined(__aarch64__)
  if (level == SimdLevel::kNeon) return l2_squared_neon;
#endif
  (void)level;
  return l2_squared_baseline;
}

RankingKernel inner_product_kernel(SimdLevel level) noexcept {
#if defined(__x86_64__)
  if (level == SimdLevel::kAvx512) return inner_product_avx512;
  if (level == SimdLevel::kAvx2) return inner_product_avx2;
#elif defined(__aarch64__)
  if (level == SimdLevel::kNeon) return inner_product_neon;
#endif
  (void)level;
  return inner_product_baseline;
}

// Each product reaches the result through at most D roundings, so the error is at most gamma(D) = D u / (1 - D u) of
// the sum of absolute terms, u = 2^-24 (Higham, Accuracy and Stability of Numerical Algorithms, lemma 3.1). D counts: 2
// for a difference that enters squared, 1 for the product (0 when fused); n / 16 for the running sum of a lane (no
// kernel has fewer than 16 of them), 3 for whole blocks left over, 3 for the rest (NEON: a scalar sum; the others one
// masked step), and 6 for the tree (AVX-512: two levels over four registers, four within one; NEON: 2 + 2 + 1). In all
// 15 + n / 16.
double ranking_error(std::size_t n) noexcept {
  const double roundings = 15.0 + static_cast<double>(n / kLanes);
  const double scaled = std::ldexp(roundings, -24);
  return scaled < 0.5 ? scaled / (1.0 - scaled) : std::numeric_limits<double>::infinity();
}

double reference_dot(const float* a, const float* b, std::size_t n) noexcept {
#if defined(__x86_64__)
  const SimdLevel level = simd_level();
  if (level == SimdLevel::kAvx512) return dot_avx512(a, b, n);
  if (level == SimdLevel::kAvx2) return dot_avx2(a, b, n);
#endif
  return dot_baseline(a, b, n);
}

double reference_l2_squared(const float* a, const float* b, std::size_t n) noexcept {
#if defined(__x86_64__)
  const SimdLevel level = simd_level();
  if (level == SimdLevel::kAvx512) return l2_avx512(a, b, n);
  if (level == SimdLevel::kAvx2) return l2_avx2(a, b, n);
#endif
  return l2_baseline(a, b, n);
}

float reference_distance(Metric metric, const float* a, const float* b, std::size_t n) noexcept {
  switch (metric) {
    case Metric::kL2:
      return static_cast<float>(std::sqrt(reference_l2_squared(a, b, n)));
    case Metric::kCosine: {
      const double distance = 1.0 - reference_dot(a, b, n);
      return static_cast<float>(distance < 0.0 ? 0.0 : distance > 2.0 ? 2.0 : distance);
    }
    case Metric::kDot:
      break;
  }
  // Added after rounding, which can make a -0 of its own.
  return static_cast<float>(-reference_dot(a, b, n)) + 0.0f;
}

std::int64_t first_non_finite(const float* vector, std::size_t n) noexcept {
  constexpr std::uint32_t exponent = 0x7F800000u;
  constexpr std::size_t block = 64;
  const auto bits = [vector](std::size_t i) {
    std::uint32_t word;
    std::memcpy(&word, vector + i, sizeof word);
    return word;
  };
  for (std::size_t begin = 0; begin < n; begin += block) {
    const std::size_t end = begin + block < n ? begin + block : n;
    std::uint32_t found = 0;
    for (std::size_t i = begin; i < end; ++i) found |= static_cast<std::uint32_t>((bits(i) & exponent) == exponent);
    if (found == 0) continue;
    for (std::size_t i = begin; i < end; ++i) {
      if ((bits(i) & exponent) == exponent) return static_cast<std::int64_t>(i);
    }
  }
  return -1;
}

bool reference_unit(const float* vector, std::size_t n, float* unit) noexcept {
  // The square of the smallest float is far above the smallest double: the sum is zero only when every component is.
  const double norm = std::sqrt(reference_dot(vector, vector, n));
  if (norm == 0.0) return false;
  for (std::size_t i = 0; i < n; ++i) unit[i] = static_cast<float>(static_cast<double>(vector[i]) / norm);
  return true;
}

}  // namespace panvec
