// Hostile calls on libpanvec_faiss.
#include "panvec_faiss.h"
#include "slot_fuzz.hpp"

namespace {

using namespace panvec::fuzz;

struct Faiss {
  using Index = panvec_faiss;
  struct Kind {
    std::int32_t metric = 0;
    std::int32_t dim = 0;
    std::int32_t type = 0;
    std::int32_t pq_m = 0;
    std::int32_t pq_bits = 0;
    std::int32_t keep_vectors = 0;
  };

  static constexpr auto free = panvec_faiss_free;
  static constexpr auto prepare = panvec_faiss_prepare;
  static constexpr auto reserve = panvec_faiss_reserve;
  static constexpr auto stage = panvec_faiss_stage;
  static constexpr auto stage_from = panvec_faiss_stage_from;
  static constexpr auto link = panvec_faiss_link;
  static constexpr auto exact = panvec_faiss_exact;
  static constexpr auto exact_slots = panvec_faiss_exact_slots;
  static constexpr auto row = panvec_faiss_row;
  static constexpr auto memory_bytes = panvec_faiss_memory_bytes;
  static constexpr auto max_level = panvec_faiss_max_level;
  using Saver = panvec_faiss_saver;
  static constexpr auto save_begin = panvec_faiss_save_begin;
  static constexpr auto save_next = panvec_faiss_save_next;
  static constexpr auto save_end = panvec_faiss_save_end;
  static constexpr auto open = panvec_faiss_open;
  static constexpr auto max_row_norm = panvec_faiss_max_row_norm;

  struct Width {
    explicit Width(Input& input)
        : ef_search(input.number32(1, 100)), nprobe(input.number32(1, 8)), refine_factor(input.number32(1, 4)) {}
    std::int32_t ef_search;
    std::int32_t nprobe;
    std::int32_t refine_factor;
  };

  static std::int32_t create(Input& input, Kind& kind, Links& links, bool is_first, Index** index, ErrorText& error) {
    if (is_first || input.rarely(8)) {
      kind.metric = input.number32(PANVEC_L2, PANVEC_DOT);
      kind.dim = input.number32(1, 20);
      kind.type = input.number32(PANVEC_FAISS_FLAT, PANVEC_FAISS_SQ8);
      kind.pq_m = input.rarely(4) ? input.number32(1, kind.dim) : 1;
      kind.pq_bits = input.rarely(4) ? input.number32(4, 6) : 4;
      kind.keep_vectors = input.number32(0, 1);
    }
    links.m = input.number32(2, 16);
    links.ef_construction = input.number32(1, 60);
    const std::int64_t seed = input.number(0, 3);
    const ScarceMemory scarce(input);
    return panvec_faiss_create(kind.metric, kind.dim, kind.type, links.m, links.ef_construction, kind.pq_m, kind.pq_bits,
                               kind.keep_vectors, seed, index, error.text(), error.capacity());
  }

  static std::int32_t create_alike(const Kind& kind, const Links& links, Index** index, char* text, std::int32_t capacity) {
    return panvec_faiss_create(kind.metric, kind.dim, kind.type, links.m, links.ef_construction, kind.pq_m, kind.pq_bits, kind.keep_vectors, 1, index, text,
                               capacity);
  }

  static std::int32_t search(const Index* index, std::int64_t slot_count, const std::uint64_t* const* dead_pages,
                             const std::int64_t* const* id_pages, const std::uint64_t* filter, const float* query,
                             std::int32_t k, const Width& width, const std::int32_t* stop, std::int64_t nanos_left,
                             std::int64_t* ids, float* distances, std::int32_t* count, char* error,
                             std::int32_t error_capacity) {
    return panvec_faiss_search(index, slot_count, dead_pages, id_pages, filter, query, k, width.ef_search, width.nprobe,
                               width.refine_factor, stop, nanos_left, ids, distances, count, error, error_capacity);
  }

