// Databases as snapshots: one state of a database written to a file of its own, and such a file opened from memory.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "bytes_file.hpp"
#include "connection.hpp"

namespace panvec::sqlitevec {

// Writes the state that `source` sees into a new file, packed: no page is free, and nothing of removed rows is left but
// the room of those in chunks that still hold others. It is not forced to disk. What was written of it is removed when
// this throws.
//
// As VACUUM INTO does, but of the transaction that is open already: that begins its own, and nobody could say
// beforehand how many rows there will be.
void write_snapshot(Connection& source, const std::string& path);

// A copy of a database in memory, made slice by slice, so that others have their turn on its connection in between. It
// is of the state at the end of the last slice.
class MemoryCopy {
 public:
  explicit MemoryCopy(Connection& source);
  ~MemoryCopy();
  MemoryCopy(const MemoryCopy&) = delete;
  MemoryCopy& operator=(const MemoryCopy&) = delete;

  // Some milliseconds. When somebody has written since the slice before, it begins anew, and takes as long as the whole
  // copy does: else it would never be done beside writers that never rest. True when all is copied; then the connection
  // is needed no more.
  bool run_slice();
  // After the last slice, once.
  Database take() noexcept { return std::move(copy_); }

 private:
  void finish() noexcept;

  Connection& source_;
  Database copy_;
  sqlite3_backup* backup_ = nullptr;
  int left_ = 0;
  bool began_ = false;
  bool hurry_ = false;
};

// Opens what write_snapshot wrote, where it is: for a connection of Role::kView. Looks at header and tables alone; what
// is damaged beyond them fails the calls that meet it, with PANVEC_CORRUPT.
Database view_snapshot(Bytes bytes, const TableShape& shape, const std::string& name);

// Copies it into a database in memory, for a connection of Role::kWriter.
Database load_snapshot(Bytes bytes, const TableShape& shape, const std::string& name);

// What is left to check when there is a connection: of a view, what costs nothing, else everything but the vectors'
// components.
void check_view(const Connection& connection, std::int64_t bytes);
void check_loaded(const Connection& connection);

}  // namespace panvec::sqlitevec
