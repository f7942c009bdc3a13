// The whole C interface: recall, training, versions and filters, bad input, failures half-way, searches beside writing.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>
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
#include <pthread.h>
#endif

#include <faiss/IndexHNSW.h>
#include <faiss/IndexIVF.h>
#include <faiss/impl/io.h>
#include <faiss/index_io.h>

#include "check.hpp"
#include "panvec_faiss.h"
#include "panvec_kernels.hpp"

// ---------------------------------------------------------------------------------------------------------------------
// Allocations, on whatever thread, fail once the countdown has run out; below zero there is none.

namespace {
constexpr std::int64_t kNoStop = std::numeric_limits<std::int64_t>::max();
std::atomic<std::int64_t> allocations_left{-1};
// Set by the allocation with which this countdown runs out: a stop in the middle of a call.
std::atomic<std::int64_t> allocations_until_stop{kNoStop};
std::int32_t stop_by_allocation = 0;

void* allocate(std::size_t bytes) {
  if (allocations_until_stop.fetch_sub(1, std::memory_order_relaxed) == 0) {
    __atomic_store_n(&stop_by_allocation, 1, __ATOMIC_RELAXED);
  }
  if (allocations_left.load(std::memory_order_relaxed) >= 0 && allocations_left.fetch_sub(1) <= 0) {
    allocations_left.store(0);
    throw std::bad_alloc();
  }
  if (void* block = std::malloc(bytes == 0 ? 1 : bytes)) return block;
  throw std::bad_alloc();
}
}  // namespace

void* operator new(std::size_t bytes) { return allocate(bytes); }
void* operator new[](std::size_t bytes) { return allocate(bytes); }
// Not inlined: gcc would warn of a free that meets a pointer from operator new.
__attribute__((noinline)) void operator delete(void* block) noexcept { std::free(block); }
__attribute__((noinline)) void operator delete[](void* block) noexcept { std::free(block); }
__attribute__((noinline)) void operator delete(void* block, std::size_t) noexcept { std::free(block); }
__attribute__((noinline)) void operator delete[](void* block, std::size_t) noexcept { std::free(block); }

// Under the address sanitizer a request for too much memory is to be answered, not fatal.
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }

namespace {

constexpr std::uint32_t kSeed = 20261121;
constexpr std::int64_t kSlotsPerPage = 32768;
constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();

char error_text[512];

void ok(std::int32_t status) {
  if (status != PANVEC_OK) panvec::check::failed(__FILE__, __LINE__, std::string("unexpected: ") + error_text);
}

struct Type {
  std::int32_t number;
  const char* name;
  bool trained;
  bool lossy;
  bool lists;
  bool graph;
};
constexpr Type kTypes[] = {
    {PANVEC_FAISS_FLAT, "flat", false, false, false, false},
    {PANVEC_FAISS_HNSW, "hnsw", false, false, false, true},
    {PANVEC_FAISS_HNSW_SQ8, "hnsw_sq8", true, true, false, true},
    {PANVEC_FAISS_IVF_FLAT, "ivf_flat", true, false, true, false},
    {PANVEC_FAISS_IVF_SQ8, "ivf_sq8", true, true, true, false},
    {PANVEC_FAISS_IVF_PQ, "ivf_pq", true, true, true, false},
    {PANVEC_FAISS_PQ, "pq", true, true, false, false},
    {PANVEC_FAISS_SQ8, "sq8", true, true, false, false},
};

struct Options {
  std::int32_t m = 16;
  std::int32_t ef_construction = 100;
  std::int32_t pq_m = 0;  // 0: dim / 4
  std::int32_t pq_bits = 8;
  std::int32_t keep_vectors = 1;
  std::int64_t seed = 42;
};

// How wide a search looks.
struct Width {
  std::int32_t ef_search = 100;
  std::int32_t nprobe = 8;
  std::int32_t refine_factor = 8;
};

// An index with the version that an engine would keep for it: ids, dead slots, counts.
class Index {
 public:
  Index(std::int32_t metric, std::size_t dim, const Type& type, const Options& options = {})
      : dim_(dim), metric_(metric), type_(type) {
    const auto d = static_cast<std::int32_t>(dim);
    const std::int32_t pq_m = options.pq_m > 0 ? options.pq_m : d % 4 == 0 ? d / 4 : d;
    panvec_faiss* made = nullptr;
    ok(panvec_faiss_create(metric, d, type.number, options.m, options.ef_construction, pq_m, options.pq_bits,
                           options.keep_vectors, options.seed, &made, error_text, sizeof error_text));
    handle_.reset(made);
  }

  panvec_faiss* handle() const { return handle_.get(); }
  const Type& type() const { return type_; }
  std::int64_t slots() const { return slot_count_; }
  std::int32_t metric() const { return metric_; }
  std::size_t dim() const { return dim_; }
  const std::int64_t* const* id_pages() const { return id_pages_.data(); }
  const std::uint64_t* const* dead_pages() const { return dead_.empty() ? nullptr : dead_pages_.data(); }
  bool is_dead(std::int64_t slot) const { return dead_.count(slot) != 0; }
  static std::int64_t id_of(std::int64_t slot) { return 1000000 - 7 * slot; }

  void reserve(std::int64_t capacity) {
    ok(panvec_faiss_prepare(handle(), capacity, error_text, sizeof error_text));
    ok(panvec_faiss_reserve(handle(), capacity, error_text, sizeof error_text));
    name(capacity);
  }

  // Slots that came from files.
  void adopt(std::int64_t count) {
    name(count);
    slot_count_ = count;
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
    const auto count = static_cast<std::int64_t>(rows.size() / dim_);
    reserve(slot_count_ + count);
    stage(rows);
    ok(panvec_faiss_encode(handle(), slot_count_ + count, threads, nullptr, kForever, error_text, sizeof error_text));
    std::int64_t linked = 0;
    ok(panvec_faiss_link(handle(), slot_count_, count, threads, nullptr, 0, &linked, error_text, sizeof error_text));
    CHECK_EQUAL(count, linked);
    slot_count_ += count;
  }

  void stage(const std::vector<float>& rows) {
    std::int64_t row = -7;
    std::int32_t component = -7;
    ok(panvec_faiss_stage(handle(), slot_count_, rows.data(), static_cast<std::int64_t>(rows.size() / dim_), &row,
                          &component, error_text, sizeof error_text));
  }

  // On its own rows, and catches up.
  void train(std::int32_t nlist, std::int32_t threads = 1) {
    if (!type_.trained) return;
    std::int64_t row;
    std::int32_t component;
    ok(panvec_faiss_train(handle(), nlist, nullptr, nullptr, slot_count_, threads, nullptr, kForever, &row, &component,
                          error_text, sizeof error_text));
    CHECK_EQUAL(slot_count_, panvec_faiss_backlog(handle()));
    catch_up(threads);
  }

  void catch_up(std::int32_t threads = 1) {
    std::int64_t linked = -1;
    ok(panvec_faiss_encode(handle(), slot_count_, threads, nullptr, kForever, error_text, sizeof error_text));
    ok(panvec_faiss_link(handle(), slot_count_, 0, threads, nullptr, 0, &linked, error_text, sizeof error_text));
    CHECK_EQUAL(std::int64_t{0}, linked);
    CHECK_EQUAL(std::int64_t{0}, panvec_faiss_backlog(handle()));
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
    std::vector<float> row(dim_);
    ok(panvec_faiss_row(handle(), slot, row.data(), error_text, sizeof error_text));
    return row;
  }

 private:
  struct Free {
    void operator()(panvec_faiss* index) const { panvec_faiss_free(index); }
  };

  std::unique_ptr<panvec_faiss, Free> handle_;
  std::size_t dim_;
  std::int32_t metric_;
  Type type_;
  std::int64_t slot_count_ = 0;
  std::set<std::int64_t> dead_;
  std::vector<std::unique_ptr<std::int64_t[]>> ids_;
  std::vector<std::unique_ptr<std::uint64_t[]>> dead_words_;
  std::vector<const std::int64_t*> id_pages_;
  std::vector<const std::uint64_t*> dead_pages_;
};

using Hits = std::vector<std::pair<float, std::int64_t>>;

Hits search(const Index& index, const float* query, std::int32_t k, const Width& width = {},
            const std::uint64_t* filter = nullptr) {
  std::vector<std::int64_t> ids(static_cast<std::size_t>(k));
  std::vector<float> distances(static_cast<std::size_t>(k));
  std::int32_t count = -1;
  ok(panvec_faiss_search(index.handle(), index.slots(), index.dead_pages(), index.id_pages(), filter, query, k,
                         width.ef_search, width.nprobe, width.refine_factor, nullptr, kForever, ids.data(),
                         distances.data(), &count, error_text, sizeof error_text));
  CHECK(count >= 0 && count <= k);
  Hits hits;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) hits.emplace_back(distances[i], ids[i]);
  CHECK(std::is_sorted(hits.begin(), hits.end()));
  CHECK(std::adjacent_find(hits.begin(), hits.end()) == hits.end());
  return hits;
}

Hits exact(const Index& index, const float* query, std::int32_t k, const std::uint64_t* filter = nullptr,
           std::int64_t slice = std::numeric_limits<std::int32_t>::max()) {
  std::vector<std::int64_t> ids(static_cast<std::size_t>(k));
  std::vector<float> distances(static_cast<std::size_t>(k));
  std::int32_t count = 0;
  for (std::int64_t from = 0; from == 0 || from < index.slots(); from += slice) {
    const std::int64_t to = std::min(index.slots(), from + slice);
    ok(panvec_faiss_exact(index.handle(), from, to, index.dead_pages(), index.id_pages(), filter, query, k,
                          to == index.slots() ? 1 : 0, ids.data(), distances.data(), &count, error_text,
                          sizeof error_text));
  }
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

std::vector<float> some(const std::vector<float>& rows, std::size_t from, std::size_t to, std::size_t dim) {
  return {rows.begin() + static_cast<std::ptrdiff_t>(from * dim), rows.begin() + static_cast<std::ptrdiff_t>(to * dim)};
}

std::vector<float> one(const std::vector<float>& rows, std::size_t at, std::size_t dim) {
  return some(rows, at, at + 1, dim);
}

// The share of the true k hits, counting equal distances as hits.
double recall(const Hits& truth, const Hits& hits) {
  std::size_t found = 0;
  for (const auto& hit : hits) found += hit.first <= truth.back().first ? 1 : 0;
  return static_cast<double>(found) / static_cast<double>(truth.size());
}

double mean_recall(const Index& index, const std::vector<float>& queries, std::int32_t k, const Width& width) {
  const std::size_t dim = index.dim(), count = queries.size() / dim;
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const Hits truth = exact(index, &queries[i * dim], k);
    sum += recall(truth, search(index, &queries[i * dim], k, width));
  }
  return sum / static_cast<double>(count);
}

std::string where(const Type& type, std::int32_t metric, std::size_t dim) {
  return std::string(type.name) + ", metric " + std::to_string(metric) + ", dim " + std::to_string(dim);
}

// ---------------------------------------------------------------------------------------------------------------------

void every_type_finds_nearly_all_neighbours() {
  std::mt19937 random(kSeed);
  for (const Type& type : kTypes) {
    for (const std::int32_t metric : {PANVEC_L2, PANVEC_COSINE, PANVEC_DOT}) {
      for (const std::size_t dim : {8, 17, 64}) {
        Index index(metric, dim, type);
        index.add(clustered(3000, dim, random), 2);
        index.train(32, 2);
        // Rows that come after the training, one by one and as a batch.
        index.add(clustered(1, dim, random), 2);
        index.add(clustered(500, dim, random), 2);
        const std::vector<float> queries = clustered(40, dim, random);
        for (std::size_t i = 0; i < 3; ++i) {
          const std::vector<float> query = one(queries, i, dim);
          CHECK(exact(index, query.data(), 10) == brute_force(index, query, 10));
        }
        const double reached = mean_recall(index, queries, 10, {100, 16, 16});
        const double least = type.number == PANVEC_FAISS_FLAT ? 1.0 : metric == PANVEC_DOT && type.graph ? 0.85 : 0.95;
        if (reached < least) {
          panvec::check::failed(__FILE__, __LINE__,
                                where(type, metric, dim) + ": recall " + std::to_string(reached));
        }
        // All lists, all candidates: exact, whatever the type ranks by.
        if (!type.graph) {
          const Width everything{1, 32, 1000};
          CHECK(search(index, queries.data(), 10, everything) == exact(index, queries.data(), 10));
        }
      }
    }
  }
}

