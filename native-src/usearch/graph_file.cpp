#include "graph_file.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include <usearch/index_plugins.hpp>

namespace panvec {
namespace {

namespace us = unum::usearch;

using Level = std::int16_t;

constexpr char kMagic[] = {'u', 's', 'e', 'a', 'r', 'c', 'h'};
constexpr std::size_t kHeadBytes = 64;
// The head is filled up with zeros.
constexpr std::size_t kHeadUsed = sizeof kMagic + 3 * sizeof(std::uint16_t) + 4 + 3 * sizeof(std::uint64_t) + 1;

std::uint8_t metric_kind(Metric metric) {
  switch (metric) {
    case Metric::kL2: return static_cast<std::uint8_t>(us::metric_kind_t::l2sq_k);
    case Metric::kCosine: return static_cast<std::uint8_t>(us::metric_kind_t::cos_k);
    default: return static_cast<std::uint8_t>(us::metric_kind_t::ip_k);
  }
}

std::uint8_t scalar_kind(Quantization quantization) {
  switch (quantization) {
    case Quantization::kF32: return static_cast<std::uint8_t>(us::scalar_kind_t::f32_k);
    case Quantization::kF16: return static_cast<std::uint8_t>(us::scalar_kind_t::f16_k);
    case Quantization::kBf16: return static_cast<std::uint8_t>(us::scalar_kind_t::bf16_k);
    default: return static_cast<std::uint8_t>(us::scalar_kind_t::i8_k);
  }
}

constexpr auto kKeyKind = static_cast<std::uint8_t>(us::scalar_kind_t::u64_k);
constexpr auto kSlotKind = static_cast<std::uint8_t>(us::scalar_kind_t::u32_k);

// Numbers one behind the other.
class Writer {
 public:
  explicit Writer(char* at) : at_(at) {}

  template <typename T>
  void put(T value) {
    std::memcpy(at_, &value, sizeof value);
    at_ += sizeof value;
  }
  void zeros(std::size_t bytes) {
    std::memset(at_, 0, bytes);
    at_ += bytes;
  }
  const char* at() const { return at_; }

 private:
  char* at_;
};

class MatrixSaver final : public FileSaver {
 public:
  MatrixSaver(const Matrix& matrix, std::uint64_t count) : matrix_(matrix), left_(count * matrix.bytes()) {}

  std::size_t next(char* room, std::size_t capacity) override {
    const std::size_t bytes = std::min<std::size_t>(capacity, left_);
    if (bytes > 0) std::memcpy(room, matrix_.first() + done_, bytes);
    done_ += bytes;
    left_ -= bytes;
    return bytes;
  }

 private:
  const Matrix matrix_;
  std::size_t done_ = 0;
  std::size_t left_;
};

class GraphSaver final : public FileSaver {
 public:
  GraphSaver(const Graph& graph, const Matrix& matrix, const FileKind& kind)
      : graph_(graph), matrix_(matrix), kind_(kind) {}

  std::size_t next(char* room, std::size_t capacity) override {
    std::size_t written = 0;
    // One after another, each when those before it are complete.
    const bool done = write_shape(room, written) && write_matrix(room, capacity, written) &&
                      write_heads(room, capacity, written) && write_levels(room, capacity, written) &&
                      write_nodes(room, capacity, written);
    return piece(written, done);
  }

 private:
  bool write_shape(char* room, std::size_t& written) {
    if (shape_done_) return true;
    Writer to(room);
    to.put(static_cast<std::uint32_t>(kind_.count));
    to.put(static_cast<std::uint32_t>(kind_.code_bytes));
    written += 2 * sizeof(std::uint32_t);
    shape_done_ = true;
    return true;
  }

  bool write_matrix(char* room, std::size_t capacity, std::size_t& written) {
    const char* first = matrix_.first();
    for (; row_ < kind_.count && capacity - written >= kind_.code_bytes; ++row_) {
      std::memcpy(room + written, first + row_ * kind_.code_bytes, kind_.code_bytes);
      written += kind_.code_bytes;
      // Of the slots that are saved, which need not be the one that the graph has.
      const int level = graph_.level(static_cast<std::uint32_t>(row_));
      if (level > max_level_) {
        max_level_ = level;
        entry_ = row_;
      }
    }
    return row_ == kind_.count;
  }

