// The distance policy of a walk (walk.hpp) over float32 rows.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "exact_scan.hpp"
#include "panvec_kernels.hpp"

namespace panvec {

constexpr std::size_t kCacheLine = 64;

// What a walk fetches ahead of its use, for rows or codes of `bytes` bytes each.
struct PrefetchPlan {
  // Rows are fetched so far ahead that about this many lines are under way.
  static constexpr std::size_t kLinesInFlight = 96;
  // The hardware follows a longer row by itself.
  static constexpr std::size_t kMostLinesPerRow = 32;

  explicit PrefetchPlan(std::size_t bytes)
      : lines(std::min((bytes + kCacheLine - 1) / kCacheLine, kMostLinesPerRow)),
        ahead(std::min<std::size_t>(std::max<std::size_t>(kLinesInFlight / lines, 2), 16)) {}

  void fetch(const void* row) const {
    for (std::size_t line = 0; line < lines; ++line) {
      __builtin_prefetch(static_cast<const char*>(row) + line * kCacheLine);
    }
  }

  std::size_t lines;
  std::size_t ahead;
};

// An inner product as a distance. Overflow in both directions gives NaN, and candidates need an order.
inline float negated_product(float product) {
  return product == product ? -product : std::numeric_limits<float>::infinity();
}

template <bool kIsL2>
class FloatRows {
 public:
  FloatRows(const SlotRows& rows, RankingKernel kernel, const float* query)
      : rows_(rows), kernel_(kernel), query_(query), plan_(rows.dim * sizeof(float)) {}

  float operator()(std::uint32_t slot) const {
    const float value = kernel_(query_, rows_.row(slot), rows_.dim);
    return kIsL2 ? value : negated_product(value);
  }

  void prefetch(std::uint32_t slot) const { plan_.fetch(rows_.row(slot)); }
  std::size_t ahead() const { return plan_.ahead; }

 private:
  SlotRows rows_;
  RankingKernel kernel_;
  const float* query_;
  PrefetchPlan plan_;
};

}  // namespace panvec
