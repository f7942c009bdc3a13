#include "distance_function.hpp"

#include <cstdint>
#include <cstring>

namespace panvec::sqlitevec {
namespace {

void panvec_distance(sqlite3_context* context, int, sqlite3_value** arguments) noexcept {
  auto* query = static_cast<QueryDistance*>(sqlite3_value_pointer(arguments[1], QueryDistance::kPointerType));
  if (query == nullptr) {
    sqlite3_result_error(context, "panvec_distance needs a bound query", -1);
    return;
  }
  const void* row = sqlite3_value_blob(arguments[0]);
  const auto size = static_cast<std::size_t>(sqlite3_value_bytes(arguments[0]));
  if (row == nullptr || size != query->dim() * sizeof(float)) {
    sqlite3_result_error(context, "a stored vector has the wrong length", -1);
    sqlite3_result_error_code(context, SQLITE_CORRUPT);
    return;
  }
  sqlite3_result_double(context, (*query)(row));
}

}  // namespace

float QueryDistance::operator()(const void* row_bytes) noexcept {
  // SQLite hands out rows where they lie in a page; compilers may count on a float's alignment.
  const auto* row = static_cast<const float*>(row_bytes);
  if (reinterpret_cast<std::uintptr_t>(row_bytes) % alignof(float) != 0) {
    std::memcpy(row_.data(), row_bytes, row_.size() * sizeof(float));
    row = row_.data();
  }
  return reference_distance(metric_, row, query_, row_.size());
}

int register_distance_function(sqlite3* database) {
  // DIRECTONLY: views and triggers of a database that others wrote cannot call it.
  return sqlite3_create_function_v2(database, "panvec_distance", 2,
                                    SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, nullptr, panvec_distance,
                                    nullptr, nullptr, nullptr);
}

}  // namespace panvec::sqlitevec