void dead_and_filtered_slots_are_never_returned() {
  std::mt19937 random(kSeed + 1);
  constexpr std::size_t dim = 16, count = 2500;
  for (const Type& type : kTypes) {
    for (const std::int32_t metric : {PANVEC_L2, PANVEC_COSINE, PANVEC_DOT}) {
      std::size_t wanted = 0, reached = 0;
      Index index(metric, dim, type);
      index.add(clustered(count, dim, random), 2);
      index.train(20, 2);
      for (const int percent_dead : {0, 50, 99}) {
        for (std::int64_t slot = 0; slot < static_cast<std::int64_t>(count); ++slot) {
          if (static_cast<int>(random() % 100) < percent_dead) index.kill(slot);
        }
        for (const int per_mille : {1000, 300, 20, 0}) {
          std::vector<std::uint64_t> filter((count + 63) / 64);
          for (std::size_t slot = 0; slot < count; ++slot) {
            if (static_cast<int>(random() % 1000) < per_mille) filter[slot / 64] |= std::uint64_t{1} << (slot % 64);
          }
          const std::vector<float> query = clustered(1, dim, random);
          for (const std::int32_t k : {1, 10, 3000}) {
            const std::uint64_t* const filters[] = {nullptr, filter.data()};
            for (const std::uint64_t* allowed : filters) {
              const Hits all = brute_force(index, query, 1 << 20, allowed);
              const Hits found = search(index, query.data(), k, {50, 20, 4}, allowed);
              const std::size_t most = std::min(all.size(), static_cast<std::size_t>(k));
              CHECK(found.size() <= most);
              const std::set<std::pair<float, std::int64_t>> possible(all.begin(), all.end());
              for (const auto& hit : found) CHECK(possible.count(hit) == 1);
              wanted += most;
              reached += found.size();
              CHECK(exact(index, query.data(), k, allowed, 777) ==
                    Hits(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(most)));
            }
          }
        }
      }
      // All lists are looked at; by inner products, links lead to a part of the rows only.
      if (type.graph) {
        CHECK(reached >= wanted * (metric == PANVEC_DOT ? 70 : 99) / 100);
      } else {
        CHECK_EQUAL(wanted, reached);
      }
    }
  }
}

void a_version_hides_later_slots() {
  std::mt19937 random(kSeed + 2);
  for (const Type& type : kTypes) {
    Index index(PANVEC_L2, 8, type);
    index.add(gaussian(1000, 8, random));
    index.train(4);
    const std::vector<float> query = gaussian(1, 8, random);
    for (const std::int64_t visible : {0, 1, 9, 10, 500}) {
      std::int64_t ids[10];
      float distances[10];
      std::int32_t count = -1;
      ok(panvec_faiss_search(index.handle(), visible, nullptr, index.id_pages(), nullptr, query.data(), 10, 64, 4, 4,
                             nullptr, kForever, ids, distances, &count, error_text, sizeof error_text));
      CHECK(count <= std::min<std::int64_t>(10, visible));
      CHECK((count > 0) == (visible > 0));
      for (std::int32_t i = 0; i < count; ++i) CHECK(ids[i] > Index::id_of(visible));
    }
  }
}

void threads_do_not_change_training_and_codes() {
  std::mt19937 random(kSeed + 3);
  constexpr std::size_t dim = 32;
  const std::vector<float> rows = clustered(6000, dim, random), queries = clustered(10, dim, random);
  for (const Type& type : kTypes) {
    if (!type.trained || type.graph) continue;
    Options options;
    options.keep_vectors = type.lossy ? 0 : 1;  // so that distances show the codes
    Index serial(PANVEC_L2, dim, type, options), parallel(PANVEC_L2, dim, type, options);
    serial.add(rows, 1);
    parallel.add(rows, 1);
    serial.train(40, 1);
    parallel.train(40, 5);
    for (std::size_t i = 0; i < 10; ++i) {
      const float* query = &queries[i * dim];
      CHECK(search(serial, query, 20, {1, 3, 2}) == search(parallel, query, 20, {1, 3, 2}));
    }
    options.seed = 43;
    Index other(PANVEC_L2, dim, type, options);
    other.add(rows, 1);
    other.train(40, 2);
    // Minimum and maximum of all rows do not depend on a seed.
    if (type.lists || type.number == PANVEC_FAISS_PQ) {
      CHECK(search(serial, queries.data(), 200, {1, 1, 1}) != search(other, queries.data(), 200, {1, 1, 1}));
    }
  }
}

void one_thread_builds_the_same_graph_every_time() {
  std::mt19937 random(kSeed + 4);
  constexpr std::size_t dim = 16;
  const std::vector<float> rows = gaussian(1500, dim, random), query = gaussian(1, dim, random);
  for (const Type& type : kTypes) {
    if (!type.graph) continue;
    Index whole(PANVEC_L2, dim, type), pieces(PANVEC_L2, dim, type);
    whole.add(rows);
    whole.train(1);
    for (std::size_t at = 0; at < 1500; at += 100) pieces.add(some(rows, at, at + 100, dim));
    pieces.train(1);
    CHECK_EQUAL(panvec_faiss_max_level(whole.handle()), panvec_faiss_max_level(pieces.handle()));
    for (const std::int32_t ef : {10, 11, 13, 20}) {
      CHECK(search(whole, query.data(), 10, {ef, 1, 1}) == search(pieces, query.data(), 10, {ef, 1, 1}));
    }
  }
}

void several_threads_build_a_graph_as_good() {
  std::mt19937 random(kSeed + 5);
  constexpr std::size_t dim = 12;
  const std::vector<float> rows = gaussian(6000, dim, random), queries = gaussian(50, dim, random);
  for (const Type& type : kTypes) {
    if (!type.graph) continue;
    // Few links, so that many slots rise above all others while threads are at work.
    Options options;
    options.m = 4;
    options.ef_construction = 40;
    Index serial(PANVEC_L2, dim, type, options), parallel(PANVEC_L2, dim, type, options);
    serial.add(rows, 1);
    serial.train(1, 1);
    parallel.add(rows, 8);
    parallel.train(1, 8);
    CHECK(panvec_faiss_max_level(serial.handle()) >= 4);
    CHECK_EQUAL(panvec_faiss_max_level(serial.handle()), panvec_faiss_max_level(parallel.handle()));
    const double one_by_one = mean_recall(serial, queries, 10, {100, 1, 8});
    CHECK(mean_recall(parallel, queries, 10, {100, 1, 8}) >= one_by_one - 0.03);
    // As many of them can be reached.
    const Width everything{6000, 1, 1};
    const std::size_t reached = search(serial, queries.data(), 6000, everything).size();
    CHECK(reached >= 5700);
    CHECK(search(parallel, queries.data(), 6000, everything).size() >= reached - 60);
  }
}

void an_untrained_index_counts_and_catches_up() {
  std::mt19937 random(kSeed + 6);
  constexpr std::size_t dim = 16;
  for (const Type& type : kTypes) {
    if (!type.trained) continue;
    Index index(PANVEC_L2, dim, type);
    CHECK_EQUAL(0, panvec_faiss_is_trained(index.handle()));
    index.add(clustered(2000, dim, random));
    CHECK_EQUAL(std::int64_t{2000}, panvec_faiss_backlog(index.handle()));
    const std::vector<float> query = clustered(1, dim, random);
    CHECK(search(index, query.data(), 10).empty());
    CHECK(exact(index, query.data(), 10) == brute_force(index, query, 10));
    std::int64_t row;
    std::int32_t component;
    ok(panvec_faiss_train(index.handle(), 16, nullptr, nullptr, 2000, 2, nullptr, kForever, &row, &component,
                          error_text, sizeof error_text));
    CHECK_EQUAL(1, panvec_faiss_is_trained(index.handle()));
    CHECK_EQUAL(type.lists ? 16 : 0, panvec_faiss_nlist(index.handle()));
    CHECK(search(index, query.data(), 10).empty());
    // Linking must wait for encoding.
    std::int64_t linked = -1;
    CHECK_EQUAL(PANVEC_INVALID_ARGUMENT,
                panvec_faiss_link(index.handle(), 2000, 0, 2, nullptr, 0, &linked, error_text, sizeof error_text));
    // New rows come in before it has caught up; always asked to give way.
    index.reserve(2300);
    index.stage(clustered(300, dim, random));
    ok(panvec_faiss_encode(index.handle(), 2300, 2, nullptr, kForever, error_text, sizeof error_text));
    const std::int32_t yield = 1;
    std::int64_t done = 0;
    int calls = 0;
    while (done < 300) {
      const std::int64_t backlog = panvec_faiss_backlog(index.handle());
      ok(panvec_faiss_link(index.handle(), 2000 + done, 300 - done, 2, &yield, 0, &linked, error_text,
                           sizeof error_text));
      CHECK(linked > 0 || panvec_faiss_backlog(index.handle()) < backlog);
      CHECK(linked == 0 || panvec_faiss_backlog(index.handle()) == 0);
      if (panvec_faiss_backlog(index.handle()) > 0) CHECK(search(index, query.data(), 10).empty());
      done += linked;
      ++calls;
    }
    CHECK(!(type.graph || type.lists) || calls > 5);
    index.publish(300);
    CHECK(mean_recall(index, clustered(30, dim, random), 10, {100, 8, 16}) >= 0.95);
  }
}

void an_index_may_be_trained_on_a_sample_first() {
  std::mt19937 random(kSeed + 7);
  constexpr std::size_t dim = 16;
  for (const Type& type : kTypes) {
    if (!type.trained) continue;
    for (const std::int32_t metric : {PANVEC_L2, PANVEC_COSINE, PANVEC_DOT}) {
      Index index(metric, dim, type);
      const std::vector<float> sample = clustered(9000, dim, random);
      std::int64_t row;
      std::int32_t component;
      ok(panvec_faiss_train(index.handle(), 8, sample.data(), nullptr, 9000, 2, nullptr, kForever, &row, &component,
                            error_text, sizeof error_text));
      CHECK_EQUAL(std::int64_t{0}, panvec_faiss_backlog(index.handle()));
      const std::vector<float> rows = clustered(300, dim, random);
      for (std::size_t at = 0; at < 300; at += 15) index.add(some(rows, at, at + 15, dim));
      CHECK(mean_recall(index, clustered(30, dim, random), 10, {100, 8, 8}) >= 0.95);
    }
  }
}

void without_vectors_codes_answer() {
  std::mt19937 random(kSeed + 8);
  constexpr std::size_t dim = 32;
  for (const Type& type : kTypes) {
    if (!type.lossy) continue;
    for (const std::int32_t metric : {PANVEC_L2, PANVEC_COSINE, PANVEC_DOT}) {
      Options options;
      options.keep_vectors = 0;
      Index index(metric, dim, type, options), keeping(metric, dim, type);
      const std::vector<float> rows = clustered(3000, dim, random), later = clustered(400, dim, random);
      index.add(rows, 2);
      keeping.add(rows, 2);
      CHECK(index.row(7) == keeping.row(7));
      const std::int64_t before = panvec_faiss_memory_bytes(index.handle());
      index.train(16, 2);
      keeping.train(16, 2);
      if (!type.lists) CHECK(panvec_faiss_memory_bytes(index.handle()) < before);
      CHECK(panvec_faiss_memory_bytes(index.handle()) < panvec_faiss_memory_bytes(keeping.handle()));
      for (std::size_t at = 0; at < 400; at += 100) {
        index.add(some(later, at, at + 100, dim), 2);
        keeping.add(some(later, at, at + 100, dim), 2);
      }
      float row[dim];
      CHECK_EQUAL(PANVEC_UNSUPPORTED,
                  panvec_faiss_row(index.handle(), 0, row, error_text, sizeof error_text));
      const std::vector<float> queries = clustered(20, dim, random);
      double agreeing = 0;
      for (std::size_t i = 0; i < 20; ++i) {
        const float* query = &queries[i * dim];
        const Hits all = exact(index, query, 4000), truth = exact(keeping, query, 10);
        CHECK_EQUAL(std::size_t{3400}, all.size());
        CHECK(std::is_sorted(all.begin(), all.end()));
        // What a search reports is what the exact scan over decoded codes reports.
        const std::set<std::pair<float, std::int64_t>> possible(all.begin(), all.end());
        const Hits found = search(index, query, 10, {200, 16, 4});
        CHECK_EQUAL(std::size_t{10}, found.size());
        std::set<std::int64_t> wanted;
        for (const auto& hit : truth) wanted.insert(hit.second);
        for (const auto& hit : found) {
          CHECK(possible.count(hit) == 1);
          agreeing += static_cast<double>(wanted.count(hit.second)) / 200;
        }
        // The rank by codes is the order of the decoded codes.
        const double in_order = recall(Hits(all.begin(), all.begin() + 10), search(index, query, 10, {200, 16, 1}));
        CHECK(in_order >= (type.graph ? 0.8 : 1.0));
        // A decoded row is near its row: codes, residuals and places belong together.
        if (metric == PANVEC_L2) {
          const Hits nearest = exact(index, &later[i * dim], 3);
          CHECK(nearest[0].first < 1.0f);
        }
      }
      // Product codes tell clusters apart, and little within them: there, re-ranking is what finds neighbours.
      const bool product = type.number == PANVEC_FAISS_PQ || type.number == PANVEC_FAISS_IVF_PQ;
      if (!product && agreeing < 0.8) {
        panvec::check::failed(__FILE__, __LINE__, where(type, metric, dim) + ": " + std::to_string(agreeing));
      }
    }
  }
}

