// The whole C interface: recall, versions and filters, bad input, failures half-way, searches beside linking.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <numeric>
#include <random>
#include <set>
#include <shared_mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/resource.h>
#include <unistd.h>
#endif

#include "check.hpp"
#include "graph.hpp"
#include "panvec_hnswlib.h"
#include "panvec_kernels.hpp"

// ---------------------------------------------------------------------------------------------------------------------
// Allocations of this thread fail once the countdown has run out; below zero there is none.

namespace {
thread_local std::int64_t allocations_left = -1;

void* allocate(std::size_t bytes) {
  if (allocations_left == 0) throw std::bad_alloc();
  if (allocations_left > 0) --allocations_left;
  if (void* block = std::malloc(bytes == 0 ? 1 : bytes)) return block;
  throw std::bad_alloc();
}
}  // namespace

__attribute__((noinline)) void* operator new(std::size_t bytes) { return allocate(bytes); }
__attribute__((noinline)) void* operator new[](std::size_t bytes) { return allocate(bytes); }
// Not inlined: gcc would warn of blocks that come from malloc and go to operator delete, or the other way round.
__attribute__((noinline)) void operator delete(void* block) noexcept { std::free(block); }
__attribute__((noinline)) void operator delete[](void* block) noexcept { std::free(block); }
__attribute__((noinline)) void operator delete(void* block, std::size_t) noexcept { std::free(block); }
__attribute__((noinline)) void operator delete[](void* block, std::size_t) noexcept { std::free(block); }

// hnswlib forgets a visited list when its search runs out of memory, the one leak that we cannot close from outside.
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
using LeaksUncounted = __lsan::ScopedDisabler;
#else
struct LeaksUncounted {
  LeaksUncounted() {}
};
#endif

// Under the address sanitizer a request for too much memory is to be answered, not fatal.
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }

namespace {

constexpr std::uint32_t kSeed = 20261123;
constexpr std::int64_t kSlotsPerPage = 32768;
constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();

char error_text[512];

void ok(std::int32_t status) {
  if (status != PANVEC_OK) panvec::check::failed(__FILE__, __LINE__, std::string("unexpected: ") + error_text);
}

// An index with the version that an engine would keep for it: ids, dead slots, counts.
class Index {
 public:
  Index(std::int32_t metric, std::int32_t dim, std::int32_t m = 16, std::int32_t ef_construction = 100)
      : dim_(dim), metric_(metric) {
    panvec_hnswlib* made = nullptr;
    ok(panvec_hnswlib_create(metric, dim, m, ef_construction, 42, &made, error_text, sizeof error_text));
    handle_.reset(made);
  }

  panvec_hnswlib* handle() const { return handle_.get(); }
  std::int64_t slots() const { return slot_count_; }
  std::int32_t metric() const { return metric_; }
  std::size_t dim() const { return static_cast<std::size_t>(dim_); }
  const std::int64_t* const* id_pages() const { return id_pages_.data(); }
  const std::uint64_t* const* dead_pages() const { return dead_.empty() ? nullptr : dead_pages_.data(); }
  bool is_dead(std::int64_t slot) const { return dead_.count(slot) != 0; }
  static std::int64_t id_of(std::int64_t slot) { return 1000000 - 7 * slot; }

  void reserve(std::int64_t capacity) {
    ok(panvec_hnswlib_reserve(handle(), capacity, error_text, sizeof error_text));
    name(capacity);
  }

  void name(std::int64_t capacity) {
    while (static_cast<std::int64_t>(ids_.size()) * kSlotsPerPage < capacity) {
      const auto first = static_cast<std::int64_t>(ids_.size()) * kSlotsPerPage;
      ids_.push_back(std::make_unique<std::int64_t[]>(kSlotsPerPage));
      for (std::int64_t i = 0; i < kSlotsPerPage; ++i) ids_.back()[i] = id_of(first + i);
      id_pages_.push_back(ids_.back().get());
      dead_pages_.push_back(nullptr);
    }
  }

  void add(const std::vector<float>& rows, std::int32_t threads = 1) {
    const auto count = static_cast<std::int64_t>(rows.size() / dim());
    reserve(slot_count_ + count);
    stage(rows);
    std::int64_t linked = 0;
    ok(panvec_hnswlib_link(handle(), slot_count_, count, threads, nullptr, 0, &linked, error_text, sizeof error_text));
    CHECK_EQUAL(count, linked);
    slot_count_ += count;
  }

  void stage(const std::vector<float>& rows) {
    std::int64_t row = -7;
    std::int32_t component = -7;
    ok(panvec_hnswlib_stage(handle(), slot_count_, rows.data(), static_cast<std::int64_t>(rows.size() / dim()), &row,
                            &component, error_text, sizeof error_text));
  }

  void publish(std::int64_t count) { slot_count_ += count; }

  void kill(std::int64_t slot) {
    dead_.insert(slot);
    const auto page = static_cast<std::size_t>(slot / kSlotsPerPage);
    if (dead_pages_[page] == nullptr) {
      dead_words_.push_back(std::make_unique<std::uint64_t[]>(kSlotsPerPage / 64));
      dead_pages_[page] = dead_words_.back().get();
    }
    const std::int64_t at = slot % kSlotsPerPage;
    const_cast<std::uint64_t*>(dead_pages_[page])[at / 64] |= std::uint64_t{1} << (at % 64);
  }

  // Takes over a saved graph; the status.
  std::int32_t open(const std::string& file, std::int64_t slots, bool as_view, double max_row_norm) {
    const std::int32_t status =
        panvec_hnswlib_open(handle(), file.data(), static_cast<std::int64_t>(file.size()), nullptr, 0, slots,
                            max_row_norm, as_view ? 1 : 0, error_text, sizeof error_text);
    if (status != PANVEC_OK) return status;
    slot_count_ = slots;
    name(slots);
    return status;
  }

  std::vector<float> row(std::int64_t slot) const {
    std::vector<float> row(dim());
    ok(panvec_hnswlib_row(handle(), slot, row.data(), error_text, sizeof error_text));
    return row;
  }

 private:
  struct Free {
    void operator()(panvec_hnswlib* index) const { panvec_hnswlib_free(index); }
  };

  std::unique_ptr<panvec_hnswlib, Free> handle_;
  std::int32_t dim_;
  std::int32_t metric_;
  std::int64_t slot_count_ = 0;
  std::set<std::int64_t> dead_;
  std::vector<std::unique_ptr<std::int64_t[]>> ids_;
  std::vector<std::unique_ptr<std::uint64_t[]>> dead_words_;
  std::vector<const std::int64_t*> id_pages_;
  std::vector<const std::uint64_t*> dead_pages_;
};

using Hits = std::vector<std::pair<float, std::int64_t>>;

// The k first at most; fewer when the walk has not reached as many.
Hits search(const Index& index, const float* query, std::int32_t k, std::int32_t ef,
             const std::uint64_t* filter = nullptr) {
  std::vector<std::int64_t> ids(static_cast<std::size_t>(k));
  std::vector<float> distances(static_cast<std::size_t>(k));
  std::int32_t count = -1;
  ok(panvec_hnswlib_search(index.handle(), index.slots(), index.dead_pages(), index.id_pages(), filter, query, k, ef,
                           nullptr, kForever, ids.data(), distances.data(), &count, error_text, sizeof error_text));
  CHECK(count >= 0 && count <= k);
  Hits hits;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) hits.emplace_back(distances[i], ids[i]);
  CHECK(std::is_sorted(hits.begin(), hits.end()));
  CHECK(std::adjacent_find(hits.begin(), hits.end()) == hits.end());
  return hits;
}

Hits exact(const Index& index, const float* query, std::int32_t k, const std::uint64_t* filter = nullptr) {
  std::vector<std::int64_t> ids(static_cast<std::size_t>(k));
  std::vector<float> distances(static_cast<std::size_t>(k));
  std::int32_t count = 0;
  ok(panvec_hnswlib_exact(index.handle(), 0, index.slots(), index.dead_pages(), index.id_pages(), filter, query, k, 1,
                          ids.data(), distances.data(), &count, error_text, sizeof error_text));
  Hits hits;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) hits.emplace_back(distances[i], ids[i]);
  return hits;
}

// All live and allowed slots by (reference distance, id), by way of the stored rows.
Hits brute_force(const Index& index, const std::vector<float>& query, std::int32_t k,
                 const std::uint64_t* filter = nullptr) {
  std::vector<float> q = query;
  if (index.metric() == PANVEC_COSINE) CHECK(panvec::reference_unit(q.data(), q.size(), q.data()));
  Hits hits;
  for (std::int64_t slot = 0; slot < index.slots(); ++slot) {
    if (index.is_dead(slot) || (filter != nullptr && ((filter[slot / 64] >> (slot % 64)) & 1) == 0)) continue;
    hits.emplace_back(panvec::reference_distance(static_cast<panvec::Metric>(index.metric()), q.data(),
                                                 index.row(slot).data(), q.size()),
                      Index::id_of(slot));
  }
  std::sort(hits.begin(), hits.end());
  if (hits.size() > static_cast<std::size_t>(k)) hits.resize(static_cast<std::size_t>(k));
  return hits;
}

std::vector<float> gaussian(std::size_t count, std::size_t dim, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> v(count * dim);
  for (float& x : v) x = normal(random);
  return v;
}

// Points around 20 centres, which those of a query belong to as well.
std::vector<float> clustered(std::size_t count, std::size_t dim, std::mt19937& random) {
  std::mt19937 fixed(kSeed);
  const std::vector<float> centres = gaussian(20, dim, fixed);
  std::vector<float> v = gaussian(count, dim, random);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t centre = random() % 20;
    for (std::size_t j = 0; j < dim; ++j) v[i * dim + j] = centres[centre * dim + j] + 0.2f * v[i * dim + j];
  }
  return v;
}

std::vector<float> one(const std::vector<float>& rows, std::size_t at, std::size_t dim) {
  const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(at * dim);
  return {begin, begin + static_cast<std::ptrdiff_t>(dim)};
}

