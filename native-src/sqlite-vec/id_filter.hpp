// Id filters, and the table-valued function panvec_ids(filter) that lists one inside SQL.
#pragma once

#include <cstdint>
#include <vector>

#include "sqlite3.h"

namespace panvec::sqlitevec {

// A set of ids: a sorted list or a bitmap of the caller, neither copied, a list of its own, or a range.
class IdFilter {
 public:
  static constexpr const char* kPointerType = "panvec-ids";

  // Throws PANVEC_INVALID_ARGUMENT unless the ids are sorted ascending without duplicates.
  static IdFilter list(const std::int64_t* ids, std::int64_t count);
  // Bit i of the words stands for first_id + i; bits beyond the largest int64 stand for nothing.
  static IdFilter bitmap(const std::uint64_t* words, std::int64_t first_id, std::int64_t word_count);
  static IdFilter owned(std::vector<std::int64_t> sorted_ids);
  // first <= last, both included.
  static IdFilter range(std::int64_t first, std::int64_t last);

  // Of a range with more ids than that: the largest int64.
  std::int64_t size() const noexcept { return size_; }
  bool contains(std::int64_t id) const noexcept;

  // Positions run from first() by next() until kEnd, in ascending order of id. Not for a range of all ids.
  static constexpr std::uint64_t kEnd = UINT64_MAX;
  std::uint64_t first() const noexcept { return from(0); }
  std::uint64_t next(std::uint64_t position) const noexcept { return from(position + 1); }
  std::int64_t id_at(std::uint64_t position) const noexcept;
  // Only for a filter that is not empty.
  std::int64_t least() const noexcept { return id_at(first()); }
  std::int64_t largest() const noexcept;

 private:
  enum class Kind { kList, kBitmap, kRange };

  explicit IdFilter(Kind kind) : kind_(kind) {}
  std::uint64_t from(std::uint64_t position) const noexcept;
  const std::int64_t* ids() const noexcept { return ids_ != nullptr ? ids_ : own_.data(); }

  Kind kind_;
  const std::uint64_t* words_ = nullptr;
  std::uint64_t bits_ = 0;  // of a range: the difference between its last id and its first
  std::int64_t first_id_ = 0;
  const std::int64_t* ids_ = nullptr;
  std::vector<std::int64_t> own_;
  std::int64_t size_ = 0;
};

// panvec_ids is eponymous and takes a bound pointer to an IdFilter. Returns SQLite's result code.
int register_ids_function(sqlite3* database);

}  // namespace panvec::sqlitevec
