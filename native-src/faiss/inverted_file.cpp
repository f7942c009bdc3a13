#include "inverted_file.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include <faiss/utils/Heap.h>

#include "clustering.hpp"
#include "float_rows.hpp"
#include "parallel.hpp"

namespace panvec {
namespace {

// Beyond it a table for each list costs more memory than the time it saves is worth.
constexpr std::size_t kMostTableBytes = std::size_t{256} << 20;

// Asks a Stop now and then while FAISS goes through the centroids.
class WatchedCentroids final : public faiss::Index {
 public:
  WatchedCentroids(const faiss::IndexFlat& centroids, StopWatch& watch, std::size_t distances_each)
      : Index(centroids.d, centroids.metric_type), centroids_(centroids), watch_(watch), each_(distances_each) {
    ntotal = centroids.ntotal;
  }

  void reconstruct(faiss::idx_t key, float* row) const override {
    watch_.passed(each_);
    centroids_.reconstruct(key, row);
  }
  void add(faiss::idx_t, const float*) override {}
  void reset() override {}
  void search(faiss::idx_t, const float*, faiss::idx_t, float*, faiss::idx_t*,
              const faiss::SearchParameters*) const override {}

 private:
  const faiss::IndexFlat& centroids_;
  StopWatch& watch_;
  std::size_t each_;
};

class VersionSelector final : public faiss::IDSelector {
 public:
  explicit VersionSelector(const SlotVersion& version) : version_(version) {}
  bool is_member(faiss::idx_t slot) const override { return version_(static_cast<std::uint32_t>(slot)); }

 private:
  const SlotVersion& version_;
};

// The codes of one list after the other against a query, with FAISS's heap of candidates.
class ScalarScanner final : public faiss::InvertedListScanner {
 public:
  // `prepared`: as ScalarQuery.
  ScalarScanner(const ScalarCodec& codec, const faiss::IndexFlat& centroids, SimdLevel level,
                const faiss::IDSelector* selected, float* prepared)
      : faiss::InvertedListScanner(/*store_pairs=*/false, selected),
        centroids_(centroids),
        distance_(codec, centroids.metric_type == faiss::METRIC_L2 ? Metric::kL2 : Metric::kDot, level, prepared) {
    keep_max = centroids.metric_type != faiss::METRIC_L2;
    code_size = codec.code_bytes();
  }

  void set_query(const float* query) override {
    query_ = query;
    if (keep_max) distance_.set(query);
  }
  void set_list(faiss::idx_t list, float coarse) override {
    list_no = list;
    if (keep_max) {
      coarse_ = coarse;
    } else {
      const auto dim = static_cast<std::size_t>(centroids_.d);
      distance_.set(query_, centroids_.get_xb() + static_cast<std::size_t>(list) * dim);
    }
  }
  float distance_to_code(const std::uint8_t* code) const override {
    return keep_max ? coarse_ - distance_(code) : distance_(code);
  }

