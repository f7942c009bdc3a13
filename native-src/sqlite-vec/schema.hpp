// The tables of a database, and the names that SQL knows them by.
//
//   panvec_meta     key, value: format, metric, dim, rows, min_id, max_id
//   panvec_vectors  L2, COSINE: vec0(vector float[dim]), its rowid being the id; DOT: (id, vector)
#pragma once

#include <cstdint>
#include <string>

#include "database_file.hpp"
#include "sqlite3.h"

namespace panvec::sqlitevec {

// Creates everything in an empty database, in one transaction. `rows_in_chunk` is what vec0 keeps in one; 0: our choice.
void create_schema(sqlite3* database, const std::string& path, const TableShape& shape,
                   std::int64_t rows_in_chunk = 0);

// What it is in a database that exists; 0 when there are no chunks, or it is nothing that vec0 takes.
std::int64_t rows_in_chunk(sqlite3* database, const std::string& path);

// sqlite-vec for this connection, and our own functions.
void register_functions(sqlite3* database, const std::string& path);

}  // namespace panvec::sqlitevec
