#include "id_filter.hpp"

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

#include "status.hpp"

namespace panvec::sqlitevec {
namespace {

constexpr int kIdColumn = 0;
constexpr int kFilterColumn = 1;

struct IdsCursor {
  sqlite3_vtab_cursor base;  // SQLite's part comes first
  const IdFilter* filter;
  std::uint64_t position;
};

IdsCursor* cursor_of(sqlite3_vtab_cursor* cursor) noexcept { return reinterpret_cast<IdsCursor*>(cursor); }

int ids_connect(sqlite3* database, void*, int, const char* const*, sqlite3_vtab** table, char**) noexcept {
  const int code = sqlite3_declare_vtab(database, "CREATE TABLE x(id INTEGER, filter HIDDEN)");
  if (code != SQLITE_OK) {
    return code;
  }
  sqlite3_vtab_config(database, SQLITE_VTAB_DIRECTONLY);
  *table = new (std::nothrow) sqlite3_vtab{};
  return *table == nullptr ? SQLITE_NOMEM : SQLITE_OK;
}

int ids_disconnect(sqlite3_vtab* table) noexcept {
  delete table;
  return SQLITE_OK;
}

int ids_best_index(sqlite3_vtab*, sqlite3_index_info* info) noexcept {
  for (int i = 0; i < info->nConstraint; ++i) {
    const auto& constraint = info->aConstraint[i];
    if (constraint.iColumn == kFilterColumn && constraint.op == SQLITE_INDEX_CONSTRAINT_EQ && constraint.usable) {
      info->aConstraintUsage[i].argvIndex = 1;
      info->aConstraintUsage[i].omit = 1;
      info->estimatedCost = 1000;
      info->estimatedRows = 1000;
      info->orderByConsumed =
          info->nOrderBy == 1 && info->aOrderBy[0].iColumn == kIdColumn && info->aOrderBy[0].desc == 0;
      return SQLITE_OK;
    }
  }
  return SQLITE_CONSTRAINT;
}

int ids_open(sqlite3_vtab*, sqlite3_vtab_cursor** cursor) noexcept {
  auto* created = new (std::nothrow) IdsCursor{};
  if (created == nullptr) {
    return SQLITE_NOMEM;
  }
  created->position = IdFilter::kEnd;
  *cursor = &created->base;
  return SQLITE_OK;
}

int ids_close(sqlite3_vtab_cursor* cursor) noexcept {
  delete cursor_of(cursor);
  return SQLITE_OK;
}

int ids_filter(sqlite3_vtab_cursor* cursor, int, const char*, int, sqlite3_value** arguments) noexcept {
  auto* filter = static_cast<const IdFilter*>(sqlite3_value_pointer(arguments[0], IdFilter::kPointerType));
  cursor_of(cursor)->filter = filter;
  cursor_of(cursor)->position = filter == nullptr ? IdFilter::kEnd : filter->first();
  return SQLITE_OK;
}

int ids_next(sqlite3_vtab_cursor* cursor) noexcept {
  cursor_of(cursor)->position = cursor_of(cursor)->filter->next(cursor_of(cursor)->position);
  return SQLITE_OK;
}

int ids_eof(sqlite3_vtab_cursor* cursor) noexcept { return cursor_of(cursor)->position == IdFilter::kEnd; }

int ids_column(sqlite3_vtab_cursor* cursor, sqlite3_context* context, int column) noexcept {
  if (column == kIdColumn) {
    sqlite3_result_int64(context, cursor_of(cursor)->filter->id_at(cursor_of(cursor)->position));
  }
  return SQLITE_OK;
}

int ids_rowid(sqlite3_vtab_cursor* cursor, sqlite3_int64* rowid) noexcept {
  *rowid = cursor_of(cursor)->filter->id_at(cursor_of(cursor)->position);
  return SQLITE_OK;
}

// Without xCreate the table is eponymous only: it needs no CREATE VIRTUAL TABLE and leaves no trace in the schema.
const sqlite3_module kIdsModule = [] {
  sqlite3_module module{};
  module.xConnect = ids_connect;
  module.xBestIndex = ids_best_index;
  module.xDisconnect = ids_disconnect;
  module.xOpen = ids_open;
  module.xClose = ids_close;
  module.xFilter = ids_filter;
  module.xNext = ids_next;
  module.xEof = ids_eof;
  module.xColumn = ids_column;
  module.xRowid = ids_rowid;
  return module;
}();

}  // namespace

IdFilter IdFilter::list(const std::int64_t* ids, std::int64_t count) {
  for (std::int64_t i = 1; i < count; ++i) {
    if (ids[i - 1] >= ids[i]) {
      throw StatusError(PANVEC_INVALID_ARGUMENT, "filter ids must be sorted ascending without duplicates, but entry " +
                                                 std::to_string(i) + " (" + std::to_string(ids[i]) + ") follows " +
                                                 std::to_string(ids[i - 1]));
    }
  }
  IdFilter filter(Kind::kList);
  filter.ids_ = ids;
  filter.size_ = count;
  return filter;
}

IdFilter IdFilter::bitmap(const std::uint64_t* words, std::int64_t first_id, std::int64_t word_count) {
  IdFilter filter(Kind::kBitmap);
  filter.words_ = words;
  filter.first_id_ = first_id;
  const std::uint64_t ids_left =
      static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) - static_cast<std::uint64_t>(first_id);
  constexpr std::uint64_t kMostWords = UINT64_MAX / 64;
  const std::uint64_t bits = std::min(static_cast<std::uint64_t>(word_count), kMostWords) * 64;
  filter.bits_ = bits == 0 ? 0 : std::min(bits - 1, ids_left) + 1;
  for (std::uint64_t word = 0; word < filter.bits_ / 64; ++word) {
    filter.size_ += __builtin_popcountll(words[word]);
  }
  if (filter.bits_ % 64 != 0) {
    const std::uint64_t mask = (std::uint64_t{1} << (filter.bits_ % 64)) - 1;
    filter.size_ += __builtin_popcountll(words[filter.bits_ / 64] & mask);
  }
  return filter;
}

