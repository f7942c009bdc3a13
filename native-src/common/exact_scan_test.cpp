// The exact scan against sorting all reference distances, over values, ties, sets, slices and SIMD levels.
#include "exact_scan.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "check.hpp"

namespace {

using namespace panvec;

constexpr std::uint32_t kSeed = 20261122;

std::vector<SimdLevel> levels() {
  std::vector<SimdLevel> usable;
  for (const SimdLevel level : {SimdLevel::kBaseline, SimdLevel::kNeon, SimdLevel::kAvx2, SimdLevel::kAvx512}) {
    if (set_simd_level(simd_level_name(level), nullptr, 0)) usable.push_back(level);
  }
  set_simd_level("auto", nullptr, 0);
  return usable;
}

enum class Data { kGaussian, kAllEqual, kFewDistinct, kNearTies, kMixedNorms };

struct Set {
  Metric metric;
  std::size_t dim;
  std::int64_t count;
  std::size_t stride;
  std::vector<char> bytes;
  std::vector<float> query;
  double max_norm = 0.0;
  std::vector<std::int64_t> ids;  // whole pages
  std::vector<const std::int64_t*> id_pages;

  SlotRows rows() const { return {bytes.data() + 4, stride, dim}; }
};

Set make_set(Metric metric, Data data, std::size_t dim, std::int64_t count, float scale, std::mt19937& random) {
  Set set;
  set.metric = metric;
  set.dim = dim;
  set.count = count;
  set.stride = dim * sizeof(float) + 12;
  set.bytes.resize(set.stride * static_cast<std::size_t>(count) + 4);
  std::normal_distribution<float> normal;
  const auto gaussian = [&] {
    std::vector<float> v(dim);
    constexpr float most = std::numeric_limits<float>::max();
    for (float& x : v) x = std::clamp(normal(random) * scale, -most, most);
    if (dim > 0 && std::all_of(v.begin(), v.end(), [](float x) { return x == 0.0f; })) v[0] = scale;
    return v;
  };
  set.query = gaussian();
  std::vector<std::vector<float>> distinct;
  for (int i = 0; i < 3; ++i) distinct.push_back(gaussian());
  for (std::int64_t slot = 0; slot < count; ++slot) {
    std::vector<float> v = distinct[0];
    switch (data) {
      case Data::kGaussian:
        v = gaussian();
        break;
      case Data::kAllEqual:
        break;
      case Data::kFewDistinct:
        v = distinct[random() % distinct.size()];
        break;
      case Data::kNearTies:  // a few last bits apart: in order only by the reference kernel
        for (float& x : v) {
          for (unsigned steps = random() % 3; steps > 0; --steps) x = std::nextafterf(x, HUGE_VALF);
        }
        break;
      case Data::kMixedNorms:
        v = gaussian();
        for (float& x : v) x *= std::ldexp(1.0f, static_cast<int>(random() % 16) - 8);
        if (std::all_of(v.begin(), v.end(), [](float x) { return x == 0.0f; })) v[0] = scale;
        break;
    }
    for (float& x : v) x = std::clamp(x, -std::numeric_limits<float>::max(), std::numeric_limits<float>::max());
    if (metric == Metric::kCosine) CHECK(reference_unit(v.data(), dim, v.data()));
    set.max_norm = std::max(set.max_norm, std::sqrt(reference_dot(v.data(), v.data(), dim)) * (1.0 + 1e-9));
    std::memcpy(set.bytes.data() + 4 + static_cast<std::size_t>(slot) * set.stride, v.data(), dim * sizeof(float));
  }
  if (metric == Metric::kCosine) CHECK(reference_unit(set.query.data(), dim, set.query.data()));
  // Ids in another order than slots, negative ones included.
  set.ids.resize(static_cast<std::size_t>((count + kSlotsPerPage - 1) / kSlotsPerPage * kSlotsPerPage));
  std::iota(set.ids.begin(), set.ids.end(), -count / 2);
  std::shuffle(set.ids.begin(), set.ids.end(), random);
  for (std::size_t i = 0; i < set.ids.size(); i += kSlotsPerPage) set.id_pages.push_back(&set.ids[i]);
  return set;
}

struct Chosen {
  std::vector<std::vector<std::uint64_t>> dead;
  std::vector<const std::uint64_t*> dead_pages;
  std::vector<std::uint64_t> filter;
  bool has_dead = false;
  bool has_filter = false;

