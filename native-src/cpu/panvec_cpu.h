/* libpanvec_cpu: which SIMD level this machine runs. Baseline code that needs no other library, so that a loader can ask it
 * before it opens a library that was compiled for a level: such a file, opened on a CPU without it, ends the process. */
#ifndef PANVEC_CPU_H
#define PANVEC_CPU_H

#ifdef __cplusplus
extern "C" {
#endif

/* "avx512" (all of x86-64-v4), "avx2" (all of x86-64-v3), "neon", or "baseline". Never fails; any thread. */
const char *panvec_cpu_simd_level(void);

#ifdef __cplusplus
}
#endif

#endif
