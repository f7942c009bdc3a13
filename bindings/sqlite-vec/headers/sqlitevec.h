/* What jextract reads for these bindings; includes.txt says which of it is kept. */
#include "panvec_status.h"
#include "panvec_sqlitevec.h"