  SlotSet slots() const { return {has_dead ? dead_pages.data() : nullptr, has_filter ? filter.data() : nullptr}; }
};

// Bits by kind: none, sparse, dense, blocks of whole words.
std::uint64_t bits(int kind, std::mt19937_64& random) {
  switch (kind) {
    case 0:
      return 0;
    case 1:
      return random() & random() & random() & random() & random();
    case 2:
      return random() | random();
    default:
      return random() % 2 == 0 ? 0 : ~std::uint64_t{0};
  }
}

Chosen make_chosen(std::int64_t count, bool has_dead, bool has_filter, int kind, std::mt19937_64& random) {
  Chosen chosen;
  chosen.has_dead = has_dead;
  chosen.has_filter = has_filter;
  const std::int64_t pages = (count + kSlotsPerPage - 1) / kSlotsPerPage;
  for (std::int64_t page = 0; page < pages; ++page) {
    chosen.dead.emplace_back(kWordsPerPage);
    for (std::uint64_t& word : chosen.dead.back()) word = bits(kind, random);
  }
  for (std::int64_t page = 0; page < pages; ++page) {
    // The second page has no dead slot.
    chosen.dead_pages.push_back(page == 1 ? nullptr : chosen.dead[static_cast<std::size_t>(page)].data());
  }
  chosen.filter.resize(static_cast<std::size_t>((count + 63) / 64));
  for (std::uint64_t& word : chosen.filter) word = bits(3 - kind, random);
  return chosen;
}

using Hits = std::vector<std::pair<float, std::int64_t>>;

Hits oracle(const Set& set, const Chosen& chosen, std::int64_t from, std::int64_t to, std::int32_t k) {
  Hits hits;
  for (std::int64_t slot = from; slot < to; ++slot) {
    const auto word = static_cast<std::size_t>(slot / 64);
    if (chosen.has_filter && ((chosen.filter[word] >> (slot % 64)) & 1) == 0) continue;
    const auto page = static_cast<std::size_t>(slot / kSlotsPerPage);
    if (chosen.has_dead && chosen.dead_pages[page] != nullptr &&
        ((chosen.dead[page][static_cast<std::size_t>(slot % kSlotsPerPage / 64)] >> (slot % 64)) & 1) != 0) {
      continue;
    }
    hits.emplace_back(reference_distance(set.metric, set.query.data(), set.rows().row(slot), set.dim),
                      set.ids[static_cast<std::size_t>(slot)]);
  }
  std::sort(hits.begin(), hits.end());
  if (hits.size() > static_cast<std::size_t>(k)) hits.resize(static_cast<std::size_t>(k));
  return hits;
}

struct Result {
  explicit Result(std::int32_t k)
      : ids(static_cast<std::size_t>(k), -777), distances(static_cast<std::size_t>(k)), k(k) {}
  std::vector<std::int64_t> ids;
  std::vector<float> distances;
  std::int32_t count = 0;
  std::int32_t k;

  TopK top() { return TopK(ids.data(), distances.data(), &count, k); }
  Hits sorted() {
    top().sort();
    Hits hits;
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) hits.emplace_back(distances[i], ids[i]);
    return hits;
  }
};

ExactScan scan(const Set& set, SimdLevel level, Result& result) {
  return ExactScan(set.metric, level, set.rows(), set.max_norm, set.query.data(), set.id_pages.data(), result.top());
}

void compare(const Hits& expected, const Hits& actual, const std::string& what) {
  if (expected == actual) return;
  std::size_t at = 0;
  while (at < expected.size() && at < actual.size() && expected[at] == actual[at]) ++at;
  panvec::check::failed(__FILE__, __LINE__,
                        what + ": " + std::to_string(actual.size()) + " hits for " + std::to_string(expected.size()) +
                            ", differing from rank " + std::to_string(at));
}

void check_set(const Set& set, const std::string& name, std::mt19937_64& random) {
  for (const int kind : {0, 1, 2, 3}) {
    const Chosen chosen = make_chosen(set.count, random() % 2 == 0, random() % 2 == 0, kind, random);
    const std::int32_t ks[] = {1, 10, static_cast<std::int32_t>(set.count), static_cast<std::int32_t>(set.count + 5)};
    const std::int32_t k = ks[random() % 4];
    const std::int64_t from = random() % 3 == 0 ? static_cast<std::int64_t>(random() % (set.count + 1)) : 0;
    const Hits expected = oracle(set, chosen, from, set.count, k);
    for (const SimdLevel level : levels()) {
      const std::string what = name + " at " + simd_level_name(level);
      Result whole(k);
      scan(set, level, whole).range(from, set.count, chosen.slots());
      compare(expected, whole.sorted(), what);

      Result sliced(k);
      for (std::int64_t at = from; at < set.count;) {
        const std::int64_t end = std::min<std::int64_t>(set.count, at + 1 + static_cast<std::int64_t>(random() % 900));
        scan(set, level, sliced).range(at, end, chosen.slots());
        at = end;
      }
      compare(expected, sliced.sorted(), what + ", sliced");

      std::vector<std::int32_t> slots;
      for (std::int64_t slot = from; slot < set.count; ++slot) {
        if (chosen.slots().contains(slot)) slots.push_back(static_cast<std::int32_t>(slot));
      }
      Result listed(k);
      const auto half = static_cast<std::int64_t>(slots.size() / 2);
      scan(set, level, listed).list(slots.data(), half);
      scan(set, level, listed).list(slots.data() + half, static_cast<std::int64_t>(slots.size()) - half);
      compare(expected, listed.sorted(), what + ", listed");
    }
  }
}

