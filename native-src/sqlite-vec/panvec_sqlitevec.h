/* libpanvec_sqlitevec: SQLite and sqlite-vec, linked statically, behind a C interface for one vector table.
 *
 * A connection (panvec_sqlitevec) is one sqlite3*. It may be used by one thread at a time; the caller's pool sees to
 * that. A database is ours when PRAGMA application_id is PANVEC_SQLITEVEC_APPLICATION_ID; table panvec_meta then holds
 * format, metric, dim and the number of rows. L2 and COSINE rows lie in a vec0 table, DOT rows in a plain table.
 *
 * Every function that writes runs in one transaction (BEGIN IMMEDIATE ... COMMIT) and is all-or-nothing; every function
 * that reads sees one state of the database from start to end.
 *
 * Common arguments
 *   stop, nanos_left   when the call is to end early, with PANVEC_STOPPED: once *stop is not zero (read atomically;
 *                NULL: never), or nanos_left nanoseconds after it began (INT64_MAX: no deadline; 0 or less: at once).
 *                The connection is then as before the call
 *   filter, filter_steps   NULL: all ids allowed. Otherwise a filter of so many steps
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

/* A filter is a program for a stack of sets of ids. Its first three kinds of steps push a set, the others put one in
 * the place of some; exactly one set is left at the end. */
#define PANVEC_SQLITEVEC_IDS 0    /* data: `count` int64, ascending without duplicates */
#define PANVEC_SQLITEVEC_BITMAP 1 /* data: `count` uint64; bit i of them all stands for the id first + i */
#define PANVEC_SQLITEVEC_RANGE 2  /* first .. last, both included */
#define PANVEC_SQLITEVEC_NOT 3    /* of the set on top */
#define PANVEC_SQLITEVEC_AND 4    /* of the `count` sets on top, at least 1 */
#define PANVEC_SQLITEVEC_OR 5     /* of the `count` sets on top, at least 1 */
typedef struct panvec_sqlitevec_filter_step {
  int64_t kind;
  int64_t first;
  int64_t last;
  int64_t count;
  const void *data;
} panvec_sqlitevec_filter_step;

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
                             int32_t replace, const int32_t *stop, int64_t nanos_left, int64_t *bad_row,
                             int32_t *bad_component, char *error, int32_t error_capacity);
/* A transaction over several add calls, for batches that cross in slices: begin, add ..., then commit or rollback. An
 * add that fails inside leaves the transaction to be rolled back by the caller. begin waits for whoever writes now.
 * commit is never PANVEC_STOPPED: its stop ends only the wait, once all is committed, for readers that keep the log
 * long. */
int32_t panvec_sqlitevec_begin(panvec_sqlitevec *connection, const int32_t *stop, int64_t nanos_left, char *error,
                               int32_t error_capacity);
int32_t panvec_sqlitevec_commit(panvec_sqlitevec *connection, const int32_t *stop, int64_t nanos_left, char *error,
                                int32_t error_capacity);
int32_t panvec_sqlitevec_rollback(panvec_sqlitevec *connection, char *error, int32_t error_capacity);

/* Deletes; *removed is the number of rows that existed. */
int32_t panvec_sqlitevec_remove(panvec_sqlitevec *connection, const int64_t *ids, int64_t count, int64_t *removed,
                                char *error, int32_t error_capacity);

/* Gives the pages of removed rows back, one slice of some milliseconds and one transaction after the other: call it
 * until *finished is not zero. `state` is three int64, zero before the first slice, and kept for the next. *rows is how
 * many rows the slice has passed. Other connections read and write between slices, and read during them; what was done
 * by a slice that is through stays when a later one fails or is stopped. Answers never change. */
int32_t panvec_sqlitevec_compact(panvec_sqlitevec *connection, int64_t *state, const int32_t *stop, int64_t nanos_left,
                                 int64_t *rows, int32_t *finished, char *error, int32_t error_capacity);

/* All reading calls between the two see one state of the database: that of the first. */
int32_t panvec_sqlitevec_begin_read(panvec_sqlitevec *connection, char *error, int32_t error_capacity);
int32_t panvec_sqlitevec_end_read(panvec_sqlitevec *connection, char *error, int32_t error_capacity);

/* Copies the stored row (COSINE: the unit vector) bit for bit; PANVEC_NOT_FOUND when there is none. row NULL: only
 * looks. */
