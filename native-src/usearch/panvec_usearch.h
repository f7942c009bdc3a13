/* libpanvec_usearch: usearch behind a C interface, numbered by slot; beside it stands usearch's own C API (usearch_*),
 * which this header does not need.
 *
 * A slot is a dense number 0, 1, 2, ... given out by the engine and never used twice; it is usearch's key and the
 * number of its node. Rows are written first (stage), with their codes where the graph is walked on codes, then linked
 * into the graph (link). Which slots a search may return is not decided here: the caller hands over its published
 * version (slot_count, dead_pages) and a filter.
 *
 * Concurrency. Any number of search, exact, exact_slots, row and stats calls may run together; none waits for another.
 * reserve needs exclusive access. prepare, expect_threads, stage, stage_from and link are a writer's: they may run beside
 * searches, but not beside another of them or reserve. Rows that are being
 * linked are in no answer, since slot_count is that of a version from before. The source of a stage_from is only read, as
 * by a search. The engine's locks provide all this. No call uses more threads than it is given, and none outlives its
 * call.
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
#ifndef PANVEC_USEARCH_H
#define PANVEC_USEARCH_H

#include <stdint.h>

#include "panvec_status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct panvec_usearch panvec_usearch;
typedef struct panvec_usearch_saver panvec_usearch_saver;

/* What the graph is built and walked on. All but F32 are lossy: they rank by code and re-rank on the float32 rows, if
 * those are kept. */
#define PANVEC_USEARCH_F32 0
#define PANVEC_USEARCH_F16 1
#define PANVEC_USEARCH_BF16 2
#define PANVEC_USEARCH_I8 3 /* rows scaled to their largest component: COSINE only, other metrics lose their ranks */

/* The library itself. These never fail and may be called from any thread. */
int32_t panvec_usearch_abi_version(void);
const char *panvec_usearch_upstream_version(void);
/* The SIMD level of our kernels in use: "avx512", "avx2", "neon" or "baseline". */
const char *panvec_usearch_simd_level(void);
/* Forces a level of our kernels ("auto" picks the best); PANVEC_UNSUPPORTED names those this CPU has. Process-wide:
 * call before use; an index keeps the level it was created with. NumKong's kernels, which rank codes, keep their own
 * dispatch. */
int32_t panvec_usearch_set_simd_level(const char *level, char *error, int32_t error_capacity);
/* What NumKong runs codes of this quantization on, for example "skylake"; "serial" without SIMD, "none" where there are
 * no codes (F32, an unknown number). */
const char *panvec_usearch_code_kernel(int32_t metric, int32_t quantization);

/* An empty index. dim 1 .. 65536; m 2 .. 512 (usearch: connectivity); ef_construction >= 1 (expansion_add; raised to
 * m). I8 with another metric than COSINE is PANVEC_INVALID_ARGUMENT. keep_vectors 0: a lossy index has no float32 rows;
 * row is then PANVEC_UNSUPPORTED, and exact and all distances are those of decoded codes. F32 always keeps them. */
int32_t panvec_usearch_create(int32_t metric, int32_t dim, int32_t quantization, int32_t m, int32_t ef_construction,
                              int32_t keep_vectors, panvec_usearch **index, char *error, int32_t error_capacity);
/* NULL is allowed. */
void panvec_usearch_free(panvec_usearch *index);

/* Growth, in two steps, so that searches wait for the short one only. prepare finds out whether there is room; reserve
 * then makes it for `capacity` slots in all (never shrinks): it moves rows and codes page by page table and not byte by
 * byte where the system can, and copies usearch's 8 bytes a slot when the capacity first passes 2^16 and doubles then.
 * capacity 0 .. 2^31 - 1. On failure of either the index is as before. */
int32_t panvec_usearch_prepare(panvec_usearch *index, int64_t capacity, char *error, int32_t error_capacity);
int32_t panvec_usearch_reserve(panvec_usearch *index, int64_t capacity, char *error, int32_t error_capacity);

/* The most threads that link uses, 1 by default, from the next reserve on, which makes room for them: 16 KiB each at
 * m = 16, more with a larger m. */
void panvec_usearch_expect_threads(panvec_usearch *index, int32_t threads);

/* Writes `count` rows (count * dim floats) at slots first_slot ...; first_slot must be >= the number of linked slots
 * and first_slot + count <= capacity. PANVEC_INVALID_VECTOR sets *bad_row (0-based in `rows`) and *bad_component (-1:
 * the whole vector is zero), and leaves the index as it was; the slots can be staged again. */
int32_t panvec_usearch_stage(panvec_usearch *index, int64_t first_slot, const float *rows, int64_t count,
                             int64_t *bad_row, int32_t *bad_component, char *error, int32_t error_capacity);

/* As stage, with the rows and codes of `count` linked `slots` of `source`, another index of the same metric, dim,
 * quantization and keep_vectors, bit for bit and in this order. */
int32_t panvec_usearch_stage_from(panvec_usearch *index, int64_t first_slot, const panvec_usearch *source,
                                  const int32_t *slots, int64_t count, char *error, int32_t error_capacity);

