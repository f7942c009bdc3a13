// An inverted file: rows in the list of their nearest centroid, as slots alone or with codes of their residuals.
#pragma once

#include <omp.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include <faiss/IndexFlat.h>
#include <faiss/IndexIVF.h>
#include <faiss/IndexIVFPQ.h>
#include <faiss/impl/IDSelector.h>

#include "clustering.hpp"
#include "codecs.hpp"
#include "inverted_lists.hpp"
#include "panvec_kernels.hpp"
#include "scratch_pool.hpp"
#include "slot_calls.hpp"
#include "stop.hpp"

namespace panvec {

enum class ListContent { kSlots, kScalarCodes, kProductCodes };

struct CodecShape {
  std::size_t parts = 0;  // of a product quantiser
  std::size_t bits = 0;
};

// What an inverted file learns: the centroids of its lists, and codes for what of a row its centroid leaves over. Does
// not change; several inverted files may share one.
class ListModel {
 public:
  // Trains on `batch`, which is scaled already; on this thread and others, which need the stack of a BLAS. `with_tables`:
  // memory for the sake of speed (precompute_tables).
  ListModel(Metric metric, const RowBatch& batch, const Scaling& scaling, std::size_t lists, ListContent content,
            const CodecShape& shape, bool with_tables, unsigned threads, std::uint64_t seed, const Stop& stop);
  // From a file: the centroids of its lists, which stay there when `mapped`, and what was learnt besides; on the stack of
  // a BLAS.
  ListModel(Metric metric, std::size_t dim, const char* centroids, std::size_t lists, bool mapped,
            const Scaling& scaling, std::unique_ptr<Codec> codec, ListContent content, bool with_tables);
  ListModel(const ListModel&) = delete;
  ListModel& operator=(const ListModel&) = delete;

  bool is_l2() const { return metric_ == faiss::METRIC_L2; }
  std::size_t list_count() const { return static_cast<std::size_t>(centroids_.ntotal); }
  const float* centroids() const { return centroids_.get_xb(); }  // perhaps not aligned
  const Codec* codec() const { return codec_.get(); }
  std::size_t code_bytes() const { return codec_ == nullptr ? 0 : codec_->code_bytes(); }
  std::size_t memory_bytes() const;
  const Scaling& scaling() const { return scaling_; }

  // The lists and codes of `count` rows as stored; up to `most_without_blas` rows without a BLAS.
  static constexpr std::size_t most_without_blas() { return 19; }
  void encode(const float* rows, std::size_t count, std::uint32_t* lists, std::uint8_t* codes) const;
  // What that costs for a row, as so many multiplications of a BLAS.
  std::size_t products_per_row() const;
  void decode(std::uint32_t list, const std::uint8_t* code, float* row) const;

  // The nearest lists, nearest first, at the beginning of scratch.candidates; how many.
  std::size_t nearest_lists(const float* query, std::size_t nprobe, Scratch& scratch, StopWatch& watch) const;
  std::unique_ptr<faiss::InvertedListScanner> make_scanner(const faiss::IDSelector* selected, Scratch& scratch) const;
  // What set_list of a scanner costs, as so many distances.
  std::size_t distances_per_list() const { return product_ == nullptr ? 1 : product_->pq.ksub; }

 private:
  // The nearest list of each row, and its distance.
  void nearest_each(const float* rows, std::size_t count, float* distances, faiss::idx_t* labels) const;
  void precompute_tables(bool with_tables, const Stop& stop);

  faiss::MetricType metric_;
  SimdLevel level_;
  RankingKernel kernel_;
  Scaling scaling_;
  faiss::IndexFlat centroids_;
  std::unique_ptr<Codec> codec_;  // of residuals
  std::unique_ptr<faiss::IndexIVFPQ> product_;  // for its scanner alone: it holds no lists
};

class InvertedFile {
 public:
  explicit InvertedFile(std::shared_ptr<const ListModel> model)
      : model_(std::move(model)), lists_(model_->list_count(), model_->code_bytes()) {}
  InvertedFile(std::shared_ptr<const ListModel> model, InvertedLists lists)
      : model_(std::move(model)), lists_(std::move(lists)) {}

  const std::shared_ptr<const ListModel>& model() const { return model_; }
  std::size_t memory_bytes() const { return sizeof(InvertedFile) + model_->memory_bytes() + lists_.memory_bytes(); }

  const InvertedLists& lists() const { return lists_; }
  std::size_t append(std::uint32_t list, std::uint32_t slot, const std::uint8_t* code) {
    return lists_.append(list, slot, code);
  }
  const std::uint8_t* code(std::uint32_t list, std::size_t position) const { return lists_.code(list, position); }

  // The slots of the nprobe nearest lists that are of the version, in scratch.neighbours; how many.
  std::size_t collect(const float* query, std::size_t nprobe, const SlotVersion& version, std::int64_t linked,
                      Scratch& scratch, StopWatch& watch) const;
  // The best `most` of them by their codes, ascending by rank, in scratch.admitted; how many.
  std::size_t search(const float* query, std::size_t nprobe, std::size_t most, const SlotVersion& version,
                     std::int64_t linked, Scratch& scratch, StopWatch& watch) const;

 private:
  std::shared_ptr<const ListModel> model_;
  InvertedLists lists_;
};

}  // namespace panvec
