// The C interface: arguments are checked here, failures become a status and a text.
#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// The interface is what leaves the library; everything else is hidden. First, because other headers include it too.
#pragma GCC visibility push(default)
#include "panvec_sqlitevec.h"
#pragma GCC visibility pop
#include "compaction.hpp"
#include "connection.hpp"
#include "filter.hpp"
#include "panvec_kernels.hpp"
#include "row_ids.hpp"
#include "search.hpp"
#include "snapshot.hpp"
#include "sqlite-vec.h"
#include "status.hpp"
#include "stop.hpp"
#include "vector_check.hpp"
#include "write.hpp"

struct panvec_sqlitevec {
  panvec::sqlitevec::Connection connection;
};

struct panvec_sqlitevec_copy {
  panvec_sqlitevec* source;
  panvec::sqlitevec::MemoryCopy copy;
};

namespace panvec::sqlitevec {
namespace {

constexpr std::int32_t kMostDimensions = 8192;  // sqlite-vec's own limit
constexpr char kInMemory[] = "the database in memory";

void require(bool condition, const char* message) {
  if (!condition) {
    fail(PANVEC_INVALID_ARGUMENT, message);
  }
}

// A flag is the caller's again when the call has ended; what the connection does by itself later on has no limit.
struct ForgetStop {
  Connection& connection;
  ~ForgetStop() { connection.forget_stop(); }
};

// What SQLite or sqlite-vec makes nothing of in a database that nobody writes to is damaged.
StatusError as_damage(const StatusError& failure, const std::string& name) {
  if (failure.status() != PANVEC_NATIVE) {
    return failure;
  }
  const std::string text = failure.what();
  return StatusError(PANVEC_CORRUPT, text.find(name) == std::string::npos ? name + ": " + text : text);
}

// Runs the body of a call on a connection. However SQLite words the end of a stopped statement, here it has one name.
template <typename Body>
std::int32_t call(panvec_sqlitevec* handle, const Stop& stop, char* error, std::int32_t error_capacity,
                  Body body) noexcept {
  return guarded(error, error_capacity, [&] {
    require(handle != nullptr, "the connection is NULL");
    Connection& connection = handle->connection;
    connection.begin_call(stop);
    const ForgetStop forget{connection};
    connection.check_stop();
    try {
      body(connection);
    } catch (const StatusError& failure) {
      if (failure.status() == PANVEC_NATIVE || failure.status() == PANVEC_BUSY) {
        connection.check_stop();
      }
      if (connection.role() == Role::kView) {
        throw as_damage(failure, connection.path());
      }
      throw;
    }
  });
}

template <typename Body>
std::int32_t call(panvec_sqlitevec* handle, char* error, std::int32_t error_capacity, Body body) noexcept {
  return call(handle, Stop(), error, error_capacity, body);
}

std::optional<Filter> filter_of(const panvec_sqlitevec_filter_step* steps, std::int64_t count) {
  if (steps == nullptr) {
    return std::nullopt;
  }
  return Filter(steps, count);
}

void write_hits(const std::vector<Hit>& hits, std::int64_t* ids, float* distances) noexcept {
  for (const Hit& hit : hits) {
    *ids++ = hit.id;
    *distances++ = hit.distance;
  }
}

TableShape shape_of(std::int32_t metric, std::int32_t dim) {
  require(metric >= PANVEC_L2 && metric <= PANVEC_DOT, "the metric is none of L2 (0), COSINE (1) and DOT (2)");
  require(dim >= 1 && dim <= kMostDimensions, "dim must be 1 to 8192");
  return {static_cast<Metric>(metric), static_cast<std::size_t>(dim)};
}

std::int32_t open(const char* path, std::int32_t metric, std::int32_t dim, std::int32_t busy_timeout_ms, Role role,
                  panvec_sqlitevec** connection, char* error, std::int32_t error_capacity) noexcept {
  return guarded(error, error_capacity, [&] {
    require(connection != nullptr, "the place for the connection is NULL");
    *connection = nullptr;
    const TableShape shape = shape_of(metric, dim);
    // Aggregate initialisation: a Connection cannot be moved, SQLite's callbacks know where it is.
    *connection = new panvec_sqlitevec{Connection(path, shape, busy_timeout_ms, role)};
  });
}

std::unique_ptr<panvec_sqlitevec> view(Bytes bytes, const TableShape& shape, const std::string& name) {
  std::unique_ptr<panvec_sqlitevec> opened(
      new panvec_sqlitevec{Connection(view_snapshot(bytes, shape, name), shape, name, Role::kView)});
  check_view(opened->connection, bytes.size);
  return opened;
}

std::unique_ptr<panvec_sqlitevec> load(Bytes bytes, const TableShape& shape, const std::string& name) {
  std::unique_ptr<panvec_sqlitevec> opened(
      new panvec_sqlitevec{Connection(load_snapshot(bytes, shape, name), shape, name, Role::kWriter)});
  check_loaded(opened->connection);
  opened->connection.set_path(kInMemory);
  return opened;
}

// A copy that is finite, and a unit vector for COSINE. The copy is what is checked: the caller may change its memory
// meanwhile.
std::vector<float> checked_query(const TableShape& shape, const float* query) {
  std::vector<float> checked(query, query + shape.dim);
  const std::int64_t component = first_non_finite(checked.data(), shape.dim);
  if (component >= 0) {
    fail(PANVEC_INVALID_VECTOR, "query: " + describe_bad_component(checked.data(), component));
  }
  if (shape.metric == Metric::kCosine && !reference_unit(checked.data(), shape.dim, checked.data())) {
    fail(PANVEC_INVALID_VECTOR, "query: " + describe_bad_component(checked.data(), -1));
  }
  return checked;
}

}  // namespace
}  // namespace panvec::sqlitevec

