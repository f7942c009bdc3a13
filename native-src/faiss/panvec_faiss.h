/* libpanvec_faiss: FAISS behind a C interface, numbered by slot; beside it stands FAISS's own C API (faiss_*),
 * which this header does not need.
 *
 * A slot is a dense number 0, 1, 2, ... given out by the engine and never used twice. Rows are written first
 * (stage), then turned into codes and assigned to lists where the type has them (encode), then made part of the
 * structure that searches use (link). Types that need training take rows before it: link then counts them at once,
 * search finds nothing, and the caller scans; after train, encode and link catch up with all that came before.
 * Which slots a search may return is not decided here: the caller hands over its published version (slot_count,
 * dead_pages) and a filter.
 *
 * Concurrency. Any number of search, exact, exact_slots, row and stats calls may run together. reserve, train_like and
 * link need exclusive access; but the link of PANVEC_FAISS_HNSW is a writer's, as prepare, stage, stage_from, train and
 * encode are: they may run beside searches, but not beside another of them, reserve or train_like. Rows that are being
 * linked are in no answer, since slot_count is that of a version from before. The source of a stage_from or train_like is
 * only read, as by a search; a view is no source. The engine's locks provide all this. No call uses more threads than it is given, and none
 * outlives its call.
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
#ifndef PANVEC_FAISS_H
#define PANVEC_FAISS_H

#include <stdint.h>

#include "panvec_status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct panvec_faiss panvec_faiss;
typedef struct panvec_faiss_saver panvec_faiss_saver;

/* What the rows are kept in for ranking. Lossy ones rank by codes and re-rank on the float32 rows, if those are
 * kept. */
#define PANVEC_FAISS_FLAT 0     /* nothing but the rows: every search is exact */
#define PANVEC_FAISS_HNSW 1     /* HNSW graph over the rows */
#define PANVEC_FAISS_HNSW_SQ8 2 /* HNSW graph over 8-bit scalar codes; lossy, trained */
#define PANVEC_FAISS_IVF_FLAT 3 /* inverted lists of rows; trained */
#define PANVEC_FAISS_IVF_SQ8 4  /* inverted lists of 8-bit scalar codes; lossy, trained */
#define PANVEC_FAISS_IVF_PQ 5   /* inverted lists of product-quantiser codes of the residuals; lossy, trained */
#define PANVEC_FAISS_PQ 6       /* product-quantiser codes of all rows, scanned; lossy, trained */
#define PANVEC_FAISS_SQ8 7      /* 8-bit scalar codes of all rows, scanned; lossy, trained */

/* The library itself. These never fail and may be called from any thread. */
int32_t panvec_faiss_abi_version(void);
const char *panvec_faiss_upstream_version(void);
/* The SIMD level of our kernels in use: "avx512", "avx2", "neon" or "baseline". FAISS's own code has the level that the
 * library was compiled for. */
const char *panvec_faiss_simd_level(void);
const char *panvec_faiss_compiled_simd_level(void);
/* Forces a level of our kernels ("auto" picks the best); PANVEC_UNSUPPORTED names those this CPU has. Process-wide:
 * call before use. */
int32_t panvec_faiss_set_simd_level(const char *level, char *error, int32_t error_capacity);

/* An empty index. metric, type: as above; dim 1 .. 65536; m 2 .. 512 and ef_construction >= 1 for graphs; pq_m divides
 * dim and pq_bits is 4 .. 12 for product quantisers; all others ignored. keep_vectors 0: a lossy type drops its float32
 * rows once it is trained; row is then PANVEC_UNSUPPORTED, and exact and all distances are those of decoded codes. seed
 * decides layers, samples and centroids. */
int32_t panvec_faiss_create(int32_t metric, int32_t dim, int32_t type, int32_t m, int32_t ef_construction, int32_t pq_m,
                            int32_t pq_bits, int32_t keep_vectors, int64_t seed, panvec_faiss **index, char *error,
                            int32_t error_capacity);
/* NULL is allowed. */
void panvec_faiss_free(panvec_faiss *index);

/* Growth, in two steps, so that searches wait for the short one only. prepare allocates, and copies what would take
 * long; reserve then makes room for `capacity` slots in all (never shrinks). A reserve without a prepare, or beyond the
 * prepared capacity, prepares by itself. capacity 0 .. 2^31 - 1. On failure of either the index is as before. */
int32_t panvec_faiss_prepare(panvec_faiss *index, int64_t capacity, char *error, int32_t error_capacity);
int32_t panvec_faiss_reserve(panvec_faiss *index, int64_t capacity, char *error, int32_t error_capacity);

