#include "schema.hpp"

#include <algorithm>
#include <cstdlib>

#include "id_filter.hpp"
#include "panvec_sqlitevec.h"
#include "sqlite-vec.h"
#include "sqlite_support.hpp"

namespace panvec::sqlitevec {
namespace {

// A chunk is one blob that vec0 walks from its beginning, page by page, to reach a row: large pages and chunks of about
// half a megabyte keep single reads and inserts short, at no cost to searches.
constexpr int kPageBytes = 16384;
constexpr std::size_t kMostChunkBytes = std::size_t{1} << 19;

constexpr char kChunkSize[] = "chunk_size=";
// vec0's own limit.
constexpr std::int64_t kMostRowsInChunk = 4096;

std::size_t chunk_rows(std::size_t dim) {
  std::size_t rows = 1024;
  while (rows > 64 && rows * dim * sizeof(float) > kMostChunkBytes) {
    rows /= 2;
  }
  return rows;
}

}  // namespace

void create_schema(sqlite3* database, const std::string& path, const TableShape& shape, std::int64_t rows_in_chunk) {
  register_functions(database, path);
  const auto run = [&](const std::string& sql) { execute(database, sql, path, "creating the tables of"); };
  run("PRAGMA page_size = " + std::to_string(kPageBytes));
  // So that a compaction can give pages back a few at a time. Has to be said before there is any table.
  run("PRAGMA auto_vacuum = INCREMENTAL");
  run("BEGIN IMMEDIATE");
  run("PRAGMA application_id = " + std::to_string(PANVEC_SQLITEVEC_APPLICATION_ID));
  run("PRAGMA user_version = " + std::to_string(shape.user_version()));
  run("CREATE TABLE panvec_meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID");
  run("INSERT INTO panvec_meta VALUES ('format', " + std::to_string(PANVEC_SQLITEVEC_FORMAT) + "), ('metric', " +
      std::to_string(static_cast<int>(shape.metric)) + "), ('dim', " + std::to_string(shape.dim) +
      "), ('rows', 0), ('min_id', 0), ('max_id', 0)");
  if (shape.metric == Metric::kDot) {
    run("CREATE TABLE panvec_vectors(id INTEGER PRIMARY KEY, vector BLOB NOT NULL)");
  } else {
    run("CREATE VIRTUAL TABLE panvec_vectors USING vec0(vector float[" + std::to_string(shape.dim) +
        "] distance_metric=" + (shape.metric == Metric::kL2 ? "L2" : "cosine") +
        ", " + kChunkSize +
        std::to_string(rows_in_chunk > 0 ? rows_in_chunk : static_cast<std::int64_t>(chunk_rows(shape.dim))) + ")");
  }
  run("COMMIT");
}

std::int64_t rows_in_chunk(sqlite3* database, const std::string& path) {
  const std::string sql =
      query_text(database, "SELECT sql FROM sqlite_schema WHERE name = 'panvec_vectors'", path, "reading the tables of");
  const std::size_t found = sql.find(kChunkSize);
  if (found == std::string::npos) {
    return 0;
  }
  const std::int64_t rows = std::strtoll(sql.c_str() + found + sizeof kChunkSize - 1, nullptr, 10);
  return rows > 0 && rows <= kMostRowsInChunk && rows % 8 == 0 ? rows : 0;
}

void register_functions(sqlite3* database, const std::string& path) {
  int code = sqlite3_vec_init(database, nullptr, nullptr);
  if (code == SQLITE_OK) {
    code = register_ids_function(database);
  }
  if (code != SQLITE_OK) {
    throw failure_of(database, code, "registering sqlite-vec for", path);
  }
}

}  // namespace panvec::sqlitevec
