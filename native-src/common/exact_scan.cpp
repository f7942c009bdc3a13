#include "exact_scan.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace panvec {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

constexpr std::size_t kCacheLine = 64;
// The hardware follows a longer row by itself.
constexpr std::size_t kMostLinesPerRow = 32;
// About 10 KiB: measured best for rows of 400 and of 1,536 bytes.
constexpr std::size_t kLinesAhead = 160;

float rounded_up(double x) { return std::nextafterf(static_cast<float>(x), kInfinity); }
float rounded_down(double x) { return std::nextafterf(static_cast<float>(x), -kInfinity); }

}  // namespace

bool TopK::after(std::int32_t a, std::int32_t b) const {
  if (distances_[a] != distances_[b]) return distances_[a] > distances_[b];
  return ids_[a] > ids_[b];
}

void TopK::swap(std::int32_t a, std::int32_t b) {
  std::swap(ids_[a], ids_[b]);
  std::swap(distances_[a], distances_[b]);
}

void TopK::sift_down(std::int32_t at, std::int32_t size) {
  for (;;) {
    // 64 bits: twice the position can pass 2^31.
    const std::int64_t left = 2 * static_cast<std::int64_t>(at) + 1;
    if (left >= size) return;
    std::int32_t child = static_cast<std::int32_t>(left);
    if (left + 1 < size && after(child + 1, child)) ++child;
    if (!after(child, at)) return;
    swap(at, child);
    at = child;
  }
}

bool TopK::offer(float distance, std::int64_t id) {
  if (*count_ < k_) {
    std::int32_t at = (*count_)++;
    ids_[at] = id;
    distances_[at] = distance;
    while (at > 0 && after(at, (at - 1) / 2)) {
      swap(at, (at - 1) / 2);
      at = (at - 1) / 2;
    }
    return true;
  }
  if (distance > distances_[0] || (distance == distances_[0] && id >= ids_[0])) return false;
  ids_[0] = id;
  distances_[0] = distance;
  sift_down(0, k_);
  return true;
}

void TopK::sort() {
  for (std::int32_t last = *count_ - 1; last > 0; --last) {
    swap(0, last);
    sift_down(0, last);
  }
}

ExactScan::ExactScan(Metric metric, SimdLevel level, SlotRows rows, double max_row_norm, const float* query,
                     const std::int64_t* const* id_pages, TopK top)
    : metric_(metric),
      kernel_(metric == Metric::kL2 ? l2_squared_kernel(level) : inner_product_kernel(level)),
      rows_(rows),
      query_(query),
      id_pages_(id_pages),
      top_(top),
      lines_(std::min((rows.dim * sizeof(float) + kCacheLine - 1) / kCacheLine, kMostLinesPerRow)),
      ahead_(std::min(kLinesAhead / std::max<std::size_t>(lines_, 1) + 1, kMostAhead)) {
  const double n = static_cast<double>(rows.dim);
  // What the double kernel itself may be off by counts too; n + 16 roundings of 2^-53 are more than it makes.
  const double relative = ranking_error(rows.dim) + std::ldexp(n + 16.0, -53);
  // A product that underflows is off by at most 2^-150, however small the sum.
  const double underflow = std::ldexp(n, -149);
  if (metric == Metric::kL2) {
    relative_error_ = relative;
    absolute_error_ = underflow;
  } else {
    // Cauchy-Schwarz: the sum of |q_i x_i| is at most |q| |x|.
    const double query_norm = std::sqrt(reference_dot(query, query, rows.dim));
    relative_error_ = 0.0;
    absolute_error_ = relative * query_norm * max_row_norm * (1.0 + 1e-9) + underflow;
  }
  update_cutoff();
}

// A row may be passed over when its reported distance is certainly above the k-th, D. Not merely not below: rows at the
// same float are ordered by id. Rounding to float is monotone, so that holds as soon as the double before rounding is
// at least `next`, the float after D. For L2 the double is sqrt(s), so s >= next^2 is enough, for DOT -s >= next, for
// COSINE 1 - s >= next with next <= 2 because of the clamp; s is the reference sum. The factors of 1 + 1e-12 and 2^-50
// are for the double arithmetic of this function.
void ExactScan::update_cutoff() {
  const double next = top_.full() ? std::nextafterf(top_.worst(), kInfinity) : kInfinity;
  switch (metric_) {
    case Metric::kL2:
      // (float) value <= (1 + e) s + slack; e may be infinite for absurd dimensions, then nothing is passed over.
      cutoff_ = std::isinf(next) ? kInfinity
                                 : rounded_up((next * next * (1.0 + 2.0 * relative_error_) + absolute_error_) *
                                              (1.0 + 1e-12));
      break;
    case Metric::kCosine:
      cutoff_ = next > 2.0 ? -kInfinity
                           : rounded_down(1.0 - next - absolute_error_ * (1.0 + 1e-12) - std::ldexp(1.0, -50));
      break;
    case Metric::kDot:
      cutoff_ = std::isinf(next) ? -kInfinity
                                 : rounded_down(-next - absolute_error_ * (1.0 + 1e-12) -
                                                std::ldexp(std::fabs(next), -50));
      break;
  }
}

void ExactScan::prefetch(std::int64_t slot) const {
  const char* row = reinterpret_cast<const char*>(rows_.row(slot));
  for (std::size_t line = 0; line < lines_; ++line) __builtin_prefetch(row + line * kCacheLine);
}

template <bool kIsL2>
void ExactScan::visit(const std::int32_t* slots, std::size_t count, std::size_t fetched) {
  for (std::size_t i = 0; i < count; ++i) {
    if (i + ahead_ < fetched) prefetch(slots[i + ahead_]);
    const float* row = rows_.row(slots[i]);
    const float value = kernel_(query_, row, rows_.dim);
    // Overflow makes an infinity or NaN, which proves nothing.
    if (kIsL2 ? value > cutoff_ && value < kInfinity : value < cutoff_ && value > -kInfinity) continue;
    const float distance = reference_distance(metric_, query_, row, rows_.dim);
    if (top_.offer(distance, id_of(id_pages_, slots[i])) && top_.full()) update_cutoff();
  }
}

// Visits the first `count` of `fetched` slots; the others are only fetched ahead.
void ExactScan::visit(const std::int32_t* slots, std::size_t count, std::size_t fetched) {
  if (metric_ == Metric::kL2) {
    visit<true>(slots, count, fetched);
  } else {
    visit<false>(slots, count, fetched);
  }
}

void ExactScan::range(std::int64_t from, std::int64_t to, const SlotSet& set) {
  if (from >= to) return;
  std::int32_t slots[kBatch + 64];
  std::size_t held = 0;
  const std::int64_t last_word = (to - 1) / 64;
  for (std::int64_t word = from / 64; word <= last_word; ++word) {
    std::uint64_t bits = set.word(word);
    const std::int64_t first = word * 64;
    if (first < from) bits &= ~std::uint64_t{0} << (from - first);
    if (to - first < 64) bits &= ~(~std::uint64_t{0} << (to - first));
    for (; bits != 0; bits &= bits - 1) slots[held++] = static_cast<std::int32_t>(first + __builtin_ctzll(bits));
    if (held >= kBatch) {
      // The last few stay back: they are fetched while the ones before them are computed.
      visit(slots, held - ahead_, held);
      std::copy(slots + held - ahead_, slots + held, slots);
      held = ahead_;
    }
  }
  visit(slots, held, held);
}

void ExactScan::list(const std::int32_t* slots, std::int64_t count) {
  visit(slots, static_cast<std::size_t>(count), static_cast<std::size_t>(count));
}

}  // namespace panvec
