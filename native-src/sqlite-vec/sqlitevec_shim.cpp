// The C interface: arguments are checked here, failures become a status and a text.
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connection.hpp"
#include "id_filter.hpp"
#include "panvec_kernels.hpp"
// The interface is what leaves the library; everything else is hidden.
#pragma GCC visibility push(default)
#include "panvec_sqlitevec.h"
#pragma GCC visibility pop
#include "search.hpp"
#include "sqlite-vec.h"
#include "status.hpp"
#include "vector_check.hpp"
#include "write.hpp"

struct panvec_sqlitevec {
  panvec::sqlitevec::Connection connection;
};

namespace panvec::sqlitevec {
namespace {

constexpr std::int32_t kMostDimensions = 8192;  // sqlite-vec's own limit

void require(bool condition, const char* message) {
  if (!condition) {
    fail(PANVEC_INVALID_ARGUMENT, message);
  }
}

// Runs the body of a call on a connection. However SQLite words the end of an interrupted statement, here it has one
// name.
template <typename Body>
std::int32_t call(panvec_sqlitevec* handle, char* error, std::int32_t error_capacity, Body body) noexcept {
  return guarded(error, error_capacity, [&] {
    require(handle != nullptr, "the connection is NULL");
    Connection& connection = handle->connection;
    connection.begin_call();
    try {
      body(connection);
    } catch (const StatusError& failure) {
      if (failure.status() == PANVEC_NATIVE) {
        connection.check_interrupt();
      }
      throw;
    }
  });
}

std::int32_t open(const char* path, std::int32_t metric, std::int32_t dim, std::int32_t busy_timeout_ms, Role role,
                  panvec_sqlitevec** connection, char* error, std::int32_t error_capacity) noexcept {
  return guarded(error, error_capacity, [&] {
    require(connection != nullptr, "the place for the connection is NULL");
    *connection = nullptr;
    require(metric >= PANVEC_L2 && metric <= PANVEC_DOT, "the metric is none of L2 (0), COSINE (1) and DOT (2)");
    require(dim >= 1 && dim <= kMostDimensions, "dim must be 1 to 8192");
    const TableShape shape{static_cast<Metric>(metric), static_cast<std::size_t>(dim)};
    // Aggregate initialisation: a Connection cannot be moved, the interrupt flag stays where other threads know it.
    *connection = new panvec_sqlitevec{Connection(path, shape, busy_timeout_ms, role)};
  });
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
                             int32_t replace, int64_t* bad_row, int32_t* bad_component, char* error,
                             int32_t error_capacity) {
  BadRow bad;
  const int32_t status = call(connection, error, error_capacity, [&](Connection& open) {
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

int32_t panvec_sqlitevec_begin(panvec_sqlitevec* connection, char* error, int32_t error_capacity) {
  return call(connection, error, error_capacity, [](Connection& open) { begin_batch(open); });
}

int32_t panvec_sqlitevec_commit(panvec_sqlitevec* connection, char* error, int32_t error_capacity) {
  return call(connection, error, error_capacity, [](Connection& open) { commit_batch(open); });
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

int32_t panvec_sqlitevec_search(panvec_sqlitevec* connection, const float* query, int64_t k, const int64_t* filter_ids,
                                int64_t filter_ids_count, const uint64_t* filter_bitmap, int64_t filter_first_id,
                                int64_t filter_words, int64_t* ids, float* distances, int64_t capacity, int64_t* count,
                                char* error, int32_t error_capacity) {
  return call(connection, error, error_capacity, [&](Connection& open) {
    require(query != nullptr && count != nullptr, "query or count is NULL");
    *count = 0;
    require(k >= 1, "k must be at least 1");
    require(capacity >= 0 && (capacity == 0 || (ids != nullptr && distances != nullptr)),
            "ids or distances are NULL, or capacity is negative");
    require(filter_ids == nullptr || filter_bitmap == nullptr, "a search takes one filter, not two");
    require(filter_ids == nullptr || filter_ids_count >= 0, "filter_ids_count is negative");
    require(filter_bitmap == nullptr || filter_words >= 0, "filter_words is negative");
    std::optional<IdFilter> filter;
    if (filter_ids != nullptr) {
      filter = IdFilter::list(filter_ids, filter_ids_count);
    } else if (filter_bitmap != nullptr) {
      filter = IdFilter::bitmap(filter_bitmap, filter_first_id, filter_words);
    }
    const std::vector<float> checked = checked_query(open.shape(), query);
    *count = search(open, checked.data(), k, filter ? &*filter : nullptr, {ids, distances, capacity});
  });
}

void panvec_sqlitevec_interrupt(panvec_sqlitevec* connection) {
  if (connection != nullptr) {
    connection->connection.interrupt();
  }
}

int32_t panvec_sqlitevec_memory(panvec_sqlitevec* connection, int64_t* database_bytes, int64_t* cache_bytes,
                                char* error, int32_t error_capacity) {
  return call(connection, error, error_capacity, [&](Connection& open) {
    require(database_bytes != nullptr && cache_bytes != nullptr, "the place for a number of bytes is NULL");
    const ReadTransaction transaction(open);
    *database_bytes = query_integer(open.database(), "PRAGMA page_count", open.path(), "measuring") *
                      query_integer(open.database(), "PRAGMA page_size", open.path(), "measuring");
    *cache_bytes = 0;
    for (const int kind : {SQLITE_DBSTATUS_CACHE_USED, SQLITE_DBSTATUS_SCHEMA_USED, SQLITE_DBSTATUS_STMT_USED}) {
      int used = 0;
      int most = 0;
      sqlite3_db_status(open.database(), kind, &used, &most, 0);
      *cache_bytes += used;
    }
  });
}

}  // extern "C"
