// hnswlib's graph, used for what it is good at: choosing and keeping links. Slots, levels, memory and threads are ours.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "entry_point.hpp"
#include "exact_scan.hpp"
#include "growing_block.hpp"
#include "panvec_kernels.hpp"
#include "row_store.hpp"
#include "saved_file.hpp"
#include "walk.hpp"

// Our kernels are the distance functions; hnswlib's own SSE code would only prefetch beyond the end of its lists.
#ifndef NO_MANUAL_VECTORIZATION
#error "compile hnswlib with NO_MANUAL_VECTORIZATION"
#endif
#include <hnswlib.h>

namespace panvec {

// What a walk reads of a graph in hnswlib's layout: a list is a word whose low half is the count, then the neighbours. No
// list is longer than there is room, and above a slot's own layers there are none, also of a mapped file whose links
// nobody has looked at.
struct GraphView {
  const char* base_layer = nullptr;  // lists of layer 0, one every `stride` bytes
  std::size_t stride = 0;
  const char* const* upper_layers = nullptr;  // by slot: lists of the layers 1, 2, ..., one every `upper_stride` bytes
  std::size_t upper_stride = 0;
  const int* levels = nullptr;  // by slot
  std::size_t degree_limit = 0;
  std::size_t slot_limit = 0;
  std::uint32_t entry_slot = 0;
  int top_level = -1;

  std::size_t slots() const { return slot_limit; }
  std::size_t max_degree() const { return degree_limit; }
  std::uint32_t entry() const { return entry_slot; }
  int max_level() const { return top_level; }
  Links links(std::uint32_t slot) const { return links_of(base_layer + slot * stride, degree_limit); }
  Links links(std::uint32_t slot, int level) const {
    if (level > levels[slot]) return {nullptr, 0};
    return links_of(upper_layers[slot] + static_cast<std::size_t>(level - 1) * upper_stride,
                    upper_stride / sizeof(std::uint32_t) - 1);
  }
  void prefetch_links(std::uint32_t slot) const {
    const char* list = base_layer + slot * stride;
    __builtin_prefetch(list);
    __builtin_prefetch(list + 64);
  }
  static std::size_t degree(const std::uint32_t* list) { return list[0] & 0xFFFF; }

 private:
  static Links links_of(const char* at, std::size_t most) {
    return {at + sizeof(std::uint32_t), std::min<std::size_t>(list_word(at) & 0xFFFF, most)};
  }
};

// hnswlib's own file (HierarchicalNSW::saveIndex) in memory.
struct GraphFile {
  struct Header {
    std::uint64_t count = 0;   // rows
    std::uint64_t stride = 0;  // bytes of a row with its links on the base layer and its label
    std::uint64_t m = 0;
    std::uint64_t ef_construction = 0;
    double level_factor = 0;
    std::int32_t top_level = -1;
    std::uint32_t entry = 0;

    std::size_t upper_stride() const { return (m + 1) * sizeof(std::uint32_t); }
    std::size_t write(char* room) const;
    // Refuses an entry that is no slot, or has another highest layer than the graph is to have.
    template <typename Level>
    void check_entry(Level&& level) const;
  };

  // Refuses a file whose header is not the expected one, but for where walks begin.
  GraphFile(FileBytes& file, const Header& expected);

  // The highest layer of each slot, from the sizes of the upper layers, checked; `found` is told where those are.
  template <typename Found>
  std::vector<int> levels(Found&& found) const;
  // Refuses links, labels and an entry that lead nowhere.
  void check(const std::vector<int>& levels) const;

  Header header;
  const char* base = nullptr;
  FileBytes upper{nullptr, 0};  // from the upper layers on

 private:
  void check_list(const char* list, std::uint64_t slot, int level, std::uint64_t most,
                  const std::vector<int>& levels) const;
};

// Ranks by our kernels: squared L2, or the negated inner product, which for unit vectors orders like the cosine
// distance.
class RankingSpace final : public hnswlib::SpaceInterface<float> {
 public:
  RankingSpace(Metric metric, SimdLevel level, std::size_t dim);

  std::size_t get_data_size() override { return dim_ * sizeof(float); }
  hnswlib::DISTFUNC<float> get_dist_func() override;
  void* get_dist_func_param() override { return this; }

