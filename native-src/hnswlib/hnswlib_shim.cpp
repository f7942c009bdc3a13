// The C interface of panvec_hnswlib.h: checks arguments, marshals, and puts graph, walk and exact scan together.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>

#include "exact_scan.hpp"
#include "graph.hpp"
// The interface is what leaves the library; everything else is hidden.
#pragma GCC visibility push(default)
#include "panvec_hnswlib.h"
#pragma GCC visibility pop
#include "panvec_kernels.hpp"
#include "scratch_pool.hpp"
#include "status.hpp"
#include "vector_check.hpp"
#include "walk.hpp"

#ifndef PANVEC_HNSWLIB_VERSION
#error "PANVEC_HNSWLIB_VERSION names the version of the headers"
#endif

namespace {

using namespace panvec;

constexpr std::size_t kCacheLine = 64;
// Rows are fetched so far ahead that about this many lines are under way.
constexpr std::size_t kLinesInFlight = 96;
// The hardware follows a longer row by itself.
constexpr std::size_t kMostLinesPerRow = 32;

// Beyond this, moving the tail of one ordered array costs more than two heaps.
constexpr std::size_t kLargestOrderedPool = 768;

// The distance policy of a walk over the float32 rows.
template <bool kIsL2>
class FloatRows {
 public:
  FloatRows(const SlotRows& rows, RankingKernel kernel, const float* query)
      : rows_(rows),
        kernel_(kernel),
        query_(query),
        lines_(std::min((rows.dim * sizeof(float) + kCacheLine - 1) / kCacheLine, kMostLinesPerRow)),
        ahead_(std::min<std::size_t>(std::max<std::size_t>(kLinesInFlight / lines_, 2), 16)) {}

  float operator()(std::uint32_t slot) const {
    const float value = kernel_(query_, rows_.row(slot), rows_.dim);
    if (kIsL2) return value;
    // Overflow in both directions gives NaN, and candidates need an order.
    return value == value ? -value : std::numeric_limits<float>::infinity();
  }

  void prefetch(std::uint32_t slot) const {
    const char* row = reinterpret_cast<const char*>(rows_.row(slot));
    for (std::size_t line = 0; line < lines_; ++line) __builtin_prefetch(row + line * kCacheLine);
  }

  std::size_t ahead() const { return ahead_; }

 private:
  SlotRows rows_;
  RankingKernel kernel_;
  const float* query_;
  std::size_t lines_;
  std::size_t ahead_;
};

// A slot of the caller's version, live and allowed.
struct Version {
  std::int64_t slot_count;
  SlotSet set;

  bool operator()(std::uint32_t slot) const { return slot < slot_count && set.contains(slot); }
  bool admits_all(std::int64_t linked) const {
    return slot_count >= linked && set.dead_pages == nullptr && set.filter == nullptr;
  }
};

void require(bool condition, const char* message) {
  if (!condition) fail(PANVEC_INVALID_ARGUMENT, message);
}

std::string range_text(std::int64_t from, std::int64_t to) {
  return "slots " + std::to_string(from) + " to " + std::to_string(to);
}

}  // namespace

struct panvec_hnswlib {
  panvec_hnswlib(Metric metric, std::size_t dim, std::size_t m, std::size_t ef_construction, std::uint64_t seed)
      : graph(metric, dim, m, ef_construction, seed) {}

  Graph graph;
  mutable ScratchPool scratch;
};

