// An SQLite database that lies in memory, read where it is: the mapped file of a snapshot, or bytes from anywhere.
#pragma once

#include <cstdint>
#include <string>

#include "sqlite_support.hpp"

namespace panvec::sqlitevec {

struct Bytes {
  const unsigned char* data;
  std::int64_t size;
};

// Opens the bytes for reading. They must neither change nor go away before the database is closed; no file, journal,
// lock or descriptor comes with it. Pages are used in place. `name` is for messages.
Database open_bytes(Bytes bytes, const std::string& name);

}  // namespace panvec::sqlitevec
