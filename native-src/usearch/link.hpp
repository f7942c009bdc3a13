// How rows get into usearch's graph: templates over what ranks them.
//
// Vectors offer
//   std::size_t stride                                bytes from row to row
//   const char* at(std::size_t slot) const
//   float operator()(const char* a, const char* b) const     smaller is nearer, never NaN
#pragma once

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>
#include <string>

#include "graph.hpp"
#include "parallel.hpp"
#include "slot_levels.hpp"

namespace panvec {

// The row that is being linked: usearch's "value".
struct Newcomer {
  const char* row;
};

// usearch's metric: between a newcomer and a member, and between two members.
template <typename Vectors>
class LinkMetric {
 public:
  using Member = UpstreamGraph::member_citerator_t;

  LinkMetric(const Vectors& vectors, const Unfinished& unfinished) : vectors_(vectors), unfinished_(unfinished) {}

  const Vectors& vectors() const { return vectors_; }
  float operator()(const Newcomer& newcomer, const Member& member) const noexcept {
    const std::size_t slot = get_slot(member);
    if (unfinished_.contains(static_cast<std::uint32_t>(slot))) return std::numeric_limits<float>::infinity();
    return vectors_(newcomer.row, vectors_.at(slot));
  }
  float operator()(const Member& a, const Member& b) const noexcept {
    return vectors_(vectors_.at(get_slot(a)), vectors_.at(get_slot(b)));
  }

 private:
  const Vectors& vectors_;
  const Unfinished& unfinished_;
};

template <typename Vectors>
class LinkPrefetch {
 public:
  explicit LinkPrefetch(const Vectors& vectors)
      : vectors_(vectors), lines_(std::min(kMostLines, (vectors.stride + kCacheLine - 1) / kCacheLine)) {}

  template <typename Iterator>
  void operator()(Iterator begin, Iterator end) const noexcept {
    for (; begin != end; ++begin) {
      const char* row = vectors_.at(get_slot(begin));
      for (std::size_t line = 0; line < lines_; ++line) __builtin_prefetch(row + line * kCacheLine);
    }
  }

 private:
  // Of one row; the hardware follows.
  static constexpr std::size_t kMostLines = 4;

  const Vectors& vectors_;
  std::size_t lines_;
};

// NULL when all is well.
inline void check_upstream(const char* message) {
  if (message == nullptr) return;
  if (std::strcmp(message, "Out of memory!") == 0) throw std::bad_alloc();
  fail(PANVEC_NATIVE, std::string("usearch: ") + message);
}

// usearch does not notice when the set of visited nodes of an insertion cannot be made, and would read neighbours it
// has not found. A search makes the set and says so. It reads without locks: nobody may be inserting.
template <typename Metric, typename Prefetch>
void Graph::make_ready(const Metric& metric, const Prefetch& prefetch, unsigned workers) {
  const MemoryCount::Scope counting(count_);
  unum::usearch::index_search_config_t least;
  least.expansion = 1;
  for (unsigned worker = 0; worker < workers; ++worker) {
    if (contexts_[worker] != 0) continue;
    least.thread = worker;
    // A result throws its text when it dies with it.
    check_upstream(graph_.search(Newcomer{metric.vectors().at(0)}, 1, metric, least).error.release());
    skip_levels(metric, prefetch, worker);
    contexts_[worker] = 1;
  }
}

// Every context draws the same levels from its beginning on. An index that is opened, gets a few rows and is saved,
// again and again, would get rows on the base layer only; so this one begins elsewhere. A level is drawn, and lost,
// before usearch finds that there is no memory for the node.
template <typename Metric, typename Prefetch>
void Graph::skip_levels(const Metric& metric, const Prefetch& prefetch, unsigned worker) {
  constexpr std::uint64_t most = 1024;
  // The first slot has been linked without.
  if (linked() <= 1) return;
  const std::uint64_t levels = mixed(worker, static_cast<std::uint64_t>(linked())) % most;
  nodes_.refuse(true);
  for (std::uint64_t level = 0; level < levels; ++level) (void)insert(metric, prefetch, worker, false);
  nodes_.refuse(false);
}

// What usearch says when it does not insert the next slot.
template <typename Metric, typename Prefetch>
const char* Graph::insert(const Metric& metric, const Prefetch& prefetch, unsigned worker, bool beside_others) {
  const MemoryCount::Scope counting(count_);
  unum::usearch::index_update_config_t config;
  config.expansion = std::min(ef_construction_, std::max(capacity_, std::size_t{2}));
  config.thread = worker;
  // usearch numbers nodes in the order in which threads come to its own lock. Here they come one by one, and each takes
  // the slot whose number the node will have; whoever fails before there is a node takes none.
  std::unique_lock<std::mutex> numbering(numbering_);
  const auto slot = static_cast<std::uint32_t>(graph_.size());
  const auto made = [&](auto&&) {
    publish_slot();
    reachable_.store(static_cast<std::int64_t>(slot) + 1, std::memory_order_release);
    if (beside_others && graph_.level_of(slot) > 0) unfinished_.begin(worker, slot);
    numbering.unlock();
  };
  auto result = graph_.add(slot, Newcomer{metric.vectors().at(slot)}, metric, config, made, prefetch);
  unfinished_.end(worker);
  return result.error.release();
}

template <typename Vectors>
void Graph::link_ranked(const Vectors& vectors, std::int64_t count, unsigned threads, const std::int32_t* yield,
                        std::int64_t slice_nanos, std::int64_t& linked) {
  // A thread must be worth its start.
  constexpr std::int64_t slots_per_thread = 16;
  linked = 0;
  if (count <= 0) return;
  const std::int64_t first = this->linked();
  // More contexts would move the nodes beneath walks.
  const auto most = std::min<std::int64_t>(std::max(threads, 1u), static_cast<std::int64_t>(contexts_.size()));
  const auto workers = static_cast<unsigned>(std::clamp<std::int64_t>(count / slots_per_thread, 1, most));
  unfinished_.start(workers);
  const LinkMetric<Vectors> metric(vectors, unfinished_);
  const LinkPrefetch<Vectors> prefetch(vectors);
  const auto account = [&] {
    find_entry(first);
    linked = this->linked() - first;
  };
  try {
    std::int64_t next = first;
    if (next == 0) {
      // It has nobody to link to, and others would not find it.
      check_upstream(insert(metric, prefetch, 0, false));
      ++next;
    }
    make_ready(metric, prefetch, workers);
    OrderedWork work(next, first + count, yield, slice_nanos);
    work.run(workers, slots_per_thread, [&](std::int64_t, unsigned worker) {
      check_upstream(insert(metric, prefetch, worker, workers > 1));
    });
  } catch (...) {
    account();
    throw;
  }
  account();
}

}  // namespace panvec
