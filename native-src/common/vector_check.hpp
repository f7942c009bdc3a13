// The words for a vector that cannot be taken: the same in every library.
#pragma once

#include <cstdint>
#include <string>

namespace panvec {

// "component 3 is NaN", "component 3 is infinite" or, for component -1, what is wrong with a zero vector. The caller
// puts "row 7: " or "query: " before it.
std::string describe_bad_component(const float* vector, std::int64_t component);

}  // namespace panvec
