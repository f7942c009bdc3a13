// Greedy best-first search over an HNSW graph, apart from who built the graph and from what a distance is. It may go on
// beside a thread that links: then a list is one of before, of after, or in between, and what is in it was or will be a
// neighbour, or is 0 where a count was read before the list was emptied. So each entry is read once, and looked at before
// it is used; a slot may be found on a layer that it is not on.
//
// A Graph offers
//   std::size_t slots() const, max_degree() const     slots are numbered below slots(); no list is longer
//   std::uint32_t entry() const; int max_level() const
//   Links links(std::uint32_t slot) const             on layer 0
//   Links links(std::uint32_t slot, int level) const  on a layer above; none where the slot is not on it
//   void prefetch_links(std::uint32_t slot) const     fetches what links(slot) reads
// A Distance offers
//   float operator()(std::uint32_t slot) const     smaller is nearer, never NaN
//   void prefetch(std::uint32_t slot) const        fetches what the call above reads
//   std::size_t ahead() const                      how many slots to prefetch before their turn
// An Admission offers
//   bool operator()(std::uint32_t slot) const      whether a slot may be returned; all others still lead the way
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "scratch_pool.hpp"
#include "stop.hpp"

namespace panvec {

// A word of a list that may be written at this moment, read once. The libraries write it without care, whole since it is
// aligned; of all races with them the thread sanitizer is not to see this one. In a mapped file words are not aligned.
#ifdef __SANITIZE_THREAD__
__attribute__((no_sanitize_thread, noinline))
#endif
inline std::uint32_t list_word(const void* at) {
  struct __attribute__((packed)) Word {
    std::uint32_t value;
  };
  return static_cast<const volatile Word*>(at)->value;
}

// Neighbours, each to be read once.
struct Links {
  const void* first;
  std::size_t count;

  std::uint32_t operator[](std::size_t i) const {
    return list_word(static_cast<const char*>(first) + i * sizeof(std::uint32_t));
  }
};

template <typename Graph, typename Distance>
class Walk {
 public:
  // The graph must not be empty. Slots from `published` on may be on the way into it: the way down to layer 0 leads past
  // them, but for the entry. `watch` counts distances; what it throws ends the walk.
  Walk(const Graph& graph, std::size_t published, const Distance& distance, Scratch& scratch, StopWatch& watch)
      : graph_(graph), published_(published), distance_(distance), scratch_(scratch), watch_(watch) {
    scratch_.visited.begin(graph.slots());
    if (scratch_.neighbours.size() < graph.max_degree()) scratch_.neighbours.resize(graph.max_degree());
  }

  // The nearest `ef` of the published slots, of which the entry must be one, ascending, in scratch.candidates; how many
  // there are. One array in order serves as queue of candidates and as result: best while an insertion moves little, that
  // is for ef of some hundreds.
  std::size_t all(std::size_t ef) {
    std::vector<Candidate>& pool = scratch_.candidates;
    if (pool.size() < ef) pool.resize(ef);
    pool[0] = descend();
    if (is_cut_off(pool[0].slot)) return 0;
    scratch_.visited.visit(pool[0].slot);
    std::size_t size = 1;
    std::size_t next = 0;
    while (next < size) {
      if ((pool[next].slot & kExpanded) != 0) {
        ++next;
        continue;
      }
      const std::uint32_t slot = pool[next].slot;
      pool[next].slot |= kExpanded;
      std::size_t first_change = next + 1;
      expand(graph_.links(slot), published_, [&](float distance, std::uint32_t neighbour) {
        if (size == ef && !(distance < pool[size - 1].distance)) return;
        const std::size_t at = position(pool.data(), size, distance);
        if (size < ef) ++size;
        std::memmove(&pool[at + 1], &pool[at], (size - 1 - at) * sizeof(Candidate));
        pool[at] = {distance, neighbour};
        graph_.prefetch_links(neighbour);
        first_change = std::min(first_change, at);
      });
      next = first_change;
    }
    for (std::size_t i = 0; i < size; ++i) pool[i].slot &= ~kExpanded;
    return size;
  }

