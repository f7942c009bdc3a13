#include "code_kernels.hpp"

#include <cstring>

#include "simd.hpp"

// At every level the same shape: a term adds the summands of one block of components to running sums, and a loop goes
// through the blocks. Components beyond n are read as zeros.
namespace panvec {
namespace {

struct ProductBaseline {
  const float* weights;
  const std::uint8_t* code;
  PANVEC_INLINE float at(std::size_t i) const { return weights[i] * static_cast<float>(code[i]); }
};

struct SquareBaseline {
  const float* target;
  const float* steps;
  const std::uint8_t* code;
  PANVEC_INLINE float at(std::size_t i) const {
    const float t = target[i] - steps[i] * static_cast<float>(code[i]);
    return t * t;
  }
};

struct ProductBetweenBaseline {
  const float* bases;
  const float* steps;
  const std::uint8_t* a;
  const std::uint8_t* b;
  PANVEC_INLINE float at(std::size_t i) const {
    return (bases[i] + steps[i] * static_cast<float>(a[i])) * (bases[i] + steps[i] * static_cast<float>(b[i]));
  }
};

struct SquareBetweenBaseline {
  const float* steps;
  const std::uint8_t* a;
  const std::uint8_t* b;
  PANVEC_INLINE float at(std::size_t i) const {
    const float t = steps[i] * static_cast<float>(a[i] - b[i]);
    return t * t;
  }
};

template <typename Term>
PANVEC_INLINE float sum_of_terms(const Term& term, std::size_t n) {
  float sums[kLanes] = {};
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += term.at(i + lane);
  }
  for (std::size_t lane = 0; i + lane < n; ++lane) sums[lane] += term.at(i + lane);
  return sum_lanes(sums);
}

float product_baseline(const float* weights, const std::uint8_t* code, std::size_t n) {
  return sum_of_terms(ProductBaseline{weights, code}, n);
}
float l2_squared_baseline(const float* target, const float* steps, const std::uint8_t* code, std::size_t n) {
  return sum_of_terms(SquareBaseline{target, steps, code}, n);
}
float product_between_baseline(const float* bases, const float* steps, const std::uint8_t* a, const std::uint8_t* b,
                               std::size_t n) {
  return sum_of_terms(ProductBetweenBaseline{bases, steps, a, b}, n);
}
float l2_squared_between_baseline(const float* steps, const std::uint8_t* a, const std::uint8_t* b, std::size_t n) {
  return sum_of_terms(SquareBetweenBaseline{steps, a, b}, n);
}

constexpr CodeKernels kBaselineKernels = {product_baseline, l2_squared_baseline, product_between_baseline,
                                          l2_squared_between_baseline};

#if defined(__x86_64__)

// Eight components from `at` on.
struct BlockAvx2 {
  std::size_t at;
  PANVEC_TARGET_AVX2 PANVEC_INLINE __m256 floats(const float* from) const { return _mm256_loadu_ps(from + at); }
  PANVEC_TARGET_AVX2 PANVEC_INLINE __m256i codes(const std::uint8_t* from) const {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from + at)));
  }
};

// The last `count` (1 .. 7) components.
struct RestAvx2 {
  std::size_t at;
  std::size_t count;
  PANVEC_TARGET_AVX2 PANVEC_INLINE __m256 floats(const float* from) const {
    return _mm256_maskload_ps(from + at, mask_avx2(count));
  }
  PANVEC_TARGET_AVX2 PANVEC_INLINE __m256i codes(const std::uint8_t* from) const {
    std::uint64_t word = 0;
    if (at > 0) {
      // There is no masked load of bytes: eight that end where the row ends.
      std::memcpy(&word, from + at + count - 8, 8);
      word >>= 8 * (8 - count);
    } else {
      for (std::size_t i = 0; i < count; ++i) word |= std::uint64_t{from[i]} << (8 * i);
    }
    return _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<long long>(word)));
  }
};

struct ProductAvx2 {
  const float* weights;
  const std::uint8_t* code;
  template <typename Block>
  PANVEC_TARGET_AVX2 PANVEC_INLINE __m256 add_to(__m256 sum, Block block) const {
    return _mm256_fmadd_ps(block.floats(weights), _mm256_cvtepi32_ps(block.codes(code)), sum);
  }
};

struct SquareAvx2 {
  const float* target;
  const float* steps;
  const std::uint8_t* code;
  template <typename Block>
  PANVEC_TARGET_AVX2 PANVEC_INLINE __m256 add_to(__m256 sum, Block block) const {
    const __m256 code_floats = _mm256_cvtepi32_ps(block.codes(code));
    const __m256 t = _mm256_fnmadd_ps(block.floats(steps), code_floats, block.floats(target));
    return _mm256_fmadd_ps(t, t, sum);
  }
};

