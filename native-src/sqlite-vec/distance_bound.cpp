#include "distance_bound.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace panvec::sqlitevec {
namespace {

constexpr double kUnitRoundoff = 0x1p-24;
// Below the normal range a product is off by half of the smallest denormal instead of by a relative error.
constexpr double kUnderflow = 0x1p-149;

// A sum of n rounded products in any order, fused or not, is off by at most gamma(n) times the sum of their magnitudes
// (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1).
double gamma(double n) noexcept { return n * kUnitRoundoff / (1 - n * kUnitRoundoff); }

// sqlite-vec: sqrt of the float sum of (a - b)^2, rounded to float. Of the relative error, gamma(n) is the sum's, 2u
// comes from the two factors' subtraction, u from the root's rounding; the reference is rounded to float as well. A sum
// that overflowed was at least as large as the largest float.
double least_l2(double n, double value) noexcept {
  const double squared = std::min(value * value, double{std::numeric_limits<float>::max()}) * (1 - 3 * kUnitRoundoff);
  const double exact_squared = std::max(0.0, squared - n * kUnderflow) / (1 + gamma(n + 3));
  return std::sqrt(exact_squared) * (1 - 2 * kUnitRoundoff);
}

// sqlite-vec: 1 - dot / (|a| |b|), all three in float, of vectors whose norms are 1 up to their components' rounding
// (u each). The error of dot is gamma(n) times at most |a| |b|; that of the norms' product gamma(n) relatively; the
// norms themselves differ from 1, which the reference does not divide by; the rest are single roundings of numbers up
// to 2.
double least_cosine(double n, double value) noexcept {
  const double error = 2.1 * gamma(n + 3) + 12 * kUnitRoundoff + 4 * n * kUnderflow;
  return std::min(2.0, value - error);  // the reference is clamped to [0, 2]
}

}  // namespace

double least_reference_distance(Metric metric, std::size_t dim, float float_distance) noexcept {
  const auto n = static_cast<double>(dim);
  return metric == Metric::kL2 ? least_l2(n, float_distance) : least_cosine(n, float_distance);
}

}  // namespace panvec::sqlitevec
