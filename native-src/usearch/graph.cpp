#include "graph.hpp"

#include <algorithm>
#include <new>
#include <vector>

#include "float_rows.hpp"
#include "link.hpp"

namespace panvec {
namespace {

// Room for the pointers to so many nodes is there from the start, since with more usearch copies all pointers and starts
// its level generators over. Not much, because usearch writes to all that room: 512 KiB an index.
constexpr std::size_t kLeastNodes = std::size_t{1} << 16;

// Float32 rows as usearch's graph sees them.
template <bool kIsL2>
struct RankedRows {
  const char* first;
  std::size_t stride;
  std::size_t dim;
  RankingKernel kernel;

  const char* at(std::size_t slot) const { return first + slot * stride; }
  float operator()(const char* a, const char* b) const {
    const float value = kernel(reinterpret_cast<const float*>(a), reinterpret_cast<const float*>(b), dim);
    return kIsL2 ? value : negated_product(value);
  }
};

struct RankedCodes {
  const char* first;
  std::size_t stride;
  CodeKernel kernel;

  const char* at(std::size_t slot) const { return first + slot * stride; }
  float operator()(const char* a, const char* b) const { return kernel(a, b); }
};

}  // namespace

void Unfinished::start(unsigned workers) {
  if (slots_.size() < workers) slots_ = std::vector<std::atomic<std::uint32_t>>(workers);
  for (auto& slot : slots_) slot.store(kNone, std::memory_order_relaxed);
}

void Unfinished::begin(unsigned worker, std::uint32_t slot) {
  slots_[worker].store(slot, std::memory_order_relaxed);
  count_.fetch_add(1, std::memory_order_release);
}

void Unfinished::end(unsigned worker) {
  if (slots_.size() <= worker || slots_[worker].load(std::memory_order_relaxed) == kNone) return;
  slots_[worker].store(kNone, std::memory_order_relaxed);
  count_.fetch_sub(1, std::memory_order_release);
}

Graph::Graph(std::size_t m, std::size_t ef_construction)
    : ef_construction_(std::max(ef_construction, m)),
      graph_(unum::usearch::index_config_t(m, 2 * m), NullingAllocator<char>(), NodeAllocator(nodes_)) {}

std::size_t Graph::memory_bytes() const {
  if (is_mapped()) return sizeof(Graph) + sizeof(FileNodes) + mapped_->memory_bytes();
  // Of the pointers to nodes, those in use.
  return sizeof(Graph) + nodes_.bytes() + count_.bytes() - (upstream_capacity_ - capacity_) * sizeof(void*);
}

void Graph::reserve_upstream(std::size_t nodes, std::size_t contexts) {
  std::vector<char> unused(contexts, 0);
  const MemoryCount::Scope counting(count_);
  if (!graph_.try_reserve(unum::usearch::index_limits_t(nodes, contexts))) throw std::bad_alloc();
  contexts_.swap(unused);
  upstream_capacity_ = nodes;
}

void Graph::reserve(std::size_t capacity) {
  const bool grows = capacity > upstream_capacity_;
  if (grows || expected_threads_ > contexts_.size()) {
    reserve_upstream(grows ? std::max({capacity, 2 * upstream_capacity_, kLeastNodes}) : upstream_capacity_,
                     std::max(contexts_.size(), expected_threads_));
  }
  capacity_ = std::max(capacity_, capacity);
}

// The first slot on the highest layer, as usearch has it (and keeps to itself): a slot that rises above all others is
// linked completely before there is another node.
void Graph::find_entry(std::int64_t first) {
  for (std::int64_t slot = first; slot < linked(); ++slot) {
    const int level = static_cast<int>(graph_.level_of(static_cast<std::uint32_t>(slot)));
    if (level > max_level()) entry_.store({static_cast<std::uint32_t>(slot), level});
  }
}

void Graph::link(const RowSpace& rows, std::int64_t count, unsigned threads, const std::int32_t* yield,
                 std::int64_t slice_nanos, std::int64_t& linked) {
  const SlotRows& at = rows.rows;
  if (rows.metric == Metric::kL2) {
    link_ranked(RankedRows<true>{at.first, at.stride, at.dim, rows.kernel()}, count, threads, yield, slice_nanos,
                linked);
  } else {
    link_ranked(RankedRows<false>{at.first, at.stride, at.dim, rows.kernel()}, count, threads, yield, slice_nanos,
                linked);
  }
}

void Graph::link(const Codes& codes, std::int64_t count, unsigned threads, const std::int32_t* yield,
                 std::int64_t slice_nanos, std::int64_t& linked) {
  link_ranked(RankedCodes{codes.first(), codes.code_bytes(), codes.kernel()}, count, threads, yield, slice_nanos,
              linked);
}

}  // namespace panvec
