// How walks, which wait for nobody, meet a thread that links slots.
#pragma once

#include <atomic>
#include <cstdint>

namespace panvec {

// Before the first link to a slot is written: whoever finds the link finds the slot's row, level and lists.
inline void publish_slot() {
#ifndef __SANITIZE_THREAD__  // it knows no fences, and says so
  std::atomic_thread_fence(std::memory_order_release);
#endif
}

// Where walks begin. Slot and layer change together: a slot has no lists above its own highest layer.
class EntryPoint {
 public:
  struct Place {
    std::uint32_t slot;
    int level;  // its highest layer, -1 when the graph is empty
  };

  Place load() const {
    const std::uint64_t packed = packed_.load(std::memory_order_acquire);
    return {static_cast<std::uint32_t>(packed), static_cast<int>(packed >> 32) - 1};
  }
  // Of a slot that is linked on all its layers.
  void store(const Place& place) {
    packed_.store(static_cast<std::uint64_t>(place.level + 1) << 32 | place.slot, std::memory_order_release);
  }

 private:
  std::atomic<std::uint64_t> packed_{0};
};

}  // namespace panvec