void extreme_values_are_served() {
  for (const Type& type : kTypes) {
    for (const std::int32_t metric : {PANVEC_L2, PANVEC_COSINE, PANVEC_DOT}) {
      for (const float scale : {1e-45f, 1e-30f, 1.0f, 1e30f, 3e38f}) {
        std::mt19937 random(kSeed + 9);
        std::vector<float> rows;
        for (std::size_t i = 0; i < 400; ++i) {
          for (std::size_t j = 0; j < 6; ++j) {
            const float sign = random() % 2 == 0 ? 1.0f : -1.0f;
            // Half of the rows are equal, and one component is constant.
            rows.push_back(i < 200 || j == 5 ? scale : sign * scale);
          }
        }
        Options options;
        options.pq_bits = 4;
        options.pq_m = 3;
        Index index(metric, 6, type, options);
        index.add(rows, 2);
        index.train(20, 2);
        // Beyond and far below the range it was trained on.
        std::vector<float> others(12, 3e38f);
        for (std::size_t j = 6; j < 12; ++j) others[j] = -1e-40f;
        index.add(others);
        for (const std::int32_t k : {1, 10, 300}) {
          for (const std::size_t at : {std::size_t{399}, std::size_t{0}}) {
            const std::vector<float> query = one(rows, at, 6);
            const Hits all = brute_force(index, query, 402);
            const std::set<std::pair<float, std::int64_t>> possible(all.begin(), all.end());
            const Hits found = search(index, query.data(), k, {20, 20, 4});
            CHECK(!found.empty());
            for (const auto& hit : found) {
              CHECK(possible.count(hit) == 1);
              CHECK(hit.first == hit.first);
            }
            CHECK(exact(index, query.data(), k) == Hits(all.begin(), all.begin() + k));
            const Hits from_afar = search(index, others.data(), k, {20, 20, 4});
            CHECK(!from_afar.empty());
          }
        }
        options.keep_vectors = 0;
        Index coded(metric, 6, type, options);
        coded.add(rows, 2);
        coded.train(20, 2);
        const Hits found = search(coded, rows.data(), 10, {20, 20, 4});
        CHECK(!found.empty());
        for (const auto& hit : found) CHECK(hit.first == hit.first);
      }
    }
  }
}

void the_smallest_shapes_work() {
  for (const Type& type : kTypes) {
    Options options;
    options.pq_bits = 4;
    Index index(PANVEC_L2, 1, type, options);
    std::vector<float> rows(16);
    std::iota(rows.begin(), rows.end(), 0.0f);
    index.add(rows, 3);
    index.train(1, 3);
    const float query[] = {3.2f};
    const Hits found = search(index, query, 100, {100, 99, 100});
    CHECK_EQUAL(std::size_t{16}, found.size());
    CHECK(found == exact(index, query, 100));
    CHECK_EQUAL(Index::id_of(3), found[0].second);
    if (type.number == PANVEC_FAISS_PQ || type.number == PANVEC_FAISS_IVF_PQ) continue;
    // One row, for training and at all.
    Index single(PANVEC_COSINE, 3, type);
    single.add({1.0f, 2.0f, 3.0f});
    single.train(1, 2);
    const float direction[] = {3.0f, 2.0f, 1.0f};
    CHECK_EQUAL(std::size_t{1}, search(single, direction, 5).size());
    single.kill(0);
    CHECK(search(single, direction, 5).empty());
  }
}

void equal_rows_train() {
  for (const Type& type : kTypes) {
    for (const std::int32_t metric : {PANVEC_L2, PANVEC_COSINE, PANVEC_DOT}) {
      Index index(metric, 8, type);
      index.add(std::vector<float>(std::size_t{3000} * 8, 0.5f), 2);
      index.train(100, 2);
      const std::vector<float> query(8, 0.5f);
      const Hits found = search(index, query.data(), 10, {64, 100, 4});
      CHECK_EQUAL(std::size_t{10}, found.size());
      CHECK_EQUAL(exact(index, query.data(), 1)[0].first, found[0].first);
    }
  }
}

void an_empty_index_answers_nothing() {
  for (const Type& type : kTypes) {
    Index index(PANVEC_COSINE, 4, type);
    const float query[] = {1.0f, 2.0f, 3.0f, 4.0f};
    CHECK(search(index, query, 10).empty());
    index.reserve(100);
    CHECK(search(index, query, 1 << 20).empty());
    CHECK_EQUAL(-1, panvec_faiss_max_level(index.handle()));
    const float bad[] = {1.0f, std::numeric_limits<float>::quiet_NaN(), 3.0f, 4.0f};
    std::int64_t id;
    float distance;
    std::int32_t count = 0;
    CHECK_EQUAL(PANVEC_INVALID_VECTOR,
                panvec_faiss_search(index.handle(), 0, nullptr, index.id_pages(), nullptr, bad, 1, 10, 1, 1, nullptr,
                                    kForever, &id, &distance, &count, error_text, sizeof error_text));
    CHECK_EQUAL(std::string("query: component 1 is NaN"), std::string(error_text));
  }
}

void bad_rows_are_named_and_change_nothing() {
  std::mt19937 random(kSeed + 10);
  constexpr std::size_t dim = 8;
  for (const Type& type : kTypes) {
    Index index(PANVEC_COSINE, dim, type);
    index.add(clustered(600, dim, random));
    index.train(4);
    index.reserve(700);
    const std::vector<float> query = clustered(1, dim, random);
    const Hits before = search(index, query.data(), 10);
    std::vector<float> rows = clustered(50, dim, random);
    std::int64_t row = -7;
    std::int32_t component = -7;
    rows[20 * dim + 3] = std::numeric_limits<float>::infinity();
    CHECK_EQUAL(PANVEC_INVALID_VECTOR, panvec_faiss_stage(index.handle(), 600, rows.data(), 50, &row, &component,
                                                          error_text, sizeof error_text));
    CHECK_EQUAL(std::string("row 20: component 3 is infinite"), std::string(error_text));
    CHECK_EQUAL(std::int64_t{20}, row);
    CHECK_EQUAL(3, component);
    std::fill(rows.begin(), rows.begin() + dim, 0.0f);
    CHECK_EQUAL(PANVEC_INVALID_VECTOR, panvec_faiss_stage(index.handle(), 600, rows.data(), 50, &row, &component,
                                                          error_text, sizeof error_text));
    CHECK_EQUAL(std::int64_t{0}, row);
    CHECK_EQUAL(-1, component);
    CHECK(search(index, query.data(), 10) == before);
    index.add(clustered(50, dim, random));
    CHECK(exact(index, query.data(), 10) == brute_force(index, query, 10));
    if (!type.trained) continue;
    Index untrained(PANVEC_COSINE, dim, type);
    std::vector<float> sample = clustered(2000, dim, random);
    sample[1500 * dim] = std::numeric_limits<float>::quiet_NaN();
    CHECK_EQUAL(PANVEC_INVALID_VECTOR, panvec_faiss_train(untrained.handle(), 2, sample.data(), nullptr, 2000, 2,
                                                          nullptr, kForever, &row, &component, error_text,
                                                          sizeof error_text));
    CHECK_EQUAL(std::int64_t{1500}, row);
    CHECK_EQUAL(0, panvec_faiss_is_trained(untrained.handle()));
  }
}

void slots_can_be_staged_again() {
  std::mt19937 random(kSeed + 11);
  constexpr std::size_t dim = 8;
  for (const Type& type : kTypes) {
    for (const std::int32_t keep : {1, 0}) {
      Options options;
      options.keep_vectors = keep;
      Index index(PANVEC_L2, dim, type, options);
      const std::vector<float> rows = clustered(600, dim, random);
      index.add(rows);
      index.train(4);
      index.reserve(800);
      index.stage(gaussian(120, dim, random));
      ok(panvec_faiss_encode(index.handle(), 720, 1, nullptr, kForever, error_text, sizeof error_text));
      // The batch was given up; another one takes its slots.
      index.add(some(rows, 0, 90, dim));
      const Hits found = search(index, rows.data(), 2, {50, 4, 50});
      CHECK_EQUAL(found[0].first, found[1].first);
      CHECK_EQUAL(Index::id_of(600), std::min(found[0].second, found[1].second));
    }
  }
}

void too_few_rows_and_wrong_order_are_refused() {
  std::mt19937 random(kSeed + 12);
  std::int64_t row;
  std::int32_t component;
  const auto refused = [&](Index& index, std::int32_t nlist, std::int64_t count, const std::string& text) {
    CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_faiss_train(index.handle(), nlist, nullptr, nullptr, count, 1, nullptr,
                                                            kForever, &row, &component, error_text,
                                                            sizeof error_text));
    CHECK_EQUAL(text, std::string(error_text));
  };
  for (const Type& type : kTypes) {
    Index index(PANVEC_L2, 8, type);
    if (!type.trained) {
      refused(index, 1, 0, "an index of this type needs no training");
      continue;
    }
    index.add(gaussian(100, 8, random));
    const std::string name = type.name;
    refused(index, 10, 0, name + " needs at least 1 training row, not 0");
    refused(index, 10, 101, "sample_count is beyond the staged rows");
    if (type.number == PANVEC_FAISS_PQ || type.number == PANVEC_FAISS_IVF_PQ) {
      refused(index, 10, 100, name + " with pqBits=8 needs at least 256 training rows, not 100");
      index.add(gaussian(200, 8, random));
    } else if (type.lists) {
      refused(index, 1024, 100, name + " with nlist=1024 needs at least 1024 training rows, not 100");
      refused(index, 0, 100, "nlist must be at least 1");
    }
    index.train(10);
    refused(index, 10, 100, "the index is trained already");
  }
  const Type& hnsw = kTypes[PANVEC_FAISS_HNSW];
  Index index(PANVEC_L2, 8, hnsw);
  index.add(gaussian(10, 8, random));
  index.reserve(100);
  const std::vector<float> rows = gaussian(10, 8, random);
  std::int64_t linked = -1;
  const auto stage = [&](std::int64_t first) {
    return panvec_faiss_stage(index.handle(), first, rows.data(), 10, &row, &component, error_text, sizeof error_text);
  };
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, stage(9));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, stage(11));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, stage(91));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT,
              panvec_faiss_link(index.handle(), 10, 1, 1, nullptr, 0, &linked, error_text, sizeof error_text));
  ok(stage(10));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT,
              panvec_faiss_link(index.handle(), 11, 1, 1, nullptr, 0, &linked, error_text, sizeof error_text));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT,
              panvec_faiss_link(index.handle(), 10, -1, 1, nullptr, 0, &linked, error_text, sizeof error_text));
  panvec_faiss* made = nullptr;
  const auto create = [&](std::int32_t dim, std::int32_t type, std::int32_t m, std::int32_t pq_m, std::int32_t bits) {
    return panvec_faiss_create(PANVEC_L2, dim, type, m, 40, pq_m, bits, 1, 1, &made, error_text, sizeof error_text);
  };
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, create(0, PANVEC_FAISS_FLAT, 16, 1, 8));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, create(8, 8, 16, 1, 8));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, create(8, PANVEC_FAISS_HNSW, 1, 1, 8));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, create(8, PANVEC_FAISS_PQ, 16, 3, 8));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, create(8, PANVEC_FAISS_PQ, 16, 4, 13));
  ok(panvec_faiss_create(PANVEC_L2, 8, PANVEC_FAISS_FLAT, 0, 0, 0, 0, 1, 1, &made, error_text, sizeof error_text));
  panvec_faiss_free(made);
  panvec_faiss_free(nullptr);
}

void growth_without_memory_leaves_the_index_as_it_was() {
  std::mt19937 random(kSeed + 13);
  for (const Type& type : kTypes) {
    Index index(PANVEC_L2, 4096, type, {16, 100, 0, 4, 1, 42});
    index.add(gaussian(40, 4096, random));
    index.train(2);
    const std::vector<float> query = gaussian(1, 4096, random);
    const Hits before = search(index, query.data(), 5, {50, 2, 50});
    constexpr std::int64_t absurd = std::numeric_limits<std::int32_t>::max();
    for (const auto grow : {panvec_faiss_prepare, panvec_faiss_reserve}) {
      const std::int32_t status = grow(index.handle(), absurd, error_text, sizeof error_text);
      if (status != PANVEC_OK) CHECK_EQUAL(PANVEC_OUT_OF_MEMORY, status);  // a system may promise anything
      CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, grow(index.handle(), -1, error_text, sizeof error_text));
      CHECK(search(index, query.data(), 5, {50, 2, 50}) == before);
    }
    index.add(gaussian(5, 4096, random));
    CHECK_EQUAL(std::size_t{5}, search(index, query.data(), 5, {50, 2, 50}).size());
  }
}