  Metric metric() const { return metric_; }
  SimdLevel level() const { return level_; }
  std::size_t dim() const { return dim_; }
  RankingKernel kernel() const { return kernel_; }

 private:
  Metric metric_;
  SimdLevel level_;
  std::size_t dim_;
  RankingKernel kernel_;
};

// Internal id = label = slot. Never uses hnswlib's label map, delete marks, updates or its level generator.
class Graph final : private hnswlib::HierarchicalNSW<float> {
 public:
  using Upstream = hnswlib::HierarchicalNSW<float>;

  Graph(Metric metric, std::size_t dim, std::size_t m, std::size_t ef_construction, std::uint64_t seed);
  ~Graph() override;

  std::int64_t capacity() const { return static_cast<std::int64_t>(max_elements_); }
  std::int64_t linked() const { return static_cast<std::int64_t>(cur_element_count.load()); }
  // Slots below may be in lists: more than linked() while others are being linked.
  std::int64_t reachable() const { return reachable_.load(std::memory_order_acquire); }
  int max_level() const { return entry_.load().level; }
  const RankingSpace& space() const { return *space_; }

  SlotRows rows() const { return {data_level0_memory_ + offsetData_, size_data_per_element_, space_->dim()}; }
  // At least the norm of every row staged so far.
  double max_row_norm() const { return max_row_norm_.load(std::memory_order_relaxed); }
  GraphView view() const;
  // The highest layer of a linked slot.
  int level(std::uint32_t slot) const;
  std::size_t memory_bytes() const;

  // Writes the file of the first slots, all of them linked.
  std::unique_ptr<FileSaver> saver(std::int64_t slot_count) const;
  // Takes over such a file into an empty graph, checked link by link. After a failure the graph can only be freed.
  void load(FileBytes file, std::int64_t slot_count, double max_row_norm);
  // Uses the file where it is, for as long as the graph lives. Only sizes are looked at, and nothing but searches and
  // savers are for such a graph. The same after a failure.
  void map(FileBytes file, std::int64_t slot_count, double max_row_norm);
  bool is_mapped() const { return mapped_; }

  // Strong guarantee, both. prepare touches nothing that a walk reads.
  void prepare(std::size_t capacity);
  void reserve(std::size_t capacity);

  // Writes rows at slots that are not linked. The first row that cannot be stored ends it.
  bool stage(std::int64_t first_slot, const float* rows, std::int64_t count, BadRow& bad);

  // Writes linked rows of another graph of the same space.
  void stage_from(std::int64_t first_slot, const Graph& source, const std::int32_t* slots, std::int64_t count);

  // Links staged slots from linked() on, beside walks. `linked` counts them, also when this throws.
  void link(std::int64_t count, unsigned threads, const std::int32_t* yield, std::int64_t slice_nanos,
            std::int64_t& linked);

 private:
  // What grows with the capacity and only linking reads.
  struct LinkParts {
    LinkParts(std::size_t capacity, const std::vector<int>& levels, std::size_t linked);

    std::vector<std::mutex> locks;
    std::vector<int> levels;
    std::size_t levels_known;  // of the slots below
    std::unique_ptr<hnswlib::VisitedListPool> visited;
    std::size_t visited_lists = 0;

    std::size_t bytes() const;
  };

  GraphFile::Header file_header(std::size_t count) const;
  GraphFile::Header file_header_of(std::int64_t slot_count) const;
  void finish_loading(const GraphFile::Header& header, double max_row_norm);
  void free_outdated();
  int level_of(std::uint32_t slot) const;
  void insert(std::uint32_t slot);
  std::uint32_t nearest_above(std::uint32_t entry, int from_level, int to_level, const void* row);

  std::unique_ptr<RankingSpace> space_;
  std::uint64_t seed_;
  EntryPoint entry_;
  std::atomic<std::int64_t> reachable_{0};
  std::atomic<double> max_row_norm_;
  std::atomic<std::size_t> upper_bytes_{0};
  std::atomic<std::size_t> visited_lists_{0};
  bool mapped_ = false;
  GrowingBlock base_layer_;    // behind data_level0_memory_
  GrowingBlock upper_layers_;  // behind linkLists_
  // At most one of them is there. Freeing takes its time as well, and is not done where searches wait.
  std::unique_ptr<LinkParts> prepared_, outdated_;
  std::atomic<std::size_t> spare_bytes_{0};
};

}  // namespace panvec
