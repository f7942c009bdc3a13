#include "row_ids.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

namespace panvec::sqlitevec {

Chunk::Chunk(const Execution& run, const std::string& path) : number_(run.integer(0)), size_(run.integer(1)) {
  constexpr std::int64_t kMostRows = 1 << 20;  // far more than a chunk of ours has, and no product overflows
  const Execution::Blob validity = run.blob(2);
  const Execution::Blob ids = run.blob(3);
  if (size_ < 0 || size_ > kMostRows || validity.size * 8 < size_ || ids.size / 8 < size_) {
    fail(PANVEC_CORRUPT, path + ": the ids of chunk " + std::to_string(number_) + " have the wrong length");
  }
  validity_ = validity.bytes;
  ids_ = ids.bytes;
}

std::int64_t Chunk::live() const noexcept {
  std::int64_t live = 0;
  for (std::int64_t i = 0; i < size_; ++i) {
    live += validity_[i / 8] >> (i % 8) & 1;
  }
  return live;
}

std::int64_t Chunk::id_at(std::int64_t place) const noexcept {
  std::int64_t id;
  std::memcpy(&id, ids_ + place * 8, sizeof id);
  return id;
}

void for_each_chunk(const Connection& connection, std::int64_t first, const std::function<bool(const Chunk&)>& visit) {
  Execution run(connection.reading().chunks, connection.path());
  run.bind(1, first);
  while (run.step("reading the chunks of")) {
    connection.check_stop();
    if (!visit(Chunk(run, connection.path()))) {
      return;
    }
  }
}

std::vector<std::int64_t> sorted_ids(const Connection& connection, const Filter* filter) {
  const std::int64_t rows = connection.state().rows;
  std::vector<std::int64_t> ids;
  std::int64_t seen = 0;
  const auto offer = [&](std::int64_t id) {
    // Pages may lead back to others, and chunks lie over one another.
    if (++seen > rows) {
      fail(PANVEC_CORRUPT, connection.path() + ": it has more ids than the " + std::to_string(rows) +
                               " rows that it counts");
    }
    if (filter == nullptr || filter->contains(id)) {
      ids.push_back(id);
    }
  };
  if (connection.shape().metric == Metric::kDot) {
    Execution run(connection.reading().ids, connection.path());
    run.bind(1, filter == nullptr ? std::numeric_limits<std::int64_t>::min() : filter->least());
    run.bind(2, filter == nullptr ? std::numeric_limits<std::int64_t>::max() : filter->most());
    while (run.step("reading the ids of")) {
      offer(run.integer(0));
    }
  } else {
    for_each_chunk(connection, 0, [&](const Chunk& chunk) {
      chunk.for_each_id(offer);
      return true;
    });
  }
  if (!std::is_sorted(ids.begin(), ids.end())) {
    std::sort(ids.begin(), ids.end());
  }
  if (const auto twice = std::adjacent_find(ids.begin(), ids.end()); twice != ids.end()) {
    fail(PANVEC_CORRUPT, connection.path() + ": the id " + std::to_string(*twice) + " is there twice");
  }
  return ids;
}

std::int64_t dead_rows(const Connection& connection) {
  if (connection.shape().metric == Metric::kDot) {
    return 0;
  }
  std::int64_t dead = 0;
  // The newest chunk is the one that new rows go to, and what is free there is not lost.
  std::int64_t newest = 0;
  for_each_chunk(connection, 0, [&](const Chunk& chunk) {
    dead += newest;
    newest = chunk.size() - chunk.live();
    return true;
  });
  return dead;
}

}  // namespace panvec::sqlitevec