// The share of the true k hits, counting equal distances as hits.
double recall(const Hits& truth, const Hits& hits) {
  std::size_t found = 0;
  for (const auto& hit : hits) found += hit.first <= truth.back().first ? 1 : 0;
  return static_cast<double>(found) / static_cast<double>(truth.size());
}

std::vector<const char*> levels() {
  std::vector<const char*> usable;
  for (const char* level : {"baseline", "neon", "avx2", "avx512"}) {
    if (panvec_hnswlib_set_simd_level(level, nullptr, 0) == PANVEC_OK) usable.push_back(level);
  }
  ok(panvec_hnswlib_set_simd_level("auto", error_text, sizeof error_text));
  return usable;
}

// ---------------------------------------------------------------------------------------------------------------------

void the_walk_finds_nearly_all_neighbours() {
  std::mt19937 random(kSeed);
  for (const char* level : levels()) {
    ok(panvec_hnswlib_set_simd_level(level, error_text, sizeof error_text));
    CHECK_EQUAL(std::string(level), std::string(panvec_hnswlib_simd_level()));
    for (const std::int32_t metric : {PANVEC_L2, PANVEC_COSINE, PANVEC_DOT}) {
      for (const std::size_t dim : {2, 17, 100}) {
        for (const bool in_clusters : {false, true}) {
          const auto draw = in_clusters ? clustered : gaussian;
          Index index(metric, static_cast<std::int32_t>(dim));
          index.add(draw(1500, dim, random), 2);
          const std::vector<float> queries = draw(25, dim, random);
          double sum = 0.0;
          for (std::size_t i = 0; i < 25; ++i) {
            const std::vector<float> query = one(queries, i, dim);
            const Hits truth = brute_force(index, query, 10);
            CHECK(exact(index, query.data(), 10) == truth);
            // Both kinds of walk: one ordered pool, and two heaps for a long list.
            sum += recall(truth, search(index, query.data(), 10, 100));
            CHECK(recall(truth, search(index, query.data(), 10, 1000)) >= 0.8);
          }
          // hnswlib's links suit metrics; by inner products of two components only few points are ever nearest.
          const double least = metric == PANVEC_DOT ? 0.85 : 0.95;
          if (sum / 25 < least) {
            panvec::check::failed(__FILE__, __LINE__,
                                  "recall " + std::to_string(sum / 25) + " at metric " + std::to_string(metric) +
                                      ", dim " + std::to_string(dim) + ", clustered " + std::to_string(in_clusters));
          }
        }
      }
    }
  }
  ok(panvec_hnswlib_set_simd_level("auto", error_text, sizeof error_text));
}

void dead_and_filtered_slots_are_never_returned_and_nearly_all_others_are() {
  std::mt19937 random(kSeed + 1);
  for (const std::int32_t metric : {PANVEC_L2, PANVEC_COSINE, PANVEC_DOT}) {
    std::size_t wanted = 0, reached = 0;
    constexpr std::size_t dim = 24, count = 3000;
    Index index(metric, dim);
    index.add(clustered(count, dim, random), 2);
    for (const int percent_dead : {0, 50, 99}) {
      for (std::int64_t slot = 0; slot < static_cast<std::int64_t>(count); ++slot) {
        if (static_cast<int>(random() % 100) < percent_dead) index.kill(slot);
      }
      for (const int per_mille : {1000, 300, 20, 2, 0}) {
        std::vector<std::uint64_t> filter((count + 63) / 64);
        for (std::size_t slot = 0; slot < count; ++slot) {
          if (static_cast<int>(random() % 1000) < per_mille) filter[slot / 64] |= std::uint64_t{1} << (slot % 64);
        }
        const std::vector<float> query = clustered(1, dim, random);
        for (const std::int32_t k : {1, 10, 4000}) {
          const std::uint64_t* const filters[] = {nullptr, filter.data()};
          for (const std::uint64_t* allowed : filters) {
            const Hits all = brute_force(index, query, 1 << 20, allowed);
            const Hits found = search(index, query.data(), k, 50, allowed);
            const std::size_t most = std::min(all.size(), static_cast<std::size_t>(k));
            CHECK(found.size() <= most);
            const std::set<std::pair<float, std::int64_t>> possible(all.begin(), all.end());
            for (const auto& hit : found) CHECK(possible.count(hit) == 1);
            wanted += most;
            reached += found.size();            reached += found.size();
            // What a walk leaves out, the caller's scan finds.
            CHECK(exact(index, query.data(), k, allowed) ==
                  Hits(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(most)));
          }
        }
      }
    }
    // By inner products, links lead to a part of the rows only.
    CHECK(reached >= wanted * (metric == PANVEC_DOT ? 70 : 99) / 100);
  }
}

void a_version_hides_later_slots() {
  std::mt19937 random(kSeed + 2);
  Index index(PANVEC_L2, 8);
  index.add(gaussian(1000, 8, random));
  const std::vector<float> query = gaussian(1, 8, random);
  for (const std::int64_t visible : {0, 1, 9, 10, 500}) {
    std::int64_t ids[10];
    float distances[10];
    std::int32_t count = -1;
    ok(panvec_hnswlib_search(index.handle(), visible, nullptr, index.id_pages(), nullptr, query.data(), 10, 64,
                             nullptr, kForever, ids, distances, &count, error_text, sizeof error_text));
    CHECK(count <= std::min<std::int64_t>(10, visible));
    CHECK((count > 0) == (visible > 0));
    for (std::int32_t i = 0; i < count; ++i) CHECK(ids[i] > Index::id_of(visible));
  }
}

void every_slot_is_found_by_its_own_row() {
  std::mt19937 random(kSeed + 3);
  constexpr std::size_t dim = 12, count = 2000;
  const std::vector<float> rows = gaussian(count, dim, random);
  Index index(PANVEC_L2, dim);
  index.add(rows, 2);
  std::size_t found = 0;
  for (std::size_t slot = 0; slot < count; ++slot) {
    CHECK(index.row(static_cast<std::int64_t>(slot)) == one(rows, slot, dim));
    const Hits truth = exact(index, &rows[slot * dim], 1);
    CHECK_EQUAL(Index::id_of(static_cast<std::int64_t>(slot)), truth[0].second);
    CHECK_EQUAL(0.0f, truth[0].first);
    found += search(index, &rows[slot * dim], 1, 32) == truth ? 1 : 0;
  }
  CHECK(found >= count * 99 / 100);
}

void one_thread_builds_the_same_graph_every_time() {
  std::mt19937 random(kSeed + 4);
  const std::vector<float> rows = gaussian(1500, 16, random);
  const std::vector<float> query = gaussian(1, 16, random);
  Index whole(PANVEC_L2, 16);
  whole.add(rows);
  Index pieces(PANVEC_L2, 16);
  for (std::size_t at = 0; at < 1500; at += 100) {
    pieces.add({rows.begin() + static_cast<std::ptrdiff_t>(at * 16),
                rows.begin() + static_cast<std::ptrdiff_t>((at + 100) * 16)});
  }
  CHECK_EQUAL(panvec_hnswlib_max_level(whole.handle()), panvec_hnswlib_max_level(pieces.handle()));
  for (const std::int32_t ef : {10, 11, 13, 20}) {
    CHECK(search(whole, query.data(), 10, ef) == search(pieces, query.data(), 10, ef));
  }
}

void levels_do_not_depend_on_threads() {
  std::mt19937 random(kSeed + 5);
  const std::vector<float> rows = gaussian(3000, 4, random);
  Index serial(PANVEC_L2, 4, 4, 20), parallel(PANVEC_L2, 4, 4, 20);
  serial.add(rows, 1);
  parallel.add(rows, 8);
  CHECK(panvec_hnswlib_max_level(serial.handle()) >= 3);
  CHECK_EQUAL(panvec_hnswlib_max_level(serial.handle()), panvec_hnswlib_max_level(parallel.handle()));
}

void equal_rows_and_extreme_values_are_served() {
  for (const std::int32_t metric : {PANVEC_L2, PANVEC_COSINE, PANVEC_DOT}) {
    for (const float scale : {1e-45f, 1e-30f, 1.0f, 1e30f, 3e38f}) {
      std::mt19937 random(kSeed + 6);
      std::vector<float> rows;
      for (std::size_t i = 0; i < 400; ++i) {
        for (std::size_t j = 0; j < 5; ++j) {
          const float sign = random() % 2 == 0 ? 1.0f : -1.0f;
          rows.push_back(i < 200 ? scale : sign * scale);
        }
      }
      Index index(metric, 5, 8, 40);
      index.add(rows, 2);
      for (const std::int32_t k : {1, 10, 300}) {
        const std::vector<float> query = one(rows, 399, 5);
        const Hits all = brute_force(index, query, 400);
        const std::set<std::pair<float, std::int64_t>> possible(all.begin(), all.end());
        const Hits found = search(index, query.data(), k, 20);
        CHECK(!found.empty());
        for (const auto& hit : found) CHECK(possible.count(hit) == 1);
        CHECK(exact(index, query.data(), k) == Hits(all.begin(), all.begin() + k));
      }
    }
  }
}

void an_empty_index_answers_nothing() {
  Index index(PANVEC_COSINE, 3);
  const float query[] = {1.0f, 2.0f, 3.0f};
  CHECK(search(index, query, 10, 10).empty());
  index.reserve(100);
  CHECK(search(index, query, std::numeric_limits<std::int32_t>::max() / 4096, 10).empty());
  CHECK_EQUAL(-1, panvec_hnswlib_max_level(index.handle()));
  index.add({1.0f, 2.0f, 3.0f});
  index.kill(0);
  CHECK(search(index, query, 10, 10).empty());
}

