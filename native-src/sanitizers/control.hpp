// Faults on purpose. No build without a sanitizer has them.
#pragma once

#include <cstdint>

extern "C" {

// Writes one byte behind a block of so many.
std::int32_t panvec_control_overflow(std::int32_t bytes);
// Adds 1 to the largest number.
std::int32_t panvec_control_undefined(std::int32_t largest);
// Forgets a block of so many bytes.
std::int32_t panvec_control_leak(std::int32_t bytes);
// Counts to so many on two threads without a lock.
std::int32_t panvec_control_race(std::int32_t most);
}
