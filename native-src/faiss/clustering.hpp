// Centroids by FAISS's k-means, on our threads.
#pragma once

#include <omp.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

#include <faiss/IndexFlat.h>

namespace panvec {

// FAISS's guideline: more rows than that for each centroid add nothing.
constexpr std::size_t kRowsPerCentroid = 256;

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
class SlicedFlat final : public faiss::IndexFlat {
 public:
  SlicedFlat(std::size_t dim, faiss::MetricType metric, unsigned threads)
      : IndexFlat(static_cast<faiss::idx_t>(dim), metric), threads_(threads) {}

  void search(faiss::idx_t n, const float* x, faiss::idx_t k, float* distances, faiss::idx_t* labels,
              const faiss::SearchParameters* parameters = nullptr) const override;

 private:
  unsigned threads_;
};

// `count` centroids (at most as many as rows), spherical for inner products, as FAISS does it. The rows are finite,
// and so are the sums of their squares.
std::vector<float> k_means(const RowBatch& batch, std::size_t count, faiss::MetricType metric, int iterations,
                           unsigned threads, std::uint64_t seed);

}  // namespace panvec
