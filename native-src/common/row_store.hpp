// The float32 rows of an index, by slot: checked on the way in, unit vectors for COSINE.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "exact_scan.hpp"
#include "growing_block.hpp"
#include "panvec_kernels.hpp"

namespace panvec {

struct BadRow {
  std::int64_t row = -1;
  std::int64_t component = -1;  // -1: the vector is zero
};

class RowStore {
 public:
  RowStore(Metric metric, std::size_t dim);

  Metric metric() const { return metric_; }
  std::size_t dim() const { return dim_; }
  SlotRows rows() const { return {mapped_ != nullptr ? mapped_ : block_.data(), dim_ * sizeof(float), dim_}; }
  // At least the norm of every row staged so far.
  double max_row_norm() const { return max_row_norm_.load(std::memory_order_relaxed); }
  std::size_t bytes() const { return block_.size(); }

  // Room for `capacity` rows; strong guarantee, quick. Exclusive.
  void reserve(std::size_t capacity);
  // Writes rows at slots that nobody reads yet; the first row that cannot be stored ends it. A writer's.
  bool stage(std::int64_t first_slot, const float* rows, std::int64_t count, BadRow& bad);
  // The same with rows that are stored elsewhere, by the same metric and dim.
  void stage_from(std::int64_t first_slot, const SlotRows& source, const std::int32_t* slots, std::int64_t count);

  // Takes over rows from a file, whose norms are at most max_row_norm, into an empty store: load copies them; after map
  // they are read where they are, and none is written any more.
  void load(const char* rows, std::size_t count, double max_row_norm);
  void map(const char* rows, double max_row_norm);

 private:
  Metric metric_;
  std::size_t dim_;
  std::atomic<double> max_row_norm_;
  const char* mapped_ = nullptr;
  GrowingBlock block_;
};

// Stores one row at `stored`: copies, checks, normalises for COSINE, and raises max_norm for DOT. The copy is what is
// checked: the caller may change its memory meanwhile. False with bad_component when it cannot be stored.
bool store_row(Metric metric, const float* row, std::size_t dim, float* stored, double& max_norm,
               std::int64_t& bad_component);

// The same for a row that is stored elsewhere: as it is.
void store_row_again(Metric metric, const float* row, std::size_t dim, float* stored, double& max_norm);

// What max_row_norm starts from. The components of a unit vector are off by a relative 2^-24 each, so its norm is too.
constexpr double initial_max_row_norm(Metric metric) { return metric == Metric::kCosine ? 1.0 + 1e-6 : 0.0; }

// How panvec_x_stage ends when a row is bad. `stored` is the row as it was checked.
[[noreturn]] void fail_stage(const BadRow& bad, const float* stored, std::int64_t* bad_row,
                             std::int32_t* bad_component);

}  // namespace panvec
