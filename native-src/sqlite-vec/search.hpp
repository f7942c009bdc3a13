// Exact search: the k smallest by (reference distance, id).
#pragma once

#include <cstdint>
#include <vector>

#include "connection.hpp"
#include "filter.hpp"

namespace panvec::sqlitevec {

// The hits, nearest first. `query` is finite, and a unit vector for COSINE; hits farther than `radius` are left out;
// `filter` may be NULL.
std::vector<Hit> search(Connection& connection, const float* query, std::int64_t k, float radius, const Filter* filter);

}  // namespace panvec::sqlitevec