void the_result_is_that_of_sorting_all_reference_distances() {
  std::mt19937 random(kSeed);
  std::mt19937_64 random64(kSeed);
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot}) {
    for (const Data data :
         {Data::kGaussian, Data::kAllEqual, Data::kFewDistinct, Data::kNearTies, Data::kMixedNorms}) {
      for (const float scale : {1e-42f, 1e-30f, 1e-20f, 1.0f, 1e18f, 1e30f, 1e38f}) {
        for (const std::size_t dim : {1, 3, 20, 100}) {
          const std::int64_t counts[] = {1, 64, 65, 700};
          const std::int64_t count = counts[random() % 4];
          const Set set = make_set(metric, data, dim, count, scale, random);
          check_set(set,
                    "metric " + std::to_string(static_cast<int>(metric)) + ", data " +
                        std::to_string(static_cast<int>(data)) + ", scale " + std::to_string(scale) + ", dim " +
                        std::to_string(dim) + ", count " + std::to_string(count),
                    random64);
        }
      }
    }
  }
}

void pages_of_slots_are_crossed() {
  std::mt19937 random(kSeed + 1);
  std::mt19937_64 random64(kSeed + 1);
  const Set set = make_set(Metric::kL2, Data::kGaussian, 4, 2 * kSlotsPerPage + 100, 1.0f, random);
  check_set(set, "three pages", random64);
}

// All distances equal, so ids alone decide, and a row dropped by the float pass would show.
void among_equal_rows_the_smallest_ids_win() {
  std::mt19937 random(kSeed + 2);
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot}) {
    const Set set = make_set(metric, Data::kAllEqual, 33, 1000, 1.0f, random);
    std::vector<std::int64_t> ids(set.ids.begin(), set.ids.begin() + 1000);
    std::sort(ids.begin(), ids.end());
    for (const SimdLevel level : levels()) {
      Result result(7);
      scan(set, level, result).range(0, 1000, {});
      result.sorted();
      for (std::size_t i = 0; i < 7; ++i) CHECK_EQUAL(ids[i], result.ids[i]);
    }
  }
}

// Two rows, of which the float kernels would put the wrong one first.
void check_second_row_wins(Metric metric, const std::vector<float>& query, const std::vector<float>& first,
                           const std::vector<float>& second) {
  const std::size_t dim = query.size();
  std::vector<float> rows = first;
  rows.insert(rows.end(), second.begin(), second.end());
  const double norm = std::sqrt(std::max(reference_dot(first.data(), first.data(), dim),
                                         reference_dot(second.data(), second.data(), dim)));
  const std::vector<std::int64_t> ids(kSlotsPerPage, 1);
  const std::int64_t* id_page = ids.data();
  CHECK(reference_distance(metric, query.data(), second.data(), dim) <
        reference_distance(metric, query.data(), first.data(), dim));
  for (const SimdLevel level : levels()) {
    Result result(1);
    ExactScan(metric, level, {reinterpret_cast<const char*>(rows.data()), dim * sizeof(float), dim},
              norm * (1.0 + 1e-9), query.data(), &id_page, result.top())
        .range(0, 2, {});
    CHECK_EQUAL(reference_distance(metric, query.data(), second.data(), dim), result.distances[0]);
  }
}

void a_row_whose_float_value_overflows_is_not_passed_over() {
  // -4e38 alone is minus infinity; with 3e38 beside it the inner product is -1e38, better than the first row's -2e38.
  std::vector<float> query(64, 0.0f), first(64, 0.0f), second(64, 0.0f);
  query[0] = query[1] = 1e19f;
  first[0] = -2e19f;
  second[0] = -4e19f;
  second[1] = 3e19f;
  check_second_row_wins(Metric::kDot, query, first, second);
}

void a_row_whose_float_value_underflows_is_not_passed_over() {
  // Every square of the second row is rounded up to the smallest float, from little more than half of it.
  const std::vector<float> query(100, 0.0f);
  std::vector<float> first(100, 0.0f);
  first[0] = 3.16e-22f;
  check_second_row_wins(Metric::kL2, query, first, std::vector<float>(100, 2.83e-23f));
}

}  // namespace

int main() {
  std::printf("best level: %s, seed %u\n", simd_level_name(best_simd_level()), kSeed);
  panvec::check::run("the result is that of sorting all reference distances",
                     the_result_is_that_of_sorting_all_reference_distances);
  panvec::check::run("pages of slots are crossed", pages_of_slots_are_crossed);
  panvec::check::run("among equal rows the smallest ids win", among_equal_rows_the_smallest_ids_win);
  panvec::check::run("a row whose float value overflows is not passed over",
                     a_row_whose_float_value_overflows_is_not_passed_over);
  panvec::check::run("a row whose float value underflows is not passed over",
                     a_row_whose_float_value_underflows_is_not_passed_over);
}