  bool write_heads(char* room, std::size_t capacity, std::size_t& written) {
    if (heads_done_) return true;
    constexpr std::size_t bytes = kHeadBytes + sizeof(us::index_serialized_header_t);
    if (capacity - written < bytes) return false;
    Writer to(room + written);
    for (const char letter : kMagic) to.put(letter);
    to.put<std::uint16_t>(USEARCH_VERSION_MAJOR);
    to.put<std::uint16_t>(USEARCH_VERSION_MINOR);
    to.put<std::uint16_t>(USEARCH_VERSION_PATCH);
    to.put(metric_kind(kind_.metric));
    to.put(scalar_kind(kind_.quantization));
    to.put(kKeyKind);
    to.put(kSlotKind);
    to.put<std::uint64_t>(kind_.count);  // present
    to.put<std::uint64_t>(0);            // deleted: that is not told here
    to.put<std::uint64_t>(kind_.dim);
    to.put<std::uint8_t>(0);  // several rows for a key
    to.zeros(kHeadBytes - kHeadUsed);
    to.put<std::uint64_t>(kind_.count);
    to.put<std::uint64_t>(kind_.layout.most_links(1));
    to.put<std::uint64_t>(kind_.layout.most_links(0));
    to.put(static_cast<std::uint64_t>(max_level_));
    to.put<std::uint64_t>(entry_);
    written += bytes;
    heads_done_ = true;
    return true;
  }

  bool write_levels(char* room, std::size_t capacity, std::size_t& written) {
    for (; level_ < kind_.count && capacity - written >= sizeof(Level); ++level_) {
      Writer(room + written).put(static_cast<Level>(graph_.level(static_cast<std::uint32_t>(level_))));
      written += sizeof(Level);
    }
    return level_ == kind_.count;
  }

  bool write_nodes(char* room, std::size_t capacity, std::size_t& written) {
    return graph_.with_view([&](const auto& view) {
      for (; node_ < kind_.count; ++node_) {
        const auto slot = static_cast<std::uint32_t>(node_);
        const int level = graph_.level(slot);
        if (capacity - written < kind_.layout.bytes(level)) return false;
        Writer to(room + written);
        to.put(node_);
        to.put(static_cast<Level>(level));
        write_list(to, view.links(slot), 0);
        for (int layer = 1; layer <= level; ++layer) write_list(to, view.links(slot, layer), layer);
        written += kind_.layout.bytes(level);
      }
      return true;
    });
  }

  // Without links to slots that are not in the file; what is unused is 0.
  void write_list(Writer& to, const Links& links, int level) {
    kept_.clear();
    for (std::size_t i = 0; i < links.count; ++i) {
      const std::uint32_t slot = links[i];
      if (slot < kind_.count) kept_.push_back(slot);
    }
    to.put(static_cast<std::uint32_t>(kept_.size()));
    for (const std::uint32_t slot : kept_) to.put(slot);
    to.zeros((kind_.layout.most_links(level) - kept_.size()) * sizeof(std::uint32_t));
  }

