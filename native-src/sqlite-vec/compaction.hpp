// Gives back what removed rows take, in slices: between them others write, and readers go on all the time.
#pragma once

#include <cstdint>

#include "connection.hpp"

namespace panvec::sqlitevec {

// Where a compaction stands. All zero: at its beginning.
struct Compaction {
  std::int64_t stage;
  std::int64_t next;
  std::int64_t end;

  // Some milliseconds of work, in one transaction. Returns how many rows it has passed.
  std::int64_t run_slice(Connection& connection);
  bool is_finished() const noexcept;

 private:
  void plan_rows(Connection& connection);
  std::int64_t empty_chunks(Connection& connection);
  std::int64_t repack_rows(Connection& connection);
  void plan_pages(Connection& connection);
  void free_pages(Connection& connection);
};

}  // namespace panvec::sqlitevec
