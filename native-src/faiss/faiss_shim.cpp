// The C interface of panvec_faiss.h: checks arguments and marshals.
#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

// The interface is what leaves the library; everything else is hidden.
#pragma GCC visibility push(default)
#include "panvec_faiss.h"
#pragma GCC visibility pop
#include "panvec_kernels.hpp"
#include "slot_calls.hpp"
#include "slot_index.hpp"
#include "status.hpp"

#ifndef PANVEC_FAISS_VERSION
#error "PANVEC_FAISS_VERSION names the version of the sources"
#endif

using namespace panvec;

struct panvec_faiss {
  explicit panvec_faiss(const IndexShape& shape) : index(shape) {}

  SlotIndex index;
};

struct panvec_faiss_saver {
  std::unique_ptr<FileSaver> file;
};

namespace {

constexpr std::int32_t kMostDimensions = 65536;

unsigned threads_of(std::int32_t threads) { return static_cast<unsigned>(std::max(threads, 1)); }

SlotIndex& writable(panvec_faiss* index) {
  require(!index->index.is_mapped(), "a view cannot be changed");
  return index->index;
}

IndexShape checked_shape(std::int32_t metric, std::int32_t dim, std::int32_t type, std::int32_t m,
                         std::int32_t ef_construction, std::int32_t pq_m, std::int32_t pq_bits,
                         std::int32_t keep_vectors, std::int64_t seed) {
  require(metric >= PANVEC_L2 && metric <= PANVEC_DOT, "unknown metric");
  require(dim >= 1 && dim <= kMostDimensions, "dim must be 1 to 65536");
  require(type >= PANVEC_FAISS_FLAT && type <= PANVEC_FAISS_SQ8, "unknown type");
  IndexShape shape{};
  shape.metric = static_cast<Metric>(metric);
  shape.dim = static_cast<std::size_t>(dim);
  shape.type = static_cast<IndexType>(type);
  shape.keep_vectors = keep_vectors != 0;
  shape.seed = static_cast<std::uint64_t>(seed);
  if (shape.has_graph()) {
    require(m >= 2 && m <= 512, "m must be 2 to 512");
    require(ef_construction >= 1, "ef_construction must be at least 1");
    shape.m = static_cast<std::size_t>(m);
    shape.ef_construction = static_cast<std::size_t>(ef_construction);
  }
  if (shape.is_product()) {
    require(pq_bits >= 4 && pq_bits <= 12, "pq_bits must be 4 to 12");
    if (pq_m < 1 || dim % pq_m != 0) {
      fail(PANVEC_INVALID_ARGUMENT, "pq_m must divide the dimension, " + std::to_string(dim) + ": " +
                                        std::to_string(pq_m) + " does not");
    }
    shape.pq_m = static_cast<std::size_t>(pq_m);
    shape.pq_bits = static_cast<std::size_t>(pq_bits);
  }
  return shape;
}

}  // namespace

extern "C" {

std::int32_t panvec_faiss_abi_version(void) { return PANVEC_ABI_VERSION; }

const char* panvec_faiss_upstream_version(void) { return PANVEC_FAISS_VERSION; }

const char* panvec_faiss_simd_level(void) { return simd_level_name(simd_level()); }

const char* panvec_faiss_compiled_simd_level(void) {
#if defined(__AVX512F__)
  return simd_level_name(SimdLevel::kAvx512);
#elif defined(__AVX2__)
  return simd_level_name(SimdLevel::kAvx2);
#elif defined(__aarch64__)
  return simd_level_name(SimdLevel::kNeon);
#else
  return simd_level_name(SimdLevel::kBaseline);
#endif
}

std::int32_t panvec_faiss_set_simd_level(const char* level, char* error, std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    char available[128];
    if (!set_simd_level(level, available, sizeof available)) {
      fail(PANVEC_UNSUPPORTED, std::string("no SIMD level \"") + (level == nullptr ? "" : level) +
                                   "\" on this CPU; it has: " + available);
    }
  });
}

std::int32_t panvec_faiss_create(std::int32_t metric, std::int32_t dim, std::int32_t type, std::int32_t m,
                                 std::int32_t ef_construction, std::int32_t pq_m, std::int32_t pq_bits,
                                 std::int32_t keep_vectors, std::int64_t seed, panvec_faiss** index, char* error,
                                 std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{index, "index"}});
    *index =
        new panvec_faiss(checked_shape(metric, dim, type, m, ef_construction, pq_m, pq_bits, keep_vectors, seed));
  });
}