struct ProductBetweenAvx2 {
  const float* bases;
  const float* steps;
  const std::uint8_t* a;
  const std::uint8_t* b;
  template <typename Block>
  PANVEC_TARGET_AVX2 PANVEC_INLINE __m256 add_to(__m256 sum, Block block) const {
    const __m256 base = block.floats(bases), step = block.floats(steps);
    const __m256 x = _mm256_fmadd_ps(step, _mm256_cvtepi32_ps(block.codes(a)), base);
    const __m256 y = _mm256_fmadd_ps(step, _mm256_cvtepi32_ps(block.codes(b)), base);
    return _mm256_fmadd_ps(x, y, sum);
  }
};

struct SquareBetweenAvx2 {
  const float* steps;
  const std::uint8_t* a;
  const std::uint8_t* b;
  template <typename Block>
  PANVEC_TARGET_AVX2 PANVEC_INLINE __m256 add_to(__m256 sum, Block block) const {
    const __m256i difference = _mm256_sub_epi32(block.codes(a), block.codes(b));
    const __m256 t = _mm256_mul_ps(block.floats(steps), _mm256_cvtepi32_ps(difference));
    return _mm256_fmadd_ps(t, t, sum);
  }
};

template <typename Term>
PANVEC_TARGET_AVX2 PANVEC_INLINE float sum_of_terms_avx2(const Term& term, std::size_t n) {
  __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
  std::size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    s0 = term.add_to(s0, BlockAvx2{i});
    s1 = term.add_to(s1, BlockAvx2{i + 8});
    s2 = term.add_to(s2, BlockAvx2{i + 16});
    s3 = term.add_to(s3, BlockAvx2{i + 24});
  }
  for (; i + 8 <= n; i += 8) s0 = term.add_to(s0, BlockAvx2{i});
  if (i < n) s1 = term.add_to(s1, RestAvx2{i, n - i});
  return sum_avx2(_mm256_add_ps(_mm256_add_ps(s0, s1), _mm256_add_ps(s2, s3)));
}

PANVEC_TARGET_AVX2 float product_avx2(const float* weights, const std::uint8_t* code, std::size_t n) {
  return sum_of_terms_avx2(ProductAvx2{weights, code}, n);
}
PANVEC_TARGET_AVX2 float l2_squared_avx2(const float* target, const float* steps, const std::uint8_t* code,
                                         std::size_t n) {
  return sum_of_terms_avx2(SquareAvx2{target, steps, code}, n);
}
PANVEC_TARGET_AVX2 float product_between_avx2(const float* bases, const float* steps, const std::uint8_t* a,
                                              const std::uint8_t* b, std::size_t n) {
  return sum_of_terms_avx2(ProductBetweenAvx2{bases, steps, a, b}, n);
}
PANVEC_TARGET_AVX2 float l2_squared_between_avx2(const float* steps, const std::uint8_t* a, const std::uint8_t* b,
                                                 std::size_t n) {
  return sum_of_terms_avx2(SquareBetweenAvx2{steps, a, b}, n);
}

constexpr CodeKernels kAvx2Kernels = {product_avx2, l2_squared_avx2, product_between_avx2, l2_squared_between_avx2};

// Masked, though nothing is masked out: for the plain ones gcc 12 warns of an uninitialised variable inside its own
// header.
PANVEC_TARGET_AVX512 PANVEC_INLINE __m512i widen_avx512(__m128i bytes) {
  return _mm512_maskz_cvtepu8_epi32(0xFFFF, bytes);
}
PANVEC_TARGET_AVX512 PANVEC_INLINE __m512 floats_avx512(__m512i integers) {
  return _mm512_maskz_cvtepi32_ps(0xFFFF, integers);
}

// Sixteen components from `at` on.
struct BlockAvx512 {
  std::size_t at;
  PANVEC_TARGET_AVX512 PANVEC_INLINE __m512 floats(const float* from) const { return _mm512_loadu_ps(from + at); }
  PANVEC_TARGET_AVX512 PANVEC_INLINE __m512i codes(const std::uint8_t* from) const {
    return widen_avx512(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + at)));
  }
};

// The last components, fewer than sixteen.
struct RestAvx512 {
  std::size_t at;
  __mmask16 mask;
  PANVEC_TARGET_AVX512 PANVEC_INLINE __m512 floats(const float* from) const {
    return _mm512_maskz_loadu_ps(mask, from + at);
  }
  PANVEC_TARGET_AVX512 PANVEC_INLINE __m512i codes(const std::uint8_t* from) const {
    return widen_avx512(_mm_maskz_loadu_epi8(mask, from + at));
  }
};

