#include "compaction.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <string>
#include <vector>

#include "row_ids.hpp"
#include "write.hpp"

namespace panvec::sqlitevec {
namespace {

enum Stage : std::int64_t { kBegin, kRows, kPages, kLog, kFinished };

// How long other writers wait for a slice, their own commits aside.
constexpr std::chrono::milliseconds kSliceTime{8};
// DOT rows that are taken out and put back at once; a multiple of a page by far, so that few stay half empty.
constexpr std::size_t kSliceBytes = std::size_t{1} << 20;
constexpr std::int64_t kSlicePages = 64;
// For readers of states before the last slice, whose pages the file has to keep meanwhile.
constexpr std::chrono::milliseconds kPatienceForLog{1000};

std::int64_t pragma(const Connection& connection, const std::string& name) {
  return query_integer(connection.database(), "PRAGMA " + name, connection.path(), "compacting");
}

void insert(const Connection& connection, std::int64_t id, const float* row) {
  Execution run(connection.writing().insert, connection.path());
  run.bind(1, id).bind(2, row, connection.shape().dim);
  while (run.step("moving a row of")) {
  }
}

// To the newest chunk, the only one that vec0 fills; it drops a chunk with its last row.
void move_row(const Connection& connection, std::int64_t id, std::vector<float>& row) {
  if (!connection.read_row(id, row.data())) {
    fail(PANVEC_CORRUPT, connection.path() + ": the row of id " + std::to_string(id) + " is missing");
  }
  {
    Execution run(connection.writing().remove, connection.path());
    run.bind(1, id);
    while (run.step("moving a row of")) {
    }
  }
  insert(connection, id, row.data());
}

// Whether a tenth or so of the pages could be given back. Rows that do not fit into a page have pages of their own,
// which go with them.
bool is_loosely_packed(const Connection& connection) {
  constexpr std::int64_t kRowOverhead = 20;  // of SQLite, at most
  constexpr std::int64_t kPageOverhead = 12;
  const std::int64_t row_bytes = static_cast<std::int64_t>(connection.shape().dim * sizeof(float)) + kRowOverhead;
  const std::int64_t rows_in_page = (pragma(connection, "page_size") - kPageOverhead) / row_bytes;
  if (rows_in_page == 0) {
    return false;
  }
  const std::int64_t used = pragma(connection, "page_count") - pragma(connection, "freelist_count");
  const std::int64_t needed = connection.state().rows / rows_in_page;
  return used > needed + needed / 8 + 8;
}

}  // namespace

bool Compaction::is_finished() const noexcept { return stage == kFinished; }

std::int64_t Compaction::run_slice(Connection& connection) {
  std::int64_t rows = 0;
  switch (stage) {
    case kBegin:
      plan_rows(connection);
      break;
    case kRows:
      rows = connection.shape().metric == Metric::kDot ? repack_rows(connection) : empty_chunks(connection);
      break;
    case kPages:
      free_pages(connection);
      break;
    case kLog:
      connection.empty_log(kPatienceForLog);
      stage = kFinished;
      break;
    case kFinished:
      break;
    default:
      fail(PANVEC_INVALID_ARGUMENT, "a compaction has no stage " + std::to_string(stage));
  }
  return rows;
}

// Chunks up to the newest one now, rows up to the largest id now: what comes meanwhile comes compact.
void Compaction::plan_rows(Connection& connection) {
  WriteTransaction transaction(connection);
  stage = kRows;
  if (connection.shape().metric == Metric::kDot) {
    next = std::numeric_limits<std::int64_t>::min();
    end = connection.state().max_id;
    if (!is_loosely_packed(connection)) {
      plan_pages(connection);
    }
  } else {
    next = 0;
    end = std::numeric_limits<std::int64_t>::min();
    for_each_chunk(connection, 0, [&](const Chunk& chunk) {
      end = chunk.number();
      return true;
    });
  }
}

// Moves the rows of chunks that have lost some.
std::int64_t Compaction::empty_chunks(Connection& connection) {
  WriteTransaction transaction(connection);
  // Not before: a wait for another writer may take longer than a slice, and each slice would end where it began.
  const auto until = std::chrono::steady_clock::now() + kSliceTime;
  const auto is_time_up = [&] { return std::chrono::steady_clock::now() >= until; };
  std::vector<float> row(connection.shape().dim);
  std::int64_t passed = 0;
  do {
    std::vector<std::int64_t> ids;
    bool is_last = true;
    // A chunk is looked at only when another follows it: the newest one takes what is moved.
    for_each_chunk(connection, next, [&](const Chunk& chunk) {
      if (!ids.empty() || is_time_up()) {
        is_last = false;
        return false;
      }
      if (chunk.number() >= end) {
        return false;
      }
      if (chunk.live() < chunk.size()) {
        chunk.for_each_id([&](std::int64_t id) { ids.push_back(id); });
      } else {
        passed += chunk.size();
        next = chunk.number() + 1;
      }
      return true;
    });
    if (is_last) {
      plan_pages(connection);
      break;
    }
    for (const std::int64_t id : ids) {
      connection.check_stop();
      move_row(connection, id, row);
      ++passed;
      if (is_time_up()) {
        break;
      }
    }
  } while (!is_time_up());
  transaction.commit();
  return passed;
}

// A B-tree does not join pages that are half full. Rows that are put back in ascending order fill theirs.
std::int64_t Compaction::repack_rows(Connection& connection) {
  const std::size_t dim = connection.shape().dim;
  const auto most = static_cast<std::int64_t>(std::max<std::size_t>(1, kSliceBytes / (dim * sizeof(float))));
  WriteTransaction transaction(connection);
  std::vector<std::int64_t> ids;
  std::vector<float> rows;
  {
    Execution run(connection.writing().some_rows, connection.path());
    run.bind(1, next).bind(2, most);
    while (run.step("reading rows of") && run.integer(0) <= end) {
      ids.push_back(run.integer(0));
      const auto* bytes = static_cast<const unsigned char*>(run.row_bytes(1, dim));
      rows.resize(ids.size() * dim);
      std::copy_n(bytes, dim * sizeof(float), reinterpret_cast<unsigned char*>(rows.data() + (ids.size() - 1) * dim));
    }
  }
  if (!ids.empty()) {
    Execution run(connection.writing().remove_range, connection.path());
    run.bind(1, ids.front()).bind(2, ids.back());
    while (run.step("moving rows of")) {
    }
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    connection.check_stop();
    insert(connection, ids[i], rows.data() + i * dim);
  }
  if (static_cast<std::int64_t>(ids.size()) < most || ids.back() >= end) {
    plan_pages(connection);
  } else {
    next = ids.back() + 1;
  }
  transaction.commit();
  return static_cast<std::int64_t>(ids.size());
}

void Compaction::plan_pages(Connection& connection) {
  stage = kPages;
  next = pragma(connection, "freelist_count");
}

void Compaction::free_pages(Connection& connection) {
  WriteTransaction transaction(connection);
  execute(connection.database(), "PRAGMA incremental_vacuum(" + std::to_string(kSlicePages) + ")", connection.path(),
          "giving back pages of");
  transaction.commit();
  next -= kSlicePages;
  if (next <= 0 || pragma(connection, "freelist_count") == 0) {
    stage = kLog;
  }
}

}  // namespace panvec::sqlitevec
