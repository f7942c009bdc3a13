// usearch's graph, used for what it is good at: choosing and keeping links. Slots, memory and threads are ours.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "codes.hpp"
#include "entry_point.hpp"
#include "growing_block.hpp"
#include "saved_file.hpp"
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

// usearch's nodes, in memory and in files: a key (8 bytes), a level (2), then for each layer from 0 on the number of
// neighbours and room for the most there may be, in words of 4 bytes.
class NodeLayout {
 public:
  explicit NodeLayout(std::size_t m) : m_(m) {}

  std::size_t m() const { return m_; }
  std::size_t most_links(int level) const { return level == 0 ? 2 * m_ : m_; }
  std::size_t list_bytes(int level) const { return (most_links(level) + 1) * sizeof(std::uint32_t); }
  // Of a node without layers above 0, and of one layer above.
  std::size_t base_bytes() const { return NodeArena::kHeadBytes + list_bytes(0); }
  std::size_t upper_bytes() const { return list_bytes(1); }
  std::size_t bytes(int level) const { return base_bytes() + static_cast<std::size_t>(level) * upper_bytes(); }
  // Where the list of a layer begins.
  std::size_t list(int level) const { return level == 0 ? NodeArena::kHeadBytes : bytes(level - 1); }

 private:
  std::size_t m_;
};

// What a walk reads of usearch's nodes.
class GraphView {
 public:
  GraphView(const UpstreamGraph& graph, std::size_t slots, std::uint32_t entry, int max_level)
      : graph_(graph), layout_(graph.config().connectivity), slots_(slots), entry_(entry), max_level_(max_level) {}

  std::size_t slots() const { return slots_; }
  std::size_t max_degree() const { return layout_.most_links(0); }
  std::uint32_t entry() const { return entry_; }
  int max_level() const { return max_level_; }
  Links links(std::uint32_t slot) const { return links_of(base(slot), layout_.most_links(0)); }
  Links links(std::uint32_t slot, int level) const {
    if (level > static_cast<int>(graph_.level_of(slot))) return {nullptr, 0};
    return links_of(base(slot) + layout_.list(level) - layout_.list(0), layout_.most_links(level));
  }
  void prefetch_links(std::uint32_t slot) const {
    const char* list = base(slot);
    __builtin_prefetch(list);
    __builtin_prefetch(list + kCacheLine);
  }

 private:
  const char* base(std::uint32_t slot) const { return graph_.at(slot).key.ptr() + NodeArena::kHeadBytes; }
  static Links links_of(const char* at, std::size_t most) {
    return {at + sizeof(std::uint32_t), std::min<std::size_t>(list_word(at), most)};
  }

  const UpstreamGraph& graph_;
  NodeLayout layout_;
  std::size_t slots_;
  std::uint32_t entry_;
  int max_level_;
};

// The nodes of a file, one behind the other. They differ in size by the layers above 0, and these are counted: 4 bytes
// a slot. Levels are those of the file when it was opened, whatever it says later.
class FileNodes {
 public:
  // Levels and nodes are all that is left of the file. Looks at the levels alone.
  FileNodes(FileBytes file, std::size_t count, const NodeLayout& layout);

  const NodeLayout& layout() const { return layout_; }
  std::size_t count() const { return count_; }
  std::size_t memory_bytes() const { return layers_before_.size(); }
  int level(std::uint32_t slot) const {
    return static_cast<int>(layers_before(std::size_t{slot} + 1) - layers_before(slot));
  }
  const char* node(std::uint32_t slot) const {
    return first_ + slot * layout_.base_bytes() + layers_before(slot) * layout_.upper_bytes();
  }
  // Whatever the file says, no more of them than there is room for.
  Links links(std::uint32_t slot, int level) const {
    const char* list = node(slot) + layout_.list(level);
    return {list + sizeof(std::uint32_t), std::min(said_degree(slot, level), layout_.most_links(level))};
  }
  std::size_t said_degree(std::uint32_t slot, int level) const {
    std::uint32_t degree;
    std::memcpy(&degree, node(slot) + layout_.list(level), sizeof degree);
    return degree;
  }

 private:
  std::size_t layers_before(std::size_t slot) const {
    return reinterpret_cast<const std::uint32_t*>(layers_before_.data())[slot];
  }

  NodeLayout layout_;
  std::size_t count_;
  const char* first_ = nullptr;
  GrowingBlock layers_before_;  // by slot, and of all: a word each
};

// What a walk reads of a mapped file whose nodes nobody has looked at.
class MappedGraphView {
 public:
  MappedGraphView(const FileNodes& nodes, std::uint32_t entry, int max_level)
      : nodes_(nodes), entry_(entry), max_level_(max_level) {}

  std::size_t slots() const { return nodes_.count(); }
  std::size_t max_degree() const { return nodes_.layout().most_links(0); }
  std::uint32_t entry() const { return entry_; }
  int max_level() const { return max_level_; }
  Links links(std::uint32_t slot) const { return nodes_.links(slot, 0); }
  Links links(std::uint32_t slot, int level) const {
    if (level > nodes_.level(slot)) return {nullptr, 0};
    return nodes_.links(slot, level);
  }
  void prefetch_links(std::uint32_t slot) const {
    const char* node = nodes_.node(slot);
    __builtin_prefetch(node);
    __builtin_prefetch(node + kCacheLine);
  }

 private:
  const FileNodes& nodes_;
  std::uint32_t entry_;
  int max_level_;
};

struct GraphFile;

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
  std::int64_t linked() const { return static_cast<std::int64_t>(is_mapped() ? mapped_->count() : graph_.size()); }
  // Slots below have a node and may be in lists: more than were linked() before linking began.
  std::int64_t reachable() const { return reachable_.load(std::memory_order_acquire); }
  NodeLayout layout() const { return NodeLayout(graph_.config().connectivity); }
  int max_level() const { return entry_.load().level; }
  // The highest layer of a linked slot.
  int level(std::uint32_t slot) const {
    return is_mapped() ? mapped_->level(slot) : static_cast<int>(graph_.level_of(slot));
  }
  std::size_t memory_bytes() const;

  // Calls `read` with what a walk reads.
  template <typename Read>
  auto with_view(Read&& read) const {
    if (!is_mapped()) return read(view());
    const EntryPoint::Place entry = entry_.load();
    return read(MappedGraphView(*mapped_, entry.slot, entry.level));
  }
  GraphView view() const {
    const EntryPoint::Place entry = entry_.load();
    return {graph_, capacity_, entry.slot, entry.level};
  }
  const UpstreamGraph& upstream() const { return graph_; }

  // Takes over the graph of a file into an empty one, by usearch's own reader; its links have been checked. After a
  // failure the graph can only be freed.
  void load(const GraphFile& file);
  // Uses the nodes where they are, for as long as the graph lives; nothing but walks and savers are for it then.
  void map(GraphFile&& file);
  bool is_mapped() const { return mapped_ != nullptr; }

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
  template <typename Metric, typename Prefetch>
  void make_ready(const Metric& metric, const Prefetch& prefetch, unsigned workers);
  template <typename Metric, typename Prefetch>
  void skip_levels(const Metric& metric, const Prefetch& prefetch, unsigned worker);
  template <typename Metric, typename Prefetch>
  const char* insert(const Metric& metric, const Prefetch& prefetch, unsigned worker, bool beside_others);
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
  UpstreamGraph graph_;  // empty when mapped_ is there
  std::unique_ptr<FileNodes> mapped_;
};

}  // namespace panvec
