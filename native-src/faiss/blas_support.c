// Debian's static OpenBLAS is built by gfortran and asks its runtime library for one function, with which LAPACK's
// error path joins strings. The runtime itself cannot be linked into a shared library. Same meaning: source 1, then
// source 2, cut off or padded with blanks to the destination's length.
#include <stddef.h>
#include <string.h>

void _gfortran_concat_string(ptrdiff_t length, char* destination, ptrdiff_t length1, const char* source1,
                             ptrdiff_t length2, const char* source2) {
  const ptrdiff_t first = length1 < length ? length1 : length;
  const ptrdiff_t second = length2 < length - first ? length2 : length - first;
  memcpy(destination, source1, (size_t)first);
  memcpy(destination + first, source2, (size_t)second);
  memset(destination + first + second, ' ', (size_t)(length - first - second));
}
