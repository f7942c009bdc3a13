// The C interface of panvec_usearch.h: checks arguments, marshals, and puts graph, rows, codes, walk and exact scan
// together.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "codes.hpp"
#include "graph.hpp"
#include "graph_file.hpp"
// The interface is what leaves the library; everything else is hidden.
#pragma GCC visibility push(default)
#include "panvec_usearch.h"
#pragma GCC visibility pop
#include "panvec_kernels.hpp"
#include "row_store.hpp"
#include "scratch_pool.hpp"
#include "slot_calls.hpp"
#include "status.hpp"

#ifndef PANVEC_USEARCH_VERSION
#error "PANVEC_USEARCH_VERSION names the version of the headers"
#endif

using namespace panvec;

struct panvec_usearch {
  panvec_usearch(Metric metric, std::size_t dim, Quantization quantization, std::size_t m, std::size_t ef_construction,
                 bool keep_vectors)
      : simd(simd_level()),
        quantization(quantization),
        rows(metric, dim),
        rows_kept(keep_vectors || quantization == Quantization::kF32),
        graph(m, ef_construction) {
    if (quantization != Quantization::kF32) codes.emplace(metric, quantization, dim);
  }

  const SimdLevel simd;
  const Quantization quantization;
  RowStore rows;  // empty when they are not kept
  const bool rows_kept;
  std::optional<Codes> codes;
  Graph graph;
  mutable ScratchPool scratch;
};

struct panvec_usearch_saver {
  std::unique_ptr<FileSaver> file;
};

namespace {

RowSpace row_space(const panvec_usearch& index) {
  RowSpace space{index.rows.metric(), index.simd, index.rows.rows(), index.rows.max_row_norm(), index.graph.capacity()};
  if (!index.rows_kept) space.decoder = &*index.codes;
  return space;
}

// What one slot costs at least.
std::size_t slot_bytes(const panvec_usearch& index) {
  return (index.rows_kept ? index.rows.dim() * sizeof(float) : 0) + (index.codes ? index.codes->code_bytes() : 0);
}

// Refuses what cannot be had, without getting it.
void prepare(panvec_usearch& index, std::size_t capacity) {
  const auto now = static_cast<std::size_t>(index.graph.capacity());
  if (capacity <= now) return;
  const std::size_t more = capacity - now;
  if (more > std::numeric_limits<std::size_t>::max() / slot_bytes(index)) throw std::bad_alloc();
  GrowingBlock probe;
  probe.grow(more * slot_bytes(index));
}

void reserve(panvec_usearch& index, std::size_t capacity) {
  // A failure half-way leaves a block larger than need be. The graph comes last: its capacity is that of all.
  if (index.rows_kept) index.rows.reserve(capacity);
  if (index.codes) index.codes->reserve(capacity);
  index.graph.reserve(capacity);
}

void require_writable(const Graph& graph) { require(!graph.is_mapped(), "a view cannot be changed"); }

void check_stage(const Graph& graph, std::int64_t first_slot, std::int64_t count) {
  require_writable(graph);
  require(count >= 0 && first_slot >= graph.linked() && first_slot <= graph.capacity() &&
              count <= graph.capacity() - first_slot,
          "slots to stage are linked already or beyond the reserved capacity");
}

void stage(panvec_usearch& index, std::int64_t first_slot, const float* rows, std::int64_t count, std::int64_t* bad_row,
           std::int32_t* bad_component) {
  const std::size_t dim = index.rows.dim();
  BadRow bad;
  if (index.rows_kept) {
    if (!index.rows.stage(first_slot, rows, count, bad)) {
      fail_stage(bad, index.rows.rows().row(first_slot + bad.row), bad_row, bad_component);
    }
    if (!index.codes) return;
    for (std::int64_t slot = first_slot; slot < first_slot + count; ++slot) {
      index.codes->store(slot, index.rows.rows().row(slot));
    }
    return;
  }
  std::vector<float> row(dim);
  double max_norm = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    bad.row = i;
    const float* given = rows + static_cast<std::size_t>(i) * dim;
    if (!store_row(index.rows.metric(), given, dim, row.data(), max_norm, bad.component)) {
      fail_stage(bad, row.data(), bad_row, bad_component);
    }
    index.codes->store(first_slot + i, row.data());
  }
}

bool has_file_of_rows(const panvec_usearch& index) { return index.codes && index.rows_kept; }

