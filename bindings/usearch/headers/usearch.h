/* What jextract reads for the class PanvecUsearch; includes.txt says which of it is kept. */
#include "panvec_status.h"
#include "panvec_usearch.h"
