// Work on a few threads of our own. Threads belong to one call: started by it, joined by it.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "stop.hpp"

namespace panvec {

// What a caller gives as nanoseconds, between none and a day: no sum or difference with a point in time overflows.
inline std::int64_t slice_within_a_day(std::int64_t slice_nanos) {
  return std::clamp<std::int64_t>(slice_nanos, 0, 86'400'000'000'000);
}

// Items first, first + 1, ... in order, so that those taken are always a prefix; ends early when asked to.
class OrderedWork {
 public:
  // `yield` NULL: never asked; otherwise asked, after slice_nanos, when it is not zero (read atomically).
  OrderedWork(std::int64_t first, std::int64_t end, const std::int32_t* yield, std::int64_t slice_nanos)
      : end_(end), yield_(yield), next_(first) {
    if (yield_ == nullptr) return;
    slice_end_ = Clock::now() + std::chrono::nanoseconds(slice_within_a_day(slice_nanos));
  }

  // Runs item(number, worker) for one item on this thread, then for others on up to `threads` threads, this one among
  // them; worker is 0 .. threads - 1. A thread is started for every items_per_thread items at most: it must be worth
  // its start. Whatever an item throws ends the work and is thrown here, after all threads have ended.
  template <typename Item>
  void run(unsigned threads, std::int64_t items_per_thread, Item&& item) {
    if (next_.load() >= end_) return;
    // One by itself: a call always gets ahead, and the first node of a graph has nobody to link to.
    one(next_.fetch_add(1), 0, item);
    run_together(threads, items_per_thread, item);
  }

  // The same, with no item by itself.
  template <typename Item>
  void run_together(unsigned threads, std::int64_t items_per_thread, Item&& item) {
    const std::int64_t count = end_ - next_.load();
    const std::int64_t useful = std::min<std::int64_t>(threads, count / items_per_thread);
    std::vector<std::thread> helpers;
    try {
      if (useful > 1) helpers.reserve(static_cast<std::size_t>(useful - 1));
      for (std::int64_t i = 1; i < useful; ++i) {
        helpers.emplace_back([this, i, &item] { work(static_cast<unsigned>(i), item); });
      }
    } catch (const std::exception&) {
      // Fewer threads, then; this one is always there.
    }
    work(0, item);
    for (std::thread& helper : helpers) helper.join();
    if (failure_ != nullptr) std::rethrow_exception(failure_);
  }

  // Behind the last item taken, also when run threw.
  std::int64_t taken_end() const { return std::min(next_.load(), end_); }

 private:
  using Clock = std::chrono::steady_clock;

  bool must_yield() const {
    return yield_ != nullptr && Clock::now() >= slice_end_ && __atomic_load_n(yield_, __ATOMIC_RELAXED) != 0;
  }

  template <typename Item>
  void work(unsigned worker, Item& item) noexcept {
    while (!stopped_.load(std::memory_order_relaxed)) {
      if (must_yield()) return;
      const std::int64_t number = next_.fetch_add(1);
      if (number >= end_) return;
      one(number, worker, item);
    }
  }

  template <typename Item>
  void one(std::int64_t number, unsigned worker, Item& item) noexcept {
    try {
      item(number, worker);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(failure_mutex_);
      if (failure_ == nullptr) failure_ = std::current_exception();
      stopped_.store(true);
    }
  }

  const std::int64_t end_;
  const std::int32_t* const yield_;
  Clock::time_point slice_end_;
  std::atomic<std::int64_t> next_;
  std::atomic<bool> stopped_{false};
  std::mutex failure_mutex_;
  std::exception_ptr failure_;
};

// Runs slice(begin, end, worker) over 0 .. count in slices of `grain`, on up to `threads` threads; slices begin at
// multiples of grain, whatever the threads, so that what a slice computes does not depend on them. Looks at `stop`
// before each slice, and throws what it throws.
template <typename Slice>
void parallel_slices(std::int64_t count, std::int64_t grain, unsigned threads, const Stop& stop, Slice&& slice) {
  const std::int64_t slices = (count + grain - 1) / grain;
  OrderedWork(0, slices, nullptr, 0).run_together(threads, 1, [&](std::int64_t number, unsigned worker) {
    stop.check();
    slice(number * grain, std::min(count, (number + 1) * grain), worker);
  });
}

}  // namespace panvec