struct ProductAvx512 {
  const float* weights;
  const std::uint8_t* code;
  template <typename Block>
  PANVEC_TARGET_AVX512 PANVEC_INLINE __m512 add_to(__m512 sum, Block block) const {
    return _mm512_fmadd_ps(block.floats(weights), floats_avx512(block.codes(code)), sum);
  }
};

struct SquareAvx512 {
  const float* target;
  const float* steps;
  const std::uint8_t* code;
  template <typename Block>
  PANVEC_TARGET_AVX512 PANVEC_INLINE __m512 add_to(__m512 sum, Block block) const {
    const __m512 code_floats = floats_avx512(block.codes(code));
    const __m512 t = _mm512_fnmadd_ps(block.floats(steps), code_floats, block.floats(target));
    return _mm512_fmadd_ps(t, t, sum);
  }
};

struct ProductBetweenAvx512 {
  const float* bases;
  const float* steps;
  const std::uint8_t* a;
  const std::uint8_t* b;
  template <typename Block>
  PANVEC_TARGET_AVX512 PANVEC_INLINE __m512 add_to(__m512 sum, Block block) const {
    const __m512 base = block.floats(bases), step = block.floats(steps);
    const __m512 x = _mm512_fmadd_ps(step, floats_avx512(block.codes(a)), base);
    const __m512 y = _mm512_fmadd_ps(step, floats_avx512(block.codes(b)), base);
    return _mm512_fmadd_ps(x, y, sum);
  }
};

struct SquareBetweenAvx512 {
  const float* steps;
  const std::uint8_t* a;
  const std::uint8_t* b;
  template <typename Block>
  PANVEC_TARGET_AVX512 PANVEC_INLINE __m512 add_to(__m512 sum, Block block) const {
    const __m512i difference = _mm512_sub_epi32(block.codes(a), block.codes(b));
    const __m512 t = _mm512_mul_ps(block.floats(steps), floats_avx512(difference));
    return _mm512_fmadd_ps(t, t, sum);
  }
};

template <typename Term>
PANVEC_TARGET_AVX512 PANVEC_INLINE float sum_of_terms_avx512(const Term& term, std::size_t n) {
  __m512 s0 = _mm512_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
  std::size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    s0 = term.add_to(s0, BlockAvx512{i});
    s1 = term.add_to(s1, BlockAvx512{i + 16});
    s2 = term.add_to(s2, BlockAvx512{i + 32});
    s3 = term.add_to(s3, BlockAvx512{i + 48});
  }
  for (; i + 16 <= n; i += 16) s0 = term.add_to(s0, BlockAvx512{i});
  if (i < n) s1 = term.add_to(s1, RestAvx512{i, mask_avx512(n - i)});
  return sum_avx512(_mm512_add_ps(_mm512_add_ps(s0, s1), _mm512_add_ps(s2, s3)));
}

PANVEC_TARGET_AVX512 float product_avx512(const float* weights, const std::uint8_t* code, std::size_t n) {
  return sum_of_terms_avx512(ProductAvx512{weights, code}, n);
}
PANVEC_TARGET_AVX512 float l2_squared_avx512(const float* target, const float* steps, const std::uint8_t* code,
                                             std::size_t n) {
  return sum_of_terms_avx512(SquareAvx512{target, steps, code}, n);
}
PANVEC_TARGET_AVX512 float product_between_avx512(const float* bases, const float* steps, const std::uint8_t* a,
                                                  const std::uint8_t* b, std::size_t n) {
  return sum_of_terms_avx512(ProductBetweenAvx512{bases, steps, a, b}, n);
}
PANVEC_TARGET_AVX512 float l2_squared_between_avx512(const float* steps, const std::uint8_t* a, const std::uint8_t* b,
                                                     std::size_t n) {
  return sum_of_terms_avx512(SquareBetweenAvx512{steps, a, b}, n);
}

constexpr CodeKernels kAvx512Kernels = {product_avx512, l2_squared_avx512, product_between_avx512,
                                        l2_squared_between_avx512};

#elif defined(__aarch64__)

// Eight codes from `from` on, as two times four.
PANVEC_INLINE float32x4_t first_floats(int16x8_t x) { return vcvtq_f32_s32(vmovl_s16(vget_low_s16(x))); }
PANVEC_INLINE float32x4_t last_floats(int16x8_t x) { return vcvtq_f32_s32(vmovl_s16(vget_high_s16(x))); }
PANVEC_INLINE int16x8_t codes_neon(const std::uint8_t* from) { return vreinterpretq_s16_u16(vmovl_u8(vld1_u8(from))); }