  // The nearest `ef` of the admitted slots, ascending, in scratch.admitted. Ends when there are ef of them and no
  // candidate is nearer than the farthest, or when everything reachable has been seen. Slots from `linked` on do not lead
  // the way; the entry is below.
  template <typename Admission>
  std::size_t admitted(std::size_t ef, std::size_t linked, const Admission& admits) {
    std::vector<Candidate>& candidates = scratch_.candidates;
    std::vector<Candidate>& found = scratch_.admitted;
    candidates.clear();
    found.clear();
    const auto consider = [&](float distance, std::uint32_t slot) {
      if (found.size() == ef && !(distance < found.front().distance)) return;
      candidates.push_back({distance, slot});
      std::push_heap(candidates.begin(), candidates.end(), farther);
      graph_.prefetch_links(slot);
      if (!admits(slot)) return;
      if (found.size() == ef) {
        std::pop_heap(found.begin(), found.end(), nearer);
        found.back() = {distance, slot};
      } else {
        found.push_back({distance, slot});
      }
      std::push_heap(found.begin(), found.end(), nearer);
    };
    const Candidate start = descend();
    if (is_cut_off(start.slot)) return 0;
    scratch_.visited.visit(start.slot);
    consider(start.distance, start.slot);
    while (!candidates.empty()) {
      const Candidate nearest = candidates.front();
      if (found.size() == ef && nearest.distance > found.front().distance) break;
      std::pop_heap(candidates.begin(), candidates.end(), farther);
      candidates.pop_back();
      expand(graph_.links(nearest.slot), linked, consider);
    }
    std::sort_heap(found.begin(), found.end(), nearer);
    return found.size();
  }

 private:
  static constexpr std::uint32_t kExpanded = std::uint32_t{1} << 31;

  // Ties go by slot, so that a result does not depend on the history of a heap.
  static bool nearer(const Candidate& a, const Candidate& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.slot < b.slot;
  }
  static bool farther(const Candidate& a, const Candidate& b) { return nearer(b, a); }

  // The first position whose distance is not below `distance`.
  static std::size_t position(const Candidate* pool, std::size_t size, float distance) {
    std::size_t low = 0;
    while (size > 0) {
      const std::size_t half = size / 2;
      const bool below = pool[low + half].distance < distance;
      low = below ? low + half + 1 : low;
      size = below ? size - half - 1 : half;
    }
    return low;
  }

  // From the entry point down to layer 1, always to the nearest neighbour.
  Candidate descend() const {
    Candidate best{distance_(graph_.entry()), graph_.entry()};
    for (int level = graph_.max_level(); level > 0; --level) {
      for (bool moved = true; moved;) {
        moved = false;
        const std::size_t count = existing(graph_.links(best.slot, level), published_);
        watch_.passed(count);
        const std::uint32_t* neighbours = scratch_.neighbours.data();
        for (std::size_t i = 0; i < count; ++i) distance_.prefetch(neighbours[i]);
        for (std::size_t i = 0; i < count; ++i) {
          const float distance = distance_(neighbours[i]);
          if (distance < best.distance) {
            best = {distance, neighbours[i]};
            moved = true;
          }
        }
      }
    }
    return best;
  }

  // Whether there is no way on, since the list is being made anew (usearch empties it first): rather nothing is found, and
  // the caller scans, than this one slot.
  bool is_cut_off(std::uint32_t slot) const { return published_ > 1 && graph_.links(slot).count == 0; }

  // Copies the slots of a list that are below the limit to scratch.neighbours; how many.
  std::size_t existing(const Links& links, std::size_t limit) const {
    std::uint32_t* slots = scratch_.neighbours.data();
    std::size_t count = 0;
    for (std::size_t i = 0; i < links.count; ++i) {
      const std::uint32_t slot = links[i];
      slots[count] = slot;
      count += slot < limit ? 1 : 0;
    }
    return count;
  }

  template <typename Consider>
  void expand(const Links& links, std::size_t limit, Consider&& consider) {
    std::uint32_t* fresh = scratch_.neighbours.data();
    std::size_t count = 0;
    // Without a branch: whether a neighbour was seen before cannot be predicted.
    const std::size_t linked = existing(links, limit);
    for (std::size_t i = 0; i < linked; ++i) {
      const std::uint32_t slot = fresh[i];
      fresh[count] = slot;
      count += scratch_.visited.visited(slot) ? 0 : 1;
      scratch_.visited.visit(slot);
    }
    watch_.passed(count);
    const std::size_t ahead = distance_.ahead();
    for (std::size_t i = 0; i < std::min(ahead, count); ++i) distance_.prefetch(fresh[i]);
    for (std::size_t i = 0; i < count; ++i) {
      if (i + ahead < count) distance_.prefetch(fresh[i + ahead]);
      consider(distance_(fresh[i]), fresh[i]);
    }
  }

  const Graph& graph_;
  const std::size_t published_;
  const Distance& distance_;
  Scratch& scratch_;
  StopWatch& watch_;
};

}  // namespace panvec
