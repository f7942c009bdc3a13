#include "control.hpp"

#include <cstring>
#include <thread>

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#error "only a build with a sanitizer may hold faults on purpose"
#endif

extern "C" {

std::int32_t panvec_control_overflow(std::int32_t bytes) {
  auto* block = new char[static_cast<std::size_t>(bytes)];
  block[bytes] = 1;
  const std::int32_t first = block[0];
  delete[] block;
  return first;
}

std::int32_t panvec_control_undefined(std::int32_t largest) { return largest + 1; }

std::int32_t panvec_control_leak(std::int32_t bytes) {
  auto* volatile block = new char[static_cast<std::size_t>(bytes)];
  block[0] = 1;
  block = nullptr;
  return bytes;
}

std::int32_t panvec_control_race(std::int32_t most) {
  volatile std::int32_t counter = 0;
  const auto count = [&] {
    for (std::int32_t i = 0; i < most; ++i) counter = counter + 1;
  };
  std::thread other(count);
  count();
  other.join();
  return counter;
}
}
