// What one search needs besides the index: visited marks, candidate lists, the query's copy. Reused from search to
// search, so that after warm-up a search allocates nothing.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

namespace panvec {

// One mark for every slot; a slot is visited when its mark equals the epoch, so that a new search only counts the epoch
// up.
class VisitedMarks {
 public:
  // Starts a search over `size` slots: no slot is visited. Pages never touched cost no memory.
  void begin(std::size_t size) {
    if (size > size_) {
      marks_.reset();
      size_ = 0;
      marks_.reset(static_cast<std::uint16_t*>(std::calloc(size, sizeof(std::uint16_t))));
      if (marks_ == nullptr) throw std::bad_alloc();
      size_ = size;
      epoch_ = 0;
    }
    if (++epoch_ == 0) {
      std::memset(marks_.get(), 0, size_ * sizeof(std::uint16_t));
      epoch_ = 1;
    }
  }

  bool visited(std::uint32_t slot) const { return marks_[slot] == epoch_; }
  void visit(std::uint32_t slot) { marks_[slot] = epoch_; }
  std::size_t bytes() const { return size_ * sizeof(std::uint16_t); }

 private:
  struct Free {
    void operator()(std::uint16_t* marks) const { std::free(marks); }
  };
  std::unique_ptr<std::uint16_t[], Free> marks_;
  std::size_t size_ = 0;
  std::uint16_t epoch_ = 0;
};

struct Candidate {
  float distance;
  std::uint32_t slot;
};

struct Hit {
  float distance;
  std::int64_t id;
};

struct Scratch {
  VisitedMarks visited;
  std::vector<Candidate> candidates;
  std::vector<Candidate> admitted;
  std::vector<std::uint32_t> neighbours;
  std::vector<Hit> hits;

  // `count` floats on a cache line of their own.
  float* query(std::size_t count) {
    constexpr std::size_t line = 64;
    const std::size_t needed = count + line / sizeof(float);
    if (query_.size() < needed) query_.resize(needed);
    void* at = query_.data();
    std::size_t space = query_.size() * sizeof(float);
    return static_cast<float*>(std::align(line, count * sizeof(float), at, space));
  }

  // `count` floats, not those of query.
  float* row(std::size_t count) {
    if (row_.size() < count) row_.resize(count);
    return row_.data();
  }

  std::size_t bytes() const {
    return visited.bytes() + (candidates.capacity() + admitted.capacity()) * sizeof(Candidate) +
           neighbours.capacity() * sizeof(std::uint32_t) + hits.capacity() * sizeof(Hit) +
           (query_.capacity() + row_.capacity()) * sizeof(float);
  }

  std::size_t counted_bytes = 0;  // what the pool has counted of it

 private:
  std::vector<float> query_;
  std::vector<float> row_;
};

// Any number of searches may hold one; at most twice the hardware's threads are kept when idle.
class ScratchPool {
 public:
  ScratchPool() : most_idle_(2 * std::max(1u, std::thread::hardware_concurrency())) { idle_.reserve(most_idle_); }

  class Lease {
   public:
    Lease(ScratchPool& pool, std::unique_ptr<Scratch> scratch) : pool_(pool), scratch_(std::move(scratch)) {}
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() { pool_.give_back(std::move(scratch_)); }
    Scratch& operator*() const { return *scratch_; }

   private:
    ScratchPool& pool_;
    std::unique_ptr<Scratch> scratch_;
  };

  Lease take() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!idle_.empty()) {
        std::unique_ptr<Scratch> scratch = std::move(idle_.back());
        idle_.pop_back();
        return Lease(*this, std::move(scratch));
      }
    }
    return Lease(*this, std::make_unique<Scratch>());
  }

  // Of idle ones and those in use, as of their last return.
  std::size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  void give_back(std::unique_ptr<Scratch> scratch) noexcept {
    const std::size_t bytes = scratch->bytes();
    bytes_.fetch_add(bytes - scratch->counted_bytes, std::memory_order_relaxed);
    scratch->counted_bytes = bytes;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (idle_.size() < most_idle_) {
        idle_.push_back(std::move(scratch));  // reserved: cannot throw
        return;
      }
    }
    bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  }

  const std::size_t most_idle_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Scratch>> idle_;
  std::atomic<std::size_t> bytes_{0};
};

}  // namespace panvec
