// usearch's graph, used for what it is good at: choosing and keeping links. Slots, memory and threads are ours.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "codes.hpp"
#include "entry_point.hpp"
#include "slot_calls.hpp"
#include "upstream_memory.hpp"
#include "walk.hpp"

#ifndef NDEBUG
#error "compile usearch with NDEBUG: its assertions throw, through functions that are noexcept"
#endif
#include <usearch/index.hpp>

namespace panvec {

using UpstreamGraph =
    unum::usearch::index_gt<float, std::uint64_t, std::uint32_t, NullingAllocator<char>, NodeAllocator>;

// What a walk reads of usearch's nodes, by their layout in memory and in files: key, level, then for each layer from 0
// on the number of neighbours and room for the most there may be.
class GraphView {
 public:
  GraphView(const UpstreamGraph& graph, std::size_t slots, std::uint32_t entry, int max_level)
      : graph_(graph),
        slots_(slots),
        entry_(entry),
        max_level_(max_level),
        max_degree_(graph.config().connectivity_base),
        base_bytes_((graph.config().connectivity_base + 1) * sizeof(std::uint32_t)),
        upper_bytes_((graph.config().connectivity + 1) * sizeof(std::uint32_t)) {}

  std::size_t slots() const { return slots_; }
  std::size_t max_degree() const { return max_degree_; }
  std::uint32_t entry() const { return entry_; }
  int max_level() const { return max_level_; }
  Links links(std::uint32_t slot) const { return links_of(base(slot), base_bytes_); }
  Links links(std::uint32_t slot, int level) const {
    if (level > static_cast<int>(graph_.level_of(slot))) return {nullptr, 0};
    return links_of(base(slot) + base_bytes_ + static_cast<std::size_t>(level - 1) * upper_bytes_, upper_bytes_);
  }
  void prefetch_links(std::uint32_t slot) const {
    const char* list = base(slot);
    __builtin_prefetch(list);
    __builtin_prefetch(list + kCacheLine);
  }

 private:
  const char* base(std::uint32_t slot) const { return graph_.at(slot).key.ptr() + NodeArena::kHeadBytes; }
  static Links links_of(const char* at, std::size_t bytes) {
    const auto* list = reinterpret_cast<const std::uint32_t*>(at);
    const std::size_t most = bytes / sizeof(std::uint32_t) - 1;
    return {list + 1, std::min<std::size_t>(list_word(list), most)};
  }

  const UpstreamGraph& graph_;
  std::size_t slots_;
  std::uint32_t entry_;
  int max_level_;
  std::size_t max_degree_;
  std::size_t base_bytes_;
  std::size_t upper_bytes_;
};

// Slots that have layers above 0 and are not on all of them yet. Others come upon them on an upper layer, and would go
// on from there to lists that are empty and will be cleared: they must see them as infinitely far.
class Unfinished {
 public:
  void start(unsigned workers);
  void begin(unsigned worker, std::uint32_t slot);
  void end(unsigned worker);
  bool contains(std::uint32_t slot) const {
    if (count_.load(std::memory_order_acquire) == 0) return false;
    for (const auto& at : slots_) {
      if (at.load(std::memory_order_relaxed) == slot) return true;
    }
    return false;
  }

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  std::vector<std::atomic<std::uint32_t>> slots_;
  std::atomic<std::uint32_t> count_{0};
};

// Node = key = slot.
class Graph {
 public:
  // That link uses. Each costs a context and, in usearch's table of locks, 16 KiB at m = 16.
  static constexpr unsigned kMostThreads = 256;

  Graph(std::size_t m, std::size_t ef_construction);

  std::int64_t capacity() const { return static_cast<std::int64_t>(capacity_); }
  std::int64_t linked() const { return static_cast<std::int64_t>(graph_.size()); }
  // Slots below have a node and may be in lists: more than were linked() before linking began.
  std::int64_t reachable() const { return reachable_.load(std::memory_order_acquire); }
  int max_level() const { return entry_.load().level; }
  std::size_t memory_bytes() const;

  GraphView view() const {
    const EntryPoint::Place entry = entry_.load();
    return {graph_, capacity_, entry.slot, entry.level};
  }
  const UpstreamGraph& upstream() const { return graph_; }

  // Strong guarantee.
  void reserve(std::size_t capacity);
  // Link uses at most so many, once reserve has made room for them.
  void expect_threads(unsigned threads) { expected_threads_ = std::clamp(threads, 1u, kMostThreads); }

  // Links the slots from linked() on, beside walks, ranked by rows or by codes. `linked` counts them, also when this
  // throws.
  void link(const RowSpace& rows, std::int64_t count, unsigned threads, const std::int32_t* yield,
            std::int64_t slice_nanos, std::int64_t& linked);
  void link(const Codes& codes, std::int64_t count, unsigned threads, const std::int32_t* yield,
            std::int64_t slice_nanos, std::int64_t& linked);
  // By any ranking (link.hpp).
  template <typename Vectors>
  void link_ranked(const Vectors& vectors, std::int64_t count, unsigned threads, const std::int32_t* yield,
                   std::int64_t slice_nanos, std::int64_t& linked);

 private:
  template <typename Metric>
  void make_ready(const Metric& metric, unsigned workers);
  template <typename Metric, typename Prefetch>
  void insert(const Metric& metric, const Prefetch& prefetch, unsigned worker, bool beside_others);
  void reserve_upstream(std::size_t nodes, std::size_t contexts);
  void find_entry(std::int64_t first);

  std::size_t ef_construction_;
  std::size_t capacity_ = 0;
  std::size_t upstream_capacity_ = 0;
  std::size_t expected_threads_ = 1;
  // By context: whether it has the memory without which an insertion would go wrong.
  std::vector<char> contexts_;
  std::mutex numbering_;
  Unfinished unfinished_;
  EntryPoint entry_;
  std::atomic<std::int64_t> reachable_{0};
  MemoryCount count_;
  NodeArena nodes_;
  UpstreamGraph graph_;
};

}  // namespace panvec
