// What kernels at several SIMD levels share. A function for a level above the baseline says so (PANVEC_TARGET_...);
// what it calls is inlined into it and may not need more than it has.
#pragma once

#include <cstddef>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define PANVEC_TARGET_AVX2 __attribute__((target("avx2,fma")))
#define PANVEC_TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma")))
#define PANVEC_INLINE inline __attribute__((always_inline))

namespace panvec {

// The running sums of the baseline.
constexpr std::size_t kLanes = 16;

PANVEC_INLINE float sum_lanes(float (&sums)[kLanes]) {
  for (std::size_t width = kLanes / 2; width > 0; width /= 2) {
    for (std::size_t lane = 0; lane < width; ++lane) sums[lane] += sums[lane + width];
  }
  return sums[0];
}

#if defined(__x86_64__)

PANVEC_TARGET_AVX2 PANVEC_INLINE float sum_avx2(__m256 x) {
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

// The first `count` (1 .. 7) lanes.
PANVEC_TARGET_AVX2 PANVEC_INLINE __m256i mask_avx2(std::size_t count) {
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), lanes);
}

// Not _mm512_reduce_add_ps or a cast: for these gcc 12 warns of an uninitialised variable inside its own header.
PANVEC_TARGET_AVX512 PANVEC_INLINE float sum_avx512(__m512 x) {
  return sum_avx2(_mm256_add_ps(_mm512_maskz_extractf32x8_ps(0xFF, x, 0), _mm512_maskz_extractf32x8_ps(0xFF, x, 1)));
}

// The first `count` (1 .. 15) lanes.
PANVEC_TARGET_AVX512 PANVEC_INLINE __mmask16 mask_avx512(std::size_t count) {
  return static_cast<__mmask16>((1u << count) - 1);
}

#endif

}  // namespace panvec
