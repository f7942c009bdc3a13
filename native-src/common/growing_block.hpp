// Memory that grows with its content, in time that hardly depends on how much there is.
#pragma once

#include <cstddef>

namespace panvec {

// A large block is a mapping of its own that starts at a huge page's border and grows by moving page-table entries; on
// systems that cannot do that, and while it is small, it comes from malloc.
class GrowingBlock {
 public:
  GrowingBlock() = default;
  GrowingBlock(const GrowingBlock&) = delete;
  GrowingBlock& operator=(const GrowingBlock&) = delete;
  ~GrowingBlock();

  char* data() const { return data_; }
  std::size_t size() const { return size_; }

  // The content stays, the address need not; what is new is not initialised. Throws std::bad_alloc, and all is as it
  // was then.
  void grow(std::size_t size);

 private:
  char* data_ = nullptr;
  std::size_t size_ = 0;
  [[maybe_unused]] std::size_t mapped_ = 0;  // bytes of the mapping, 0 when the block is malloc's
};

}  // namespace panvec
