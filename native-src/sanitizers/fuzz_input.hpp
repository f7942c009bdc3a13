// Bytes of a fuzzer as arguments: sensible ones mostly, since a call that is refused at its first argument tests little, and
// now and then the worst there is.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "panvec_status.h"

namespace panvec::fuzz {

// What the driver prints: a fuzzer whose calls were all refused, or that made none, has found nothing out.
struct Counters {
  std::int64_t done = 0;
  std::int64_t refused = 0;
};
Counters& counters();

// From the `number`th allocation by operator new on, all fail, until called with a negative number.
void fail_allocations(std::int64_t number);

// Not assert, which NDEBUG switches off. The driver keeps the input that led here.
inline void require_that(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "fuzzer: broken promise: %s\n", what);
  std::abort();
}

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}

  bool is_empty() const { return left_ == 0; }

  // Of all that is left (FNV-1a).
  std::uint64_t hash() const {
    std::uint64_t hash = 14695981039346656037ULL;
    for (std::size_t i = 0; i < left_; ++i) hash = (hash ^ data_[i]) * 1099511628211ULL;
    return hash;
  }

  std::uint32_t byte() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }
  std::uint32_t below(std::uint32_t bound) { return (byte() | byte() << 8) % bound; }
  // True once in `times`, never when the bytes are used up.
  bool rarely(std::uint32_t times) { return byte() % times == times - 1; }

  // first .. last, or, once in eight times, a number that no caller should give.
  std::int64_t number(std::int64_t first, std::int64_t last) {
    constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
    const std::int64_t hostile[] = {-1,   first - 1,           last + 1, least, most, least + 1, most - 1,
                                    1LL << 31, (1LL << 31) - 1, -(1LL << 31), 1LL << 32, 1LL << 62};
    if (rarely(8)) return hostile[below(sizeof hostile / sizeof hostile[0])];
    return last < first ? first : first + below(static_cast<std::uint32_t>(last - first + 1));
  }
  std::int32_t number32(std::int32_t first, std::int32_t last) {
    constexpr std::int32_t least = std::numeric_limits<std::int32_t>::min();
    constexpr std::int32_t most = std::numeric_limits<std::int32_t>::max();
    const std::int64_t hostile[] = {-1,   0,         std::int64_t{first} - 1, std::int64_t{last} + 1, least, most, least + 1,
                                    most - 1, 1 << 30, 65535,                   65536};
    if (rarely(8)) return static_cast<std::int32_t>(hostile[below(sizeof hostile / sizeof hostile[0])]);
    return last < first ? first : first + static_cast<std::int32_t>(below(static_cast<std::uint32_t>(last - first + 1)));
  }

  std::uint64_t seed() { return byte() | static_cast<std::uint64_t>(byte()) << 8; }

  float odd_float() {
    using Limits = std::numeric_limits<float>;
    const float odd[] = {Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity(), Limits::max(), Limits::lowest(),
                         Limits::denorm_min(), Limits::min(), -0.0f, 0.0f, 1e30f, -1e-30f};
    return odd[byte() % (sizeof odd / sizeof odd[0])];
  }

  // Memory as a heap block of exactly this size, so that the sanitizer sees the first byte beyond. Values are small whole
  // numbers, so that many distances are equal; now and then an odd one among them.
  std::unique_ptr<float[]> floats(std::size_t count) {
    std::unique_ptr<float[]> values(new float[count]);
    std::uint64_t state = seed();
    for (std::size_t i = 0; i < count; ++i) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      values[i] = static_cast<float>(static_cast<std::int32_t>(state >> 33) % 8);
    }
    if (count > 0 && rarely(8)) values[below(static_cast<std::uint32_t>(count))] = odd_float();
    if (rarely(24)) std::memset(values.get(), 0, count * sizeof(float));
    return values;
  }

 private:
  const std::uint8_t* data_;
  std::size_t left_;
};

// The level of our kernels for this process: the plain one, since the sanitizer does not see what a masked load of AVX-512
// reads; PANVEC_FUZZ_SIMD names another.
inline int use_simd_level(std::int32_t (*set)(const char*, char*, std::int32_t)) {
  const char* level = std::getenv("PANVEC_FUZZ_SIMD");
  char error[256];
  if (set(level == nullptr ? "baseline" : level, error, sizeof error) == PANVEC_OK) return 0;
  std::fprintf(stderr, "%s\n", error);
  std::exit(2);
}

// Whether a call succeeded; its status is one of panvec_status.h.
inline bool ok(std::int32_t status) {
  require_that(status >= PANVEC_OK && status <= PANVEC_STOPPED, "the status is one of panvec_status.h");
  ++(status == PANVEC_OK ? counters().done : counters().refused);
  return status == PANVEC_OK;
}

// A buffer for an error text, perhaps absent, tiny, or with a capacity that makes no sense.
class ErrorText {
 public:
  explicit ErrorText(Input& input) {
    const std::int32_t capacities[] = {256, 256, 256, 0, 1, 2, 17, -1, std::numeric_limits<std::int32_t>::min()};
    capacity_ = capacities[input.byte() % (sizeof capacities / sizeof capacities[0])];
    const auto bytes = static_cast<std::size_t>(capacity_ < 0 ? 0 : capacity_);
    if (input.rarely(16)) return;
    text_.reset(new char[bytes]);
    if (bytes > 0) std::memset(text_.get(), 'x', bytes);
  }

  char* text() { return text_.get(); }
  std::int32_t capacity() const { return text_ == nullptr ? 256 : capacity_; }

  // Whether the call that was given it succeeded; if not, there is a message.
  bool ok(std::int32_t status) const {
    const bool done = fuzz::ok(status);
    if (!done && text_ != nullptr && capacity_ > 0) {
      require_that(std::memchr(text_.get(), 0, static_cast<std::size_t>(capacity_)) != nullptr, "the message ends");
    }
    return done;
  }

 private:
  std::int32_t capacity_ = 0;
  std::unique_ptr<char[]> text_;
};

// What may end a call early.
struct StopArguments {
  explicit StopArguments(Input& input) {
    if (input.rarely(4)) flag.reset(new std::int32_t(input.rarely(4) ? 1 : 0));
    constexpr std::int64_t forever = std::numeric_limits<std::int64_t>::max();
    const std::int64_t times[] = {forever, forever, forever, forever, 1000000000, 1000, 0, -1,
                                  std::numeric_limits<std::int64_t>::min(), forever - 1};
    nanos_left = times[input.byte() % (sizeof times / sizeof times[0])];
  }

  std::unique_ptr<std::int32_t> flag;
  std::int64_t nanos_left;
};

// Some allocation fails while it lives, once in sixteen times.
class ScarceMemory {
 public:
  explicit ScarceMemory(Input& input) : ScarceMemory(input.rarely(16) ? static_cast<int>(input.byte() % 48) : -1) {}
  explicit ScarceMemory(int number) {
    if (number >= 0) fail_allocations(number);
  }
  ~ScarceMemory() { fail_allocations(-1); }
  ScarceMemory(const ScarceMemory&) = delete;
  ScarceMemory& operator=(const ScarceMemory&) = delete;
};

}  // namespace panvec::fuzz
