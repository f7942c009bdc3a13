// One connection: a handle, its prepared statements and its place in a transaction.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "database_file.hpp"
#include "sqlite_support.hpp"
#include "stop.hpp"

namespace panvec::sqlitevec {

// A view reads a database that nobody writes to.
enum class Role { kWriter, kReader, kView };

// What panvec_meta says. The range of ids is that of all ids ever stored since the table was last empty.
struct TableState {
  std::int64_t rows = 0;
  std::int64_t min_id = 0;
  std::int64_t max_id = 0;
};

// Ordered by (distance, id).
struct Hit {
  float distance;
  std::int64_t id;
  bool operator<(const Hit& other) const noexcept {
    return distance != other.distance ? distance < other.distance : id < other.id;
  }
};

// The statements of a search or a lookup.
struct ReadStatements {
  Statement begin, end, state, row;
  Statement scan, scan_filtered;
  Statement ids;                        // only for DOT
  Statement chunks, knn, knn_filtered;  // not for DOT
};

// The statements of a writer.
struct WriteStatements {
  Statement begin, commit, rollback, insert, update, remove, set_meta;
  Statement some_rows, remove_range;  // only for DOT
};

class Connection {
 public:
  // `path` NULL: in memory.
  Connection(const char* path, const TableShape& shape, int busy_timeout_ms, Role role);
  // Over a database that is open, has our tables, and belongs to nobody else. `name` is for messages.
  Connection(Database database, const TableShape& shape, const std::string& name, Role role);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  sqlite3* database() const noexcept { return database_.get(); }
  const TableShape& shape() const noexcept { return shape_; }
  const std::string& path() const noexcept { return path_; }
  void set_path(const char* path) { path_ = path; }
  Role role() const noexcept { return role_; }
  const ReadStatements& reading() const noexcept { return reading_; }
  const WriteStatements& writing() const noexcept { return writing_; }

  TableState state() const;
  // Copies a stored row, unless `row` is NULL; false when there is none of that id.
  bool read_row(std::int64_t id, float* row) const;

  // Runs a statement that returns no rows.
  void run(const Statement& statement, const char* what) const;

  // A call begins by forgetting the one before. Writes look between rows whether they are to stop, and while they wait
  // for a lock. Never sqlite3_interrupt: it may hit sqlite-vec in the middle of a write, and where it prepares a
  // statement, which it does not survive.
  void begin_call(const Stop& stop) noexcept;
  // What the call does from now on ends by this one instead.
  void set_stop(const Stop& stop) noexcept { stop_ = stop; }
  void forget_stop() noexcept { stop_ = Stop(); }
  void check_stop() const { stop_.check(); }

  // A search leaves hits here that its caller has no room for.
  void keep_hits(std::vector<Hit> hits) noexcept { kept_hits_ = std::move(hits); }
  std::vector<Hit> take_hits() noexcept { return std::exchange(kept_hits_, {}); }

  // After a commit: moves what the write-ahead log holds into the file, now and then; a stop ends its wait for readers.
  // Never fails: what is committed is committed.
  void tend_log() noexcept;
  // Moves all of it, and empties the log, unless readers of old states need it for longer than `patience`.
  void empty_log(std::chrono::milliseconds patience) noexcept;

  // Throws PANVEC_IO when the path names no file or another one by now: what is written would be lost with the last
  // connection.
  void check_unmoved(const char* what) const;
  bool is_moved(const char* what) const;

  // Runs COMMIT of a read or ROLLBACK, if a transaction is open.
  void end_transaction(const Statement& statement) const noexcept;

  // The caller's own transaction (begin ... commit).
  bool in_batch() const noexcept { return in_batch_; }
  void set_in_batch(bool in_batch) noexcept { in_batch_ = in_batch; }

 private:
  friend class StoppableStatements;
  static int stop_statement(void* connection) noexcept;
  static int wait_for_lock(void* connection, int times) noexcept;
  static int committed(void* connection, sqlite3*, const char*, int log_pages) noexcept;
  void checkpoint(int mode, std::chrono::milliseconds patience) noexcept;
  void open(const std::string& file, int flags);
  void set_up();
  void configure_writer();
  void prepare();
  void check_schema() const;

  TableShape shape_;
  Role role_;
  std::string path_;
  bool in_batch_ = false;
  Stop stop_;
  bool statements_stop_ = false;
  // How long to wait for a lock, and since when that is done.
  std::chrono::milliseconds patience_;
  std::chrono::steady_clock::time_point waiting_since_;
  std::vector<Hit> kept_hits_;
  std::int64_t log_pages_ = 0;
  std::int64_t tend_log_at_ = 0;
  WrittenFiles::Entry written_file_;
  // Statements go before their database does.
  Database database_;
  ReadStatements reading_;
  WriteStatements writing_;
};

// As long as one lives, a stop ends a running statement too: for reads, whose statements are long.
class StoppableStatements {
 public:
  explicit StoppableStatements(Connection& connection) : connection_(connection) {
    connection_.statements_stop_ = connection.stop_.is_possible();
  }
  ~StoppableStatements() { connection_.statements_stop_ = false; }
  StoppableStatements(const StoppableStatements&) = delete;
  StoppableStatements& operator=(const StoppableStatements&) = delete;

 private:
  Connection& connection_;
};

// All statements of a call see one state of the database. Inside the caller's own transaction it is that one.
class ReadTransaction {
 public:
  explicit ReadTransaction(Connection& connection);
  ~ReadTransaction();
  ReadTransaction(const ReadTransaction&) = delete;
  ReadTransaction& operator=(const ReadTransaction&) = delete;

 private:
  Connection& connection_;
  bool owned_;
};

}  // namespace panvec::sqlitevec