  template <typename Refused>
  static void null_pointers(Refused&& refused, Index* index, const float* row, char* text, std::int32_t capacity) {
    std::int64_t written = 0;
    Saver* saver = nullptr;
    char room[1] = {0};
    refused(panvec_faiss_save_begin(nullptr, PANVEC_FILE_GRAPH, 0, &saver, text, capacity));
    refused(panvec_faiss_save_begin(index, PANVEC_FILE_GRAPH, 0, nullptr, text, capacity));
    refused(panvec_faiss_save_next(nullptr, room, 1, &written, text, capacity));
    refused(panvec_faiss_open(nullptr, room, 1, nullptr, 0, 0, 0, 0, text, capacity));
    refused(panvec_faiss_open(index, nullptr, 1, nullptr, 0, 0, 0, 0, text, capacity));
    panvec_faiss_save_end(nullptr);
    constexpr std::int64_t forever = std::numeric_limits<std::int64_t>::max();
    std::int64_t bad_row = 0;
    std::int32_t bad_component = 0;
    refused(panvec_faiss_create(PANVEC_L2, 1, PANVEC_FAISS_FLAT, 2, 1, 1, 8, 1, 1, nullptr, text, capacity));
    refused(panvec_faiss_train(nullptr, 1, row, nullptr, 1, 1, nullptr, forever, &bad_row, &bad_component, text,
                               capacity));
    refused(panvec_faiss_train(index, 1, row, nullptr, 1, 1, nullptr, forever, nullptr, &bad_component, text,
                               capacity));
    refused(panvec_faiss_train(index, 1, row, nullptr, 1, 1, nullptr, forever, &bad_row, nullptr, text, capacity));
    refused(panvec_faiss_train_like(nullptr, index, text, capacity));
    refused(panvec_faiss_train_like(index, nullptr, text, capacity));
    refused(panvec_faiss_encode(nullptr, 0, 1, nullptr, forever, text, capacity));
  }

  // Mostly encoded as the header wants it; what is not encoded has to be refused.
  static bool may_link(Input& input, Slots<Faiss>& one, std::int64_t end) {
    if (!input.rarely(16)) encode(input, one, end);
    return true;
  }

  static void encode(Input& input, Slots<Faiss>& one, std::int64_t end) {
    const std::int32_t threads = input.rarely(4) ? input.number32(1, 4) : 1;
    const StopArguments stop(input);
    ErrorText error(input);
    std::int32_t status;
    {
      const ScarceMemory scarce(input);
      status = panvec_faiss_encode(one.index, end, threads, stop.flag.get(), stop.nanos_left, error.text(),
                                   error.capacity());
    }
    error.ok(status);
  }

  static void train(Input& input, Slots<Faiss>& one) {
    const std::int32_t nlist = input.number32(1, 8);
    const bool has_sample = input.rarely(3);
    std::int64_t count = has_sample ? input.number(1, 80) : input.number(0, one.staged);
    if (has_sample && count > 80) count = 80;  // the caller's part: so many rows are there
    std::unique_ptr<float[]> sample;
    std::unique_ptr<std::int32_t[]> slots;
    if (has_sample) {
      sample = input.floats(static_cast<std::size_t>(std::max<std::int64_t>(count, 0)) * static_cast<std::size_t>(one.kind.dim));
    } else if (input.rarely(3)) {
      const auto listed = static_cast<std::size_t>(count > 0 && count <= one.staged ? count : 0);
      slots.reset(new std::int32_t[listed]);
      for (std::size_t i = 0; i < listed; ++i) {
        slots[i] = input.rarely(64) ? input.number32(0, -1) : static_cast<std::int32_t>(i);
      }
    }
    const std::int32_t threads = input.rarely(4) ? input.number32(1, 4) : 1;
    const StopArguments stop(input);
    std::int64_t bad_row = -1;
    std::int32_t bad_component = -1;
    ErrorText error(input);
    std::int32_t status;
    {
      const ScarceMemory scarce(input);
      status = panvec_faiss_train(one.index, nlist, sample.get(), slots.get(), count, threads, stop.flag.get(),
                                  stop.nanos_left, &bad_row, &bad_component, error.text(), error.capacity());
    }
    if (!error.ok(status)) return;
    require_that(panvec_faiss_is_trained(one.index) == 1, "what was trained is trained");
  }

  static void other_call(Input& input, Slots<Faiss>& one, Slots<Faiss>& other) {
    ErrorText error(input);
    switch (input.byte() % 6) {
      case 0:
      case 1:
      case 2:
        train(input, one);
        break;
      case 3: {
        Slots<Faiss>& source = input.rarely(16) ? one : other;
        std::int32_t status;
        {
          const ScarceMemory scarce(input);
          status = panvec_faiss_train_like(one.index, source.index, error.text(), error.capacity());
        }
        if (!error.ok(status)) break;
        require_that(one.staged == 0 && &source != &one, "an index with slots is not trained like another");
        break;
      }
      case 4:
        encode(input, one, input.number(0, one.staged));
        break;
      default:
        error.ok(panvec_faiss_set_simd_level(input.rarely(2) ? nullptr : "of tomorrow", error.text(), error.capacity()));
    }
    require_that(panvec_faiss_backlog(one.index) >= 0 && panvec_faiss_backlog(one.index) <= one.linked,
                 "no more wait for the structure than are linked");
    require_that(panvec_faiss_nlist(one.index) >= 0 && panvec_faiss_code_bytes(one.index) >= 0,
                 "numbers of lists and bytes are not negative");
  }
};

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) { return use_simd_level(panvec_faiss_set_simd_level); }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  SlotFuzzer<Faiss>(input).run();
  return 0;
}
