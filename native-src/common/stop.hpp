// When a call is to end before it is done: the arguments `stop` and `nanos_left` of the C interfaces.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "status.hpp"

namespace panvec {

// Read by any number of threads.
class Stop {
 public:
  // Never.
  Stop() = default;
  // From now on: once *flag is not zero (NULL: never), or when nanos_left have passed (INT64_MAX: never).
  Stop(const std::int32_t* flag, std::int64_t nanos_left) : flag_(flag) {
    if (nanos_left == kForever) return;
    const std::int64_t now = now_nanos();
    // So far away that the sum would overflow is never.
    if (nanos_left < kForever - now) deadline_ = now + std::max<std::int64_t>(nanos_left, 0);
  }

  bool is_possible() const { return flag_ != nullptr || deadline_ != kForever; }
  bool is_asked() const {
    if (flag_ != nullptr && __atomic_load_n(flag_, __ATOMIC_RELAXED) != 0) return true;
    return deadline_ != kForever && now_nanos() >= deadline_;
  }
  void check() const {
    if (is_asked()) fail(PANVEC_STOPPED, "stopped");
  }

 private:
  static constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();
  static std::int64_t now_nanos() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
  }

  const std::int32_t* flag_ = nullptr;
  std::int64_t deadline_ = kForever;
};

// Looks now and then, on one thread: often enough to end within a millisecond, seldom enough not to be felt. Costs a
// subtraction where no stop is possible.
class StopWatch {
 public:
  // For work on items of about so many components each: a distance from a row has as many as the row.
  StopWatch(const Stop& stop, std::size_t components)
      : stop_(stop),
        period_(std::clamp<std::int64_t>(kComponents / static_cast<std::int64_t>(components + 1), 16, 4096)),
        left_(stop.is_possible() ? period_ : std::numeric_limits<std::int64_t>::max()) {}

  bool can_stop() const { return stop_.is_possible(); }
  // How many items to work on between two looks.
  std::int64_t period() const { return period_; }
  // So many items are done, or about to be.
  void passed(std::size_t items) {
    left_ -= static_cast<std::int64_t>(items);
    if (left_ < 0) look();
  }

 private:
  static constexpr std::int64_t kComponents = std::int64_t{1} << 18;

  void look() {
    stop_.check();
    left_ = period_;
  }

  const Stop& stop_;
  const std::int64_t period_;
  std::int64_t left_;
};

}  // namespace panvec