// k and ef may be as large as they like; only the caller's own arrays are sized by k.
void a_huge_k_returns_what_can_be_reached_in_order() {
  std::mt19937 random(kSeed + 7);
  Index index(PANVEC_L2, 6);
  index.add(gaussian(500, 6, random));
  const std::vector<float> query = gaussian(1, 6, random);
  std::vector<std::int64_t> ids(500);
  std::vector<float> distances(500);
  std::int32_t count = 0;
  constexpr std::int32_t most = std::numeric_limits<std::int32_t>::max();
  ok(panvec_hnswlib_search(index.handle(), 500, nullptr, index.id_pages(), nullptr, query.data(), most, most, nullptr,
                           kForever, ids.data(), distances.data(), &count, error_text, sizeof error_text));
  CHECK(count >= 495 && count <= 500);
  Hits found;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) found.emplace_back(distances[i], ids[i]);
  const Hits truth = brute_force(index, query, 500);
  CHECK(std::includes(truth.begin(), truth.end(), found.begin(), found.end()));
  found.resize(std::min<std::size_t>(found.size(), 499));
  CHECK(search(index, query.data(), 499, most) == found);
}

void a_bad_row_is_named_and_changes_nothing() {
  std::mt19937 random(kSeed + 8);
  const float nan = std::nanf(""), infinite = HUGE_VALF;
  struct Bad {
    std::int32_t metric;
    std::vector<float> row;
    std::int32_t component;
    const char* text;
  };
  const std::vector<Bad> cases = {
      {PANVEC_L2, {1, 2, nan, nan}, 2, "row 7: component 2 is NaN"},
      {PANVEC_DOT, {1, infinite, 1, 1}, 1, "row 7: component 1 is infinite"},
      {PANVEC_COSINE, {-infinite, 1, 1, nan}, 0, "row 7: component 0 is infinite"},
      {PANVEC_COSINE, {0, -0.0f, 0, 0}, -1, "row 7: the vector is zero, which COSINE cannot take"},
  };
  for (const Bad& bad : cases) {
    Index index(bad.metric, 4);
    index.add(gaussian(100, 4, random));
    const std::vector<float> query = gaussian(1, 4, random);
    const Hits before = search(index, query.data(), 10, 50);
    index.reserve(200);
    std::vector<float> rows = gaussian(20, 4, random);
    std::copy(bad.row.begin(), bad.row.end(), rows.begin() + 7 * 4);
    std::int64_t row = -7;
    std::int32_t component = -7;
    CHECK_EQUAL(PANVEC_INVALID_VECTOR, panvec_hnswlib_stage(index.handle(), 100, rows.data(), 20, &row, &component,
                                                           error_text, sizeof error_text));
    CHECK_EQUAL(std::int64_t{7}, row);
    CHECK_EQUAL(bad.component, component);
    CHECK_EQUAL(std::string(bad.text), std::string(error_text));
    CHECK(search(index, query.data(), 10, 50) == before);
    index.add(gaussian(20, 4, random));
    CHECK_EQUAL(std::size_t{120}, exact(index, query.data(), 200).size());
  }
}

void a_bad_query_is_named() {
  Index index(PANVEC_COSINE, 4);
  index.add({1, 2, 3, 4});
  std::int64_t id;
  float distance;
  std::int32_t count = 0;
  const auto refused = [&](const std::vector<float>& query, const char* text) {
    for (const std::int64_t visible : {0, 1}) {
      error_text[0] = '\0';
      CHECK_EQUAL(PANVEC_INVALID_VECTOR,
                  panvec_hnswlib_search(index.handle(), visible, nullptr, index.id_pages(), nullptr, query.data(), 1,
                                        10, nullptr, kForever, &id, &distance, &count, error_text, sizeof error_text));
      CHECK_EQUAL(std::string(text), std::string(error_text));
      CHECK_EQUAL(0, count);
    }
    CHECK_EQUAL(PANVEC_INVALID_VECTOR,
                panvec_hnswlib_exact(index.handle(), 0, 1, nullptr, index.id_pages(), nullptr, query.data(), 1, 1, &id,
                                     &distance, &count, error_text, sizeof error_text));
    CHECK_EQUAL(std::string(text), std::string(error_text));
  };
  refused({1, 2, 3, std::nanf("")}, "query: component 3 is NaN");
  refused({1, HUGE_VALF, 3, 4}, "query: component 1 is infinite");
  refused({0, 0, -0.0f, 0}, "query: the vector is zero, which COSINE cannot take");
}

void arguments_out_of_range_are_refused() {
  panvec_hnswlib* made = nullptr;
  const auto create = [&](std::int32_t metric, std::int32_t dim, std::int32_t m, std::int32_t ef_construction) {
    return panvec_hnswlib_create(metric, dim, m, ef_construction, 1, &made, error_text, sizeof error_text);
  };
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, create(3, 4, 16, 100));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, create(PANVEC_L2, 0, 16, 100));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, create(PANVEC_L2, 4, 1, 100));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, create(PANVEC_L2, 4, 513, 100));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, create(PANVEC_L2, 4, 16, 0));
  CHECK(made == nullptr);

  Index index(PANVEC_L2, 4);
  index.add({1, 2, 3, 4, 5, 6, 7, 8});
  const std::vector<float> rows(8, 1.0f);
  std::int64_t linked = -1, row = -1, id;
  std::int32_t component = -1, count = 0;
  float distance;
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT,
              panvec_hnswlib_stage(index.handle(), 1, rows.data(), 1, &row, &component, error_text, sizeof error_text));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT,
              panvec_hnswlib_stage(index.handle(), 2, rows.data(), 1, &row, &component, error_text, sizeof error_text));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_hnswlib_link(index.handle(), 1, 1, 1, nullptr, 0, &linked, error_text,
                                                          sizeof error_text));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_hnswlib_link(index.handle(), 2, 1, 1, nullptr, 0, &linked, error_text,
                                                          sizeof error_text));
  const std::int32_t beyond[] = {0, 2};
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT,
              panvec_hnswlib_exact_slots(index.handle(), beyond, 2, index.id_pages(), rows.data(), 1, 1, &id, &distance,
                                         &count, error_text, sizeof error_text));
  std::vector<float> copy(4);
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_hnswlib_row(index.handle(), 2, copy.data(), nullptr, 0));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_hnswlib_row(index.handle(), -1, copy.data(), nullptr, 0));
  CHECK_EQUAL(PANVEC_UNSUPPORTED, panvec_hnswlib_set_simd_level("sse9", error_text, sizeof error_text));
  CHECK(std::string(error_text).find("baseline") != std::string::npos);
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_hnswlib_prepare(index.handle(), -1, error_text, sizeof error_text));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_hnswlib_reserve(index.handle(), -1, error_text, sizeof error_text));
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_hnswlib_reserve(index.handle(), most + 1, error_text, sizeof error_text));
  const Index wide(PANVEC_L2, 1 << 28);
  CHECK_EQUAL(PANVEC_OUT_OF_MEMORY, panvec_hnswlib_prepare(wide.handle(), most, error_text, sizeof error_text));
  CHECK_EQUAL(PANVEC_OUT_OF_MEMORY, panvec_hnswlib_reserve(wide.handle(), most, error_text, sizeof error_text));
  CHECK_EQUAL(std::string("out of native memory: no room for 2147483647 vectors of 268435456 components"),
              std::string(error_text));
  CHECK_EQUAL(PANVEC_ABI_VERSION, panvec_hnswlib_abi_version());
  CHECK_EQUAL(std::int64_t{-5}, panvec_hnswlib_nop(-5));
}

void the_smallest_and_the_largest_shapes_work() {
  std::mt19937 random(kSeed + 9);
  struct Shape {
    std::int32_t dim, m, ef_construction;
    std::size_t count;
  };
  for (const Shape& shape : {Shape{1, 2, 1, 300}, Shape{8192, 4, 20, 40}, Shape{3, 512, 1, 1500}}) {
    Index index(PANVEC_L2, shape.dim, shape.m, shape.ef_construction);
    index.add(gaussian(shape.count, index.dim(), random), 2);
    const std::vector<float> query = gaussian(1, index.dim(), random);
    CHECK(!search(index, query.data(), 10, 200).empty());
    CHECK(exact(index, query.data(), 10) == brute_force(index, query, 10));
  }
}

void growth_keeps_what_is_there() {
  std::mt19937 random(kSeed + 10);
  Index index(PANVEC_L2, 10);
  std::vector<float> all;
  std::size_t wanted = 0, reached = 0;
  for (int step = 0; step < 60; ++step) {
    const std::vector<float> rows = gaussian(1 + random() % 20, 10, random);
    all.insert(all.end(), rows.begin(), rows.end());
    index.add(rows);
    CHECK(exact(index, rows.data(), 1)[0].first == 0.0f);
    wanted += std::min<std::size_t>(10, all.size() / 10);
    reached += search(index, rows.data(), 10, 30).size();
  }
  CHECK(reached >= wanted * 99 / 100);
  for (std::size_t slot = 0; slot < all.size() / 10; ++slot) {
    CHECK(index.row(static_cast<std::int64_t>(slot)) == one(all, slot, 10));
  }
}

// Rows and links of an index, as far as calls can see them.
struct Content {
  std::vector<std::vector<float>> rows;
  std::vector<Hits> answers;

  Content(const Index& index, const std::vector<float>& queries) {
    for (std::int64_t slot = 0; slot < index.slots(); ++slot) rows.push_back(index.row(slot));
    for (std::size_t i = 0; i < queries.size() / index.dim(); ++i) {
      for (const std::int32_t ef : {1, 3, 30}) {
        answers.push_back(search(index, &queries[i * index.dim()], 1 + ef / 2, ef));
      }
    }
  }
  bool operator==(const Content& other) const { return rows == other.rows && answers == other.answers; }
};

