#include "links.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <new>
#include <queue>
#include <string>

#include "parallel.hpp"
#include "slot_levels.hpp"

namespace panvec {
namespace {

// A thread must be worth its start.
constexpr std::int64_t kSlotsPerThread = 16;
// So that looking for slots that rise above all others takes microseconds.
constexpr std::int64_t kSlotsPerRun = 16384;

class HeldLock {
 public:
  explicit HeldLock(omp_lock_t& lock) : lock_(lock) { omp_set_lock(&lock_); }
  HeldLock(const HeldLock&) = delete;
  HeldLock& operator=(const HeldLock&) = delete;
  ~HeldLock() { omp_unset_lock(&lock_); }

 private:
  omp_lock_t& lock_;
};

// Lists are read by other threads while they are written; each entry is a slot of that layer, or -1, at any time.
void store(std::int32_t* entry, std::int32_t value) { __atomic_store_n(entry, value, __ATOMIC_RELAXED); }

}  // namespace

LinkedGraph::LinkedGraph(std::size_t m, std::size_t ef_construction, std::uint64_t seed)
    : hnsw_(static_cast<int>(m)), seed_(seed), level_multiplier_(1.0 / std::log(static_cast<double>(m))) {
  hnsw_.efConstruction = static_cast<int>(std::max(ef_construction, m));
  account();
}

LinksView LinkedGraph::view() const {
  LinksView view;
  view.offsets = hnsw_.offsets.data();
  view.neighbours = hnsw_.neighbors.data();
  view.layer_ends = hnsw_.cum_nneighbor_per_level.data();
  view.slot_limit = capacity();
  const EntryPoint::Place entry = entry_.load();
  view.entry_slot = entry.slot;
  view.top_level = entry.level;
  return view;
}

int LinkedGraph::level(std::size_t slot) const {
  const int most = static_cast<int>(hnsw_.cum_nneighbor_per_level.size()) - 2;
  return std::min(slot_level(seed_, slot, level_multiplier_), most);
}

int LinkedGraph::layers_of(std::size_t slot) const {
  const std::size_t all = hnsw_.offsets[slot + 1] - hnsw_.offsets[slot];
  int layers = 1;
  while (room_up_to(layers) < all) ++layers;
  return layers;
}

std::size_t LinkedGraph::room(int level) const { return room_up_to(level + 1) - room_up_to(level); }

std::size_t LinkedGraph::room_up_to(int level) const {
  return static_cast<std::size_t>(hnsw_.cum_nneighbor_per_level[static_cast<std::size_t>(level)]);
}

std::int32_t* LinkedGraph::list(std::size_t slot, int level) {
  return hnsw_.neighbors.data() + hnsw_.offsets[slot] + room_up_to(level);
}

std::size_t LinkedGraph::Parts::bytes() const {
  return offsets.capacity() * sizeof(std::size_t) + locks.capacity() * (sizeof(omp_lock_t) + visited.size());
}

void LinkedGraph::account() {
  std::size_t bytes = sizeof(LinkedGraph) + neighbours_.size() + hnsw_.offsets.capacity() * sizeof(std::size_t) +
                      locks_.capacity() * (sizeof(omp_lock_t) + visited_.size());
  if (prepared_ != nullptr) bytes += prepared_->bytes();
  if (outdated_ != nullptr) bytes += outdated_->bytes();
  bytes_.store(bytes, std::memory_order_relaxed);
}

void LinkedGraph::prepare(std::size_t capacity) {
  outdated_.reset();
  // Also when more was prepared before: the caller now asks for less because that did not fit.
  if (capacity > locks_.size() && (prepared_ == nullptr || capacity != prepared_->locks.size())) {
    prepared_.reset();
    if (capacity > std::numeric_limits<std::size_t>::max() / (sizeof(std::int32_t) * 2 * room(0))) {
      throw std::bad_alloc();
    }
    // What is far too much is refused before anything is filled.
    const std::size_t least_bytes = capacity * room(0) * sizeof(std::int32_t);
    if (least_bytes > neighbours_.size()) {
      GrowingBlock probe;
      probe.grow(least_bytes - neighbours_.size());
    }
    auto parts = std::make_unique<Parts>();
    parts->locks = std::vector<omp_lock_t>(capacity);
    for (std::size_t i = 0; i < visited_.size(); ++i) {
      parts->visited.push_back(std::make_unique<faiss::VisitedTable>(static_cast<int>(capacity)));
    }
    parts->offsets.reserve(capacity + 1);
    parts->offsets = hnsw_.offsets;
    while (parts->offsets.size() <= capacity) {
      const int layers = level(parts->offsets.size() - 1) + 1;
      parts->offsets.push_back(parts->offsets.back() + room_up_to(layers));
    }
    prepared_ = std::move(parts);
  }
  account();
}

void LinkedGraph::reserve(std::size_t capacity) {
  if (capacity <= locks_.size()) return;
  if (prepared_ == nullptr || capacity != prepared_->locks.size()) prepare(capacity);
  const std::size_t entries = prepared_->offsets.back();
  neighbours_.grow(entries * sizeof(std::int32_t));
  hnsw_.neighbors = faiss::MaybeOwnedVector<std::int32_t>::create_view(neighbours_.data(), entries, nullptr);
  hnsw_.offsets.swap(prepared_->offsets);
  locks_.swap(prepared_->locks);
  visited_.swap(prepared_->visited);
  outdated_ = std::move(prepared_);
  account();
}

// As write_HNSW does.
void LinkedGraph::save(FileParts& file, std::size_t count) const {
  std::int32_t entry = -1;
  int top = 0;  // layers
  for (std::size_t slot = 0; slot < count; ++slot) {
    const int layers = layers_of(slot);
    if (layers <= top) continue;
    top = layers;
    entry = static_cast<std::int32_t>(slot);
  }
  file.put_vector(hnsw_.assign_probas);
  file.put_vector(hnsw_.cum_nneighbor_per_level);
  file.put<std::uint64_t>(count);
  file.add([this, count, slot = std::size_t{0}](char* room, std::size_t capacity) mutable {
    std::size_t written = 0;
    for (; slot < count && written + sizeof(std::int32_t) <= capacity; ++slot, written += sizeof(std::int32_t)) {
      const std::int32_t layers = layers_of(slot);
      std::memcpy(room + written, &layers, sizeof layers);
    }
    return written;
  });
  file.put<std::uint64_t>(count + 1);
  file.add_units(count + 1, sizeof(std::uint64_t),
                 [this] { return reinterpret_cast<const char*>(hnsw_.offsets.data()); });
  file.put<std::uint64_t>(hnsw_.offsets[count]);
  file.add([this, count, slot = std::size_t{0}](char* room, std::size_t capacity) mutable {
    std::size_t written = 0;
    for (; slot < count; ++slot) {
      const std::size_t bytes = (hnsw_.offsets[slot + 1] - hnsw_.offsets[slot]) * sizeof(std::int32_t);
      if (written + bytes > capacity) break;
      std::memcpy(room + written, hnsw_.neighbors.data() + hnsw_.offsets[slot], bytes);
      keep_links_below(count, slot, room + written);
      written += bytes;
    }
    return written;
  });
  file.put<std::int32_t>(entry);
  file.put<std::int32_t>(top - 1);
  file.put<std::int32_t>(hnsw_.efConstruction);
  file.put<std::int32_t>(hnsw_.efSearch);
  file.put<std::int32_t>(1);  // has no meaning any more
}

// Without links to slots that are not in the file.
void LinkedGraph::keep_links_below(std::size_t count, std::size_t slot, char* lists) const {
  const int layers = layers_of(slot);
  for (int level = 0; level < layers; ++level) {
    char* const list = lists + room_up_to(level) * sizeof(std::int32_t);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < room(level); ++i) {
      const auto to = number_at<std::int32_t>(list, i);
      if (to < 0) break;
      if (static_cast<std::size_t>(to) < count) std::memcpy(list + kept++ * sizeof to, &to, sizeof to);
    }
    std::memset(list + kept * sizeof(std::int32_t), 0xFF, (room(level) - kept) * sizeof(std::int32_t));
  }
}

