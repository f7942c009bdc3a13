/* libpanvec_sqlitevec: SQLite and sqlite-vec, linked statically, behind a C interface for one vector table.
 *
 * A connection (panvec_sqlitevec) is one sqlite3*. It may be used by one thread at a time; the caller's pool sees to
 * that. A database is ours when PRAGMA application_id is PANVEC_SQLITEVEC_APPLICATION_ID; table panvec_meta then holds
 * format, metric, dim and the number of rows. L2 and COSINE rows lie in a vec0 table, DOT rows in a plain table.
 *
 * Every function that writes runs in one transaction (BEGIN IMMEDIATE ... COMMIT) and is all-or-nothing; every function
 * that reads sees one state of the database from start to end.
 */
#ifndef PANVEC_SQLITEVEC_H
#define PANVEC_SQLITEVEC_H

#include <stdint.h>

#include "panvec_status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PANVEC_SQLITEVEC_APPLICATION_ID 0x50766563 /* "Pvec" */
#define PANVEC_SQLITEVEC_FORMAT 1

typedef struct panvec_sqlitevec panvec_sqlitevec;

int32_t panvec_sqlitevec_abi_version(void);
const char *panvec_sqlitevec_upstream_version(void); /* sqlite-vec's, for example "0.1.9" */
const char *panvec_sqlitevec_sqlite_version(void);   /* SQLite's, for example "3.54.1" */
const char *panvec_sqlitevec_simd_level(void);
int32_t panvec_sqlitevec_set_simd_level(const char *level, char *error, int32_t error_capacity);
int32_t panvec_sqlitevec_reference_distance(int32_t metric, int32_t dim, const float *a, const float *b,
                                            float *distance);
int32_t panvec_sqlitevec_reference_unit(int32_t dim, const float *vector, float *unit);

/* Opens the writing connection. path NULL: a private database in memory. Otherwise a file, created when it does not
 * exist, with WAL and synchronous=FULL. A file that exists must be ours with the same metric and dim:
 * PANVEC_FOREIGN_FILE (not ours, or other metric or dim: the message says which), PANVEC_CORRUPT (not a database any
 * more), PANVEC_READ_ONLY, PANVEC_BUSY (locked for busy_timeout_ms), PANVEC_IO; in all these cases the file is left as
 * it was. dim 1 .. 8192. */
int32_t panvec_sqlitevec_open(const char *path, int32_t metric, int32_t dim, int32_t busy_timeout_ms,
                              panvec_sqlitevec **connection, char *error, int32_t error_capacity);
/* Opens a reading connection beside a writing one, on the same path. */
int32_t panvec_sqlitevec_open_reader(const char *path, int32_t metric, int32_t dim, int32_t busy_timeout_ms,
                                     panvec_sqlitevec **connection, char *error, int32_t error_capacity);
/* Closes. The last connection of a file checkpoints the WAL. Never fails; NULL is allowed. */
void panvec_sqlitevec_close(panvec_sqlitevec *connection);

/* Inserts count rows (count * dim floats) in one transaction. PANVEC_DUPLICATE_ID sets *bad_row; PANVEC_INVALID_VECTOR
 * sets *bad_row and *bad_component (-1: the vector is zero). replace != 0: rows whose id exists are replaced. Nothing
 * is changed unless the status is PANVEC_OK. */
int32_t panvec_sqlitevec_add(panvec_sqlitevec *connection, const int64_t *ids, const float *rows, int64_t count,
                             int32_t replace, int64_t *bad_row, int32_t *bad_component, char *error,
                             int32_t error_capacity);
/* A transaction over several add calls, for batches that cross in slices: begin, add ..., then commit or rollback. An
 * add that fails inside leaves the transaction to be rolled back by the caller. */
int32_t panvec_sqlitevec_begin(panvec_sqlitevec *connection, char *error, int32_t error_capacity);
int32_t panvec_sqlitevec_commit(panvec_sqlitevec *connection, char *error, int32_t error_capacity);
int32_t panvec_sqlitevec_rollback(panvec_sqlitevec *connection, char *error, int32_t error_capacity);

/* Deletes; *removed is the number of rows that existed. */
int32_t panvec_sqlitevec_remove(panvec_sqlitevec *connection, const int64_t *ids, int64_t count, int64_t *removed,
                                char *error, int32_t error_capacity);
/* Copies the stored row (COSINE: the unit vector) bit for bit; PANVEC_NOT_FOUND when there is none. row NULL: only
 * looks. */
int32_t panvec_sqlitevec_get(panvec_sqlitevec *connection, int64_t id, float *row, char *error, int32_t error_capacity);
int32_t panvec_sqlitevec_size(panvec_sqlitevec *connection, int64_t *size, char *error, int32_t error_capacity);

/* The k nearest, exactly: the k smallest by (reference distance, id). k >= 1, any size; ids and distances have room
 * for min(k, capacity) results and capacity >= min(k, size) or the status is PANVEC_INVALID_ARGUMENT.
 * Filters, both optional (NULL): filter_ids, sorted ascending without duplicates; or a bitmap of ids, where id is
 * allowed when filter_first_id <= id < filter_first_id + 64 * filter_words and its bit is set. At most one of them. */
int32_t panvec_sqlitevec_search(panvec_sqlitevec *connection, const float *query, int64_t k, const int64_t *filter_ids,
                                int64_t filter_ids_count, const uint64_t *filter_bitmap, int64_t filter_first_id,
                                int64_t filter_words, int64_t *ids, float *distances, int64_t capacity, int64_t *count,
                                char *error, int32_t error_capacity);

/* Makes a running search or write of this connection return PANVEC_NATIVE "interrupted" soon. May be called from any
 * thread. */
void panvec_sqlitevec_interrupt(panvec_sqlitevec *connection);

/* Bytes of the database (pages * page size) and of SQLite's caches of this connection. */
int32_t panvec_sqlitevec_memory(panvec_sqlitevec *connection, int64_t *database_bytes, int64_t *cache_bytes,
                                char *error, int32_t error_capacity);

#ifdef __cplusplus
}
#endif
#endif