namespace {

// Makes a lack of memory say for what.
template <typename Growth>
void with_room_for(const panvec_hnswlib& index, std::int64_t capacity, Growth&& grow) {
  require(capacity >= 0 && capacity <= std::numeric_limits<std::int32_t>::max(), "capacity must be 0 to 2^31 - 1");
  try {
    grow();
  } catch (const std::bad_alloc&) {
    fail(PANVEC_OUT_OF_MEMORY, "out of native memory: no room for " + std::to_string(capacity) + " vectors of " +
                                   std::to_string(index.graph.space().dim()) + " components");
  }
}

// The query as the kernels want it: checked, a unit vector for COSINE, on a copy.
const float* checked_query(const panvec_hnswlib& index, const float* query, Scratch& scratch) {
  require(query != nullptr, "query is NULL");
  const RankingSpace& space = index.graph.space();
  const std::size_t dim = space.dim();
  float* copy = scratch.query(dim);
  std::memcpy(copy, query, dim * sizeof(float));
  const std::int64_t bad = first_non_finite(copy, dim);
  if (bad >= 0 || (space.metric() == Metric::kCosine && !reference_unit(copy, dim, copy))) {
    fail(PANVEC_INVALID_VECTOR, "query: " + describe_bad_component(copy, bad));
  }
  return copy;
}

ExactScan exact_scan(const panvec_hnswlib& index, const float* query, const std::int64_t* const* id_pages, TopK top) {
  const RankingSpace& space = index.graph.space();
  return ExactScan(space.metric(), space.level(), index.graph.rows(), index.graph.max_row_norm(), query, id_pages, top);
}

// Walks with one distance policy. The best candidates, ascending by rank, and how many.
template <typename Distance>
std::size_t walk(const Graph& graph, const Distance& distance, const Version& version, std::size_t ef, Scratch& scratch,
                 const Candidate*& best) {
  const GraphView view = graph.view();
  Walk<Distance> walk(view, distance, scratch);
  if (ef <= kLargestOrderedPool && version.admits_all(graph.linked())) {
    const std::size_t found = walk.all(ef);
    best = scratch.candidates.data();
    return found;
  }
  const std::size_t found = walk.admitted(ef, version);
  best = scratch.admitted.data();
  return found;
}

std::size_t walk(const Graph& graph, const float* query, const Version& version, std::size_t ef, Scratch& scratch,
                 const Candidate*& best) {
  const RankingSpace& space = graph.space();
  if (space.metric() == Metric::kL2) {
    return walk(graph, FloatRows<true>(graph.rows(), space.kernel(), query), version, ef, scratch, best);
  }
  return walk(graph, FloatRows<false>(graph.rows(), space.kernel(), query), version, ef, scratch, best);
}

// Gives candidates their reference distances and ids and writes them in order.
// Candidates that rank the same as the last one compete with it: which of them is nearer, or has the smaller id, the rank
// does not say.
std::size_t report(const Graph& graph, const float* query, const std::int64_t* const* id_pages, const Candidate* best,
                   std::size_t found, std::size_t wanted, Scratch& scratch, std::int64_t* ids, float* distances) {
  const RankingSpace& space = graph.space();
  const SlotRows rows = graph.rows();
  const std::size_t count = std::min(found, wanted);
  std::size_t competing = count;
  while (competing > 0 && competing < found && best[competing].distance == best[count - 1].distance) ++competing;
  std::vector<Hit>& hits = scratch.hits;
  hits.clear();
  for (std::size_t i = 0; i < competing; ++i) {
    const std::uint32_t slot = best[i].slot;
    hits.push_back({reference_distance(space.metric(), query, rows.row(slot), space.dim()), id_of(id_pages, slot)});
  }
  std::sort(hits.begin(), hits.end(), [](const Hit& a, const Hit& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.id < b.id;
  });
  for (std::size_t i = 0; i < count; ++i) {
    ids[i] = hits[i].id;
    distances[i] = hits[i].distance;
  }
  return count;
}

}  // namespace

extern "C" {

std::int32_t panvec_hnswlib_abi_version(void) { return PANVEC_ABI_VERSION; }

const char* panvec_hnswlib_upstream_version(void) { return PANVEC_HNSWLIB_VERSION; }

const char* panvec_hnswlib_simd_level(void) { return simd_level_name(simd_level()); }

std::int32_t panvec_hnswlib_set_simd_level(const char* level, char* error, std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    char available[128];
    if (!set_simd_level(level, available, sizeof available)) {
      fail(PANVEC_UNSUPPORTED, std::string("no SIMD level \"") + (level == nullptr ? "" : level) +
                                   "\" on this CPU; it has: " + available);
    }
  });
}

std::int64_t panvec_hnswlib_nop(std::int64_t value) { return value; }

