// The SQL function panvec_distance(vector, query): the reference distance, for scans that SQLite runs.
#pragma once

#include <cstddef>
#include <vector>

#include "panvec_kernels.hpp"
#include "sqlite3.h"

namespace panvec::sqlitevec {

// The reference distance to one query, from the bytes of a stored row.
class QueryDistance {
 public:
  static constexpr const char* kPointerType = "panvec-query";

  // `query` must outlive this object; a unit vector for COSINE.
  QueryDistance(Metric metric, const float* query, std::size_t dim) : metric_(metric), query_(query), row_(dim) {}

  std::size_t dim() const noexcept { return row_.size(); }
  float operator()(const void* row_bytes) noexcept;

 private:
  Metric metric_;
  const float* query_;
  std::vector<float> row_;
};

// The query is a bound pointer to a QueryDistance: nothing is parsed or looked up per row, and no SQL text, schema or
// other function can make one up. Returns SQLite's result code.
int register_distance_function(sqlite3* database);

}  // namespace panvec::sqlitevec
