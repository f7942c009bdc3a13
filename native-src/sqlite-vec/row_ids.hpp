// Which rows there are. vec0 keeps their ids many to a blob, in the chunks of its shadow table: to read those is a
// hundred times quicker than to ask it row by row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "connection.hpp"
#include "filter.hpp"

namespace panvec::sqlitevec {

// A chunk of vec0, valid while it is shown.
class Chunk {
 public:
  // Throws PANVEC_CORRUPT when the blobs of the row that `run` stands on do not fit together.
  explicit Chunk(const Execution& run, const std::string& path);

  std::int64_t number() const noexcept { return number_; }
  std::int64_t size() const noexcept { return size_; }
  // How many rows it holds, which may be fewer than there is room for.
  std::int64_t live() const noexcept;
  // Shows place in the chunk and id.
  template <typename Visit>
  void for_each_row(Visit visit) const {
    for (std::int64_t i = 0; i < size_; ++i) {
      if ((validity_[i / 8] >> (i % 8) & 1) != 0) {
        visit(i, id_at(i));
      }
    }
  }
  template <typename Visit>
  void for_each_id(Visit visit) const {
    for_each_row([&](std::int64_t, std::int64_t id) { visit(id); });
  }

 private:
  std::int64_t id_at(std::int64_t place) const noexcept;

  std::int64_t number_;
  std::int64_t size_;
  const unsigned char* validity_;
  const unsigned char* ids_;
};

// Shows the chunks from number `first` on, ascending, until `visit` returns false. Not for DOT, which has none.
void for_each_chunk(const Connection& connection, std::int64_t first, const std::function<bool(const Chunk&)>& visit);

// The ids of all rows that pass, ascending; `filter` NULL: of all rows. Never more than the database counts rows.
std::vector<std::int64_t> sorted_ids(const Connection& connection, const Filter* filter);

// Rows that were removed and whose room will not be used again. DOT: 0, a B-tree uses what it has.
std::int64_t dead_rows(const Connection& connection);

}  // namespace panvec::sqlitevec
