// hnswlib's own file (HierarchicalNSW::saveIndex): a header, the base layer with rows and labels, the upper layers slot by slot.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "graph.hpp"

namespace panvec {

template <typename Level>
void GraphFile::Header::check_entry(Level&& level) const {
  if (count == 0) return;
  if (entry < count && top_level == level(entry)) return;
  FileBytes::corrupt("begins its walks at row " + std::to_string(entry) + " on layer " + std::to_string(top_level) +
                     ", which is not its highest");
}

namespace {

// Writes as saveIndex does, for the slots that there are when it begins. Links to later ones are left out.
class GraphSaver final : public FileSaver {
 public:
  GraphSaver(const Graph& graph, const GraphFile::Header& header) : graph_(graph), header_(header) {}

  std::size_t next(char* room, std::size_t capacity) override {
    std::size_t written = 0;
    if (!header_done_) {
      written = header_.write(room);
      header_done_ = true;
    }
    const std::size_t count = header_.count;
    for (; base_ < count && capacity - written >= header_.stride; ++base_) {
      written += write_base(room + written);
    }
    if (base_ < count) return piece(written, false);
    for (; upper_ < count && capacity - written >= upper_size(); ++upper_) {
      written += write_upper(room + written);
    }
    return piece(written, upper_ == count);
  }

 private:
  std::size_t write_base(char* room) const {
    const GraphView view = graph_.view();
    std::memcpy(room, view.base_layer + base_ * header_.stride, header_.stride);
    drop_later(room, 2 * header_.m);
    return header_.stride;
  }

  std::size_t lists_size() const {
    return static_cast<std::size_t>(graph_.level(static_cast<std::uint32_t>(upper_))) * header_.upper_stride();
  }
  std::size_t upper_size() const { return sizeof(std::uint32_t) + lists_size(); }

  std::size_t write_upper(char* room) const {
    const std::size_t size = lists_size();
    const auto noted = static_cast<std::uint32_t>(size);
    std::memcpy(room, &noted, sizeof noted);
    if (size > 0) {
      char* lists = room + sizeof noted;
      std::memcpy(lists, graph_.view().upper_layers[upper_], size);
      for (std::size_t at = 0; at < size; at += header_.upper_stride()) drop_later(lists + at, header_.m);
    }
    return sizeof noted + size;
  }

  // Without links to slots that are not in the file; where there are none is 0. A mapped list may say anything.
  void drop_later(char* list, std::uint64_t most) const {
    std::uint32_t word = 0;
    std::memcpy(&word, list, sizeof word);
    const auto degree = static_cast<std::uint32_t>(std::min<std::uint64_t>(word & 0xFFFF, most));
    std::uint32_t kept = 0;
    for (std::uint32_t i = 1; i <= degree; ++i) {
      std::uint32_t slot = 0;
      std::memcpy(&slot, list + i * sizeof slot, sizeof slot);
      if (slot < header_.count) std::memcpy(list + ++kept * sizeof slot, &slot, sizeof slot);
    }
    std::memset(list + (kept + 1) * sizeof(std::uint32_t), 0, (most - kept) * sizeof(std::uint32_t));
    std::memcpy(list, &kept, sizeof kept);
  }