int32_t panvec_sqlitevec_get(panvec_sqlitevec *connection, int64_t id, float *row, char *error, int32_t error_capacity);
int32_t panvec_sqlitevec_size(panvec_sqlitevec *connection, int64_t *size, char *error, int32_t error_capacity);
/* The ids of all rows that the filter lets through, ascending. *count says how many there are; only the first
 * `capacity` of them are written. */
int32_t panvec_sqlitevec_ids(panvec_sqlitevec *connection, const panvec_sqlitevec_filter_step *filter,
                             int64_t filter_steps, const int32_t *stop, int64_t nanos_left, int64_t *ids,
                             int64_t capacity, int64_t *count, char *error, int32_t error_capacity);

/* The k nearest within `radius` (INFINITY: however far), exactly: the k smallest by (reference distance, id) of those
 * with a reference distance of at most radius. k >= 1, any size. *count says how many hits there are: when they are
 * more than `capacity`, nothing is written, and take_hits gives them. */
int32_t panvec_sqlitevec_search(panvec_sqlitevec *connection, const float *query, int64_t k, float radius,
                                const panvec_sqlitevec_filter_step *filter, int64_t filter_steps, const int32_t *stop,
                                int64_t nanos_left, int64_t *ids, float *distances, int64_t capacity, int64_t *count,
                                char *error, int32_t error_capacity);
/* The hits of the search that was the last call on this connection, and found more than it had room for. They are
 * dropped by this and by any other call. */
int32_t panvec_sqlitevec_take_hits(panvec_sqlitevec *connection, int64_t *ids, float *distances, int64_t capacity,
                                   char *error, int32_t error_capacity);

/* Bytes of the database (pages * page size), of those that no row uses, and of SQLite's caches of this connection; and
 * how many removed rows still take room; dead_rows NULL: they are not counted, which reads the ids of all rows. */
int32_t panvec_sqlitevec_usage(panvec_sqlitevec *connection, int64_t *database_bytes, int64_t *free_bytes,
                               int64_t *cache_bytes, int64_t *dead_rows, char *error, int32_t error_capacity);

/* Snapshots. Writes the state that the connection sees into a new database file at `path`, packed: no page is free.
 * Between begin_read and end_read it is the state of the first reading call. Nothing lies beside the file, then or later;
 * it is not forced to disk. When this fails, there is no file. */
int32_t panvec_sqlitevec_save(panvec_sqlitevec *connection, const char *path, char *error, int32_t error_capacity);

/* For the save of a database in memory, which has one connection: a copy, made in slices of some milliseconds between
 * which others may use the connection. When they write, the next slice begins anew and does everything, about a second
 * for two gigabytes. `next` is a call on the copied connection; once it sets *copied, an open connection on the copy, in
 * the state at that time, it is through. Otherwise *copied is NULL. */
typedef struct panvec_sqlitevec_copy panvec_sqlitevec_copy;
int32_t panvec_sqlitevec_copy_begin(panvec_sqlitevec *connection, panvec_sqlitevec_copy **copy, char *error,
                                    int32_t error_capacity);
int32_t panvec_sqlitevec_copy_next(panvec_sqlitevec_copy *copy, panvec_sqlitevec **copied, char *error,
                                   int32_t error_capacity);
/* Frees a copy, whether it is through or not: a call on the copied connection unless it is. NULL is allowed. */
void panvec_sqlitevec_copy_end(panvec_sqlitevec_copy *copy);

/* Opens the `size` bytes of a file that save wrote. view != 0: for reading, and where they are; they must neither change
 * nor be freed before the connection is closed, any number of connections may have them. view == 0: a copy of them in
 * memory that can be written to, checked throughout. No file is created or locked. `name` stands for them in messages.
 * PANVEC_CORRUPT: they are not what save wrote of that metric and dim, the message says why. Of a view only header and
 * tables are checked then; its calls never read beyond the bytes, and are PANVEC_CORRUPT when they find damage. */
int32_t panvec_sqlitevec_open_bytes(const void *bytes, int64_t size, const char *name, int32_t metric, int32_t dim,
                                    int32_t view, panvec_sqlitevec **connection, char *error, int32_t error_capacity);

#ifdef __cplusplus
}
#endif
#endif