// Small blocks are malloc's, large ones mappings: 10,600 slots of this shape are 4 MiB, as are 524,288 upper layers.
void growth_from_small_to_large_keeps_rows_and_links() {
  constexpr std::size_t dim = 64;
  for (const bool prepared : {false, true}) {
    std::mt19937 random(kSeed + 17);
    Index index(PANVEC_L2, dim), twin(PANVEC_L2, dim);
    twin.reserve(20000);
    const std::vector<float> queries = gaussian(20, dim, random);
    for (const std::int64_t capacity : {500, 1000, 10000, 12000, 16000, 21000, 100000, 520000, 530000, 1500000}) {
      const std::int64_t bytes = panvec_hnswlib_memory_bytes(index.handle());
      const Content before(index, queries);
      if (prepared) {
        ok(panvec_hnswlib_prepare(index.handle(), capacity, error_text, sizeof error_text));
        CHECK(panvec_hnswlib_memory_bytes(index.handle()) > bytes);
        CHECK(Content(index, queries) == before);
      }
      index.reserve(capacity);
      CHECK(Content(index, queries) == before);
      // Its last slot is there to be written.
      const std::vector<float> rows = gaussian(100, dim, random);
      std::int64_t row;
      std::int32_t component;
      ok(panvec_hnswlib_stage(index.handle(), capacity - 100, rows.data(), 100, &row, &component, error_text,
                              sizeof error_text));
      index.add(rows);
      twin.add(rows);
      CHECK(Content(index, queries) == Content(twin, queries));
      CHECK_EQUAL(panvec_hnswlib_max_level(twin.handle()), panvec_hnswlib_max_level(index.handle()));
    }
  }
}

void prepared_growth_may_be_used_in_any_order() {
  std::mt19937 random(kSeed + 18);
  constexpr std::size_t dim = 8;
  // Many levels: m is small.
  Index index(PANVEC_L2, dim, 2, 20), twin(PANVEC_L2, dim, 2, 20);
  twin.reserve(30000);
  const std::vector<float> queries = gaussian(10, dim, random);
  std::int64_t capacity = 400;
  index.reserve(capacity);
  for (int step = 0; step < 150; ++step) {
    const auto size = static_cast<std::int64_t>(random() % 300);
    switch (random() % 3) {
      case 0:
        ok(panvec_hnswlib_prepare(index.handle(), capacity + size, error_text, sizeof error_text));
        break;
      case 1:
        capacity = std::max(capacity, capacity + size - 100);
        index.reserve(capacity);
        break;
      default: {
        // What is linked after prepare and before reserve has its levels too.
        const auto count = static_cast<std::size_t>(std::min<std::int64_t>(size, capacity - index.slots()));
        const std::vector<float> rows = gaussian(count, dim, random);
        index.add(rows);
        twin.add(rows);
      }
    }
  }
  CHECK(index.slots() > 1000);
  CHECK(Content(index, queries) == Content(twin, queries));
}

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// Bounds the address space to `spare` bytes more than there are now.
class LittleMemory {
 public:
  explicit LittleMemory(std::size_t spare) {
    CHECK(getrlimit(RLIMIT_AS, &before_) == 0);
    std::FILE* statm = std::fopen("/proc/self/statm", "r");
    CHECK(statm != nullptr);
    unsigned long pages = 0;
    CHECK(std::fscanf(statm, "%lu", &pages) == 1);
    std::fclose(statm);
    rlimit little = before_;
    little.rlim_cur = pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + spare;
    CHECK(setrlimit(RLIMIT_AS, &little) == 0);
  }
  ~LittleMemory() { setrlimit(RLIMIT_AS, &before_); }

 private:
  rlimit before_;
};

void growth_without_memory_leaves_the_index_as_it_was() {
  std::mt19937 random(kSeed + 19);
  constexpr std::size_t dim = 64;
  const std::vector<float> queries = gaussian(20, dim, random);
  for (const std::int64_t from : {1000, 20000, 600000}) {
    Index index(PANVEC_L2, dim);
    index.reserve(from);
    index.add(gaussian(600, dim, random));
    const Content before(index, queries);
    int refused = 0, refused_after_prepare = 0;
    std::int64_t to = 0;
    // From nothing to more than enough: each step of growth fails in its turn.
    for (std::size_t spare = 0; to == 0 && spare < (std::size_t{4} << 30); spare += std::size_t{1} << 20) {
      const std::int64_t capacity = from * 3 + 10000;
      std::int32_t prepared, reserved;
      {
        const LittleMemory little(spare);
        prepared = panvec_hnswlib_prepare(index.handle(), capacity, error_text, sizeof error_text);
        reserved = panvec_hnswlib_reserve(index.handle(), capacity, error_text, sizeof error_text);
      }
      if (reserved == PANVEC_OK) {
        to = capacity;
      } else {
        CHECK_EQUAL(PANVEC_OUT_OF_MEMORY, reserved);
        ++refused;
        refused_after_prepare += prepared == PANVEC_OK ? 1 : 0;
        std::int64_t row;
        std::int32_t component;
        CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_hnswlib_stage(index.handle(), from, queries.data(), 1, &row,
                                                                 &component, nullptr, 0));
      }
      CHECK(Content(index, queries) == before);
    }
    CHECK(to > 0);
    CHECK(refused > 0);
    index.reserve(to);
    index.add(gaussian(100, dim, random));
    CHECK(exact(index, queries.data(), 10) == brute_force(index, one(queries, 0, dim), 10));
    std::printf("  from %lld slots: %d refused, %d of them prepared\n", static_cast<long long>(from), refused,
                refused_after_prepare);
  }
}
#else
void growth_without_memory_leaves_the_index_as_it_was() { std::printf("  cannot be arranged here\n"); }
#endif

void memory_is_counted_and_given_back() {
  std::mt19937 random(kSeed + 11);
  const std::vector<float> rows = gaussian(50, 64, random);
  for (int i = 0; i < 2000; ++i) {
    Index index(PANVEC_COSINE, 64);
    if (i % 20 == 0) {
      index.add(rows, 2);
      search(index, rows.data(), 5, 20);
      CHECK(panvec_hnswlib_memory_bytes(index.handle()) > 50 * 64 * 4);
    }
  }
}

// Lets linking fail at its n-th allocation, for many n: the slots used up are dead then, and all else goes on.
void a_link_that_fails_half_way_leaves_a_graph_to_walk() {
  std::mt19937 random(kSeed + 12);
  constexpr std::size_t dim = 8;
  Index index(PANVEC_L2, dim, 4, 20);
  index.reserve(3000);
  int failures = 0;
  std::size_t wanted = 0, reached = 0;
  for (std::int64_t n = 0; n < 900 && index.slots() < 2500; ++n) {
    index.stage(gaussian(5, dim, random));
    std::int64_t linked = -1;
    std::int32_t status = PANVEC_OK;
    {
      const LeaksUncounted uncounted;
      allocations_left = n % 300;
      status = panvec_hnswlib_link(index.handle(), index.slots(), 5, 1, nullptr, 0, &linked, error_text,
                                   sizeof error_text);
      allocations_left = -1;
    }
    CHECK(linked >= 1 && linked <= 5);
    const std::int64_t first = index.slots();
    index.publish(linked);
    if (status == PANVEC_OK) {
      CHECK_EQUAL(std::int64_t{5}, linked);
    } else {
      CHECK_EQUAL(PANVEC_OUT_OF_MEMORY, status);
      ++failures;
      for (std::int64_t slot = first; slot < index.slots(); ++slot) index.kill(slot);
    }
    const std::vector<float> query = gaussian(1, dim, random);
    const Hits truth = brute_force(index, query, 1 << 20);
    const Hits found = search(index, query.data(), 10, 50);
    CHECK(std::includes(truth.begin(), truth.end(), found.begin(), found.end()));
    CHECK(exact(index, query.data(), 10) ==
          Hits(truth.begin(), truth.begin() + std::min<std::ptrdiff_t>(10, static_cast<std::ptrdiff_t>(truth.size()))));
    wanted += std::min<std::size_t>(10, truth.size());
    reached += found.size();
  }
  CHECK(failures > 100);
  CHECK(reached >= wanted * 95 / 100);
  // The graph as a whole has not suffered.
  index.add(gaussian(1000, dim, random), 2);
  double sum = 0.0;
  for (int i = 0; i < 20; ++i) {
    const std::vector<float> query = gaussian(1, dim, random);
    sum += recall(brute_force(index, query, 10), search(index, query.data(), 10, 100));
  }
  CHECK(sum / 20 > 0.9);
}

void other_calls_survive_a_lack_of_memory() {
  std::mt19937 random(kSeed + 13);
  Index index(PANVEC_L2, 8);
  index.add(gaussian(300, 8, random));
  const std::vector<float> query = gaussian(1, 8, random);
  const Hits truth = brute_force(index, query, 10);
  for (std::int64_t n = 0; n < 12; ++n) {
    allocations_left = n;
    const std::int32_t prepared = panvec_hnswlib_prepare(index.handle(), 1000 + 100 * n, nullptr, 0);
    allocations_left = n;
    const std::int32_t reserved = panvec_hnswlib_reserve(index.handle(), 1000 + 100 * n, nullptr, 0);
    allocations_left = n;
    std::int64_t ids[10];
    float distances[10];
    std::int32_t count = 0;
    const std::int32_t searched = panvec_hnswlib_search(index.handle(), 300, nullptr, index.id_pages(), nullptr,
                                                        query.data(), 10, 300, nullptr, kForever, ids, distances,
                                                        &count, nullptr, 0);
    allocations_left = n;
    panvec_hnswlib* made = nullptr;
    const std::int32_t created = panvec_hnswlib_create(PANVEC_L2, 8, 16, 100, 1, &made, nullptr, 0);
    allocations_left = -1;
    CHECK(prepared == PANVEC_OK || prepared == PANVEC_OUT_OF_MEMORY);
    CHECK(reserved == PANVEC_OK || reserved == PANVEC_OUT_OF_MEMORY);
    CHECK(searched == PANVEC_OK || searched == PANVEC_OUT_OF_MEMORY);
    CHECK((created == PANVEC_OK) == (made != nullptr));
    panvec_hnswlib_free(made);
    CHECK(exact(index, query.data(), 10) == truth);
    CHECK(search(index, query.data(), 10, 300) == truth);
  }
}

