#include "write.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "panvec_kernels.hpp"
#include "vector_check.hpp"

namespace panvec::sqlitevec {
namespace {

void require_writer(const Connection& connection) {
  if (connection.role() != Role::kWriter) {
    fail(PANVEC_READ_ONLY, "writing " + connection.path() + ": this connection only reads");
  }
}

// A full disk or another I/O error makes SQLite roll back by itself. What the batch wrote before is gone then,
// and nothing more may be written as if it were not.
void require_live_batch(const Connection& connection) {
  if (connection.in_batch() && sqlite3_get_autocommit(connection.database()) != 0) {
    fail(PANVEC_NATIVE, "writing " + connection.path() + ": an earlier failure has rolled the transaction back");
  }
}

// The file is looked at twice, because a large batch takes its time. Between the second look and the end of COMMIT it can
// still be deleted: what is lost then is lost as if it had been deleted just after.
void begin(Connection& connection) {
  connection.check_unmoved("beginning a transaction on");
  connection.run(connection.writing().begin, "beginning a transaction on");
}

void commit(Connection& connection) {
  connection.check_unmoved("committing to");
  connection.run(connection.writing().commit, "committing to");
}

// Copies a row into `stored` in the form in which it is kept, and checks the copy: the caller may change its memory meanwhile.
void prepare_row(const TableShape& shape, const float* rows, std::int64_t i, std::vector<float>& stored, BadRow& bad) {
  const float* row = rows + static_cast<std::size_t>(i) * shape.dim;
  stored.assign(row, row + shape.dim);
  const std::int64_t component = first_non_finite(stored.data(), shape.dim);
  if (component >= 0) {
    bad = {i, static_cast<std::int32_t>(component)};
    fail(PANVEC_INVALID_VECTOR, "row " + std::to_string(i) + ": " + describe_bad_component(stored.data(), component));
  }
  if (shape.metric == Metric::kCosine && !reference_unit(stored.data(), shape.dim, stored.data())) {
    bad = {i, -1};
    fail(PANVEC_INVALID_VECTOR, "row " + std::to_string(i) + ": " + describe_bad_component(stored.data(), -1));
  }
}

// sqlite-vec reports a taken id as a plain SQLITE_ERROR; only its text tells.
bool is_duplicate(sqlite3* database, int code) noexcept {
  return code == SQLITE_CONSTRAINT_PRIMARYKEY || code == SQLITE_CONSTRAINT_ROWID ||
         std::strstr(sqlite3_errmsg(database), "UNIQUE constraint failed") != nullptr;
}

void set_state(const Connection& connection, const TableState& state) {
  Execution run(connection.writing().set_meta, connection.path());
  run.bind(1, state.rows).bind(2, state.min_id).bind(3, state.max_id);
  while (run.step("counting the rows of")) {
  }
}

bool update(const Connection& connection, std::int64_t id, const float* row) {
  Execution run(connection.writing().update, connection.path());
  run.bind(1, id).bind(2, row, connection.shape().dim);
  while (run.step("replacing a row of")) {
  }
  return sqlite3_changes64(connection.database()) > 0;
}

}  // namespace

WriteTransaction::WriteTransaction(Connection& connection) : connection_(connection), owned_(!connection.in_batch()) {
  require_writer(connection);
  require_live_batch(connection);
  if (owned_) {
    begin(connection);
  }
}

WriteTransaction::~WriteTransaction() {
  if (owned_ && !committed_) {
    connection_.end_transaction(connection_.writing().rollback);
  }
}

void WriteTransaction::commit() {
  if (owned_) {
    panvec::sqlitevec::commit(connection_);
    committed_ = true;
    connection_.tend_log();
  }
}

void add(Connection& connection, const std::int64_t* ids, const float* rows, std::int64_t count, OnExisting on_existing,
         BadRow& bad) {
  const TableShape& shape = connection.shape();
  std::vector<float> stored;
  for (std::int64_t i = 0; i < count; ++i) {
    connection.check_stop();
    prepare_row(shape, rows, i, stored, bad);
  }
  WriteTransaction transaction(connection);
  if (count > 0) {
    TableState state = connection.state();
    for (std::int64_t i = 0; i < count; ++i) {
      connection.check_stop();
      prepare_row(shape, rows, i, stored, bad);
      if (on_existing == OnExisting::kReplace && update(connection, ids[i], stored.data())) {
        continue;
      }
      Execution insert(connection.writing().insert, connection.path());
      insert.bind(1, ids[i]).bind(2, stored.data(), shape.dim);
      const int code = insert.step_code();
      if (code != SQLITE_DONE) {
        if (is_duplicate(connection.database(), code)) {
          bad = {i, -1};
          fail(PANVEC_DUPLICATE_ID, "row " + std::to_string(i) + ": id " + std::to_string(ids[i]) + " exists already");
        }
        insert.fail(code, "inserting row " + std::to_string(i) + " into");
      }
      state.min_id = state.rows == 0 ? ids[i] : std::min(state.min_id, ids[i]);
      state.max_id = state.rows == 0 ? ids[i] : std::max(state.max_id, ids[i]);
      ++state.rows;
    }
    set_state(connection, state);
  }
  transaction.commit();
}

std::int64_t remove(Connection& connection, const std::int64_t* ids, std::int64_t count) {
  WriteTransaction transaction(connection);
  std::int64_t removed = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    connection.check_stop();
    Execution run(connection.writing().remove, connection.path());
    run.bind(1, ids[i]);
    while (run.step("deleting from")) {
    }
    removed += sqlite3_changes64(connection.database());
  }
  if (removed > 0) {
    TableState state = connection.state();
    state.rows -= removed;
    set_state(connection, state.rows == 0 ? TableState{} : state);
  }
  transaction.commit();
  return removed;
}

void begin_batch(Connection& connection) {
  require_writer(connection);
  if (connection.in_batch()) {
    fail(PANVEC_INVALID_ARGUMENT, "a transaction is open already on " + connection.path());
  }
  begin(connection);
  connection.set_in_batch(true);
}

void commit_batch(Connection& connection, const Stop& stop_after) {
  if (!connection.in_batch()) {
    fail(PANVEC_INVALID_ARGUMENT, "no transaction is open on " + connection.path());
  }
  require_live_batch(connection);
  commit(connection);
  connection.set_in_batch(false);
  connection.set_stop(stop_after);
  connection.tend_log();
}

void rollback_batch(Connection& connection) {
  if (!connection.in_batch()) {
    fail(PANVEC_INVALID_ARGUMENT, "no transaction is open on " + connection.path());
  }
  connection.end_transaction(connection.writing().rollback);
  connection.set_in_batch(false);
}

}  // namespace panvec::sqlitevec
