/* What jextract reads for the class Usearch: the whole C API of usearch; includes-upstream.txt says which of it is kept. */
#include "c/usearch.h"
