// Exact search: the k smallest rows by (reference distance, id), whatever the SIMD level and the slices.
//
// A float kernel looks at every row; the reference kernel only at those whose float value is within its proven error of
// the k-th distance so far. Rows lie at a fixed stride and are numbered by slot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "panvec_kernels.hpp"

namespace panvec {

// Ids, dead bits and their kin come in pages of this many slots, so that a published version can share unchanged pages.
constexpr std::int64_t kSlotsPerPage = 32768;
constexpr std::int64_t kWordsPerPage = kSlotsPerPage / 64;

// Where the rows are. `first` is the row of slot 0.
struct SlotRows {
  const char* first = nullptr;
  std::size_t stride = 0;  // bytes
  std::size_t dim = 0;

  const float* row(std::int64_t slot) const {
    return reinterpret_cast<const float*>(first + static_cast<std::size_t>(slot) * stride);
  }
};

// Which slots may be returned: neither dead (NULL, or one page pointer for every kSlotsPerPage slots, itself NULL when
// none of them is dead) nor outside the filter (NULL: all allowed).
struct SlotSet {
  const std::uint64_t* const* dead_pages = nullptr;
  const std::uint64_t* filter = nullptr;

  // The 64 slots from 64 * word on, as bits.
  std::uint64_t word(std::int64_t word) const {
    std::uint64_t bits = filter == nullptr ? ~std::uint64_t{0} : filter[word];
    if (dead_pages != nullptr) {
      const std::uint64_t* page = dead_pages[word / kWordsPerPage];
      if (page != nullptr) bits &= ~page[word % kWordsPerPage];
    }
    return bits;
  }

  bool contains(std::int64_t slot) const { return ((word(slot / 64) >> (slot % 64)) & 1) != 0; }
};

inline std::int64_t id_of(const std::int64_t* const* id_pages, std::int64_t slot) {
  return id_pages[slot / kSlotsPerPage][slot % kSlotsPerPage];
}

// The best k so far, as a max-heap in the caller's arrays: the state between two slices is the arrays and the count.
class TopK {
 public:
  TopK(std::int64_t* ids, float* distances, std::int32_t* count, std::int32_t k)
      : ids_(ids), distances_(distances), count_(count), k_(k) {}

  bool full() const { return *count_ == k_; }
  // The k-th distance; meaningful when full.
  float worst() const { return distances_[0]; }
  // True when the row has been taken.
  bool offer(float distance, std::int64_t id);
  // Turns the heap into ascending order.
  void sort();

 private:
  bool after(std::int32_t a, std::int32_t b) const;
  void swap(std::int32_t a, std::int32_t b);
  void sift_down(std::int32_t at, std::int32_t size);

  std::int64_t* ids_;
  float* distances_;
  std::int32_t* count_;
  std::int32_t k_;
};

class ExactScan {
 public:
  // `query` is checked, and a unit vector for COSINE; `max_row_norm` is at least the norm of every row that will be
  // seen.
  ExactScan(Metric metric, SimdLevel level, SlotRows rows, double max_row_norm, const float* query,
            const std::int64_t* const* id_pages, TopK top);

  void range(std::int64_t from, std::int64_t to, const SlotSet& set);
  void list(const std::int32_t* slots, std::int64_t count);

 private:
  static constexpr std::size_t kMostAhead = 32;
  static constexpr std::size_t kBatch = 512;

  template <bool kIsL2>
  void visit(const std::int32_t* slots, std::size_t count, std::size_t fetched);
  void visit(const std::int32_t* slots, std::size_t count, std::size_t fetched);
  void prefetch(std::int64_t slot) const;
  void update_cutoff();

  Metric metric_;
  RankingKernel kernel_;
  SlotRows rows_;
  const float* query_;
  const std::int64_t* const* id_pages_;
  TopK top_;
  std::size_t lines_;  // of a row, to be fetched
  std::size_t ahead_;  // rows are fetched this many before their use
  double relative_error_;
  double absolute_error_;
  // A finite float value beyond it proves that the row is farther than the k-th: above for L2, below for inner
  // products.
  float cutoff_;
};

}  // namespace panvec