std::int32_t panvec_hnswlib_reference_distance(std::int32_t metric, std::int32_t dim, const float* a, const float* b,
                                               float* distance) {
  if (metric < PANVEC_L2 || metric > PANVEC_DOT || dim < 0) return PANVEC_INVALID_ARGUMENT;
  *distance = reference_distance(static_cast<Metric>(metric), a, b, static_cast<std::size_t>(dim));
  return PANVEC_OK;
}

std::int32_t panvec_hnswlib_reference_unit(std::int32_t dim, const float* vector, float* unit) {
  if (dim < 0) return PANVEC_INVALID_ARGUMENT;
  return reference_unit(vector, static_cast<std::size_t>(dim), unit) ? PANVEC_OK : PANVEC_INVALID_VECTOR;
}

std::int32_t panvec_hnswlib_create(std::int32_t metric, std::int32_t dim, std::int32_t m, std::int32_t ef_construction,
                                   std::int64_t seed, panvec_hnswlib** index, char* error,
                                   std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require(metric >= PANVEC_L2 && metric <= PANVEC_DOT, "unknown metric");
    require(dim >= 1, "dim must be at least 1");
    require(m >= 2 && m <= 512, "m must be 2 to 512");
    require(ef_construction >= 1, "ef_construction must be at least 1");
    *index = new panvec_hnswlib(static_cast<Metric>(metric), static_cast<std::size_t>(dim), static_cast<std::size_t>(m),
                                static_cast<std::size_t>(ef_construction), static_cast<std::uint64_t>(seed));
  });
}

void panvec_hnswlib_free(panvec_hnswlib* index) { delete index; }

std::int32_t panvec_hnswlib_prepare(panvec_hnswlib* index, std::int64_t capacity, char* error,
                                    std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    with_room_for(*index, capacity, [&] { index->graph.prepare(static_cast<std::size_t>(capacity)); });
  });
}

std::int32_t panvec_hnswlib_reserve(panvec_hnswlib* index, std::int64_t capacity, char* error,
                                    std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    with_room_for(*index, capacity, [&] { index->graph.reserve(static_cast<std::size_t>(capacity)); });
  });
}

std::int32_t panvec_hnswlib_stage(panvec_hnswlib* index, std::int64_t first_slot, const float* rows, std::int64_t count,
                                  std::int64_t* bad_row, std::int32_t* bad_component, char* error,
                                  std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    Graph& graph = index->graph;
    require(count >= 0 && first_slot >= graph.linked() && first_slot <= graph.capacity() &&
                count <= graph.capacity() - first_slot,
            "slots to stage are linked already or beyond the reserved capacity");
    Graph::BadRow bad;
    if (graph.stage(first_slot, rows, count, bad)) return;
    if (bad_row != nullptr) *bad_row = bad.row;
    if (bad_component != nullptr) *bad_component = static_cast<std::int32_t>(bad.component);
    // The copy is what was checked.
    const float* row = graph.rows().row(first_slot + bad.row);
    fail(PANVEC_INVALID_VECTOR,
         "row " + std::to_string(bad.row) + ": " + describe_bad_component(row, bad.component));
  });
}

std::int32_t panvec_hnswlib_link(panvec_hnswlib* index, std::int64_t first_slot, std::int64_t count,
                                 std::int32_t threads, const std::int32_t* yield, std::int64_t slice_nanos,
                                 std::int64_t* linked, char* error, std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    Graph& graph = index->graph;
    *linked = 0;
    require(first_slot == graph.linked(), "linking must go on at the first slot that is not linked");
    require(count >= 0 && count <= graph.capacity() - first_slot, "slots to link are beyond the reserved capacity");
    graph.link(count, static_cast<unsigned>(std::max(threads, 1)), yield, slice_nanos, *linked);
  });
}