IdFilter IdFilter::owned(std::vector<std::int64_t> sorted_ids) {
  IdFilter filter(Kind::kList);
  filter.own_ = std::move(sorted_ids);
  filter.size_ = static_cast<std::int64_t>(filter.own_.size());
  return filter;
}

IdFilter IdFilter::range(std::int64_t first, std::int64_t last) {
  IdFilter filter(Kind::kRange);
  filter.first_id_ = first;
  filter.bits_ = static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first);
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  filter.size_ = filter.bits_ < kMost ? static_cast<std::int64_t>(filter.bits_) + 1 : static_cast<std::int64_t>(kMost);
  return filter;
}

bool IdFilter::contains(std::int64_t id) const noexcept {
  if (kind_ == Kind::kList) {
    return std::binary_search(ids(), ids() + size_, id);
  }
  if (id < first_id_) {
    return false;
  }
  const std::uint64_t bit = static_cast<std::uint64_t>(id) - static_cast<std::uint64_t>(first_id_);
  if (kind_ == Kind::kRange) {
    return bit <= bits_;
  }
  return bit < bits_ && (words_[bit / 64] >> (bit % 64) & 1) != 0;
}

std::int64_t IdFilter::id_at(std::uint64_t position) const noexcept {
  if (kind_ == Kind::kList) {
    return ids()[position];
  }
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(first_id_) + position);
}

std::int64_t IdFilter::largest() const noexcept {
  if (kind_ == Kind::kList) {
    return ids()[size_ - 1];
  }
  if (kind_ == Kind::kRange) {
    return id_at(bits_);
  }
  std::uint64_t position = bits_ - 1;
  while ((words_[position / 64] >> (position % 64) & 1) == 0) {
    --position;
  }
  return id_at(position);
}

std::uint64_t IdFilter::from(std::uint64_t position) const noexcept {
  if (kind_ == Kind::kList) {
    return position < static_cast<std::uint64_t>(size_) ? position : kEnd;
  }
  if (kind_ == Kind::kRange) {
    return position <= bits_ ? position : kEnd;
  }
  while (position < bits_) {
    const std::uint64_t word = words_[position / 64] >> (position % 64);
    if (word != 0) {
      const std::uint64_t found = position + static_cast<std::uint64_t>(__builtin_ctzll(word));
      return found < bits_ ? found : kEnd;
    }
    position = (position / 64 + 1) * 64;
  }
  return kEnd;
}

int register_ids_function(sqlite3* database) {
  return sqlite3_create_module_v2(database, "panvec_ids", &kIdsModule, nullptr, nullptr);
}

}  // namespace panvec::sqlitevec