  const Graph& graph_;
  const GraphFile::Header header_;
  bool header_done_ = false;
  std::size_t base_ = 0;   // slots whose base layer is written
  std::size_t upper_ = 0;  // slots whose upper layers are written
};

template <typename T>
char* put(char* at, T value) {
  std::memcpy(at, &value, sizeof value);
  return at + sizeof value;
}

}  // namespace

std::size_t GraphFile::Header::write(char* room) const {
  const std::uint64_t links = (2 * m + 1) * sizeof(std::uint32_t);
  char* at = room;
  at = put<std::uint64_t>(at, 0);  // where a slot's links begin
  at = put<std::uint64_t>(at, count);  // capacity
  at = put<std::uint64_t>(at, count);
  at = put<std::uint64_t>(at, stride);
  at = put<std::uint64_t>(at, stride - sizeof(std::uint64_t));  // where its label is
  at = put<std::uint64_t>(at, links);                           // where its row is
  at = put<std::int32_t>(at, top_level);
  at = put<std::uint32_t>(at, entry);
  at = put<std::uint64_t>(at, m);
  at = put<std::uint64_t>(at, 2 * m);
  at = put<std::uint64_t>(at, m);
  at = put<double>(at, level_factor);
  at = put<std::uint64_t>(at, ef_construction);
  return static_cast<std::size_t>(at - room);
}

GraphFile::GraphFile(FileBytes& file, const Header& expected) : header(expected) {
  const std::uint64_t links = (2 * header.m + 1) * sizeof(std::uint32_t);
  file.expect<std::uint64_t>("the offset of links", 0);
  file.take<std::uint64_t>();  // a capacity is no promise
  file.expect<std::uint64_t>("the number of rows", header.count);
  file.expect<std::uint64_t>("the size of a row with its links", header.stride);
  file.expect<std::uint64_t>("the offset of labels", header.stride - sizeof(std::uint64_t));
  file.expect<std::uint64_t>("the offset of rows", links);
  header.top_level = file.take<std::int32_t>();
  header.entry = file.take<std::uint32_t>();
  file.expect<std::uint64_t>("the links of an upper layer", header.m);
  file.expect<std::uint64_t>("the links of the base layer", 2 * header.m);
  file.expect<std::uint64_t>("m", header.m);
  file.take<double>();         // for drawing levels, which is ours
  file.take<std::uint64_t>();  // efConstruction is a parameter, and may have changed
  base = file.skip(header.count, header.stride);
  upper = file;
}

void GraphFile::check(const std::vector<int>& levels) const {
  header.check_entry([&](std::uint32_t slot) { return levels[slot]; });
  FileBytes lists = upper;
  for (std::uint64_t slot = 0; slot < header.count; ++slot) {
    const char* at = base + slot * header.stride;
    check_list(at, slot, 0, 2 * header.m, levels);
    std::uint64_t label = 0;
    std::memcpy(&label, at + header.stride - sizeof label, sizeof label);
    if (label != slot) FileBytes::corrupt("has label " + std::to_string(label) + " at row " + std::to_string(slot));
    if (levels[slot] > header.top_level) FileBytes::corrupt("has row " + std::to_string(slot) + " above its top layer");
    const auto size = lists.take<std::uint32_t>();
    const char* list = lists.skip(size, 1);
    for (int level = 1; level <= levels[slot]; ++level, list += header.upper_stride()) {
      check_list(list, slot, level, header.m, levels);
    }
  }
}

void GraphFile::check_list(const char* list, std::uint64_t slot, int level, std::uint64_t most,
                           const std::vector<int>& levels) const {
  std::uint32_t word = 0;
  std::memcpy(&word, list, sizeof word);
  // The upper half is hnswlib's own mark of dead rows, which ours never have.
  const std::uint32_t degree = word;
  const auto where = [&] { return " at row " + std::to_string(slot) + ", layer " + std::to_string(level); };
  if (degree > most) FileBytes::corrupt("has " + std::to_string(degree) + " links" + where());
  for (std::uint32_t i = 1; i <= degree; ++i) {
    std::uint32_t to = 0;
    std::memcpy(&to, list + i * sizeof to, sizeof to);
    if (to >= header.count || levels[to] < level) {
      FileBytes::corrupt("has a link to " + std::to_string(to) + where() + ", which is not there");
    }
  }
}

GraphFile::Header Graph::file_header(std::size_t count) const {
  GraphFile::Header header;
  header.count = count;
  header.stride = size_data_per_element_;
  header.m = M_;
  header.ef_construction = ef_construction_;
  header.level_factor = mult_;
  header.top_level = -1;
  header.entry = static_cast<std::uint32_t>(-1);
  for (std::uint32_t slot = 0; slot < count; ++slot) {
    if (level(slot) > header.top_level) {
      header.top_level = level(slot);
      header.entry = slot;
    }
  }
  return header;
}

std::unique_ptr<FileSaver> Graph::saver(std::int64_t slot_count) const {
  return std::make_unique<GraphSaver>(*this, file_header(static_cast<std::size_t>(slot_count)));
}

// Sizes of the upper layers, checked, as levels; `lists` is told where each begins.
template <typename Found>
std::vector<int> GraphFile::levels(Found&& found) const {
  std::vector<int> levels(header.count);
  FileBytes lists = upper;
  for (std::uint64_t slot = 0; slot < header.count; ++slot) {
    const auto size = lists.take<std::uint32_t>();
    if (size % header.upper_stride() != 0 || size / header.upper_stride() > kHighestLayer) {
      FileBytes::corrupt("has upper layers of " + std::to_string(size) + " bytes at row " + std::to_string(slot));
    }
    levels[slot] = static_cast<int>(size / header.upper_stride());
    found(slot, lists.skip(size, 1), size);
  }
  lists.expect_end();
  return levels;
}

void Graph::load(FileBytes file, std::int64_t slot_count, double max_row_norm) {
  const GraphFile parsed(file, file_header_of(slot_count));
  std::vector<std::pair<const char*, std::size_t>> lists(parsed.header.count);
  const std::vector<int> levels =
      parsed.levels([&](std::uint64_t slot, const char* list, std::size_t size) { lists[slot] = {list, size}; });
  parsed.check(levels);
  reserve(parsed.header.count);
  if (parsed.header.count == 0) return;
  std::memcpy(data_level0_memory_, parsed.base, parsed.header.count * parsed.header.stride);
  for (std::size_t slot = 0; slot < lists.size(); ++slot) {
    const auto [list, size] = lists[slot];
    linkLists_[slot] = nullptr;
    if (size > 0) {
      linkLists_[slot] = static_cast<char*>(std::malloc(size));
      if (linkLists_[slot] == nullptr) throw std::bad_alloc();
      std::memcpy(linkLists_[slot], list, size);
      upper_bytes_.fetch_add(size, std::memory_order_relaxed);
    }
    element_levels_[slot] = levels[slot];
    cur_element_count = slot + 1;
  }
  finish_loading(parsed.header, max_row_norm);
}

void Graph::map(FileBytes file, std::int64_t slot_count, double max_row_norm) {
  const GraphFile parsed(file, file_header_of(slot_count));
  upper_layers_.grow(std::max<std::size_t>(parsed.header.count, 1) * sizeof(char*));
  auto** lists = reinterpret_cast<const char**>(upper_layers_.data());
  element_levels_ = parsed.levels([&](std::uint64_t slot, const char* list, std::size_t) { lists[slot] = list; });
  mapped_ = true;
  linkLists_ = reinterpret_cast<char**>(upper_layers_.data());
  // Nobody writes to it: see is_view().
  data_level0_memory_ = const_cast<char*>(parsed.base);
  max_elements_ = parsed.header.count;
  cur_element_count = parsed.header.count;
  parsed.header.check_entry([&](std::uint32_t slot) { return element_levels_[slot]; });
  finish_loading(parsed.header, max_row_norm);
}

GraphFile::Header Graph::file_header_of(std::int64_t slot_count) const {
  GraphFile::Header header = file_header(0);
  if (slot_count < 0) fail(PANVEC_INVALID_ARGUMENT, "slot_count is negative");
  header.count = static_cast<std::uint64_t>(slot_count);
  return header;
}

void Graph::finish_loading(const GraphFile::Header& header, double max_row_norm) {
  enterpoint_node_ = header.entry;
  maxlevel_ = header.count == 0 ? -1 : header.top_level;
  entry_.store({header.entry, maxlevel_});
  reachable_.store(static_cast<std::int64_t>(header.count), std::memory_order_release);
  max_row_norm_.store(max_row_norm, std::memory_order_relaxed);
}

}  // namespace panvec
