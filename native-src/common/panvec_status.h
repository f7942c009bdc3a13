/* Status codes and error text: the same for every Panvec library.
 *
 * Every function that can fail returns one of these and, when it is not PANVEC_OK, writes a UTF-8, NUL-terminated
 * message into the caller's buffer `error` of `error_capacity` bytes (cut to fit; a NULL buffer is allowed).
 * No C++ exception leaves a function, nothing aborts. */
#ifndef PANVEC_STATUS_H
#define PANVEC_STATUS_H

#include <stdint.h>

/* Version of the C interface of all libraries; the Java side refuses a library that reports another one. */
#define PANVEC_ABI_VERSION 4

#define PANVEC_OK 0
#define PANVEC_INVALID_ARGUMENT 1 /* the caller's mistake that is not about a vector's values */
#define PANVEC_INVALID_VECTOR 2   /* a component is NaN or infinite, or the vector is zero where that is refused */
#define PANVEC_DUPLICATE_ID 3
#define PANVEC_NOT_FOUND 4
#define PANVEC_OUT_OF_MEMORY 5
#define PANVEC_IO 6
#define PANVEC_CORRUPT 7
#define PANVEC_UNSUPPORTED 8
#define PANVEC_READ_ONLY 9
#define PANVEC_BUSY 10        /* another process holds the lock */
#define PANVEC_FOREIGN_FILE 11 /* a file that Panvec did not write, or of another kind */
#define PANVEC_NATIVE 12      /* anything else that upstream reported */
#define PANVEC_STOPPED 13     /* the call was asked to stop, or its time was up, before it was done */

/* Metrics. Distances as in docs/adr/0006-reference-distance.md: smaller is nearer, always. */
#define PANVEC_L2 0
#define PANVEC_COSINE 1
#define PANVEC_DOT 2

/* Files of a saved index. */
#define PANVEC_FILE_GRAPH 0 /* in the upstream library's own format, its labels the slots */
#define PANVEC_FILE_ROWS 1  /* float32 rows by slot, where the graph has none */

#endif
