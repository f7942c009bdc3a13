#include "graph.hpp"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <limits>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "float_rows.hpp"
#include "parallel.hpp"
#include "slot_levels.hpp"

namespace panvec {
namespace {

const RankingSpace& space_of(const void* parameter) { return *static_cast<const RankingSpace*>(parameter); }

float l2_squared(const void* a, const void* b, const void* parameter) {
  const RankingSpace& space = space_of(parameter);
  return space.kernel()(static_cast<const float*>(a), static_cast<const float*>(b), space.dim());
}

float negated_inner_product(const void* a, const void* b, const void* parameter) {
  const RankingSpace& space = space_of(parameter);
  const float product = space.kernel()(static_cast<const float*>(a), static_cast<const float*>(b), space.dim());
  return negated_product(product);
}

// A thread must be worth its start.
constexpr std::int64_t kSlotsPerThread = 16;

}  // namespace

RankingSpace::RankingSpace(Metric metric, SimdLevel level, std::size_t dim)
    : metric_(metric),
      level_(level),
      dim_(dim),
      kernel_(metric == Metric::kL2 ? l2_squared_kernel(level) : inner_product_kernel(level)) {}

hnswlib::DISTFUNC<float> RankingSpace::get_dist_func() {
  return metric_ == Metric::kL2 ? l2_squared : negated_inner_product;
}

// The base is built empty and filled in here: its other constructor would allocate 65,536 locks for labels, 2.6 MB.
Graph::Graph(Metric metric, std::size_t dim, std::size_t m, std::size_t ef_construction, std::uint64_t seed)
    : Upstream(nullptr),
      space_(std::make_unique<RankingSpace>(metric, simd_level(), dim)),
      seed_(seed),
      max_row_norm_(initial_max_row_norm(metric)) {
  data_size_ = space_->get_data_size();
  fstdistfunc_ = space_->get_dist_func();
  dist_func_param_ = space_->get_dist_func_param();
  M_ = m;
  maxM_ = m;
  maxM0_ = 2 * m;
  ef_construction_ = std::max(ef_construction, m);
  ef_ = 10;
  size_links_level0_ = maxM0_ * sizeof(hnswlib::tableint) + sizeof(hnswlib::linklistsizeint);
  size_links_per_element_ = maxM_ * sizeof(hnswlib::tableint) + sizeof(hnswlib::linklistsizeint);
  size_data_per_element_ = size_links_level0_ + data_size_ + sizeof(hnswlib::labeltype);
  offsetLevel0_ = 0;
  offsetData_ = size_links_level0_;
  label_offset_ = size_links_level0_ + data_size_;
  mult_ = 1.0 / std::log(static_cast<double>(M_));
  revSize_ = 1.0 / mult_;
  enterpoint_node_ = static_cast<hnswlib::tableint>(-1);
  maxlevel_ = -1;
  visited_list_pool_ = std::make_unique<hnswlib::VisitedListPool>(0, 0);
}

GraphView Graph::view() const {
  GraphView view;
  view.base_layer = data_level0_memory_ + offsetLevel0_;
  view.stride = size_data_per_element_;
  view.upper_layers = linkLists_;
  view.upper_stride = size_links_per_element_;
  view.degree_limit = maxM0_;
  view.levels = element_levels_.data();
  const EntryPoint::Place entry = entry_.load();
  view.entry_slot = entry.slot;
  view.top_level = entry.level;
  view.slot_limit = max_elements_;
  return view;
}

int Graph::level(std::uint32_t slot) const {
  return element_levels_[slot];
}

// What the base would free, where it lies elsewhere.
Graph::~Graph() {
  for (std::int64_t slot = 0; slot < linked() && !mapped_; ++slot) {
    if (element_levels_[static_cast<std::size_t>(slot)] > 0) std::free(linkLists_[slot]);
  }
  cur_element_count = 0;
  linkLists_ = nullptr;
  data_level0_memory_ = nullptr;
}

std::size_t Graph::memory_bytes() const {
  const std::size_t per_lock = sizeof(std::mutex) + sizeof(int) + visited_lists_ * sizeof(hnswlib::vl_type);
  return sizeof(Graph) + base_layer_.size() + upper_layers_.size() + link_list_locks_.size() * per_lock +
         upper_bytes_.load(std::memory_order_relaxed) + spare_bytes_.load(std::memory_order_relaxed);
}

Graph::LinkParts::LinkParts(std::size_t capacity, const std::vector<int>& known, std::size_t linked)
    : locks(capacity),
      levels(capacity),
      levels_known(linked),
      visited(std::make_unique<hnswlib::VisitedListPool>(0, static_cast<int>(capacity))) {
  std::copy_n(known.begin(), linked, levels.begin());
}

std::size_t Graph::LinkParts::bytes() const {
  return locks.size() * (sizeof(std::mutex) + sizeof(int) + visited_lists * sizeof(hnswlib::vl_type));
}

void Graph::free_outdated() {
  if (outdated_ == nullptr) return;
  outdated_.reset();
  spare_bytes_.store(0, std::memory_order_relaxed);
}

void Graph::prepare(std::size_t capacity) {
  free_outdated();
  if (capacity <= link_list_locks_.size() || (prepared_ != nullptr && capacity <= prepared_->locks.size())) return;
  if (capacity > std::numeric_limits<std::size_t>::max() / size_data_per_element_) throw std::bad_alloc();
  const std::size_t rows = capacity * size_data_per_element_;
  if (rows > base_layer_.size()) {
    // What is far too much is refused before anything is filled.
    GrowingBlock probe;
    probe.grow(rows - base_layer_.size());
  }
  prepared_ = std::make_unique<LinkParts>(capacity, element_levels_, static_cast<std::size_t>(linked()));
  spare_bytes_.store(prepared_->bytes(), std::memory_order_relaxed);
}

// hnswlib's resizeIndex cannot be used: a failure half-way leaves its parts at different sizes, and it copies all of
// them while searches wait. Here a failure at most leaves a block larger than need be.
void Graph::reserve(std::size_t capacity) {
  if (capacity <= max_elements_) return;
  const bool more_parts = capacity > link_list_locks_.size();
  if (more_parts && (prepared_ == nullptr || capacity > prepared_->locks.size())) prepare(capacity);
  base_layer_.grow(capacity * size_data_per_element_);
  data_level0_memory_ = base_layer_.data();
  upper_layers_.grow(capacity * sizeof(char*));
  linkLists_ = reinterpret_cast<char**>(upper_layers_.data());
  if (more_parts) {
    const auto known = static_cast<std::ptrdiff_t>(prepared_->levels_known);
    std::copy(element_levels_.begin() + known, element_levels_.begin() + static_cast<std::ptrdiff_t>(linked()),
              prepared_->levels.begin() + known);
    link_list_locks_.swap(prepared_->locks);
    element_levels_.swap(prepared_->levels);
    visited_list_pool_.swap(prepared_->visited);
    prepared_->visited_lists = visited_lists_.exchange(prepared_->visited_lists);
    outdated_ = std::move(prepared_);
    spare_bytes_.store(outdated_->bytes(), std::memory_order_relaxed);
  }
  max_elements_ = capacity;
}

bool Graph::stage(std::int64_t first_slot, const float* rows, std::int64_t count, BadRow& bad) {
  free_outdated();
  const std::size_t dim = space_->dim();
  double max_norm = max_row_norm();
  for (std::int64_t i = 0; i < count; ++i) {
    const auto slot = static_cast<hnswlib::tableint>(first_slot + i);
    auto* stored = reinterpret_cast<float*>(getDataByInternalId(slot));
    bad.row = i;
    if (!store_row(space_->metric(), rows + static_cast<std::size_t>(i) * dim, dim, stored, max_norm, bad.component)) {
      return false;
    }
    setExternalLabel(slot, slot);
  }
  max_row_norm_.store(max_norm, std::memory_order_relaxed);
  return true;
}

void Graph::stage_from(std::int64_t first_slot, const Graph& source, const std::int32_t* slots, std::int64_t count) {
  free_outdated();
  double max_norm = max_row_norm();
  for (std::int64_t i = 0; i < count; ++i) {
    const auto slot = static_cast<hnswlib::tableint>(first_slot + i);
    store_row_again(space_->metric(), source.rows().row(slots[i]), space_->dim(),
                    reinterpret_cast<float*>(getDataByInternalId(slot)), max_norm);
    setExternalLabel(slot, slot);
  }
  max_row_norm_.store(max_norm, std::memory_order_relaxed);
}

// hnswlib draws levels from one generator in order of arrival; here a level depends on nothing but seed and slot.
int Graph::level_of(std::uint32_t slot) const { return slot_level(seed_, slot, mult_); }

std::uint32_t Graph::nearest_above(std::uint32_t entry, int from_level, int to_level, const void* row) {
  std::uint32_t nearest = entry;
  float distance = fstdistfunc_(row, getDataByInternalId(nearest), dist_func_param_);
  for (int level = from_level; level > to_level; --level) {
    for (bool moved = true; moved;) {
      moved = false;
      const std::lock_guard<std::mutex> lock(link_list_locks_[nearest]);
      const hnswlib::linklistsizeint* list = get_linklist(nearest, level);
      const std::size_t degree = GraphView::degree(list);
      for (std::size_t i = 1; i <= degree; ++i) {
        const float d = fstdistfunc_(row, getDataByInternalId(list[i]), dist_func_param_);
        if (d < distance) {
          distance = d;
          nearest = list[i];
          moved = true;
        }
      }
    }
  }
  return nearest;
}

// addPoint without labels. Whatever throws in here leaves every list it has touched complete and the slot's own lists
// with a way on at all its levels, so that the graph can be walked as before.
void Graph::insert(std::uint32_t slot) {
  const int level = level_of(slot);
  const std::lock_guard<std::mutex> own_lists(link_list_locks_[slot]);
  element_levels_[slot] = 0;  // until its upper lists exist
  linkLists_[slot] = nullptr;
  std::memset(get_linklist0(slot), 0, size_links_level0_);
  if (level > 0) {
    const std::size_t bytes = size_links_per_element_ * static_cast<std::size_t>(level);
    linkLists_[slot] = static_cast<char*>(std::calloc(1, bytes));
    if (linkLists_[slot] == nullptr) throw std::bad_alloc();
    element_levels_[slot] = level;
    upper_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  }
  publish_slot();

  // Held to the end by a slot that rises above all others: nobody else may become the entry point meanwhile.
  std::unique_lock<std::mutex> top(global);
  const int top_level = maxlevel_;
  const std::uint32_t entry = enterpoint_node_;
  if (level <= top_level) top.unlock();

  if (top_level >= 0) {
    const char* row = getDataByInternalId(slot);
    std::uint32_t nearest = nearest_above(entry, top_level, level, row);
    int at = std::min(level, top_level);
    try {
      for (; at >= 0; --at) {
        auto candidates = searchBaseLayer(nearest, row, at);
        nearest = mutuallyConnectNewElement(row, slot, candidates, at, false);
      }
    } catch (...) {
      // A walk may come down to this slot from a layer it is linked in already: it must not end there.
      for (; at >= 0; --at) {
        hnswlib::linklistsizeint* list = get_linklist_at_level(slot, at);
        if (GraphView::degree(list) > 0) continue;
        list[1] = nearest;
        setListCount(list, 1);
      }
      throw;
    }
  }
  if (level > top_level) {
    enterpoint_node_ = slot;
    maxlevel_ = level;
    entry_.store({slot, level});
  }
}

void Graph::link(std::int64_t count, unsigned threads, const std::int32_t* yield, std::int64_t slice_nanos,
                 std::int64_t& linked) {
  linked = 0;
  if (count <= 0) return;
  const std::int64_t first = this->linked();
  OrderedWork work(first, first + count, yield, slice_nanos);
  // hnswlib keeps one list for each thread that ever linked at a time.
  const std::int64_t workers = std::min<std::int64_t>(threads, count / kSlotsPerThread);
  visited_lists_ = std::max(visited_lists_.load(), static_cast<std::size_t>(std::max<std::int64_t>(workers, 1)));
  reachable_.store(first + count, std::memory_order_release);
  const auto account = [&] {
    linked = work.taken_end() - first;
    cur_element_count = static_cast<std::size_t>(first + linked);
    reachable_.store(first + linked, std::memory_order_release);
  };
  try {
    work.run(threads, kSlotsPerThread, [&](std::int64_t slot, unsigned) { insert(static_cast<std::uint32_t>(slot)); });
  } catch (...) {
    account();
    throw;
  }
  account();
}

}  // namespace panvec
