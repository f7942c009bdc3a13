// SQLite as RAII: statements, their use, and errors that carry the extended result code and the file they are about.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "sqlite3.h"
#include "status.hpp"

namespace panvec::sqlitevec {

// Initialises SQLite once per process, with a log callback that remembers the code of a failure inside a virtual table.
void initialize_sqlite();

// The status of an extended result code.
std::int32_t status_of(int code) noexcept;

// The failure of the last call on `database` (which may be NULL), worded "<what> <path>: <message> (SQLite code <n>)".
StatusError failure_of(sqlite3* database, int code, const std::string& what, const std::string& path);

struct CloseDatabase {
  void operator()(sqlite3* database) const noexcept { sqlite3_close_v2(database); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;

// `file` is SQLite's name for it, `path` the one for messages; `vfs` NULL: the operating system's files.
Database open_database(const std::string& file, int flags, const char* vfs, const std::string& path);

class Statement {
 public:
  Statement() = default;
  Statement(sqlite3* database, std::string_view sql, const std::string& path);
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;

  explicit operator bool() const noexcept { return statement_ != nullptr; }
  sqlite3_stmt* get() const noexcept { return statement_; }

 private:
  sqlite3_stmt* statement_ = nullptr;
};

// One execution of a prepared statement. Resets it and drops its bindings at the end: a statement that is not reset
// would hold its read transaction open, and with it the WAL.
class Execution {
 public:
  Execution(const Statement& statement, const std::string& path) : statement_(statement.get()), path_(path) {}
  ~Execution();
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;

  Execution& bind(int index, std::int64_t value);
  Execution& bind(int index, const float* vector, std::size_t dim);
  // A value that Execution::value gave.
  Execution& bind(int index, const sqlite3_value* value);
  // `type` must be a string literal; the object stays the caller's.
  Execution& bind(int index, const void* object, const char* type);

  // True for a row, false at the end; throws for anything else.
  bool step(const char* what);
  // The plain result code, for a caller that tells some failures from others before it calls fail().
  int step_code() noexcept { return sqlite3_step(statement_); }
  [[noreturn]] void fail(int code, const std::string& what);

  std::int64_t integer(int column) const noexcept { return sqlite3_column_int64(statement_, column); }
  double real(int column) const noexcept { return sqlite3_column_double(statement_, column); }
  struct Blob {
    const unsigned char* bytes;
    std::int64_t size;
  };
  // Valid until the next step.
  Blob blob(int column) const noexcept {
    const void* bytes = sqlite3_column_blob(statement_, column);
    return {static_cast<const unsigned char*>(bytes), sqlite3_column_bytes(statement_, column)};
  }
  // What stands in a column, for another statement. Valid until the next step.
  sqlite3_value* value(int column) const noexcept { return sqlite3_column_value(statement_, column); }
  int columns() const noexcept { return sqlite3_column_count(statement_); }
  // Throws PANVEC_CORRUPT when the column is not a blob of dim floats. Valid until the next step; any alignment.
  const void* row_bytes(int column, std::size_t dim) const;

 private:
  void check_bound(int code);

  sqlite3_stmt* statement_;
  const std::string& path_;
};

// Prepares, runs and finalises; the statement returns no rows that matter.
void execute(sqlite3* database, const std::string& sql, const std::string& path, const char* what);
std::int64_t query_integer(sqlite3* database, const std::string& sql, const std::string& path, const char* what);
std::string query_text(sqlite3* database, const std::string& sql, const std::string& path, const char* what);

}  // namespace panvec::sqlitevec
