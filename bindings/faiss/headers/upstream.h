/* What jextract reads for the class Faiss: the whole C API of FAISS but for the GPU; includes-upstream.txt says which of it
 * is kept. */
#include "c_api/AutoTune_c.h"
#include "c_api/Clustering_c.h"
#include "c_api/IndexBinaryIVF_c.h"
#include "c_api/IndexBinary_c.h"
#include "c_api/IndexFlat_c.h"
#include "c_api/IndexIVFFlat_c.h"
#include "c_api/IndexIVF_c.h"
#include "c_api/IndexLSH_c.h"
#include "c_api/IndexPreTransform_c.h"
#include "c_api/IndexReplicas_c.h"
#include "c_api/IndexScalarQuantizer_c.h"
#include "c_api/IndexShards_c.h"
#include "c_api/Index_c.h"
#include "c_api/MetaIndexes_c.h"
#include "c_api/VectorTransform_c.h"
#include "c_api/clone_index_c.h"
#include "c_api/error_c.h"
#include "c_api/faiss_c.h"
#include "c_api/impl/AuxIndexStructures_c.h"
#include "c_api/impl/io_c.h"
#include "c_api/index_factory_c.h"
#include "c_api/index_io_c.h"
#include "c_api/utils/distances_c.h"
#include "c_api/utils/utils_c.h"

/* Upstream defines this function and has forgotten to declare it. */
void faiss_IndexBinaryIVF_invlists_get_ids(const FaissIndexBinaryIVF *index, size_t list_no, idx_t *invlist);
