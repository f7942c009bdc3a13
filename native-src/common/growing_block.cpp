#include "growing_block.hpp"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace panvec {

#if defined(__linux__)
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
// Below it, copying takes less than a millisecond, and a mapping would waste a good part of its last huge page.
constexpr std::size_t kLeastMapped = std::size_t{4} << 20;

std::size_t rounded_up(std::size_t x) { return (x + kHugePage - 1) & ~(kHugePage - 1); }

// `bytes` (whole huge pages) of address space at a huge page's border.
char* map_aligned(std::size_t bytes, int protection, int flags) {
  void* mapped = mmap(nullptr, bytes + kHugePage, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  char* begin = static_cast<char*>(mapped);
  const auto address = reinterpret_cast<std::uintptr_t>(begin);
  const std::size_t before = rounded_up(address) - address;
  if (before > 0) (void)munmap(begin, before);
  if (before < kHugePage) (void)munmap(begin + before + bytes, kHugePage - before);
  return begin + before;
}

// A walk reads rows at random: with small pages nearly each one is a miss of the translation buffer as well.
void prefer_huge_pages([[maybe_unused]] char* block, [[maybe_unused]] std::size_t bytes) {
#if defined(MADV_HUGEPAGE)
  (void)madvise(block, bytes, MADV_HUGEPAGE);
#endif
}

// Both ends are aligned, so that page tables move as a whole and huge pages stay huge.
char* move_mapping(char* from, std::size_t from_bytes, std::size_t bytes) {
  char* to = map_aligned(bytes, PROT_NONE, MAP_NORESERVE);
  // When this fails, the range may have been unmapped and given to another thread: it is not touched any more. At worst
  // some addresses stay in use, but no memory.
  if (mremap(from, from_bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED) throw std::bad_alloc();
  return to;
}

}  // namespace
#endif

GrowingBlock::~GrowingBlock() {
#if defined(__linux__)
  if (mapped_ > 0) {
    (void)munmap(data_, mapped_);
    return;
  }
#endif
  std::free(data_);
}

void GrowingBlock::grow(std::size_t size) {
  if (size <= size_) return;
#if defined(__linux__)
  if (size >= kLeastMapped) {
    if (size > std::numeric_limits<std::size_t>::max() / 2) throw std::bad_alloc();
    const std::size_t bytes = rounded_up(size);
    if (mapped_ == 0) {
      char* mapped = map_aligned(bytes, PROT_READ | PROT_WRITE, 0);
      prefer_huge_pages(mapped, bytes);
      if (size_ > 0) std::memcpy(mapped, data_, size_);
      std::free(data_);
      data_ = mapped;
    } else if (bytes > mapped_) {
      data_ = move_mapping(data_, mapped_, bytes);
    }
    mapped_ = bytes;
    size_ = size;
    return;
  }
#endif
  auto* block = static_cast<char*>(std::realloc(data_, size));
  if (block == nullptr) throw std::bad_alloc();
  data_ = block;
  size_ = size;
}

}  // namespace panvec
