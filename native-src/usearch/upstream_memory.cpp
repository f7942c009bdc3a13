#include "upstream_memory.hpp"

#include <algorithm>
#include <exception>

namespace panvec {

char* NodeArena::allocate(std::size_t bytes) noexcept {
  constexpr std::size_t least = std::size_t{64} << 10, most = std::size_t{64} << 20;
  if (refuses_) return nullptr;
  if (blocks_.empty() || blocks_.back().size() - used_ < kLead + bytes) {
    // At most a quarter is unused, and of a large block only pages that were touched cost memory.
    const std::size_t size = std::max(std::clamp(this->bytes() / 4, least, most), kLead + bytes);
    try {
      blocks_.emplace_back();
    } catch (const std::exception&) {
      return nullptr;
    }
    try {
      blocks_.back().grow(size);
    } catch (const std::exception&) {
      blocks_.pop_back();
      return nullptr;
    }
    used_ = 0;
    total_.fetch_add(size, std::memory_order_relaxed);
  }
  char* node = blocks_.back().data() + used_ + kLead;
  used_ = std::min((used_ + kLead + bytes + kAlignment - 1) / kAlignment * kAlignment, blocks_.back().size());
  return node;
}

void NodeArena::clear() noexcept {
  blocks_.clear();
  used_ = 0;
  total_.store(0, std::memory_order_relaxed);
}

}  // namespace panvec
