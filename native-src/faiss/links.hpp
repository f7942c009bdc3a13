// A graph in FAISS's form (faiss::HNSW), grown by FAISS's search and choice of neighbours. Slots, layers, memory, locks
// and threads are ours: docs/adr/0010-faiss-structures.md.
#pragma once

#include <omp.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <faiss/impl/AuxIndexStructures.h>
#include <faiss/impl/DistanceComputer.h>
#include <faiss/impl/HNSW.h>

#include "entry_point.hpp"
#include "growing_block.hpp"
#include "walk.hpp"

namespace panvec {

// What a walk reads: the neighbours of a slot's layers one after the other, each list ended by -1 or by its capacity.
struct LinksView {
  const std::size_t* offsets = nullptr;  // by slot, into neighbours
  const std::int32_t* neighbours = nullptr;
  const int* layer_ends = nullptr;  // layer l of a slot is [layer_ends[l], layer_ends[l + 1]) behind its offset
  std::size_t slot_limit = 0;
  std::uint32_t entry_slot = 0;
  int top_level = -1;

  std::size_t slots() const { return slot_limit; }
  std::size_t max_degree() const { return static_cast<std::size_t>(layer_ends[1]); }
  std::uint32_t entry() const { return entry_slot; }
  int max_level() const { return top_level; }
  Links links(std::uint32_t slot) const { return links(slot, 0); }
  Links links(std::uint32_t slot, int level) const {
    const std::int32_t* first = neighbours + offsets[slot] + layer_ends[level];
    const auto room = static_cast<std::size_t>(layer_ends[level + 1] - layer_ends[level]);
    std::size_t count = room;
    if (__atomic_load_n(&first[room - 1], __ATOMIC_RELAXED) < 0) {
      for (count = 0; count < room && __atomic_load_n(&first[count], __ATOMIC_RELAXED) >= 0;) ++count;
    }
    return {reinterpret_cast<const std::uint32_t*>(first), count};
  }
  void prefetch_links(std::uint32_t slot) const {
    const std::int32_t* list = neighbours + offsets[slot];
    __builtin_prefetch(list);
    __builtin_prefetch(list + 16);
  }
};

// Distances between slots, as one thread that links needs them. Smaller is nearer; never NaN.
class SlotDistances : public faiss::DistanceComputer {
 public:
  // From now on operator() tells the distance from this slot.
  virtual void from(std::uint32_t slot) = 0;

 private:
  // What FAISS has for queries that are no slots; linking has none.
  void set_query(const float*) final {}
};

class LinkedGraph {
 public:
  using MakeDistances = std::function<std::unique_ptr<SlotDistances>()>;

  LinkedGraph(std::size_t m, std::size_t ef_construction, std::uint64_t seed);

  std::size_t capacity() const { return locks_.size(); }
  int max_level() const { return view().top_level; }
  // Slots below may be in lists: more than are linked while others are being linked.
  std::int64_t reachable() const { return reachable_.load(std::memory_order_acquire); }
  LinksView view() const;
  std::size_t memory_bytes() const { return bytes_.load(std::memory_order_relaxed); }

  // Strong guarantee, both. prepare touches nothing that a walk reads.
  void prepare(std::size_t capacity);
  void reserve(std::size_t capacity);

  // Empties the lists of slots that nobody can reach. A writer's, before link: what other threads see of a new slot
  // must have been written before they were started.
  void clear(std::size_t first_slot, std::size_t count);

  // Links slots [first_slot, first_slot + count), beside walks. `linked` counts them, also when this throws; a slot that
  // could not be linked can be linked again.
  void link(std::int64_t first_slot, std::int64_t count, unsigned threads, const std::int32_t* yield,
            std::int64_t slice_nanos, const MakeDistances& make_distances, std::int64_t& linked);

 private:
  using Node = faiss::HNSW::NodeDistFarther;

  // What grows with the capacity and is not the lists.
  struct Parts {
    std::vector<std::size_t> offsets;
    std::vector<omp_lock_t> locks;
    std::vector<std::unique_ptr<faiss::VisitedTable>> visited;

    std::size_t bytes() const;
  };

  int level(std::size_t slot) const;
  std::int32_t* list(std::size_t slot, int level);
  std::size_t room(int level) const;
  std::size_t room_up_to(int level) const;  // of the layers below it
  void insert(std::uint32_t slot, SlotDistances& distances, faiss::VisitedTable& visited);
  std::vector<Node> choose(std::uint32_t slot, int level, std::int32_t from, float distance, SlotDistances& distances,
                           faiss::VisitedTable& visited);
  void add_link(std::uint32_t from, std::uint32_t to, int level, SlotDistances& distances);
  void account();

  faiss::HNSW hnsw_;
  EntryPoint entry_;
  std::atomic<std::int64_t> reachable_{0};
  std::uint64_t seed_;
  double level_multiplier_;
  GrowingBlock neighbours_;  // behind hnsw_.neighbors
  std::vector<omp_lock_t> locks_;
  std::vector<std::unique_ptr<faiss::VisitedTable>> visited_;  // by worker, kept from call to call
  // At most one of them is there. Freeing takes its time as well, and is not done where searches wait.
  std::unique_ptr<Parts> prepared_, outdated_;
  std::atomic<std::size_t> bytes_{0};
};

}  // namespace panvec