// After warm-up the path that every search takes does without the allocator.
void a_search_allocates_nothing() {
  std::mt19937 random(kSeed + 14);
  Index index(PANVEC_COSINE, 32);
  index.add(gaussian(2000, 32, random), 2);
  std::vector<std::uint64_t> filter(2000 / 64 + 1, 0x5555555555555555u);
  const std::vector<float> queries = gaussian(50, 32, random);
  std::int64_t ids[10];
  float distances[10];
  std::int32_t count = 0;
  for (const bool warm : {false, true}) {
    for (std::size_t i = 0; i < 50; ++i) {
      const std::uint64_t* const filters[] = {nullptr, filter.data()};
      for (const std::uint64_t* allowed : filters) {
        if (warm) allocations_left = 0;
        const std::int32_t status =
            panvec_hnswlib_search(index.handle(), 2000, nullptr, index.id_pages(), allowed, &queries[i * 32], 10, 64,
                                  nullptr, kForever, ids, distances, &count, error_text, sizeof error_text);
        allocations_left = -1;
        ok(status);
      }
    }
  }
}

void linking_gives_way_when_asked_and_always_gets_ahead() {
  std::mt19937 random(kSeed + 15);
  Index index(PANVEC_L2, 8);
  index.reserve(300);
  index.stage(gaussian(300, 8, random));
  const std::int32_t now = 1;
  std::int64_t done = 0;
  int calls = 0;
  while (done < 300) {
    std::int64_t linked = 0;
    ok(panvec_hnswlib_link(index.handle(), done, 300 - done, 2, &now, 0, &linked, error_text, sizeof error_text));
    CHECK(linked >= 1);
    done += linked;
    ++calls;
  }
  CHECK(calls >= 100);
  // Before the slice is over nobody is let in.
  Index patient(PANVEC_L2, 8);
  patient.reserve(300);
  patient.stage(gaussian(300, 8, random));
  std::int64_t linked = 0;
  ok(panvec_hnswlib_link(patient.handle(), 0, 300, 1, &now, std::int64_t{3600} * 1000000000, &linked, error_text,
                         sizeof error_text));
  CHECK_EQUAL(std::int64_t{300}, linked);
}

// As an engine does it: walks share the graph lock, reserve takes it alone, growth is prepared, rows are staged and linked
// without it, and one store publishes a batch.
void searches_run_beside_linking() {
  constexpr std::size_t dim = 16;
  constexpr std::int64_t batches = 12, batch = 150, total = batches * batch;
  std::mt19937 random(kSeed + 16);
  const std::vector<float> rows = gaussian(total, dim, random);
  panvec_hnswlib* index = nullptr;
  ok(panvec_hnswlib_create(PANVEC_L2, dim, 8, 60, 7, &index, error_text, sizeof error_text));
  std::vector<std::int64_t> ids(kSlotsPerPage);
  std::iota(ids.begin(), ids.end(), 0);
  const std::int64_t* id_page = ids.data();

  std::shared_mutex graph_lock;
  std::mutex turnstile;  // held by a writer that waits, since readers would never let it in
  std::atomic<std::int64_t> published{0};
  std::atomic<bool> finished{false};
  std::atomic<std::int64_t> searches{0};
  std::int32_t waiting = 0;
  std::atomic<std::int64_t> wanted{0}, got{0};
  const std::vector<std::uint64_t> even(kSlotsPerPage / 64, 0x5555555555555555), odd(kSlotsPerPage / 64, 0xAAAAAAAAAAAAAAAA);
  const std::uint64_t* odd_page = odd.data();

  const auto searcher = [&](std::uint32_t seed) {
    std::mt19937 own(seed);
    std::int64_t found_ids[10];
    float distances[10];
    while (!finished.load()) {
      const std::vector<float> query = gaussian(1, dim, own);
      std::int32_t count = 0, exact_count = 0;
      __atomic_add_fetch(&waiting, 1, __ATOMIC_RELAXED);
      turnstile.lock();
      const std::shared_lock<std::shared_mutex> shared(graph_lock);
      turnstile.unlock();
      __atomic_sub_fetch(&waiting, 1, __ATOMIC_RELAXED);
      const std::int64_t visible = published.load();
      // Half of them all, by turns by a filter and by dead rows.
      const bool some = own() % 2 == 0;
      const bool by_filter = own() % 2 == 0;
      const std::uint64_t* filter = some && by_filter ? even.data() : nullptr;
      const std::uint64_t* const* dead = some && !by_filter ? &odd_page : nullptr;
      CHECK_EQUAL(PANVEC_OK,
                  panvec_hnswlib_search(index, visible, dead, &id_page, filter, query.data(), 10, 40, nullptr,
                                        kForever, found_ids, distances, &count, nullptr, 0));
      CHECK(count <= std::min<std::int64_t>(10, visible));
      for (std::int32_t i = 0; i < count; ++i) {
        CHECK(found_ids[i] >= 0 && found_ids[i] < visible && (!some || found_ids[i] % 2 == 0));
        CHECK_EQUAL(panvec::reference_distance(panvec::Metric::kL2, query.data(),
                                               &rows[static_cast<std::size_t>(found_ids[i]) * dim], dim),
                    distances[i]);
      }
      const std::vector<std::int64_t> found(found_ids, found_ids + count);
      CHECK_EQUAL(PANVEC_OK, panvec_hnswlib_exact(index, 0, visible, dead, &id_page, filter, query.data(), 10, 1,
                                                  found_ids, distances, &exact_count, nullptr, 0));
      CHECK_EQUAL(std::min<std::int64_t>(10, some ? (visible + 1) / 2 : visible), static_cast<std::int64_t>(exact_count));
      if (visible > 0 && visible < total) {
        wanted.fetch_add(exact_count);
        got.fetch_add(std::count_if(found.begin(), found.end(), [&](std::int64_t id) {
          return std::find(found_ids, found_ids + exact_count, id) != found_ids + exact_count;
        }));
      }
      CHECK(panvec_hnswlib_memory_bytes(index) > visible * static_cast<std::int64_t>(dim * sizeof(float)));
      searches.fetch_add(1);
    }
  };
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < 3; ++i) threads.emplace_back(searcher, kSeed + i);

  for (std::int64_t first = 0; first < total; first += batch) {
    CHECK_EQUAL(PANVEC_OK, panvec_hnswlib_prepare(index, first + batch, nullptr, 0));
    {
      const std::lock_guard<std::mutex> turn(turnstile);
      const std::unique_lock<std::shared_mutex> alone(graph_lock);
      CHECK_EQUAL(PANVEC_OK, panvec_hnswlib_reserve(index, first + batch, nullptr, 0));
    }
    std::int64_t row;
    std::int32_t component;
    CHECK_EQUAL(PANVEC_OK, panvec_hnswlib_stage(index, first, &rows[static_cast<std::size_t>(first) * dim], batch, &row,
                                                &component, nullptr, 0));
    for (std::int64_t done = 0; done < batch;) {
      std::int64_t linked = 0;
      CHECK_EQUAL(PANVEC_OK, panvec_hnswlib_link(index, first + done, batch - done, 2, &waiting, 200000, &linked, nullptr,
                                                 0));
      done += linked;
      std::this_thread::yield();
    }
    published.store(first + batch);
    // So that each version is searched, however the threads are scheduled.
    const std::int64_t before = searches.load();
    while (searches.load() < before + 3) std::this_thread::yield();
  }
  finished.store(true);
  for (std::thread& thread : threads) thread.join();
  // 0.99 and more; what is linked meanwhile must lead searches on, and not astray.
  CHECK(got.load() >= 0.97 * static_cast<double>(wanted.load()));
  panvec_hnswlib_free(index);
}

struct Limit {
  const std::int32_t* stop;
  std::int64_t nanos_left;
};

constexpr std::int32_t kStopped = 1;
constexpr std::int32_t kNotStopped = 0;
constexpr Limit kAtOnce[] = {{&kStopped, kForever}, {nullptr, 0}, {nullptr, -1}, {&kNotStopped, 0},
                             {nullptr, std::numeric_limits<std::int64_t>::min()}};
constexpr Limit kNever[] = {{&kNotStopped, kForever}, {nullptr, kForever - 1}, {&kNotStopped, kForever / 2}};

// In nanoseconds.
template <typename Run>
std::int64_t time_of(Run&& run) {
  const auto start = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start).count();
}

template <typename Run>
std::int64_t least_time(Run&& run) {
  std::int64_t least = kForever;
  for (int i = 0; i < 5; ++i) least = std::min(least, time_of(run));
  return least;
}

std::int32_t limited_search(const Index& index, const float* query, const Limit& limit, Hits& hits) {
  std::int64_t ids[10];
  float distances[10];
  std::int32_t count = -1;
  const std::int32_t status =
      panvec_hnswlib_search(index.handle(), index.slots(), index.dead_pages(), index.id_pages(), nullptr, query, 10,
                            8000, limit.stop, limit.nanos_left, ids, distances, &count, error_text,
                            sizeof error_text);
  CHECK(count >= 0);
  hits.clear();
  for (std::int32_t i = 0; i < count; ++i) hits.emplace_back(distances[i], ids[i]);
  return status;
}

void a_search_ends_when_asked() {
  std::mt19937 random(kSeed + 40);
  constexpr std::size_t dim = 128;
  for (const bool with_dead : {false, true}) {
    Index index(PANVEC_L2, dim, 16, 40);
    index.add(gaussian(6000, dim, random), 2);
    if (with_dead) index.kill(17);
    const std::vector<float> query = gaussian(1, dim, random);
    const Hits all = search(index, query.data(), 10, 8000);
    Hits hits;
    for (const Limit& limit : kAtOnce) {
      CHECK_EQUAL(PANVEC_STOPPED, limited_search(index, query.data(), limit, hits));
      CHECK(hits.empty());
      CHECK_EQUAL(std::string("stopped"), std::string(error_text));
    }
    for (const Limit& limit : kNever) {
      CHECK_EQUAL(PANVEC_OK, limited_search(index, query.data(), limit, hits));
      CHECK(hits == all);
    }
    // Begun in time, and too long.
    const std::int64_t whole =
        least_time([&] { CHECK_EQUAL(PANVEC_OK, limited_search(index, query.data(), kNever[0], hits)); });
    // Several times: a machine with other work to do may have been slow when the time was taken.
    bool stopped = false;
    for (int i = 0; i < 10 && !stopped; ++i) {
      stopped = limited_search(index, query.data(), {nullptr, whole / 8}, hits) == PANVEC_STOPPED;
    }
    CHECK(stopped);
    CHECK(hits.empty());
    // A bad query is bad, whatever the time.
    const std::vector<float> bad(dim, std::numeric_limits<float>::quiet_NaN());
    CHECK_EQUAL(PANVEC_INVALID_VECTOR, limited_search(index, bad.data(), kAtOnce[0], hits));
    CHECK(search(index, query.data(), 10, 8000) == all);
  }
}

