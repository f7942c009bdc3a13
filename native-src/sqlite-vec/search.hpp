// Exact search: the k smallest by (reference distance, id).
#pragma once

#include <cstdint>

#include "connection.hpp"
#include "id_filter.hpp"

namespace panvec::sqlitevec {

// Where the results go; `capacity` of each array.
struct Results {
  std::int64_t* ids;
  float* distances;
  std::int64_t capacity;
};

// Returns how many there are. `query` is finite, and a unit vector for COSINE; `filter` may be NULL.
std::int64_t search(Connection& connection, const float* query, std::int64_t k, const IdFilter* filter,
                    const Results& results);

}  // namespace panvec::sqlitevec
