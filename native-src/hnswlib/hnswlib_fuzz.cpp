// Hostile calls on libpanvec_hnswlib.
#include "panvec_hnswlib.h"
#include "slot_fuzz.hpp"

namespace {

using namespace panvec::fuzz;

struct Hnswlib {
  using Index = panvec_hnswlib;
  struct Kind {
    std::int32_t metric = 0;
    std::int32_t dim = 0;
  };

  static constexpr auto free = panvec_hnswlib_free;
  static constexpr auto prepare = panvec_hnswlib_prepare;
  static constexpr auto reserve = panvec_hnswlib_reserve;
  static constexpr auto stage = panvec_hnswlib_stage;
  static constexpr auto stage_from = panvec_hnswlib_stage_from;
  static constexpr auto link = panvec_hnswlib_link;
  static constexpr auto exact = panvec_hnswlib_exact;
  static constexpr auto exact_slots = panvec_hnswlib_exact_slots;
  static constexpr auto row = panvec_hnswlib_row;
  static constexpr auto memory_bytes = panvec_hnswlib_memory_bytes;
  static constexpr auto max_level = panvec_hnswlib_max_level;
  using Saver = panvec_hnswlib_saver;
  static constexpr auto save_begin = panvec_hnswlib_save_begin;
  static constexpr auto save_next = panvec_hnswlib_save_next;
  static constexpr auto save_end = panvec_hnswlib_save_end;
  static constexpr auto open = panvec_hnswlib_open;
  static constexpr auto max_row_norm = panvec_hnswlib_max_row_norm;

  struct Width {
    explicit Width(Input& input) : ef(input.number32(1, 100)) {}
    std::int32_t ef;
  };

  static std::int32_t create(Input& input, Kind& kind, Links& links, bool is_first, Index** index, ErrorText& error) {
    if (is_first || input.rarely(8)) kind = {input.number32(PANVEC_L2, PANVEC_DOT), input.number32(1, 20)};
    links.m = input.number32(2, 16);
    links.ef_construction = input.number32(1, 60);
    const std::int64_t seed = input.number(0, 3);
    const ScarceMemory scarce(input);
    return panvec_hnswlib_create(kind.metric, kind.dim, links.m, links.ef_construction, seed, index, error.text(),
                                 error.capacity());
  }

  static std::int32_t create_alike(const Kind& kind, const Links& links, Index** index, char* text, std::int32_t capacity) {
    return panvec_hnswlib_create(kind.metric, kind.dim, links.m, links.ef_construction, 1, index, text, capacity);
  }

  static std::int32_t search(const Index* index, std::int64_t slot_count, const std::uint64_t* const* dead_pages,
                             const std::int64_t* const* id_pages, const std::uint64_t* filter, const float* query,
                             std::int32_t k, const Width& width, const std::int32_t* stop, std::int64_t nanos_left,
                             std::int64_t* ids, float* distances, std::int32_t* count, char* error,
                             std::int32_t error_capacity) {
    return panvec_hnswlib_search(index, slot_count, dead_pages, id_pages, filter, query, k, width.ef, stop, nanos_left,
                                 ids, distances, count, error, error_capacity);
  }

  template <typename Refused>
  static void null_pointers(Refused&& refused, Index* index, const float* row, char* text, std::int32_t capacity) {
    std::int64_t written = 0;
    Saver* saver = nullptr;
    char room[1] = {0};
    refused(panvec_hnswlib_save_begin(nullptr, PANVEC_FILE_GRAPH, 0, &saver, text, capacity));
    refused(panvec_hnswlib_save_begin(index, PANVEC_FILE_GRAPH, 0, nullptr, text, capacity));
    refused(panvec_hnswlib_save_next(nullptr, room, 1, &written, text, capacity));
    refused(panvec_hnswlib_open(nullptr, room, 1, nullptr, 0, 0, 0, 0, text, capacity));
    refused(panvec_hnswlib_open(index, nullptr, 1, nullptr, 0, 0, 0, 0, text, capacity));
    panvec_hnswlib_save_end(nullptr);
    refused(panvec_hnswlib_create(PANVEC_L2, 1, 2, 1, 1, nullptr, text, capacity));
    float out = 0;
    const std::int32_t bad = PANVEC_INVALID_ARGUMENT;
    require_that(panvec_hnswlib_reference_distance(PANVEC_L2, 1, nullptr, row, &out) == bad, "NULL is refused");
    require_that(panvec_hnswlib_reference_distance(PANVEC_L2, 1, row, nullptr, &out) == bad, "NULL is refused");
    require_that(panvec_hnswlib_reference_distance(PANVEC_L2, 1, row, row, nullptr) == bad, "NULL is refused");
    require_that(panvec_hnswlib_reference_unit(1, nullptr, &out) == bad, "NULL is refused");
    require_that(panvec_hnswlib_reference_unit(1, row, nullptr) == bad, "NULL is refused");
  }

  static bool may_link(Input&, Slots<Hnswlib>&, std::int64_t) { return true; }

  static void other_call(Input& input, Slots<Hnswlib>&, Slots<Hnswlib>&) {
    const auto dim = static_cast<std::int32_t>(input.below(20));
    const auto a = input.floats(static_cast<std::size_t>(dim));
    const auto b = input.floats(static_cast<std::size_t>(dim));
    float distance = 0;
    if (input.rarely(8)) {
      ErrorText error(input);
      error.ok(panvec_hnswlib_set_simd_level(input.rarely(2) ? nullptr : "of tomorrow", error.text(), error.capacity()));
    } else if (input.rarely(2)) {
      const std::int32_t metric = input.number32(PANVEC_L2, PANVEC_DOT);
      ok(panvec_hnswlib_reference_distance(metric, dim, a.get(), b.get(), &distance));
    } else {
      ok(panvec_hnswlib_reference_unit(dim, a.get(), b.get()));
    }
  }
};

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) { return use_simd_level(panvec_hnswlib_set_simd_level); }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  SlotFuzzer<Hnswlib>(input).run();
  return 0;
}
