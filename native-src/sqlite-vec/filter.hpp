// Filters as the C interface hands them over: which ids a search may return.
#pragma once

#include <cstdint>
#include <vector>

#include "id_filter.hpp"
#include "panvec_sqlitevec.h"

namespace panvec::sqlitevec {

// One thread at a time: contains() has scratch of its own.
class Filter {
 public:
  // Reads the steps; their lists and bitmaps stay the caller's. Throws PANVEC_INVALID_ARGUMENT when they are no program
  // or a list is not sorted.
  Filter(const panvec_sqlitevec_filter_step* steps, std::int64_t count);

  bool contains(std::int64_t id) const;
  // No id outside of these two passes; most < least when none does.
  std::int64_t least() const noexcept { return bounds_.least; }
  std::int64_t most() const noexcept { return bounds_.most; }
  // The set that the whole filter is, or NULL when it is made of several.
  const IdFilter* single() const noexcept { return steps_.size() == 1 ? &steps_[0].set : nullptr; }

 private:
  struct Bounds {
    std::int64_t least;
    std::int64_t most;
  };
  struct Step {
    std::int64_t kind;
    std::size_t operands;
    IdFilter set;
  };

  static Bounds bounds_of(const IdFilter& set) noexcept;
  static Bounds combine(std::int64_t kind, const Bounds* operands, std::size_t count) noexcept;

  std::vector<Step> steps_;
  Bounds bounds_;
  mutable std::vector<char> stack_;
};

}  // namespace panvec::sqlitevec
