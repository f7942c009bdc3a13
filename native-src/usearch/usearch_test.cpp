// The whole C interface: recall, versions and filters, codes, bad input, failures half-way, searches beside linking;
// and what usearch must not be allowed to do.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cerrno>
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
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/resource.h>
#include <unistd.h>
#endif

#include <usearch/index_dense.hpp>

#include "check.hpp"
#include "codes.hpp"
#include "graph.hpp"
#include "link.hpp"
#include "panvec_kernels.hpp"
#include "panvec_usearch.h"

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

// Not inlined: gcc would warn of a free that meets a pointer from operator new, and of a delete that meets one from malloc.
__attribute__((noinline)) void* operator new(std::size_t bytes) { return allocate(bytes); }
__attribute__((noinline)) void* operator new[](std::size_t bytes) { return allocate(bytes); }
__attribute__((noinline)) void operator delete(void* block) noexcept { std::free(block); }
__attribute__((noinline)) void operator delete[](void* block) noexcept { std::free(block); }
__attribute__((noinline)) void operator delete(void* block, std::size_t) noexcept { std::free(block); }
__attribute__((noinline)) void operator delete[](void* block, std::size_t) noexcept { std::free(block); }

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// usearch's allocator.
extern "C" __attribute__((visibility("default"))) int posix_memalign(void** block, std::size_t alignment,
                                                                     std::size_t bytes) noexcept {
  if (allocations_left == 0) return ENOMEM;
  if (allocations_left > 0) --allocations_left;
  *block = aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  return *block == nullptr ? ENOMEM : 0;
}
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

// What is saved of an index.
struct Files {
  std::string graph;
  std::string rows;  // empty when there is no such file
  std::int64_t slots = 0;
  double max_row_norm = 0;
};

// An index with the version that an engine would keep for it: ids, dead slots, counts.
class Index {
 public:
  Index(std::int32_t metric, std::int32_t dim, std::int32_t m = 16, std::int32_t ef_construction = 100,
        std::int32_t quantization = PANVEC_USEARCH_F32, bool keep_vectors = true)
      : dim_(dim), metric_(metric) {
    panvec_usearch* made = nullptr;
    ok(panvec_usearch_create(metric, dim, quantization, m, ef_construction, keep_vectors ? 1 : 0, &made, error_text,
                             sizeof error_text));
    handle_.reset(made);
  }

  panvec_usearch* handle() const { return handle_.get(); }
  std::int64_t slots() const { return slot_count_; }
  std::int32_t metric() const { return metric_; }
  std::size_t dim() const { return static_cast<std::size_t>(dim_); }
  const std::int64_t* const* id_pages() const { return id_pages_.data(); }
  const std::uint64_t* const* dead_pages() const { return dead_.empty() ? nullptr : dead_pages_.data(); }
  bool is_dead(std::int64_t slot) const { return dead_.count(slot) != 0; }
  static std::int64_t id_of(std::int64_t slot) { return 1000000 - 7 * slot; }

  // Takes over what was saved; the status.
  std::int32_t open(const Files& files, bool as_view) {
    const std::int32_t status = panvec_usearch_open(
        handle(), files.graph.data(), static_cast<std::int64_t>(files.graph.size()),
        files.rows.empty() ? nullptr : files.rows.data(), static_cast<std::int64_t>(files.rows.size()), files.slots,
        files.max_row_norm, as_view ? 1 : 0, error_text, sizeof error_text);
    if (status != PANVEC_OK) return status;
    slot_count_ = files.slots;
    name(files.slots);
    return status;
  }

  void reserve(std::int64_t capacity, std::int32_t threads = 2) {
    panvec_usearch_expect_threads(handle(), threads);
    ok(panvec_usearch_reserve(handle(), capacity, error_text, sizeof error_text));
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
    reserve(slot_count_ + count, threads);
    stage(rows);
    std::int64_t linked = 0;
    ok(panvec_usearch_link(handle(), slot_count_, count, threads, nullptr, 0, &linked, error_text, sizeof error_text));
    CHECK_EQUAL(count, linked);
    slot_count_ += count;
  }

  void stage(const std::vector<float>& rows) {
    std::int64_t row = -7;
    std::int32_t component = -7;
    ok(panvec_usearch_stage(handle(), slot_count_, rows.data(), static_cast<std::int64_t>(rows.size() / dim()), &row,
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

  std::vector<float> row(std::int64_t slot) const {
    std::vector<float> row(dim());
    ok(panvec_usearch_row(handle(), slot, row.data(), error_text, sizeof error_text));
    return row;
  }

 private:
  struct Free {
    void operator()(panvec_usearch* index) const { panvec_usearch_free(index); }
  };

  std::unique_ptr<panvec_usearch, Free> handle_;
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
            const std::uint64_t* filter = nullptr, std::int32_t refine_factor = 3) {
  std::vector<std::int64_t> ids(static_cast<std::size_t>(k));
  std::vector<float> distances(static_cast<std::size_t>(k));
  std::int32_t count = -1;
  ok(panvec_usearch_search(index.handle(), index.slots(), index.dead_pages(), index.id_pages(), filter, query, k, ef,
                           refine_factor, nullptr, kForever, ids.data(), distances.data(), &count, error_text,
                           sizeof error_text));
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
  ok(panvec_usearch_exact(index.handle(), 0, index.slots(), index.dead_pages(), index.id_pages(), filter, query, k, 1,
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
    if (panvec_usearch_set_simd_level(level, nullptr, 0) == PANVEC_OK) usable.push_back(level);
  }
  ok(panvec_usearch_set_simd_level("auto", error_text, sizeof error_text));
  return usable;
}

// ---------------------------------------------------------------------------------------------------------------------

void the_walk_finds_nearly_all_neighbours() {
  std::mt19937 random(kSeed);
  for (const char* level : levels()) {
    ok(panvec_usearch_set_simd_level(level, error_text, sizeof error_text));
    CHECK_EQUAL(std::string(level), std::string(panvec_usearch_simd_level()));
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
          // usearch's links suit metrics; by inner products of two components only few points are ever nearest.
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
  ok(panvec_usearch_set_simd_level("auto", error_text, sizeof error_text));
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
            reached += found.size();
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
    ok(panvec_usearch_search(index.handle(), visible, nullptr, index.id_pages(), nullptr, query.data(), 10, 64, 1,
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

// In pieces or as a whole: a thread's levels go on where they were as long as usearch need not grow.
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
  CHECK_EQUAL(panvec_usearch_max_level(whole.handle()), panvec_usearch_max_level(pieces.handle()));
  for (const std::int32_t ef : {10, 11, 13, 20}) {
    CHECK(search(whole, query.data(), 10, ef) == search(pieces, query.data(), 10, ef));
  }
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
  CHECK_EQUAL(-1, panvec_usearch_max_level(index.handle()));
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
  ok(panvec_usearch_search(index.handle(), 500, nullptr, index.id_pages(), nullptr, query.data(), most, most,
                           most, nullptr, kForever, ids.data(), distances.data(), &count, error_text,
                           sizeof error_text));
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
    CHECK_EQUAL(PANVEC_INVALID_VECTOR, panvec_usearch_stage(index.handle(), 100, rows.data(), 20, &row, &component,
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
                  panvec_usearch_search(index.handle(), visible, nullptr, index.id_pages(), nullptr, query.data(), 1,
                                        10, 1, nullptr, kForever, &id, &distance, &count, error_text,
                                        sizeof error_text));
      CHECK_EQUAL(std::string(text), std::string(error_text));
      CHECK_EQUAL(0, count);
    }
    CHECK_EQUAL(PANVEC_INVALID_VECTOR,
                panvec_usearch_exact(index.handle(), 0, 1, nullptr, index.id_pages(), nullptr, query.data(), 1, 1, &id,
                                     &distance, &count, error_text, sizeof error_text));
    CHECK_EQUAL(std::string(text), std::string(error_text));
  };
  refused({1, 2, 3, std::nanf("")}, "query: component 3 is NaN");
  refused({1, HUGE_VALF, 3, 4}, "query: component 1 is infinite");
  refused({0, 0, -0.0f, 0}, "query: the vector is zero, which COSINE cannot take");
}

void arguments_out_of_range_are_refused() {
  panvec_usearch* made = nullptr;
  const auto create = [&](std::int32_t metric, std::int32_t dim, std::int32_t quantization, std::int32_t m,
                          std::int32_t ef_construction) {
    return panvec_usearch_create(metric, dim, quantization, m, ef_construction, 1, &made, error_text,
                                 sizeof error_text);
  };
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, create(3, 4, PANVEC_USEARCH_F32, 16, 100));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, create(PANVEC_L2, 0, PANVEC_USEARCH_F32, 16, 100));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, create(PANVEC_L2, 65537, PANVEC_USEARCH_F32, 16, 100));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, create(PANVEC_L2, 4, PANVEC_USEARCH_F32, 1, 100));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, create(PANVEC_L2, 4, PANVEC_USEARCH_F32, 513, 100));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, create(PANVEC_L2, 4, PANVEC_USEARCH_F32, 16, 0));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, create(PANVEC_L2, 4, 4, 16, 100));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, create(PANVEC_L2, 4, -1, 16, 100));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, create(PANVEC_L2, 4, PANVEC_USEARCH_I8, 16, 100));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, create(PANVEC_DOT, 4, PANVEC_USEARCH_I8, 16, 100));
  CHECK_EQUAL(std::string("quantization i8 keeps directions only: it needs the metric COSINE"),
              std::string(error_text));
  CHECK(made == nullptr);

  Index index(PANVEC_L2, 4);
  index.add({1, 2, 3, 4, 5, 6, 7, 8});
  const std::vector<float> rows(8, 1.0f);
  std::int64_t linked = -1, row = -1, id;
  std::int32_t component = -1, count = 0;
  float distance;
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT,
              panvec_usearch_stage(index.handle(), 1, rows.data(), 1, &row, &component, error_text, sizeof error_text));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT,
              panvec_usearch_stage(index.handle(), 2, rows.data(), 1, &row, &component, error_text, sizeof error_text));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_usearch_link(index.handle(), 1, 1, 1, nullptr, 0, &linked, error_text,
                                                          sizeof error_text));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_usearch_link(index.handle(), 2, 1, 1, nullptr, 0, &linked, error_text,
                                                          sizeof error_text));
  const std::int32_t beyond[] = {0, 2};
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT,
              panvec_usearch_exact_slots(index.handle(), beyond, 2, index.id_pages(), rows.data(), 1, 1, &id, &distance,
                                         &count, error_text, sizeof error_text));
  std::vector<float> copy(4);
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_usearch_row(index.handle(), 2, copy.data(), nullptr, 0));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_usearch_row(index.handle(), -1, copy.data(), nullptr, 0));
  CHECK_EQUAL(PANVEC_UNSUPPORTED, panvec_usearch_set_simd_level("sse9", error_text, sizeof error_text));
  CHECK(std::string(error_text).find("baseline") != std::string::npos);
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_usearch_prepare(index.handle(), -1, error_text, sizeof error_text));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_usearch_reserve(index.handle(), -1, error_text, sizeof error_text));
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_usearch_reserve(index.handle(), most + 1, error_text, sizeof error_text));
  const Index wide(PANVEC_L2, 1 << 16);
  CHECK_EQUAL(PANVEC_OUT_OF_MEMORY, panvec_usearch_prepare(wide.handle(), most, error_text, sizeof error_text));
  CHECK_EQUAL(PANVEC_OUT_OF_MEMORY, panvec_usearch_reserve(wide.handle(), most, error_text, sizeof error_text));
  CHECK_EQUAL(std::string("out of native memory: no room for 2147483647 vectors of 65536 components"),
              std::string(error_text));
  CHECK_EQUAL(PANVEC_ABI_VERSION, panvec_usearch_abi_version());
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT,
              panvec_usearch_search(index.handle(), 2, nullptr, index.id_pages(), nullptr, rows.data(), 1, 1, 0,
                                    nullptr, kForever, &id, &distance, &count, error_text, sizeof error_text));
}

