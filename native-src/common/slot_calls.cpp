#include "slot_calls.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "vector_check.hpp"

namespace panvec {
namespace {

void check_state(std::int32_t k, const std::int32_t* count) {
  require(k >= 1, "k must be at least 1");
  require(*count >= 0 && *count <= k, "count is not that of an earlier slice");
}

[[noreturn]] void beyond_capacity(const std::string& slots) {
  fail(PANVEC_INVALID_ARGUMENT, slots + " beyond the reserved capacity");
}

// A scan over rows that have to be decoded first: decoding costs far more than the reference kernel does.
class DecodingScan {
 public:
  DecodingScan(const RowSpace& space, const float* query, const std::int64_t* const* id_pages, TopK top)
      : space_(space), query_(query), id_pages_(id_pages), top_(top), row_(space.rows.dim) {}

  void visit(std::int64_t slot) {
    space_.decoder->decode(slot, row_.data());
    const float distance = reference_distance(space_.metric, query_, row_.data(), row_.size());
    top_.offer(distance, id_of(id_pages_, slot));
  }

  void range(std::int64_t from, std::int64_t to, const SlotSet& set) {
    for (std::int64_t slot = from; slot < to; ++slot) {
      if (set.contains(slot)) visit(slot);
    }
  }

  void list(const std::int32_t* slots, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) visit(slots[i]);
  }

 private:
  const RowSpace& space_;
  const float* query_;
  const std::int64_t* const* id_pages_;
  TopK top_;
  std::vector<float> row_;
};

template <typename Scan>
void scan(const RowSpace& space, const float* query, const std::int64_t* const* id_pages, TopK top, Scan&& visit) {
  if (space.decoder != nullptr) {
    DecodingScan decoding(space, query, id_pages, top);
    visit(decoding);
  } else {
    ExactScan exact(space.metric, space.level, space.rows, space.max_row_norm, query, id_pages, top);
    visit(exact);
  }
}

}  // namespace

const float* checked_query(Metric metric, std::size_t dim, const float* query, Scratch& scratch) {
  require(query != nullptr, "query is NULL");
  float* copy = scratch.query(dim);
  std::memcpy(copy, query, dim * sizeof(float));
  const std::int64_t bad = first_non_finite(copy, dim);
  if (bad >= 0 || (metric == Metric::kCosine && !reference_unit(copy, dim, copy))) {
    fail(PANVEC_INVALID_VECTOR, "query: " + describe_bad_component(copy, bad));
  }
  return copy;
}

std::size_t report(const RowSpace& space, const float* query, const std::int64_t* const* id_pages,
                   const Candidate* best, std::size_t found, std::size_t considered, std::size_t wanted,
                   Scratch& scratch, StopWatch& watch, std::int64_t* ids, float* distances) {
  std::size_t competing = std::min(found, std::max(considered, wanted));
  while (competing > 0 && competing < found && best[competing].distance == best[competing - 1].distance) ++competing;
  const std::size_t dim = space.rows.dim;
  float* decoded = space.decoder == nullptr ? nullptr : scratch.row(dim);
  std::vector<Hit>& hits = scratch.hits;
  hits.clear();
  for (std::size_t i = 0; i < competing; ++i) {
    watch.passed(1);
    const std::uint32_t slot = best[i].slot;
    if (decoded != nullptr) space.decoder->decode(slot, decoded);
    const float* row = decoded != nullptr ? decoded : space.rows.row(slot);
    hits.push_back({reference_distance(space.metric, query, row, dim), id_of(id_pages, slot)});
  }
  const auto before = [](const Hit& a, const Hit& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.id < b.id;
  };
  const std::size_t count = std::min(competing, wanted);
  std::partial_sort(hits.begin(), hits.begin() + static_cast<std::ptrdiff_t>(count), hits.end(), before);
  for (std::size_t i = 0; i < count; ++i) {
    ids[i] = hits[i].id;
    distances[i] = hits[i].distance;
  }
  return count;
}

void check_source_slots(const std::int32_t* slots, std::int64_t count, std::int64_t linked) {
  require(slots != nullptr || count == 0, "slots is NULL");
  for (std::int64_t i = 0; i < count; ++i) {
    if (slots[i] >= 0 && slots[i] < linked) continue;
    fail(PANVEC_INVALID_ARGUMENT, "slot " + std::to_string(slots[i]) + " of the source is not linked");
  }
}

void exact_range(const RowSpace& space, ScratchPool& pool, std::int64_t from, std::int64_t to, const SlotSet& set,
                 const std::int64_t* const* id_pages, const float* query, std::int32_t k, bool finish,
                 std::int64_t* ids, float* distances, std::int32_t* count) {
  check_state(k, count);
  if (from < 0 || to > space.capacity) {
    beyond_capacity("slots " + std::to_string(from) + " to " + std::to_string(to) + " are");
  }
  const ScratchPool::Lease lease = pool.take();
  const float* checked = checked_query(space.metric, space.rows.dim, query, *lease);
  TopK top(ids, distances, count, k);
  scan(space, checked, id_pages, top, [&](auto& rows) { rows.range(from, to, set); });
  if (finish) top.sort();
}

void exact_slots(const RowSpace& space, ScratchPool& pool, const std::int32_t* slots, std::int64_t slot_list_count,
                 const std::int64_t* const* id_pages, const float* query, std::int32_t k, bool finish,
                 std::int64_t* ids, float* distances, std::int32_t* count) {
  check_state(k, count);
  require(slot_list_count >= 0, "slot_list_count is negative");
  for (std::int64_t i = 0; i < slot_list_count; ++i) {
    if (slots[i] < 0 || slots[i] >= space.capacity) beyond_capacity("slot " + std::to_string(slots[i]) + " is");
  }
  const ScratchPool::Lease lease = pool.take();
  const float* checked = checked_query(space.metric, space.rows.dim, query, *lease);
  TopK top(ids, distances, count, k);
  scan(space, checked, id_pages, top, [&](auto& rows) { rows.list(slots, slot_list_count); });
  if (finish) top.sort();
}

void copy_row(const RowSpace& space, std::int64_t slot, float* row) {
  if (slot < 0 || slot >= space.capacity) beyond_capacity("slot " + std::to_string(slot) + " is");
  if (space.decoder != nullptr) fail(PANVEC_UNSUPPORTED, "the index keeps no float32 rows (keepVectors=false)");
  std::memcpy(row, space.rows.row(slot), space.rows.dim * sizeof(float));
}

}  // namespace panvec