void panvec_faiss_free(panvec_faiss* index) { delete index; }

std::int32_t panvec_faiss_prepare(panvec_faiss* index, std::int64_t capacity, char* error,
                                  std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{index, "index"}});
    SlotIndex& of = writable(index);
    with_room_for(capacity, of.shape().dim, [&] { of.prepare(static_cast<std::size_t>(capacity)); });
  });
}

std::int32_t panvec_faiss_reserve(panvec_faiss* index, std::int64_t capacity, char* error,
                                  std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{index, "index"}});
    SlotIndex& of = writable(index);
    with_room_for(capacity, of.shape().dim, [&] { of.reserve(static_cast<std::size_t>(capacity)); });
  });
}

std::int32_t panvec_faiss_stage(panvec_faiss* index, std::int64_t first_slot, const float* rows, std::int64_t count,
                                std::int64_t* bad_row, std::int32_t* bad_component, char* error,
                                std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{index, "index"}, {bad_row, "bad_row"}, {bad_component, "bad_component"}});
    require_array(count, {rows, "rows"});
    writable(index).stage(first_slot, rows, count, bad_row, bad_component);
  });
}

std::int32_t panvec_faiss_stage_from(panvec_faiss* index, std::int64_t first_slot, const panvec_faiss* source,
                                     const std::int32_t* slots, std::int64_t count, char* error,
                                     std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{index, "index"}, {source, "source"}});
    require_array(count, {slots, "slots"});
    writable(index).stage_from(first_slot, source->index, slots, count);
  });
}

std::int32_t panvec_faiss_train(panvec_faiss* index, std::int32_t nlist, const float* sample, const std::int32_t* slots,
                                std::int64_t sample_count, std::int32_t threads, const std::int32_t* stop,
                                std::int64_t nanos_left, std::int64_t* bad_row, std::int32_t* bad_component,
                                char* error, std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{index, "index"}, {bad_row, "bad_row"}, {bad_component, "bad_component"}});
    const Stop limit(stop, nanos_left);
    writable(index).train(nlist, sample, slots, sample_count, threads_of(threads), limit, bad_row, bad_component);
  });
}

std::int32_t panvec_faiss_train_like(panvec_faiss* index, const panvec_faiss* source, char* error,
                                     std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{index, "index"}, {source, "source"}});
    writable(index).train_like(source->index);
  });
}

std::int32_t panvec_faiss_encode(panvec_faiss* index, std::int64_t end, std::int32_t threads, const std::int32_t* stop,
                                 std::int64_t nanos_left, char* error, std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{index, "index"}});
    writable(index).encode(end, threads_of(threads), Stop(stop, nanos_left));
  });
}

std::int32_t panvec_faiss_link(panvec_faiss* index, std::int64_t first_slot, std::int64_t count, std::int32_t threads,
                               const std::int32_t* yield, std::int64_t slice_nanos, std::int64_t* linked, char* error,
                               std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{index, "index"}, {linked, "linked"}});
    writable(index).link(first_slot, count, threads_of(threads), yield, slice_nanos, *linked);
  });
}

std::int32_t panvec_faiss_search(const panvec_faiss* index, std::int64_t slot_count,
                                 const std::uint64_t* const* dead_pages, const std::int64_t* const* id_pages,
                                 const std::uint64_t* filter, const float* query, std::int32_t k,
                                 std::int32_t ef_search, std::int32_t nprobe, std::int32_t refine_factor,
                                 const std::int32_t* stop, std::int64_t nanos_left, std::int64_t* ids,
                                 float* distances, std::int32_t* count, char* error, std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers(
        {{index, "index"}, {query, "query"}, {ids, "ids"}, {distances, "distances"}, {count, "count"}});
    require_array(slot_count, {id_pages, "id_pages"});
    index->index.search({slot_count, {dead_pages, filter}}, id_pages, query, k, {ef_search, nprobe, refine_factor},
                        Stop(stop, nanos_left), {ids, distances, count});
  });
}

