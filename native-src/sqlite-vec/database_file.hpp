// The database file before SQLite works on it: is it ours, and how a new one comes to be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "panvec_kernels.hpp"
#include "sqlite3.h"

namespace panvec::sqlitevec {

// What a file's vectors are. Kept in SQLite's header as user_version too, so that a file can be refused by its first
// 100 bytes alone: SQLite never gets to recover, checkpoint or lock a database that is not the one asked for.
struct TableShape {
  Metric metric;
  std::size_t dim;

  std::int64_t user_version() const noexcept;
  std::string text() const;
};

const char* metric_name(Metric metric) noexcept;

// The path as SQLite shall see it: ":memory:" and "" are not special, it is a file's name.
std::string file_path(const char* path);

// False when there is no such file; true when there is one and its header is that of a Panvec database of this shape.
// Throws for any other file, which stays as it is. An empty file is not ours: we never leave one behind.
bool check_database_file(const std::string& path, const TableShape& shape);

// Throws PANVEC_READ_ONLY when the file (if it exists) or its directory cannot be written: WAL needs files beside it.
void check_writable(const std::string& path);

// Puts a finished database at `path` atomically: made under another name beside it by `fill`, forced to disk, then
// linked. A crash leaves nothing at `path`, at worst "<path>.new-<hex>". Does nothing when somebody else was quicker.
void create_database_file(const std::string& path, void (*fill)(sqlite3*, const std::string&, const TableShape&),
                          const TableShape& shape);

}  // namespace panvec::sqlitevec