// Whatever allocation fails, of training, encoding, linking or searching: an error, and all goes on afterwards.
void a_lack_of_memory_is_survived_anywhere() {
  std::mt19937 random(kSeed + 14);
  constexpr std::size_t dim = 8;
  const std::vector<float> rows = clustered(400, dim, random), later = clustered(40, dim, random);
  for (const Type& type : kTypes) {
    Options options;
    options.m = 4;
    options.ef_construction = 20;
    options.pq_bits = 4;
    Index index(PANVEC_L2, dim, type, options);
    index.add(rows);
    index.reserve(1000);
    std::int64_t row, linked = 0;
    std::int32_t component;
    // Calls until it succeeds, with one allocation more each time; failing ones in between.
    const auto insist = [&](auto&& call) {
      int failures = 0;
      for (std::int64_t allowed = 0;; allowed += 1 + allowed / 12) {
        allocations_left.store(allowed);
        const std::int32_t status = call();
        allocations_left.store(-1);
        if (status == PANVEC_OK) return failures;
        CHECK_EQUAL(PANVEC_OUT_OF_MEMORY, status);
        ++failures;
      }
    };
    if (type.trained) {
      insist([&] {
        return panvec_faiss_train(index.handle(), 6, nullptr, nullptr, 400, 2, nullptr, kForever, &row, &component,
                                  error_text, sizeof error_text);
      });
    }
    insist([&] {
      return panvec_faiss_encode(index.handle(), 400, 2, nullptr, kForever, error_text, sizeof error_text);
    });
    insist([&] {
      return panvec_faiss_link(index.handle(), 400, 0, 2, nullptr, 0, &linked, error_text, sizeof error_text);
    });
    CHECK_EQUAL(std::int64_t{0}, panvec_faiss_backlog(index.handle()));
    CHECK(mean_recall(index, later, 5, {60, 6, 20}) >= 0.9);
    // New slots that fail are used up; they lead nowhere wrong.
    index.stage(later);
    ok(panvec_faiss_encode(index.handle(), 440, 2, nullptr, kForever, error_text, sizeof error_text));
    std::int64_t done = 0;
    for (std::int64_t allowed = 3; done < 40; allowed += 9) {
      allocations_left.store(allowed);
      const std::int32_t status = panvec_faiss_link(index.handle(), 400 + done, 40 - done, 2, nullptr, 0, &linked,
                                                    error_text, sizeof error_text);
      allocations_left.store(-1);
      CHECK(status == PANVEC_OK || status == PANVEC_OUT_OF_MEMORY);
      CHECK(status != PANVEC_OK || linked == 40 - done);
      done += linked;
    }
    index.publish(40);
    CHECK(mean_recall(index, rows, 5, {60, 6, 20}) >= 0.85);
    std::int64_t ids[5];
    float distances[5];
    std::int32_t count;
    insist([&] {
      return panvec_faiss_search(index.handle(), 440, nullptr, index.id_pages(), nullptr, rows.data(), 5, 60, 6, 4,
                                 nullptr, kForever, ids, distances, &count, error_text, sizeof error_text);
    });
    CHECK_EQUAL(5, count);
    index.add(clustered(200, dim, random), 4);
    CHECK(mean_recall(index, later, 5, {60, 6, 20}) >= 0.85);
  }
}

void memory_is_counted() {
  std::mt19937 random(kSeed + 15);
  constexpr std::size_t dim = 64, count = 20000;
  const std::vector<float> rows = clustered(count, dim, random);
  for (const Type& type : kTypes) {
    for (const std::int32_t keep : {1, 0}) {
      if (keep == 0 && !type.lossy) continue;
      Options options;
      options.keep_vectors = keep;
      options.ef_construction = 20;
      Index index(PANVEC_L2, dim, type, options);
      index.add(rows, 2);
      index.train(100, 2);
      const double per_row = static_cast<double>(panvec_faiss_memory_bytes(index.handle())) / count;
      std::printf("  %-8s keep=%d %.0f B a row, codes of %d\n", type.name, keep, per_row,
                  panvec_faiss_code_bytes(index.handle()));
      CHECK(per_row >= (keep == 1 ? dim * sizeof(float) : 0) + panvec_faiss_code_bytes(index.handle()));
      CHECK(per_row <= (keep == 1 ? dim * sizeof(float) : 0) + panvec_faiss_code_bytes(index.handle()) + 500);
    }
  }
}

// As an engine does it: searches share the graph lock, reserve and, but for hnsw, slices of link take it alone; growth is
// prepared, rows are staged, trained on and encoded without it, and one store publishes a batch.
void searches_run_beside_writing() {
  constexpr std::size_t dim = 16;
  constexpr std::int64_t batches = 10, batch = 200, total = batches * batch;
  std::mt19937 random(kSeed + 16);
  const std::vector<float> rows = clustered(total, dim, random);
  for (const Type& type : kTypes) {
    panvec_faiss* index = nullptr;
    ok(panvec_faiss_create(PANVEC_L2, dim, type.number, 8, 60, 4, 4, 1, 7, &index, error_text, sizeof error_text));
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
        const std::vector<float> query = clustered(1, dim, own);
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
        CHECK_EQUAL(PANVEC_OK, panvec_faiss_search(index, visible, dead, &id_page, filter, query.data(), 10, 40, 4,
                                                   4, nullptr, kForever, found_ids, distances, &count, nullptr, 0));
        CHECK(count <= std::min<std::int64_t>(10, visible));
        for (std::int32_t i = 0; i < count; ++i) {
          CHECK(found_ids[i] >= 0 && found_ids[i] < visible && (!some || found_ids[i] % 2 == 0));
          CHECK_EQUAL(panvec::reference_distance(panvec::Metric::kL2, query.data(),
                                                 &rows[static_cast<std::size_t>(found_ids[i]) * dim], dim),
                      distances[i]);
        }
        const std::vector<std::int64_t> found(found_ids, found_ids + count);
        CHECK_EQUAL(PANVEC_OK, panvec_faiss_exact(index, 0, visible, dead, &id_page, filter, query.data(), 10, 1,
                                                  found_ids, distances, &exact_count, nullptr, 0));
        CHECK_EQUAL(std::min<std::int64_t>(10, some ? (visible + 1) / 2 : visible), static_cast<std::int64_t>(exact_count));
        if (visible > 0 && visible < total) {
          wanted.fetch_add(exact_count);
          got.fetch_add(std::count_if(found.begin(), found.end(), [&](std::int64_t id) {
            return std::find(found_ids, found_ids + exact_count, id) != found_ids + exact_count;
          }));
        }
        CHECK(panvec_faiss_memory_bytes(index) > visible * static_cast<std::int64_t>(dim * sizeof(float)));
        CHECK(panvec_faiss_backlog(index) <= total);
        searches.fetch_add(1);
      }
    };
    std::vector<std::thread> threads;
    for (std::uint32_t i = 0; i < 3; ++i) threads.emplace_back(searcher, kSeed + i);

    for (std::int64_t first = 0; first < total; first += batch) {
      CHECK_EQUAL(PANVEC_OK, panvec_faiss_prepare(index, first + batch, nullptr, 0));
      {
        const std::lock_guard<std::mutex> turn(turnstile);
        const std::unique_lock<std::shared_mutex> alone(graph_lock);
        CHECK_EQUAL(PANVEC_OK, panvec_faiss_reserve(index, first + batch, nullptr, 0));
      }
      std::int64_t row;
      std::int32_t component;
      if (type.trained && first == batches / 2 * batch) {
        CHECK_EQUAL(PANVEC_OK, panvec_faiss_train(index, 10, nullptr, nullptr, first, 2, nullptr, kForever, &row,
                                                  &component, nullptr, 0));
      }
      CHECK_EQUAL(PANVEC_OK, panvec_faiss_stage(index, first, &rows[static_cast<std::size_t>(first) * dim], batch, &row,
                                                &component, nullptr, 0));
      CHECK_EQUAL(PANVEC_OK, panvec_faiss_encode(index, first + batch, 2, nullptr, kForever, nullptr, 0));
      for (std::int64_t done = 0; done < batch;) {
        std::int64_t linked = 0;
        {
          std::unique_lock<std::mutex> turn(turnstile, std::defer_lock);
          std::unique_lock<std::shared_mutex> alone(graph_lock, std::defer_lock);
          if (type.number != PANVEC_FAISS_HNSW) {
            turn.lock();
            alone.lock();
          }
          CHECK_EQUAL(PANVEC_OK, panvec_faiss_link(index, first + done, batch - done, 2, &waiting, 200000, &linked,
                                                   nullptr, 0));
        }
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
    // 0.99 and more; what is linked meanwhile must lead searches on, and not astray. Trained types are scanned until they are.
    CHECK(type.trained || got.load() >= 0.97 * static_cast<double>(wanted.load()));
    CHECK_EQUAL(std::int64_t{0}, panvec_faiss_backlog(index));
    panvec_faiss_free(index);
  }
}

// A Java thread may have a stack of 256 KiB and less.
void only_the_slots_named_are_trained_on() {
  constexpr std::size_t dim = 4;
  // Every other row is far out; an index that saw them would spread its 256 steps over them.
  std::mt19937 random(kSeed);
  std::vector<float> rows = clustered(2000, dim, random);
  std::vector<std::int32_t> slots;
  for (std::size_t slot = 0; slot < 2000; ++slot) {
    if (slot % 2 == 0) {
      slots.push_back(static_cast<std::int32_t>(slot));
    } else {
      for (std::size_t i = 0; i < dim; ++i) rows[slot * dim + i] = 1e6f;
    }
  }
  for (const Type& type : kTypes) {
    if (type.number != PANVEC_FAISS_SQ8) continue;
    Options options;
    options.keep_vectors = 0;
    Index index(PANVEC_L2, dim, type, options);
    index.add(rows);
    std::int64_t row;
    std::int32_t component;
    ok(panvec_faiss_train(index.handle(), 0, nullptr, slots.data(), static_cast<std::int64_t>(slots.size()), 2,
                          nullptr, kForever, &row, &component, error_text, sizeof error_text));
    CHECK_EQUAL(1, panvec_faiss_keeps_rows(index.handle()));
    index.catch_up();
    CHECK_EQUAL(0, panvec_faiss_keeps_rows(index.handle()));
    const std::vector<float> query(rows.begin(), rows.begin() + dim);
    std::int64_t id = -1;
    float distance = -1;
    std::int32_t count = 0;
    ok(panvec_faiss_exact(index.handle(), 0, 1, nullptr, index.id_pages(), nullptr, query.data(), 1, 1, &id, &distance,
                          &count, error_text, sizeof error_text));
    CHECK_EQUAL(1, count);
    CHECK(distance < 1.0f);
  }
}

#if defined(__linux__)
extern "C" {
void* blas_memory_alloc(int position);
void blas_memory_free(void* buffer);
int sgemm_(const char*, const char*, const int*, const int*, const int*, const float*, const float*, const int*,
           const float*, const int*, const float*, float*, const int*);
}

