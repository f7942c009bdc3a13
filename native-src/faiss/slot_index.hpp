// One index of any type: rows, codes and structure, put together. The engine's locks are those of panvec_faiss.h.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "codecs.hpp"
#include "growing_block.hpp"
#include "index_file.hpp"
#include "inverted_file.hpp"
#include "links.hpp"
#include "row_store.hpp"
#include "scratch_pool.hpp"
#include "slot_calls.hpp"
#include "stop.hpp"

namespace panvec {

enum class IndexType : std::int32_t { kFlat, kHnsw, kHnswSq8, kIvfFlat, kIvfSq8, kIvfPq, kPq, kSq8 };

const char* type_name(IndexType type);

struct IndexShape {
  Metric metric;
  std::size_t dim;
  IndexType type;
  std::size_t m;
  std::size_t ef_construction;
  std::size_t pq_m;
  std::size_t pq_bits;
  bool keep_vectors;
  std::uint64_t seed;

  bool has_graph() const { return type == IndexType::kHnsw || type == IndexType::kHnswSq8; }
  bool has_lists() const {
    return type == IndexType::kIvfFlat || type == IndexType::kIvfSq8 || type == IndexType::kIvfPq;
  }
  // Whether codes lie in the order of slots.
  bool has_codes_by_slot() const {
    return type == IndexType::kHnswSq8 || type == IndexType::kPq || type == IndexType::kSq8;
  }
  bool is_product() const { return type == IndexType::kIvfPq || type == IndexType::kPq; }
  bool is_lossy() const { return has_codes_by_slot() || type == IndexType::kIvfSq8 || type == IndexType::kIvfPq; }
  bool needs_training() const { return has_codes_by_slot() || has_lists(); }
  bool drops_rows() const { return is_lossy() && !keep_vectors; }
};

struct SearchWidth {
  std::int64_t ef_search;
  std::int64_t nprobe;
  std::int64_t refine_factor;

  std::size_t lists() const { return static_cast<std::size_t>(std::max<std::int64_t>(nprobe, 1)); }
};

struct SearchResult {
  std::int64_t* ids;
  float* distances;
  std::int32_t* count;
};

// The files of an index in memory.
struct SavedIndex {
  const char* graph;
  std::int64_t graph_bytes;
  const char* rows;
  std::int64_t rows_bytes;
};

class SlotIndex final : private RowDecoder {
 public:
  explicit SlotIndex(const IndexShape& shape);

  const IndexShape& shape() const { return shape_; }
  std::int64_t capacity() const { return capacity_; }
  std::int64_t linked() const { return linked_.load(std::memory_order_relaxed); }
  std::int64_t backlog() const { return linked() - structured_.load(std::memory_order_relaxed); }
  bool is_trained() const { return trained_.load(std::memory_order_acquire); }
  std::int32_t list_count() const { return list_count_.load(std::memory_order_relaxed); }
  std::int32_t code_bytes() const { return static_cast<std::int32_t>(code_bytes_); }
  std::int32_t max_level() const { return graph_ == nullptr ? -1 : graph_->max_level(); }
  std::size_t memory_bytes() const { return bytes_.load(std::memory_order_relaxed) + scratch_.bytes(); }
  RowSpace row_space() const;
  // Beside searches: changes under link alone.
  bool keeps_rows() const { return rows_ != nullptr || rows_in_lists_; }
  double max_row_norm() const { return rows_ != nullptr ? rows_->max_row_norm() : max_row_norm_; }
  void copy_row(std::int64_t slot, float* row) const;
  ScratchPool& scratch() const { return scratch_; }

  // One of PANVEC_FILE_GRAPH and PANVEC_FILE_ROWS, for the first slots, all of them linked, as they are now: what comes
  // later, training and the dropping of rows among it, changes nothing of what the file will say.
  std::unique_ptr<FileSaver> saver(std::int32_t file, std::int64_t slot_count) const;
  // Takes such files over, into an index without slots. As a view it reads them where they are for as long as it lives,
  // and nothing but searches and savers are for it. The same after a failure.
  void open(const SavedIndex& from, std::int64_t slot_count, double max_row_norm, bool as_view);
  bool is_mapped() const { return mapped_graph_ != nullptr; }

  void prepare(std::size_t capacity);
  void reserve(std::size_t capacity);
  void stage(std::int64_t first_slot, const float* rows, std::int64_t count, std::int64_t* bad_row,
             std::int32_t* bad_component);
  void stage_from(std::int64_t first_slot, const SlotIndex& source, const std::int32_t* slots, std::int64_t count);
  void train(std::int32_t nlist, const float* sample, const std::int32_t* slots, std::int64_t sample_count,
             unsigned threads, const Stop& stop, std::int64_t* bad_row, std::int32_t* bad_component);
  void train_like(const SlotIndex& source);
  void encode(std::int64_t end, unsigned threads, const Stop& stop);
  void link(std::int64_t first_slot, std::int64_t count, unsigned threads, const std::int32_t* yield,
            std::int64_t slice_nanos, std::int64_t& linked);
  void search(const SlotVersion& version, const std::int64_t* const* id_pages, const float* query, std::int32_t k,
              const SearchWidth& width, const Stop& stop, const SearchResult& result) const;

