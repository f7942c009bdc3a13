// Hostile calls on libpanvec_usearch.
#include "panvec_usearch.h"
#include "slot_fuzz.hpp"

namespace {

using namespace panvec::fuzz;

struct Usearch {
  using Index = panvec_usearch;
  struct Kind {
    std::int32_t metric = 0;
    std::int32_t dim = 0;
    std::int32_t quantization = 0;
    std::int32_t keep_vectors = 0;
  };

  static constexpr auto free = panvec_usearch_free;
  static constexpr auto prepare = panvec_usearch_prepare;
  static constexpr auto reserve = panvec_usearch_reserve;
  static constexpr auto stage = panvec_usearch_stage;
  static constexpr auto stage_from = panvec_usearch_stage_from;
  static constexpr auto link = panvec_usearch_link;
  static constexpr auto exact = panvec_usearch_exact;
  static constexpr auto exact_slots = panvec_usearch_exact_slots;
  static constexpr auto row = panvec_usearch_row;
  static constexpr auto memory_bytes = panvec_usearch_memory_bytes;
  static constexpr auto max_level = panvec_usearch_max_level;
  using Saver = panvec_usearch_saver;
  static constexpr auto save_begin = panvec_usearch_save_begin;
  static constexpr auto save_next = panvec_usearch_save_next;
  static constexpr auto save_end = panvec_usearch_save_end;
  static constexpr auto open = panvec_usearch_open;
  static constexpr auto max_row_norm = panvec_usearch_max_row_norm;

  struct Width {
    explicit Width(Input& input) : ef_search(input.number32(1, 100)), refine_factor(input.number32(1, 4)) {}
    std::int32_t ef_search;
    std::int32_t refine_factor;
  };

  static std::int32_t create(Input& input, Kind& kind, Links& links, bool is_first, Index** index, ErrorText& error) {
    if (is_first || input.rarely(8)) {
      kind.metric = input.number32(PANVEC_L2, PANVEC_DOT);
      kind.dim = input.number32(1, 20);
      kind.quantization = input.number32(PANVEC_USEARCH_F32, PANVEC_USEARCH_I8);
      kind.keep_vectors = input.number32(0, 1);
    }
    links.m = input.number32(2, 16);
    links.ef_construction = input.number32(1, 60);
    const ScarceMemory scarce(input);
    return panvec_usearch_create(kind.metric, kind.dim, kind.quantization, links.m, links.ef_construction, kind.keep_vectors, index,
                                 error.text(), error.capacity());
  }

  static std::int32_t create_alike(const Kind& kind, const Links& links, Index** index, char* text, std::int32_t capacity) {
    return panvec_usearch_create(kind.metric, kind.dim, kind.quantization, links.m, links.ef_construction, kind.keep_vectors, index, text, capacity);
  }

  static std::int32_t search(const Index* index, std::int64_t slot_count, const std::uint64_t* const* dead_pages,
                             const std::int64_t* const* id_pages, const std::uint64_t* filter, const float* query,
                             std::int32_t k, const Width& width, const std::int32_t* stop, std::int64_t nanos_left,
                             std::int64_t* ids, float* distances, std::int32_t* count, char* error,
                             std::int32_t error_capacity) {
    return panvec_usearch_search(index, slot_count, dead_pages, id_pages, filter, query, k, width.ef_search,
                                 width.refine_factor, stop, nanos_left, ids, distances, count, error, error_capacity);
  }

  template <typename Refused>
  static void null_pointers(Refused&& refused, Index* index, const float*, char* text, std::int32_t capacity) {
    std::int64_t written = 0;
    Saver* saver = nullptr;
    char room[1] = {0};
    refused(panvec_usearch_save_begin(nullptr, PANVEC_FILE_GRAPH, 0, &saver, text, capacity));
    refused(panvec_usearch_save_begin(index, PANVEC_FILE_GRAPH, 0, nullptr, text, capacity));
    refused(panvec_usearch_save_next(nullptr, room, 1, &written, text, capacity));
    refused(panvec_usearch_open(nullptr, room, 1, nullptr, 0, 0, 0, 0, text, capacity));
    refused(panvec_usearch_open(index, nullptr, 1, nullptr, 0, 0, 0, 0, text, capacity));
    panvec_usearch_save_end(nullptr);
    refused(panvec_usearch_create(PANVEC_L2, 1, PANVEC_USEARCH_F32, 2, 1, 1, nullptr, text, capacity));
  }

  static bool may_link(Input&, Slots<Usearch>&, std::int64_t) { return true; }

  static void other_call(Input& input, Slots<Usearch>& one, Slots<Usearch>&) {
    require_that(panvec_usearch_code_bytes(one.index) >= 0, "a code has no negative size");
    const std::int32_t metric = input.number32(PANVEC_L2, PANVEC_DOT);
    const std::int32_t quantization = input.number32(PANVEC_USEARCH_F32, PANVEC_USEARCH_I8);
    require_that(panvec_usearch_code_kernel(metric, quantization)[0] != 0, "a kernel has a name");
    ErrorText error(input);
    error.ok(panvec_usearch_set_simd_level(input.rarely(2) ? nullptr : "of tomorrow", error.text(), error.capacity()));
  }
};

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) { return use_simd_level(panvec_usearch_set_simd_level); }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  SlotFuzzer<Usearch>(input).run();
  return 0;
}
