// NumKong compiled without the answers of its probes has plain kernels only and is silent about it.
#include <cstdio>
#include <cstring>

#include "panvec_kernels.hpp"
#include "usearch.h"

namespace {

int failures = 0;

void expect(bool holds, const char* what, const char* found) {
  if (holds) return;
  std::fprintf(stderr, "%s: \"%s\"\n", what, found);
  ++failures;
}

}  // namespace

int main() {
  const char* compiled = usearch_hardware_acceleration_compiled();
  const char* available = usearch_hardware_acceleration_available();
#if defined(__x86_64__)
  expect(std::strstr(compiled, "haswell") != nullptr, "no kernels for AVX2 were compiled", compiled);
#if !defined(__APPLE__)
  expect(std::strstr(compiled, "skylake") != nullptr, "no kernels for AVX-512 were compiled", compiled);
#endif
  const panvec::SimdLevel level = panvec::best_simd_level();
  if (level == panvec::SimdLevel::kAvx2 || level == panvec::SimdLevel::kAvx512) {
    expect(std::strstr(available, "haswell") != nullptr, "the kernels for this CPU's AVX2 are not used", available);
  }
  if (level == panvec::SimdLevel::kAvx512 && std::strstr(compiled, "skylake") != nullptr) {
    expect(std::strstr(available, "skylake") != nullptr, "the kernels for this CPU's AVX-512 are not used", available);
  }
#elif defined(__aarch64__)
  expect(std::strstr(compiled, "neon") != nullptr, "no kernels for NEON were compiled", compiled);
  expect(std::strstr(available, "neon") != nullptr, "the kernels for this CPU's NEON are not used", available);
#endif
  std::printf("NumKong: compiled %s; in use here %s\n", compiled, available);
  return failures == 0 ? 0 : 1;
}