void the_smallest_and_the_largest_shapes_work() {
  std::mt19937 random(kSeed + 9);
  struct Shape {
    std::int32_t dim, m, ef_construction;
    std::size_t count;
  };
  for (const Shape& shape : {Shape{1, 2, 1, 300}, Shape{65536, 4, 20, 40}, Shape{3, 512, 1, 1500}}) {
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

// Small blocks are malloc's, large ones mappings: 16,384 slots of this shape are 4 MiB. usearch's own array grows
// beyond 65,536.
void growth_from_small_to_large_keeps_rows_and_links() {
  constexpr std::size_t dim = 64;
  for (const bool prepared : {false, true}) {
    std::mt19937 random(kSeed + 17);
    Index index(PANVEC_L2, dim), twin(PANVEC_L2, dim);
    twin.reserve(20000);
    const std::vector<float> queries = gaussian(20, dim, random);
    for (const std::int64_t capacity : {500, 1000, 10000, 12000, 16000, 21000, 100000, 520000, 530000,
                                        1500000, 4200000}) {
      const Content before(index, queries);
      if (prepared) {
        ok(panvec_usearch_prepare(index.handle(), capacity, error_text, sizeof error_text));
        CHECK(Content(index, queries) == before);
      }
      index.reserve(capacity);
      CHECK(Content(index, queries) == before);
      // Its last slot is there to be written.
      const std::vector<float> rows = gaussian(100, dim, random);
      std::int64_t row;
      std::int32_t component;
      ok(panvec_usearch_stage(index.handle(), capacity - 100, rows.data(), 100, &row, &component, error_text,
                              sizeof error_text));
      index.add(rows);
      twin.add(rows);
      if (capacity > 65536) continue;  // from here on the levels of the two differ
      CHECK(Content(index, queries) == Content(twin, queries));
      CHECK_EQUAL(panvec_usearch_max_level(twin.handle()), panvec_usearch_max_level(index.handle()));
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
        ok(panvec_usearch_prepare(index.handle(), capacity + size, error_text, sizeof error_text));
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
  for (const std::int64_t from : {10000, 20000, 600000}) {
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
        prepared = panvec_usearch_prepare(index.handle(), capacity, error_text, sizeof error_text);
        reserved = panvec_usearch_reserve(index.handle(), capacity, error_text, sizeof error_text);
      }
      if (reserved == PANVEC_OK) {
        to = capacity;
      } else {
        CHECK_EQUAL(PANVEC_OUT_OF_MEMORY, reserved);
        ++refused;
        refused_after_prepare += prepared == PANVEC_OK ? 1 : 0;
        std::int64_t row;
        std::int32_t component;
        CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_usearch_stage(index.handle(), from, queries.data(), 1, &row,
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
      CHECK(panvec_usearch_memory_bytes(index.handle()) > 50 * 64 * 4);
    }
  }
}

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// Lets linking fail at its n-th allocation, for many n: the slots used up are dead then, and all else goes on. A new
// index each time, since usearch's threads keep what they have.
void a_link_that_fails_half_way_leaves_a_graph_to_walk() {
  std::mt19937 random(kSeed + 12);
  constexpr std::size_t dim = 8;
  const std::vector<float> rows = gaussian(400, dim, random), more = gaussian(400, dim, random);
  int failures = 0, with_slots = 0;
  for (const std::int64_t before : {0, 1, 40}) {
    for (std::int64_t n = 0; n < 40; ++n) {
      Index index(PANVEC_L2, dim, 4, 20);
      index.reserve(1000);
      if (before > 0) index.add({rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(before * dim)});
      // Makes all contexts new.
      ok(panvec_usearch_reserve(index.handle(), 4194304 + 1000, error_text, sizeof error_text));
      index.stage(rows);
      std::int64_t linked = -1;
      allocations_left = n;
      const std::int32_t status = panvec_usearch_link(index.handle(), index.slots(), 400, 1, nullptr, 0, &linked,
                                                      error_text, sizeof error_text);
      allocations_left = -1;
      CHECK(linked >= 0 && linked <= 400);
      const std::int64_t first = index.slots();
      index.publish(linked);
      if (status == PANVEC_OK) {
        CHECK_EQUAL(std::int64_t{400}, linked);
      } else {
        CHECK_EQUAL(PANVEC_OUT_OF_MEMORY, status);
        ++failures;
        with_slots += linked > 0 ? 1 : 0;
        for (std::int64_t slot = first; slot < index.slots(); ++slot) index.kill(slot);
      }
      index.add(more, 2);
      const std::vector<float> query = gaussian(1, dim, random);
      const Hits truth = brute_force(index, query, 1 << 20);
      const Hits found = search(index, query.data(), 10, 1000);
      CHECK(std::includes(truth.begin(), truth.end(), found.begin(), found.end()));
      CHECK_EQUAL(std::size_t{10}, found.size());
      CHECK(recall(brute_force(index, query, 10), found) >= 0.8);
    }
  }
  CHECK(failures >= 6);
  std::printf("  %d failed, %d of them after some slots\n", failures, with_slots);
}
#else
void a_link_that_fails_half_way_leaves_a_graph_to_walk() { std::printf("  cannot be arranged here\n"); }
#endif

void other_calls_survive_a_lack_of_memory() {
  std::mt19937 random(kSeed + 13);
  Index index(PANVEC_L2, 8);
  index.add(gaussian(300, 8, random));
  const std::vector<float> query = gaussian(1, 8, random);
  const Hits truth = brute_force(index, query, 10);
  for (std::int64_t n = 0; n < 12; ++n) {
    allocations_left = n;
    const std::int32_t prepared = panvec_usearch_prepare(index.handle(), 1000 + 100 * n, nullptr, 0);
    allocations_left = n;
    const std::int32_t reserved = panvec_usearch_reserve(index.handle(), 1000 + 100 * n, nullptr, 0);
    allocations_left = n;
    std::int64_t ids[10];
    float distances[10];
    std::int32_t count = 0;
    const std::int32_t searched = panvec_usearch_search(index.handle(), 300, nullptr, index.id_pages(), nullptr,
                                                        query.data(), 10, 300, 1, nullptr, kForever, ids, distances,
                                                        &count, nullptr, 0);
    allocations_left = n;
    panvec_usearch* made = nullptr;
    const std::int32_t created = panvec_usearch_create(PANVEC_L2, 8, PANVEC_USEARCH_F16, 16, 100, 1, &made, nullptr, 0);
    allocations_left = -1;
    CHECK(prepared == PANVEC_OK || prepared == PANVEC_OUT_OF_MEMORY);
    CHECK(reserved == PANVEC_OK || reserved == PANVEC_OUT_OF_MEMORY);
    CHECK(searched == PANVEC_OK || searched == PANVEC_OUT_OF_MEMORY);
    CHECK((created == PANVEC_OK) == (made != nullptr));
    panvec_usearch_free(made);
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
            panvec_usearch_search(index.handle(), 2000, nullptr, index.id_pages(), allowed, &queries[i * 32], 10, 64,
                                  1, nullptr, kForever, ids, distances, &count, error_text, sizeof error_text);
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
    ok(panvec_usearch_link(index.handle(), done, 300 - done, 2, &now, 0, &linked, error_text, sizeof error_text));
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
  ok(panvec_usearch_link(patient.handle(), 0, 300, 1, &now, std::int64_t{3600} * 1000000000, &linked, error_text,
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
  panvec_usearch* index = nullptr;
  ok(panvec_usearch_create(PANVEC_L2, dim, PANVEC_USEARCH_F32, 8, 60, 1, &index, error_text, sizeof error_text));
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
                  panvec_usearch_search(index, visible, dead, &id_page, filter, query.data(), 10, 40, 1, nullptr,
                                        kForever, found_ids, distances, &count, nullptr, 0));
      CHECK(count <= std::min<std::int64_t>(10, visible));
      for (std::int32_t i = 0; i < count; ++i) {
        CHECK(found_ids[i] >= 0 && found_ids[i] < visible && (!some || found_ids[i] % 2 == 0));
        CHECK_EQUAL(panvec::reference_distance(panvec::Metric::kL2, query.data(),
                                               &rows[static_cast<std::size_t>(found_ids[i]) * dim], dim),
                    distances[i]);
      }
      const std::vector<std::int64_t> found(found_ids, found_ids + count);
      CHECK_EQUAL(PANVEC_OK, panvec_usearch_exact(index, 0, visible, dead, &id_page, filter, query.data(), 10, 1,
                                                  found_ids, distances, &exact_count, nullptr, 0));
      CHECK_EQUAL(std::min<std::int64_t>(10, some ? (visible + 1) / 2 : visible), static_cast<std::int64_t>(exact_count));
      if (visible > 0 && visible < total) {
        wanted.fetch_add(exact_count);
        got.fetch_add(std::count_if(found.begin(), found.end(), [&](std::int64_t id) {
          return std::find(found_ids, found_ids + exact_count, id) != found_ids + exact_count;
        }));
      }
      CHECK(panvec_usearch_memory_bytes(index) > visible * static_cast<std::int64_t>(dim * sizeof(float)));
      searches.fetch_add(1);
    }
  };
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < 3; ++i) threads.emplace_back(searcher, kSeed + i);

  for (std::int64_t first = 0; first < total; first += batch) {
    CHECK_EQUAL(PANVEC_OK, panvec_usearch_prepare(index, first + batch, nullptr, 0));
    {
      const std::lock_guard<std::mutex> turn(turnstile);
      const std::unique_lock<std::shared_mutex> alone(graph_lock);
      if (first == 3 * batch) panvec_usearch_expect_threads(index, 2);
      CHECK_EQUAL(PANVEC_OK, panvec_usearch_reserve(index, first + batch, nullptr, 0));
    }
    std::int64_t row;
    std::int32_t component;
    CHECK_EQUAL(PANVEC_OK, panvec_usearch_stage(index, first, &rows[static_cast<std::size_t>(first) * dim], batch, &row,
                                                &component, nullptr, 0));
    for (std::int64_t done = 0; done < batch;) {
      std::int64_t linked = 0;
      // More threads than it expects and has made room for must not move anything beneath the searches.
      const std::int32_t threads = first < 3 * batch ? 1000 : 2;
      CHECK_EQUAL(PANVEC_OK, panvec_usearch_link(index, first + done, batch - done, threads, &waiting, 200000, &linked,
                                                 nullptr, 0));
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
  panvec_usearch_free(index);
}

// ---------------------------------------------------------------------------------------------------------------------
// Codes

constexpr std::int32_t kLossy[] = {PANVEC_USEARCH_F16, PANVEC_USEARCH_BF16, PANVEC_USEARCH_I8};

bool goes_with(std::int32_t quantization, std::int32_t metric) {
  return quantization != PANVEC_USEARCH_I8 || metric == PANVEC_COSINE;
}

void codes_are_ranked_by_vector_instructions() {
  const panvec::SimdLevel best = panvec::best_simd_level();
  for (const std::int32_t metric : {PANVEC_L2, PANVEC_COSINE, PANVEC_DOT}) {
    for (const std::int32_t quantization : kLossy) {
      if (!goes_with(quantization, metric)) continue;
      const std::string kernel = panvec_usearch_code_kernel(metric, quantization);
      std::printf("  metric %d, quantization %d: %s\n", metric, quantization, kernel.c_str());
      CHECK(kernel != "none" && kernel != "unknown");
      if (best != panvec::SimdLevel::kBaseline) CHECK(kernel != "serial");
    }
  }
  CHECK_EQUAL(std::string("none"), std::string(panvec_usearch_code_kernel(PANVEC_L2, PANVEC_USEARCH_F32)));
  CHECK_EQUAL(std::string("none"), std::string(panvec_usearch_code_kernel(7, 7)));
}

// What a code kernel says, against the same distance of the decoded codes in double.
void code_kernels_agree_with_the_reference() {
  std::mt19937 random(kSeed + 20);
  for (const std::int32_t metric : {PANVEC_L2, PANVEC_COSINE, PANVEC_DOT}) {
    for (const std::int32_t quantization : kLossy) {
      if (!goes_with(quantization, metric)) continue;
      for (const std::size_t dim : {1, 2, 3, 7, 16, 31, 33, 64, 100, 384, 1031}) {
        const auto m = static_cast<panvec::Metric>(metric);
        panvec::Codes codes(m, static_cast<panvec::Quantization>(quantization), dim);
        codes.reserve(2);
        std::vector<float> rows = gaussian(2, dim, random), decoded(2 * dim);
        for (std::size_t i = 0; i < 2; ++i) {
          float* row = &rows[i * dim];
          if (metric == PANVEC_COSINE) CHECK(panvec::reference_unit(row, dim, row));
          codes.store(static_cast<std::int64_t>(i), row);
          codes.decode(static_cast<std::int64_t>(i), &decoded[i * dim]);
          // Half a unit of the last place of the largest component, and for COSINE what renormalising moves.
          const double step = quantization == PANVEC_USEARCH_F16    ? 0x1p-11
                              : quantization == PANVEC_USEARCH_BF16 ? 0x1p-8
                                                                    : 1.0 / 127;
          float largest = 0.0f;
          for (std::size_t j = 0; j < dim; ++j) largest = std::max(largest, std::fabs(row[j]));
          for (std::size_t j = 0; j < dim; ++j) CHECK(std::fabs(row[j] - decoded[i * dim + j]) <= 2.0 * step * largest);
        }
        const double reported = panvec::reference_distance(m, decoded.data(), &decoded[dim], dim);
        double expected = metric == PANVEC_L2 ? reported * reported : reported;
        // Products of unit vectors rank without the 1; codes of halves are unit vectors up to rounding.
        if (metric == PANVEC_COSINE && quantization != PANVEC_USEARCH_I8) expected -= 1.0;
        const double got = codes.kernel()(codes.code(0), codes.code(1));
        const double scale = metric == PANVEC_COSINE ? 1.0 : static_cast<double>(dim);
        if (std::fabs(expected - got) > 5e-3 * scale) {
          panvec::check::failed(__FILE__, __LINE__, "metric " + std::to_string(metric) + ", quantization " +
                                                        std::to_string(quantization) + ", dim " + std::to_string(dim) +
                                                        ": " + std::to_string(expected) + " is " + std::to_string(got));
        }
      }
    }
  }
}

// usearch's own kernel for bytes says 0, "identical", whenever the product is 0.
void orthogonal_and_opposite_directions_are_far_in_bytes() {
  const panvec::Codes made(panvec::Metric::kCosine, panvec::Quantization::kI8, 4);
  const float x[] = {1, 0, 0, 0}, y[] = {0, 1, 0, 0}, opposite[] = {-1, 0, 0, 0};
  char a[4], b[4], c[4];
  made.encode(x, a);
  made.encode(y, b);
  made.encode(opposite, c);
  CHECK_EQUAL(0.0f, made.kernel()(a, a));
  CHECK(std::fabs(made.kernel()(a, b) - 1.0f) < 1e-6f);
  CHECK(std::fabs(made.kernel()(a, c) - 2.0f) < 1e-6f);

  std::vector<float> rows;
  for (std::size_t i = 0; i < 64; ++i) {
    for (std::size_t j = 0; j < 64; ++j) rows.push_back(i == j ? 3.0f : 0.0f);
  }
  for (const bool keep : {true, false}) {
    Index index(PANVEC_COSINE, 64, 16, 100, PANVEC_USEARCH_I8, keep);
    // By one thread: among rows that are all equally far, the order decides whether each is reached.
    index.add(rows, 1);
    for (std::size_t i = 0; i < 64; ++i) {
      const Hits hits = search(index, &rows[i * 64], 64, 64);
      CHECK(!hits.empty());
      CHECK_EQUAL(Index::id_of(static_cast<std::int64_t>(i)), hits[0].second);
      CHECK_EQUAL(0.0f, hits[0].first);
      for (std::size_t j = 1; j < hits.size(); ++j) CHECK_EQUAL(1.0f, hits[j].first);
    }
  }
}

// usearch's cast would leave no code but 0 of a row of 20,000 components.
void long_rows_keep_their_directions_in_bytes() {
  std::mt19937 random(kSeed + 21);
  constexpr std::size_t dim = 20000;
  const std::vector<float> rows = gaussian(30, dim, random);
  Index index(PANVEC_COSINE, dim, 8, 40, PANVEC_USEARCH_I8, false);
  index.add(rows);
  for (std::size_t i = 0; i < 30; ++i) {
    const Hits hits = search(index, &rows[i * dim], 1, 30, nullptr, 1);
    CHECK_EQUAL(Index::id_of(static_cast<std::int64_t>(i)), hits.at(0).second);
    CHECK(hits[0].first < 1e-3f);
  }
}

void lossy_types_find_nearly_all_neighbours_and_report_exact_distances() {
  std::mt19937 random(kSeed + 22);
  constexpr std::size_t dim = 48, count = 3000, queries = 40;
  for (const std::int32_t metric : {PANVEC_L2, PANVEC_COSINE, PANVEC_DOT}) {
    for (const std::int32_t quantization : kLossy) {
      if (!goes_with(quantization, metric)) continue;
      Index index(metric, dim, 16, 100, quantization);
      index.add(clustered(count, dim, random), 2);
      CHECK_EQUAL(static_cast<std::int32_t>(dim) * (quantization == PANVEC_USEARCH_I8 ? 1 : 2),
                  panvec_usearch_code_bytes(index.handle()));
      std::vector<std::uint64_t> even(count / 64 + 1, 0x5555555555555555u);
      index.kill(4);
      const std::uint64_t* const filters[] = {nullptr, even.data()};
      for (const std::uint64_t* allowed : filters) {
        double sum = 0.0;
        for (std::size_t i = 0; i < queries; ++i) {
          const std::vector<float> query = clustered(1, dim, random);
          const Hits truth = brute_force(index, query, 10, allowed);
          CHECK(exact(index, query.data(), 10, allowed) == truth);
          const Hits all = brute_force(index, query, 1 << 20, allowed);
          const Hits found = search(index, query.data(), 10, 100, allowed);
          CHECK(std::includes(all.begin(), all.end(), found.begin(), found.end()));
          sum += recall(truth, found);
        }
        CHECK(sum / queries >= (metric == PANVEC_DOT ? 0.85 : 0.95));
      }
    }
  }
}

void without_rows_all_distances_are_those_of_decoded_codes() {
  std::mt19937 random(kSeed + 23);
  constexpr std::size_t dim = 40, count = 1000;
  for (const std::int32_t metric : {PANVEC_L2, PANVEC_COSINE, PANVEC_DOT}) {
    for (const std::int32_t quantization : kLossy) {
      if (!goes_with(quantization, metric)) continue;
      const auto m = static_cast<panvec::Metric>(metric);
      const std::vector<float> rows = gaussian(count, dim, random);
      panvec::Codes codes(m, static_cast<panvec::Quantization>(quantization), dim);
      codes.reserve(count);
      std::vector<float> decoded(count * dim);
      for (std::size_t i = 0; i < count; ++i) {
        std::vector<float> row = one(rows, i, dim);
        if (metric == PANVEC_COSINE) CHECK(panvec::reference_unit(row.data(), dim, row.data()));
        codes.store(static_cast<std::int64_t>(i), row.data());
        codes.decode(static_cast<std::int64_t>(i), &decoded[i * dim]);
      }
      Index index(metric, dim, 16, 100, quantization, false), kept(metric, dim, 16, 100, quantization, true);
      // By one thread, so that both have scratch for as many.
      index.add(rows, 1);
      kept.add(rows, 1);
      CHECK(panvec_usearch_memory_bytes(index.handle()) + static_cast<std::int64_t>(count * dim * sizeof(float)) <=
            panvec_usearch_memory_bytes(kept.handle()));
      std::vector<float> row(dim);
      CHECK_EQUAL(PANVEC_UNSUPPORTED, panvec_usearch_row(index.handle(), 0, row.data(), error_text, sizeof error_text));
      CHECK_EQUAL(std::string("the index keeps no float32 rows (keepVectors=false)"), std::string(error_text));
      double sum = 0.0;
      for (int i = 0; i < 20; ++i) {
        std::vector<float> query = gaussian(1, dim, random);
        const Hits scanned = exact(index, query.data(), 10);
        const Hits found = search(index, query.data(), 10, 100);
        if (metric == PANVEC_COSINE) CHECK(panvec::reference_unit(query.data(), dim, query.data()));
        Hits truth;
        for (std::size_t slot = 0; slot < count; ++slot) {
          truth.emplace_back(panvec::reference_distance(m, query.data(), &decoded[slot * dim], dim),
                             Index::id_of(static_cast<std::int64_t>(slot)));
        }
        std::sort(truth.begin(), truth.end());
        CHECK(std::includes(truth.begin(), truth.end(), found.begin(), found.end()));
        truth.resize(10);
        CHECK(scanned == truth);
        sum += recall(truth, found);
      }
      CHECK(sum / 20 >= (metric == PANVEC_DOT ? 0.85 : 0.95));
    }
  }
}

// Half precision ends at 65,504 and at 6e-8, bfloat16 short of the largest float: codes saturate or become zero, and
// then rank alike; the rows decide among them.
void values_beyond_the_range_of_codes_are_served() {
  for (const std::int32_t quantization : kLossy) {
    for (const std::int32_t metric : {PANVEC_L2, PANVEC_COSINE, PANVEC_DOT}) {
      if (!goes_with(quantization, metric)) continue;
      for (const bool keep : {true, false}) {
        for (const float scale : {1e-45f, 1e-30f, 1e-7f, 1.0f, 60000.0f, 70000.0f, 1e30f, 3.4e38f}) {
          std::mt19937 random(kSeed + 24);
          std::vector<float> rows;
          for (std::size_t i = 0; i < 300; ++i) {
            for (std::size_t j = 0; j < 33; ++j) {
              const float sign = random() % 2 == 0 ? 1.0f : -1.0f;
              rows.push_back(i < 100 ? scale : sign * scale);
            }
          }
          Index index(metric, 33, 8, 40, quantization, keep);
          index.add(rows, 2);
          const std::vector<float> query = one(rows, 299, 33);
          const Hits all = exact(index, query.data(), 300);
          CHECK_EQUAL(std::size_t{300}, all.size());
          for (const auto& hit : all) CHECK(hit.first == hit.first);
          const std::set<std::pair<float, std::int64_t>> possible(all.begin(), all.end());
          for (const std::int32_t k : {1, 10, 300}) {
            const Hits found = search(index, query.data(), k, 20);
            CHECK(!found.empty());
            for (const auto& hit : found) CHECK(possible.count(hit) == 1);
          }
        }
      }
    }
  }
}

void code_kernels_always_give_an_order() {
  // bfloat16 kernels take differences of sums, which overflow both.
  const std::vector<float> row(100, 3e38f);
  for (const std::int32_t metric : {PANVEC_L2, PANVEC_DOT}) {
    for (const std::int32_t quantization : {PANVEC_USEARCH_F16, PANVEC_USEARCH_BF16}) {
      panvec::Codes codes(static_cast<panvec::Metric>(metric), static_cast<panvec::Quantization>(quantization), 100);
      codes.reserve(2);
      std::vector<float> other = row;
      for (std::size_t i = 0; i < 100; i += 2) other[i] = -other[i];
      codes.store(0, row.data());
      codes.store(1, other.data());
      for (const std::int64_t a : {0, 1}) {
        for (const std::int64_t b : {0, 1}) CHECK(!std::isnan(codes.kernel()(codes.code(a), codes.code(b))));
      }
    }
  }
}

void small_products_keep_their_order_in_half_precision() {
  // 1 - product would be 1 for all of them.
  constexpr std::size_t dim = 8, count = 200;
  std::vector<float> rows;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < dim; ++j) rows.push_back(j == 0 ? 1e-5f * static_cast<float>(i + 1) : 0.0f);
  }
  Index index(PANVEC_DOT, dim, 16, 100, PANVEC_USEARCH_BF16, false);
  index.add(rows);
  std::vector<float> query(dim, 0.0f);
  query[0] = 1e-8f;
  const Hits hits = search(index, query.data(), 1, 16, nullptr, 1);
  CHECK_EQUAL(exact(index, query.data(), 1)[0].first, hits.at(0).first);
}

void a_bad_row_changes_nothing_without_rows_too() {
  Index index(PANVEC_COSINE, 4, 16, 100, PANVEC_USEARCH_I8, false);
  index.add({1, 2, 3, 4});
  index.reserve(10);
  const std::vector<float> rows = {1, 2, 3, 4, 0, 0, 0, 0};
  std::int64_t row = -7;
  std::int32_t component = -7;
  CHECK_EQUAL(PANVEC_INVALID_VECTOR, panvec_usearch_stage(index.handle(), 1, rows.data(), 2, &row, &component,
                                                         error_text, sizeof error_text));
  CHECK_EQUAL(std::int64_t{1}, row);
  CHECK_EQUAL(-1, component);
  CHECK_EQUAL(std::string("row 1: the vector is zero, which COSINE cannot take"), std::string(error_text));
  index.add({4, 3, 2, 1});
  CHECK_EQUAL(std::size_t{2}, exact(index, rows.data(), 5).size());
}

// ---------------------------------------------------------------------------------------------------------------------
// usearch

// Our walk reads usearch's nodes by their layout; this is what usearch says of them.
void the_walk_reads_what_usearch_has_written() {
  std::mt19937 random(kSeed + 25);
  constexpr std::size_t dim = 6, count = 3000;
  const std::vector<float> rows = gaussian(count, dim, random);
  for (const std::size_t m : {2, 3, 16}) {
    for (const unsigned threads : {1u, 4u}) {
      panvec::Graph graph(m, 30);
      graph.reserve(count);
      const panvec::RowSpace space{panvec::Metric::kL2, panvec::simd_level(),
                                   {reinterpret_cast<const char*>(rows.data()), dim * sizeof(float), dim}, 0.0, count};
      std::int64_t linked = 0;
      graph.link(space, count, threads, nullptr, 0, linked);
      CHECK_EQUAL(static_cast<std::int64_t>(count), linked);
      const panvec::UpstreamGraph& upstream = graph.upstream();
      const panvec::GraphView view = graph.view();
      CHECK_EQUAL(static_cast<std::size_t>(view.max_level()), upstream.max_level());
      CHECK_EQUAL(upstream.max_level(), upstream.level_of(view.entry()));
      for (std::uint32_t slot = 0; slot < view.entry(); ++slot) CHECK(upstream.level_of(slot) < upstream.max_level());
      std::size_t upper = 0;
      for (std::uint32_t slot = 0; slot < count; ++slot) {
        CHECK_EQUAL(std::uint64_t{slot}, static_cast<std::uint64_t>(upstream.at(slot).key));
        for (std::size_t level = 0; level <= upstream.level_of(slot); ++level) {
          const panvec::Links links = level == 0 ? view.links(slot) : view.links(slot, static_cast<int>(level));
          const auto said = upstream.neighbors(slot, level);
          CHECK_EQUAL(said.size(), links.count);
          CHECK(links.count <= (level == 0 ? view.max_degree() : m));
          CHECK(reinterpret_cast<std::uintptr_t>(links.first) % alignof(std::uint32_t) == 0);
          for (std::size_t i = 0; i < links.count; ++i) {
            CHECK_EQUAL(static_cast<std::uint32_t>(said[i].slot), links[i]);
            CHECK(links[i] < count);
            CHECK(upstream.level_of(links[i]) >= level);
          }
          upper += level > 0 ? 1 : 0;
        }
      }
      CHECK(upper > 0);
    }
  }
}

// Float32 rows that let other threads run in the middle of an insertion.
struct YieldingRows {
  const std::vector<float>& rows;
  std::size_t dim;
  std::size_t stride;

  const char* at(std::size_t slot) const { return reinterpret_cast<const char*>(&rows[slot * dim]); }
  float operator()(const char* a, const char* b) const {
    static std::atomic<unsigned> calls{0};
    if (calls.fetch_add(1, std::memory_order_relaxed) % 7 == 0) std::this_thread::yield();
    const auto* x = reinterpret_cast<const float*>(a);
    return panvec::l2_squared_kernel(panvec::SimdLevel::kBaseline)(x, reinterpret_cast<const float*>(b), dim);
  }
};

// usearch clears a list of a slot that others have reached from a layer above and linked to meanwhile.
void slots_linked_by_many_threads_stay_reachable() {
  std::mt19937 random(kSeed + 26);
  constexpr std::size_t dim = 12, count = 4000;
  const std::vector<float> rows = gaussian(count, dim, random);
  panvec::Graph graph(8, 60);
  graph.reserve(count);
  std::int64_t linked = 0;
  graph.link_ranked(YieldingRows{rows, dim, dim * sizeof(float)}, count, 32, nullptr, 0, linked);
  const panvec::GraphView view = graph.view();
  std::vector<char> seen(count);
  std::vector<std::uint32_t> open{view.entry()};
  seen[view.entry()] = 1;
  std::size_t reached = 1;
  while (!open.empty()) {
    const panvec::Links links = view.links(open.back());
    open.pop_back();
    for (std::size_t i = 0; i < links.count; ++i) {
      if (seen[links[i]] != 0) continue;
      seen[links[i]] = 1;
      ++reached;
      open.push_back(links[i]);
    }
  }
  std::printf("  %zu of %zu slots cannot be reached\n", count - reached, count);
  CHECK(count - reached <= 4);
}

void levels_go_on_when_room_is_added_in_small_steps() {
  // With new level generators after each reserve all slots would be on the same layer.
  std::mt19937 random(kSeed + 27);
  Index index(PANVEC_L2, 4, 4, 20);
  for (int i = 0; i < 3000; ++i) index.add(gaussian(1, 4, random));
  CHECK(panvec_usearch_max_level(index.handle()) >= 3);
  CHECK(panvec_usearch_max_level(index.handle()) <= 12);
}

void any_number_of_callers_may_search() {
  std::mt19937 random(kSeed + 28);
  constexpr std::size_t dim = 16, count = 2000;
  for (const std::int32_t quantization : {PANVEC_USEARCH_F32, PANVEC_USEARCH_F16}) {
    Index index(PANVEC_L2, dim, 16, 100, quantization);
    index.add(gaussian(count, dim, random), 2);
    const std::vector<float> queries = gaussian(64, dim, random);
    std::vector<Hits> expected;
    for (std::size_t i = 0; i < 64; ++i) expected.push_back(search(index, &queries[i * dim], 10, 50));
    std::atomic<int> searches{0}, wrong{0};
    std::vector<std::thread> callers;
    for (std::size_t caller = 0; caller < 64; ++caller) {
      callers.emplace_back([&, caller] {
        for (std::size_t i = 0; i < 160; ++i) {
          const std::size_t q = (caller + i) % 64;
          std::int64_t ids[10];
          float distances[10];
          std::int32_t found = 0;
          const std::int32_t status =
              panvec_usearch_search(index.handle(), index.slots(), nullptr, index.id_pages(), nullptr,
                                    &queries[q * dim], 10, 50, 3, nullptr, kForever, ids, distances, &found, nullptr,
                                    0);
          Hits hits;
          for (std::int32_t j = 0; j < found; ++j) hits.emplace_back(distances[j], ids[j]);
          if (status != PANVEC_OK || hits != expected[q]) wrong.fetch_add(1);
          searches.fetch_add(1);
        }
      });
    }
    for (std::thread& caller : callers) caller.join();
    CHECK_EQUAL(64 * 160, searches.load());
    CHECK_EQUAL(0, wrong.load());
  }
}

void more_threads_than_usearch_has_seen_may_link() {
  std::mt19937 random(kSeed + 29);
  Index index(PANVEC_L2, 8);
  for (const std::int32_t threads : {1, 2, 9, 3, 1000000, 1}) index.add(gaussian(700, 8, random), threads);
  double sum = 0.0;
  for (int i = 0; i < 20; ++i) {
    const std::vector<float> query = gaussian(1, 8, random);
    sum += recall(brute_force(index, query, 10), search(index, query.data(), 10, 100));
  }
  CHECK(sum / 20 >= 0.95);
}

void equal_and_zero_rows_are_linked_by_many_threads() {
  for (const std::int32_t metric : {PANVEC_L2, PANVEC_DOT}) {
    for (const std::int32_t quantization : {PANVEC_USEARCH_F32, PANVEC_USEARCH_F16, PANVEC_USEARCH_BF16}) {
      for (const float value : {0.0f, 1.0f, 1e30f}) {
        Index index(metric, 7, 4, 20, quantization);
        index.add(std::vector<float>(7 * 600, value), 4);
        const std::vector<float> query(7, value);
        const Hits hits = search(index, query.data(), 5, 600);
        CHECK_EQUAL(std::size_t{5}, hits.size());
        CHECK(exact(index, query.data(), 600).size() == 600);
      }
    }
  }
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
      panvec_usearch_search(index.handle(), index.slots(), index.dead_pages(), index.id_pages(), nullptr, query, 10,
                            8000, 3, limit.stop, limit.nanos_left, ids, distances, &count, error_text,
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
    Index index(PANVEC_L2, dim, 16, 40, with_dead ? PANVEC_USEARCH_F16 : PANVEC_USEARCH_F32);
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
            panvec_usearch_search(index.handle(), index.slots(), nullptr, index.id_pages(), nullptr, query.data(), 10,
                                  8000, 3, &stop, kForever, ids, distances, &count, nullptr, 0);
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
    ok(panvec_usearch_stage_from(index.handle(), first + at, source.handle(), &slots[static_cast<std::size_t>(at)],
                                 block, error_text, sizeof error_text));
    at += block;
  }
  std::int64_t linked = 0;
  ok(panvec_usearch_link(index.handle(), first, count, 2, nullptr, 0, &linked, error_text, sizeof error_text));
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

void rows_and_codes_of_another_index_are_taken_over_bit_for_bit() {
  std::mt19937 random(kSeed + 42);
  constexpr std::size_t dim = 24;
  struct Kind {
    std::int32_t metric;
    std::int32_t quantization;
    bool keep_vectors;
  };
  std::vector<Kind> kinds;
  for (const std::int32_t metric : {PANVEC_L2, PANVEC_COSINE, PANVEC_DOT}) {
    kinds.push_back({metric, PANVEC_USEARCH_F32, true});
    for (const bool keep_vectors : {true, false}) {
      for (const std::int32_t quantization : {PANVEC_USEARCH_F16, PANVEC_USEARCH_BF16}) {
        kinds.push_back({metric, quantization, keep_vectors});
      }
      if (metric == PANVEC_COSINE) kinds.push_back({metric, PANVEC_USEARCH_I8, keep_vectors});
    }
  }
  for (const Kind& kind : kinds) {
    Index source(kind.metric, dim, 16, 100, kind.quantization, kind.keep_vectors);
    Index index(kind.metric, dim, 8, 60, kind.quantization, kind.keep_vectors);
    std::vector<float> rows = gaussian(1500, dim, random);
    for (std::size_t i = 0; i < 1500; ++i) rows[i * dim] *= static_cast<float>(1 + i % 50);
    source.add(rows, 2);
    index.add(gaussian(10, dim, random));
    std::vector<std::int32_t> slots = shuffled_slots(1500, random);
    slots.resize(1200);
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
    for (std::size_t i = 0; kind.keep_vectors && i < slots.size(); ++i) {
      CHECK(index.row(10 + static_cast<std::int64_t>(i)) == source.row(slots[i]));
    }
    double found = 0;
    for (int i = 0; i < 10; ++i) {
      const std::vector<float> q = gaussian(1, dim, random);
      const std::vector<float> of_source = all_distances(source, q.data()), of_index = all_distances(index, q.data());
      for (std::size_t j = 0; j < slots.size(); ++j) {
        CHECK_EQUAL(of_source[static_cast<std::size_t>(slots[j])], of_index[10 + j]);
      }
      if (kind.keep_vectors) CHECK(exact(index, q.data(), 20) == brute_force(index, q, 20));
      found += recall(exact(index, q.data(), 10), search(index, q.data(), 10, 200)) / 10;
    }
    // The walk goes by the codes.
    CHECK(found >= 0.8);
  }
}

void a_source_of_another_quantization_is_refused() {
  std::mt19937 random(kSeed + 44);
  const std::int32_t slot = 0;
  Index source(PANVEC_COSINE, 8, 16, 100, PANVEC_USEARCH_F16, true);
  source.add(gaussian(10, 8, random));
  for (const std::int32_t quantization : {PANVEC_USEARCH_F32, PANVEC_USEARCH_F16, PANVEC_USEARCH_I8}) {
    Index index(PANVEC_COSINE, 8, 16, 100, quantization, quantization == PANVEC_USEARCH_I8);
    index.reserve(10);
    CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_usearch_stage_from(index.handle(), 0, source.handle(), &slot, 1,
                                                                   error_text, sizeof error_text));
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

// ---------------------------------------------------------------------------------------------------------------------
// What is saved

// Everything that an index can be of.
struct SavedKind {
  std::int32_t metric;
  std::int32_t quantization;
  bool keeps_vectors;

  Index index(std::size_t dim, std::int32_t m = 5) const {
    return Index(metric, static_cast<std::int32_t>(dim), m, 60, quantization, keeps_vectors);
  }
  bool has_rows() const { return keeps_vectors && quantization != PANVEC_USEARCH_F32; }
};

std::vector<SavedKind> saved_kinds() {
  std::vector<SavedKind> kinds;
  for (const std::int32_t metric : {PANVEC_L2, PANVEC_COSINE, PANVEC_DOT}) {
    for (std::int32_t quantization = PANVEC_USEARCH_F32; quantization <= PANVEC_USEARCH_I8; ++quantization) {
      if (quantization == PANVEC_USEARCH_I8 && metric != PANVEC_COSINE) continue;
      kinds.push_back({metric, quantization, true});
      if (quantization != PANVEC_USEARCH_F32) kinds.push_back({metric, quantization, false});
    }
  }
  return kinds;
}

// Calls `between` after each piece.
template <typename Between>
std::string saved_file(const Index& index, std::int32_t file, std::int64_t slots, Between&& between) {
  panvec_usearch_saver* saver = nullptr;
  ok(panvec_usearch_save_begin(index.handle(), file, slots, &saver, error_text, sizeof error_text));
  std::string content;
  std::vector<char> room(std::size_t{1} << 20);
  std::int64_t written = -1;
  while (written != 0) {
    ok(panvec_usearch_save_next(saver, room.data(), static_cast<std::int64_t>(room.size()), &written, error_text,
                                sizeof error_text));
    content.append(room.data(), static_cast<std::size_t>(written));
    between();
  }
  panvec_usearch_save_end(saver);
  return content;
}

Files saved(const Index& index, const SavedKind& kind) {
  const auto nothing = [] {};
  Files files;
  files.slots = index.slots();
  files.max_row_norm = panvec_usearch_max_row_norm(index.handle());
  files.graph = saved_file(index, PANVEC_FILE_GRAPH, files.slots, nothing);
  if (kind.has_rows()) files.rows = saved_file(index, PANVEC_FILE_ROWS, files.slots, nothing);
  return files;
}

bool same(const Files& a, const Files& b) {
  return a.graph == b.graph && a.rows == b.rows && a.slots == b.slots && a.max_row_norm == b.max_row_norm;
}

void a_saved_index_answers_the_same() {
  std::mt19937 random(kSeed + 60);
  for (const SavedKind& kind : saved_kinds()) {
    for (const std::size_t dim : {1, 33}) {
      constexpr std::size_t count = 2000;
      Index index = kind.index(dim);
      index.add(clustered(count, dim, random), 2);
      const Files files = saved(index, kind);
      Index opened = kind.index(dim);
      Index view = kind.index(dim);
      CHECK_EQUAL(PANVEC_OK, opened.open(files, false));
      CHECK_EQUAL(PANVEC_OK, view.open(files, true));
      CHECK(panvec_usearch_memory_bytes(view.handle()) < static_cast<std::int64_t>(8 * count));
      CHECK_EQUAL(panvec_usearch_max_level(index.handle()), panvec_usearch_max_level(opened.handle()));
      CHECK_EQUAL(panvec_usearch_max_level(index.handle()), panvec_usearch_max_level(view.handle()));
      std::vector<std::uint64_t> filter((count + 63) / 64, 0x5555555555555555u);
      for (int i = 0; i < 10; ++i) {
        const std::vector<float> query = clustered(1, dim, random);
        const Hits truth = search(index, query.data(), 20, 30);
        CHECK(truth == search(opened, query.data(), 20, 30));
        CHECK(truth == search(view, query.data(), 20, 30));
        CHECK(search(index, query.data(), 20, 30, filter.data()) == search(view, query.data(), 20, 30, filter.data()));
        CHECK(exact(index, query.data(), 20) == exact(opened, query.data(), 20));
        CHECK(exact(index, query.data(), 20) == exact(view, query.data(), 20));
      }
      if (kind.keeps_vectors) CHECK(index.row(count - 1) == view.row(count - 1));
      CHECK(same(files, saved(opened, kind)));
      CHECK(same(files, saved(view, kind)));
      // An opened one goes on.
      std::vector<float> more = clustered(1000, dim, random);
      opened.add(more, 2);
      index.add(more, 2);
      double recalled = 0;
      for (int i = 0; i < 20; ++i) {
        const std::vector<float> query = clustered(1, dim, random);
        const Hits truth = exact(index, query.data(), 10);
        CHECK(exact(opened, query.data(), 10) == truth);
        recalled += recall(truth, search(opened, query.data(), 10, 200));
      }
      CHECK(dim == 1 || recalled / 20 > (kind.metric == PANVEC_DOT ? 0.75 : 0.9));
    }
  }
}

unum::usearch::metric_kind_t upstream_metric(std::int32_t metric) {
  using Kind = unum::usearch::metric_kind_t;
  return metric == PANVEC_L2 ? Kind::l2sq_k : metric == PANVEC_COSINE ? Kind::cos_k : Kind::ip_k;
}

// Our distance as usearch has it.
float upstream_distance(std::int32_t metric, float distance) {
  return metric == PANVEC_L2 ? distance * distance : metric == PANVEC_COSINE ? distance : 1 + distance;
}

void usearch_reads_what_is_saved() {
  namespace us = unum::usearch;
  const us::scalar_kind_t scalars[] = {us::scalar_kind_t::f32_k, us::scalar_kind_t::f16_k, us::scalar_kind_t::bf16_k,
                                       us::scalar_kind_t::i8_k};
  std::mt19937 random(kSeed + 61);
  constexpr std::size_t dim = 16, count = 1500, k = 10;
  const std::string path = "usearch_test.saved";
  for (const SavedKind& kind : saved_kinds()) {
    Index index = kind.index(dim, 8);
    index.add(clustered(count, dim, random));
    const Files files = saved(index, kind);
    std::ofstream(path, std::ios::binary) << files.graph;
    for (const bool as_view : {false, true}) {
      const us::index_dense_metadata_result_t about = us::index_dense_metadata_from_path(path.c_str());
      CHECK(static_cast<bool>(about));
      CHECK(about.head.kind_metric == upstream_metric(kind.metric));
      CHECK(about.head.kind_scalar == scalars[kind.quantization]);
      us::index_dense_t upstream;
      auto read = as_view ? upstream.view(path.c_str()) : upstream.load(path.c_str());
      if (!read) {
        panvec::check::failed(__FILE__, __LINE__, read.error.release());
        continue;
      }
      CHECK_EQUAL(count, upstream.size());
      CHECK_EQUAL(dim, upstream.dimensions());
      CHECK_EQUAL(std::size_t{8}, upstream.connectivity());
      CHECK_EQUAL(static_cast<std::size_t>(panvec_usearch_max_level(index.handle())), upstream.max_level());
      if (kind.quantization == PANVEC_USEARCH_F32) {
        for (std::int64_t slot = 0; slot < static_cast<std::int64_t>(count); slot += 7) {
          std::vector<float> row(dim);
          CHECK_EQUAL(std::size_t{1}, upstream.get(static_cast<std::uint64_t>(slot), row.data()));
          CHECK(row == index.row(slot));
        }
      }
      upstream.change_expansion_search(count);
      double recalled = 0;
      for (int i = 0; i < 20; ++i) {
        const std::vector<float> query = clustered(1, dim, random);
        auto found = upstream.search(query.data(), k);
        CHECK_EQUAL(k, found.size());
        // The same walk: by inner products not every row is reached.
        const Hits truth = search(index, query.data(), k, count);
        std::size_t common = 0;
        for (std::size_t at = 0; at < found.size(); ++at) {
          const auto slot = static_cast<std::int64_t>(static_cast<std::uint64_t>(found[at].member.key));
          for (const auto& hit : truth) {
            if (hit.second != Index::id_of(slot)) continue;
            ++common;
            const float expected = upstream_distance(kind.metric, hit.first);
            const float slack = kind.quantization == PANVEC_USEARCH_F32 ? 1e-4f : 0.05f;
            CHECK(std::fabs(found[at].distance - expected) <= slack * (1 + std::fabs(expected)));
          }
        }
        recalled += static_cast<double>(common) / static_cast<double>(k);
      }
      // What is left out is what codes rank otherwise.
      const double leasts[] = {0.999, 0.9, 0.9, 0.6};
      const double least = leasts[kind.quantization];
      if (recalled / 20 < least) {
        panvec::check::failed(__FILE__, __LINE__,
                              "metric " + std::to_string(kind.metric) + ", quantization " +
                                  std::to_string(kind.quantization) + ": " + std::to_string(recalled / 20));
      }
      // And what it writes is what it has read, to the last byte.
      if (as_view) continue;
      const std::string again = path + ".again";
      CHECK(static_cast<bool>(upstream.save(again.c_str())));
      std::ostringstream content;
      content << std::ifstream(again, std::ios::binary).rdbuf();
      CHECK(content.str() == files.graph);
      std::remove(again.c_str());
    }
    std::remove(path.c_str());
  }
}

void an_index_is_saved_as_it_was_while_rows_are_linked() {
  std::mt19937 random(kSeed + 62);
  constexpr std::size_t dim = 64;
  for (const SavedKind& kind : {SavedKind{PANVEC_L2, PANVEC_USEARCH_F32, true},
                                SavedKind{PANVEC_COSINE, PANVEC_USEARCH_F16, true}}) {
    Index index = kind.index(dim, 16);
    index.add(clustered(5000, dim, random), 2);
    Files files;
    files.slots = 5000;
    files.max_row_norm = panvec_usearch_max_row_norm(index.handle());
    int pieces = 0;
    const auto meanwhile = [&] {
      index.add(clustered(500, dim, random), 2);
      ++pieces;
    };
    files.graph = saved_file(index, PANVEC_FILE_GRAPH, 5000, meanwhile);
    CHECK(pieces > 1);
    if (kind.has_rows()) files.rows = saved_file(index, PANVEC_FILE_ROWS, 5000, meanwhile);
    // Every link is checked: none leads to a row that came later.
    Index opened = kind.index(dim, 16);
    CHECK_EQUAL(PANVEC_OK, opened.open(files, false));
    CHECK(opened.row(4999) == index.row(4999));
    double sum = 0;
    for (int i = 0; i < 50; ++i) {
      const std::vector<float> query = clustered(1, dim, random);
      sum += recall(exact(opened, query.data(), 10), search(opened, query.data(), 10, 100));
    }
    CHECK(sum / 50 > 0.95);
    // The entry is one of the first 5,000, also when a later row is above them.
    Index part = kind.index(dim, 16);
    files.slots = 3;
    files.graph = saved_file(index, PANVEC_FILE_GRAPH, 3, [] {});
    if (kind.has_rows()) files.rows = saved_file(index, PANVEC_FILE_ROWS, 3, [] {});
    CHECK_EQUAL(PANVEC_OK, part.open(files, false));
  }
}

void an_empty_index_is_saved_too() {
  for (const SavedKind& kind : saved_kinds()) {
    const Index index = kind.index(3);
    const Files files = saved(index, kind);
    Index opened = kind.index(3);
    Index view = kind.index(3);
    CHECK_EQUAL(PANVEC_OK, opened.open(files, false));
    CHECK_EQUAL(PANVEC_OK, view.open(files, true));
    const float query[] = {1, 2, 3};
    CHECK(search(view, query, 1, 10).empty());
    CHECK(exact(view, query, 1).empty());
    opened.add({1, 2, 3});
    CHECK_EQUAL(std::size_t{1}, search(opened, query, 1, 10).size());
  }
}

// Searches whatever there is. Distances may be NaN now, and rows twice: only that it ends is asked for.
void look_around(const Index& index, std::mt19937& random) {
  const std::vector<std::uint64_t> half(static_cast<std::size_t>(index.slots() / 64 + 1), 0x5555555555555555);
  for (const std::uint64_t* filter : {static_cast<const std::uint64_t*>(nullptr), half.data()}) {
    const std::vector<float> query = clustered(1, index.dim(), random);
    std::int64_t ids[10];
    float distances[10];
    std::int32_t count = 0;
    // Both kinds of walk.
    for (const std::int32_t ef : {50, 1000}) {
      ok(panvec_usearch_search(index.handle(), index.slots(), nullptr, index.id_pages(), filter, query.data(), 10, ef,
                               2, nullptr, kForever, ids, distances, &count, error_text, sizeof error_text));
      CHECK(count >= 0 && count <= 10);
    }
    count = 0;
    ok(panvec_usearch_exact(index.handle(), 0, index.slots(), nullptr, index.id_pages(), filter, query.data(), 10, 1,
                            ids, distances, &count, error_text, sizeof error_text));
  }
}

void a_damaged_file_is_refused_or_leads_nowhere_else() {
  std::mt19937 random(kSeed + 63);
  constexpr std::size_t dim = 3;
  for (const SavedKind& kind : {SavedKind{PANVEC_L2, PANVEC_USEARCH_F32, true},
                                SavedKind{PANVEC_COSINE, PANVEC_USEARCH_I8, true},
                                SavedKind{PANVEC_DOT, PANVEC_USEARCH_BF16, false}}) {
    Index index = kind.index(dim, 4);
    index.add(clustered(300, dim, random));
    const Files files = saved(index, kind);
    const auto attempt = [&](const Files& damaged, bool as_view) {
      // In blocks of their own size, so that the address sanitizer sees what is read beyond them.
      const Files copy(damaged);
      Index opened = kind.index(dim, 4);
      const std::int32_t status = opened.open(copy, as_view);
      if (status == PANVEC_OK) {
        look_around(opened, random);
        CHECK(saved(opened, kind).graph.size() == files.graph.size());
        return true;
      }
      CHECK_EQUAL(PANVEC_CORRUPT, status);
      CHECK(error_text[0] != '\0');
      return false;
    };
    for (const bool as_view : {false, true}) {
      CHECK(attempt(files, as_view));
      Files damaged = files;
      for (std::size_t size = 0; size < files.graph.size(); size += size < 512 ? 1 : 97) {
        damaged.graph = files.graph.substr(0, size);
        CHECK(!attempt(damaged, as_view));
      }
      damaged.graph = files.graph + '\0';
      CHECK(!attempt(damaged, as_view));
      damaged = files;
      damaged.rows += "1234";
      CHECK(!attempt(damaged, as_view));
      // The heads and levels, which everything else is found by; then any bit.
      const std::size_t code_bytes = kind.quantization == PANVEC_USEARCH_F32
                                         ? dim * sizeof(float)
                                         : static_cast<std::size_t>(panvec_usearch_code_bytes(index.handle()));
      const std::size_t heads = 8 + 300 * code_bytes;
      const std::size_t nodes = heads + 64 + 40 + 300 * 2;
      int refused = 0;
      for (int i = 0; i < 4000; ++i) {
        damaged = files;
        const std::size_t byte = i < 1500 ? heads + random() % (nodes - heads) : random() % files.graph.size();
        damaged.graph[byte] = static_cast<char>(damaged.graph[byte] ^ (1 << random() % 8));
        refused += attempt(damaged, as_view) ? 0 : 1;
      }
      CHECK(refused > 1000);
      // Nodes of nothing but noise.
      for (int i = 0; i < 200; ++i) {
        damaged = files;
        for (std::size_t at = nodes; at < damaged.graph.size(); ++at) {
          damaged.graph[at] = static_cast<char>(random() % (i % 3 == 0 ? 2 : 256));
        }
        CHECK(attempt(damaged, as_view) == as_view);
      }
    }
    Index other = kind.index(dim, 5);
    CHECK_EQUAL(PANVEC_CORRUPT, other.open(files, false));
    Index wider = kind.index(dim + 1, 4);
    CHECK_EQUAL(PANVEC_CORRUPT, wider.open(files, false));
    Files fewer = files;
    fewer.slots = 299;
    Index shorter = kind.index(dim, 4);
    CHECK_EQUAL(PANVEC_CORRUPT, shorter.open(fewer, false));
  }
  // The kinds that differ in nothing but what the head says.
  const SavedKind l2{PANVEC_L2, PANVEC_USEARCH_F16, true};
  Index index = l2.index(dim);
  index.add(clustered(50, dim, random));
  for (const SavedKind& kind : {SavedKind{PANVEC_DOT, PANVEC_USEARCH_F16, true},
                                SavedKind{PANVEC_L2, PANVEC_USEARCH_BF16, true}}) {
    Index other = kind.index(dim);
    CHECK_EQUAL(PANVEC_CORRUPT, other.open(saved(index, l2), true));
  }
}

void opening_without_memory_fails_and_leaks_nothing() {
  std::mt19937 random(kSeed + 64);
  const SavedKind kind{PANVEC_L2, PANVEC_USEARCH_F16, true};
  Index index = kind.index(8);
  index.add(clustered(500, 8, random));
  const Files files = saved(index, kind);
  for (const bool as_view : {false, true}) {
    int failed = 0;
    for (std::int64_t allowed = 0;; ++allowed) {
      Index opened = kind.index(8);
      allocations_left = allowed;
      const std::int32_t status = panvec_usearch_open(
          opened.handle(), files.graph.data(), static_cast<std::int64_t>(files.graph.size()), files.rows.data(),
          static_cast<std::int64_t>(files.rows.size()), files.slots, files.max_row_norm, as_view ? 1 : 0, error_text,
          sizeof error_text);
      allocations_left = -1;
      if (status == PANVEC_OK) break;
      CHECK_EQUAL(PANVEC_OUT_OF_MEMORY, status);
      ++failed;
    }
    CHECK(failed > 0);
  }
}

void a_view_is_not_written_to() {
  std::mt19937 random(kSeed + 65);
  const SavedKind kind{PANVEC_L2, PANVEC_USEARCH_F32, true};
  Index index = kind.index(2);
  index.add(clustered(100, 2, random));
  const Files files = saved(index, kind);
  Index view = kind.index(2);
  CHECK_EQUAL(PANVEC_OK, view.open(files, true));
  panvec_usearch* const handle = view.handle();
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
  refused(panvec_usearch_prepare(handle, 200, text, room));
  refused(panvec_usearch_reserve(handle, 200, text, room));
  refused(panvec_usearch_stage(handle, 100, row, 1, &number, &component, text, room));
  refused(panvec_usearch_stage_from(handle, 100, index.handle(), &slot, 1, text, room));
  refused(panvec_usearch_link(handle, 100, 1, 1, nullptr, 0, &number, text, room));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, index.open(files, false));
  // Another index takes rows from it.
  Index taken = kind.index(2);
  take_over(taken, view, {5, 3}, random);
  CHECK(taken.row(0) == index.row(5));
}

// usearch draws the same levels again after each opening.
void layers_are_added_to_an_index_that_is_opened_for_a_few_rows_each_time() {
  std::mt19937 random(kSeed + 66);
  const SavedKind kind{PANVEC_L2, PANVEC_USEARCH_F32, true};
  Files files = saved(kind.index(4, 16), kind);
  for (int i = 0; i < 600; ++i) {
    Index opened = kind.index(4, 16);
    CHECK_EQUAL(PANVEC_OK, opened.open(files, false));
    opened.add(clustered(3, 4, random));
    files = saved(opened, kind);
  }
  Index opened = kind.index(4, 16);
  CHECK_EQUAL(PANVEC_OK, opened.open(files, false));
  CHECK_EQUAL(std::int64_t{1800}, opened.slots());
  std::size_t above = 0;
  // Levels are two bytes each, before the nodes.
  const std::size_t at = 8 + 1800 * 4 * sizeof(float) + 64 + 40;
  for (std::size_t slot = 0; slot < 1800; ++slot) above += files.graph[at + 2 * slot] > 0 ? 1 : 0;
  std::printf("  %zu of 1800 slots are above the base layer\n", above);
  CHECK(above > 1800 / 16 / 2 && above < 1800 / 16 * 2);
}

void null_where_it_means_nothing_is_refused_by_name() {
  const Index index(PANVEC_L2, 4);
  panvec_usearch* const handle = index.handle();
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
  refused("index", panvec_usearch_create(PANVEC_L2, 4, PANVEC_USEARCH_F32, 16, 100, 1, nullptr, text, room));
  refused("index", panvec_usearch_prepare(nullptr, 1, text, room));
  refused("index", panvec_usearch_reserve(nullptr, 1, text, room));
  refused("index", panvec_usearch_stage(nullptr, 0, row, 1, &number, &component, text, room));
  refused("rows", panvec_usearch_stage(handle, 0, nullptr, 1, &number, &component, text, room));
  refused("bad_row", panvec_usearch_stage(handle, 0, row, 1, nullptr, &component, text, room));
  refused("bad_component", panvec_usearch_stage(handle, 0, row, 1, &number, nullptr, text, room));
  refused("index", panvec_usearch_stage_from(nullptr, 0, handle, &slot, 1, text, room));
  refused("source", panvec_usearch_stage_from(handle, 0, nullptr, &slot, 1, text, room));
  refused("slots", panvec_usearch_stage_from(handle, 0, handle, nullptr, 1, text, room));
  refused("index", panvec_usearch_link(nullptr, 0, 0, 1, nullptr, 0, &number, text, room));
  refused("linked", panvec_usearch_link(handle, 0, 0, 1, nullptr, 0, nullptr, text, room));
  refused("index", panvec_usearch_row(nullptr, 0, out, text, room));
  refused("row", panvec_usearch_row(handle, 0, nullptr, text, room));
  panvec_usearch_saver* saver = nullptr;
  refused("index", panvec_usearch_save_begin(nullptr, PANVEC_FILE_GRAPH, 0, &saver, text, room));
  refused("saver", panvec_usearch_save_begin(handle, PANVEC_FILE_GRAPH, 0, nullptr, text, room));
  char piece[1];
  refused("saver", panvec_usearch_save_next(nullptr, piece, 1 << 20, &number, text, room));
  refused("index", panvec_usearch_open(nullptr, piece, 1, nullptr, 0, 0, 0, 0, text, room));
  refused("graph", panvec_usearch_open(handle, nullptr, 1, nullptr, 0, 0, 0, 0, text, room));
  refused("rows", panvec_usearch_open(handle, piece, 1, nullptr, 1, 0, 0, 0, text, room));
  ok(panvec_usearch_save_begin(handle, PANVEC_FILE_GRAPH, 0, &saver, text, room));
  refused("room", panvec_usearch_save_next(saver, nullptr, 1 << 20, &number, text, room));
  refused("written", panvec_usearch_save_next(saver, piece, 1 << 20, nullptr, text, room));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_usearch_save_next(saver, piece, (1 << 20) - 1, &number, text, room));
  panvec_usearch_save_end(saver);
  panvec_usearch_save_end(nullptr);
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_usearch_save_begin(handle, PANVEC_FILE_ROWS, 0, &saver, text, room));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_usearch_save_begin(handle, PANVEC_FILE_GRAPH, 1, &saver, text, room));
  const auto search = [&](const std::string& name, panvec_usearch* of, const std::int64_t* const* id_pages, const float* query,
                          std::int64_t* to, float* far, std::int32_t* how_many) {
    refused(name, panvec_usearch_search(of, 1, nullptr, id_pages, nullptr, query, 1, 10, 1, nullptr, kForever, to, far,
                                 how_many, text, room));
    refused(name, panvec_usearch_exact(of, 0, 1, nullptr, id_pages, nullptr, query, 1, 1, to, far, how_many, text, room));
    refused(name, panvec_usearch_exact_slots(of, &slot, 1, id_pages, query, 1, 1, to, far, how_many, text, room));
  };
  search("index", nullptr, pages, row, ids, distances, &count);
  search("id_pages", handle, nullptr, row, ids, distances, &count);
  search("query", handle, pages, nullptr, ids, distances, &count);
  search("ids", handle, pages, row, nullptr, distances, &count);
  search("distances", handle, pages, row, ids, nullptr, &count);
  search("count", handle, pages, row, ids, distances, nullptr);
  refused("slots", panvec_usearch_exact_slots(handle, nullptr, 1, pages, row, 1, 1, ids, distances, &count, text, room));

  // Nothing of it has changed anything; and of no elements NULL is as good as any array.
  ok(panvec_usearch_stage(handle, 0, nullptr, 0, &number, &component, text, room));
  ok(panvec_usearch_exact_slots(handle, nullptr, 0, nullptr, row, 1, 1, ids, distances, &count, text, room));
  ok(panvec_usearch_search(handle, 0, nullptr, nullptr, nullptr, row, 1, 10, 1, nullptr, kForever, ids, distances, &count,
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
    CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_usearch_stage_from(index.handle(), first, from.handle(), slots, count,
                                                                   error_text, sizeof error_text));
    CHECK_EQUAL(std::string(text), std::string(error_text));
  };
  const char* kind = "the source has another metric, dimension or quantization, or keeps other vectors";
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
  ok(panvec_usearch_stage_from(index.handle(), 60, source.handle(), nullptr, 0, error_text, sizeof error_text));
  take_over(index, source, good, random);
  CHECK_EQUAL(std::int64_t{53}, index.slots());
  CHECK(index.row(50) == source.row(3) && index.row(51) == source.row(1) && index.row(52) == source.row(2));
  CHECK(index.row(49) == std::vector<float>(rows.end() - 8, rows.end()));
}

}  // namespace

