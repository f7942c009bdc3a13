// Kernels against plain loops written anew here, at every SIMD level this CPU has.
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "check.hpp"
#include "code_kernels.hpp"
#include "panvec_kernels.hpp"
#include "vector_check.hpp"

namespace {

using namespace panvec;

constexpr std::uint32_t kSeed = 20261121;

std::vector<SimdLevel> levels() {
  std::vector<SimdLevel> usable;
  for (const SimdLevel level : {SimdLevel::kBaseline, SimdLevel::kNeon, SimdLevel::kAvx2, SimdLevel::kAvx512}) {
    if (set_simd_level(simd_level_name(level), nullptr, 0)) usable.push_back(level);
  }
  set_simd_level("auto", nullptr, 0);
  return usable;
}

std::vector<std::size_t> dimensions() {
  std::vector<std::size_t> all;
  for (std::size_t n = 0; n <= 130; ++n) all.push_back(n);
  for (const std::size_t n : {383, 384, 1023, 1536, 4097, 8192}) all.push_back(n);
  return all;
}

// Components of very different size, denormals, zeros of both signs.
std::vector<float> mixed(std::size_t n, float scale, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> v(n);
  for (float& x : v) {
    switch (random() % 16) {
      case 0:
        x = 0.0f;
        break;
      case 1:
        x = -0.0f;
        break;
      case 2:
        x = std::numeric_limits<float>::denorm_min() * static_cast<float>(random() % 1000);
        break;
      default:
        x = normal(random) * std::ldexp(scale, static_cast<int>(random() % 24) - 12);
    }
  }
  return v;
}

// The volatile product keeps any compiler from fusing it with the addition.
double plain_sum(const float* a, const float* b, std::size_t n, bool l2) {
  double c[8] = {};
  for (std::size_t i = 0; i < n; ++i) {
    const double x = a[i], y = b[i];
    const double t = x - y;
    volatile double term = l2 ? t * t : x * y;
    c[i % 8] += term;
  }
  return ((c[0] + c[4]) + (c[2] + c[6])) + ((c[1] + c[5]) + (c[3] + c[7]));
}

double fused_l2(const float* a, const float* b, std::size_t n) {
  double c[8] = {};
  for (std::size_t i = 0; i < n; ++i) {
    const double t = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    c[i % 8] = std::fma(t, t, c[i % 8]);
  }
  return ((c[0] + c[4]) + (c[2] + c[6])) + ((c[1] + c[5]) + (c[3] + c[7]));
}

template <typename Float>
bool same_bits(Float a, Float b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

void reference_kernels_equal_the_formula_bit_for_bit() {
  std::mt19937 random(kSeed);
  int told_apart = 0;
  for (const std::size_t n : dimensions()) {
    for (const float scale : {1e-30f, 1.0f, 1e30f}) {
      const std::vector<float> a = mixed(n, scale, random);
      const std::vector<float> b = mixed(n, scale, random);
      const double dot = plain_sum(a.data(), b.data(), n, false);
      const double l2 = plain_sum(a.data(), b.data(), n, true);
      if (!same_bits(l2, fused_l2(a.data(), b.data(), n))) ++told_apart;
      for (const SimdLevel level : levels()) {
        CHECK(set_simd_level(simd_level_name(level), nullptr, 0));
        CHECK(same_bits(dot, reference_dot(a.data(), b.data(), n)));
        CHECK(same_bits(l2, reference_l2_squared(a.data(), b.data(), n)));
        CHECK(same_bits(static_cast<float>(std::sqrt(l2)), reference_distance(Metric::kL2, a.data(), b.data(), n)));
        CHECK(same_bits(static_cast<float>(-dot) + 0.0f, reference_distance(Metric::kDot, a.data(), b.data(), n)));
        const float cosine = reference_distance(Metric::kCosine, a.data(), b.data(), n);
        CHECK(same_bits(static_cast<float>(std::fmin(std::fmax(1.0 - dot, 0.0), 2.0)), cosine));
      }
    }
  }
  set_simd_level("auto", nullptr, 0);
  // Otherwise this test would not notice contraction.
  CHECK(told_apart > 20);
}

void a_zero_inner_product_is_never_negative_zero() {
  const float a[] = {0.0f, -0.0f, 1.0f};
  const float b[] = {1.0f, 1.0f, 0.0f};
  CHECK(!std::signbit(reference_distance(Metric::kDot, a, b, 3)));
  // Too small for a float, so that rounding makes the zero.
  const float tiny = 0x1p-149f;
  const float quarter = 0.25f;
  CHECK(!std::signbit(reference_distance(Metric::kDot, &tiny, &quarter, 1)));
}

void unit_vectors_are_rounded_once_from_double() {
  std::mt19937 random(kSeed + 1);
  for (const std::size_t n : dimensions()) {
    if (n == 0) continue;
    for (const float scale : {1e-40f, 1e-30f, 1.0f, 1e30f}) {
      std::vector<float> v = mixed(n, scale, random);
      v[n / 2] = 3.0f * scale;
      const double norm = std::sqrt(plain_sum(v.data(), v.data(), n, false));
      for (const SimdLevel level : levels()) {
        CHECK(set_simd_level(simd_level_name(level), nullptr, 0));
        std::vector<float> unit(n);
        CHECK(reference_unit(v.data(), n, unit.data()));
        for (std::size_t i = 0; i < n; ++i) CHECK(same_bits(unit[i], static_cast<float>(v[i] / norm)));
        std::vector<float> in_place = v;
        CHECK(reference_unit(in_place.data(), n, in_place.data()));
        CHECK(std::memcmp(in_place.data(), unit.data(), n * sizeof(float)) == 0);
      }
    }
  }
  set_simd_level("auto", nullptr, 0);
  const float zero[] = {0.0f, -0.0f, 0.0f};
  float untouched[] = {7.0f, 7.0f, 7.0f};
  CHECK(!reference_unit(zero, 3, untouched));
  CHECK_EQUAL(7.0f, untouched[0]);
  const float smallest[] = {0.0f, std::numeric_limits<float>::denorm_min()};
  CHECK(reference_unit(smallest, 2, untouched));
  CHECK_EQUAL(1.0f, untouched[1]);
}

// Random signs, one sign, and the worst case: terms that vanish one by one beside a large sum.
std::vector<float> term_roots(std::size_t n, int kind, std::mt19937& random) {
  std::uniform_real_distribution<float> uniform(0.5f, 1.0f);
  std::vector<float> v(n);
  for (std::size_t i = 0; i < n; ++i) {
    v[i] = uniform(random);
    if (kind == 0 && random() % 2 == 0) v[i] = -v[i];
    if (kind == 2) v[i] = i < 64 ? 1.0f : 0x1.fp-13f;
  }
  return v;
}

void ranking_kernels_stay_within_the_proven_error() {
  std::mt19937 random(kSeed + 2);
  double most = 0.0;
  for (const std::size_t n : dimensions()) {
    const double bound = ranking_error(n);
    for (int kind = 0; kind < 3; ++kind) {
      const std::vector<float> a = term_roots(n, kind, random);
      const std::vector<float> b = kind == 2 ? a : term_roots(n, kind, random);
      const std::vector<float> zero(n, 0.0f);
      double dot = 0.0, absolute = 0.0, l2 = 0.0, length = 0.0;
      for (std::size_t i = 0; i < n; ++i) {
        const double x = a[i], y = b[i];
        dot += x * y;
        absolute += std::fabs(x * y);
        l2 += (x - y) * (x - y);
        length += x * x;
      }
      const double oracle_error = static_cast<double>(n + 2) * 0x1p-52;
      for (const SimdLevel level : levels()) {
        const double dot_error = std::fabs(inner_product_kernel(level)(a.data(), b.data(), n) - dot);
        const double l2_error = std::fabs(l2_squared_kernel(level)(a.data(), b.data(), n) - l2);
        const double length_error = std::fabs(l2_squared_kernel(level)(a.data(), zero.data(), n) - length);
        CHECK(dot_error <= (bound + oracle_error) * absolute);
        CHECK(l2_error <= (bound + oracle_error) * l2);
        CHECK(length_error <= (bound + oracle_error) * length);
        if (n > 0) most = std::fmax(most, std::fmax(dot_error / absolute, length_error / length) / bound);
      }
    }
  }
  std::printf("  largest error: %.3f of the bound\n", most);
  // A bound that is never approached would let the exact scan evaluate far too many rows.
  CHECK(most > 0.05);
  CHECK(std::isinf(ranking_error(std::size_t{1} << 40)));
}

// Values that end where readable memory ends: small whole numbers, so that sums of their products are exact in float.
template <typename Value>
class Guarded {
 public:
  explicit Guarded(std::size_t n, int least = -3) {
    const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    readable_ = (n * sizeof(Value) + page - 1) / page * page;
    if (readable_ == 0) readable_ = page;
    bytes_ = readable_ + page;
    map_ = static_cast<char*>(mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0));
    CHECK(map_ != MAP_FAILED);
    CHECK(mprotect(map_ + readable_, page, PROT_NONE) == 0);
    data_ = reinterpret_cast<Value*>(map_ + readable_) - n;
    for (std::size_t i = 0; i < n; ++i) data_[i] = static_cast<Value>(static_cast<int>(i % 7) + least);
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() { munmap(map_, bytes_); }
  const Value* data() const { return data_; }

 private:
  std::size_t readable_ = 0;
  std::size_t bytes_ = 0;
  char* map_ = nullptr;
  Value* data_ = nullptr;
};

void no_kernel_reads_beyond_the_vectors() {
  for (const std::size_t n : dimensions()) {
    const Guarded<float> a(n), b(n);
    const double expected = plain_sum(a.data(), b.data(), n, false);
    for (const SimdLevel level : levels()) {
      CHECK(set_simd_level(simd_level_name(level), nullptr, 0));
      CHECK_EQUAL(static_cast<float>(expected), inner_product_kernel(level)(a.data(), b.data(), n));
      CHECK_EQUAL(0.0f, l2_squared_kernel(level)(a.data(), b.data(), n));
      CHECK_EQUAL(expected, reference_dot(a.data(), b.data(), n));
      CHECK_EQUAL(std::int64_t{-1}, first_non_finite(a.data(), n));
    }
  }
  set_simd_level("auto", nullptr, 0);
}

// A row of codes and what a kernel may be asked of it, each at an address of its own alignment.
struct CodeRows {
  CodeRows(std::size_t n, std::mt19937& random)
      : bases(n + 3), steps(n + 3), query(n + 3), codes_a(n + 13), codes_b(n + 13) {
    std::normal_distribution<float> normal;
    for (float& x : bases) x = normal(random);
    for (float& x : steps) x = random() % 16 == 0 ? 0.0f : std::fabs(normal(random)) / 64.0f;
    for (float& x : query) x = 4.0f * normal(random);
    for (std::uint8_t& x : codes_a) x = random_code(random);
    for (std::uint8_t& x : codes_b) x = random_code(random);
  }
  static std::uint8_t random_code(std::mt19937& random) {
    constexpr std::uint8_t extreme[] = {0, 127, 128, 255};
    return random() % 4 == 0 ? extreme[random() % 4] : static_cast<std::uint8_t>(random());
  }
  const std::uint8_t* a(std::size_t n) const { return codes_a.data() + n % 13; }
  const std::uint8_t* b(std::size_t n) const { return codes_b.data() + n % 7; }

  std::vector<float> bases, steps, query;
  std::vector<std::uint8_t> codes_a, codes_b;
};

void kernels_over_codes_are_close_to_the_decoded_rows() {
  std::mt19937 random(kSeed + 3);
  for (const std::size_t n : dimensions()) {
    const CodeRows rows(n, random);
    const float* bases = rows.bases.data() + n % 3;
    const float* steps = rows.steps.data() + n % 2;
    const float* query = rows.query.data() + (n + 1) % 3;
    const std::uint8_t* a = rows.a(n);
    const std::uint8_t* b = rows.b(n);
    const double error = ranking_error(n) + 0x1p-22;  // of the sum, and of a term
    double product = 0, product_size = 0, l2 = 0, l2_size = 0, both = 0, both_size = 0, apart = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double base = bases[i], step = steps[i], q = query[i], ca = a[i], cb = b[i];
      product += q * ca;
      product_size += std::fabs(q * ca);
      l2 += (q - step * ca) * (q - step * ca);
      l2_size += std::pow(std::fabs(q) + step * ca, 2);
      both += (base + step * ca) * (base + step * cb);
      both_size += (std::fabs(base) + step * ca) * (std::fabs(base) + step * cb);
      apart += step * step * (ca - cb) * (ca - cb);
    }
    for (const SimdLevel level : levels()) {
      const CodeKernels& kernels = code_kernels(level);
      CHECK(std::fabs(kernels.product(query, a, n) - product) <= error * product_size);
      CHECK(std::fabs(kernels.l2_squared(query, steps, a, n) - l2) <= error * l2_size);
      CHECK(std::fabs(kernels.product_between(bases, steps, a, b, n) - both) <= error * both_size);
      CHECK(std::fabs(kernels.l2_squared_between(steps, a, b, n) - apart) <= error * apart);
    }
  }
}

void two_codes_are_equally_far_both_ways_and_equal_ones_not_at_all() {
  std::mt19937 random(kSeed + 4);
  for (const std::size_t n : dimensions()) {
    const CodeRows rows(n, random);
    const float* bases = rows.bases.data();
    const float* steps = rows.steps.data();
    const std::uint8_t* a = rows.a(n);
    const std::uint8_t* b = rows.b(n);
    for (const SimdLevel level : levels()) {
      const CodeKernels& kernels = code_kernels(level);
      CHECK(same_bits(kernels.product_between(bases, steps, a, b, n), kernels.product_between(bases, steps, b, a, n)));
      CHECK(same_bits(kernels.l2_squared_between(steps, a, b, n), kernels.l2_squared_between(steps, b, a, n)));
      CHECK_EQUAL(0.0f, kernels.l2_squared_between(steps, a, a, n));
    }
  }
}

void no_kernel_reads_beyond_the_codes() {
  for (const std::size_t n : dimensions()) {
    const Guarded<float> bases(n), steps(n, 1);
    const Guarded<std::uint8_t> code(n, 0);
    double product = 0, l2 = 0, both = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double c = static_cast<double>(i % 7), base = c - 3, step = c + 1;
      product += base * c;
      l2 += (base - step * c) * (base - step * c);
      both += (base + step * c) * (base + step * c);
    }
    for (const SimdLevel level : levels()) {
      const CodeKernels& kernels = code_kernels(level);
      CHECK_EQUAL(static_cast<float>(product), kernels.product(bases.data(), code.data(), n));
      CHECK_EQUAL(static_cast<float>(l2), kernels.l2_squared(bases.data(), steps.data(), code.data(), n));
      CHECK_EQUAL(static_cast<float>(both),
                  kernels.product_between(bases.data(), steps.data(), code.data(), code.data(), n));
      CHECK_EQUAL(0.0f, kernels.l2_squared_between(steps.data(), code.data(), code.data(), n));
    }
  }
}

