// Hostile calls on the libraries that are numbered by slot. What their headers leave to the caller (a handle that lives, room
// for k results, links of staged slots only, one writer) is kept; every number that a header gives a range, and every value in
// a vector, is fair game. A `Library` names the functions:
//
//   using Index = panvec_x;
//   struct Kind;                  with metric and dim, and what else decides create
//   static std::int32_t create(Input&, Kind&, Links&, bool is_first, Index**, ErrorText&)
//   static constexpr auto free, prepare, reserve, stage, stage_from, link, exact, exact_slots, row, memory_bytes, max_level
//   static std::int32_t search(Input&, const Index*, SearchArguments...)
//   static void other_call(Input&, Slots&, Slots& another)   what the library has beside these
//   static void null_pointers(refused, Index*, const float* row, char* text, std::int32_t capacity)   NULL given to create,
//                                                                                                and to what it has beside these
//   static bool may_link(Slots&, std::int64_t count)   keeps what the header asks for before a link
//   using Saver = panvec_x_saver;
//   static constexpr auto save_begin, save_next, save_end, open, max_row_norm
//   static std::int32_t create_alike(const Kind&, const Links&, Index**, char* text, std::int32_t capacity)
//                                                                                what opens the files of such an index
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "fuzz_input.hpp"
#include "panvec_status.h"

namespace panvec::fuzz {

constexpr std::int64_t kPageSlots = 32768;

// Room for k results, as a heap block where that is possible: more than any index has rows is address space alone.
class Results {
 public:
  explicit Results(std::int32_t k) {
    if (k > kLargestBlock) return;
    const auto count = static_cast<std::size_t>(std::max(k, 0));
    own_ids_.reset(new std::int64_t[count]);
    own_distances_.reset(new float[count]);
  }

  std::int64_t* ids() { return own_ids_ != nullptr ? own_ids_.get() : static_cast<std::int64_t*>(space(0)); }
  float* distances() { return own_ids_ != nullptr ? own_distances_.get() : static_cast<float*>(space(1)); }

 private:
  static constexpr std::int32_t kLargestBlock = 20000;

  static void* space(int which) {
    static void* const spaces[] = {reserved(), reserved()};
    return spaces[which];
  }
  static void* reserved() {
    void* memory = mmap(nullptr, std::size_t{1} << 34, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    require_that(memory != MAP_FAILED, "address space for k results");
    return memory;
  }

  std::unique_ptr<std::int64_t[]> own_ids_;
  std::unique_ptr<float[]> own_distances_;
};

// The caller's version: pages of ids for all slots, perhaps dead ones and a filter. Blocks of exactly the size that the header
// asks for.
class Version {
 public:
  Version(Input& input, std::int64_t slot_count) {
    const auto pages = static_cast<std::size_t>((slot_count + kPageSlots - 1) / kPageSlots);
    id_pages_.reset(new const std::int64_t*[pages]);
    for (std::size_t page = 0; page < pages; ++page) id_pages_[page] = ids(page);
    if (input.rarely(3)) {
      dead_pages_.reset(new const std::uint64_t*[pages]);
      for (std::size_t page = 0; page < pages; ++page) {
        dead_pages_[page] = input.rarely(2) ? bits(input, kPageSlots / 64) : nullptr;
      }
    }
    if (input.rarely(3)) filter_ = bits(input, static_cast<std::size_t>((slot_count + 63) / 64));
  }

  const std::int64_t* const* id_pages() const { return id_pages_.get(); }
  const std::uint64_t* const* dead_pages() const { return dead_pages_.get(); }
  const std::uint64_t* filter() const { return filter_; }

 private:
  static const std::int64_t* ids(std::size_t page) {
    static std::vector<std::unique_ptr<std::int64_t[]>> pages;
    while (pages.size() <= page) {
      const auto first = static_cast<std::int64_t>(pages.size()) * kPageSlots;
      pages.emplace_back(new std::int64_t[kPageSlots]);
      for (std::int64_t i = 0; i < kPageSlots; ++i) {
        const std::int64_t slot = first + i;
        pages.back()[static_cast<std::size_t>(i)] = slot == 0   ? std::numeric_limits<std::int64_t>::min()
                                                    : slot == 1 ? std::numeric_limits<std::int64_t>::max()
                                                    : slot % 2 == 0 ? -slot
                                                                    : slot;
      }
    }
    return pages[page].get();
  }