int main() {
  std::printf("usearch %s, %s, seed %u\n", panvec_usearch_upstream_version(), panvec_usearch_simd_level(), kSeed);
  using panvec::check::run;
  run("the walk finds nearly all neighbours", the_walk_finds_nearly_all_neighbours);
  run("dead and filtered slots are never returned and nearly all others are",
      dead_and_filtered_slots_are_never_returned_and_nearly_all_others_are);
  run("a version hides later slots", a_version_hides_later_slots);
  run("every slot is found by its own row", every_slot_is_found_by_its_own_row);
  run("one thread builds the same graph every time", one_thread_builds_the_same_graph_every_time);
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
  run("codes are ranked by vector instructions", codes_are_ranked_by_vector_instructions);
  run("code kernels agree with the reference", code_kernels_agree_with_the_reference);
  run("orthogonal and opposite directions are far in bytes",
      orthogonal_and_opposite_directions_are_far_in_bytes);
  run("long rows keep their directions in bytes", long_rows_keep_their_directions_in_bytes);
  run("lossy types find nearly all neighbours and report exact distances",
      lossy_types_find_nearly_all_neighbours_and_report_exact_distances);
  run("without rows all distances are those of decoded codes",
      without_rows_all_distances_are_those_of_decoded_codes);
  run("values beyond the range of codes are served", values_beyond_the_range_of_codes_are_served);
  run("code kernels always give an order", code_kernels_always_give_an_order);
  run("small products keep their order in half precision", small_products_keep_their_order_in_half_precision);
  run("a bad row changes nothing without rows too", a_bad_row_changes_nothing_without_rows_too);
  run("the walk reads what usearch has written", the_walk_reads_what_usearch_has_written);
  run("slots linked by many threads stay reachable", slots_linked_by_many_threads_stay_reachable);
  run("levels go on when room is added in small steps", levels_go_on_when_room_is_added_in_small_steps);
  run("any number of callers may search", any_number_of_callers_may_search);
  run("more threads than usearch has seen may link", more_threads_than_usearch_has_seen_may_link);
  run("equal and zero rows are linked by many threads", equal_and_zero_rows_are_linked_by_many_threads);
  run("a search ends when asked", a_search_ends_when_asked);
  run("searches are stopped by another thread", searches_are_stopped_by_another_thread);
  run("rows and codes of another index are taken over bit for bit",
      rows_and_codes_of_another_index_are_taken_over_bit_for_bit);
  run("a source of another quantization is refused", a_source_of_another_quantization_is_refused);
  run("scans are exact over large rows that were taken over", scans_are_exact_over_large_rows_that_were_taken_over);
  run("a saved index answers the same", a_saved_index_answers_the_same);
  run("usearch reads what is saved", usearch_reads_what_is_saved);
  run("an index is saved as it was while rows are linked", an_index_is_saved_as_it_was_while_rows_are_linked);
  run("an empty index is saved too", an_empty_index_is_saved_too);
  run("a damaged file is refused or leads nowhere else", a_damaged_file_is_refused_or_leads_nowhere_else);
  run("opening without memory fails and leaks nothing", opening_without_memory_fails_and_leaks_nothing);
  run("a view is not written to", a_view_is_not_written_to);
  run("layers are added to an index that is opened for a few rows each time",
      layers_are_added_to_an_index_that_is_opened_for_a_few_rows_each_time);
  run("NULL where it means nothing is refused by name", null_where_it_means_nothing_is_refused_by_name);
  run("hostile sources are refused", hostile_sources_are_refused);
}