void the_first_component_that_is_not_finite_is_found() {
  for (const std::size_t n : {1, 7, 63, 64, 65, 200}) {
    for (std::size_t at = 0; at < n; ++at) {
      for (const float bad : {std::nanf(""), -std::nanf(""), HUGE_VALF, -HUGE_VALF}) {
        std::vector<float> v(n, std::numeric_limits<float>::max());
        v[at] = bad;
        v[n - 1] = bad;
        CHECK_EQUAL(static_cast<std::int64_t>(at), first_non_finite(v.data(), n));
      }
    }
  }
}

void a_bad_component_is_named() {
  const float vector[] = {0.0f, std::nanf(""), -HUGE_VALF, 1.0f};
  CHECK_EQUAL(std::string("component 1 is NaN"), describe_bad_component(vector, 1));
  CHECK_EQUAL(std::string("component 2 is infinite"), describe_bad_component(vector, 2));
  CHECK_EQUAL(std::string("the vector is zero, which COSINE cannot take"), describe_bad_component(vector, -1));
}

void an_unknown_level_is_refused_with_those_this_cpu_has() {
  char available[64];
  CHECK(!set_simd_level("sse9", available, sizeof available));
  CHECK(std::string(available).rfind("auto, baseline", 0) == 0);
  char cut[8];
  CHECK(!set_simd_level(nullptr, cut, sizeof cut));
  CHECK_EQUAL(std::string("auto, b"), std::string(cut));
  CHECK(set_simd_level("baseline", nullptr, 0));
  CHECK(simd_level() == SimdLevel::kBaseline);
  CHECK(set_simd_level("auto", nullptr, 0));
  CHECK(simd_level() == best_simd_level());
}

}  // namespace