SavedLinks LinkedGraph::find(FileBytes& file, std::uint64_t count) const {
  SavedLinks links;
  links.count = count;
  take_vector(file, sizeof(double));  // for drawing layers, which is ours
  const std::vector<int>& ends = hnsw_.cum_nneighbor_per_level;
  const char* found = take_vector(file, "the number of layers", ends.size(), sizeof(std::int32_t));
  for (std::size_t i = 0; i < ends.size(); ++i) {
    const auto end = number_at<std::int32_t>(found, i);
    if (end != ends[i]) FileBytes::corrupt_number("room for links", std::to_string(end), std::to_string(ends[i]));
  }
  links.levels = take_vector(file, "the number of its rows' layers", count, sizeof(std::int32_t));
  links.offsets = take_vector(file, "the number of its rows' offsets", count + 1, sizeof(std::uint64_t));
  const SavedNumbers neighbours = take_vector(file, sizeof(std::int32_t));
  links.neighbours = neighbours.first;
  links.room = neighbours.count;
  links.entry = file.take<std::int32_t>();
  links.top_level = file.take<std::int32_t>();
  file.take<std::int32_t>();  // efConstruction is a parameter, and may have changed
  file.take<std::int32_t>();  // as is efSearch
  file.take<std::int32_t>();
  const bool is_right = count == 0 ? links.entry == -1 && links.top_level == -1
                                   : links.entry >= 0 && static_cast<std::uint64_t>(links.entry) < count &&
                                         links.top_level >= 0 &&
                                         static_cast<std::size_t>(links.top_level) + 1 < ends.size() &&
                                         links.layers(static_cast<std::uint32_t>(links.entry)) == links.top_level + 1;
  if (!is_right) {
    FileBytes::corrupt("begins its walks at row " + std::to_string(links.entry) + " on layer " +
                       std::to_string(links.top_level) + ", which is not its highest");
  }
  return links;
}

