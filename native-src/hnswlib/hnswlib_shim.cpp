// The C interface of panvec_hnswlib.h: checks arguments, marshals, and puts graph, walk and exact scan together.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>

#include "graph.hpp"
// The interface is what leaves the library; everything else is hidden.
#pragma GCC visibility push(default)
#include "panvec_hnswlib.h"
#pragma GCC visibility pop
#include "panvec_kernels.hpp"
#include "row_store.hpp"
#include "scratch_pool.hpp"
#include "slot_calls.hpp"
#include "status.hpp"

#ifndef PANVEC_HNSWLIB_VERSION
#error "PANVEC_HNSWLIB_VERSION names the version of the headers"
#endif

using namespace panvec;

struct panvec_hnswlib {
  panvec_hnswlib(Metric metric, std::size_t dim, std::size_t m, std::size_t ef_construction, std::uint64_t seed)
      : graph(metric, dim, m, ef_construction, seed) {}

  Graph graph;
  mutable ScratchPool scratch;
};

struct panvec_hnswlib_saver {
  std::unique_ptr<FileSaver> file;
};

namespace {

RowSpace row_space(const panvec_hnswlib& index) {
  const Graph& graph = index.graph;
  return {graph.space().metric(), graph.space().level(), graph.rows(), graph.max_row_norm(), graph.capacity()};
}

void require_writable(const Graph& graph) { require(!graph.is_mapped(), "a view cannot be changed"); }

void check_stage(const Graph& graph, std::int64_t first_slot, std::int64_t count) {
  require_writable(graph);
  require(count >= 0 && first_slot >= graph.linked() && first_slot <= graph.capacity() &&
              count <= graph.capacity() - first_slot,
          "slots to stage are linked already or beyond the reserved capacity");
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
  if (metric < PANVEC_L2 || metric > PANVEC_DOT || dim < 0 || distance == nullptr) return PANVEC_INVALID_ARGUMENT;
  if (dim > 0 && (a == nullptr || b == nullptr)) return PANVEC_INVALID_ARGUMENT;
  *distance = reference_distance(static_cast<Metric>(metric), a, b, static_cast<std::size_t>(dim));
  return PANVEC_OK;
}

std::int32_t panvec_hnswlib_reference_unit(std::int32_t dim, const float* vector, float* unit) {
  if (dim < 0 || (dim > 0 && (vector == nullptr || unit == nullptr))) return PANVEC_INVALID_ARGUMENT;
  return reference_unit(vector, static_cast<std::size_t>(dim), unit) ? PANVEC_OK : PANVEC_INVALID_VECTOR;
}

std::int32_t panvec_hnswlib_create(std::int32_t metric, std::int32_t dim, std::int32_t m, std::int32_t ef_construction,
                                   std::int64_t seed, panvec_hnswlib** index, char* error,
                                   std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{index, "index"}});
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
    require_pointers({{index, "index"}});
    require_writable(index->graph);
    with_room_for(capacity, index->graph.space().dim(),
                  [&] { index->graph.prepare(static_cast<std::size_t>(capacity)); });
  });
}

std::int32_t panvec_hnswlib_reserve(panvec_hnswlib* index, std::int64_t capacity, char* error,
                                    std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{index, "index"}});
    require_writable(index->graph);
    with_room_for(capacity, index->graph.space().dim(),
                  [&] { index->graph.reserve(static_cast<std::size_t>(capacity)); });
  });
}

std::int32_t panvec_hnswlib_stage(panvec_hnswlib* index, std::int64_t first_slot, const float* rows, std::int64_t count,
                                  std::int64_t* bad_row, std::int32_t* bad_component, char* error,
                                  std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{index, "index"}, {bad_row, "bad_row"}, {bad_component, "bad_component"}});
    require_array(count, {rows, "rows"});
    Graph& graph = index->graph;
    check_stage(graph, first_slot, count);
    BadRow bad;
    if (graph.stage(first_slot, rows, count, bad)) return;
    fail_stage(bad, graph.rows().row(first_slot + bad.row), bad_row, bad_component);
  });
}

std::int32_t panvec_hnswlib_stage_from(panvec_hnswlib* index, std::int64_t first_slot, const panvec_hnswlib* source,
                                       const std::int32_t* slots, std::int64_t count, char* error,
                                       std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{index, "index"}, {source, "source"}});
    require_array(count, {slots, "slots"});
    Graph& graph = index->graph;
    check_stage(graph, first_slot, count);
    const RankingSpace& space = source->graph.space();
    require(source != index, "the source must be another index");
    require(space.metric() == graph.space().metric() && space.dim() == graph.space().dim(),
            "the source has another metric or dimension");
    check_source_slots(slots, count, source->graph.linked());
    graph.stage_from(first_slot, source->graph, slots, count);
  });
}

std::int32_t panvec_hnswlib_link(panvec_hnswlib* index, std::int64_t first_slot, std::int64_t count,
                                 std::int32_t threads, const std::int32_t* yield, std::int64_t slice_nanos,
                                 std::int64_t* linked, char* error, std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{index, "index"}, {linked, "linked"}});
    Graph& graph = index->graph;
    *linked = 0;
    require_writable(graph);
    require(first_slot == graph.linked(), "linking must go on at the first slot that is not linked");
    require(count >= 0 && count <= graph.capacity() - first_slot, "slots to link are beyond the reserved capacity");
    graph.link(count, static_cast<unsigned>(std::max(threads, 1)), yield, slice_nanos, *linked);
  });
}

