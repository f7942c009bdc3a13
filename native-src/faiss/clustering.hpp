// Centroids by FAISS's k-means, on our threads.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

#include <faiss/IndexFlat.h>

#include "stop.hpp"

namespace panvec {

// FAISS's guideline: more rows than that for each centroid add nothing.
constexpr std::size_t kRowsPerCentroid = 256;

// How many rows a thread works on between two looks at a Stop, so that it takes some tens of milliseconds at most, when
// each costs so many multiplications of a BLAS. A power of two, and more rows than FAISS does without a BLAS; it
// depends on nothing but the work, so that what comes out does not either.
inline std::int64_t rows_per_slice(std::size_t products_per_row) {
  constexpr std::size_t products = std::size_t{1} << 29;
  std::int64_t rows = 1024;
  while (rows > 32 && static_cast<std::size_t>(rows) > products / products_per_row) rows /= 2;
  return rows;
}

struct RowBatch {
  const float* rows;
  std::size_t count;
  std::size_t dim;
};

// Runs `work` on a thread of its own and waits for it: a BLAS wants more stack than the caller's thread may have.
template <typename Work>
void on_own_thread(Work&& work) {
  std::exception_ptr failure;
  std::thread thread([&]() noexcept {
    try {
      work();
    } catch (...) {
      failure = std::current_exception();
    }
  });
  thread.join();
  if (failure != nullptr) std::rethrow_exception(failure);
}

// Exhaustive search in slices on up to `threads` threads; the slices do not depend on the threads, nor does the result.
// What is to end early ends with an exception from one of its methods: FAISS's own callback for that is one for the
// process, so it would be a user's of the C API as well, and is not asked while sums are made.
class SlicedFlat final : public faiss::IndexFlat {
 public:
  SlicedFlat(std::size_t dim, faiss::MetricType metric, unsigned threads, const Stop& stop)
      : IndexFlat(static_cast<faiss::idx_t>(dim), metric), threads_(threads), stop_(stop), watch_(stop, dim) {}

  void search(faiss::idx_t n, const float* x, faiss::idx_t k, float* distances, faiss::idx_t* labels,
              const faiss::SearchParameters* parameters = nullptr) const override;
  // As a codec of rows that are no codes: how Clustering can be made to ask for each row. On one thread.
  void sa_decode(faiss::idx_t n, const std::uint8_t* bytes, float* x) const override {
    watch_.passed(static_cast<std::size_t>(n));
    IndexFlat::sa_decode(n, bytes, x);
  }

 private:
  unsigned threads_;
  const Stop& stop_;
  mutable StopWatch watch_;
};

// `count` centroids (at most as many as rows), spherical for inner products, as FAISS does it. The rows are finite,
// and so are the sums of their squares.
std::vector<float> k_means(const RowBatch& batch, std::size_t count, faiss::MetricType metric, int iterations,
                           unsigned threads, std::uint64_t seed, const Stop& stop);

}  // namespace panvec
