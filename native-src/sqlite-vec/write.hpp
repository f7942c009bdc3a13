// Writes: all-or-nothing, each in a transaction of its own or in the caller's.
#pragma once

#include <cstdint>

#include "connection.hpp"

namespace panvec::sqlitevec {

enum class OnExisting { kRefuse, kReplace };

// The row that a refused batch is refused for; -1 where it does not apply.
struct BadRow {
  std::int64_t row = -1;
  std::int32_t component = -1;
};

// One write's transaction, unless the caller's batch is one already. Rolls back at its end, if it was not committed.
class WriteTransaction {
 public:
  explicit WriteTransaction(Connection& connection);
  ~WriteTransaction();
  WriteTransaction(const WriteTransaction&) = delete;
  WriteTransaction& operator=(const WriteTransaction&) = delete;

  void commit();

 private:
  Connection& connection_;
  const bool owned_;
  bool committed_ = false;
};

void add(Connection& connection, const std::int64_t* ids, const float* rows, std::int64_t count, OnExisting on_existing,
         BadRow& bad);
// Returns how many of them existed.
std::int64_t remove(Connection& connection, const std::int64_t* ids, std::int64_t count);

void begin_batch(Connection& connection);
// `stop_after` ends what is done for the log when the batch is committed.
void commit_batch(Connection& connection, const Stop& stop_after);
void rollback_batch(Connection& connection);

}  // namespace panvec::sqlitevec
