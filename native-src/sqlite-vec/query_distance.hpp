// The reference distance to one query, from the bytes of a stored row.
#pragma once

#include <cstddef>
#include <vector>

#include "panvec_kernels.hpp"

namespace panvec::sqlitevec {

class QueryDistance {
 public:
  // `query` must outlive this object; a unit vector for COSINE.
  QueryDistance(Metric metric, const float* query, std::size_t dim) : metric_(metric), query_(query), row_(dim) {}

  std::size_t dim() const noexcept { return row_.size(); }
  // dim() floats at any alignment.
  float operator()(const void* row_bytes) noexcept;

 private:
  Metric metric_;
  const float* query_;
  std::vector<float> row_;
};

}  // namespace panvec::sqlitevec