  const std::uint64_t* bits(Input& input, std::size_t words) {
    blocks_.emplace_back(new std::uint64_t[words]);
    const std::uint64_t kinds[] = {0, ~std::uint64_t{0}, 1, 0x5555555555555555, std::uint64_t{1} << 63};
    for (std::size_t i = 0; i < words; ++i) blocks_.back()[i] = i < 8 ? kinds[input.byte() % 5] : kinds[i % 5];
    return blocks_.back().get();
  }

  std::unique_ptr<const std::int64_t*[]> id_pages_;
  std::unique_ptr<const std::uint64_t*[]> dead_pages_;
  const std::uint64_t* filter_ = nullptr;
  std::vector<std::unique_ptr<std::uint64_t[]>> blocks_;
};

// A query, perhaps where no float should begin: it is copied before it is looked at.
class Query {
 public:
  Query(Input& input, std::int32_t dim) {
    const auto count = static_cast<std::size_t>(dim);
    const std::unique_ptr<float[]> values = input.floats(count);
    const std::size_t shift = input.rarely(8) ? 1 + input.byte() % 3 : 0;
    bytes_.reset(new char[count * sizeof(float) + shift]);
    std::memcpy(bytes_.get() + shift, values.get(), count * sizeof(float));
    // Not a cast: the compiler may not see that it is misaligned, and must not complain before the library does.
    void* begin = bytes_.get() + shift;
    std::memcpy(&query_, &begin, sizeof query_);
  }
  const float* get() const { return query_; }

 private:
  std::unique_ptr<char[]> bytes_;
  const float* query_ = nullptr;
};

// How a graph is built.
struct Links {
  std::int32_t m = 0;
  std::int32_t ef_construction = 0;
};

// One index with what we know of it.
template <typename Library>
struct Slots {
  typename Library::Index* index = nullptr;
  typename Library::Kind kind{};
  Links links;
  std::int64_t capacity = 0;  // at least so many slots have room
  std::int64_t staged = 0;    // rows of slots below were staged
  std::int64_t linked = 0;

  Slots() = default;
  ~Slots() { Library::free(index); }
  Slots(const Slots&) = delete;
  Slots& operator=(const Slots&) = delete;
};

// A search or exact scan that succeeded: sorted, of the right length, no distance that is not a number.
inline void check_results(std::int64_t wanted, std::int64_t slots, const std::int64_t* ids, const float* distances,
                          std::int32_t count) {
  require_that(count >= 0 && count <= wanted && count <= slots, "no more hits than were asked for, and than there are");
  for (std::int32_t i = 0; i < count; ++i) {
    require_that(!std::isnan(distances[i]), "a distance is a number");
    if (i == 0) continue;
    require_that(distances[i - 1] < distances[i] || (distances[i - 1] == distances[i] && ids[i - 1] < ids[i]),
                 "hits are sorted by distance and id");
  }
}

template <typename Library>
class SlotFuzzer {
 public:
  explicit SlotFuzzer(Input& input) : input_(input), random_(input.hash()) {}

  void run() {
    for (auto& one : indexes_) {
      // The second mostly like the first, or stage_from would always be refused.
      if (!create(one)) return;
    }
    while (!input_.is_empty()) {
      Slots<Library>& one = indexes_[input_.rarely(3) ? 1 : 0];
      Slots<Library>& other = &one == &indexes_[0] ? indexes_[1] : indexes_[0];
      switch (input_.byte() % 16) {
        case 0:
          grow(one);
          break;
        case 1:
        case 2:
        case 3:
          stage(one);
          break;
        case 4:
          stage_from(one, input_.rarely(16) ? one : other);
          break;
        case 5:
        case 6:
        case 7:
          link(one);
          break;
        case 8:
        case 9:
        case 10:
          search(one);
          break;
        case 11:
          exact(one);
          break;
        case 12:
          exact_slots(one);
          break;
        case 13:
          row(one);
          break;
        default:
          Library::other_call(input_, one, other);
      }
      require_that(Library::memory_bytes(one.index) >= 0, "memory is not negative");
      require_that(Library::max_level(one.index) >= -1, "a graph has layers from 0 on");
    }
    // Not a case among those above: inputs that once found something keep their meaning.
    for (auto& one : indexes_) null_pointers(one);
    for (auto& one : indexes_) save_and_open(one);
  }