// A serial OpenBLAS has work buffers for a fixed number of threads, in a table without a lock (blas_support.c).
void more_threads_than_a_blas_has_buffers() {
  std::mutex mutex;
  std::set<void*> held;
  std::size_t most = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 700; ++i) {
    threads.emplace_back([&] {
      void* buffer = blas_memory_alloc(0);
      {
        const std::lock_guard<std::mutex> lock(mutex);
        CHECK(buffer != nullptr);
        CHECK(held.insert(buffer).second);
        most = std::max(most, held.size());
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      {
        const std::lock_guard<std::mutex> lock(mutex);
        held.erase(buffer);
      }
      blas_memory_free(buffer);
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(most > 1);
  CHECK(most < 50);
}

void products_of_many_threads_are_right() {
  constexpr int n = 96;
  constexpr float one = 1, zero = 0;
  std::mt19937 random(kSeed);
  const std::vector<float> a = clustered(n, n, random);
  const std::vector<float> b = clustered(n, n, random);
  const auto product = [&] {
    std::vector<float> c(n * n);
    sgemm_("T", "N", &n, &n, &n, &one, a.data(), &n, b.data(), &n, &zero, c.data(), &n);
    return c;
  };
  const std::vector<float> expected = product();
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 32; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 200; ++round) wrong += product() != expected;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_EQUAL(0, wrong.load());
}
#endif

void callers_need_little_stack() {
#if defined(__linux__)
  const auto body = [](void*) -> void* {
    std::mt19937 random(kSeed + 17);
    constexpr std::size_t dim = 2048;
    const std::vector<float> rows = gaussian(300, dim, random);
    for (const Type& type : kTypes) {
      Index index(PANVEC_L2, dim, type, {16, 40, 64, 8, 1, 42});
      index.add(rows, 1);
      index.train(30, 1);
      index.add(some(rows, 0, 100, dim), 1);
      index.add(some(rows, 0, 1, dim), 1);
      CHECK_EQUAL(std::size_t{10}, search(index, rows.data(), 10, {50, 30, 20}).size());
    }
    return nullptr;
  };
#if defined(__SANITIZE_ADDRESS__)
  constexpr std::size_t stack = std::size_t{2} << 20;  // its frames are larger
#else
  constexpr std::size_t stack = std::size_t{160} << 10;
#endif
  pthread_attr_t attributes;
  CHECK_EQUAL(0, pthread_attr_init(&attributes));
  CHECK_EQUAL(0, pthread_attr_setstacksize(&attributes, stack));
  pthread_t thread;
  CHECK_EQUAL(0, pthread_create(&thread, &attributes, body, nullptr));
  CHECK_EQUAL(0, pthread_join(thread, nullptr));
  CHECK_EQUAL(0, pthread_attr_destroy(&attributes));
#endif
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
  const std::int32_t status = panvec_faiss_search(
      index.handle(), index.slots(), index.dead_pages(), index.id_pages(), nullptr, query, 10, 6000, 64, 4,
      limit.stop, limit.nanos_left, ids, distances, &count, error_text, sizeof error_text);
  CHECK(count >= 0);
  hits.clear();
  for (std::int32_t i = 0; i < count; ++i) hits.emplace_back(distances[i], ids[i]);
  return status;
}

void a_search_ends_when_asked() {
  std::mt19937 random(kSeed + 40);
  constexpr std::size_t dim = 128;
  for (const Type& type : kTypes) {
    Options options;
    options.ef_construction = 40;
    options.pq_bits = 4;
    Index index(PANVEC_L2, dim, type, options);
    index.add(clustered(6000, dim, random), 2);
    index.train(32, 2);
    const std::vector<float> query = clustered(1, dim, random);
    const Hits all = search(index, query.data(), 10, {6000, 64, 4});
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
      stopped = limited_search(index, query.data(), {nullptr, whole / 10}, hits) == PANVEC_STOPPED;
    }
    CHECK(stopped);
    CHECK(hits.empty());
    const std::vector<float> bad(dim, std::numeric_limits<float>::quiet_NaN());
    CHECK_EQUAL(PANVEC_INVALID_VECTOR, limited_search(index, bad.data(), kAtOnce[0], hits));
    CHECK(search(index, query.data(), 10, {6000, 64, 4}) == all);
  }
}

// All distances, by slot.
std::vector<float> all_distances(const Index& index, const float* query) {
  std::vector<float> distances(static_cast<std::size_t>(index.slots()));
  for (const auto& hit : exact(index, query, static_cast<std::int32_t>(index.slots()))) {
    distances[static_cast<std::size_t>((1000000 - hit.second) / 7)] = hit.first;
  }
  return distances;
}

std::int32_t limited_train(const Index& index, std::int32_t nlist, std::int32_t threads, const Limit& limit) {
  std::int64_t row;
  std::int32_t component;
  return panvec_faiss_train(index.handle(), nlist, nullptr, nullptr, index.slots(), threads, limit.stop,
                            limit.nanos_left, &row, &component, error_text, sizeof error_text);
}

std::int32_t limited_encode(const Index& index, std::int32_t threads, const Limit& limit) {
  return panvec_faiss_encode(index.handle(), index.slots(), threads, limit.stop, limit.nanos_left, error_text,
                             sizeof error_text);
}

template <typename Run>
std::int64_t allocations_of(Run&& run) {
  allocations_until_stop.store(kNoStop);
  run();
  return kNoStop - allocations_until_stop.exchange(kNoStop);
}

// The status of call(limit) that is stopped in its course. `late`: how many allocations followed.
template <typename Call>
std::int32_t stopped_after(std::int64_t allocations, std::int64_t& late, Call&& call) {
  __atomic_store_n(&stop_by_allocation, 0, __ATOMIC_RELAXED);
  allocations_until_stop.store(allocations);
  const std::int32_t status = call(Limit{&stop_by_allocation, kForever});
  late = -1 - allocations_until_stop.exchange(kNoStop);
  return status;
}

void training_and_encoding_end_when_asked() {
  std::mt19937 random(kSeed + 41);
  constexpr std::size_t dim = 32, count = 9000;
  constexpr std::int32_t nlist = 40;
  const std::vector<float> rows = clustered(count, dim, random);
  const std::vector<float> queries = clustered(5, dim, random);
  for (const Type& type : kTypes) {
    if (!type.trained) continue;
    for (const std::int32_t metric : {PANVEC_L2, PANVEC_COSINE}) {
      Options options;
      options.keep_vectors = 0;
      options.ef_construction = 20;
      Index never_asked(metric, dim, type, options), asked(metric, dim, type, options);
      never_asked.add(rows);
      asked.add(rows);
      const std::int64_t memory = panvec_faiss_memory_bytes(asked.handle());
      const auto untrained = [&] {
        CHECK_EQUAL(0, panvec_faiss_is_trained(asked.handle()));
        CHECK_EQUAL(0, panvec_faiss_nlist(asked.handle()));
        CHECK_EQUAL(1, panvec_faiss_keeps_rows(asked.handle()));
        CHECK_EQUAL(memory, panvec_faiss_memory_bytes(asked.handle()));
        CHECK(asked.row(count - 1) == never_asked.row(count - 1));
      };
      for (const Limit& limit : kAtOnce) {
        CHECK_EQUAL(PANVEC_STOPPED, limited_train(asked, nlist, 1, limit));
        untrained();
      }
      CHECK_EQUAL(PANVEC_OK, limited_encode(asked, 1, kAtOnce[0]));  // there is nothing to do
      const bool has_centroids = type.lists || type.number == PANVEC_FAISS_PQ;
      const std::int64_t steps = allocations_of(
          [&] { CHECK_EQUAL(PANVEC_OK, limited_train(never_asked, nlist, 1, {nullptr, kForever})); });
      for (const int quarter : {0, 1, 2, 3}) {
        if (quarter > 1 && !has_centroids) break;  // what comes last cannot be stopped
        std::int64_t late = 0;
        CHECK_EQUAL(PANVEC_STOPPED, stopped_after(steps * quarter / 4, late, [&](const Limit& limit) {
                      return limited_train(asked, nlist, 1, limit);
                    }));
        // Fewer than it takes to look at all rows once.
        CHECK(late < static_cast<std::int64_t>(count / 1024));
        untrained();
      }
      // A limit that is not reached changes nothing of what is learnt, nor do threads.
      CHECK_EQUAL(PANVEC_OK, limited_train(asked, nlist, 2, kNever[2]));
      for (const Limit& limit : kAtOnce) CHECK_EQUAL(PANVEC_STOPPED, limited_encode(asked, 1, limit));
      const std::int64_t encoding = allocations_of(
          [&] { CHECK_EQUAL(PANVEC_OK, limited_encode(never_asked, 1, {nullptr, kForever})); });
      for (const int half : {0, 1}) {
        if (!has_centroids) break;  // nothing is allocated on the way
        std::int64_t late = 0;
        CHECK_EQUAL(PANVEC_STOPPED, stopped_after(encoding * half / 2, late, [&](const Limit& limit) {
                      return limited_encode(asked, 1, limit);
                    }));
      }
      never_asked.catch_up();
      asked.catch_up();
      CHECK_EQUAL(type.lossy ? 0 : 1, panvec_faiss_keeps_rows(asked.handle()));
      for (std::size_t i = 0; i < 5; ++i) {
        CHECK(all_distances(asked, &queries[i * dim]) == all_distances(never_asked, &queries[i * dim]));
        if (!type.graph) CHECK(search(asked, &queries[i * dim], 20) == search(never_asked, &queries[i * dim], 20));
      }
    }
  }
}

void work_is_stopped_by_another_thread() {
  std::mt19937 random(kSeed + 42);
  constexpr std::size_t dim = 16, count = 4000;
  const std::vector<float> rows = clustered(count, dim, random);
  for (const Type& type : kTypes) {
    if (!type.trained) continue;
    Index index(PANVEC_L2, dim, type);
    index.add(rows, 2);
    std::int32_t stop = 0;
    std::atomic<bool> begun{false};
    std::thread other([&] {
      while (!begun.load()) std::this_thread::yield();
      __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    });
    begun.store(true);
    // Whether it is stopped at once, half-way or too late: never in between.
    const std::int32_t status = limited_train(index, 16, 2, {&stop, kForever});
    other.join();
    CHECK(status == PANVEC_OK || status == PANVEC_STOPPED);
    CHECK_EQUAL(status == PANVEC_OK ? 1 : 0, panvec_faiss_is_trained(index.handle()));
    if (status == PANVEC_STOPPED) CHECK_EQUAL(PANVEC_OK, limited_train(index, 16, 2, kNever[0]));
  }
}

std::vector<std::int32_t> shuffled_slots(std::int64_t count, std::mt19937& random) {
  std::vector<std::int32_t> slots(static_cast<std::size_t>(count));
  std::iota(slots.begin(), slots.end(), 0);
  std::shuffle(slots.begin(), slots.end(), random);
  return slots;
}

std::int32_t stage_from(const Index& index, std::int64_t first, const Index& source, const std::int32_t* slots,
                        std::int64_t count) {
  return panvec_faiss_stage_from(index.handle(), first, source.handle(), slots, count, error_text, sizeof error_text);
}

std::int32_t train_like(const Index& index, const Index& source) {
  return panvec_faiss_train_like(index.handle(), source.handle(), error_text, sizeof error_text);
}

// Takes over slots in blocks of odd sizes, each linked before the next when `at_once` is false.
void take_over(Index& index, const Index& source, const std::vector<std::int32_t>& slots, bool at_once,
               std::mt19937& random) {
  const auto count = static_cast<std::int64_t>(slots.size());
  const std::int64_t first = index.slots();
  index.reserve(first + count);
  std::int64_t linked_end = first;
  for (std::int64_t at = 0; at < count;) {
    const std::int64_t block = std::min<std::int64_t>(count - at, static_cast<std::int64_t>(random() % 300));
    ok(stage_from(index, first + at, source, &slots[static_cast<std::size_t>(at)], block));
    at += block;
    if (at_once && at < count) continue;
    ok(panvec_faiss_encode(index.handle(), first + at, 2, nullptr, kForever, error_text, sizeof error_text));
    while (linked_end < first + at) {
      std::int64_t linked = 0;
      ok(panvec_faiss_link(index.handle(), linked_end, first + at - linked_end, 2, nullptr, 0, &linked, error_text,
                           sizeof error_text));
      linked_end += linked;
    }
  }
  index.publish(count);
}

void slots_of_another_index_are_taken_over_bit_for_bit() {
  std::mt19937 random(kSeed + 43);
  constexpr std::size_t dim = 24;
  for (const Type& type : kTypes) {
    for (const std::int32_t metric : {PANVEC_L2, PANVEC_COSINE, PANVEC_DOT}) {
      for (const std::int32_t keep_vectors : {1, 0}) {
        if (keep_vectors == 0 && !type.lossy) continue;
        Options options;
        options.keep_vectors = keep_vectors;
        options.pq_bits = metric == PANVEC_COSINE ? 6 : 8;
        Index source(metric, dim, type, options);
        options.seed = 7;
        options.m = 12;
        Index index(metric, dim, type, options);
        std::vector<float> rows = clustered(2000, dim, random);
        for (std::size_t i = 0; i < 2000; ++i) rows[i * dim] *= static_cast<float>(1 + i % 5);
        source.add(rows, 2);
        source.train(20, 2);
        source.add(clustered(100, dim, random), 2);
        const bool codes = type.lossy && keep_vectors == 0;
        CHECK_EQUAL(codes ? 0 : 1, panvec_faiss_keeps_rows(source.handle()));
        if (codes) {
          ok(train_like(index, source));
          CHECK_EQUAL(1, panvec_faiss_is_trained(index.handle()));
          CHECK_EQUAL(0, panvec_faiss_keeps_rows(index.handle()));
          CHECK_EQUAL(panvec_faiss_nlist(source.handle()), panvec_faiss_nlist(index.handle()));
        }
        std::vector<std::int32_t> slots = shuffled_slots(2100, random);
        slots.resize(1600);
        // Searches of the source go on.
        std::atomic<bool> done{false};
        std::atomic<int> wrong{0};
        const std::vector<float> query = clustered(1, dim, random);
        const Hits before = search(source, query.data(), 10);
        std::thread searcher([&] {
          while (!done.load()) wrong.fetch_add(search(source, query.data(), 10) == before ? 0 : 1);
        });
        take_over(index, source, slots, metric == PANVEC_L2, random);
        done.store(true);
        searcher.join();
        CHECK_EQUAL(0, wrong.load());
        if (!codes) {
          for (std::size_t i = 0; i < slots.size(); ++i) {
            CHECK(index.row(static_cast<std::int64_t>(i)) == source.row(slots[i]));
          }
          index.train(20, 2);
        }
        // Rows of a user follow, beside codes that were taken over.
        const std::vector<float> more = clustered(150, dim, random);
        const std::int64_t first_late = source.slots();
        source.add(more, 2);
        for (std::int32_t i = 0; i < 150; ++i) slots.push_back(static_cast<std::int32_t>(first_late) + i);
        index.add(some(more, 0, 100, dim), 2);
        index.add(some(more, 100, 150, dim), 2);
        double found = 0;
        for (int i = 0; i < 10; ++i) {
          const std::vector<float> q = clustered(1, dim, random);
          const std::vector<float> of_source = all_distances(source, q.data());
          const std::vector<float> of_index = all_distances(index, q.data());
          for (std::size_t j = 0; j < slots.size(); ++j) {
            CHECK_EQUAL(of_source[static_cast<std::size_t>(slots[j])], of_index[j]);
          }
          if (!codes) CHECK(exact(index, q.data(), 20) == brute_force(index, q, 20));
          found += recall(exact(index, q.data(), 10), search(index, q.data(), 10, {300, 20, 20})) / 10;
        }
        if (found < 0.85) {
          panvec::check::failed(__FILE__, __LINE__, where(type, metric, dim) + ": " + std::to_string(found));
        }
      }
    }
  }
}

void codes_and_rows_are_staged_in_any_order() {
  std::mt19937 random(kSeed + 44);
  constexpr std::size_t dim = 16;
  for (const Type& type : kTypes) {
    if (!type.lossy) continue;
    Options options;
    options.keep_vectors = 0;
    options.pq_bits = 6;
    Index source(PANVEC_L2, dim, type, options), index(PANVEC_L2, dim, type, options);
    const std::vector<float> rows = clustered(800, dim, random);
    source.add(rows, 2);
    source.train(10, 2);
    ok(train_like(index, source));
    index.reserve(1000);
    std::vector<std::int32_t> slots(800);
    std::iota(slots.begin(), slots.end(), 0);
    const auto stage_rows = [&](std::int64_t at, std::size_t from, std::size_t to) {
      std::int64_t row;
      std::int32_t component;
      ok(panvec_faiss_stage(index.handle(), at, &rows[from * dim], static_cast<std::int64_t>(to - from), &row,
                            &component, error_text, sizeof error_text));
    };
    // Given up: 100 codes, rows behind them, and codes once more.
    ok(stage_from(index, 0, source, &slots[500], 100));
    stage_rows(100, 0, 50);
    CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, stage_from(index, 150, source, &slots[0], 10));
    CHECK_EQUAL(std::string("slots before those to stage have not been encoded"), std::string(error_text));
    ok(panvec_faiss_encode(index.handle(), 150, 1, nullptr, kForever, error_text, sizeof error_text));
    ok(stage_from(index, 150, source, &slots[0], 10));
    // What is kept: slot i has row i, by codes, rows and codes; the rows in two parts.
    ok(stage_from(index, 0, source, &slots[0], 300));
    ok(stage_from(index, 200, source, &slots[200], 100));
    stage_rows(300, 300, 350);
    stage_rows(350, 350, 420);
    ok(panvec_faiss_encode(index.handle(), 420, 2, nullptr, kForever, error_text, sizeof error_text));
    ok(stage_from(index, 420, source, &slots[420], 80));
    stage_rows(500, 500, 800);
    ok(panvec_faiss_encode(index.handle(), 800, 2, nullptr, kForever, error_text, sizeof error_text));
    std::int64_t linked = 0;
    ok(panvec_faiss_link(index.handle(), 0, 800, 2, nullptr, 0, &linked, error_text, sizeof error_text));
    CHECK_EQUAL(std::int64_t{800}, linked);
    index.publish(800);
    for (int i = 0; i < 5; ++i) {
      const std::vector<float> q = clustered(1, dim, random);
      CHECK(all_distances(index, q.data()) == all_distances(source, q.data()));
    }
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Saved files

struct SavedFiles {
  std::string graph;
  std::string rows;
  bool has_rows = false;
  double max_row_norm = 0;
  std::int64_t slots = 0;
};

class Saver {
 public:
  Saver(const Index& index, std::int32_t file, std::int64_t slots) {
    ok(panvec_faiss_save_begin(index.handle(), file, slots, &saver_, error_text, sizeof error_text));
  }
  Saver(const Saver&) = delete;
  Saver& operator=(const Saver&) = delete;
  ~Saver() { panvec_faiss_save_end(saver_); }

  // Calls `between` after each piece.
  template <typename Between>
  std::string all(Between&& between) {
    std::string file;
    std::vector<char> room(std::size_t{1} << 20);
    std::int64_t written = -1;
    while (written != 0) {
      ok(panvec_faiss_save_next(saver_, room.data(), static_cast<std::int64_t>(room.size()), &written, error_text,
                                sizeof error_text));
      file.append(room.data(), static_cast<std::size_t>(written));
      between();
    }
    return file;
  }

 private:
  panvec_faiss_saver* saver_ = nullptr;
};

// As the engine asks for files.
bool rows_apart(const Index& index) {
  const Type& type = index.type();
  panvec_faiss* const handle = index.handle();
  const bool in_graph = !type.trained || (!type.lossy && panvec_faiss_is_trained(handle) == 1 &&
                                          panvec_faiss_backlog(handle) == 0);
  return !in_graph && panvec_faiss_keeps_rows(handle) == 1;
}

template <typename Between>
SavedFiles saved(const Index& index, std::int64_t slots, Between&& between) {
  SavedFiles files;
  files.slots = slots;
  files.max_row_norm = panvec_faiss_max_row_norm(index.handle());
  files.has_rows = rows_apart(index);
  Saver graph(index, PANVEC_FILE_GRAPH, slots);
  if (files.has_rows) {
    Saver rows(index, PANVEC_FILE_ROWS, slots);
    files.graph = graph.all(between);
    files.rows = rows.all(between);
  } else {
    files.graph = graph.all(between);
  }
  return files;
}

SavedFiles saved(const Index& index) {
  return saved(index, index.slots(), [] {});
}

bool operator==(const SavedFiles& a, const SavedFiles& b) { return a.graph == b.graph && a.rows == b.rows; }

// The files must stay for a view.
std::int32_t open(Index& index, const SavedFiles& files, bool as_view) {
  const std::int32_t status = panvec_faiss_open(
      index.handle(), files.graph.data(), static_cast<std::int64_t>(files.graph.size()),
      files.has_rows ? files.rows.data() : nullptr, static_cast<std::int64_t>(files.rows.size()), files.slots,
      files.max_row_norm, as_view ? 1 : 0, error_text, sizeof error_text);
  if (status == PANVEC_OK) index.adopt(files.slots);
  return status;
}

enum class State { kEmpty, kUntrained, kSampled, kBacklog, kTrained };

Index index_in(State state, std::int32_t metric, std::size_t dim, const Type& type, const Options& options,
               std::mt19937& random) {
  Index index(metric, dim, type, options);
  std::int64_t row;
  std::int32_t component;
  const auto train = [&](const float* sample, std::int64_t count) {
    if (!type.trained) return;
    ok(panvec_faiss_train(index.handle(), 9, sample, nullptr, count, 1, nullptr, kForever, &row, &component, error_text,
                          sizeof error_text));
  };
  if (state == State::kEmpty) return index;
  if (state == State::kSampled) {
    train(clustered(600, dim, random).data(), 600);
    return index;
  }
  index.add(clustered(1500, dim, random));
  if (state == State::kUntrained) return index;
  train(nullptr, 1500);
  if (state == State::kTrained) {
    index.catch_up();
    index.add(clustered(100, dim, random));
  } else if (type.trained) {
    // Asked to give way, so that some are linked and others are not.
    ok(panvec_faiss_encode(index.handle(), 1500, 1, nullptr, kForever, error_text, sizeof error_text));
    const std::int32_t yield = 1;
    std::int64_t linked = 0;
    ok(panvec_faiss_link(index.handle(), 1500, 0, 1, &yield, 0, &linked, error_text, sizeof error_text));
    CHECK((panvec_faiss_backlog(index.handle()) > 0) == (type.graph || type.lists));
  }
  return index;
}

Options small_options(std::int32_t keep) {
  Options options;
  options.m = 5;
  options.ef_construction = 30;
  options.pq_bits = 4;
  options.keep_vectors = keep;
  return options;
}

template <typename Call>
void for_every_state(std::mt19937& random, const std::vector<std::size_t>& dims, Call&& call) {
  for (const Type& type : kTypes) {
    for (const std::int32_t keep : {1, 0}) {
      if (keep == 0 && !type.lossy) continue;
      for (const std::int32_t metric : {PANVEC_L2, PANVEC_COSINE, PANVEC_DOT}) {
        for (const std::size_t dim : dims) {
          for (const State state :
               {State::kEmpty, State::kUntrained, State::kSampled, State::kBacklog, State::kTrained}) {
            call(index_in(state, metric, dim, type, small_options(keep), random), small_options(keep), state);
          }
        }
      }
    }
  }
}

void a_saved_index_answers_the_same() {
  std::mt19937 random(kSeed + 40);
  for_every_state(random, {1, 12}, [&](const Index& index, const Options& options, State state) {
    const Type& type = index.type();
    const std::size_t dim = index.dim();
    const SavedFiles files = saved(index);
    Index opened(index.metric(), dim, type, options), view(index.metric(), dim, type, options);
    CHECK_EQUAL(PANVEC_OK, open(opened, files, false));
    CHECK_EQUAL(PANVEC_OK, open(view, files, true));
    for (const Index* other : {&opened, &view}) {
      CHECK_EQUAL(panvec_faiss_is_trained(index.handle()), panvec_faiss_is_trained(other->handle()));
      CHECK_EQUAL(panvec_faiss_backlog(index.handle()), panvec_faiss_backlog(other->handle()));
      CHECK_EQUAL(panvec_faiss_nlist(index.handle()), panvec_faiss_nlist(other->handle()));
      CHECK_EQUAL(panvec_faiss_max_level(index.handle()), panvec_faiss_max_level(other->handle()));
      CHECK(files == saved(*other));
      CHECK_EQUAL(files.max_row_norm, panvec_faiss_max_row_norm(other->handle()));
    }
    // Beside the file: what was learnt, and 8 bytes for each row where lists alone have it.
    const double learnt = 3.0 * 16 * static_cast<double>(dim) * sizeof(float) + 20000;
    CHECK(static_cast<double>(panvec_faiss_memory_bytes(view.handle())) < 10 * static_cast<double>(index.slots()) + learnt);
    // Without tables for its lists a view of product codes rounds otherwise.
    const bool same_ranks = type.number != PANVEC_FAISS_IVF_PQ || index.metric() != PANVEC_L2;
    for (int i = 0; i < 8; ++i) {
      const std::vector<float> query = clustered(1, dim, random);
      const Hits expected = search(index, query.data(), 10, {20, 3, 2});
      CHECK(expected == search(opened, query.data(), 10, {20, 3, 2}));
      const Hits viewed = search(view, query.data(), 10, {20, 3, 2});
      CHECK(same_ranks ? expected == viewed : viewed.size() == expected.size());
      const Hits truth = exact(index, query.data(), 10);
      CHECK(truth == exact(opened, query.data(), 10));
      CHECK(truth == exact(view, query.data(), 10));
    }
    for (std::int64_t slot = 0; slot < index.slots() && panvec_faiss_keeps_rows(index.handle()) == 1; slot += 7) {
      CHECK(index.row(slot) == opened.row(slot));
      // Of what is complete the rows that are to be dropped are not taken over.
      if (panvec_faiss_keeps_rows(view.handle()) == 1) CHECK(index.row(slot) == view.row(slot));
    }
    // One goes on as the other does.
    Index& original = const_cast<Index&>(index);
    if (state == State::kBacklog) {
      original.catch_up();
      opened.catch_up();
    }
    for (int batch = 0; batch < 2; ++batch) {
      const std::vector<float> more = clustered(200, dim, random);
      original.add(more);
      opened.add(more);
      CHECK(saved(original) == saved(opened));
      if (type.trained && panvec_faiss_is_trained(index.handle()) == 0) {
        original.train(5);
        opened.train(5);
      }
    }
    CHECK(saved(original) == saved(opened));
  });
}

std::unique_ptr<faiss::Index> read_by_faiss(const std::string& file) {
  faiss::VectorIOReader bytes;
  bytes.data.assign(file.begin(), file.end());
  std::unique_ptr<faiss::Index> index(faiss::read_index(&bytes));
  CHECK_EQUAL(file.size(), bytes.rp);
  return index;
}

void faiss_reads_what_is_saved_and_writes_the_same() {
  std::mt19937 random(kSeed + 41);
  for_every_state(random, {12}, [&](const Index& index, const Options&, State) {
    const Type& type = index.type();
    const SavedFiles files = saved(index);
    const std::unique_ptr<faiss::Index> upstream = read_by_faiss(files.graph);
    faiss::VectorIOWriter again;
    faiss::write_index(upstream.get(), &again);
    CHECK(files.graph == std::string(again.data.begin(), again.data.end()));
    CHECK_EQUAL(panvec_faiss_is_trained(index.handle()) == 1, upstream->is_trained);
    CHECK_EQUAL(index.slots() - (type.trained ? panvec_faiss_backlog(index.handle()) : 0), upstream->ntotal);
    if (upstream->ntotal < index.slots() || index.slots() == 0) return;
    // What FAISS ranks by, codes, is not told where the rows are there too; the file is the same.
    if (type.lossy && panvec_faiss_keeps_rows(index.handle()) == 1) return;

    if (auto* lists = dynamic_cast<faiss::IndexIVF*>(upstream.get())) lists->nprobe = lists->nlist;
    if (auto* graph = dynamic_cast<faiss::IndexHNSW*>(upstream.get())) graph->hnsw.efSearch = 3000;
    for (int i = 0; i < 20; ++i) {
      std::vector<float> query = clustered(1, index.dim(), random);
      std::map<std::int64_t, float> distance_of;
      for (const auto& [distance, id] : exact(index, query.data(), static_cast<std::int32_t>(index.slots()))) {
        distance_of[id] = distance;
      }
      // A graph of few links leaves some rows out, to whoever walks it.
      const Hits truth = type.graph ? search(index, query.data(), 10, {3000, 100, 1}) : exact(index, query.data(), 10);
      if (index.metric() == PANVEC_COSINE) panvec::reference_unit(query.data(), query.size(), query.data());
      float distances[10];
      faiss::idx_t labels[10];
      upstream->search(1, query.data(), 10, distances, labels);
      // Compared by distance: many rows have one code, and sums are rounded otherwise.
      const float farthest = truth.back().first;
      for (const faiss::idx_t label : labels) {
        CHECK(distance_of.at(Index::id_of(label)) <= farthest + 1e-4F * (std::abs(farthest) + 1));
      }
    }
  });
}

void an_index_is_saved_as_it_was_whatever_is_done_meanwhile() {
  std::mt19937 random(kSeed + 42);
  constexpr std::size_t dim = 200;
  for (const Type& type : kTypes) {
    for (const std::int32_t keep : {1, 0}) {
      if (keep == 0 && !type.lossy) continue;
      for (const bool trained : {false, true}) {
        if (!trained && !type.trained) continue;
        Index index(PANVEC_L2, dim, type, small_options(keep));
        index.add(clustered(4000, dim, random), 2);
        if (trained) index.train(9, 2);
        const std::vector<float> query = clustered(1, dim, random);
        const Hits truth = exact(index, query.data(), 10);
        int pieces = 0;
        const SavedFiles files = saved(index, 4000, [&] {
          if (pieces++ == 0 && !trained) index.train(9, 2);
          if (pieces < 5) index.add(clustered(300, dim, random), 2);
        });
        CHECK(pieces >= 2);
        CHECK_EQUAL(1, panvec_faiss_is_trained(index.handle()));
        CHECK_EQUAL(keep, panvec_faiss_keeps_rows(index.handle()));
        Index opened(PANVEC_L2, dim, type, small_options(keep)), view(PANVEC_L2, dim, type, small_options(keep));
        // Every link is checked: none leads to a row that came later.
        CHECK_EQUAL(PANVEC_OK, open(opened, files, false));
        CHECK_EQUAL(PANVEC_OK, open(view, files, true));
        CHECK_EQUAL(trained ? 1 : 0, panvec_faiss_is_trained(opened.handle()));
        CHECK_EQUAL(trained ? 0 : 4000, panvec_faiss_backlog(opened.handle()));
        CHECK(truth == exact(opened, query.data(), 10));
        CHECK(truth == exact(view, query.data(), 10));
        if (!trained) continue;
        const std::vector<float> queries = clustered(30, dim, random);
        const Width wide{150, 9, 16};
        CHECK(mean_recall(opened, queries, 10, wide) >= mean_recall(index, queries, 10, wide) - 0.05);
        CHECK(mean_recall(view, queries, 10, wide) >= mean_recall(index, queries, 10, wide) - 0.05);
      }
    }
  }
}

void an_index_of_absurd_rows_is_saved_too() {
  std::mt19937 random(kSeed + 43);
  for (const Type& type : kTypes) {
    for (const std::int32_t metric : {PANVEC_L2, PANVEC_DOT}) {
      for (const float scale : {1e-42f, 1e-20f, 1e20f, 1e38f}) {
        std::vector<float> rows = clustered(800, 4, random);
        for (float& x : rows) x *= 0.2f * scale;
        Index index(metric, 4, type, small_options(1));
        index.add(rows);
        index.train(9);
        const SavedFiles files = saved(index);
        Index opened(metric, 4, type, small_options(1)), view(metric, 4, type, small_options(1));
        CHECK_EQUAL(PANVEC_OK, open(opened, files, false));
        CHECK_EQUAL(PANVEC_OK, open(view, files, true));
        CHECK(files == saved(opened));
        for (std::size_t at = 0; at < 800; at += 50) {
          const std::vector<float> query = one(rows, at, 4);
          CHECK(search(index, query.data(), 5) == search(opened, query.data(), 5));
          CHECK(exact(index, query.data(), 5) == exact(view, query.data(), 5));
          CHECK_EQUAL(std::size_t{5}, search(view, query.data(), 5).size());
        }
        CHECK(read_by_faiss(files.graph)->is_trained);
        index.add(rows);
        opened.add(rows);
        CHECK(saved(index) == saved(opened));
      }
    }
  }
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
      ok(panvec_faiss_search(index.handle(), index.slots(), nullptr, index.id_pages(), filter, query.data(), 10, ef, 4, 3,
                             nullptr, kForever, ids, distances, &count, error_text, sizeof error_text));
      CHECK(count >= 0 && count <= 10);
    }
    const std::vector<float> query = clustered(1, index.dim(), random);
    std::int32_t count = 0;
    ok(panvec_faiss_exact(index.handle(), 0, index.slots(), nullptr, index.id_pages(), filter, query.data(), 10, 1, ids,
                          distances, &count, error_text, sizeof error_text));
  }
}

