#pragma GCC visibility push(default)
#include "panvec_cpu.h"
#pragma GCC visibility pop

#include "panvec_kernels.hpp"

extern "C" const char* panvec_cpu_simd_level() { return panvec::simd_level_name(panvec::best_simd_level()); }
