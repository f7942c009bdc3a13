// What FAISS asks of OpenMP, for a build without it (docs/adr/0008-faiss-without-openmp.md): one thread, which is the
// caller's. Upstream's pragmas are ignored, so every parallel region is a plain loop.
//
// Locks are real: our own threads link one HNSW graph at the same time (LinkedGraph::insert in links.cpp), which has one
// for each node; hence one byte, and no waiting in the kernel for what lasts a microsecond.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

struct omp_lock_t {
  std::atomic<std::uint8_t> held{0};
};

inline void omp_init_lock(omp_lock_t* lock) noexcept { lock->held.store(0, std::memory_order_relaxed); }

inline void omp_destroy_lock(omp_lock_t*) noexcept {}

inline void omp_set_lock(omp_lock_t* lock) noexcept {
  constexpr int kSpinsBeforeYield = 256;
  while (lock->held.exchange(1, std::memory_order_acquire) != 0) {
    // Reads while it waits, so that the holder keeps the cache line. The holder may have lost its core: then yield.
    for (int spins = 0; lock->held.load(std::memory_order_relaxed) != 0; ++spins) {
      if (spins >= kSpinsBeforeYield) {
        std::this_thread::yield();
        spins = 0;
        continue;
      }
#if defined(__x86_64__)
      __builtin_ia32_pause();
#elif defined(__aarch64__)
      __asm__ volatile("yield");
#endif
    }
  }
}

inline void omp_unset_lock(omp_lock_t* lock) noexcept { lock->held.store(0, std::memory_order_release); }

inline int omp_get_max_threads() noexcept { return 1; }
inline int omp_get_num_threads() noexcept { return 1; }
inline int omp_get_thread_num() noexcept { return 0; }
inline int omp_in_parallel() noexcept { return 0; }
inline int omp_get_nested() noexcept { return 0; }
inline void omp_set_nested(int) noexcept {}
inline void omp_set_num_threads(int) noexcept {}
