#include "snapshot.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "panvec_sqlitevec.h"
#include "row_ids.hpp"
#include "schema.hpp"

namespace panvec::sqlitevec {
namespace {

constexpr int kRawFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
// How long a slice of a copy takes, and how many pages are copied between two looks at the clock.
constexpr std::chrono::milliseconds kSliceTime{8};
constexpr int kPagesBetweenLooks = 64;
// Pages that wait to be written.
constexpr int kWriteCacheKiB = 8 * 1024;
// Pages in place need no cache; what is kept is the few that are copied.
constexpr int kViewCacheKiB = 512;

// -------------------------------------------------------------------------------------------------- writing

// A table of the source and of the file, and its columns in both. Rowids are columns like others: sqlite-vec finds
// chunks by those that are hidden behind a column named rowid.
struct Table {
  const char* name;
  const char* columns;
  const char* order;
};

constexpr Table kMeta{"panvec_meta", "key, value", "key"};
constexpr Table kDotRows{"panvec_vectors", "id, vector", "id"};
constexpr Table kInfo{"panvec_vectors_info", "key, value", "key"};
constexpr Table kChunks{"panvec_vectors_chunks", "chunk_id, size, validity, rowids", "chunk_id"};
constexpr Table kRowids{"panvec_vectors_rowids", "rowid, id, chunk_id, chunk_offset", "rowid"};
constexpr Table kVectorChunks{"panvec_vectors_vector_chunks00", "_rowid_, rowid, vectors", "_rowid_"};
// Last: SQLite itself writes to it when rows of the others are inserted.
constexpr Table kSequence{"sqlite_sequence", "name, seq", "name"};

class NewFile {
 public:
  explicit NewFile(const std::string& path) : path_(path) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (descriptor < 0) {
      const int error = errno;
      const bool read_only = error == EROFS || error == EACCES || error == EPERM;
      fail(read_only ? PANVEC_READ_ONLY : PANVEC_IO, "creating " + path + ": " + std::strerror(error));
    }
    close(descriptor);
  }
  ~NewFile() {
    if (!kept_) {
      unlink(path_.c_str());
    }
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void keep() noexcept { kept_ = true; }

 private:
  const std::string& path_;
  bool kept_ = false;
};

// Returns how many rows there are.
std::int64_t copy_table(const Connection& source, sqlite3* target, const std::string& path, const Table& table) {
  const std::string name = table.name;
  execute(target, "DELETE FROM " + name, path, "writing");
  const Statement select(source.database(),
                         std::string("SELECT ") + table.columns + " FROM " + name + " ORDER BY " + table.order,
                         source.path());
  Execution rows(select, source.path());
  std::string places = "?";
  for (int column = 1; column < rows.columns(); ++column) {
    places += ", ?";
  }
  const Statement insert(target, "INSERT INTO " + name + "(" + table.columns + ") VALUES (" + places + ")", path);
  std::int64_t count = 0;
  while (rows.step("saving")) {
    Execution row(insert, path);
    for (int column = 0; column < rows.columns(); ++column) {
      row.bind(column + 1, rows.value(column));
    }
    while (row.step("writing")) {
    }
    ++count;
  }
  return count;
}

void copy_tables(const Connection& source, sqlite3* target, const std::string& path) {
  const std::int64_t expected = source.state().rows;
  std::int64_t rows = 0;
  copy_table(source, target, path, kMeta);
  if (source.shape().metric == Metric::kDot) {
    rows = copy_table(source, target, path, kDotRows);
  } else {
    copy_table(source, target, path, kInfo);
    copy_table(source, target, path, kChunks);
    copy_table(source, target, path, kVectorChunks);
    rows = copy_table(source, target, path, kRowids);
    copy_table(source, target, path, kSequence);
  }
  if (rows != expected) {
    fail(PANVEC_CORRUPT, source.path() + ": it has " + std::to_string(rows) + " rows, and counts " +
                             std::to_string(expected) + " in panvec_meta");
  }
}

// -------------------------------------------------------------------------------------------------- opening

// Everything that SQL can be asked about the tables, in one text.
std::string schema_of(sqlite3* database, const std::string& name) {
  const Statement select(database, "SELECT type, name, tbl_name, ifnull(sql, '') FROM sqlite_schema ORDER BY type, name",
                         name);
  Execution rows(select, name);
  std::string text;
  while (rows.step("reading the tables of")) {
    for (int column = 0; column < rows.columns(); ++column) {
      const Execution::Blob blob = rows.blob(column);
      text.append(reinterpret_cast<const char*>(blob.bytes), static_cast<std::size_t>(blob.size));
      text += '\n';
    }
  }
  return text;
}

// No table, index, view or trigger is missing, is more, or is other than create_schema makes it: neither sqlite-vec nor
// SQLite is ever told anything else about the bytes than what they know from our own.
void check_tables(sqlite3* database, const TableShape& shape, const std::string& name) {
  const Database own = open_database(":memory:", kRawFlags, nullptr, "a database in memory");
  create_schema(own.get(), "a database in memory", shape, rows_in_chunk(database, name));
  if (schema_of(database, name) != schema_of(own.get(), name)) {
    fail(PANVEC_CORRUPT, name + ": its tables are not those of a database of " + shape.text());
  }
}

struct Place {
  std::int64_t id;
  std::int64_t chunk;
  std::int64_t offset;
  bool operator<(const Place& other) const noexcept { return id < other.id; }
};

// Where the chunks have their rows, in the order of ids.
std::vector<Place> places_in_chunks(const Connection& connection) {
  const std::int64_t row_bytes = static_cast<std::int64_t>(connection.shape().dim * sizeof(float));
  const std::int64_t chunk_size = rows_in_chunk(connection.database(), connection.path());
  const Statement vectors(connection.database(),
                          "SELECT length(vectors) FROM panvec_vectors_vector_chunks00 WHERE _rowid_ = ?1 "
                          "AND rowid = ?1 AND typeof(vectors) = 'blob'",
                          connection.path());
  std::vector<Place> places;
  for_each_chunk(connection, std::numeric_limits<std::int64_t>::min(), [&](const Chunk& chunk) {
    Execution run(vectors, connection.path());
    run.bind(1, chunk.number());
    if (!run.step("checking") || run.integer(0) != chunk_size * row_bytes || chunk.size() != chunk_size) {
      fail(PANVEC_CORRUPT, connection.path() + ": chunk " + std::to_string(chunk.number()) + " has the wrong size");
    }
    chunk.for_each_row([&](std::int64_t offset, std::int64_t id) { places.push_back({id, chunk.number(), offset}); });
    return true;
  });
  std::sort(places.begin(), places.end());
  return places;
}

void check_chunks(const Connection& connection) {
  const std::vector<Place> places = places_in_chunks(connection);
  const Statement select(connection.database(),
                         "SELECT rowid, chunk_id, chunk_offset FROM panvec_vectors_rowids ORDER BY rowid",
                         connection.path());
  Execution rows(select, connection.path());
  auto place = places.begin();
  while (rows.step("checking")) {
    if (place == places.end() || rows.integer(0) != place->id || rows.integer(1) != place->chunk ||
        rows.integer(2) != place->offset) {
      fail(PANVEC_CORRUPT, connection.path() + ": the row of id " + std::to_string(rows.integer(0)) +
                               " is not where its chunk has it");
    }
    ++place;
  }
  if (place != places.end() || static_cast<std::int64_t>(places.size()) != connection.state().rows) {
    fail(PANVEC_CORRUPT, connection.path() + ": its chunks hold " + std::to_string(places.size()) + " rows; it counts " +
                             std::to_string(connection.state().rows));
  }
}

void check_dot_rows(const Connection& connection) {
  const std::int64_t row_bytes = static_cast<std::int64_t>(connection.shape().dim * sizeof(float));
  const std::int64_t right =
      query_integer(connection.database(),
                    "SELECT count(*) FROM panvec_vectors WHERE typeof(vector) = 'blob' AND length(vector) = " +
                        std::to_string(row_bytes),
                    connection.path(), "checking");
  if (right != connection.state().rows) {
    fail(PANVEC_CORRUPT, connection.path() + ": it has " + std::to_string(right) + " rows of the right length; it counts " +
                             std::to_string(connection.state().rows));
  }
}

}  // namespace

void write_snapshot(Connection& source, const std::string& path) {
  const ReadTransaction transaction(source);
  NewFile file(path);
  {
    const Database target = open_database(path, kRawFlags, nullptr, path);
    const auto run = [&](const std::string& sql) { execute(target.get(), sql, path, "writing"); };
    // Nobody else has it open, it is worth nothing before it is complete, and no file shall lie beside it.
    run("PRAGMA journal_mode = OFF");
    run("PRAGMA synchronous = OFF");
    run("PRAGMA locking_mode = EXCLUSIVE");
    run("PRAGMA temp_store = MEMORY");
    run("PRAGMA cache_size = -" + std::to_string(kWriteCacheKiB));
    create_schema(target.get(), path, source.shape(), rows_in_chunk(source.database(), source.path()));
    run("BEGIN");
    copy_tables(source, target.get(), path);
    run("COMMIT");
  }
  file.keep();
}

MemoryCopy::MemoryCopy(Connection& source)
    : source_(source), copy_(open_database(":memory:", kRawFlags, nullptr, "a copy of " + source.path())) {
  backup_ = sqlite3_backup_init(copy_.get(), "main", source.database(), "main");
  if (backup_ == nullptr) {
    throw failure_of(copy_.get(), sqlite3_extended_errcode(copy_.get()), "copying", source.path());
  }
}

MemoryCopy::~MemoryCopy() { finish(); }

void MemoryCopy::finish() noexcept { sqlite3_backup_finish(std::exchange(backup_, nullptr)); }

bool MemoryCopy::run_slice() {
  if (backup_ == nullptr) {
    fail(PANVEC_INVALID_ARGUMENT, "the copy is complete already, or failed");
  }
  const auto until = std::chrono::steady_clock::now() + kSliceTime;
  do {
    const int code = sqlite3_backup_step(backup_, hurry_ ? -1 : kPagesBetweenLooks);
    if (code == SQLITE_DONE) {
      finish();
      return true;
    }
    if (code != SQLITE_OK) {
      finish();
      throw failure_of(nullptr, code, "copying", source_.path());
    }
    const int left = sqlite3_backup_remaining(backup_);
    hurry_ = began_ && left > left_ - kPagesBetweenLooks;
    began_ = true;
    left_ = left;
  } while (hurry_ || std::chrono::steady_clock::now() < until);
  return false;
}

Database view_snapshot(Bytes bytes, const TableShape& shape, const std::string& name) {
  check_snapshot_header(bytes.data, bytes.size, shape, name);
  check_page_tree(bytes.data, bytes.size, 1, name);
  Database database = open_bytes(bytes, name);
  execute(database.get(), "PRAGMA cache_size = -" + std::to_string(kViewCacheKiB), name, "opening");
  execute(database.get(), "PRAGMA cell_size_check = ON", name, "opening");
  check_tables(database.get(), shape, name);
  // Those that vec0 goes through from end to end. What else is read whole is counted, and single rows are found in few
  // steps whatever the pages say.
  for (const char* table : {"panvec_vectors_chunks", "panvec_vectors_rowids"}) {
    const std::int64_t root =
        query_integer(database.get(),
                      std::string("SELECT max(rootpage) FROM sqlite_schema WHERE type = 'table' AND name = '") + table + "'",
                      name, "opening");
    // A table of DOT vectors has none of them.
    if (root > 0) {
      check_page_tree(bytes.data, bytes.size, root, name);
    }
  }
  return database;
}

Database load_snapshot(Bytes bytes, const TableShape& shape, const std::string& name) {
  const Database source = view_snapshot(bytes, shape, name);
  Database target = open_database(":memory:", kRawFlags, nullptr, "a database in memory");
  sqlite3_backup* backup = sqlite3_backup_init(target.get(), "main", source.get(), "main");
  if (backup == nullptr) {
    throw failure_of(target.get(), sqlite3_extended_errcode(target.get()), "loading", name);
  }
  const int stepped = sqlite3_backup_step(backup, -1);
  const int finished = sqlite3_backup_finish(backup);
  if (stepped != SQLITE_DONE || finished != SQLITE_OK) {
    throw failure_of(target.get(), stepped != SQLITE_DONE ? stepped : finished, "loading", name);
  }
  return target;
}

void check_view(const Connection& connection, std::int64_t bytes) {
  const std::int64_t rows = connection.state().rows;
  if (rows < 0 || rows > bytes / static_cast<std::int64_t>(connection.shape().dim * sizeof(float))) {
    fail(PANVEC_CORRUPT, connection.path() + ": it counts " + std::to_string(rows) + " rows, too many for its " +
                             std::to_string(bytes) + " bytes");
  }
}

void check_loaded(const Connection& connection) {
  const std::string found = query_text(connection.database(), "PRAGMA quick_check(1)", connection.path(), "checking");
  if (found != "ok") {
    fail(PANVEC_CORRUPT, connection.path() + ": " + found);
  }
  if (connection.shape().metric == Metric::kDot) {
    check_dot_rows(connection);
  } else {
    check_chunks(connection);
  }
}

}  // namespace panvec::sqlitevec