// Terms for eight components, and for single ones at the end.
struct ProductNeon : ProductBaseline {
  PANVEC_INLINE void add_to(float32x4_t& s0, float32x4_t& s1, std::size_t i) const {
    const int16x8_t c = codes_neon(code + i);
    s0 = vfmaq_f32(s0, vld1q_f32(weights + i), first_floats(c));
    s1 = vfmaq_f32(s1, vld1q_f32(weights + i + 4), last_floats(c));
  }
};

struct SquareNeon : SquareBaseline {
  PANVEC_INLINE void add_to(float32x4_t& s0, float32x4_t& s1, std::size_t i) const {
    const int16x8_t c = codes_neon(code + i);
    const float32x4_t t0 = vfmsq_f32(vld1q_f32(target + i), vld1q_f32(steps + i), first_floats(c));
    const float32x4_t t1 = vfmsq_f32(vld1q_f32(target + i + 4), vld1q_f32(steps + i + 4), last_floats(c));
    s0 = vfmaq_f32(s0, t0, t0);
    s1 = vfmaq_f32(s1, t1, t1);
  }
};

struct ProductBetweenNeon : ProductBetweenBaseline {
  PANVEC_INLINE void add_to(float32x4_t& s0, float32x4_t& s1, std::size_t i) const {
    const int16x8_t x = codes_neon(a + i), y = codes_neon(b + i);
    const float32x4_t base0 = vld1q_f32(bases + i), base1 = vld1q_f32(bases + i + 4);
    const float32x4_t step0 = vld1q_f32(steps + i), step1 = vld1q_f32(steps + i + 4);
    s0 = vfmaq_f32(s0, vfmaq_f32(base0, step0, first_floats(x)), vfmaq_f32(base0, step0, first_floats(y)));
    s1 = vfmaq_f32(s1, vfmaq_f32(base1, step1, last_floats(x)), vfmaq_f32(base1, step1, last_floats(y)));
  }
};

struct SquareBetweenNeon : SquareBetweenBaseline {
  PANVEC_INLINE void add_to(float32x4_t& s0, float32x4_t& s1, std::size_t i) const {
    const int16x8_t difference = vsubq_s16(codes_neon(a + i), codes_neon(b + i));
    const float32x4_t t0 = vmulq_f32(vld1q_f32(steps + i), first_floats(difference));
    const float32x4_t t1 = vmulq_f32(vld1q_f32(steps + i + 4), last_floats(difference));
    s0 = vfmaq_f32(s0, t0, t0);
    s1 = vfmaq_f32(s1, t1, t1);
  }
};

template <typename Term>
PANVEC_INLINE float sum_of_terms_neon(const Term& term, std::size_t n) {
  float32x4_t s0 = vdupq_n_f32(0.0f), s1 = s0, s2 = s0, s3 = s0;
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    term.add_to(s0, s1, i);
    term.add_to(s2, s3, i + 8);
  }
  if (i + 8 <= n) {
    term.add_to(s0, s1, i);
    i += 8;
  }
  float rest = 0.0f;
  for (; i < n; ++i) rest += term.at(i);
  return vaddvq_f32(vaddq_f32(vaddq_f32(s0, s1), vaddq_f32(s2, s3))) + rest;
}

float product_neon(const float* weights, const std::uint8_t* code, std::size_t n) {
  return sum_of_terms_neon(ProductNeon{{weights, code}}, n);
}
float l2_squared_neon(const float* target, const float* steps, const std::uint8_t* code, std::size_t n) {
  return sum_of_terms_neon(SquareNeon{{target, steps, code}}, n);
}
float product_between_neon(const float* bases, const float* steps, const std::uint8_t* a, const std::uint8_t* b,
                           std::size_t n) {
  return sum_of_terms_neon(ProductBetweenNeon{{bases, steps, a, b}}, n);
}
float l2_squared_between_neon(const float* steps, const std::uint8_t* a, const std::uint8_t* b, std::size_t n) {
  return sum_of_terms_neon(SquareBetweenNeon{{steps, a, b}}, n);
}

constexpr CodeKernels kNeonKernels = {product_neon, l2_squared_neon, product_between_neon, l2_squared_between_neon};

#endif

}  // namespace

const CodeKernels& code_kernels([[maybe_unused]] SimdLevel level) noexcept {
#if defined(__x86_64__)
  if (level == SimdLevel::kAvx512) return kAvx512Kernels;
  if (level == SimdLevel::kAvx2) return kAvx2Kernels;
#elif defined(__aarch64__)
  if (level == SimdLevel::kNeon) return kNeonKernels;
#endif
  return kBaselineKernels;
}

}  // namespace panvec
