// What Debian's static serial OpenBLAS lacks. macOS has a BLAS of its own.

#include <pthread.h>
#include <stddef.h>
#include <string.h>

// A serial OpenBLAS keeps its work buffers in a table without a lock: two threads at once may get the same buffer, and
// products are wrong without a word. All its calls come through these two instead (the linker's --wrap), so that its
// callers can be many. Its table has at least 50 places; a thread may take a second one while it has one.
extern void* __real_blas_memory_alloc(int position);
extern void __real_blas_memory_free(void* buffer);

enum { kThreadsWithBuffers = 24 };

static pthread_mutex_t table = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t thread_left = PTHREAD_COND_INITIALIZER;
static int threads_with_buffers;
static _Thread_local int own_buffers;

void* __wrap_blas_memory_alloc(int position) {
  pthread_mutex_lock(&table);
  while (own_buffers == 0 && threads_with_buffers == kThreadsWithBuffers) pthread_cond_wait(&thread_left, &table);
  if (own_buffers++ == 0) ++threads_with_buffers;
  void* buffer = __real_blas_memory_alloc(position);
  pthread_mutex_unlock(&table);
  return buffer;
}

void __wrap_blas_memory_free(void* buffer) {
  pthread_mutex_lock(&table);
  __real_blas_memory_free(buffer);
  if (--own_buffers == 0) {
    --threads_with_buffers;
    pthread_cond_signal(&thread_left);
  }
  pthread_mutex_unlock(&table);
}

// OpenBLAS is built by gfortran and asks its runtime library for one function, with which LAPACK's error path joins strings.
// The runtime itself cannot be linked into a shared library. Same meaning: source 1, then source 2, cut off or padded with
// blanks to the destination's length.
void _gfortran_concat_string(ptrdiff_t length, char* destination, ptrdiff_t length1, const char* source1,
                             ptrdiff_t length2, const char* source2) {
  const ptrdiff_t first = length1 < length ? length1 : length;
  const ptrdiff_t second = length2 < length - first ? length2 : length - first;
  memcpy(destination, source1, (size_t)first);
  memcpy(destination + first, source2, (size_t)second);
  memset(destination + first + second, ' ', (size_t)(length - first - second));
}