void a_damaged_file_is_refused_or_leads_nowhere_else() {
  std::mt19937 random(kSeed + 44);
  constexpr std::size_t dim = 4;
  for (const Type& type : kTypes) {
    for (const std::int32_t keep : {1, 0}) {
      if (keep == 0 && !type.lossy) continue;
      Index index(PANVEC_L2, dim, type, small_options(keep));
      index.add(clustered(300, dim, random));
      index.train(9);
      const SavedFiles whole = saved(index);
      const auto attempt = [&](const std::string& damaged, bool as_view) {
        // In a block of its own size, so that the address sanitizer sees what is read beyond it.
        const SavedFiles files{damaged, whole.rows, whole.has_rows, whole.max_row_norm, 300};
        Index opened(PANVEC_L2, dim, type, small_options(keep));
        const std::int32_t status = open(opened, files, as_view);
        if (status != PANVEC_OK) {
          CHECK_EQUAL(PANVEC_CORRUPT, status);
          CHECK(error_text[0] != '\0');
          return false;
        }
        look_around(opened, random);
        // What is not true of it is not refused by a view, but nothing is lost silently.
        CHECK_EQUAL(whole.graph.size(), saved(opened).graph.size());
        return true;
      };
      const std::string& file = whole.graph;
      for (const bool as_view : {false, true}) {
        CHECK(attempt(file, as_view));
        for (std::size_t size = 0; size < file.size(); size += size < 512 ? 1 : 97) {
          CHECK(!attempt(file.substr(0, size), as_view));
        }
        CHECK(!attempt(file + '\0', as_view));
        int refused = 0;
        for (int i = 0; i < 2000; ++i) {
          std::string damaged = file;
          for (std::size_t bits = 1 + random() % 2; bits > 0; --bits) {
            const std::size_t bit = random() % (i < 800 ? 400 * 8 : file.size() * 8);
            damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
          }
          refused += attempt(damaged, as_view) ? 0 : 1;
        }
        // The floats of a row can be any; what the smallest file says besides them is a tenth of its first 400 bytes.
        CHECK(refused > 50);
        if (whole.has_rows) {
          SavedFiles fewer = whole;
          fewer.rows.pop_back();
          Index opened(PANVEC_L2, dim, type, small_options(keep));
          CHECK_EQUAL(PANVEC_CORRUPT, open(opened, fewer, as_view));
        }
        for (const std::int64_t slots : {299, 301}) {
          SavedFiles other = whole;
          other.slots = slots;
          Index opened(PANVEC_L2, dim, type, small_options(keep));
          CHECK_EQUAL(PANVEC_CORRUPT, open(opened, other, as_view));
        }
        for (const Type& other : kTypes) {
          if (other.number == type.number) continue;
          Index opened(PANVEC_L2, dim, other, small_options(keep));
          CHECK_EQUAL(PANVEC_CORRUPT, open(opened, whole, as_view));
        }
        Index cosine(PANVEC_COSINE, dim, type, small_options(keep));
        CHECK_EQUAL(PANVEC_CORRUPT, open(cosine, whole, as_view));
        if (type.graph) {
          Options wider = small_options(keep);
          wider.m = 6;
          Index opened(PANVEC_L2, dim, type, wider);
          CHECK_EQUAL(PANVEC_CORRUPT, open(opened, whole, as_view));
        }
      }
    }
  }
}