Matrix ranked(const panvec_usearch& index) { return index.codes ? Matrix(*index.codes) : Matrix(index.rows); }

FileKind file_kind(const panvec_usearch& index, std::int64_t slot_count) {
  return {index.rows.metric(), index.quantization, index.rows.dim(), ranked(index).bytes(), index.graph.layout(),
          static_cast<std::uint64_t>(slot_count)};
}

std::unique_ptr<FileSaver> saver(const panvec_usearch& index, std::int32_t file, std::int64_t slot_count) {
  if (file == PANVEC_FILE_GRAPH) return save_graph(index.graph, ranked(index), file_kind(index, slot_count));
  require(file == PANVEC_FILE_ROWS && has_file_of_rows(index), "there is no such file");
  return save_rows(Matrix(index.rows), static_cast<std::uint64_t>(slot_count));
}

void check_file_of_rows(const panvec_usearch& index, std::int64_t bytes, std::int64_t slot_count) {
  const std::uint64_t row_bytes = has_file_of_rows(index) ? index.rows.dim() * sizeof(float) : 0;
  const std::uint64_t needed = static_cast<std::uint64_t>(slot_count) * row_bytes;
  if (static_cast<std::uint64_t>(bytes) == needed) return;
  FileBytes::corrupt("has " + std::to_string(bytes) + " bytes of float32 vectors beside it, not " +
                     std::to_string(needed));
}

void open(panvec_usearch& index, const FileBytes& graph, const char* rows, std::int64_t slot_count, double max_row_norm,
          bool as_view) {
  GraphFile file(graph, file_kind(index, slot_count));
  // Those of the graph are the codes where there are codes.
  const char* kept = index.codes ? rows : file.matrix;
  const auto count = static_cast<std::size_t>(slot_count);
  if (as_view) {
    if (index.rows_kept) index.rows.map(kept, max_row_norm);
    if (index.codes) index.codes->map(file.matrix);
    index.graph.map(std::move(file));
    return;
  }
  file.check_nodes();
  if (index.rows_kept) index.rows.load(kept, count, max_row_norm);
  if (index.codes) index.codes->load(file.matrix, count);
  index.graph.load(file);
}

}  // namespace

extern "C" {

std::int32_t panvec_usearch_abi_version(void) { return PANVEC_ABI_VERSION; }

const char* panvec_usearch_upstream_version(void) { return PANVEC_USEARCH_VERSION; }

const char* panvec_usearch_simd_level(void) { return simd_level_name(simd_level()); }

std::int32_t panvec_usearch_set_simd_level(const char* level, char* error, std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    char available[128];
    if (!set_simd_level(level, available, sizeof available)) {
      fail(PANVEC_UNSUPPORTED, std::string("no SIMD level \"") + (level == nullptr ? "" : level) +
                                   "\" on this CPU; it has: " + available);
    }
  });
}

const char* panvec_usearch_code_kernel(std::int32_t metric, std::int32_t quantization) {
  const char* name = "none";
  if (metric < PANVEC_L2 || metric > PANVEC_DOT || quantization < PANVEC_USEARCH_F16 ||
      quantization > PANVEC_USEARCH_I8) {
    return name;
  }
  (void)guarded(nullptr, 0, [&] {
    name = CodeKernel(static_cast<Metric>(metric), static_cast<Quantization>(quantization), 1).name();
  });
  return name;
}

std::int32_t panvec_usearch_create(std::int32_t metric, std::int32_t dim, std::int32_t quantization, std::int32_t m,
                                   std::int32_t ef_construction, std::int32_t keep_vectors, panvec_usearch** index,
                                   char* error, std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{index, "index"}});
    require(metric >= PANVEC_L2 && metric <= PANVEC_DOT, "unknown metric");
    require(dim >= 1 && dim <= 65536, "dim must be 1 to 65536");
    require(quantization >= PANVEC_USEARCH_F32 && quantization <= PANVEC_USEARCH_I8, "unknown quantization");
    require(quantization != PANVEC_USEARCH_I8 || metric == PANVEC_COSINE,
            "quantization i8 keeps directions only: it needs the metric COSINE");
    require(m >= 2 && m <= 512, "m must be 2 to 512");
    require(ef_construction >= 1, "ef_construction must be at least 1");
    *index = new panvec_usearch(static_cast<Metric>(metric), static_cast<std::size_t>(dim),
                                static_cast<Quantization>(quantization), static_cast<std::size_t>(m),
                                static_cast<std::size_t>(ef_construction), keep_vectors != 0);
  });
}