 private:
  // NULL in the place of each pointer that may not be NULL, in calls that are well otherwise, whatever state the index is in.
  void null_pointers(Slots<Library>& one) {
    using Index = typename Library::Index;
    constexpr std::int64_t forever = std::numeric_limits<std::int64_t>::max();
    Index* const index = one.index;
    const std::int64_t before = Library::memory_bytes(index);
    char text[64];
    const auto refused = [&](std::int32_t status) {
      require_that(status == PANVEC_INVALID_ARGUMENT, "NULL where it means nothing is refused");
      require_that(std::strstr(text, " is NULL") != nullptr, "the argument that is NULL is named");
      text[0] = '\0';
    };
    Index* const no_index = nullptr;
    const std::unique_ptr<float[]> row(new float[static_cast<std::size_t>(one.kind.dim)]());
    const std::int32_t slot = 0;
    const std::int64_t ids_of_page[1] = {0};
    const std::int64_t* const pages[] = {ids_of_page};
    std::int64_t number = 0;
    std::int32_t component = 0;
    std::int32_t count = 0;
    std::int64_t ids[1];
    float distances[1];
    refused(Library::prepare(no_index, 1, text, sizeof text));
    refused(Library::reserve(no_index, 1, text, sizeof text));
    const auto stage = [&](Index* to, const float* rows, std::int64_t* bad_row, std::int32_t* bad_component) {
      refused(Library::stage(to, one.linked, rows, 1, bad_row, bad_component, text, sizeof text));
    };
    stage(no_index, row.get(), &number, &component);
    stage(index, nullptr, &number, &component);
    stage(index, row.get(), nullptr, &component);
    stage(index, row.get(), &number, nullptr);
    refused(Library::stage_from(no_index, 0, index, &slot, 1, text, sizeof text));
    refused(Library::stage_from(index, one.linked, no_index, &slot, 1, text, sizeof text));
    refused(Library::stage_from(index, one.linked, index, nullptr, 1, text, sizeof text));
    refused(Library::link(no_index, 0, 0, 1, nullptr, 0, &number, text, sizeof text));
    refused(Library::link(index, one.linked, 0, 1, nullptr, 0, nullptr, text, sizeof text));
    refused(Library::row(no_index, 0, row.get(), text, sizeof text));
    refused(Library::row(index, 0, nullptr, text, sizeof text));

    Input none(nullptr, 0);
    const typename Library::Width width(none);
    // All three ways to search, with the pointer of this number NULL.
    for (int null = 0; null < 7; ++null) {
      const Index* const of = null == 0 ? nullptr : index;
      const float* const query = null == 1 ? nullptr : row.get();
      std::int64_t* const found = null == 2 ? nullptr : ids;
      float* const far = null == 3 ? nullptr : distances;
      std::int32_t* const how_many = null == 4 ? nullptr : &count;
      const std::int64_t* const* const id_pages = null == 5 ? nullptr : pages;
      const std::int32_t* const slots = null == 6 ? nullptr : &slot;
      if (null < 6) {
        refused(Library::search(of, 1, nullptr, id_pages, nullptr, query, 1, width, nullptr, forever, found, far,
                                how_many, text, sizeof text));
        refused(Library::exact(of, 0, 1, nullptr, id_pages, nullptr, query, 1, 1, found, far, how_many, text,
                               sizeof text));
      }
      refused(Library::exact_slots(of, slots, 1, id_pages, query, 1, 1, found, far, how_many, text, sizeof text));
    }
    Library::null_pointers(refused, index, row.get(), text, static_cast<std::int32_t>(sizeof text));
    require_that(Library::memory_bytes(index) == before, "what is refused changes nothing");
  }

  using Files = std::vector<char>[2];