/* Writes `count` rows (count * dim floats) at slots first_slot ...; first_slot must be >= the number of linked
 * slots and at most the end of what is staged, and first_slot + count <= capacity. Slots may be staged again until
 * they are linked; what was staged from first_slot on is then forgotten. PANVEC_INVALID_VECTOR sets *bad_row
 * (0-based in `rows`) and *bad_component (-1: the whole vector is zero), and leaves the index as it was but for
 * those. */
int32_t panvec_faiss_stage(panvec_faiss *index, int64_t first_slot, const float *rows, int64_t count, int64_t *bad_row,
                           int32_t *bad_component, char *error, int32_t error_capacity);

/* As stage, with what `source`, another index of the same metric, dim and type, has of `count` linked `slots`, bit for
 * bit and in this order: rows, or, where it has dropped them, codes and lists. Codes need an index trained like the
 * source (train_like), on which all slots before first_slot have been encoded; they are encoded then. */
int32_t panvec_faiss_stage_from(panvec_faiss *index, int64_t first_slot, const panvec_faiss *source,
                                const int32_t *slots, int64_t count, char *error, int32_t error_capacity);

/* Trains on `sample` (sample_count * dim floats, checked and for COSINE normalised on a copy; *bad_row and
 * *bad_component as stage), or, when it is NULL, on the staged rows of sample_count `slots` (NULL: the first ones).
 * A seeded part of more rows than FAISS's guidelines ask for (256 per centroid) is used. nlist 1 .. sample_count for
 * types with lists; a product quantiser needs at least 2^pq_bits rows. PANVEC_INVALID_ARGUMENT when the index is
 * trained or its type needs none. On failure, and when it was stopped, the index is as before. Long: seconds to
 * minutes. */
int32_t panvec_faiss_train(panvec_faiss *index, int32_t nlist, const float *sample, const int32_t *slots,
                           int64_t sample_count, int32_t threads, const int32_t *stop, int64_t nanos_left,
                           int64_t *bad_row, int32_t *bad_component, char *error, int32_t error_capacity);
/* Trains as `source` is trained, so that the same rows get the same codes: the two share what was learnt. `source` has
 * the same metric, dim, type, pq_m, pq_bits and keep_vectors; `index` is not trained and has no slots, staged ones
 * included. With keep_vectors 0 it holds codes alone from then on: keeps_rows is 0. */
int32_t panvec_faiss_train_like(panvec_faiss *index, const panvec_faiss *source, char *error, int32_t error_capacity);
/* Encodes and assigns all staged slots below `end` that are not yet, where that is to be done. Long when a trained
 * index catches up. On failure, and when it was stopped, the index is as before or further; it can be called again. */
int32_t panvec_faiss_encode(panvec_faiss *index, int64_t end, int32_t threads, const int32_t *stop, int64_t nanos_left,
                            char *error, int32_t error_capacity);

/* Links slots [first_slot, first_slot + count), staged and encoded, with up to `threads` threads; before them those
 * that came before the training. first_slot is the number of slots counted as linked so far. Returns early, after
 * at least slice_nanos, when *yield is not zero (read atomically; NULL: never): *linked says how many were linked,
 * perhaps 0 while it catches up; the caller continues with the rest. On failure *linked counts the slots that must
 * be regarded as used up (dead): what is linked is consistent. */
int32_t panvec_faiss_link(panvec_faiss *index, int64_t first_slot, int64_t count, int32_t threads, const int32_t *yield,
                          int64_t slice_nanos, int64_t *linked, char *error, int32_t error_capacity);

/* The nearest k >= 1. Graphs: ef = max(ef_search, k); over codes, max(ef_search, refine_factor * k). Lists: the
 * nprobe (clamped to nlist) nearest. Lossy types rank by code and re-rank the best refine_factor * k on the rows.
 * *count results: fewer than k when fewer live and allowed slots were met, 0 when a slot below slot_count is not
 * part of the structure yet; the caller completes those by exact scans. The query is checked also when slot_count
 * is 0. */
int32_t panvec_faiss_search(const panvec_faiss *index, int64_t slot_count, const uint64_t *const *dead_pages,
                            const int64_t *const *id_pages, const uint64_t *filter, const float *query, int32_t k,
                            int32_t ef_search, int32_t nprobe, int32_t refine_factor, const int32_t *stop,
                            int64_t nanos_left, int64_t *ids, float *distances, int32_t *count, char *error,
                            int32_t error_capacity);

/* One slice of an exact scan: slots [from, to) with to <= slot_count. The first slice has *count = 0; ids, distances
 * and *count carry the state from slice to slice (unspecified order); the slice with finish != 0 sorts. The result is
 * the k smallest by (reference distance, id), whatever the SIMD level and the slices. */