void panvec_usearch_free(panvec_usearch* index) { delete index; }

std::int32_t panvec_usearch_prepare(panvec_usearch* index, std::int64_t capacity, char* error,
                                    std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{index, "index"}});
    require_writable(index->graph);
    with_room_for(capacity, index->rows.dim(), [&] { prepare(*index, static_cast<std::size_t>(capacity)); });
  });
}

std::int32_t panvec_usearch_reserve(panvec_usearch* index, std::int64_t capacity, char* error,
                                    std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{index, "index"}});
    require_writable(index->graph);
    with_room_for(capacity, index->rows.dim(), [&] { reserve(*index, static_cast<std::size_t>(capacity)); });
  });
}

void panvec_usearch_expect_threads(panvec_usearch* index, std::int32_t threads) {
  index->graph.expect_threads(static_cast<unsigned>(std::max(threads, 1)));
}

std::int32_t panvec_usearch_stage(panvec_usearch* index, std::int64_t first_slot, const float* rows, std::int64_t count,
                                  std::int64_t* bad_row, std::int32_t* bad_component, char* error,
                                  std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{index, "index"}, {bad_row, "bad_row"}, {bad_component, "bad_component"}});
    require_array(count, {rows, "rows"});
    check_stage(index->graph, first_slot, count);
    stage(*index, first_slot, rows, count, bad_row, bad_component);
  });
}

std::int32_t panvec_usearch_stage_from(panvec_usearch* index, std::int64_t first_slot, const panvec_usearch* source,
                                       const std::int32_t* slots, std::int64_t count, char* error,
                                       std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{index, "index"}, {source, "source"}});
    require_array(count, {slots, "slots"});
    check_stage(index->graph, first_slot, count);
    require(source != index, "the source must be another index");
    require(source->rows.metric() == index->rows.metric() && source->rows.dim() == index->rows.dim() &&
                source->quantization == index->quantization && source->rows_kept == index->rows_kept,
            "the source has another metric, dimension or quantization, or keeps other vectors");
    check_source_slots(slots, count, source->graph.linked());
    if (index->rows_kept) index->rows.stage_from(first_slot, source->rows.rows(), slots, count);
    if (!index->codes) return;
    for (std::int64_t i = 0; i < count; ++i) index->codes->store_code(first_slot + i, source->codes->code(slots[i]));
  });
}

std::int32_t panvec_usearch_link(panvec_usearch* index, std::int64_t first_slot, std::int64_t count,
                                 std::int32_t threads, const std::int32_t* yield, std::int64_t slice_nanos,
                                 std::int64_t* linked, char* error, std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{index, "index"}, {linked, "linked"}});
    Graph& graph = index->graph;
    *linked = 0;
    require_writable(graph);
    require(first_slot == graph.linked(), "linking must go on at the first slot that is not linked");
    require(count >= 0 && count <= graph.capacity() - first_slot, "slots to link are beyond the reserved capacity");
    const auto workers = static_cast<unsigned>(std::max(threads, 1));
    if (index->codes) {
      graph.link(*index->codes, count, workers, yield, slice_nanos, *linked);
    } else {
      graph.link(row_space(*index), count, workers, yield, slice_nanos, *linked);
    }
  });
}