  // The files of an index, whole and damaged, opened and viewed: refused, or answered from. What is done follows from the
  // whole input, since none of it is left.
  void save_and_open(Slots<Library>& one) {
    Files whole;
    save(one.index, one.linked, whole);
    for (int round = 0; round < 6; ++round) {
      Files files = {whole[0], whole[1]};
      const bool damaged = round > 1;
      for (std::size_t places = damaged ? 1 + random_() % 4 : 0; places > 0; --places) damage(files);
      char text[256];
      Slots<Library> other;
      other.kind = one.kind;
      {
        const ScarceMemory scarce(!damaged && random_() % 8 == 0 ? static_cast<int>(random_() % 48) : -1);
        if (!ok(Library::create_alike(one.kind, one.links, &other.index, text, sizeof text))) continue;
      }
      // Blocks of their own size, so that the sanitizer sees the first byte beyond.
      std::unique_ptr<char[]> blocks[2];
      for (int file = 0; file < 2; ++file) {
        blocks[file].reset(new char[files[file].size()]);
        if (!files[file].empty()) std::memcpy(blocks[file].get(), files[file].data(), files[file].size());
      }
      const bool as_view = random_() % 2 == 0;
      const bool has_rows = !whole[1].empty() || random_() % 16 == 0;
      const std::int64_t slots = damaged && random_() % 8 == 0 ? odd_number(one.linked) : one.linked;
      const double norms[] = {0, -1, std::nan(""), 1e300};
      const double norm = damaged && random_() % 8 == 0 ? norms[random_() % 4] : Library::max_row_norm(one.index);
      std::int32_t status;
      {
        const ScarceMemory scarce(random_() % 8 == 0 ? static_cast<int>(random_() % 48) : -1);
        status = Library::open(other.index, blocks[0].get(), static_cast<std::int64_t>(files[0].size()),
                               has_rows ? blocks[1].get() : nullptr,
                               has_rows ? static_cast<std::int64_t>(files[1].size()) : 0, slots, norm, as_view ? 1 : 0, text,
                               sizeof text);
      }
      if (!ok(status)) {
        require_that(damaged || status == PANVEC_OUT_OF_MEMORY || has_rows != !whole[1].empty(),
                     "what was saved is opened");
        continue;
      }
      require_that(slots == one.linked, "only as many slots as there are");
      look_around(other.index, one.kind.dim, slots);
      Files again;
      save(other.index, slots, again);
      require_that(again[0].size() == whole[0].size(), "what is opened is saved again, to its end");
      if (damaged) continue;
      // Rows that the graph file has too are in no file of their own the second time.
      require_that(again[0] == whole[0] && (again[1].empty() || again[1] == whole[1]), "and is the same");
    }
  }

  void save(const typename Library::Index* index, std::int64_t slots, Files& files) {
    static std::vector<char> room(std::size_t{1} << 20);
    char text[256];
    for (const std::int32_t file : {PANVEC_FILE_GRAPH, PANVEC_FILE_ROWS}) {
      typename Library::Saver* saver = nullptr;
      if (!ok(Library::save_begin(index, file, slots, &saver, text, sizeof text))) {
        require_that(file == PANVEC_FILE_ROWS, "what is linked can be saved");
        continue;
      }
      std::int64_t written = -1;
      while (written != 0) {
        require_that(ok(Library::save_next(saver, room.data(), static_cast<std::int64_t>(room.size()), &written, text,
                                           sizeof text)),
                     "a save goes on to its end");
        require_that(written >= 0 && written <= static_cast<std::int64_t>(room.size()), "a piece fits its room");
        files[file].insert(files[file].end(), room.begin(), room.begin() + written);
      }
      Library::save_end(saver);
    }
  }

  void damage(Files& files) {
    std::vector<char>& file = files[random_() % 8 == 0 ? 1 : 0];
    if (file.empty()) return;
    // Half of the time at its head, which tells the most.
    const std::size_t at = random_() % (random_() % 2 == 0 ? std::min<std::size_t>(file.size(), 160) : file.size());
    const std::uint64_t kind = random_() % 8;
    if (kind < 3) {
      file[at] = static_cast<char>(file[at] ^ 1 << random_() % 8);
    } else if (kind < 6 && at + sizeof(std::int32_t) <= file.size()) {
      const auto word = static_cast<std::int32_t>(odd_number(300));
      std::memcpy(&file[at], &word, sizeof word);
    } else if (kind == 6 && at + sizeof(std::int64_t) <= file.size()) {
      const std::int64_t word = odd_number(300);
      std::memcpy(&file[at], &word, sizeof word);
    } else {
      file.resize(random_() % 2 == 0 ? at : file.size() + 1 + at % 9);
    }
  }

