// How far a distance that sqlite-vec computed in float can lie from the reference distance.
#pragma once

#include <cstddef>

#include "panvec_kernels.hpp"

namespace panvec::sqlitevec {

// A number that the reference distance of a row cannot be below, given that sqlite-vec's distance of the row is
// `float_distance` or more. L2, and COSINE over unit vectors.
double least_reference_distance(Metric metric, std::size_t dim, float float_distance) noexcept;

}  // namespace panvec::sqlitevec