  const Graph& graph_;
  const Matrix matrix_;
  const FileKind kind_;
  int max_level_ = -1;
  std::uint64_t entry_ = 0;
  std::vector<std::uint32_t> kept_;
  bool shape_done_ = false;
  bool heads_done_ = false;
  // Slots that are written: their rows, levels, nodes.
  std::uint64_t row_ = 0;
  std::uint64_t level_ = 0;
  std::uint64_t node_ = 0;
};

void read_head(FileBytes& file, const FileKind& expected) {
  if (std::memcmp(file.skip(sizeof kMagic, 1), kMagic, sizeof kMagic) != 0) FileBytes::corrupt("is not usearch's");
  file.expect<std::uint16_t>("usearch's major version", USEARCH_VERSION_MAJOR);
  file.take<std::uint16_t>();  // files of all minor versions are alike
  file.take<std::uint16_t>();
  file.expect("the kind of metric", metric_kind(expected.metric));
  file.expect("the kind of components", scalar_kind(expected.quantization));
  file.expect("the kind of keys", kKeyKind);
  file.expect("the kind of slots", kSlotKind);
  file.expect<std::uint64_t>("the number of keys", expected.count);
  file.expect<std::uint64_t>("the number of deleted keys", 0);
  file.expect<std::uint64_t>("the dimension", expected.dim);
  file.expect<std::uint8_t>("whether keys have several rows", 0);
  file.skip(kHeadBytes - kHeadUsed, 1);
}

std::string at_row(std::uint64_t slot) { return " at row " + std::to_string(slot); }

}  // namespace

FileNodes::FileNodes(FileBytes file, std::size_t count, const NodeLayout& layout) : layout_(layout), count_(count) {
  const char* levels = file.skip(count, sizeof(Level));
  layers_before_.grow((count + 1) * sizeof(std::uint32_t));
  auto* before = reinterpret_cast<std::uint32_t*>(layers_before_.data());
  std::uint64_t layers = 0;
  for (std::size_t slot = 0; slot < count; ++slot) {
    Level level;
    std::memcpy(&level, levels + slot * sizeof level, sizeof level);
    if (level < 0 || level > kHighestLayer) FileBytes::corrupt("has layer " + std::to_string(level) + at_row(slot));
    before[slot] = static_cast<std::uint32_t>(layers);
    layers += static_cast<std::uint64_t>(level);
  }
  if (layers > std::numeric_limits<std::uint32_t>::max()) FileBytes::corrupt("has too many layers");
  before[count] = static_cast<std::uint32_t>(layers);
  first_ = file.skip(count, layout_.base_bytes());
  file.skip(layers, layout_.upper_bytes());
  file.expect_end();
}

GraphFile::GraphFile(FileBytes file, const FileKind& expected) {
  const NodeLayout& layout = expected.layout;
  file.expect("the number of rows", static_cast<std::uint32_t>(expected.count));
  file.expect("the size of a row", static_cast<std::uint32_t>(expected.code_bytes));
  matrix = file.skip(expected.count, expected.code_bytes);
  read_head(file, expected);
  stream = file;
  file.expect<std::uint64_t>("the number of nodes", expected.count);
  file.expect<std::uint64_t>("the links of an upper layer", layout.most_links(1));
  file.expect<std::uint64_t>("the links of the base layer", layout.most_links(0));
  const auto top = file.take<std::uint64_t>();
  const auto first = file.take<std::uint64_t>();
  nodes = std::make_unique<FileNodes>(file, expected.count, layout);
  if (expected.count == 0) return;
  if (first >= expected.count || top != static_cast<std::uint64_t>(nodes->level(static_cast<std::uint32_t>(first)))) {
    FileBytes::corrupt("begins its walks at row " + std::to_string(first) + " on layer " + std::to_string(top) +
                       ", which is not its highest");
  }
  entry = static_cast<std::uint32_t>(first);
  max_level = static_cast<int>(top);
}

void GraphFile::check_nodes() const {
  const auto count = static_cast<std::uint32_t>(nodes->count());
  for (std::uint32_t slot = 0; slot < count; ++slot) {
    std::uint64_t key;
    Level said;
    std::memcpy(&key, nodes->node(slot), sizeof key);
    std::memcpy(&said, nodes->node(slot) + sizeof key, sizeof said);
    if (key != slot) FileBytes::corrupt("has key " + std::to_string(key) + at_row(slot));
    if (said != nodes->level(slot)) FileBytes::corrupt("says two things of the highest layer" + at_row(slot));
    if (said > max_level) FileBytes::corrupt("is above its highest layer" + at_row(slot));
    for (int level = 0; level <= said; ++level) {
      const auto where = [&] { return at_row(slot) + ", layer " + std::to_string(level); };
      const std::size_t degree = nodes->said_degree(slot, level);
      if (degree > nodes->layout().most_links(level)) {
        FileBytes::corrupt("has " + std::to_string(degree) + " links" + where());
      }
      const Links links = nodes->links(slot, level);
      for (std::size_t i = 0; i < links.count; ++i) {
        if (links[i] < count && nodes->level(links[i]) >= level) continue;
        FileBytes::corrupt("has a link to " + std::to_string(links[i]) + where() + ", which is not there");
      }
    }
  }
}

void Graph::load(const GraphFile& file) {
  const std::size_t count = file.nodes->count();
  if (count == 0) return;
  FileBytes from = file.stream;
  const MemoryCount::Scope counting(count_);
  auto result = graph_.load_from_stream([&](void* to, std::size_t bytes) {
    // usearch asks for a node that it has no memory for.
    if (to == nullptr || bytes > from.left()) return false;
    std::memcpy(to, from.skip(bytes, 1), bytes);
    return true;
  });
  // Whatever it says: that the file is as it should be is known.
  if (result.error.release() != nullptr) throw std::bad_alloc();
  contexts_.assign(1, 0);
  upstream_capacity_ = count;
  capacity_ = count;
  entry_.store({file.entry, file.max_level});
  reachable_.store(static_cast<std::int64_t>(capacity_), std::memory_order_release);
}

void Graph::map(GraphFile&& file) {
  mapped_ = std::move(file.nodes);
  capacity_ = mapped_->count();
  entry_.store({file.entry, file.max_level});
  reachable_.store(static_cast<std::int64_t>(capacity_), std::memory_order_release);
}

std::unique_ptr<FileSaver> save_graph(const Graph& graph, const Matrix& matrix, const FileKind& kind) {
  return std::make_unique<GraphSaver>(graph, matrix, kind);
}

std::unique_ptr<FileSaver> save_rows(const Matrix& rows, std::uint64_t count) {
  return std::make_unique<MatrixSaver>(rows, count);
}

}  // namespace panvec