  std::int64_t odd_number(std::int64_t near) {
    const std::int64_t numbers[] = {-1,  0,          1,          near - 1,   near + 1,  65535,     65536,
                                    255, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1LL << 32, 1LL << 62, std::numeric_limits<std::int64_t>::min()};
    return numbers[random_() % (sizeof numbers / sizeof numbers[0])];
  }

  // Distances may be no numbers now, and rows twice: only that it ends, and stays in what is there, is asked for.
  void look_around(const typename Library::Index* index, std::int32_t dim, std::int64_t slots) {
    constexpr std::int64_t forever = std::numeric_limits<std::int64_t>::max();
    constexpr std::int32_t k = 7;
    Input none(nullptr, 0);
    const typename Library::Width width(none);
    const std::unique_ptr<float[]> row(new float[static_cast<std::size_t>(dim)]);
    for (std::int32_t i = 0; i < dim; ++i) row[static_cast<std::size_t>(i)] = static_cast<float>(random_() % 8) + 0.5F;
    const std::unique_ptr<std::uint64_t[]> filter(new std::uint64_t[static_cast<std::size_t>((slots + 63) / 64)]);
    for (std::int64_t word = 0; word < (slots + 63) / 64; ++word) filter[static_cast<std::size_t>(word)] = random_();
    const Version version(none, slots);
    Results results(k);
    char text[256];
    const auto check = [&](std::int32_t status, const std::int32_t& count) {
      if (ok(status)) require_that(count >= 0 && count <= k && count <= slots, "no more hits than were asked for");
    };
    for (const std::uint64_t* some : {static_cast<const std::uint64_t*>(nullptr), static_cast<const std::uint64_t*>(filter.get())}) {
      std::int32_t count = -1;
      check(Library::search(index, slots, nullptr, version.id_pages(), some, row.get(), k, width, nullptr, forever,
                            results.ids(), results.distances(), &count, text, sizeof text),
            count);
      count = 0;
      check(Library::exact(index, 0, slots, nullptr, version.id_pages(), some, row.get(), k, 1, results.ids(),
                           results.distances(), &count, text, sizeof text),
            count);
    }
    if (slots == 0) return;
    const std::int32_t ends[] = {0, static_cast<std::int32_t>(slots - 1)};
    std::int32_t count = 0;
    check(Library::exact_slots(index, ends, slots == 1 ? 1 : 2, version.id_pages(), row.get(), k, 1, results.ids(), results.distances(),
                               &count, text, sizeof text),
          count);
    ok(Library::row(index, slots - 1, row.get(), text, sizeof text));
  }

  bool create(Slots<Library>& one) {
    if (&one != &indexes_[0]) one.kind = indexes_[0].kind;
    ErrorText error(input_);
    typename Library::Index* created = nullptr;
    const std::int32_t status = Library::create(input_, one.kind, one.links, &one == &indexes_[0], &created, error);
    if (!error.ok(status)) {
      require_that(created == nullptr, "a refused create makes nothing");
      return false;
    }
    one.index = created;
    // Rows of such a width would take the memory of the machine.
    return one.kind.dim <= 4096;
  }

  void grow(Slots<Library>& one) {
    std::int64_t capacity = input_.rarely(16) ? 65600 : input_.number(0, 400);
    // Refused, or beyond all memory; not what the machine may well have.
    if (capacity > 100000 && capacity < std::int64_t{1} << 31) capacity = std::int64_t{1} << 31;
    const bool prepares = input_.rarely(3);
    ErrorText error(input_);
    std::int32_t status;
    {
      const ScarceMemory scarce(input_);
      status = (prepares ? Library::prepare : Library::reserve)(one.index, capacity, error.text(), error.capacity());
    }
    if (!error.ok(status)) return;
    require_that(capacity >= 0 && capacity < std::int64_t{1} << 31, "a capacity is 0 to 2^31 - 1");
    if (!prepares) one.capacity = std::max(one.capacity, capacity);
  }

