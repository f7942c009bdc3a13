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
#include "index_file.hpp"
#include "walk.hpp"

namespace panvec {

// A list that is ended by -1 or by its capacity.
inline Links ended(const Links& room) {
  const auto there = [&](std::size_t i) { return static_cast<std::int32_t>(room[i]) >= 0; };
  if (room.count == 0 || there(room.count - 1)) return room;
  std::size_t count = 0;
  while (count < room.count && there(count)) ++count;
  return {room.first, count};
}

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
    return ended({first, room});
  }
  void prefetch_links(std::uint32_t slot) const {
    const std::int32_t* list = neighbours + offsets[slot];
    __builtin_prefetch(list);
    __builtin_prefetch(list + 16);
  }
};

// A graph in a file of FAISS's. Of what it says, sizes and where walks begin have been checked.
struct SavedLinks {
  std::uint64_t count = 0;           // slots
  std::uint64_t room = 0;            // neighbours
  const char* levels = nullptr;      // int32 by slot: how many layers it is on
  const char* offsets = nullptr;     // uint64 by slot, into neighbours, and one more
  const char* neighbours = nullptr;  // int32
  std::int32_t entry = -1;
  std::int32_t top_level = -1;

  int layers(std::uint32_t slot) const { return number_at<std::int32_t>(levels, slot); }
};

// What a walk reads of a mapped file: no list is read beyond the end of all, and above a slot's own layers there are
// none. Whether a neighbour exists the walk asks for itself.
struct MappedLinksView {
  SavedLinks file;
  const int* layer_ends = nullptr;

  std::size_t slots() const { return file.count; }
  std::size_t max_degree() const { return static_cast<std::size_t>(layer_ends[1]); }
  std::uint32_t entry() const { return static_cast<std::uint32_t>(file.entry); }
  int max_level() const { return file.top_level; }
  Links links(std::uint32_t slot) const { return list(slot, 0); }
  Links links(std::uint32_t slot, int level) const {
    return level < file.layers(slot) ? list(slot, level) : Links{nullptr, 0};
  }
  void prefetch_links(std::uint32_t slot) const {
    const Links links = room_of(slot, 0);
    __builtin_prefetch(links.first);
    __builtin_prefetch(static_cast<const char*>(links.first) + 64);
  }

 private:
  Links room_of(std::uint32_t slot, int level) const {
    const auto offset = number_at<std::uint64_t>(file.offsets, slot);
    const auto begin = static_cast<std::uint64_t>(layer_ends[level]);
    const auto end = static_cast<std::uint64_t>(layer_ends[level + 1]);
    if (offset > file.room || end > file.room - offset) return {file.neighbours, 0};
    return {file.neighbours + (offset + begin) * sizeof(std::int32_t), static_cast<std::size_t>(end - begin)};
  }
  Links list(std::uint32_t slot, int level) const { return ended(room_of(slot, level)); }
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
  int max_level() const { return entry_.load().level; }
  // Slots below may be in lists: more than are linked while others are being linked.
  std::int64_t reachable() const { return reachable_.load(std::memory_order_acquire); }
  LinksView view() const;
  bool is_mapped() const { return mapped_.count > 0; }
  MappedLinksView mapped_view() const { return {mapped_, hnsw_.cum_nneighbor_per_level.data()}; }
  std::size_t memory_bytes() const { return bytes_.load(std::memory_order_relaxed); }

  // Adds the graph of the first `count` slots, all of them linked, to a file; later ones may be linked meanwhile.
  void save(FileParts& file, std::size_t count) const;
  // Finds such a graph of `count` slots, as wide as this one.
  SavedLinks find(FileBytes& file, std::uint64_t count) const;
  // Takes it over, into an empty graph: load copies it and checks every link; after map it is read where it is, and
  // nothing but walks are for such a graph.
  void load(const SavedLinks& file);
  void map(const SavedLinks& file);

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
  int layers_of(std::size_t slot) const;  // of a slot that has room
  void keep_links_below(std::size_t count, std::size_t slot, char* lists) const;
  void check_lists(const SavedLinks& file, std::uint32_t slot) const;
  std::int32_t* list(std::size_t slot, int level);
  std::size_t room(int level) const;
  std::size_t room_up_to(int level) const;  // of the layers below it
  void insert(std::uint32_t slot, SlotDistances& distances, faiss::VisitedTable& visited);
  std::vector<Node> choose(std::uint32_t slot, int level, std::int32_t from, float distance, SlotDistances& distances,
                           faiss::VisitedTable& visited);
  void add_link(std::uint32_t from, std::uint32_t to, int level, SlotDistances& distances);
  void begin_at(const SavedLinks& file);
  void account();

  faiss::HNSW hnsw_;
  SavedLinks mapped_;
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