 private:
  // Lists and codes of slots that are encoded and not in a list yet.
  struct Assigned {
    std::int64_t first_slot = 0;
    std::vector<std::uint32_t> lists;
    std::vector<std::uint8_t> codes;
  };
  // Where the code of a slot lies, for types with lists whose rows are dropped.
  struct Place {
    std::uint32_t list;
    std::uint32_t position;
  };
  struct Sample;
  struct Saved;

  void decode(std::int64_t slot, float* row) const override;
  const float* staged_row(std::int64_t slot) const;
  std::uint8_t* code(std::int64_t slot) const;
  Place place(std::int64_t slot) const;
  bool learnt_with(const SlotIndex& other) const;
  void check_stage(std::int64_t first_slot, std::int64_t count) const;
  RowStore& room_for_rows(std::int64_t first_slot, std::int64_t count);
  void forget_from(std::int64_t slot);
  void count_staged(std::int64_t first_slot, std::int64_t count);
  void stage_codes(std::int64_t first_slot, const SlotIndex& source, const std::int32_t* slots, std::int64_t count);
  Sample sample_of(const float* rows, const std::int32_t* slots, std::int64_t count, bool stored, std::size_t most,
                   const Stop& stop, std::int64_t* bad_row, std::int32_t* bad_component) const;
  void encode_slice(std::int64_t begin, std::int64_t end);
  std::unique_ptr<SlotDistances> link_distances() const;
  std::int64_t extend(std::int64_t end, unsigned threads, const std::int32_t* yield, std::int64_t slice_nanos);
  void drop_rows_if_done();
  std::size_t rank(const SlotVersion& version, const float* query, std::size_t wanted, std::size_t considered,
                   const SearchWidth& width, Scratch& scratch, StopWatch& watch, const Candidate*& best) const;
  std::size_t scan_codes(const SlotVersion& version, const float* query, std::size_t most, Scratch& scratch,
                         StopWatch& watch) const;
  void account();
  const Scaling& scaling() const { return inverted_ != nullptr ? inverted_->model()->scaling() : scaling_; }
  void scan_lists(const SlotVersion& version, const float* query, const std::int64_t* const* id_pages,
                  std::size_t nprobe, const TopK& top, Scratch& scratch, StopWatch& watch) const;
  void save_graph(FileParts& file, std::int64_t slot_count) const;
  void save_lists(FileParts& file, const IndexHeader& header, std::shared_ptr<const Codec> untrained) const;
  Saved find(FileBytes file, std::int64_t slot_count) const;
  void find_lists(FileBytes& file, Saved& saved) const;
  void find_places(const Saved& saved, GrowingBlock& places) const;
  void map(Saved& saved, const std::shared_ptr<const ListModel>& model);
  void load(const Saved& saved, const std::shared_ptr<const ListModel>& model, std::int64_t slot_count);

  const IndexShape shape_;
  const SimdLevel level_;
  std::int64_t capacity_ = 0;
  std::atomic<std::int64_t> linked_{0};      // slots that link has counted
  std::atomic<std::int64_t> structured_{0};  // those of them that are part of the structure
  std::int64_t staged_end_ = 0;
  std::int64_t encoded_ = 0;
  std::atomic<bool> trained_;
  std::atomic<std::int32_t> list_count_{0};
  std::size_t code_bytes_ = 0;

  std::shared_ptr<RowStore> rows_;  // of all slots; NULL once they have been dropped; savers may hold it
  std::unique_ptr<RowStore> late_rows_;  // of slots from late_first_ on that are not linked yet, when rows_ is NULL
  std::int64_t late_first_ = 0;
  std::unique_ptr<LinkedGraph> graph_;
  Scaling scaling_;                     // of codec_
  std::shared_ptr<const Codec> codec_;  // of codes_; perhaps other indexes' too
  GrowingBlock codes_;                  // by slot
  std::unique_ptr<InvertedFile> inverted_;
  Assigned assigned_;
  GrowingBlock places_;  // by slot: a Place
  // Of a view.
  const char* mapped_graph_ = nullptr;
  std::size_t mapped_bytes_ = 0;
  const std::uint8_t* mapped_codes_ = nullptr;  // by slot, instead of codes_
  bool rows_in_lists_ = false;                  // the lists' codes are the rows, and rows_ is NULL
  double max_row_norm_ = 0;
  std::atomic<std::size_t> bytes_{0};
  mutable ScratchPool scratch_;
};

}  // namespace panvec
