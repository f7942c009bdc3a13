#include "clustering.hpp"

#include <algorithm>

#include <faiss/Clustering.h>

#include "parallel.hpp"
#include "slot_levels.hpp"

namespace panvec {

void SlicedFlat::search(faiss::idx_t n, const float* x, faiss::idx_t k, float* distances, faiss::idx_t* labels,
                        const faiss::SearchParameters* parameters) const {
  const std::int64_t slice = rows_per_slice(static_cast<std::size_t>(ntotal) * static_cast<std::size_t>(d));
  parallel_slices(n, slice, threads_, stop_, [&](std::int64_t begin, std::int64_t end, unsigned) {
    IndexFlat::search(end - begin, x + begin * d, k, distances + begin * k, labels + begin * k, parameters);
    // Without a label, split_clusters could look for a cluster to split for ever.
    for (std::int64_t i = begin * k; i < end * k; ++i) {
      if (labels[i] < 0) labels[i] = 0;
    }
  });
}

std::vector<float> k_means(const RowBatch& batch, std::size_t count, faiss::MetricType metric, int iterations,
                           unsigned threads, std::uint64_t seed, const Stop& stop) {
  faiss::ClusteringParameters parameters;
  parameters.niter = iterations;
  parameters.spherical = metric == faiss::METRIC_INNER_PRODUCT;
  parameters.seed = static_cast<int>(mixed(seed, count) & 0x3fffffff);
  // The caller has chosen the rows; FAISS is neither to choose again nor to warn on stderr.
  parameters.min_points_per_centroid = 1;
  parameters.max_points_per_centroid = static_cast<int>(batch.count / count + 1);
  faiss::Clustering clustering(static_cast<int>(batch.dim), static_cast<int>(count), parameters);
  SlicedFlat index(batch.dim, metric, threads, stop);
  const auto rows = static_cast<faiss::idx_t>(batch.count);
  if (stop.is_possible()) {
    // In blocks of whole slices, enough of them for all threads: the same slices, and so the same centroids, as below.
    // Multiplied as what is wide enough: 2^30 threads made blocks of no rows, and there is no end to those.
    const std::size_t slices = std::size_t{4} * std::max(threads, 1u);
    clustering.decode_block_size =
        std::min(batch.count, slices * static_cast<std::size_t>(rows_per_slice(count * batch.dim)));
    clustering.train_encoded(rows, reinterpret_cast<const std::uint8_t*>(batch.rows), &index, index);
  } else {
    clustering.train(rows, batch.rows, index);
  }
  return std::move(clustering.centroids);
}

}  // namespace panvec
