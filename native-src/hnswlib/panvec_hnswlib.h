/* libpanvec_hnswlib: hnswlib's graph behind a C interface, numbered by slot.
 *
 * A slot is a dense number 0, 1, 2, ... given out by the engine and never used twice. A slot is hnswlib's internal id
 * and its label. Rows are written first (stage), then linked into the graph (link). Which slots a search may return is
 * not decided here: the caller hands over its published version (slot_count, dead_pages) and a filter.
 *
 * Concurrency. Any number of search, exact, exact_slots, row, distance and stats calls may run together. reserve needs
 * exclusive access. prepare, stage, stage_from and link are a writer's: they may run beside searches, but not beside
 * another of them or reserve. Rows that are being linked are in no answer, since slot_count is that of a version from
 * before. The source of a stage_from is only read, as by a search. The engine's locks provide all this.
 *
 * Common arguments
 *   slot_count   slots >= slot_count are invisible to this call
 *   dead_pages   NULL: no slot is dead. Otherwise ceil(slot_count / 32768) pointers, one for every 32,768 slots: NULL
 *                (none dead) or 512 words of 64 bits, bit s % 64 of word (s % 32768) / 64 set when slot s is dead
 *   id_pages     one pointer for every 32,768 slots to 32,768 int64 ids by slot
 *   filter       NULL: all slots allowed. Otherwise a bitmap of at least slot_count bits by slot, set when allowed
 *   query, rows  float32 as given by the user; checked for NaN and infinity, and for COSINE normalised, on a copy here
 *   ids, distances   room for k results; filled sorted by (distance, id); distance is the reference kernel's
 *   pointers     NULL only where that is said to mean something, for arrays without elements, and for error: elsewhere a
 *                function with a status refuses it, PANVEC_INVALID_ARGUMENT naming the argument, and does nothing; those
 *                without a status (free apart) are the caller's to call with an index
 *   stop, nanos_left   when the call is to end early, with PANVEC_STOPPED: once *stop is not zero (read atomically;
 *                NULL: never), or nanos_left nanoseconds after it began (INT64_MAX: no deadline; 0 or less: at once)
 */
#ifndef PANVEC_HNSWLIB_H
#define PANVEC_HNSWLIB_H

#include <stdint.h>

#include "panvec_status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct panvec_hnswlib panvec_hnswlib;
typedef struct panvec_hnswlib_saver panvec_hnswlib_saver;

/* The library itself. These never fail and may be called from any thread. */
int32_t panvec_hnswlib_abi_version(void);
const char *panvec_hnswlib_upstream_version(void);
/* The SIMD level in use: "avx512", "avx2", "neon" or "baseline". */
const char *panvec_hnswlib_simd_level(void);
/* Forces a level ("auto" picks the best); PANVEC_UNSUPPORTED names those this CPU has. Process-wide: call before use.
 */
int32_t panvec_hnswlib_set_simd_level(const char *level, char *error, int32_t error_capacity);
/* Does nothing: the price of an empty downcall. Returns its argument. */
int64_t panvec_hnswlib_nop(int64_t value);

/* The reference kernels (docs/adr/0006-reference-distance.md), for tests: distance of two vectors as given, and the
 * unit vector. */
int32_t panvec_hnswlib_reference_distance(int32_t metric, int32_t dim, const float *a, const float *b, float *distance);
int32_t panvec_hnswlib_reference_unit(int32_t dim, const float *vector, float *unit);

/* dim >= 1; m 2 .. 512; ef_construction >= 1 (raised to m); seed decides the levels of all slots. */
int32_t panvec_hnswlib_create(int32_t metric, int32_t dim, int32_t m, int32_t ef_construction, int64_t seed,
                              panvec_hnswlib **index, char *error, int32_t error_capacity);
void panvec_hnswlib_free(panvec_hnswlib *index);

/* Growth, in two steps, so that searches wait for the short one only. prepare allocates what searches do not read;
 * reserve then makes room for `capacity` slots in all (never shrinks): it moves the rows, page by page table and not
 * byte by byte where the system can. A reserve without a prepare, or beyond the prepared capacity, prepares by itself.
 * capacity 0 .. 2^31 - 1. On failure of either the index is as before. */
int32_t panvec_hnswlib_prepare(panvec_hnswlib *index, int64_t capacity, char *error, int32_t error_capacity);
int32_t panvec_hnswlib_reserve(panvec_hnswlib *index, int64_t capacity, char *error, int32_t error_capacity);

/* Writes `count` rows (count * dim floats) at slots first_slot ...; first_slot must be >= the number of linked slots
 * and first_slot + count <= capacity. PANVEC_INVALID_VECTOR sets *bad_row (0-based in `rows`) and *bad_component (-1:
 * the whole vector is zero), and leaves the graph as it was; the slots can be staged again. */
int32_t panvec_hnswlib_stage(panvec_hnswlib *index, int64_t first_slot, const float *rows, int64_t count,
                             int64_t *bad_row, int32_t *bad_component, char *error, int32_t error_capacity);

/* As stage, with the rows of `count` linked `slots` of `source`, another index of the same metric and dim, bit for bit
 * and in this order. */