std::int32_t panvec_usearch_search(const panvec_usearch* index, std::int64_t slot_count,
                                   const std::uint64_t* const* dead_pages, const std::int64_t* const* id_pages,
                                   const std::uint64_t* filter, const float* query, std::int32_t k,
                                   std::int32_t ef_search, std::int32_t refine_factor, const std::int32_t* stop,
                                   std::int64_t nanos_left, std::int64_t* ids, float* distances, std::int32_t* count,
                                   char* error, std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers(
        {{index, "index"}, {query, "query"}, {ids, "ids"}, {distances, "distances"}, {count, "count"}});
    require_array(slot_count, {id_pages, "id_pages"});
    const Stop limit(stop, nanos_left);
    const Graph& graph = index->graph;
    *count = 0;
    require(k >= 1, "k must be at least 1");
    require(refine_factor >= 1, "refine_factor must be at least 1");
    require(slot_count >= 0 && slot_count <= graph.capacity(), "slot_count is beyond the reserved capacity");
    const ScratchPool::Lease lease = index->scratch.take();
    Scratch& scratch = *lease;
    const RowSpace space = row_space(*index);
    const float* checked = checked_query(space.metric, space.rows.dim, query, scratch);
    // No list is longer than the slots are many, whatever k, ef_search and refine_factor are.
    const std::int64_t wanted = std::min<std::int64_t>(k, slot_count);
    limit.check();
    if (wanted == 0 || graph.max_level() < 0) return;

    StopWatch watch(limit, space.rows.dim);
    const SlotVersion version{slot_count, {dead_pages, filter}};
    const std::int64_t considered = index->codes ? wanted * refine_factor : wanted;
    const Candidate* best = nullptr;
    const std::size_t found = graph.with_view([&](const auto& view) {
      const std::int64_t reachable = graph.reachable();
      const auto width =
          static_cast<std::size_t>(std::min(std::max<std::int64_t>(ef_search, considered), reachable));
      if (!index->codes) return walk_rows(view, space, checked, version, reachable, width, scratch, watch, best);
      // Floats are as good as any memory, and report will not need them before the walk is over.
      auto* code = reinterpret_cast<char*>(scratch.row(index->codes->code_bytes() / sizeof(float) + 1));
      index->codes->encode(checked, code);
      return walk_graph(view, CodeRows(*index->codes, code), version, reachable, width, scratch, watch, best);
    });
    *count = static_cast<std::int32_t>(report(space, checked, id_pages, best, found,
                                              static_cast<std::size_t>(considered), static_cast<std::size_t>(wanted),
                                              scratch, watch, ids, distances));
  });
}

std::int32_t panvec_usearch_exact(const panvec_usearch* index, std::int64_t from, std::int64_t to,
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

std::int32_t panvec_usearch_exact_slots(const panvec_usearch* index, const std::int32_t* slots,
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

std::int32_t panvec_usearch_row(const panvec_usearch* index, std::int64_t slot, float* row, char* error,
                                std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{index, "index"}, {row, "row"}});
    copy_row(row_space(*index), slot, row);
  });
}

std::int32_t panvec_usearch_save_begin(const panvec_usearch* index, std::int32_t file, std::int64_t slot_count,
                                       panvec_usearch_saver** saver, char* error, std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{index, "index"}, {saver, "saver"}});
    require(slot_count >= 0 && slot_count <= index->graph.linked(), "slots to save are not linked");
    *saver = new panvec_usearch_saver{::saver(*index, file, slot_count)};
  });
}

std::int32_t panvec_usearch_save_next(panvec_usearch_saver* saver, char* room, std::int64_t capacity,
                                      std::int64_t* written, char* error, std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{saver, "saver"}, {room, "room"}, {written, "written"}});
    *written = save_next(*saver->file, room, capacity);
  });
}

void panvec_usearch_save_end(panvec_usearch_saver* saver) { delete saver; }

std::int32_t panvec_usearch_open(panvec_usearch* index, const char* graph, std::int64_t graph_bytes, const char* rows,
                                 std::int64_t rows_bytes, std::int64_t slot_count, double max_row_norm,
                                 std::int32_t as_view, char* error, std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{index, "index"}});
    require_array(graph_bytes, {graph, "graph"});
    require_array(rows_bytes, {rows, "rows"});
    require(graph_bytes >= 0 && rows_bytes >= 0, "a file has no negative size");
    require(max_row_norm >= 0, "max_row_norm must be 0 or more");
    require(index->graph.capacity() == 0, "the index is not empty");
    with_room_for(slot_count, index->rows.dim(), [&] {
      check_file_of_rows(*index, rows_bytes, slot_count);
      open(*index, FileBytes(graph, graph_bytes), rows, slot_count, max_row_norm, as_view != 0);
    });
  });
}

double panvec_usearch_max_row_norm(const panvec_usearch* index) { return index->rows.max_row_norm(); }

std::int64_t panvec_usearch_memory_bytes(const panvec_usearch* index) {
  const std::size_t codes = index->codes ? index->codes->bytes() : 0;
  return static_cast<std::int64_t>(sizeof(panvec_usearch) + index->rows.bytes() + codes + index->graph.memory_bytes() +
                                   index->scratch.bytes());
}

std::int32_t panvec_usearch_max_level(const panvec_usearch* index) { return index->graph.max_level(); }

std::int32_t panvec_usearch_code_bytes(const panvec_usearch* index) {
  return index->codes ? static_cast<std::int32_t>(index->codes->code_bytes()) : 0;
}

}  // extern "C"
