#include "vector_check.hpp"

#include <cmath>

namespace panvec {

std::string describe_bad_component(const float* vector, std::int64_t component) {
  if (component < 0) return "the vector is zero, which COSINE cannot take";
  return "component " + std::to_string(component) + (std::isnan(vector[component]) ? " is NaN" : " is infinite");
}

}  // namespace panvec