void LinkedGraph::check_lists(const SavedLinks& file, std::uint32_t slot) const {
  const auto where = [&](int level) { return " at row " + std::to_string(slot) + ", layer " + std::to_string(level); };
  const int layers = file.layers(slot);
  if (layers < 1 || layers > file.top_level + 1) {
    FileBytes::corrupt("has " + std::to_string(layers) + " layers at row " + std::to_string(slot));
  }
  const auto offset = number_at<std::uint64_t>(file.offsets, slot);
  const auto end = number_at<std::uint64_t>(file.offsets, slot + std::uint64_t{1});
  // All offsets are right from 0 up to this one.
  if (end > file.room || end < offset || end - offset != room_up_to(layers)) {
    FileBytes::corrupt("has its links at " + std::to_string(offset) + where(0));
  }
  for (int level = 0; level < layers; ++level) {
    const char* list = file.neighbours + (offset + room_up_to(level)) * sizeof(std::int32_t);
    bool ended = false;
    for (std::size_t i = 0; i < room(level); ++i) {
      const auto to = number_at<std::int32_t>(list, i);
      if (to == -1) {
        ended = true;
      } else if (ended || to < 0 || static_cast<std::uint64_t>(to) >= file.count ||
                 file.layers(static_cast<std::uint32_t>(to)) <= level) {
        FileBytes::corrupt("has a link to " + std::to_string(to) + where(level) + ", which is not there");
      }
    }
  }
}

void LinkedGraph::load(const SavedLinks& file) {
  if (number_at<std::uint64_t>(file.offsets, 0) != 0) FileBytes::corrupt("does not begin its links at 0");
  for (std::uint64_t slot = 0; slot < file.count; ++slot) check_lists(file, static_cast<std::uint32_t>(slot));
  if (number_at<std::uint64_t>(file.offsets, file.count) != file.room) FileBytes::corrupt("has links of no row");
  hnsw_.offsets.resize(file.count + 1);
  std::memcpy(hnsw_.offsets.data(), file.offsets, hnsw_.offsets.size() * sizeof(std::uint64_t));
  locks_ = std::vector<omp_lock_t>(file.count);
  const std::size_t bytes = file.room * sizeof(std::int32_t);
  neighbours_.grow(bytes);
  if (bytes > 0) std::memcpy(neighbours_.data(), file.neighbours, bytes);
  hnsw_.neighbors = faiss::MaybeOwnedVector<std::int32_t>::create_view(neighbours_.data(), file.room, nullptr);
  hnsw_.entry_point = file.entry;
  hnsw_.max_level = file.top_level;
  begin_at(file);
  account();
}