int32_t panvec_faiss_exact(const panvec_faiss *index, int64_t from, int64_t to, const uint64_t *const *dead_pages,
                           const int64_t *const *id_pages, const uint64_t *filter, const float *query, int32_t k,
                           int32_t finish, int64_t *ids, float *distances, int32_t *count, char *error,
                           int32_t error_capacity);

/* The same over an explicit list of slots (all of them allowed and live: the caller has checked). */
int32_t panvec_faiss_exact_slots(const panvec_faiss *index, const int32_t *slots, int64_t slot_list_count,
                                 const int64_t *const *id_pages, const float *query, int32_t k, int32_t finish,
                                 int64_t *ids, float *distances, int32_t *count, char *error, int32_t error_capacity);

/* Copies the stored row (COSINE: the unit vector), bit for bit. */
int32_t panvec_faiss_row(const panvec_faiss *index, int64_t slot, float *row, char *error, int32_t error_capacity);

/* Saving. PANVEC_FILE_GRAPH is a file as FAISS's write_index writes it, for the first slot_count slots (all linked), whose
 * ids are their slots: IndexFlat, IndexHNSWFlat, IndexHNSWSQ, IndexIVFFlat, IndexIVFScalarQuantizer, IndexIVFPQ, IndexPQ,
 * IndexScalarQuantizer; an index that is not trained yet is saved as such, and links to later slots are left out. Where
 * rows were scaled before they were encoded, because their magnitude is beyond 2^30 (codecs.hpp), the file is about
 * scaled rows; a number in its header that FAISS ignores tells by how much. PANVEC_FILE_ROWS are the float32 rows by slot,
 * for types that train: when it is lossy and keeps them, and otherwise as long as it is not trained or has a backlog.
 *
 * A saver is one thread's. begin and next read the index, as a search does; what is saved is as it was at begin, and
 * savers of both files that are begun without a link between them fit together: rows may be added, linked, trained on
 * and dropped afterwards. next writes the following bytes to `room`, of at least 1,048,576 bytes: *written of them, 0
 * at the end. end frees the saver, before the index is freed. */
int32_t panvec_faiss_save_begin(const panvec_faiss *index, int32_t file, int64_t slot_count, panvec_faiss_saver **saver,
                                char *error, int32_t error_capacity);
int32_t panvec_faiss_save_next(panvec_faiss_saver *saver, char *room, int64_t capacity, int64_t *written, char *error,
                               int32_t error_capacity);
void panvec_faiss_save_end(panvec_faiss_saver *saver);

/* Takes over such files, given complete in memory (at addresses that 8 divides), into an index that was created with the
 * same metric, dim, type, m, pq_m, pq_bits and keep_vectors, has no slots and is not trained. rows: NULL when there was
 * no such file. max_row_norm: as panvec_faiss_max_row_norm said when they were saved. With as_view != 0 the files are used
 * where they are for as long as the index lives, and prepare, reserve, stage, stage_from, train, train_like, encode and
 * link refuse the index; sizes and the ids in lists are checked then, and files with other content lead to wrong answers,
 * but not beyond their end. (A view of ivf_pq has no tables for its lists; its ranks may differ in their last bits.)
 * Otherwise they are copied, and every link checked. PANVEC_CORRUPT says what is wrong. Exclusive. After a failure the
 * index can only be freed. */
int32_t panvec_faiss_open(panvec_faiss *index, const char *graph, int64_t graph_bytes, const char *rows,
                          int64_t rows_bytes, int64_t slot_count, double max_row_norm, int32_t as_view, char *error,
                          int32_t error_capacity);
/* At least the norm of every row that is kept. */
double panvec_faiss_max_row_norm(const panvec_faiss *index);

/* Bytes of native memory held by the index. */
int64_t panvec_faiss_memory_bytes(const panvec_faiss *index);
/* Highest layer of the graph, -1 when it is empty or there is none. */
int32_t panvec_faiss_max_level(const panvec_faiss *index);
/* How many slots were counted by link but are not part of the structure yet: an untrained index's all, and after
 * training those that a link (count 0 will do) has still to catch up with. Search finds nothing while it is not 0. */
int64_t panvec_faiss_backlog(const panvec_faiss *index);
/* How many inverted lists; 0 before training and for types without. */
int32_t panvec_faiss_nlist(const panvec_faiss *index);
/* 1 when trained, or when the type needs no training. */
int32_t panvec_faiss_is_trained(const panvec_faiss *index);
/* 0 once the float32 rows have been dropped (keep_vectors 0): from then on distances are those of decoded codes. */
int32_t panvec_faiss_keeps_rows(const panvec_faiss *index);
/* Bytes of one code, 0 for types without codes. */
int32_t panvec_faiss_code_bytes(const panvec_faiss *index);

#ifdef __cplusplus
}
#endif
#endif
