// The layer of a slot in a layered graph. It depends on nothing but seed and slot: not on threads, nor on the order in
// which slots are linked.
#pragma once

#include <cmath>
#include <cstdint>

namespace panvec {

// Sebastiano Vigna's splitmix64, as a hash of (seed, number).
inline std::uint64_t mixed(std::uint64_t seed, std::uint64_t number) {
  std::uint64_t z = seed + (number + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

// `multiplier` is 1 / ln(m): a layer holds one m-th of the one below.
inline int slot_level(std::uint64_t seed, std::uint64_t slot, double multiplier) {
  const double uniform = static_cast<double>((mixed(seed, slot) >> 11) + 1) * 0x1p-53;  // (0, 1]
  return static_cast<int>(-std::log(uniform) * multiplier);
}

}  // namespace panvec
