/* What jextract reads for the class PanvecFaiss; includes.txt says which of it is kept. */
#include "panvec_status.h"
#include "panvec_faiss.h"
