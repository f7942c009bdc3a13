// The tables of a database, and the names that SQL knows them by.
//
//   panvec_meta     key, value: format, metric, dim, rows, min_id, max_id
//   panvec_vectors  L2, COSINE: vec0(vector float[dim]), its rowid being the id; DOT: (id, vector)
#pragma once

#include <string>

#include "database_file.hpp"
#include "sqlite3.h"

namespace panvec::sqlitevec {

// Creates everything in an empty database, in one transaction.
void create_schema(sqlite3* database, const std::string& path, const TableShape& shape);

// sqlite-vec for this connection, and our own functions.
void register_functions(sqlite3* database, const std::string& path);

}  // namespace panvec::sqlitevec