// The words of a graph, one by one: what a copy must refuse.
void every_link_and_every_entry_of_a_list_is_checked() {
  std::mt19937 random(kSeed + 45);
  for (const std::int32_t number : {PANVEC_FAISS_HNSW, PANVEC_FAISS_IVF_FLAT}) {
    const Type& type = kTypes[number];
    Index index(PANVEC_L2, 1, type, small_options(1));
    index.add(clustered(200, 1, random));
    index.train(3);
    const SavedFiles whole = saved(index);
    int refused = 0;
    for (std::size_t at = 4; at + 4 <= whole.graph.size(); ++at) {
      std::int32_t word = 0;
      std::memcpy(&word, &whole.graph[at], sizeof word);
      // A row's number, or the end of a list of links.
      if (word < -1 || word >= 200 || (word <= 0 && number == PANVEC_FAISS_IVF_FLAT)) continue;
      SavedFiles damaged = whole;
      word = word < 0 ? -2 : word + 200;
      std::memcpy(&damaged.graph[at], &word, sizeof word);
      Index opened(PANVEC_L2, 1, type, small_options(1));
      const std::int32_t status = open(opened, damaged, false);
      CHECK(status == PANVEC_OK || status == PANVEC_CORRUPT);
      refused += status == PANVEC_CORRUPT ? 1 : 0;
    }
    CHECK(refused > 195);
  }
}

void a_view_is_not_written_to() {
  std::mt19937 random(kSeed + 46);
  for (const Type& type : kTypes) {
    Index index(PANVEC_L2, 2, type, small_options(1));
    index.add(clustered(100, 2, random));
    const SavedFiles files = saved(index);
    Index view(PANVEC_L2, 2, type, small_options(1)), empty(PANVEC_L2, 2, type, small_options(1));
    CHECK_EQUAL(PANVEC_OK, open(view, files, true));
    panvec_faiss* const handle = view.handle();
    const float row[] = {1, 2};
    const std::int32_t slot = 0;
    std::int64_t number = 0;
    std::int32_t component = 0;
    char* const text = error_text;
    constexpr std::int32_t room = sizeof error_text;
    const auto refused = [&](std::int32_t status, const char* why = "a view cannot be changed") {
      CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, status);
      CHECK_EQUAL(std::string(why), std::string(error_text));
    };
    refused(panvec_faiss_prepare(handle, 200, text, room));
    refused(panvec_faiss_reserve(handle, 200, text, room));
    refused(panvec_faiss_stage(handle, 100, row, 1, &number, &component, text, room));
    refused(panvec_faiss_stage_from(handle, 100, index.handle(), &slot, 1, text, room));
    refused(panvec_faiss_train(handle, 1, row, nullptr, 1, 1, nullptr, kForever, &number, &component, text, room));
    refused(panvec_faiss_train_like(handle, index.handle(), text, room));
    refused(panvec_faiss_encode(handle, 100, 1, nullptr, kForever, text, room));
    refused(panvec_faiss_link(handle, 100, 0, 1, nullptr, 0, &number, text, room));
    empty.reserve(1);
    refused(panvec_faiss_stage_from(empty.handle(), 0, handle, &slot, 1, text, room), "a view cannot be a source");
    refused(open(index, files, false), "the index is not empty");
    refused(open(view, files, true), "the index is not empty");
    panvec_faiss_saver* saver = nullptr;
    refused(panvec_faiss_save_begin(handle, PANVEC_FILE_GRAPH, 99, &saver, text, room), "a view is saved as a whole");
    refused(panvec_faiss_save_begin(index.handle(), PANVEC_FILE_GRAPH, 101, &saver, text, room),
            "slots to save are not linked");
    refused(panvec_faiss_save_begin(index.handle(), 2, 100, &saver, text, room), "there is no such file");
  }
}

void opening_survives_a_lack_of_memory() {
  std::mt19937 random(kSeed + 47);
  for (const Type& type : kTypes) {
    Index index(PANVEC_L2, 4, type, small_options(0));
    index.add(clustered(300, 4, random));
    index.train(9);
    const SavedFiles files = saved(index);
    for (const bool as_view : {false, true}) {
      std::int32_t status = PANVEC_OUT_OF_MEMORY;
      for (std::int64_t allowed = 0; status != PANVEC_OK; allowed += 1 + allowed / 8) {
        Index opened(PANVEC_L2, 4, type, small_options(0));
        allocations_left.store(allowed);
        status = panvec_faiss_open(opened.handle(), files.graph.data(), static_cast<std::int64_t>(files.graph.size()),
                                   nullptr, 0, 300, files.max_row_norm, as_view ? 1 : 0, error_text, sizeof error_text);
        allocations_left.store(-1);
        CHECK(status == PANVEC_OK || status == PANVEC_OUT_OF_MEMORY);
      }
    }
  }
}

