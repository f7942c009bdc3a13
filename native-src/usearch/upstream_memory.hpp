// Where usearch's memory comes from. Its calls are noexcept, so that an allocator that throws would end the process:
// these return NULL.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <deque>
#include <limits>

#include "growing_block.hpp"

namespace panvec {

// Bytes that usearch holds on behalf of one index. It makes its allocators by itself, so that they can only find the
// count through the thread.
class MemoryCount {
 public:
  std::size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

  // What this thread allocates and frees in usearch meanwhile belongs to `count`.
  class Scope {
   public:
    explicit Scope(MemoryCount& count) : before_(current_) { current_ = &count; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() { current_ = before_; }

   private:
    MemoryCount* before_;
  };

  static void allocated(std::size_t bytes) {
    if (current_ != nullptr) current_->bytes_.fetch_add(bytes, std::memory_order_relaxed);
  }
  static void freed(std::size_t bytes) {
    if (current_ != nullptr) current_->bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  }

 private:
  inline static thread_local MemoryCount* current_ = nullptr;
  std::atomic<std::size_t> bytes_{0};
};

template <typename T>
class NullingAllocator {
 public:
  using value_type = T;

  NullingAllocator() = default;
  template <typename Other>
  NullingAllocator(const NullingAllocator<Other>&) {}

  T* allocate(std::size_t count) noexcept {
    constexpr std::size_t alignment = alignof(T) > alignof(std::max_align_t) ? alignof(T) : alignof(std::max_align_t);
    if (count == 0 || count > std::numeric_limits<std::size_t>::max() / sizeof(T)) return nullptr;
    void* block = nullptr;
    if (posix_memalign(&block, alignment, count * sizeof(T)) != 0) return nullptr;
    MemoryCount::allocated(count * sizeof(T));
    return static_cast<T*>(block);
  }

  void deallocate(T* block, std::size_t count) noexcept {
    if (block == nullptr) return;
    std::free(block);
    MemoryCount::freed(count * sizeof(T));
  }

  bool operator==(const NullingAllocator&) const { return true; }
  bool operator!=(const NullingAllocator&) const { return false; }
};

// The nodes of one graph, one behind the other; freed together. Used by one thread at a time.
class NodeArena {
 public:
  // A node is a key (8 bytes), a level (2) and lists of 4-byte words. Nodes begin such that the lists are aligned.
  static constexpr std::size_t kHeadBytes = 10;

  char* allocate(std::size_t bytes) noexcept;
  void clear() noexcept;
  // Whether there is no memory, whatever there is.
  void refuse(bool refuses) { refuses_ = refuses; }
  std::size_t bytes() const { return total_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kAlignment = 16;
  static constexpr std::size_t kLead = kAlignment - kHeadBytes;

  std::deque<GrowingBlock> blocks_;
  std::size_t used_ = 0;  // of the last block
  bool refuses_ = false;
  std::atomic<std::size_t> total_{0};
};

// usearch keeps a copy of it and resets that, before it loads a file also by assigning an allocator of its own making:
// the arena stays.
class NodeAllocator {
 public:
  using value_type = char;

  NodeAllocator() = default;
  explicit NodeAllocator(NodeArena& arena) : arena_(&arena) {}
  NodeAllocator(const NodeAllocator&) = default;
  NodeAllocator& operator=(const NodeAllocator& other) noexcept {
    if (other.arena_ != nullptr) arena_ = other.arena_;
    return *this;
  }

  char* allocate(std::size_t bytes) noexcept { return arena_ == nullptr ? nullptr : arena_->allocate(bytes); }
  // usearch's way of freeing all nodes.
  void deallocate(char*, std::size_t) noexcept { reset(); }
  void reset() noexcept {
    if (arena_ != nullptr) arena_->clear();
  }

 private:
  NodeArena* arena_ = nullptr;
};

}  // namespace panvec