  void stage(Slots<Library>& one) {
    const std::int64_t first = input_.number(one.linked, one.staged);
    const std::int64_t count = input_.number(0, std::min<std::int64_t>(one.capacity - one.staged, 40));
    const bool fits = count >= 0 && first >= one.linked && first <= one.capacity && count <= one.capacity - first;
    // What does not fit is refused before a row is read.
    const std::unique_ptr<float[]> rows =
        input_.floats(static_cast<std::size_t>(fits ? count : 0) * static_cast<std::size_t>(one.kind.dim));
    std::int64_t bad_row = -2;
    std::int32_t bad_component = -2;
    ErrorText error(input_);
    std::int32_t status;
    {
      const ScarceMemory scarce(input_);
      status = Library::stage(one.index, first, rows.get(), count, &bad_row, &bad_component, error.text(),
                              error.capacity());
    }
    const bool staged = error.ok(status);
    require_that(!staged || fits, "slots that are linked or beyond the capacity are not staged");
    if (status == PANVEC_INVALID_VECTOR) {
      require_that(bad_row >= 0 && bad_row < count && bad_component >= -1 && bad_component < one.kind.dim,
                   "a bad row is one of those given");
    }
    note_staged(one, first, count, staged, fits);
  }

  static void note_staged(Slots<Library>& one, std::int64_t first, std::int64_t count, bool staged, bool fits) {
    // What failed may have written over what was staged before.
    if (fits) one.staged = std::max(one.linked, std::min(one.staged, first));
    if (staged && first <= one.staged) one.staged = first + count;
  }

  void stage_from(Slots<Library>& one, Slots<Library>& source) {
    const std::int64_t first = input_.number(one.linked, one.staged);
    const std::int64_t count = input_.number(0, std::min<std::int64_t>(one.capacity - one.staged, 20));
    const bool fits = count >= 0 && first >= one.linked && first <= one.capacity && count <= one.capacity - first;
    const auto listed = static_cast<std::size_t>(fits ? count : 0);
    const std::unique_ptr<std::int32_t[]> slots(new std::int32_t[listed]);
    for (std::size_t i = 0; i < listed; ++i) {
      slots[i] = source.linked == 0 || input_.rarely(32) ? input_.number32(0, -1)
                                                         : static_cast<std::int32_t>(input_.below(static_cast<std::uint32_t>(
                                                               std::min<std::int64_t>(source.linked, 65535))));
    }
    ErrorText error(input_);
    std::int32_t status;
    {
      const ScarceMemory scarce(input_);
      status = Library::stage_from(one.index, first, source.index, slots.get(), count, error.text(), error.capacity());
    }
    const bool staged = error.ok(status);
    require_that(!staged || (fits && &one != &source), "slots come from another index, to where there is room");
    note_staged(one, first, count, staged, fits);
  }

  void link(Slots<Library>& one) {
    const std::int64_t first = input_.rarely(16) ? input_.number(0, one.capacity) : one.linked;
    std::int64_t count = input_.rarely(8) ? input_.number(0, one.staged - one.linked) : one.staged - one.linked;
    // Rows that nobody staged may be linked by mistake, but then answers mean nothing.
    if (count > one.staged - one.linked && count <= one.capacity - one.linked) count = one.staged - one.linked;
    if (count > 0 && count <= one.capacity && !Library::may_link(input_, one, one.linked + count)) return;
    const std::int32_t threads = input_.rarely(4) ? input_.number32(1, 4) : 1;
    const std::unique_ptr<std::int32_t> yield(input_.rarely(3) ? new std::int32_t(input_.rarely(2)) : nullptr);
    const std::int64_t slice_nanos = input_.number(0, 1000);
    std::int64_t linked = 0;
    ErrorText error(input_);
    std::int32_t status;
    {
      const ScarceMemory scarce(input_);
      status = Library::link(one.index, first, count, threads, yield.get(), slice_nanos, &linked, error.text(),
                             error.capacity());
    }
    const bool ok = error.ok(status);
    require_that(linked >= 0 && linked <= std::max<std::int64_t>(count, 0), "no more slots are linked than were given");
    require_that(!ok || first == one.linked, "linking goes on at the first slot that is not linked");
    one.linked += linked;
  }

  // Mostly all that is linked; or a number that is refused.
  std::int64_t slots_to_scan(const Slots<Library>& one) {
    const std::int64_t count = input_.rarely(3) ? input_.number(0, one.linked) : one.linked;
    return count > one.linked && count <= one.capacity ? one.linked : count;
  }

  std::int64_t readable(const Slots<Library>& one, std::int64_t slots) {
    return slots < 0 || slots > one.capacity ? 0 : slots;
  }