 private:
  const faiss::IndexFlat& centroids_;
  ScalarQuery distance_;
  const float* query_ = nullptr;
  float coarse_ = 0;
};

std::unique_ptr<Codec> make_codec(std::size_t dim, ListContent content, const CodecShape& shape) {
  switch (content) {
    case ListContent::kScalarCodes:
      return std::make_unique<ScalarCodec>(dim);
    case ListContent::kProductCodes:
      return std::make_unique<ProductCodec>(dim, shape.parts, shape.bits);
    default:
      return nullptr;
  }
}

}  // namespace

ListModel::ListModel(Metric metric, const RowBatch& batch, const Scaling& scaling, std::size_t lists,
                     ListContent content, const CodecShape& shape, bool with_tables, unsigned threads,
                     std::uint64_t seed, const Stop& stop)
    : metric_(metric == Metric::kL2 ? faiss::METRIC_L2 : faiss::METRIC_INNER_PRODUCT),
      level_(simd_level()),
      kernel_(metric == Metric::kL2 ? l2_squared_kernel(level_) : inner_product_kernel(level_)),
      scaling_(scaling),
      centroids_(static_cast<faiss::idx_t>(batch.dim), metric_),
      codec_(make_codec(batch.dim, content, shape)) {
  constexpr int iterations = 10;  // as Level1Quantizer
  const std::vector<float> found = k_means(batch, lists, metric_, iterations, threads, seed, stop);
  centroids_.add(static_cast<faiss::idx_t>(lists), found.data());
  if (codec_ == nullptr) return;

  // Evenly spread over the rows, which are in the order of their slots.
  const std::size_t dim = batch.dim;
  const std::size_t used = std::min(batch.count, codec_->useful_rows());
  // Not a vector: that would fill all of it, and nobody could stop it.
  const std::unique_ptr<float[]> residuals(new float[used * dim]);
  StopWatch watch(stop, dim);
  for (std::size_t i = 0; i < used; ++i) {
    watch.passed(1);
    std::memcpy(&residuals[i * dim], batch.rows + i * batch.count / used * dim, dim * sizeof(float));
  }
  parallel_slices(static_cast<std::int64_t>(used), rows_per_slice(lists * dim), threads, stop,
                  [&](std::int64_t begin, std::int64_t end, unsigned) {
                    const auto count = static_cast<std::size_t>(end - begin);
                    std::vector<faiss::idx_t> labels(count);
                    std::vector<float> distances(count);
                    float* rows = &residuals[static_cast<std::size_t>(begin) * dim];
                    nearest_each(rows, count, distances.data(), labels.data());
                    for (std::size_t i = 0; i < count; ++i) {
                      // Not compute_residual: that writes the centroid first.
                      const auto list = static_cast<std::size_t>(std::max<faiss::idx_t>(labels[i], 0));
                      const float* centroid = centroids_.get_xb() + list * dim;
                      for (std::size_t j = 0; j < dim; ++j) rows[i * dim + j] -= centroid[j];
                    }
                  });
  codec_->train(residuals.get(), used, threads, seed, stop);
  if (content == ListContent::kProductCodes) precompute_tables(with_tables, stop);
}

ListModel::ListModel(Metric metric, std::size_t dim, const char* centroids, std::size_t lists, bool mapped,
                     const Scaling& scaling, std::unique_ptr<Codec> codec, ListContent content, bool with_tables)
    : metric_(metric == Metric::kL2 ? faiss::METRIC_L2 : faiss::METRIC_INNER_PRODUCT),
      level_(simd_level()),
      kernel_(metric == Metric::kL2 ? l2_squared_kernel(level_) : inner_product_kernel(level_)),
      scaling_(scaling),
      centroids_(static_cast<faiss::idx_t>(dim), metric_),
      codec_(std::move(codec)) {
  const std::size_t bytes = lists * dim * sizeof(float);
  if (mapped) {
    // Nobody writes to it.
    centroids_.codes =
        faiss::MaybeOwnedVector<std::uint8_t>::create_view(const_cast<char*>(centroids), bytes, nullptr);
  } else {
    centroids_.codes.resize(bytes);
    std::memcpy(centroids_.codes.data(), centroids, bytes);
  }
  centroids_.ntotal = static_cast<faiss::idx_t>(lists);
  if (content == ListContent::kProductCodes) precompute_tables(with_tables, Stop());
}

void ListModel::precompute_tables(bool with_tables, const Stop& stop) {
  const faiss::ProductQuantizer& trained = static_cast<const ProductCodec&>(*codec_).quantizer();
  product_ = std::make_unique<faiss::IndexIVFPQ>(&centroids_, trained.d, list_count(), trained.M, trained.nbits,
                                                 metric_, /*own_invlists=*/false);
  product_->pq = trained;
  product_->is_trained = true;
  const bool fits = with_tables && list_count() <= kMostTableBytes / (trained.M * trained.ksub * sizeof(float));
  product_->use_precomputed_table = fits ? 0 : -1;  // 0: as FAISS decides, for L2 alone
  StopWatch watch(stop, trained.d);
  WatchedCentroids watched(centroids_, watch, trained.ksub);
  product_->quantizer = &watched;
  product_->precompute_table();
  product_->quantizer = &centroids_;
}

std::size_t ListModel::memory_bytes() const {
  std::size_t bytes = sizeof(ListModel) + (centroids_.codes.is_owned ? centroids_.codes.size() : 0);
  if (codec_ != nullptr) bytes += codec_->memory_bytes();
  if (product_ != nullptr) {
    bytes += sizeof(faiss::IndexIVFPQ) + product_->pq.centroids.capacity() * sizeof(float) +
             product_->precomputed_table.size() * sizeof(float);
  }
  return bytes;
}

void ListModel::nearest_each(const float* rows, std::size_t count, float* distances, faiss::idx_t* labels) const {
  if (count > most_without_blas()) {
    centroids_.search(static_cast<faiss::idx_t>(count), rows, 1, distances, labels);
    return;
  }
  // From how many rows on FAISS takes a BLAS is a setting of the process, and these may be on a small stack.
  const auto dim = static_cast<std::size_t>(centroids_.d);
  const float* centroids = centroids_.get_xb();
  for (std::size_t i = 0; i < count; ++i) {
    distances[i] = std::numeric_limits<float>::infinity();
    labels[i] = 0;
    for (std::size_t list = 0; list < list_count(); ++list) {
      const float value = kernel_(rows + i * dim, centroids + list * dim, dim);
      const float distance = is_l2() ? value : negated_product(value);
      if (distance < distances[i]) {
        distances[i] = distance;
        labels[i] = static_cast<faiss::idx_t>(list);
      }
    }
  }
}

std::size_t ListModel::products_per_row() const {
  return list_count() * static_cast<std::size_t>(centroids_.d) + (codec_ == nullptr ? 0 : codec_->products_per_row());
}

void ListModel::encode(const float* rows, std::size_t count, std::uint32_t* lists, std::uint8_t* codes) const {
  const auto dim = static_cast<std::size_t>(centroids_.d);
  std::vector<float> copy;
  const float* scaled = scaling_.apply(rows, count * dim, copy);
  std::vector<faiss::idx_t> labels(count);
  std::vector<float> distances(count);
  nearest_each(scaled, count, distances.data(), labels.data());
  std::vector<float> residual(codec_ == nullptr ? 0 : dim);
  for (std::size_t i = 0; i < count; ++i) {
    const faiss::idx_t list = std::max<faiss::idx_t>(labels[i], 0);
    lists[i] = static_cast<std::uint32_t>(list);
    if (codec_ == nullptr) continue;
    centroids_.compute_residual(scaled + i * dim, residual.data(), list);
    codec_->encode(residual.data(), codes + i * codec_->code_bytes());
  }
}

void ListModel::decode(std::uint32_t list, const std::uint8_t* code, float* row) const {
  const auto dim = static_cast<std::size_t>(centroids_.d);
  codec_->decode(code, row);
  const char* centroid = reinterpret_cast<const char*>(centroids_.get_xb() + list * dim);
  for (std::size_t i = 0; i < dim; ++i) row[i] += number_at<float>(centroid, i);
  scaling_.undo(row, dim);
}

std::size_t ListModel::nearest_lists(const float* query, std::size_t nprobe, Scratch& scratch,
                                     StopWatch& watch) const {
  const auto dim = static_cast<std::size_t>(centroids_.d);
  const float* centroids = centroids_.get_xb();
  std::vector<Candidate>& nearest = scratch.candidates;
  nearest.clear();
  for (std::size_t list = 0; list < list_count(); ++list) {
    watch.passed(1);
    const float value = kernel_(query, centroids + list * dim, dim);
    nearest.push_back({is_l2() ? value : negated_product(value), static_cast<std::uint32_t>(list)});
  }
  const std::size_t count = std::min(std::max<std::size_t>(nprobe, 1), nearest.size());
  std::partial_sort(nearest.begin(), nearest.begin() + static_cast<std::ptrdiff_t>(count), nearest.end(),
                    [](const Candidate& a, const Candidate& b) {
                      return a.distance != b.distance ? a.distance < b.distance : a.slot < b.slot;
                    });
  return count;
}

std::unique_ptr<faiss::InvertedListScanner> ListModel::make_scanner(const faiss::IDSelector* selected,
                                                                    Scratch& scratch) const {
  if (product_ != nullptr) {
    return std::unique_ptr<faiss::InvertedListScanner>(product_->get_InvertedListScanner(false, selected, nullptr));
  }
  const auto& codec = static_cast<const ScalarCodec&>(*codec_);
  return std::make_unique<ScalarScanner>(codec, centroids_, level_, selected, scratch.row(codec.dim()));
}

std::size_t InvertedFile::collect(const float* query, std::size_t nprobe, const SlotVersion& version,
                                  std::int64_t linked, Scratch& scratch, StopWatch& watch) const {
  const std::size_t probes = model_->nearest_lists(query, nprobe, scratch, watch);
  std::vector<std::uint32_t>& slots = scratch.neighbours;
  slots.clear();
  const bool all = version.admits_all(linked);
  for (std::size_t i = 0; i < probes; ++i) {
    lists_.visit(scratch.candidates[i].slot, [&](const std::uint32_t* piece, const std::uint8_t*, std::size_t count) {
      watch.passed(count);
      if (all) {
        slots.insert(slots.end(), piece, piece + count);
        return;
      }
      for (std::size_t j = 0; j < count; ++j) {
        if (version(piece[j])) slots.push_back(piece[j]);
      }
    });
  }
  return slots.size();
}

std::size_t InvertedFile::search(const float* query, std::size_t nprobe, std::size_t most, const SlotVersion& version,
                                 std::int64_t linked, Scratch& scratch, StopWatch& watch) const {
  const std::size_t probes = model_->nearest_lists(query, nprobe, scratch, watch);
  const bool is_l2 = model_->is_l2();
  const VersionSelector selector(version);
  const faiss::IDSelector* selected = version.admits_all(linked) ? nullptr : &selector;
  const std::unique_ptr<faiss::InvertedListScanner> scanner = model_->make_scanner(selected, scratch);
  scanner->set_query(query);

  std::vector<float> distances(most);
  std::vector<faiss::idx_t> slots(most);
  if (is_l2) {
    faiss::maxheap_heapify(most, distances.data(), slots.data());
  } else {
    faiss::minheap_heapify(most, distances.data(), slots.data());
  }
  for (std::size_t i = 0; i < probes; ++i) {
    const Candidate& probe = scratch.candidates[i];
    watch.passed(model_->distances_per_list());
    scanner->set_list(probe.slot, is_l2 ? probe.distance : -probe.distance);
    lists_.visit(probe.slot, [&](const std::uint32_t* piece, const std::uint8_t* codes, std::size_t count) {
      watch.passed(count);
      faiss::idx_t ids[InvertedLists::kSlotsPerPiece];
      std::copy_n(piece, count, ids);
      scanner->scan_codes(count, codes, ids, distances.data(), slots.data(), most);
    });
  }
  std::vector<Candidate>& best = scratch.admitted;
  best.clear();
  for (std::size_t i = 0; i < most; ++i) {
    if (slots[i] < 0) continue;
    best.push_back({is_l2 ? distances[i] : -distances[i], static_cast<std::uint32_t>(slots[i])});
  }
  std::sort(best.begin(), best.end(), [](const Candidate& a, const Candidate& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.slot < b.slot;
  });
  return best.size();
}

}  // namespace panvec