/* Links staged slots [first_slot, first_slot + count) into the graph with up to `threads` threads (256 at most).
 * first_slot is the number of slots linked so far. Returns early, after at least slice_nanos, when *yield is not zero
 * (read atomically; NULL: never): *linked says how many were linked; the caller continues with the rest. On failure
 * *linked, which may be 0, counts the slots that are in the graph nevertheless and must be regarded as used up (dead):
 * what is linked is consistent. */
int32_t panvec_usearch_link(panvec_usearch *index, int64_t first_slot, int64_t count, int32_t threads,
                            const int32_t *yield, int64_t slice_nanos, int64_t *linked, char *error,
                            int32_t error_capacity);

/* The nearest k >= 1 by our own walk over usearch's graph with ef = max(ef_search, k). Lossy indexes walk by codes,
 * with ef at least refine_factor * k, and re-rank the best refine_factor * k on the rows (keep_vectors 0: on decoded
 * codes); F32 ignores refine_factor, which must be >= 1. *count results: fewer than k when the walk has not reached as
 * many live and allowed slots; the caller completes those by exact scans. The query is checked also when slot_count is
 * 0. */
int32_t panvec_usearch_search(const panvec_usearch *index, int64_t slot_count, const uint64_t *const *dead_pages,
                              const int64_t *const *id_pages, const uint64_t *filter, const float *query, int32_t k,
                              int32_t ef_search, int32_t refine_factor, const int32_t *stop, int64_t nanos_left,
                              int64_t *ids, float *distances, int32_t *count, char *error, int32_t error_capacity);

/* One slice of an exact scan: slots [from, to) with to <= slot_count. The first slice has *count = 0; ids, distances
 * and *count carry the state from slice to slice (unspecified order); the slice with finish != 0 sorts. The result is
 * the k smallest by (reference distance, id), whatever the SIMD level and the slices. */
int32_t panvec_usearch_exact(const panvec_usearch *index, int64_t from, int64_t to, const uint64_t *const *dead_pages,
                             const int64_t *const *id_pages, const uint64_t *filter, const float *query, int32_t k,
                             int32_t finish, int64_t *ids, float *distances, int32_t *count, char *error,
                             int32_t error_capacity);

/* The same over an explicit list of slots (all of them allowed and live: the caller has checked). */
int32_t panvec_usearch_exact_slots(const panvec_usearch *index, const int32_t *slots, int64_t slot_list_count,
                                   const int64_t *const *id_pages, const float *query, int32_t k, int32_t finish,
                                   int64_t *ids, float *distances, int32_t *count, char *error, int32_t error_capacity);

/* Copies the stored row (COSINE: the unit vector), bit for bit. */
int32_t panvec_usearch_row(const panvec_usearch *index, int64_t slot, float *row, char *error, int32_t error_capacity);

/* Saving. PANVEC_FILE_GRAPH is a file as usearch's index_dense_gt::save writes it, for the first slot_count slots (all
 * linked), whose keys are their slots; its vectors are the codes, where there are any, else the rows; links to later
 * slots are left out. PANVEC_FILE_ROWS is for lossy indexes that keep their rows. A saver is one thread's. begin and
 * next read the index, as a search does; between them rows may be added, and linked. next writes the following bytes
 * to `room`, of at least 1,048,576 bytes: *written of them, 0 at the end. end frees the saver, before the index is
 * freed. */
int32_t panvec_usearch_save_begin(const panvec_usearch *index, int32_t file, int64_t slot_count,
                                  panvec_usearch_saver **saver, char *error, int32_t error_capacity);
int32_t panvec_usearch_save_next(panvec_usearch_saver *saver, char *room, int64_t capacity, int64_t *written,
                                 char *error, int32_t error_capacity);
void panvec_usearch_save_end(panvec_usearch_saver *saver);

/* Takes over such files, given complete in memory (at addresses that 8 divides), into an index that was created with
 * the same metric, dim, quantization, m and keep_vectors and has no slots. rows: NULL where there is no such file.
 * max_row_norm: as panvec_usearch_max_row_norm said when they were saved. With as_view != 0 the files are used where
 * they are for as long as the index lives, and prepare, reserve, stage, stage_from and link refuse the index; only
 * heads, levels and sizes are checked then, and a file with other content leads to wrong answers, but not beyond its
 * end. Otherwise they are copied, and every link checked. PANVEC_CORRUPT says what is wrong. Exclusive. After a failure
 * the index can only be freed. */
int32_t panvec_usearch_open(panvec_usearch *index, const char *graph, int64_t graph_bytes, const char *rows,
                            int64_t rows_bytes, int64_t slot_count, double max_row_norm, int32_t as_view, char *error,
                            int32_t error_capacity);
/* At least the norm of every row that is kept. */
double panvec_usearch_max_row_norm(const panvec_usearch *index);

/* Bytes of native memory held by the index: rows, codes, nodes, what usearch needs for linking, and what searches keep.
 * */
int64_t panvec_usearch_memory_bytes(const panvec_usearch *index);
/* Highest layer of the graph, -1 when it is empty. */
int32_t panvec_usearch_max_level(const panvec_usearch *index);
/* Bytes of one code, 0 for F32. */
int32_t panvec_usearch_code_bytes(const panvec_usearch *index);

#ifdef __cplusplus
}
#endif
#endif
