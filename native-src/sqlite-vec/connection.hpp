// One connection: a handle, its prepared statements and its place in a transaction.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "database_file.hpp"
#include "sqlite_support.hpp"

namespace panvec::sqlitevec {

enum class Role { kWriter, kReader };

// What panvec_meta says. The range of ids is that of all ids ever stored since the table was last empty.
struct TableState {
  std::int64_t rows = 0;
  std::int64_t min_id = 0;
  std::int64_t max_id = 0;
};

// The statements of a search or a lookup.
struct ReadStatements {
  Statement begin, end, state, row, ids;
  Statement scan, scan_filtered;
  Statement knn, knn_filtered;  // not for DOT
};

// The statements of a writer.
struct WriteStatements {
  Statement begin, commit, rollback, insert, update, remove, set_meta;
};

class Connection {
 public:
  // `path` NULL: in memory.
  Connection(const char* path, const TableShape& shape, int busy_timeout_ms, Role role);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  sqlite3* database() const noexcept { return database_.get(); }
  const TableShape& shape() const noexcept { return shape_; }
  const std::string& path() const noexcept { return path_; }
  Role role() const noexcept { return role_; }
  const ReadStatements& reading() const noexcept { return reading_; }
  const WriteStatements& writing() const noexcept { return writing_; }

  TableState state() const;
  // Copies a stored row, unless `row` is NULL; false when there is none of that id.
  bool read_row(std::int64_t id, float* row) const;

  // Runs a statement that returns no rows.
  void run(const Statement& statement, const char* what) const;

  // A call begins by forgetting interrupts meant for the one before; writes ask between rows. Never sqlite3_interrupt:
  // it may hit sqlite-vec in the middle of a write, and where it prepares a statement, which it does not survive.
  void begin_call() noexcept { interrupted_.store(false, std::memory_order_relaxed); }
  void interrupt() noexcept { interrupted_.store(true, std::memory_order_relaxed); }
  void check_interrupt() const;

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
  struct Close {
    void operator()(sqlite3* database) const noexcept { sqlite3_close_v2(database); }
  };

  friend class InterruptibleStatements;
  static int stop_statement(void* connection) noexcept;
  void open(const std::string& file, int flags, int busy_timeout_ms);
  void configure_writer();
  void prepare();
  void check_schema() const;

  TableShape shape_;
  Role role_;
  std::string path_;
  bool in_batch_ = false;
  std::atomic<bool> interrupted_{false};
  bool statements_stop_ = false;
  WrittenFiles::Entry written_file_;
  // Statements go before their database does.
  std::unique_ptr<sqlite3, Close> database_;
  ReadStatements reading_;
  WriteStatements writing_;
};

// As long as one lives, an interrupt ends a running statement too: for searches, whose statements are long.
class InterruptibleStatements {
 public:
  explicit InterruptibleStatements(Connection& connection) : connection_(connection) {
    connection_.statements_stop_ = true;
  }
  ~InterruptibleStatements() { connection_.statements_stop_ = false; }
  InterruptibleStatements(const InterruptibleStatements&) = delete;
  InterruptibleStatements& operator=(const InterruptibleStatements&) = delete;

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