std::int32_t panvec_hnswlib_search(const panvec_hnswlib* index, std::int64_t slot_count,
                                   const std::uint64_t* const* dead_pages, const std::int64_t* const* id_pages,
                                   const std::uint64_t* filter, const float* query, std::int32_t k, std::int32_t ef,
                                   const std::int32_t* stop, std::int64_t nanos_left, std::int64_t* ids,
                                   float* distances, std::int32_t* count, char* error, std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers(
        {{index, "index"}, {query, "query"}, {ids, "ids"}, {distances, "distances"}, {count, "count"}});
    require_array(slot_count, {id_pages, "id_pages"});
    const Stop limit(stop, nanos_left);
    const Graph& graph = index->graph;
    *count = 0;
    require(k >= 1, "k must be at least 1");
    require(slot_count >= 0 && slot_count <= graph.capacity(), "slot_count is beyond the reserved capacity");
    const ScratchPool::Lease lease = index->scratch.take();
    Scratch& scratch = *lease;
    const RowSpace space = row_space(*index);
    const float* checked = checked_query(space.metric, space.rows.dim, query, scratch);
    // No list is longer than the slots are many, whatever k and ef are.
    const std::int64_t wanted = std::min<std::int64_t>(k, slot_count);
    limit.check();
    const GraphView view = graph.view();
    if (wanted == 0 || view.top_level < 0) return;

    StopWatch watch(limit, space.rows.dim);
    const SlotVersion version{slot_count, {dead_pages, filter}};
    const std::int64_t reachable = graph.reachable();
    const auto width = static_cast<std::size_t>(std::min(std::max<std::int64_t>(ef, wanted), reachable));
    const Candidate* best = nullptr;
    const std::size_t found =
        walk_rows(view, space, checked, version, reachable, width, scratch, watch, best);
    const auto most = static_cast<std::size_t>(wanted);
    *count = static_cast<std::int32_t>(
        report(space, checked, id_pages, best, found, most, most, scratch, watch, ids, distances));
  });
}

std::int32_t panvec_hnswlib_exact(const panvec_hnswlib* index, std::int64_t from, std::int64_t to,
                                  const std::uint64_t* const* dead_pages, const std::int64_t* const* id_pages,
                                  const std::uint64_t* filter, const float* query, std::int32_t k, std::int32_t finish,
                                  std::int64_t* ids, float* distances, std::int32_t* count, char* error,
                                  std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers(
        {{index, "index"}, {query, "query"}, {ids, "ids"}, {distances, "distances"}, {count, "count"}});
    require_array(to, {id_pages, "id_pages"});
    exact_range(row_space(*index), index->scratch, from, to, {dead_pages, filter}, id_pages, query, k, finish != 0, ids,
                distances, count);
  });
}

std::int32_t panvec_hnswlib_exact_slots(const panvec_hnswlib* index, const std::int32_t* slots,
                                        std::int64_t slot_list_count, const std::int64_t* const* id_pages,
                                        const float* query, std::int32_t k, std::int32_t finish, std::int64_t* ids,
                                        float* distances, std::int32_t* count, char* error,
                                        std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers(
        {{index, "index"}, {query, "query"}, {ids, "ids"}, {distances, "distances"}, {count, "count"}});
    require_array(slot_list_count, {id_pages, "id_pages"});
    require_array(slot_list_count, {slots, "slots"});
    exact_slots(row_space(*index), index->scratch, slots, slot_list_count, id_pages, query, k, finish != 0, ids,
                distances, count);
  });
}

std::int32_t panvec_hnswlib_row(const panvec_hnswlib* index, std::int64_t slot, float* row, char* error,
                                std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{index, "index"}, {row, "row"}});
    copy_row(row_space(*index), slot, row);
  });
}

std::int32_t panvec_hnswlib_save_begin(const panvec_hnswlib* index, std::int32_t file, std::int64_t slot_count,
                                       panvec_hnswlib_saver** saver, char* error, std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{index, "index"}, {saver, "saver"}});
    require(file == PANVEC_FILE_GRAPH, "there is no such file");
    require(slot_count >= 0 && slot_count <= index->graph.linked(), "slots to save are not linked");
    *saver = new panvec_hnswlib_saver{index->graph.saver(slot_count)};
  });
}

std::int32_t panvec_hnswlib_save_next(panvec_hnswlib_saver* saver, char* room, std::int64_t capacity,
                                      std::int64_t* written, char* error, std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{saver, "saver"}, {room, "room"}, {written, "written"}});
    *written = save_next(*saver->file, room, capacity);
  });
}

void panvec_hnswlib_save_end(panvec_hnswlib_saver* saver) { delete saver; }

std::int32_t panvec_hnswlib_open(panvec_hnswlib* index, const char* graph, std::int64_t graph_bytes, const char* rows,
                                 std::int64_t rows_bytes, std::int64_t slot_count, double max_row_norm,
                                 std::int32_t as_view, char* error, std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{index, "index"}});
    require_array(graph_bytes, {graph, "graph"});
    require(rows == nullptr && rows_bytes == 0, "hnswlib's rows are in its graph");
    require(graph_bytes >= 0, "graph_bytes is negative");
    Graph& into = index->graph;
    require(into.capacity() == 0, "the index is not empty");
    const FileBytes file(graph, graph_bytes);
    with_room_for(slot_count, into.space().dim(), [&] {
      if (as_view != 0) {
        into.map(file, slot_count, max_row_norm);
      } else {
        into.load(file, slot_count, max_row_norm);
      }
    });
  });
}

double panvec_hnswlib_max_row_norm(const panvec_hnswlib* index) { return index->graph.max_row_norm(); }

std::int64_t panvec_hnswlib_memory_bytes(const panvec_hnswlib* index) {
  return static_cast<std::int64_t>(sizeof(panvec_hnswlib) + index->graph.memory_bytes() + index->scratch.bytes());
}

std::int32_t panvec_hnswlib_max_level(const panvec_hnswlib* index) { return index->graph.max_level(); }

}  // extern "C"
