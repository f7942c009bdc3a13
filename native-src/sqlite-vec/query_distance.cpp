#include "query_distance.hpp"

#include <cstdint>
#include <cstring>

namespace panvec::sqlitevec {

float QueryDistance::operator()(const void* row_bytes) noexcept {
  // SQLite hands out rows where they lie in a page; compilers may count on a float's alignment.
  const auto* row = static_cast<const float*>(row_bytes);
  if (reinterpret_cast<std::uintptr_t>(row_bytes) % alignof(float) != 0) {
    std::memcpy(row_.data(), row_bytes, row_.size() * sizeof(float));
    row = row_.data();
  }
  return reference_distance(metric_, row, query_, row_.size());
}

}  // namespace panvec::sqlitevec