void LinkedGraph::map(const SavedLinks& file) {
  mapped_ = file;
  begin_at(file);
}

void LinkedGraph::begin_at(const SavedLinks& file) {
  entry_.store({static_cast<std::uint32_t>(file.entry), file.top_level});
  reachable_.store(static_cast<std::int64_t>(file.count), std::memory_order_release);
}

void LinkedGraph::clear(std::size_t first_slot, std::size_t count) {
  if (outdated_ != nullptr) {
    outdated_.reset();
    account();
  }
  std::int32_t* lists = hnsw_.neighbors.data();
  std::fill(lists + hnsw_.offsets[first_slot], lists + hnsw_.offsets[first_slot + count], -1);
}

// As FAISS's add_links_starting_from looks for neighbours: nearest first, at most as many as a list has room for.
std::vector<LinkedGraph::Node> LinkedGraph::choose(std::uint32_t slot, int level, std::int32_t from, float distance,
                                                   SlotDistances& distances, faiss::VisitedTable& visited) {
  std::priority_queue<faiss::HNSW::NodeDistCloser> found;
  try {
    faiss::search_neighbors_to_add(hnsw_, distances, found, from, distance, level, visited);
  } catch (...) {
    visited.advance();
    throw;
  }
  std::priority_queue<Node> candidates;
  for (; !found.empty(); found.pop()) {
    // Itself only when it is linked again after a failure.
    if (found.top().id != static_cast<std::int32_t>(slot)) candidates.emplace(found.top().d, found.top().id);
  }
  std::vector<Node> chosen;
  const std::size_t most = room(level);
  if (candidates.size() >= most) {
    faiss::HNSW::shrink_neighbor_list(distances, candidates, chosen, static_cast<int>(most));
  } else {
    for (; !candidates.empty(); candidates.pop()) chosen.push_back(candidates.top());
  }
  return chosen;
}

// As FAISS's add_link. The lock of `from` is held.
void LinkedGraph::add_link(std::uint32_t from, std::uint32_t to, int level, SlotDistances& distances) {
  std::int32_t* const links = list(from, level);
  const std::size_t most = room(level);
  const auto target = static_cast<std::int32_t>(to);
  for (std::size_t i = 0; i < most; ++i) {
    if (links[i] == target) return;
    if (links[i] < 0) {
      store(&links[i], target);
      return;
    }
  }
  std::priority_queue<Node> candidates;
  candidates.emplace(distances.symmetric_dis(from, target), target);
  for (std::size_t i = 0; i < most; ++i) candidates.emplace(distances.symmetric_dis(from, links[i]), links[i]);
  std::vector<Node> kept;
  faiss::HNSW::shrink_neighbor_list(distances, candidates, kept, static_cast<int>(most));
  for (std::size_t i = 0; i < most; ++i) store(&links[i], i < kept.size() ? kept[i].id : -1);
}

