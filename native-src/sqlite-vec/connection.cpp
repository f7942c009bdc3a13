#include "connection.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "panvec_sqlitevec.h"
#include "schema.hpp"

namespace panvec::sqlitevec {
namespace {

void require_wal(sqlite3* database, const std::string& path) {
  const std::string mode = query_text(database, "PRAGMA journal_mode = WAL", path, "opening");
  if (mode != "wal") {
    fail(PANVEC_IO,
         "opening " + path + ": its file system cannot hold a write-ahead log; the journal mode stays " + mode);
  }
}

// In the draft already: of several connections that change the mode at once, all but one would be refused as busy.
void fill_file(sqlite3* database, const std::string& path, const TableShape& shape) {
  execute(database, "PRAGMA synchronous = FULL", path, "creating");
  create_schema(database, path, shape);
  require_wal(database, path);
}

// Pages that a connection keeps: a reader beside a writer loses them with every commit, so there is little to gain by
// more.
constexpr int kCacheKiB = 16 * 1024;
// Steps of SQLite's machine, about ten for a row of a scan and for a chunk of vec0: a few milliseconds at most.
constexpr int kStepsBetweenChecks = 50;
// What a log that grew by a large batch is cut back to.
constexpr std::int64_t kLogLimitBytes = std::int64_t{64} << 20;
// Every so many pages the log's content is moved into the file.
constexpr std::int64_t kLogPagesBetweenCheckpoints = 1000;
// From so many on, the writer waits until no reader needs the log any more, so that it can begin anew.
constexpr std::int64_t kLongLogPages = 4000;
constexpr std::chrono::milliseconds kPatienceForLongLog{500};
// Whoever reads for longer than that may take any time, and others who write wait meanwhile.
constexpr std::chrono::milliseconds kMostPatienceForLog{2000};

}  // namespace

Connection::Connection(const char* path, const TableShape& shape, int busy_timeout_ms, Role role)
    : shape_(shape), role_(role), patience_(std::max(0, busy_timeout_ms)) {
  initialize_sqlite();
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
  if (path == nullptr) {
    path_ = "the database in memory";
    open(":memory:", kFlags | SQLITE_OPEN_MEMORY);
    create_schema(database(), path_, shape_);
    prepare();
    return;
  }
  path_ = file_path(path);
  if (!check_database_file(path_, shape_)) {
    if (role == Role::kReader) {
      fail(PANVEC_IO, "opening " + path_ + " for reading: no such file");
    }
    check_writable(path_);
    check_no_leftover_log(path_);
    create_database_file(path_, fill_file, shape_);
    if (!check_database_file(path_, shape_)) {
      fail(PANVEC_IO, "opening " + path_ + ": it cannot be created here, or was removed at once");
    }
  }
  if (role == Role::kWriter) {
    check_writable(path_);
  }
  // Before the first statement: that one would read, and perhaps recover, a write-ahead log that is not this file's.
  const FileIdentity identity = FileIdentity::at(path_);
  open(path_, kFlags);
  check_unmoved("opening");
  if (!identity.exists() || FileIdentity::at(path_) != identity) {
    fail(PANVEC_IO, "opening " + path_ + ": the file was moved or deleted meanwhile");
  }
  // Links and dots in the path are resolved: one file has one name, however it is spelled.
  const char* resolved = sqlite3_db_filename(database(), "main");
  if (role == Role::kWriter) {
    written_file_ = WrittenFiles::Entry(resolved, path_, identity);
  } else {
    WrittenFiles::require_same(resolved, path_, identity);
  }
  if (role == Role::kWriter && sqlite3_db_readonly(database(), "main") != 0) {
    fail(PANVEC_READ_ONLY, "opening " + path_ + ": the file cannot be written");
  }
  register_functions(database(), path_);
  execute(database(), "PRAGMA synchronous = FULL", path_, "opening");
  execute(database(), "PRAGMA cache_size = -" + std::to_string(kCacheKiB), path_, "opening");
  check_schema();
  if (role == Role::kWriter) {
    configure_writer();
  } else {
    execute(database(), "PRAGMA query_only = 1", path_, "opening");
  }
  prepare();
}

Connection::Connection(Database database, const TableShape& shape, const std::string& name, Role role)
    : shape_(shape), role_(role), path_(name), patience_(0), database_(std::move(database)) {
  set_up();
  register_functions(this->database(), path_);
  check_schema();
  prepare();
}

// SQLite leaves the log of a file that was moved or deleted beside the old path, where it would be replayed into
// whatever is opened there next. It is emptied into the file that it belongs to, wherever that is by now.
Connection::~Connection() {
  if (role_ != Role::kWriter || !written_file_.exists()) {
    return;
  }
  try {
    if (is_moved("closing")) {
      end_transaction(writing_.rollback);
      execute(database(), "PRAGMA wal_checkpoint(TRUNCATE)", path_, "closing");
    }
  } catch (...) {
    // Closing never fails; what is left is what SQLite leaves.
  }
}

void Connection::open(const std::string& file, int flags) {
  database_ = open_database(file, flags, nullptr, path_);
  set_up();
}

void Connection::set_up() {
  sqlite3* opened = database();
  sqlite3_extended_result_codes(opened, 1);
  sqlite3_busy_handler(opened, wait_for_lock, this);
  sqlite3_progress_handler(opened, kStepsBetweenChecks, stop_statement, this);
  // No file beside the database and its log.
  execute(opened, "PRAGMA temp_store = MEMORY", path_, "opening");
  // Views and triggers that somebody put into the file get no functions to call.
  sqlite3_db_config(opened, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
}

void Connection::check_schema() const {
  const auto meta = [&](const char* key) {
    return query_integer(database(), std::string("SELECT value FROM panvec_meta WHERE key = '") + key + "'", path_,
                         "opening");
  };
  try {
    if (meta("format") != PANVEC_SQLITEVEC_FORMAT || meta("dim") != static_cast<std::int64_t>(shape_.dim) ||
        meta("metric") != static_cast<std::int64_t>(shape_.metric) || meta("rows") < 0) {
      fail(PANVEC_CORRUPT, "opening " + path_ + ": its table panvec_meta contradicts its header");
    }
    query_integer(database(), "SELECT count(*) FROM (SELECT 1 FROM panvec_vectors LIMIT 1)", path_, "opening");
  } catch (const StatusError& failure) {
    // No such table: its header is ours, so it is not foreign but damaged.
    if (failure.status() == PANVEC_NATIVE) {
      fail(PANVEC_CORRUPT, failure.what());
    }
    throw;
  }
}

void Connection::configure_writer() {
  if (query_text(database(), "PRAGMA journal_mode", path_, "opening") != "wal") {
    require_wal(database(), path_);
  }
  execute(database(), "PRAGMA journal_size_limit = " + std::to_string(kLogLimitBytes), path_, "opening");
  // Instead of SQLite's own rule, see tend_log.
  sqlite3_wal_hook(database(), committed, this);
  // Proves that we may write, and waits for whoever writes now. Nothing is changed.
  execute(database(), "BEGIN IMMEDIATE", path_, "locking");
  execute(database(), "ROLLBACK", path_, "unlocking");
}

void Connection::prepare() {
  const bool dot = shape_.metric == Metric::kDot;
  const std::string id = dot ? "id" : "rowid";
  const auto statement = [&](const std::string& sql) { return Statement(database(), sql, path_); };

  reading_.begin = statement("BEGIN");
  reading_.end = statement("COMMIT");
  reading_.state = statement(
      "SELECT (SELECT value FROM panvec_meta WHERE key = 'rows'), "
      "(SELECT value FROM panvec_meta WHERE key = 'min_id'), "
      "(SELECT value FROM panvec_meta WHERE key = 'max_id')");
  reading_.row = statement("SELECT vector FROM panvec_vectors WHERE " + id + " = ?1");
  reading_.scan = statement("SELECT " + id + ", vector FROM panvec_vectors");
  // CROSS JOIN fixes the order: SQLite walks the filter and looks every id up, for few ids the quickest way there is.
  reading_.scan_filtered = statement(
      "SELECT f.id, v.vector FROM panvec_ids(?1) AS f CROSS JOIN panvec_vectors AS v ON v." + id + " = f.id");
  if (dot) {
    reading_.ids = statement("SELECT id FROM panvec_vectors WHERE id BETWEEN ?1 AND ?2 ORDER BY id");
  } else {
    reading_.chunks = statement(
        "SELECT chunk_id, size, validity, rowids FROM panvec_vectors_chunks WHERE chunk_id >= ?1 ORDER BY chunk_id");
    reading_.knn = statement("SELECT rowid, distance FROM panvec_vectors WHERE vector MATCH ?1 AND k = ?2");
    // Always a subquery: the planner turns IN with one literal into "=", which vec0 would apply after the k nearest.
    reading_.knn_filtered = statement(
        "SELECT rowid, distance FROM panvec_vectors WHERE vector MATCH ?1 AND k = ?2 AND "
        "rowid IN (SELECT id FROM panvec_ids(?3))");
  }
  if (role_ != Role::kWriter) {
    return;
  }
  writing_.begin = statement("BEGIN IMMEDIATE");
  writing_.commit = statement("COMMIT");
  writing_.rollback = statement("ROLLBACK");
  writing_.insert = statement("INSERT INTO panvec_vectors(" + id + ", vector) VALUES (?1, ?2)");
  writing_.update = statement("UPDATE panvec_vectors SET vector = ?2 WHERE " + id + " = ?1");
  writing_.remove = statement("DELETE FROM panvec_vectors WHERE " + id + " = ?1");
  if (dot) {
    writing_.some_rows = statement("SELECT id, vector FROM panvec_vectors WHERE id >= ?1 ORDER BY id LIMIT ?2");
    writing_.remove_range = statement("DELETE FROM panvec_vectors WHERE id BETWEEN ?1 AND ?2");
  }
  writing_.set_meta = statement(
      "UPDATE panvec_meta SET value = CASE key WHEN 'rows' THEN ?1 WHEN 'min_id' THEN ?2 ELSE ?3 END "
      "WHERE key IN ('rows', 'min_id', 'max_id')");
}

TableState Connection::state() const {
  Execution run(reading_.state, path_);
  if (!run.step("reading")) {
    fail(PANVEC_CORRUPT, path_ + ": panvec_meta is empty");
  }
  return {run.integer(0), run.integer(1), run.integer(2)};
}

bool Connection::read_row(std::int64_t id, float* row) const {
  Execution run(reading_.row, path_);
  run.bind(1, id);
  if (!run.step("reading a row of")) {
    return false;
  }
  const void* bytes = run.row_bytes(0, shape_.dim);
  if (row != nullptr) {
    std::memcpy(row, bytes, shape_.dim * sizeof(float));
  }
  return true;
}

void Connection::run(const Statement& statement, const char* what) const {
  Execution execution(statement, path_);
  while (execution.step(what)) {
  }
}

void Connection::begin_call(const Stop& stop) noexcept {
  stop_ = stop;
  kept_hits_ = {};
}

int Connection::stop_statement(void* connection) noexcept {
  const auto* self = static_cast<const Connection*>(connection);
  return self->statements_stop_ && self->stop_.is_asked();
}

// In short steps, where SQLite's own handler comes to sleep for a tenth of a second: other writers hold their locks for
// some milliseconds, and a stop has to be noticed.
int Connection::wait_for_lock(void* connection, int times) noexcept {
  auto* self = static_cast<Connection*>(connection);
  const auto now = std::chrono::steady_clock::now();
  if (times == 0) {
    self->waiting_since_ = now;
  }
  if (self->stop_.is_asked() || now - self->waiting_since_ >= self->patience_) {
    return 0;
  }
  std::this_thread::sleep_for(std::chrono::microseconds(times < 4 ? 250 : 1000));
  return 1;
}

int Connection::committed(void* connection, sqlite3*, const char*, int log_pages) noexcept {
  static_cast<Connection*>(connection)->log_pages_ = log_pages;
  return SQLITE_OK;
}

// SQLite's own rule is to move pages after every commit to a log of more than a thousand. Beside searches that follow
// one another without a pause, the log never gets to begin anew: it grows for good, and each commit costs what only one
// of many should. So pages are moved once for every thousand, and when the log is long, the writer waits, holding up no
// reader, for those that need the log to end: the time of a search or two. The longer the log, the more patiently, but
// not for ever: a search with a slow predicate reads one state all the while.
void Connection::tend_log() noexcept {
  const std::int64_t pages = std::exchange(log_pages_, 0);
  if (pages <= kLogPagesBetweenCheckpoints) {
    tend_log_at_ = kLogPagesBetweenCheckpoints;
  }
  if (pages < tend_log_at_) {
    return;
  }
  tend_log_at_ = pages + kLogPagesBetweenCheckpoints;
  // First without a wait: most of the work is done by then, and the wait is for readers alone.
  checkpoint(SQLITE_CHECKPOINT_PASSIVE, std::chrono::milliseconds::zero());
  if (pages >= kLongLogPages) {
    checkpoint(SQLITE_CHECKPOINT_RESTART, std::min(kPatienceForLongLog * (pages / kLongLogPages), kMostPatienceForLog));
  }
}

void Connection::empty_log(std::chrono::milliseconds patience) noexcept {
  checkpoint(SQLITE_CHECKPOINT_PASSIVE, std::chrono::milliseconds::zero());
  checkpoint(SQLITE_CHECKPOINT_TRUNCATE, patience);
}

void Connection::checkpoint(int mode, std::chrono::milliseconds patience) noexcept {
  const std::chrono::milliseconds usual = std::exchange(patience_, patience);
  sqlite3_wal_checkpoint_v2(database(), "main", mode, nullptr, nullptr);
  patience_ = usual;
}

void Connection::check_unmoved(const char* what) const {
  if (is_moved(what)) {
    fail(PANVEC_IO, std::string(what) + " " + path_ + ": the file was moved or deleted while open");
  }
}

bool Connection::is_moved(const char* what) const {
  int moved = 0;
  const int code = sqlite3_file_control(database(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  // A database in memory has no file to ask.
  if (code != SQLITE_OK && code != SQLITE_NOTFOUND) {
    throw failure_of(database(), code, what, path_);
  }
  return moved != 0;
}

void Connection::end_transaction(const Statement& statement) const noexcept {
  if (sqlite3_get_autocommit(database()) == 0) {
    sqlite3_step(statement.get());
    sqlite3_reset(statement.get());
  }
}

ReadTransaction::ReadTransaction(Connection& connection)
    : connection_(connection), owned_(sqlite3_get_autocommit(connection.database()) != 0) {
  if (owned_) {
    connection_.run(connection_.reading().begin, "reading");
  }
}

ReadTransaction::~ReadTransaction() {
  if (owned_) {
    // A reader has nothing to lose, so its COMMIT cannot fail in a way that matters.
    connection_.end_transaction(connection_.reading().end);
  }
}

}  // namespace panvec::sqlitevec