void null_where_it_means_nothing_is_refused_by_name() {
  const Index index(PANVEC_L2, 4, kTypes[7]);
  panvec_faiss* const handle = index.handle();
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
  refused("index", panvec_faiss_create(PANVEC_L2, 4, PANVEC_FAISS_SQ8, 16, 100, 4, 8, 1, 42, nullptr, text, room));
  const auto train = [&](const std::string& name, panvec_faiss* of, std::int64_t* bad_row, std::int32_t* bad_component) {
    refused(name, panvec_faiss_train(of, 1, row, nullptr, 1, 1, nullptr, kForever, bad_row, bad_component, text, room));
  };
  train("index", nullptr, &number, &component);
  train("bad_row", handle, nullptr, &component);
  train("bad_component", handle, &number, nullptr);
  refused("index", panvec_faiss_train_like(nullptr, handle, text, room));
  refused("source", panvec_faiss_train_like(handle, nullptr, text, room));
  refused("index", panvec_faiss_encode(nullptr, 0, 1, nullptr, kForever, text, room));
  refused("index", panvec_faiss_prepare(nullptr, 1, text, room));
  refused("index", panvec_faiss_reserve(nullptr, 1, text, room));
  refused("index", panvec_faiss_stage(nullptr, 0, row, 1, &number, &component, text, room));
  refused("rows", panvec_faiss_stage(handle, 0, nullptr, 1, &number, &component, text, room));
  refused("bad_row", panvec_faiss_stage(handle, 0, row, 1, nullptr, &component, text, room));
  refused("bad_component", panvec_faiss_stage(handle, 0, row, 1, &number, nullptr, text, room));
  refused("index", panvec_faiss_stage_from(nullptr, 0, handle, &slot, 1, text, room));
  refused("source", panvec_faiss_stage_from(handle, 0, nullptr, &slot, 1, text, room));
  refused("slots", panvec_faiss_stage_from(handle, 0, handle, nullptr, 1, text, room));
  refused("index", panvec_faiss_link(nullptr, 0, 0, 1, nullptr, 0, &number, text, room));
  refused("linked", panvec_faiss_link(handle, 0, 0, 1, nullptr, 0, nullptr, text, room));
  panvec_faiss_saver* saver = nullptr;
  refused("index", panvec_faiss_save_begin(nullptr, PANVEC_FILE_GRAPH, 0, &saver, text, room));
  refused("saver", panvec_faiss_save_begin(handle, PANVEC_FILE_GRAPH, 0, nullptr, text, room));
  refused("saver", panvec_faiss_save_next(nullptr, text, room, &number, text, room));
  refused("index", panvec_faiss_open(nullptr, text, 1, nullptr, 0, 0, 0, 0, text, room));
  refused("graph", panvec_faiss_open(handle, nullptr, 1, nullptr, 0, 0, 0, 0, text, room));
  refused("rows", panvec_faiss_open(handle, text, 1, nullptr, 1, 0, 0, 0, text, room));
  refused("index", panvec_faiss_row(nullptr, 0, out, text, room));
  refused("row", panvec_faiss_row(handle, 0, nullptr, text, room));
  const auto search = [&](const std::string& name, panvec_faiss* of, const std::int64_t* const* id_pages, const float* query,
                          std::int64_t* to, float* far, std::int32_t* how_many) {
    refused(name, panvec_faiss_search(of, 1, nullptr, id_pages, nullptr, query, 1, 10, 1, 1, nullptr, kForever, to, far,
                                 how_many, text, room));
    refused(name, panvec_faiss_exact(of, 0, 1, nullptr, id_pages, nullptr, query, 1, 1, to, far, how_many, text, room));
    refused(name, panvec_faiss_exact_slots(of, &slot, 1, id_pages, query, 1, 1, to, far, how_many, text, room));
  };
  search("index", nullptr, pages, row, ids, distances, &count);
  search("id_pages", handle, nullptr, row, ids, distances, &count);
  search("query", handle, pages, nullptr, ids, distances, &count);
  search("ids", handle, pages, row, nullptr, distances, &count);
  search("distances", handle, pages, row, ids, nullptr, &count);
  search("count", handle, pages, row, ids, distances, nullptr);
  refused("slots", panvec_faiss_exact_slots(handle, nullptr, 1, pages, row, 1, 1, ids, distances, &count, text, room));

  // Nothing of it has changed anything; and of no elements NULL is as good as any array.
  ok(panvec_faiss_stage(handle, 0, nullptr, 0, &number, &component, text, room));
  ok(panvec_faiss_exact_slots(handle, nullptr, 0, nullptr, row, 1, 1, ids, distances, &count, text, room));
  ok(panvec_faiss_search(handle, 0, nullptr, nullptr, nullptr, row, 1, 10, 1, 1, nullptr, kForever, ids, distances, &count,
                    text, room));
  CHECK_EQUAL(0, count);
}

void any_number_of_threads_is_taken_by_a_training_that_can_be_stopped() {
  const std::int32_t stop = 0;
  for (const std::int32_t threads : {1 << 30, std::numeric_limits<std::int32_t>::max(), 0, -1}) {
    const Index index(PANVEC_L2, 4, kTypes[3]);
    const std::vector<float> sample(4 * 64, 1.0f);
    std::int64_t row = 0;
    std::int32_t component = 0;
    ok(panvec_faiss_train(index.handle(), 4, sample.data(), nullptr, 64, threads, &stop, kForever, &row, &component,
                          error_text, sizeof error_text));
  }
}

void hostile_sources_are_refused() {
  std::mt19937 random(kSeed + 45);
  const Type& flat = kTypes[0];
  const Type& ivf_flat = kTypes[3];
  const Type& ivf_pq = kTypes[5];
  const Type& pq = kTypes[6];
  const Type& sq8 = kTypes[7];
  const std::vector<std::int32_t> good = {3, 1, 2};
  const auto refused = [&](std::int32_t status, const char* text) {
    CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, status);
    CHECK_EQUAL(std::string(text), std::string(error_text));
  };
  {
    Index source(PANVEC_L2, 8, flat), index(PANVEC_L2, 8, flat), cosine(PANVEC_COSINE, 8, flat),
        wide(PANVEC_L2, 9, flat), graph(PANVEC_L2, 8, kTypes[1]);
    source.reserve(200);
    source.add(gaussian(100, 8, random));
    index.add(gaussian(50, 8, random));
    index.reserve(60);
    for (const Index* other : {&cosine, &wide, &graph}) {
      refused(stage_from(index, 50, *other, good.data(), 3), "the source has another metric, dimension or type");
    }
    refused(stage_from(index, 50, index, good.data(), 3), "the source must be another index");
    refused(stage_from(index, 50, source, nullptr, 3), "slots is NULL");
    for (const std::int32_t slot : {-1, 100, 199, 200, std::numeric_limits<std::int32_t>::max(),
                                    std::numeric_limits<std::int32_t>::min()}) {
      const std::vector<std::int32_t> bad = {3, slot, 2};
      const std::string text = "slot " + std::to_string(slot) + " of the source is not linked";
      refused(stage_from(index, 50, source, bad.data(), 3), text.c_str());
    }
    const char* place = "slots to stage are linked already or beyond the reserved capacity";
    refused(stage_from(index, 49, source, good.data(), 3), place);
    refused(stage_from(index, 58, source, good.data(), 3), place);
    refused(stage_from(index, -1, source, good.data(), 3), place);
    refused(stage_from(index, 50, source, good.data(), -1), place);
    refused(stage_from(index, 50, source, good.data(), kForever), place);
    refused(stage_from(index, kForever, source, good.data(), 3), place);
    refused(stage_from(index, 51, source, good.data(), 3), "slots to stage must follow those staged before");
    ok(stage_from(index, 50, source, nullptr, 0));
    refused(train_like(index, source), "an index of this type needs no training");
    take_over(index, source, good, true, random);
    CHECK(index.row(50) == source.row(3) && index.row(52) == source.row(2));
  }
  Options codes;
  codes.keep_vectors = 0;
  codes.pq_bits = 4;
  for (const Type* type : {&ivf_pq, &pq, &sq8}) {
    Index source(PANVEC_L2, 8, *type, codes), index(PANVEC_L2, 8, *type, codes), own(PANVEC_L2, 8, *type, codes);
    source.add(gaussian(300, 8, random));
    own.add(gaussian(300, 8, random));
    index.reserve(600);
    refused(train_like(index, source), "the source is not trained");
    refused(train_like(index, index), "the source must be another index");
    CHECK_EQUAL(0, panvec_faiss_is_trained(index.handle()));
    source.train(5);
    own.train(5);
    // It holds codes alone; the index knows nothing of them, or means something else by them.
    const char* unlike = "the source has codes alone: the index must be trained like it";
    refused(stage_from(index, 0, source, good.data(), 3), unlike);
    own.reserve(600);
    refused(stage_from(own, 300, source, good.data(), 3), unlike);
    refused(train_like(own, source), "the index is trained already");
    Options other = codes;
    other.keep_vectors = 1;
    const char* kind = "the source has another metric, dimension, type or other codes";
    refused(train_like(Index(PANVEC_L2, 8, *type, other), source), kind);
    refused(train_like(Index(PANVEC_DOT, 8, *type, codes), source), kind);
    refused(train_like(Index(PANVEC_L2, 12, *type, codes), source), kind);
    refused(train_like(Index(PANVEC_L2, 8, ivf_flat, codes), source), kind);
    if (type != &sq8) {
      other = codes;
      other.pq_m = 4;
      refused(train_like(Index(PANVEC_L2, 8, *type, other), source), kind);
      other = codes;
      other.pq_bits = 5;
      refused(train_like(Index(PANVEC_L2, 8, *type, other), source), kind);
    }
    Index staged(PANVEC_L2, 8, *type, codes);
    staged.reserve(10);
    staged.stage(gaussian(1, 8, random));
    refused(train_like(staged, source), "the index has slots already");
    ok(train_like(index, source));
    refused(train_like(index, source), "the index is trained already");
    take_over(index, source, good, true, random);
    // One that has taken over is a source as good, also after the first is gone.
    Index third(PANVEC_L2, 8, *type, codes);
    third.reserve(10);
    {
      const Index gone = std::move(source);
      ok(train_like(third, index));
    }
    take_over(third, index, {2, 0}, true, random);
    const std::vector<float> q = gaussian(1, 8, random);
    CHECK_EQUAL(all_distances(index, q.data())[2], all_distances(third, q.data())[0]);
    CHECK_EQUAL(all_distances(index, q.data())[0], all_distances(third, q.data())[1]);
  }
}

void taking_over_survives_a_lack_of_memory() {
  std::mt19937 random(kSeed + 46);
  constexpr std::size_t dim = 16;
  for (const Type& type : kTypes) {
    if (!type.lossy) continue;
    Options options;
    options.keep_vectors = 0;
    options.pq_bits = 4;
    Index source(PANVEC_L2, dim, type, options), index(PANVEC_L2, dim, type, options);
    source.add(clustered(400, dim, random));
    source.train(6);
    index.reserve(400);
    const std::vector<std::int32_t> slots = shuffled_slots(400, random);
    const auto insist = [&](auto&& call) {
      for (std::int64_t allowed = 0;; ++allowed) {
        allocations_left.store(allowed);
        const std::int32_t status = call();
        allocations_left.store(-1);
        if (status == PANVEC_OK) return;
        CHECK_EQUAL(PANVEC_OUT_OF_MEMORY, status);
      }
    };
    insist([&] { return train_like(index, source); });
    for (std::int64_t at = 0; at < 400; at += 100) {
      insist([&] { return stage_from(index, at, source, &slots[static_cast<std::size_t>(at)], 100); });
    }
    take_over(index, source, slots, false, random);
    const std::vector<float> q = clustered(1, dim, random);
    const std::vector<float> of_source = all_distances(source, q.data()), of_index = all_distances(index, q.data());
    for (std::size_t j = 0; j < slots.size(); ++j) {
      CHECK_EQUAL(of_source[static_cast<std::size_t>(slots[j])], of_index[j]);
    }
  }
}

}  // namespace

int main() {
  std::printf("faiss %s, compiled for %s, seed %u\n", panvec_faiss_upstream_version(),
              panvec_faiss_compiled_simd_level(), kSeed);
  using panvec::check::run;
  run("every type finds nearly all neighbours", every_type_finds_nearly_all_neighbours);
  run("dead and filtered slots are never returned", dead_and_filtered_slots_are_never_returned);
  run("a version hides later slots", a_version_hides_later_slots);
  run("threads do not change training and codes", threads_do_not_change_training_and_codes);
  run("one thread builds the same graph every time", one_thread_builds_the_same_graph_every_time);
  run("several threads build a graph as good", several_threads_build_a_graph_as_good);
  run("an untrained index counts and catches up", an_untrained_index_counts_and_catches_up);
  run("an index may be trained on a sample first", an_index_may_be_trained_on_a_sample_first);
  run("without vectors codes answer", without_vectors_codes_answer);
  run("extreme values are served", extreme_values_are_served);
  run("the smallest shapes work", the_smallest_shapes_work);
  run("equal rows train", equal_rows_train);
  run("an empty index answers nothing", an_empty_index_answers_nothing);
  run("bad rows are named and change nothing", bad_rows_are_named_and_change_nothing);
  run("slots can be staged again", slots_can_be_staged_again);
  run("too few rows and wrong order are refused", too_few_rows_and_wrong_order_are_refused);
  run("growth without memory leaves the index as it was", growth_without_memory_leaves_the_index_as_it_was);
  run("a lack of memory is survived anywhere", a_lack_of_memory_is_survived_anywhere);
  run("memory is counted", memory_is_counted);
  run("searches run beside writing", searches_run_beside_writing);
  run("only the slots named are trained on", only_the_slots_named_are_trained_on);
#if defined(__linux__)
  run("more threads than a BLAS has buffers", more_threads_than_a_blas_has_buffers);
  run("products of many threads are right", products_of_many_threads_are_right);
#endif
  run("callers need little stack", callers_need_little_stack);
  run("a search ends when asked", a_search_ends_when_asked);
  run("training and encoding end when asked", training_and_encoding_end_when_asked);
  run("work is stopped by another thread", work_is_stopped_by_another_thread);
  run("slots of another index are taken over bit for bit", slots_of_another_index_are_taken_over_bit_for_bit);
  run("codes and rows are staged in any order", codes_and_rows_are_staged_in_any_order);
  run("a saved index answers the same", a_saved_index_answers_the_same);
  run("FAISS reads what is saved, and writes the same", faiss_reads_what_is_saved_and_writes_the_same);
  run("an index is saved as it was, whatever is done meanwhile",
      an_index_is_saved_as_it_was_whatever_is_done_meanwhile);
  run("an index of absurd rows is saved too", an_index_of_absurd_rows_is_saved_too);
  run("hostile files: a damaged one is refused, or leads nowhere else",
      a_damaged_file_is_refused_or_leads_nowhere_else);
  run("every link and every entry of a list is checked", every_link_and_every_entry_of_a_list_is_checked);
  run("a view is not written to", a_view_is_not_written_to);
  run("opening survives a lack of memory", opening_survives_a_lack_of_memory);
  run("NULL where it means nothing is refused by name", null_where_it_means_nothing_is_refused_by_name);
  run("hostile numbers of threads: any is taken by a training that can be stopped",
      any_number_of_threads_is_taken_by_a_training_that_can_be_stopped);
  run("hostile sources are refused", hostile_sources_are_refused);
  run("taking over survives a lack of memory", taking_over_survives_a_lack_of_memory);
}