  void search(Slots<Library>& one) {
    const std::int64_t slot_count = slots_to_scan(one);
    const std::int32_t k = input_.number32(1, 30);
    const Version version(input_, readable(one, slot_count));
    const Query query(input_, one.kind.dim);
    const StopArguments stop(input_);
    Results results(k);
    std::int32_t count = -1;
    ErrorText error(input_);
    std::int32_t status;
    const typename Library::Width width(input_);
    {
      const ScarceMemory scarce(input_);
      status = Library::search(one.index, slot_count, version.dead_pages(), version.id_pages(), version.filter(),
                               query.get(), k, width, stop.flag.get(), stop.nanos_left, results.ids(),
                               results.distances(), &count, error.text(), error.capacity());
    }
    if (!error.ok(status)) return;
    require_that(k >= 1 && slot_count >= 0 && slot_count <= one.capacity, "k and slot_count have their ranges");
    check_results(k, slot_count, results.ids(), results.distances(), count);
  }

  void exact(Slots<Library>& one) {
    const std::int32_t k = input_.number32(1, 30);
    Results results(k);
    const std::int64_t end = slots_to_scan(one);
    const std::int64_t slots = readable(one, end);
    const Version version(input_, slots);
    const Query query(input_, one.kind.dim);
    std::int32_t count = input_.rarely(16) ? input_.number32(0, -1) : 0;
    const bool count_is_made_up = count != 0;
    std::int64_t from = input_.rarely(16) ? input_.number(0, -1) : 0;
    // In slices, as the engine does.
    for (int slice = 0; slice < 4; ++slice) {
      const bool last = slice == 3;
      const bool halves = !last && from >= 0 && from < end && end <= one.capacity;
      const std::int64_t to = halves ? from + (end - from) / 2 : end;
      if (count_is_made_up && count >= 0 && count <= k) return;  // a state that never was: the caller's part
      ErrorText error(input_);
      std::int32_t status;
      {
        const ScarceMemory scarce(input_);
        status = Library::exact(one.index, from, to, version.dead_pages(), version.id_pages(), version.filter(),
                                query.get(), k, last ? 1 : 0, results.ids(), results.distances(), &count, error.text(),
                                error.capacity());
      }
      if (!error.ok(status)) return;
      require_that(k >= 1 && to <= one.capacity && from >= 0, "k and the slots have their ranges");
      from = to;
    }
    check_results(k, slots, results.ids(), results.distances(), count);
  }

  void exact_slots(Slots<Library>& one) {
    const std::int32_t k = input_.number32(1, 30);
    Results results(k);
    const std::int64_t listed = input_.number(0, 20);
    const auto entries = static_cast<std::size_t>(listed > 0 && listed < 1000 && one.linked > 0 ? listed : 0);
    const std::unique_ptr<std::int32_t[]> slots(new std::int32_t[entries]);
    bool hostile = false;
    for (std::size_t i = 0; i < entries; ++i) {
      slots[i] = static_cast<std::int32_t>(i) % static_cast<std::int32_t>(one.linked);
      if (!input_.rarely(64)) continue;
      const std::int32_t slot = input_.number32(0, 0);
      if (slot >= 0 && slot < one.capacity) continue;
      slots[i] = slot;
      hostile = true;
    }
    const Version version(input_, one.linked);
    const Query query(input_, one.kind.dim);
    std::int32_t count = 0;
    ErrorText error(input_);
    std::int32_t status;
    {
      const ScarceMemory scarce(input_);
      status = Library::exact_slots(one.index, slots.get(), listed < 0 ? listed : static_cast<std::int64_t>(entries),
                                    version.id_pages(), query.get(), k, 1, results.ids(), results.distances(), &count,
                                    error.text(), error.capacity());
    }
    if (!error.ok(status)) return;
    require_that(!hostile && k >= 1 && listed >= 0, "slots beyond the capacity are refused");
  }

  void row(Slots<Library>& one) {
    std::int64_t slot = input_.number(0, one.linked - 1);
    if (slot >= one.linked && slot < one.capacity) slot = one.capacity;
    const std::unique_ptr<float[]> values(new float[static_cast<std::size_t>(one.kind.dim)]);
    ErrorText error(input_);
    if (!error.ok(Library::row(one.index, slot, values.get(), error.text(), error.capacity()))) return;
    require_that(slot >= 0 && slot < one.capacity, "only slots below the capacity have rows");
  }

  Input& input_;
  std::mt19937_64 random_;
  Slots<Library> indexes_[2];
};

}  // namespace panvec::fuzz