void searches_are_stopped_by_another_thread() {
  std::mt19937 random(kSeed + 41);
  constexpr std::size_t dim = 16;
  Index index(PANVEC_L2, dim);
  index.add(gaussian(2000, dim, random), 2);
  const std::vector<float> query = gaussian(1, dim, random);
  const Hits all = search(index, query.data(), 10, 8000);
  std::int32_t stop = 0;
  std::atomic<std::int64_t> searches{0};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      for (;;) {
        std::int64_t ids[10];
        float distances[10];
        std::int32_t count = 0;
        const std::int32_t status =
            panvec_hnswlib_search(index.handle(), index.slots(), nullptr, index.id_pages(), nullptr, query.data(), 10,
                                  8000, &stop, kForever, ids, distances, &count, nullptr, 0);
        if (status == PANVEC_STOPPED) return;
        Hits hits;
        for (std::int32_t j = 0; j < count; ++j) hits.emplace_back(distances[j], ids[j]);
        if (status != PANVEC_OK || hits != all) wrong.fetch_add(1);
        searches.fetch_add(1);
      }
    });
  }
  while (searches.load() < 6) std::this_thread::yield();
  __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
  for (std::thread& thread : threads) thread.join();
  CHECK_EQUAL(0, wrong.load());
  CHECK(search(index, query.data(), 10, 8000) == all);
}

std::vector<std::int32_t> shuffled_slots(std::int64_t count, std::mt19937& random) {
  std::vector<std::int32_t> slots(static_cast<std::size_t>(count));
  std::iota(slots.begin(), slots.end(), 0);
  std::shuffle(slots.begin(), slots.end(), random);
  return slots;
}

// Takes over rows in blocks of odd sizes and links them.
void take_over(Index& index, const Index& source, const std::vector<std::int32_t>& slots, std::mt19937& random) {
  const auto count = static_cast<std::int64_t>(slots.size());
  const std::int64_t first = index.slots();
  index.reserve(first + count);
  for (std::int64_t at = 0; at < count;) {
    const std::int64_t block = std::min<std::int64_t>(count - at, static_cast<std::int64_t>(random() % 300));
    ok(panvec_hnswlib_stage_from(index.handle(), first + at, source.handle(), &slots[static_cast<std::size_t>(at)],
                                 block, error_text, sizeof error_text));
    at += block;
  }
  std::int64_t linked = 0;
  ok(panvec_hnswlib_link(index.handle(), first, count, 2, nullptr, 0, &linked, error_text, sizeof error_text));
  CHECK_EQUAL(count, linked);
  index.publish(count);
}

// All distances, by slot.
std::vector<float> all_distances(const Index& index, const float* query) {
  std::vector<float> distances(static_cast<std::size_t>(index.slots()));
  for (const auto& hit : exact(index, query, static_cast<std::int32_t>(index.slots()))) {
    distances[static_cast<std::size_t>((1000000 - hit.second) / 7)] = hit.first;
  }
  return distances;
}

void rows_of_another_index_are_taken_over_bit_for_bit() {
  std::mt19937 random(kSeed + 42);
  constexpr std::size_t dim = 24;
  for (const std::int32_t metric : {PANVEC_L2, PANVEC_COSINE, PANVEC_DOT}) {
    Index source(metric, dim), index(metric, dim, 8, 60);
    std::vector<float> rows = gaussian(2000, dim, random);
    for (std::size_t i = 0; i < 2000; ++i) rows[i * dim] *= static_cast<float>(1 + i % 50);
    source.add(rows, 2);
    index.add(gaussian(10, dim, random));
    std::vector<std::int32_t> slots = shuffled_slots(2000, random);
    slots.resize(1500);
    // Searches of the source go on.
    std::atomic<bool> done{false};
    std::atomic<int> wrong{0};
    const std::vector<float> query = gaussian(1, dim, random);
    const Hits before = search(source, query.data(), 10, 100);
    std::thread searcher([&] {
      while (!done.load()) wrong.fetch_add(search(source, query.data(), 10, 100) == before ? 0 : 1);
    });
    take_over(index, source, slots, random);
    done.store(true);
    searcher.join();
    CHECK_EQUAL(0, wrong.load());
    for (std::size_t i = 0; i < slots.size(); ++i) {
      CHECK(index.row(10 + static_cast<std::int64_t>(i)) == source.row(slots[i]));
    }
    double found = 0;
    for (int i = 0; i < 10; ++i) {
      const std::vector<float> q = gaussian(1, dim, random);
      CHECK(exact(index, q.data(), 20) == brute_force(index, q, 20));
      const std::vector<float> of_source = all_distances(source, q.data()), of_index = all_distances(index, q.data());
      for (std::size_t j = 0; j < slots.size(); ++j) {
        CHECK_EQUAL(of_source[static_cast<std::size_t>(slots[j])], of_index[10 + j]);
      }
      found += recall(brute_force(index, q, 10), search(index, q.data(), 10, 200)) / 10;
    }
    CHECK(found >= 0.8);
  }
}

// Rows that differ by their last bits: which are nearest only the reference kernel can say, and which of them to ask it
// follows from the greatest norm.
void scans_are_exact_over_large_rows_that_were_taken_over() {
  std::mt19937 random(kSeed + 45);
  constexpr std::size_t dim = 64, count = 1000;
  Index source(PANVEC_DOT, dim), index(PANVEC_DOT, dim);
  const std::vector<float> base = gaussian(1, dim, random);
  std::vector<float> rows;
  for (std::size_t i = 0; i < count; ++i) {
    for (const float x : base) {
      const auto bits = static_cast<float>(static_cast<int>(random() % 9) - 4);
      rows.push_back(1000.0f * x * (1.0f + bits * std::numeric_limits<float>::epsilon()));
    }
  }
  source.add(rows, 2);
  take_over(index, source, shuffled_slots(count, random), random);
  for (int i = 0; i < 20; ++i) {
    const std::vector<float> query = gaussian(1, dim, random);
    CHECK(exact(source, query.data(), 10) == brute_force(source, query, 10));
    CHECK(exact(index, query.data(), 10) == brute_force(index, query, 10));
  }
}

// Calls `between` after each piece.
template <typename Between>
std::string saved(const Index& index, std::int64_t slots, Between&& between) {
  panvec_hnswlib_saver* saver = nullptr;
  ok(panvec_hnswlib_save_begin(index.handle(), PANVEC_FILE_GRAPH, slots, &saver, error_text, sizeof error_text));
  std::string file;
  std::vector<char> room(std::size_t{1} << 20);
  std::int64_t written = -1;
  while (written != 0) {
    ok(panvec_hnswlib_save_next(saver, room.data(), static_cast<std::int64_t>(room.size()), &written, error_text,
                                sizeof error_text));
    file.append(room.data(), static_cast<std::size_t>(written));
    between();
  }
  panvec_hnswlib_save_end(saver);
  return file;
}

std::string saved(const Index& index) {
  return saved(index, index.slots(), [] {});
}

double norm_of(const Index& index) { return panvec_hnswlib_max_row_norm(index.handle()); }

void a_saved_graph_answers_the_same() {
  std::mt19937 random(kSeed);
  for (const std::int32_t metric : {PANVEC_L2, PANVEC_COSINE, PANVEC_DOT}) {
    for (const std::size_t dim : {1, 33}) {
      Index index(metric, static_cast<std::int32_t>(dim), 5);
      index.add(clustered(3000, dim, random), 2);
      const std::string file = saved(index);
      Index opened(metric, static_cast<std::int32_t>(dim), 5);
      Index view(metric, static_cast<std::int32_t>(dim), 5);
      CHECK_EQUAL(PANVEC_OK, opened.open(file, 3000, false, norm_of(index)));
      CHECK_EQUAL(PANVEC_OK, view.open(file, 3000, true, norm_of(index)));
      // Beside the file: a pointer for each slot.
      CHECK(panvec_hnswlib_memory_bytes(view.handle()) < 3000 * 24);
      const auto same = [&] {
        const std::vector<float> query = clustered(1, dim, random);
        CHECK(search(index, query.data(), 20, 30) == search(opened, query.data(), 20, 30));
        CHECK(search(index, query.data(), 20, 30) == search(view, query.data(), 20, 30));
        CHECK(exact(index, query.data(), 20) == exact(view, query.data(), 20));
      };
      for (int i = 0; i < 20; ++i) same();
      CHECK(file == saved(opened));
      CHECK(file == saved(view));
      // One goes on as the other does.
      const std::vector<float> more = clustered(500, dim, random);
      index.add(more);
      opened.add(more);
      CHECK(saved(index) == saved(opened));
    }
  }
}

void hnswlib_reads_what_is_saved() {
  std::mt19937 random(kSeed);
  constexpr std::size_t dim = 16;
  Index index(PANVEC_L2, dim, 8);
  index.add(clustered(2000, dim, random));
  const std::string path = "hnswlib_test.saved";
  std::ofstream(path, std::ios::binary) << saved(index);
  hnswlib::L2Space space(dim);
  hnswlib::HierarchicalNSW<float> upstream(&space, path);
  std::remove(path.c_str());
  upstream.checkIntegrity();
  upstream.setEf(3000);
  for (int i = 0; i < 20; ++i) {
    const std::vector<float> query = clustered(1, dim, random);
    auto found = upstream.searchKnn(query.data(), 10);
    const Hits truth = exact(index, query.data(), 10);
    for (std::size_t at = 10; at > 0; --at, found.pop()) {
      CHECK_EQUAL(truth[at - 1].second, Index::id_of(static_cast<std::int64_t>(found.top().second)));
    }
  }
}

