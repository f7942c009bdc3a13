#include "sqlite_support.hpp"

#include <cstring>
#include <utility>

namespace panvec::sqlitevec {
namespace {

// sqlite-vec answers a plain SQLITE_ERROR for most failures of its shadow tables. SQLite's log still sees the real
// code, on the same thread.
thread_local int logged_code = SQLITE_OK;

int primary(int code) noexcept { return code & 0xff; }

void remember(void*, int code, const char*) noexcept {
  switch (primary(code)) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_NOMEM:
      logged_code = code;
      break;
    default:
      break;
  }
}

}  // namespace

void initialize_sqlite() {
  static const int code = [] {
    sqlite3_config(SQLITE_CONFIG_LOG, remember, nullptr);
    return sqlite3_initialize();
  }();
  if (code != SQLITE_OK) {
    throw StatusError(PANVEC_NATIVE, std::string("SQLite does not initialise: ") + sqlite3_errstr(code));
  }
}

std::int32_t status_of(int code) noexcept {
  if (code == SQLITE_IOERR_NOMEM) {
    return PANVEC_OUT_OF_MEMORY;
  }
  if (code == SQLITE_READONLY_DBMOVED) {
    return PANVEC_IO;
  }
  switch (primary(code)) {
    case SQLITE_OK:
      return PANVEC_OK;
    case SQLITE_NOMEM:
      return PANVEC_OUT_OF_MEMORY;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return PANVEC_IO;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return PANVEC_BUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return PANVEC_CORRUPT;
    case SQLITE_READONLY:
      return PANVEC_READ_ONLY;
    default:
      return PANVEC_NATIVE;
  }
}

StatusError failure_of(sqlite3* database, int code, const std::string& what, const std::string& path) {
  // A result code without its extension is completed from the connection, when that speaks of the same failure.
  int extended = code;
  std::string message;
  if (database != nullptr) {
    const int last = sqlite3_extended_errcode(database);
    if (primary(last) == primary(code)) {
      extended = last;
      message = sqlite3_errmsg(database);
    }
  }
  if (message.empty()) {
    message = sqlite3_errstr(code);
  }
  if (primary(extended) == SQLITE_ERROR && logged_code != SQLITE_OK) {
    extended = logged_code;
    message += std::string("; ") + sqlite3_errstr(logged_code);
  }
  logged_code = SQLITE_OK;
  if (database != nullptr && sqlite3_system_errno(database) != 0 &&
      (primary(extended) == SQLITE_IOERR || primary(extended) == SQLITE_CANTOPEN)) {
    message += std::string("; ") + std::strerror(sqlite3_system_errno(database));
  }
  return StatusError(status_of(extended),
                 what + " " + path + ": " + message + " (SQLite code " + std::to_string(extended) + ")");
}

Database open_database(const std::string& file, int flags, const char* vfs, const std::string& path) {
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(file.c_str(), &opened, flags, vfs);
  Database database(opened);
  if (code != SQLITE_OK) {
    throw failure_of(opened, code, "opening", path);
  }
  return database;
}

Statement::Statement(sqlite3* database, std::string_view sql, const std::string& path) {
  const int code = sqlite3_prepare_v3(database, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                      &statement_, nullptr);
  if (code != SQLITE_OK) {
    throw failure_of(database, code, "preparing a statement on", path);
  }
}

Statement::~Statement() { sqlite3_finalize(statement_); }

Statement::Statement(Statement&& other) noexcept : statement_(std::exchange(other.statement_, nullptr)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(statement_, other.statement_);
  return *this;
}

Execution::~Execution() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

Execution& Execution::bind(int index, std::int64_t value) {
  check_bound(sqlite3_bind_int64(statement_, index, value));
  return *this;
}

Execution& Execution::bind(int index, const float* vector, std::size_t dim) {
  check_bound(sqlite3_bind_blob64(statement_, index, vector, dim * sizeof(float), SQLITE_STATIC));
  return *this;
}

Execution& Execution::bind(int index, const void* object, const char* type) {
  check_bound(sqlite3_bind_pointer(statement_, index, const_cast<void*>(object), type, nullptr));
  return *this;
}

Execution& Execution::bind(int index, const sqlite3_value* value) {
  check_bound(sqlite3_bind_value(statement_, index, value));
  return *this;
}

bool Execution::step(const char* what) {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) {
    return true;
  }
  if (code != SQLITE_DONE) {
    fail(code, what);
  }
  return false;
}

void Execution::fail(int code, const std::string& what) {
  throw failure_of(sqlite3_db_handle(statement_), code, what, path_);
}

const void* Execution::row_bytes(int column, std::size_t dim) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  if (bytes == nullptr || size != dim * sizeof(float)) {
    throw StatusError(PANVEC_CORRUPT, path_ + ": a stored vector has " + std::to_string(size) + " bytes instead of " +
                                      std::to_string(dim * sizeof(float)));
  }
  return bytes;
}

void Execution::check_bound(int code) {
  if (code != SQLITE_OK) {
    fail(code, "binding a parameter on");
  }
}

void execute(sqlite3* database, const std::string& sql, const std::string& path, const char* what) {
  const Statement statement(database, sql, path);
  Execution run(statement, path);
  while (run.step(what)) {
  }
}

std::int64_t query_integer(sqlite3* database, const std::string& sql, const std::string& path, const char* what) {
  const Statement statement(database, sql, path);
  Execution run(statement, path);
  return run.step(what) ? run.integer(0) : 0;
}

std::string query_text(sqlite3* database, const std::string& sql, const std::string& path, const char* what) {
  const Statement statement(database, sql, path);
  Execution run(statement, path);
  if (!run.step(what)) {
    return {};
  }
  const unsigned char* text = sqlite3_column_text(statement.get(), 0);
  return text == nullptr ? std::string() : reinterpret_cast<const char*>(text);
}

}  // namespace panvec::sqlitevec