int main() {
  std::printf("best level: %s, seed %u\n", simd_level_name(best_simd_level()), kSeed);
  panvec::check::run("reference kernels equal the formula bit for bit",
                     reference_kernels_equal_the_formula_bit_for_bit);
  panvec::check::run("a zero inner product is never negative zero", a_zero_inner_product_is_never_negative_zero);
  panvec::check::run("unit vectors are rounded once from double", unit_vectors_are_rounded_once_from_double);
  panvec::check::run("ranking kernels stay within the proven error", ranking_kernels_stay_within_the_proven_error);
  panvec::check::run("no kernel reads beyond the vectors", no_kernel_reads_beyond_the_vectors);
  panvec::check::run("kernels over codes are close to the decoded rows",
                     kernels_over_codes_are_close_to_the_decoded_rows);
  panvec::check::run("two codes are equally far both ways, and equal ones not at all",
                     two_codes_are_equally_far_both_ways_and_equal_ones_not_at_all);
  panvec::check::run("no kernel reads beyond the codes", no_kernel_reads_beyond_the_codes);
  panvec::check::run("the first component that is not finite is found",
                     the_first_component_that_is_not_finite_is_found);
  panvec::check::run("a bad component is named", a_bad_component_is_named);
  panvec::check::run("an unknown level is refused with those this CPU has",
                     an_unknown_level_is_refused_with_those_this_cpu_has);
}