void a_graph_is_saved_as_it_was_while_rows_are_linked() {
  std::mt19937 random(kSeed);
  constexpr std::size_t dim = 64;
  Index index(PANVEC_L2, dim);
  index.add(clustered(5000, dim, random), 2);
  int pieces = 0;
  const std::string file = saved(index, 5000, [&] {
    index.add(clustered(500, dim, random), 2);
    ++pieces;
  });
  CHECK(pieces > 2);
  // Every link is checked: none leads to a row that came later.
  Index opened(PANVEC_L2, dim);
  CHECK_EQUAL(PANVEC_OK, opened.open(file, 5000, false, norm_of(index)));
  double sum = 0;
  for (int i = 0; i < 50; ++i) {
    const std::vector<float> query = clustered(1, dim, random);
    sum += recall(exact(opened, query.data(), 10), search(opened, query.data(), 10, 100));
  }
  CHECK(sum / 50 > 0.95);
}

void an_empty_graph_is_saved_too() {
  Index index(PANVEC_COSINE, 3);
  const std::string file = saved(index);
  Index opened(PANVEC_COSINE, 3);
  Index view(PANVEC_COSINE, 3);
  CHECK_EQUAL(PANVEC_OK, opened.open(file, 0, false, norm_of(index)));
  CHECK_EQUAL(PANVEC_OK, view.open(file, 0, true, norm_of(index)));
  const float query[] = {1, 2, 3};
  CHECK(search(view, query, 1, 10).empty());
  opened.add({1, 2, 3});
  CHECK_EQUAL(std::size_t{1}, search(opened, query, 1, 10).size());
}

// All that a view can be asked. Distances may be NaN now, and rows twice: only that it ends, and stays in what is there, is
// asked for.
void look_around(const Index& index, std::mt19937& random) {
  const std::vector<std::uint64_t> half(static_cast<std::size_t>(index.slots() / 64 + 1), 0x5555555555555555);
  std::int64_t ids[10];
  float distances[10];
  for (const std::uint64_t* filter : {static_cast<const std::uint64_t*>(nullptr), half.data()}) {
    for (const std::int32_t ef : {10, 50, 1000}) {
      const std::vector<float> query = clustered(1, index.dim(), random);
      std::int32_t count = 0;
      ok(panvec_hnswlib_search(index.handle(), index.slots(), nullptr, index.id_pages(), filter, query.data(), 10, ef,
                               nullptr, kForever, ids, distances, &count, error_text, sizeof error_text));
      CHECK(count >= 0 && count <= 10);
    }
    const std::vector<float> query = clustered(1, index.dim(), random);
    std::int32_t count = 0;
    ok(panvec_hnswlib_exact(index.handle(), 0, index.slots(), nullptr, index.id_pages(), filter, query.data(), 10, 1,
                            ids, distances, &count, error_text, sizeof error_text));
  }
  const std::int32_t slots[] = {0, static_cast<std::int32_t>(index.slots() - 1)};
  const std::vector<float> query = clustered(1, index.dim(), random);
  std::int32_t count = 0;
  ok(panvec_hnswlib_exact_slots(index.handle(), slots, 2, index.id_pages(), query.data(), 2, 1, ids, distances, &count,
                                error_text, sizeof error_text));
  CHECK_EQUAL(2, count);
  index.row(index.slots() - 1);
}

void a_damaged_file_is_refused_or_leads_nowhere_else() {
  std::mt19937 random(kSeed);
  constexpr std::size_t dim = 4;
  Index index(PANVEC_L2, dim, 4);
  index.add(clustered(400, dim, random));
  const std::string file = saved(index);
  const auto attempt = [&](const std::string& damaged, bool as_view) {
    // In a block of its own size, so that the address sanitizer sees what is read beyond it.
    const std::string copy(damaged);
    Index opened(PANVEC_L2, dim, 4);
    const std::int32_t status = opened.open(copy, 400, as_view, norm_of(index));
    if (status != PANVEC_OK) {
      CHECK_EQUAL(PANVEC_CORRUPT, status);
      CHECK(error_text[0] != '\0');
      return false;
    }
    look_around(opened, random);
    CHECK_EQUAL(file.size(), saved(opened).size());
    return true;
  };
  for (const bool as_view : {false, true}) {
    CHECK(attempt(file, as_view));
    for (std::size_t size = 0; size < file.size(); size += size < 512 ? 1 : 97) {
      CHECK(!attempt(file.substr(0, size), as_view));
    }
    CHECK(!attempt(file + '\0', as_view));
    int refused = 0;
    for (int i = 0; i < 3000; ++i) {
      std::string damaged = file;
      const std::size_t bit = random() % (i < 1500 ? 96 * 8 : file.size() * 8);
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
      refused += attempt(damaged, as_view) ? 0 : 1;
    }
    CHECK(refused > 500);
  }
  Index other(PANVEC_L2, dim, 5);
  CHECK_EQUAL(PANVEC_CORRUPT, other.open(file, 400, false, norm_of(index)));
  Index fewer(PANVEC_L2, dim, 4);
  CHECK_EQUAL(PANVEC_CORRUPT, fewer.open(file, 399, false, norm_of(index)));
}

// A list that says it is longer than it can be, at the end of a piece.
void a_view_of_anything_is_saved_within_its_room() {
  std::mt19937 random(kSeed);
  constexpr std::size_t dim = 128, slots = 2000, header = 96, stride = 33 * 4 + dim * 4 + 8, room = std::size_t{1} << 20;
  Index index(PANVEC_L2, dim, 16);
  index.add(clustered(slots, dim, random), 2);
  const std::string whole = saved(index);
  std::string damaged = whole;
  const std::size_t last = (room - header) / stride - 1;
  std::memset(&damaged[header + last * stride], 0xFF, 4);
  Index view(PANVEC_L2, dim, 16);
  CHECK_EQUAL(PANVEC_OK, view.open(damaged, slots, true, norm_of(index)));
  look_around(view, random);
  panvec_hnswlib_saver* saver = nullptr;
  ok(panvec_hnswlib_save_begin(view.handle(), PANVEC_FILE_GRAPH, slots, &saver, error_text, sizeof error_text));
  std::vector<char> piece(2 * room, 'x');
  std::string file;
  std::int64_t written = -1;
  while (written != 0) {
    ok(panvec_hnswlib_save_next(saver, piece.data(), room, &written, error_text, sizeof error_text));
    file.append(piece.data(), static_cast<std::size_t>(written));
  }
  panvec_hnswlib_save_end(saver);
  CHECK(std::all_of(piece.begin() + room, piece.end(), [](char each) { return each == 'x'; }));
  CHECK_EQUAL(whole.size(), file.size());
  std::uint32_t degree = 0;
  std::memcpy(&degree, &file[header + last * stride], sizeof degree);
  CHECK(degree <= 32);
}

void lists_that_say_more_than_a_length_are_refused() {
  std::mt19937 random(kSeed);
  Index index(PANVEC_L2, 4, 4);
  index.add(clustered(100, 4, random));
  const std::string whole = saved(index);
  constexpr std::size_t header = 96, stride = 9 * 4 + 4 * 4 + 8;
  const auto status_of = [&](const std::string& file, bool as_view) {
    Index opened(PANVEC_L2, 4, 4);
    return opened.open(file, 100, as_view, norm_of(index));
  };
  // hnswlib's own mark of a dead row.
  std::string marked = whole;
  marked[header + 7 * stride + 2] = 1;
  CHECK_EQUAL(PANVEC_CORRUPT, status_of(marked, false));
  CHECK_EQUAL(PANVEC_OK, status_of(marked, true));
  // A row on more layers than are ever drawn, which all but fit together.
  std::string high = whole.substr(0, header + 100 * stride);
  const auto put = [&](std::uint32_t word) { high.append(reinterpret_cast<const char*>(&word), sizeof word); };
  for (const std::uint32_t layers : {63U, 64U}) {
    high.resize(header + 100 * stride);
    put(layers * 5 * 4);
    high.append(layers * 5 * 4, '\0');
    for (int slot = 1; slot < 100; ++slot) put(0);
    const std::uint32_t entry[] = {layers, 0};
    std::memcpy(&high[48], entry, sizeof entry);
    for (const bool as_view : {false, true}) {
      CHECK_EQUAL(layers == 63 ? PANVEC_OK : PANVEC_CORRUPT, status_of(high, as_view));
    }
  }
}

void a_view_is_not_written_to() {
  std::mt19937 random(kSeed);
  Index index(PANVEC_L2, 2);
  index.add(clustered(100, 2, random));
  const std::string file = saved(index);
  Index view(PANVEC_L2, 2);
  CHECK_EQUAL(PANVEC_OK, view.open(file, 100, true, norm_of(index)));
  panvec_hnswlib* const handle = view.handle();
  const float row[] = {1, 2};
  const std::int32_t slot = 0;
  std::int64_t number = 0;
  std::int32_t component = 0;
  char* const text = error_text;
  constexpr std::int32_t room = sizeof error_text;
  const auto refused = [&](std::int32_t status) {
    CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, status);
    CHECK_EQUAL(std::string("a view cannot be changed"), std::string(error_text));
  };
  refused(panvec_hnswlib_prepare(handle, 200, text, room));
  refused(panvec_hnswlib_reserve(handle, 200, text, room));
  refused(panvec_hnswlib_stage(handle, 100, row, 1, &number, &component, text, room));
  refused(panvec_hnswlib_stage_from(handle, 100, index.handle(), &slot, 1, text, room));
  refused(panvec_hnswlib_link(handle, 100, 1, 1, nullptr, 0, &number, text, room));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, index.open(file, 100, false, norm_of(index)));
}