std::int32_t panvec_hnswlib_search(const panvec_hnswlib* index, std::int64_t slot_count,
                                   const std::uint64_t* const* dead_pages, const std::int64_t* const* id_pages,
                                   const std::uint64_t* filter, const float* query, std::int32_t k, std::int32_t ef,
                                   std::int64_t* ids, float* distances, std::int32_t* count, char* error,
                                   std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    const Graph& graph = index->graph;
    *count = 0;
    require(k >= 1, "k must be at least 1");
    require(slot_count >= 0 && slot_count <= graph.capacity(), "slot_count is beyond the reserved capacity");
    const ScratchPool::Lease lease = index->scratch.take();
    Scratch& scratch = *lease;
    const float* unit = checked_query(*index, query, scratch);
    // No list is longer than the slots are many, whatever k and ef are.
    const std::int64_t wanted = std::min<std::int64_t>(k, slot_count);
    if (wanted == 0 || graph.max_level() < 0) return;

    const Version version{slot_count, {dead_pages, filter}};
    const std::int64_t width = std::min(std::max<std::int64_t>(ef, wanted), graph.linked());
    const Candidate* best = nullptr;
    const std::size_t found = walk(graph, unit, version, static_cast<std::size_t>(width), scratch, best);
    const std::size_t reported =
        report(graph, unit, id_pages, best, found, static_cast<std::size_t>(wanted), scratch, ids, distances);
    *count = static_cast<std::int32_t>(reported);
  });
}

std::int32_t panvec_hnswlib_exact(const panvec_hnswlib* index, std::int64_t from, std::int64_t to,
                                  const std::uint64_t* const* dead_pages, const std::int64_t* const* id_pages,
                                  const std::uint64_t* filter, const float* query, std::int32_t k, std::int32_t finish,
                                  std::int64_t* ids, float* distances, std::int32_t* count, char* error,
                                  std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require(k >= 1, "k must be at least 1");
    require(*count >= 0 && *count <= k, "count is not that of an earlier slice");
    if (from < 0 || to > index->graph.capacity()) {
      fail(PANVEC_INVALID_ARGUMENT, range_text(from, to) + " are beyond the reserved capacity");
    }
    const ScratchPool::Lease lease = index->scratch.take();
    const float* unit = checked_query(*index, query, *lease);
    TopK top(ids, distances, count, k);
    exact_scan(*index, unit, id_pages, top).range(from, to, {dead_pages, filter});
    if (finish != 0) top.sort();
  });
}

std::int32_t panvec_hnswlib_exact_slots(const panvec_hnswlib* index, const std::int32_t* slots,
                                        std::int64_t slot_list_count, const std::int64_t* const* id_pages,
                                        const float* query, std::int32_t k, std::int32_t finish, std::int64_t* ids,
                                        float* distances, std::int32_t* count, char* error,
                                        std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require(k >= 1, "k must be at least 1");
    require(*count >= 0 && *count <= k, "count is not that of an earlier slice");
    require(slot_list_count >= 0, "slot_list_count is negative");
    const std::int64_t capacity = index->graph.capacity();
    for (std::int64_t i = 0; i < slot_list_count; ++i) {
      if (slots[i] < 0 || slots[i] >= capacity) {
        fail(PANVEC_INVALID_ARGUMENT, "slot " + std::to_string(slots[i]) + " is beyond the reserved capacity");
      }
    }
    const ScratchPool::Lease lease = index->scratch.take();
    const float* unit = checked_query(*index, query, *lease);
    TopK top(ids, distances, count, k);
    exact_scan(*index, unit, id_pages, top).list(slots, slot_list_count);
    if (finish != 0) top.sort();
  });
}

std::int32_t panvec_hnswlib_row(const panvec_hnswlib* index, std::int64_t slot, float* row, char* error,
                                std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    if (slot < 0 || slot >= index->graph.capacity()) {
      fail(PANVEC_INVALID_ARGUMENT, "slot " + std::to_string(slot) + " is beyond the reserved capacity");
    }
    const SlotRows rows = index->graph.rows();
    std::memcpy(row, rows.row(slot), rows.dim * sizeof(float));
  });
}

std::int64_t panvec_hnswlib_memory_bytes(const panvec_hnswlib* index) {
  return static_cast<std::int64_t>(sizeof(panvec_hnswlib) + index->graph.memory_bytes() + index->scratch.bytes());
}

std::int32_t panvec_hnswlib_max_level(const panvec_hnswlib* index) { return index->graph.max_level(); }

}  // extern "C"