int32_t panvec_hnswlib_stage_from(panvec_hnswlib *index, int64_t first_slot, const panvec_hnswlib *source,
                                  const int32_t *slots, int64_t count, char *error, int32_t error_capacity);

/* Links staged slots [first_slot, first_slot + count) into the graph with up to `threads` threads. first_slot is the
 * number of slots linked so far. Returns early, after at least slice_nanos, when *yield is not zero (read atomically;
 * NULL: never): *linked says how many were linked; the caller continues with the rest. On failure *linked counts the
 * slots that must be regarded as used up (dead): the first first_slot + *linked slots are consistent, whatever their
 * links. */
int32_t panvec_hnswlib_link(panvec_hnswlib *index, int64_t first_slot, int64_t count, int32_t threads,
                            const int32_t *yield, int64_t slice_nanos, int64_t *linked,
                            char *error, int32_t error_capacity);

/* The nearest k >= 1 by our own walk over the graph with ef = max(ef, k). *count results: fewer than k when the walk
 * has not reached as many live and allowed slots; the caller completes those by exact scans, in slices as short as it
 * likes. The query is checked also when slot_count is 0. */
int32_t panvec_hnswlib_search(const panvec_hnswlib *index, int64_t slot_count, const uint64_t *const *dead_pages,
                              const int64_t *const *id_pages, const uint64_t *filter, const float *query, int32_t k,
                              int32_t ef, const int32_t *stop, int64_t nanos_left, int64_t *ids, float *distances,
                              int32_t *count, char *error, int32_t error_capacity);

/* One slice of an exact scan: slots [from, to) with to <= slot_count. The first slice has *count = 0; ids, distances
 * and *count carry the state from slice to slice (unspecified order); the slice with finish != 0 sorts. The result is
 * the k smallest by (reference distance, id), whatever the SIMD level and the slices. */
int32_t panvec_hnswlib_exact(const panvec_hnswlib *index, int64_t from, int64_t to, const uint64_t *const *dead_pages,
                             const int64_t *const *id_pages, const uint64_t *filter, const float *query, int32_t k,
                             int32_t finish, int64_t *ids, float *distances, int32_t *count, char *error,
                             int32_t error_capacity);

/* The same over an explicit list of slots (all of them allowed and live: the caller has checked). */
int32_t panvec_hnswlib_exact_slots(const panvec_hnswlib *index, const int32_t *slots, int64_t slot_list_count,
                                   const int64_t *const *id_pages, const float *query, int32_t k, int32_t finish,
                                   int64_t *ids, float *distances, int32_t *count, char *error, int32_t error_capacity);

/* Copies the stored row (COSINE: the unit vector), bit for bit. */
int32_t panvec_hnswlib_row(const panvec_hnswlib *index, int64_t slot, float *row, char *error, int32_t error_capacity);

/* Saving. PANVEC_FILE_GRAPH is a file as hnswlib's saveIndex writes it, for the first slot_count slots (all linked), whose
 * labels are their slots; links to later slots are left out. A saver is one thread's. begin and next read the index, as a
 * search does; between them rows may be added, and linked. next writes the following bytes to `room`, of at least
 * 1,048,576 bytes: *written of them, 0 at the end. end frees the saver, before the index is freed. */
int32_t panvec_hnswlib_save_begin(const panvec_hnswlib *index, int32_t file, int64_t slot_count,
                                  panvec_hnswlib_saver **saver, char *error, int32_t error_capacity);
int32_t panvec_hnswlib_save_next(panvec_hnswlib_saver *saver, char *room, int64_t capacity, int64_t *written,
                                 char *error, int32_t error_capacity);
void panvec_hnswlib_save_end(panvec_hnswlib_saver *saver);

/* Takes over such a file, given complete in memory (at an address that 8 divides), into an index that was created with
 * the same metric, dim and m and has no slots. max_row_norm: as panvec_hnswlib_max_row_norm said when it was saved. With
 * as_view != 0 the file is used where it is for as long as the index lives, and prepare, reserve, stage, stage_from and
 * link refuse the index; only sizes are checked then, and a file with other content leads to wrong answers, but not
 * beyond its end. Otherwise it is copied, and every link checked. PANVEC_CORRUPT says what is wrong with the file.
 * `rows`: NULL. Exclusive. After a failure the index can only be freed. */
int32_t panvec_hnswlib_open(panvec_hnswlib *index, const char *graph, int64_t graph_bytes, const char *rows,
                            int64_t rows_bytes, int64_t slot_count, double max_row_norm, int32_t as_view, char *error,
                            int32_t error_capacity);
/* At least the norm of every row. */
double panvec_hnswlib_max_row_norm(const panvec_hnswlib *index);

/* Bytes of native memory held by the index: rows and base layer, upper layers, locks, visited lists, what is prepared
 * and what is outdated but not freed yet. */
int64_t panvec_hnswlib_memory_bytes(const panvec_hnswlib *index);
/* Highest layer of the graph, -1 when it is empty. */
int32_t panvec_hnswlib_max_level(const panvec_hnswlib *index);

#ifdef __cplusplus
}
#endif
#endif
