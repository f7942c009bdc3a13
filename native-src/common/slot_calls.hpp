// The calls that every library with slots has, apart from its graph: checking a query, exact scans, reporting winners,
// and walking with a version and a filter. The C functions of the libraries forward to these.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "exact_scan.hpp"
#include "float_rows.hpp"
#include "panvec_kernels.hpp"
#include "scratch_pool.hpp"
#include "status.hpp"
#include "stop.hpp"
#include "walk.hpp"

namespace panvec {

// Rows that exist only as codes.
class RowDecoder {
 public:
  virtual ~RowDecoder() = default;
  virtual void decode(std::int64_t slot, float* row) const = 0;
};

// The rows of an index. Slots below `capacity` may be read.
struct RowSpace {
  Metric metric = Metric::kL2;
  SimdLevel level = SimdLevel::kBaseline;
  SlotRows rows;
  double max_row_norm = 0;  // at least the norm of every row
  std::int64_t capacity = 0;
  const RowDecoder* decoder = nullptr;  // when there are no float32 rows; rows.dim is set all the same

  RankingKernel kernel() const {
    return metric == Metric::kL2 ? l2_squared_kernel(level) : inner_product_kernel(level);
  }
};

// A slot of the caller's version, live and allowed.
struct SlotVersion {
  std::int64_t slot_count;
  SlotSet set;

  bool operator()(std::uint32_t slot) const { return slot < slot_count && set.contains(slot); }
  bool admits_all(std::int64_t linked) const {
    return slot_count >= linked && set.dead_pages == nullptr && set.filter == nullptr;
  }
};

inline void require(bool condition, const char* message) {
  if (!condition) fail(PANVEC_INVALID_ARGUMENT, message);
}

// Makes a lack of memory say for what.
template <typename Growth>
void with_room_for(std::int64_t capacity, std::size_t dim, Growth&& grow) {
  require(capacity >= 0 && capacity <= std::numeric_limits<std::int32_t>::max(), "capacity must be 0 to 2^31 - 1");
  try {
    grow();
  } catch (const std::bad_alloc&) {
    fail(PANVEC_OUT_OF_MEMORY, "out of native memory: no room for " + std::to_string(capacity) + " vectors of " +
                                   std::to_string(dim) + " components");
  }
}

// The query as the kernels want it: checked, a unit vector for COSINE, on a copy in `scratch`.
const float* checked_query(Metric metric, std::size_t dim, const float* query, Scratch& scratch);

// Gives candidates (ascending by rank) their reference distances and ids and writes the best `wanted` in order. Returns
// how many. Of the candidates the first `considered` are looked at, and those that rank the same as the last of them:
// which of them is nearer, or has the smaller id, the rank does not say. considered == wanted trusts the ranks; more
// re-ranks.
std::size_t report(const RowSpace& space, const float* query, const std::int64_t* const* id_pages,
                   const Candidate* best, std::size_t found, std::size_t considered, std::size_t wanted,
                   Scratch& scratch, StopWatch& watch, std::int64_t* ids, float* distances);

// Refuses slots that panvec_x_stage_from cannot take: those below `linked` have rows that do not change.
void check_source_slots(const std::int32_t* slots, std::int64_t count, std::int64_t linked);

// panvec_x_exact, panvec_x_exact_slots and panvec_x_row, complete.
void exact_range(const RowSpace& space, ScratchPool& pool, std::int64_t from, std::int64_t to, const SlotSet& set,
                 const std::int64_t* const* id_pages, const float* query, std::int32_t k, bool finish,
                 std::int64_t* ids, float* distances, std::int32_t* count);
void exact_slots(const RowSpace& space, ScratchPool& pool, const std::int32_t* slots, std::int64_t slot_list_count,
                 const std::int64_t* const* id_pages, const float* query, std::int32_t k, bool finish,
                 std::int64_t* ids, float* distances, std::int32_t* count);
void copy_row(const RowSpace& space, std::int64_t slot, float* row);

// Walks `graph` by `distance` with `ef` candidates. The best, ascending by rank, and how many. Slots below `linked` may be
// in the graph, which has not been read before the view was made; the graph must not be empty. `watch` counts distances.
template <typename Graph, typename Distance>
std::size_t walk_graph(const Graph& graph, const Distance& distance, const SlotVersion& version, std::int64_t linked,
                       std::size_t ef, Scratch& scratch, StopWatch& watch, const Candidate*& best) {
  // Beyond this, moving the tail of one ordered array costs more than two heaps.
  constexpr std::size_t largest_ordered_pool = 768;
  const auto published = static_cast<std::size_t>(version.slot_count);
  const bool all = ef <= largest_ordered_pool && version.admits_all(linked);
  Walk<Graph, Distance> walk(graph, published, distance, scratch, watch);
  if (all) {
    const std::size_t found = walk.all(ef);
    best = scratch.candidates.data();
    return found;
  }
  const std::size_t found = walk.admitted(ef, static_cast<std::size_t>(linked), version);
  best = scratch.admitted.data();
  return found;
}

// The same over the float32 rows.
template <typename Graph>
std::size_t walk_rows(const Graph& graph, const RowSpace& space, const float* query, const SlotVersion& version,
                      std::int64_t linked, std::size_t ef, Scratch& scratch, StopWatch& watch,
                      const Candidate*& best) {
  const RankingKernel kernel = space.kernel();
  if (space.metric == Metric::kL2) {
    return walk_graph(graph, FloatRows<true>(space.rows, kernel, query), version, linked, ef, scratch, watch, best);
  }
  return walk_graph(graph, FloatRows<false>(space.rows, kernel, query), version, linked, ef, scratch, watch, best);
}

}  // namespace panvec