using namespace panvec::sqlitevec;

extern "C" {

int32_t panvec_sqlitevec_abi_version(void) { return PANVEC_ABI_VERSION; }

const char* panvec_sqlitevec_upstream_version(void) {
  return &SQLITE_VEC_VERSION[1];  // without the "v"
}

const char* panvec_sqlitevec_sqlite_version(void) { return sqlite3_libversion(); }

const char* panvec_sqlitevec_simd_level(void) { return panvec::simd_level_name(panvec::simd_level()); }

int32_t panvec_sqlitevec_set_simd_level(const char* level, char* error, int32_t error_capacity) {
  return panvec::guarded(error, error_capacity, [&] {
    require(level != nullptr, "the SIMD level is NULL");
    char available[128] = "";
    if (!panvec::set_simd_level(level, available, sizeof available)) {
      panvec::fail(PANVEC_UNSUPPORTED,
                   std::string("no SIMD level \"") + level + "\" on this CPU; it has: " + available);
    }
  });
}

int32_t panvec_sqlitevec_reference_distance(int32_t metric, int32_t dim, const float* a, const float* b,
                                            float* distance) {
  if (metric < PANVEC_L2 || metric > PANVEC_DOT || dim < 1 || a == nullptr || b == nullptr || distance == nullptr) {
    return PANVEC_INVALID_ARGUMENT;
  }
  *distance = panvec::reference_distance(static_cast<panvec::Metric>(metric), a, b, static_cast<std::size_t>(dim));
  return PANVEC_OK;
}

int32_t panvec_sqlitevec_reference_unit(int32_t dim, const float* vector, float* unit) {
  if (dim < 1 || vector == nullptr || unit == nullptr) {
    return PANVEC_INVALID_ARGUMENT;
  }
  return panvec::reference_unit(vector, static_cast<std::size_t>(dim), unit) ? PANVEC_OK : PANVEC_INVALID_VECTOR;
}

int32_t panvec_sqlitevec_open(const char* path, int32_t metric, int32_t dim, int32_t busy_timeout_ms,
                              panvec_sqlitevec** connection, char* error, int32_t error_capacity) {
  return open(path, metric, dim, busy_timeout_ms, Role::kWriter, connection, error, error_capacity);
}

int32_t panvec_sqlitevec_open_reader(const char* path, int32_t metric, int32_t dim, int32_t busy_timeout_ms,
                                     panvec_sqlitevec** connection, char* error, int32_t error_capacity) {
  if (path == nullptr) {
    panvec::write_text("a database in memory has no readers", error, error_capacity);
    return PANVEC_INVALID_ARGUMENT;
  }
  return open(path, metric, dim, busy_timeout_ms, Role::kReader, connection, error, error_capacity);
}

void panvec_sqlitevec_close(panvec_sqlitevec* connection) { delete connection; }

int32_t panvec_sqlitevec_add(panvec_sqlitevec* connection, const int64_t* ids, const float* rows, int64_t count,
                             int32_t replace, const int32_t* stop, int64_t nanos_left, int64_t* bad_row,
                             int32_t* bad_component, char* error, int32_t error_capacity) {
  BadRow bad;
  const int32_t status = call(connection, {stop, nanos_left}, error, error_capacity, [&](Connection& open) {
    require(count >= 0 && (count == 0 || (ids != nullptr && rows != nullptr)),
            "ids or rows are NULL, or count is negative");
    add(open, ids, rows, count, replace != 0 ? OnExisting::kReplace : OnExisting::kRefuse, bad);
  });
  if (bad_row != nullptr) {
    *bad_row = bad.row;
  }
  if (bad_component != nullptr) {
    *bad_component = bad.component;
  }
  return status;
}

int32_t panvec_sqlitevec_begin(panvec_sqlitevec* connection, const int32_t* stop, int64_t nanos_left, char* error,
                               int32_t error_capacity) {
  return call(connection, {stop, nanos_left}, error, error_capacity, [](Connection& open) { begin_batch(open); });
}

int32_t panvec_sqlitevec_commit(panvec_sqlitevec* connection, const int32_t* stop, int64_t nanos_left, char* error,
                                int32_t error_capacity) {
  // Not the call's own: rows that are committed are not reported as stopped.
  const panvec::Stop stop_after(stop, nanos_left);
  return call(connection, error, error_capacity, [&](Connection& open) { commit_batch(open, stop_after); });
}

int32_t panvec_sqlitevec_rollback(panvec_sqlitevec* connection, char* error, int32_t error_capacity) {
  return call(connection, error, error_capacity, [](Connection& open) { rollback_batch(open); });
}

int32_t panvec_sqlitevec_remove(panvec_sqlitevec* connection, const int64_t* ids, int64_t count, int64_t* removed,
                                char* error, int32_t error_capacity) {
  return call(connection, error, error_capacity, [&](Connection& open) {
    require(count >= 0 && (count == 0 || ids != nullptr) && removed != nullptr,
            "ids or removed is NULL, or count is negative");
    *removed = 0;
    *removed = remove(open, ids, count);
  });
}

int32_t panvec_sqlitevec_compact(panvec_sqlitevec* connection, int64_t* state, const int32_t* stop, int64_t nanos_left,
                                 int64_t* rows, int32_t* finished, char* error, int32_t error_capacity) {
  return call(connection, {stop, nanos_left}, error, error_capacity, [&](Connection& open) {
    require(state != nullptr && rows != nullptr && finished != nullptr, "state, rows or finished is NULL");
    *rows = 0;
    *finished = 0;
    Compaction compaction{state[0], state[1], state[2]};
    *rows = compaction.run_slice(open);
    state[0] = compaction.stage;
    state[1] = compaction.next;
    state[2] = compaction.end;
    *finished = compaction.is_finished();
  });
}

int32_t panvec_sqlitevec_begin_read(panvec_sqlitevec* connection, char* error, int32_t error_capacity) {
  return call(connection, error, error_capacity, [](Connection& open) {
    require(sqlite3_get_autocommit(open.database()) != 0, "a transaction is open already");
    open.run(open.reading().begin, "reading");
  });
}

int32_t panvec_sqlitevec_end_read(panvec_sqlitevec* connection, char* error, int32_t error_capacity) {
  return call(connection, error, error_capacity, [](Connection& open) {
    require(!open.in_batch(), "the transaction that is open is one of writes");
    open.end_transaction(open.reading().end);
  });
}

int32_t panvec_sqlitevec_get(panvec_sqlitevec* connection, int64_t id, float* row, char* error,
                             int32_t error_capacity) {
  return call(connection, error, error_capacity, [&](Connection& open) {
    const ReadTransaction transaction(open);
    if (!open.read_row(id, row)) {
      panvec::fail(PANVEC_NOT_FOUND, "no row has id " + std::to_string(id));
    }
  });
}

int32_t panvec_sqlitevec_size(panvec_sqlitevec* connection, int64_t* size, char* error, int32_t error_capacity) {
  return call(connection, error, error_capacity, [&](Connection& open) {
    require(size != nullptr, "the place for the size is NULL");
    *size = open.state().rows;
  });
}

int32_t panvec_sqlitevec_ids(panvec_sqlitevec* connection, const panvec_sqlitevec_filter_step* filter,
                             int64_t filter_steps, const int32_t* stop, int64_t nanos_left, int64_t* ids,
                             int64_t capacity, int64_t* count, char* error, int32_t error_capacity) {
  return call(connection, {stop, nanos_left}, error, error_capacity, [&](Connection& open) {
    require(count != nullptr && capacity >= 0 && (capacity == 0 || ids != nullptr),
            "ids or count is NULL, or capacity is negative");
    *count = 0;
    const std::optional<Filter> allowed = filter_of(filter, filter_steps);
    const StoppableStatements stoppable(open);
    const std::vector<std::int64_t> found = sorted_ids(open, allowed ? &*allowed : nullptr);
    *count = static_cast<std::int64_t>(found.size());
    std::copy_n(found.begin(), std::min(capacity, *count), ids);
  });
}

int32_t panvec_sqlitevec_search(panvec_sqlitevec* connection, const float* query, int64_t k, float radius,
                                const panvec_sqlitevec_filter_step* filter, int64_t filter_steps, const int32_t* stop,
                                int64_t nanos_left, int64_t* ids, float* distances, int64_t capacity, int64_t* count,
                                char* error, int32_t error_capacity) {
  return call(connection, {stop, nanos_left}, error, error_capacity, [&](Connection& open) {
    require(query != nullptr && count != nullptr, "query or count is NULL");
    *count = 0;
    require(k >= 1, "k must be at least 1");
    require(!std::isnan(radius), "the radius is not a number");
    require(capacity >= 0 && (capacity == 0 || (ids != nullptr && distances != nullptr)),
            "ids or distances are NULL, or capacity is negative");
    const std::optional<Filter> allowed = filter_of(filter, filter_steps);
    const std::vector<float> checked = checked_query(open.shape(), query);
    std::vector<Hit> hits = search(open, checked.data(), k, radius, allowed ? &*allowed : nullptr);
    *count = static_cast<std::int64_t>(hits.size());
    if (*count <= capacity) {
      write_hits(hits, ids, distances);
    } else {
      open.keep_hits(std::move(hits));
    }
  });
}

int32_t panvec_sqlitevec_take_hits(panvec_sqlitevec* connection, int64_t* ids, float* distances, int64_t capacity,
                                   char* error, int32_t error_capacity) {
  return panvec::guarded(error, error_capacity, [&] {
    require(connection != nullptr, "the connection is NULL");
    const std::vector<Hit> hits = connection->connection.take_hits();
    const auto count = static_cast<std::int64_t>(hits.size());
    require(capacity >= count && (count == 0 || (ids != nullptr && distances != nullptr)),
            "ids or distances are NULL, or there is too little room");
    write_hits(hits, ids, distances);
  });
}

int32_t panvec_sqlitevec_usage(panvec_sqlitevec* connection, int64_t* database_bytes, int64_t* free_bytes,
                               int64_t* cache_bytes, int64_t* dead, char* error, int32_t error_capacity) {
  return call(connection, error, error_capacity, [&](Connection& open) {
    require(database_bytes != nullptr && free_bytes != nullptr && cache_bytes != nullptr,
            "the place for a number is NULL");
    const ReadTransaction transaction(open);
    const auto pragma = [&](const char* name) {
      return query_integer(open.database(), std::string("PRAGMA ") + name, open.path(), "measuring");
    };
    const std::int64_t page_bytes = pragma("page_size");
    *database_bytes = pragma("page_count") * page_bytes;
    *free_bytes = pragma("freelist_count") * page_bytes;
    if (dead != nullptr) {
      *dead = dead_rows(open);
    }
    *cache_bytes = 0;
    for (const int kind : {SQLITE_DBSTATUS_CACHE_USED, SQLITE_DBSTATUS_SCHEMA_USED, SQLITE_DBSTATUS_STMT_USED}) {
      int used = 0;
      int most = 0;
      sqlite3_db_status(open.database(), kind, &used, &most, 0);
      *cache_bytes += used;
    }
  });
}

int32_t panvec_sqlitevec_save(panvec_sqlitevec* connection, const char* path, char* error, int32_t error_capacity) {
  return call(connection, error, error_capacity, [&](Connection& open) {
    require(path != nullptr, "the path is NULL");
    write_snapshot(open, file_path(path));
  });
}

int32_t panvec_sqlitevec_copy_begin(panvec_sqlitevec* connection, panvec_sqlitevec_copy** copy, char* error,
                                    int32_t error_capacity) {
  return call(connection, error, error_capacity, [&](Connection& open) {
    require(copy != nullptr, "the place for the copy is NULL");
    *copy = nullptr;
    // Aggregate initialisation, as for a connection.
    *copy = new panvec_sqlitevec_copy{connection, MemoryCopy(open)};
  });
}

int32_t panvec_sqlitevec_copy_next(panvec_sqlitevec_copy* copy, panvec_sqlitevec** copied, char* error,
                                   int32_t error_capacity) {
  return call(copy == nullptr ? nullptr : copy->source, error, error_capacity, [&](Connection& open) {
    require(copied != nullptr, "the place for the connection is NULL");
    *copied = nullptr;
    if (copy->copy.run_slice()) {
      *copied = new panvec_sqlitevec{Connection(copy->copy.take(), open.shape(), kInMemory, Role::kReader)};
    }
  });
}

void panvec_sqlitevec_copy_end(panvec_sqlitevec_copy* copy) { delete copy; }

int32_t panvec_sqlitevec_open_bytes(const void* bytes, int64_t size, const char* name, int32_t metric, int32_t dim,
                                    int32_t as_view, panvec_sqlitevec** connection, char* error,
                                    int32_t error_capacity) {
  return panvec::guarded(error, error_capacity, [&] {
    require(connection != nullptr && name != nullptr, "name or the place for the connection is NULL");
    *connection = nullptr;
    require(size >= 0 && (size == 0 || bytes != nullptr), "the bytes are NULL, or size is negative");
    const TableShape shape = shape_of(metric, dim);
    const Bytes span{static_cast<const unsigned char*>(bytes), size};
    try {
      *connection = (as_view != 0 ? view(span, shape, name) : load(span, shape, name)).release();
    } catch (const panvec::StatusError& failure) {
      throw as_damage(failure, name);
    }
  });
}

}  // extern "C"