void null_where_it_means_nothing_is_refused_by_name() {
  const Index index(PANVEC_L2, 4);
  panvec_hnswlib* const handle = index.handle();
  const float row[] = {1, 2, 3, 4};
  const std::int32_t slot = 0;
  const std::int64_t page[] = {0};
  const std::int64_t* const pages[] = {page};
  std::int64_t ids[1], number = 0;
  float distances[1], out[4];
  std::int32_t count = 0, component = 0;
  char* const text = error_text;
  constexpr std::int32_t room = sizeof error_text;
  const auto refused = [&](const std::string& name, std::int32_t status) {
    CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, status);
    CHECK_EQUAL(name + " is NULL", std::string(error_text));
  };
  refused("index", panvec_hnswlib_create(PANVEC_L2, 4, 16, 100, 42, nullptr, text, room));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_hnswlib_reference_distance(PANVEC_L2, 4, nullptr, row, out));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_hnswlib_reference_distance(PANVEC_L2, 4, row, nullptr, out));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_hnswlib_reference_distance(PANVEC_L2, 4, row, row, nullptr));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_hnswlib_reference_unit(4, nullptr, out));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_hnswlib_reference_unit(4, row, nullptr));
  refused("index", panvec_hnswlib_prepare(nullptr, 1, text, room));
  refused("index", panvec_hnswlib_reserve(nullptr, 1, text, room));
  refused("index", panvec_hnswlib_stage(nullptr, 0, row, 1, &number, &component, text, room));
  refused("rows", panvec_hnswlib_stage(handle, 0, nullptr, 1, &number, &component, text, room));
  refused("bad_row", panvec_hnswlib_stage(handle, 0, row, 1, nullptr, &component, text, room));
  refused("bad_component", panvec_hnswlib_stage(handle, 0, row, 1, &number, nullptr, text, room));
  refused("index", panvec_hnswlib_stage_from(nullptr, 0, handle, &slot, 1, text, room));
  refused("source", panvec_hnswlib_stage_from(handle, 0, nullptr, &slot, 1, text, room));
  refused("slots", panvec_hnswlib_stage_from(handle, 0, handle, nullptr, 1, text, room));
  refused("index", panvec_hnswlib_link(nullptr, 0, 0, 1, nullptr, 0, &number, text, room));
  refused("linked", panvec_hnswlib_link(handle, 0, 0, 1, nullptr, 0, nullptr, text, room));
  refused("index", panvec_hnswlib_row(nullptr, 0, out, text, room));
  refused("row", panvec_hnswlib_row(handle, 0, nullptr, text, room));
  const auto search = [&](const std::string& name, panvec_hnswlib* of, const std::int64_t* const* id_pages, const float* query,
                          std::int64_t* to, float* far, std::int32_t* how_many) {
    refused(name, panvec_hnswlib_search(of, 1, nullptr, id_pages, nullptr, query, 1, 10, nullptr, kForever, to, far,
                                 how_many, text, room));
    refused(name, panvec_hnswlib_exact(of, 0, 1, nullptr, id_pages, nullptr, query, 1, 1, to, far, how_many, text, room));
    refused(name, panvec_hnswlib_exact_slots(of, &slot, 1, id_pages, query, 1, 1, to, far, how_many, text, room));
  };
  search("index", nullptr, pages, row, ids, distances, &count);
  search("id_pages", handle, nullptr, row, ids, distances, &count);
  search("query", handle, pages, nullptr, ids, distances, &count);
  search("ids", handle, pages, row, nullptr, distances, &count);
  search("distances", handle, pages, row, ids, nullptr, &count);
  search("count", handle, pages, row, ids, distances, nullptr);
  refused("slots", panvec_hnswlib_exact_slots(handle, nullptr, 1, pages, row, 1, 1, ids, distances, &count, text, room));

  // Nothing of it has changed anything; and of no elements NULL is as good as any array.
  ok(panvec_hnswlib_stage(handle, 0, nullptr, 0, &number, &component, text, room));
  ok(panvec_hnswlib_exact_slots(handle, nullptr, 0, nullptr, row, 1, 1, ids, distances, &count, text, room));
  ok(panvec_hnswlib_search(handle, 0, nullptr, nullptr, nullptr, row, 1, 10, nullptr, kForever, ids, distances, &count,
                    text, room));
  CHECK_EQUAL(0, count);
}

void hostile_sources_are_refused() {
  std::mt19937 random(kSeed + 43);
  Index source(PANVEC_L2, 8), index(PANVEC_L2, 8), cosine(PANVEC_COSINE, 8), wide(PANVEC_L2, 9);
  source.reserve(200);
  source.add(gaussian(100, 8, random));
  const std::vector<float> rows = gaussian(50, 8, random);
  index.add(rows);
  index.reserve(60);
  const std::vector<std::int32_t> good = {3, 1, 2};
  const auto refused = [&](const Index& from, std::int64_t first, const std::int32_t* slots, std::int64_t count,
                           const char* text) {
    CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_hnswlib_stage_from(index.handle(), first, from.handle(), slots, count,
                                                                   error_text, sizeof error_text));
    CHECK_EQUAL(std::string(text), std::string(error_text));
  };
  const char* kind = "the source has another metric or dimension";
  const char* where = "slots to stage are linked already or beyond the reserved capacity";
  refused(cosine, 50, good.data(), 3, kind);
  refused(wide, 50, good.data(), 3, kind);
  refused(index, 50, good.data(), 3, "the source must be another index");
  refused(source, 50, nullptr, 3, "slots is NULL");
  for (const std::int32_t slot : {-1, 100, 199, 200, std::numeric_limits<std::int32_t>::max(),
                                  std::numeric_limits<std::int32_t>::min()}) {
    const std::vector<std::int32_t> bad = {3, slot, 2};
    const std::string text = "slot " + std::to_string(slot) + " of the source is not linked";
    refused(source, 50, bad.data(), 3, text.c_str());
  }
  refused(source, 49, good.data(), 3, where);
  refused(source, 58, good.data(), 3, where);
  refused(source, -1, good.data(), 3, where);
  refused(source, 50, good.data(), -1, where);
  refused(source, 50, good.data(), kForever, where);
  refused(source, kForever, good.data(), 3, where);
  ok(panvec_hnswlib_stage_from(index.handle(), 60, source.handle(), nullptr, 0, error_text, sizeof error_text));
  take_over(index, source, good, random);
  CHECK_EQUAL(std::int64_t{53}, index.slots());
  CHECK(index.row(50) == source.row(3) && index.row(51) == source.row(1) && index.row(52) == source.row(2));
  CHECK(index.row(49) == std::vector<float>(rows.end() - 8, rows.end()));
}

}  // namespace

int main() {
  std::printf("hnswlib %s, %s, seed %u\n", panvec_hnswlib_upstream_version(), panvec_hnswlib_simd_level(), kSeed);
  using panvec::check::run;
  run("the walk finds nearly all neighbours", the_walk_finds_nearly_all_neighbours);
  run("dead and filtered slots are never returned and nearly all others are",
      dead_and_filtered_slots_are_never_returned_and_nearly_all_others_are);
  run("a version hides later slots", a_version_hides_later_slots);
  run("every slot is found by its own row", every_slot_is_found_by_its_own_row);
  run("one thread builds the same graph every time", one_thread_builds_the_same_graph_every_time);
  run("levels do not depend on threads", levels_do_not_depend_on_threads);
  run("equal rows and extreme values are served", equal_rows_and_extreme_values_are_served);
  run("an empty index answers nothing", an_empty_index_answers_nothing);
  run("a huge k returns what can be reached in order", a_huge_k_returns_what_can_be_reached_in_order);
  run("a bad row is named and changes nothing", a_bad_row_is_named_and_changes_nothing);
  run("a bad query is named", a_bad_query_is_named);
  run("arguments out of range are refused", arguments_out_of_range_are_refused);
  run("the smallest and the largest shapes work", the_smallest_and_the_largest_shapes_work);
  run("growth keeps what is there", growth_keeps_what_is_there);
  run("growth from small to large keeps rows and links", growth_from_small_to_large_keeps_rows_and_links);
  run("prepared growth may be used in any order", prepared_growth_may_be_used_in_any_order);
  run("growth without memory leaves the index as it was", growth_without_memory_leaves_the_index_as_it_was);
  run("memory is counted and given back", memory_is_counted_and_given_back);
  run("a link that fails half-way leaves a graph to walk", a_link_that_fails_half_way_leaves_a_graph_to_walk);
  run("other calls survive a lack of memory", other_calls_survive_a_lack_of_memory);
  run("a search allocates nothing", a_search_allocates_nothing);
  run("linking gives way when asked and always gets ahead", linking_gives_way_when_asked_and_always_gets_ahead);
  run("searches run beside linking", searches_run_beside_linking);
  run("a search ends when asked", a_search_ends_when_asked);
  run("searches are stopped by another thread", searches_are_stopped_by_another_thread);
  run("rows of another index are taken over bit for bit", rows_of_another_index_are_taken_over_bit_for_bit);
  run("scans are exact over large rows that were taken over", scans_are_exact_over_large_rows_that_were_taken_over);
  run("a saved graph answers the same", a_saved_graph_answers_the_same);
  run("hnswlib reads what is saved", hnswlib_reads_what_is_saved);
  run("a graph is saved as it was while rows are linked", a_graph_is_saved_as_it_was_while_rows_are_linked);
  run("an empty graph is saved too", an_empty_graph_is_saved_too);
  run("a damaged file is refused or leads nowhere else", a_damaged_file_is_refused_or_leads_nowhere_else);
  run("a view of anything is saved within its room", a_view_of_anything_is_saved_within_its_room);
  run("lists that say more than a length are refused", lists_that_say_more_than_a_length_are_refused);
  run("a view is not written to", a_view_is_not_written_to);
  run("NULL where it means nothing is refused by name", null_where_it_means_nothing_is_refused_by_name);
  run("hostile sources are refused", hostile_sources_are_refused);
}
