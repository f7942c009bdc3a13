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

// Which file it is, whatever its name. Device 0 and inode 0: there is none.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;

  static FileIdentity at(const std::string& path) noexcept;
  bool exists() const noexcept { return device != 0 || inode != 0; }
  bool operator==(const FileIdentity& other) const noexcept { return device == other.device && inode == other.inode; }
  bool operator!=(const FileIdentity& other) const noexcept { return !(*this == other); }
};

// The files that this process writes, by the path they were opened by. A path may come to name another file while a
// writer is open: SQLite would go on in the one that has no name any more, and whoever opens the path then would find
// the other one, and take the first one's write-ahead log for its own. Thread-safe.
class WrittenFiles {
 public:
  // One writer's entry.
  class Entry {
   public:
    Entry() = default;
    // Throws as require_same does.
    Entry(const std::string& resolved, const std::string& path, FileIdentity identity);
    ~Entry();
    Entry(Entry&& other) noexcept;
    Entry& operator=(Entry&& other) noexcept;
    bool exists() const noexcept { return identity_.exists(); }

   private:
    std::string resolved_;
    FileIdentity identity_;
  };

  // Throws PANVEC_IO when a writer has another file open by this path. `resolved` is the path without links and dots,
  // `path` the one for people.
  static void require_same(const std::string& resolved, const std::string& path, FileIdentity identity);
};

// The path as SQLite shall see it: ":memory:" and "" are not special, it is a file's name.
std::string file_path(const char* path);

// False when there is no such file; true when there is one and its header is that of a Panvec database of this shape.
// Throws for any other file, which stays as it is. An empty file is not ours: we never leave one behind.
bool check_database_file(const std::string& path, const TableShape& shape);

// The same for the bytes of a whole database that is a snapshot, of which the shape is known: throws PANVEC_CORRUPT,
// saying what differs.
void check_snapshot_header(const unsigned char* bytes, std::int64_t size, const TableShape& shape,
                           const std::string& name);

// Throws PANVEC_CORRUPT when the pages of a table with rowids are no tree: where two lead to the same one, SQLite goes
// through its rows once for each way there, which may be without end. `bytes` have passed check_snapshot_header.
void check_page_tree(const unsigned char* bytes, std::int64_t size, std::int64_t root, const std::string& name);

// Throws PANVEC_IO when a log without its database lies at `path`: SQLite would replay it into the new one.
void check_no_leftover_log(const std::string& path);

// Throws PANVEC_READ_ONLY when the file (if it exists) or its directory cannot be written: WAL needs files beside it.
void check_writable(const std::string& path);

// Puts a finished database at `path` atomically: made under another name beside it by `fill`, forced to disk, then
// linked. A crash leaves nothing at `path`, at worst "<path>.new-<hex>". Does nothing when somebody else was quicker.
void create_database_file(const std::string& path, void (*fill)(sqlite3*, const std::string&, const TableShape&),
                          const TableShape& shape);

}  // namespace panvec::sqlitevec