std::int32_t panvec_faiss_exact(const panvec_faiss* index, std::int64_t from, std::int64_t to,
                                const std::uint64_t* const* dead_pages, const std::int64_t* const* id_pages,
                                const std::uint64_t* filter, const float* query, std::int32_t k, std::int32_t finish,
                                std::int64_t* ids, float* distances, std::int32_t* count, char* error,
                                std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers(
        {{index, "index"}, {query, "query"}, {ids, "ids"}, {distances, "distances"}, {count, "count"}});
    require_array(to, {id_pages, "id_pages"});
    exact_range(index->index.row_space(), index->index.scratch(), from, to, {dead_pages, filter}, id_pages, query, k,
                finish != 0, ids, distances, count);
  });
}

std::int32_t panvec_faiss_exact_slots(const panvec_faiss* index, const std::int32_t* slots,
                                      std::int64_t slot_list_count, const std::int64_t* const* id_pages,
                                      const float* query, std::int32_t k, std::int32_t finish, std::int64_t* ids,
                                      float* distances, std::int32_t* count, char* error,
                                      std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers(
        {{index, "index"}, {query, "query"}, {ids, "ids"}, {distances, "distances"}, {count, "count"}});
    require_array(slot_list_count, {id_pages, "id_pages"});
    require_array(slot_list_count, {slots, "slots"});
    exact_slots(index->index.row_space(), index->index.scratch(), slots, slot_list_count, id_pages, query, k,
                finish != 0, ids, distances, count);
  });
}

std::int32_t panvec_faiss_row(const panvec_faiss* index, std::int64_t slot, float* row, char* error,
                              std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{index, "index"}, {row, "row"}});
    index->index.copy_row(slot, row);
  });
}

std::int32_t panvec_faiss_save_begin(const panvec_faiss* index, std::int32_t file, std::int64_t slot_count,
                                     panvec_faiss_saver** saver, char* error, std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{index, "index"}, {saver, "saver"}});
    *saver = new panvec_faiss_saver{index->index.saver(file, slot_count)};
  });
}

std::int32_t panvec_faiss_save_next(panvec_faiss_saver* saver, char* room, std::int64_t capacity, std::int64_t* written,
                                    char* error, std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{saver, "saver"}, {room, "room"}, {written, "written"}});
    *written = save_next(*saver->file, room, capacity);
  });
}

void panvec_faiss_save_end(panvec_faiss_saver* saver) { delete saver; }

std::int32_t panvec_faiss_open(panvec_faiss* index, const char* graph, std::int64_t graph_bytes, const char* rows,
                               std::int64_t rows_bytes, std::int64_t slot_count, double max_row_norm,
                               std::int32_t as_view, char* error, std::int32_t error_capacity) {
  return guarded(error, error_capacity, [&] {
    require_pointers({{index, "index"}});
    require_array(graph_bytes, {graph, "graph"});
    require_array(rows_bytes, {rows, "rows"});
    require(graph_bytes >= 0 && rows_bytes >= 0, "the size of a file is negative");
    SlotIndex& into = index->index;
    with_room_for(slot_count, into.shape().dim, [&] {
      into.open({graph, graph_bytes, rows, rows_bytes}, slot_count, max_row_norm, as_view != 0);
    });
  });
}

double panvec_faiss_max_row_norm(const panvec_faiss* index) { return index->index.max_row_norm(); }

std::int64_t panvec_faiss_memory_bytes(const panvec_faiss* index) {
  return static_cast<std::int64_t>(sizeof(panvec_faiss) + index->index.memory_bytes());
}

std::int32_t panvec_faiss_max_level(const panvec_faiss* index) { return index->index.max_level(); }

std::int64_t panvec_faiss_backlog(const panvec_faiss* index) { return index->index.backlog(); }

std::int32_t panvec_faiss_nlist(const panvec_faiss* index) { return index->index.list_count(); }

std::int32_t panvec_faiss_is_trained(const panvec_faiss* index) { return index->index.is_trained() ? 1 : 0; }

std::int32_t panvec_faiss_keeps_rows(const panvec_faiss* index) { return index->index.keeps_rows() ? 1 : 0; }

std::int32_t panvec_faiss_code_bytes(const panvec_faiss* index) { return index->index.code_bytes(); }

}  // extern "C"
