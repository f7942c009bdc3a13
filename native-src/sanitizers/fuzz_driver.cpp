// Stands in for libFuzzer where the compiler has none: the same entry, the same names of options, inputs from a seed.
//
//   x_fuzz [-seed=N] [-max_total_time=SECONDS] [-runs=N] [-current=FILE] [FILE ...]
//
// Files are run first, as they are; then, until the time or the runs are over, inputs made from the seed: random bytes, and
// changed copies of the files and of inputs before. The input under way is in the file -current (default: x_fuzz.input), so
// that it is there when the program has died: give it as FILE to see the report again.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "fuzz_input.hpp"

extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

// A malloc that finds no memory returns NULL as it does without the sanitizer.
extern "C" const char* __asan_default_options() {
  return "allocator_may_return_null=1:max_allocation_size_mb=1024:detect_leaks=1:detect_stack_use_after_return=1:"
         "quarantine_size_mb=64:handle_abort=1";
}

namespace {

std::atomic<std::int64_t> allocations_left{-1};

void* allocate(std::size_t bytes) noexcept {
  // Counts down to 0 and stays there: from then on there is no memory.
  const std::int64_t left = allocations_left.load(std::memory_order_relaxed);
  if (left == 0) return nullptr;
  if (left > 0) allocations_left.store(left - 1, std::memory_order_relaxed);
  return std::malloc(bytes == 0 ? 1 : bytes);
}

}  // namespace

// The sanitizer's own operator new ends the process where there is no memory. These are malloc all the same, which it watches.
void* operator new(std::size_t bytes) {
  void* block = allocate(bytes);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}
void* operator new[](std::size_t bytes) { return operator new(bytes); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return allocate(bytes); }
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return allocate(bytes); }
void operator delete(void* block) noexcept { std::free(block); }
void operator delete[](void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete[](void* block, std::size_t) noexcept { std::free(block); }

namespace panvec::fuzz {

Counters& counters() {
  static Counters all;
  return all;
}

void fail_allocations(std::int64_t number) { allocations_left.store(number < 0 ? -1 : number); }

}  // namespace panvec::fuzz

namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr std::size_t kMostBytes = 2048;

// The input under way, in memory that the system writes to the file whatever becomes of us.
class CurrentInput {
 public:
  explicit CurrentInput(const std::string& file) : file_(file) {
    const int descriptor = open(file.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (descriptor < 0 || ftruncate(descriptor, kMostBytes) != 0) {
      std::perror(file.c_str());
      std::exit(2);
    }
    memory_ = static_cast<std::uint8_t*>(mmap(nullptr, kMostBytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0));
    close(descriptor);
    if (memory_ == MAP_FAILED) {
      std::perror("mmap");
      std::exit(2);
    }
  }
  // A program that dies does not come here.
  ~CurrentInput() {
    munmap(memory_, kMostBytes);
    std::remove(file_.c_str());
  }

  void run(const Bytes& input) {
    // Zeros after the end change nothing: that is what an Input reads there.
    std::copy(input.begin(), input.end(), memory_);
    std::memset(memory_ + input.size(), 0, kMostBytes - input.size());
    // A copy of exactly this size: reading beyond it is an error too.
    std::uint8_t* copy = static_cast<std::uint8_t*>(std::malloc(input.empty() ? 1 : input.size()));
    std::copy(input.begin(), input.end(), copy);
    LLVMFuzzerTestOneInput(copy, input.size());
    std::free(copy);
    ++runs_;
  }
  std::int64_t runs() const { return runs_; }

 private:
  const std::string file_;
  std::uint8_t* memory_ = nullptr;
  std::int64_t runs_ = 0;
};

Bytes random_bytes(std::mt19937_64& random) {
  Bytes bytes(16 + random() % (random() % 4 == 0 ? kMostBytes - 16 : 500));
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

Bytes changed(Bytes bytes, std::mt19937_64& random) {
  for (std::uint64_t i = 1 + random() % 8; i > 0; --i) {
    const auto at = static_cast<std::ptrdiff_t>(bytes.empty() ? 0 : random() % bytes.size());
    switch (random() % 4) {
      case 0:
        if (!bytes.empty()) bytes[static_cast<std::size_t>(at)] = static_cast<std::uint8_t>(random());
        break;
      case 1:
        bytes.insert(bytes.begin() + at, static_cast<std::uint8_t>(random()));
        break;
      case 2:
        bytes.erase(bytes.begin() + at, bytes.begin() + std::min(at + 8, bytes.end() - bytes.begin()));
        break;
      default:
        bytes.insert(bytes.end(), bytes.begin() + at, bytes.end());
    }
  }
  if (bytes.size() > kMostBytes) bytes.resize(kMostBytes);
  return bytes;
}

}  // namespace

int main(int count, char** arguments) {
  LLVMFuzzerInitialize(&count, &arguments);
  std::string name = arguments[0];
  name.erase(0, name.rfind('/') + 1);
  std::uint64_t seed = 1;
  double seconds = 0;
  std::int64_t most_runs = 0;
  std::string current = name + ".input";
  std::vector<std::string> files;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    const std::string value = argument.substr(argument.find('=') + 1);
    if (argument.rfind("-seed=", 0) == 0) {
      seed = std::strtoull(value.c_str(), nullptr, 10);
    } else if (argument.rfind("-max_total_time=", 0) == 0) {
      seconds = std::atof(value.c_str());
    } else if (argument.rfind("-runs=", 0) == 0) {
      most_runs = std::atoll(value.c_str());
    } else if (argument.rfind("-current=", 0) == 0) {
      current = value;
    } else if (argument.rfind('-', 0) == 0) {
      std::fprintf(stderr, "%s: unknown option %s\n", name.c_str(), argument.c_str());
      return 2;
    } else {
      files.push_back(argument);
    }
  }

  const auto began = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count(); };
  std::vector<Bytes> pool;
  {
    CurrentInput input(current);
    for (const std::string& file : files) {
      std::ifstream stream(file, std::ios::binary);
      if (!stream) {
        std::perror(file.c_str());
        return 2;
      }
      Bytes bytes{std::istreambuf_iterator<char>(stream), {}};
      if (bytes.size() > kMostBytes) bytes.resize(kMostBytes);
      input.run(bytes);
      pool.push_back(bytes);
    }
    std::mt19937_64 random(seed);
    constexpr std::size_t pool_size = 256;
    while ((seconds > 0 && elapsed() < seconds && (most_runs == 0 || input.runs() < most_runs)) ||
           (seconds <= 0 && input.runs() < most_runs)) {
      const Bytes bytes =
          pool.empty() || random() % 2 == 0 ? random_bytes(random) : changed(pool[random() % pool.size()], random);
      input.run(bytes);
      if (pool.size() < pool_size) {
        pool.push_back(bytes);
      } else if (random() % 16 == 0) {
        pool[random() % pool_size] = bytes;
      }
    }
    const panvec::fuzz::Counters& calls = panvec::fuzz::counters();
    std::printf("%s: %lld inputs, %lld calls done, %lld refused, seed %llu, %.1f s\n", name.c_str(),
                static_cast<long long>(input.runs()), static_cast<long long>(calls.done),
                static_cast<long long>(calls.refused), static_cast<unsigned long long>(seed), elapsed());
    if (calls.done == 0 || calls.refused == 0) {
      std::fprintf(stderr, "%s: no call was done, or none refused\n", name.c_str());
      return 1;
    }
  }
  return 0;
}
