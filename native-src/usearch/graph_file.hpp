// usearch's own file (index_dense_gt::save): the rows or codes, a head that says what they are, and the graph: a
// header, the level of each slot, the nodes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "codes.hpp"
#include "graph.hpp"
#include "row_store.hpp"
#include "saved_file.hpp"

namespace panvec {

// Rows or codes by slot, which move when the index grows.
class Matrix {
 public:
  explicit Matrix(const RowStore& rows) : rows_(&rows) {}
  explicit Matrix(const Codes& codes) : codes_(&codes) {}

  const char* first() const { return rows_ != nullptr ? rows_->rows().first : codes_->first(); }
  // Of one of them.
  std::size_t bytes() const { return rows_ != nullptr ? rows_->rows().stride : codes_->code_bytes(); }

 private:
  const RowStore* rows_ = nullptr;
  const Codes* codes_ = nullptr;
};

// What such a file is about.
struct FileKind {
  Metric metric;
  Quantization quantization;
  std::size_t dim;
  std::size_t code_bytes;  // of a row or a code
  NodeLayout layout;
  std::uint64_t count;  // of slots
};

// Such a file in memory.
struct GraphFile {
  // Refuses a file whose heads are not the expected ones, whose size does not follow from its levels, or that begins
  // its walks elsewhere than on the highest layer of a slot. Touches neither codes nor nodes.
  GraphFile(FileBytes file, const FileKind& expected);

  // Refuses keys that are not the slots, and links that lead nowhere.
  void check_nodes() const;

  const char* matrix = nullptr;
  FileBytes stream{nullptr, 0};  // the graph, as usearch's reader wants it
  std::uint32_t entry = 0;
  int max_level = -1;
  std::unique_ptr<FileNodes> nodes;
};

// Writes the file of the first kind.count slots, all of them linked. Links to later ones are left out.
std::unique_ptr<FileSaver> save_graph(const Graph& graph, const Matrix& matrix, const FileKind& kind);
// Writes the first `count` rows, and nothing else.
std::unique_ptr<FileSaver> save_rows(const Matrix& rows, std::uint64_t count);

}  // namespace panvec