// HNSW::add_with_locks, but: neighbours on all layers are chosen before any link is made, and links are made from
// below, so that whoever meets the new slot finds a way on from it; locks are given back whatever is thrown; and entry
// point and top layer change only while no other slot is inserted.
void LinkedGraph::insert(std::uint32_t slot, SlotDistances& distances, faiss::VisitedTable& visited) {
  const int own_level = level(slot);
  if (hnsw_.entry_point < 0) {
    hnsw_.max_level = own_level;
    hnsw_.entry_point = static_cast<std::int32_t>(slot);
    entry_.store({slot, own_level});
    return;
  }
  std::int32_t nearest = hnsw_.entry_point;
  if (nearest == static_cast<std::int32_t>(slot)) return;  // linked again, and the others led to it
  distances.from(slot);
  float distance = distances(nearest);
  int at = hnsw_.max_level;
  for (; at > own_level; --at) faiss::greedy_update_nearest(hnsw_, distances, at, nearest, distance);

  std::vector<std::vector<Node>> chosen(static_cast<std::size_t>(at) + 1);
  for (; at >= 0; --at) {
    std::vector<Node>& neighbours = chosen[static_cast<std::size_t>(at)];
    neighbours = choose(slot, at, nearest, distance, distances, visited);
    if (!neighbours.empty()) {
      nearest = neighbours.front().id;
      distance = neighbours.front().d;
    }
  }
  publish_slot();
  for (std::size_t layer = 0; layer < chosen.size(); ++layer) {
    {
      const HeldLock own(locks_[slot]);
      for (const Node& neighbour : chosen[layer]) {
        add_link(slot, static_cast<std::uint32_t>(neighbour.id), static_cast<int>(layer), distances);
      }
    }
    for (const Node& neighbour : chosen[layer]) {
      const auto other = static_cast<std::uint32_t>(neighbour.id);
      const HeldLock lock(locks_[other]);
      add_link(other, slot, static_cast<int>(layer), distances);
    }
  }
  if (own_level > hnsw_.max_level) {
    hnsw_.max_level = own_level;
    hnsw_.entry_point = static_cast<std::int32_t>(slot);
    entry_.store({slot, own_level});
  }
}

void LinkedGraph::link(std::int64_t first_slot, std::int64_t count, unsigned threads, const std::int32_t* yield,
                       std::int64_t slice_nanos, const MakeDistances& make_distances, std::int64_t& linked) {
  linked = 0;
  if (count <= 0) return;
  using Clock = std::chrono::steady_clock;
  const std::chrono::nanoseconds slice(yield == nullptr ? 0 : slice_nanos);
  const Clock::time_point slice_end = Clock::now() + slice;
  const auto workers = static_cast<std::size_t>(
      std::max<std::int64_t>(1, std::min<std::int64_t>(threads, count / kSlotsPerThread)));
  while (visited_.size() < workers) {
    visited_.push_back(std::make_unique<faiss::VisitedTable>(static_cast<int>(capacity())));
    account();
  }
  std::vector<std::unique_ptr<SlotDistances>> distances(workers);
  for (std::unique_ptr<SlotDistances>& each : distances) each = make_distances();

  const std::int64_t end = first_slot + count;
  reachable_.store(end, std::memory_order_release);
  while (first_slot + linked < end) {
    // A run begins with the slot that may rise above all others, which is inserted by itself; others read entry point
    // and top layer without a lock.
    const std::int64_t begin = first_slot + linked;
    const int top = std::max(hnsw_.max_level, level(static_cast<std::size_t>(begin)));
    const std::size_t top_room = room_up_to(top + 1);
    const std::int64_t most = std::min(end, begin + kSlotsPerRun);
    std::int64_t run_end = begin + 1;
    for (; run_end < most; ++run_end) {
      const auto slot = static_cast<std::size_t>(run_end);
      if (hnsw_.offsets[slot + 1] - hnsw_.offsets[slot] > top_room) break;
    }
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(slice_end - Clock::now()).count();
    OrderedWork work(begin, run_end, yield, std::max<std::int64_t>(left, 0));
    try {
      work.run(static_cast<unsigned>(workers), kSlotsPerThread, [&](std::int64_t slot, unsigned worker) {
        insert(static_cast<std::uint32_t>(slot), *distances[worker], *visited_[worker]);
      });
    } catch (...) {
      linked = work.taken_end() - first_slot;
      throw;
    }
    linked = work.taken_end() - first_slot;
    if (work.taken_end() < run_end) return;
    if (yield != nullptr && Clock::now() >= slice_end && __atomic_load_n(yield, __ATOMIC_RELAXED) != 0) return;
  }
}

}  // namespace panvec
