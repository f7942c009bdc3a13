#include "row_store.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <string>

#include "status.hpp"
#include "vector_check.hpp"

namespace panvec {
namespace {

void raise_max_norm(Metric metric, const float* row, std::size_t dim, double& max_norm) {
  if (metric != Metric::kDot) return;
  max_norm = std::max(max_norm, std::sqrt(reference_dot(row, row, dim)) * (1.0 + 1e-9));
}

}  // namespace

bool store_row(Metric metric, const float* row, std::size_t dim, float* stored, double& max_norm,
               std::int64_t& bad_component) {
  std::memcpy(stored, row, dim * sizeof(float));
  bad_component = first_non_finite(stored, dim);
  if (bad_component >= 0) return false;
  if (metric == Metric::kCosine && !reference_unit(stored, dim, stored)) return false;
  raise_max_norm(metric, stored, dim, max_norm);
  return true;
}

void store_row_again(Metric metric, const float* row, std::size_t dim, float* stored, double& max_norm) {
  std::memcpy(stored, row, dim * sizeof(float));
  raise_max_norm(metric, stored, dim, max_norm);
}

void fail_stage(const BadRow& bad, const float* stored, std::int64_t* bad_row, std::int32_t* bad_component) {
  if (bad_row != nullptr) *bad_row = bad.row;
  if (bad_component != nullptr) *bad_component = static_cast<std::int32_t>(bad.component);
  fail(PANVEC_INVALID_VECTOR,
       "row " + std::to_string(bad.row) + ": " + describe_bad_component(stored, bad.component));
}

RowStore::RowStore(Metric metric, std::size_t dim)
    : metric_(metric), dim_(dim), max_row_norm_(initial_max_row_norm(metric)) {}

void RowStore::reserve(std::size_t capacity) {
  const std::size_t row_bytes = dim_ * sizeof(float);
  if (capacity > std::numeric_limits<std::size_t>::max() / row_bytes) throw std::bad_alloc();
  if (capacity * row_bytes > block_.size()) block_.grow(capacity * row_bytes);
}

bool RowStore::stage(std::int64_t first_slot, const float* rows, std::int64_t count, BadRow& bad) {
  double max_norm = max_row_norm();
  for (std::int64_t i = 0; i < count; ++i) {
    const auto slot = static_cast<std::size_t>(first_slot + i);
    auto* stored = reinterpret_cast<float*>(block_.data() + slot * dim_ * sizeof(float));
    bad.row = i;
    if (!store_row(metric_, rows + static_cast<std::size_t>(i) * dim_, dim_, stored, max_norm, bad.component)) {
      return false;
    }
  }
  max_row_norm_.store(max_norm, std::memory_order_relaxed);
  return true;
}

void RowStore::stage_from(std::int64_t first_slot, const SlotRows& source, const std::int32_t* slots,
                          std::int64_t count) {
  double max_norm = max_row_norm();
  for (std::int64_t i = 0; i < count; ++i) {
    const auto slot = static_cast<std::size_t>(first_slot + i);
    auto* stored = reinterpret_cast<float*>(block_.data() + slot * dim_ * sizeof(float));
    store_row_again(metric_, source.row(slots[i]), dim_, stored, max_norm);
  }
  max_row_norm_.store(max_norm, std::memory_order_relaxed);
}

void RowStore::load(const char* rows, std::size_t count, double max_row_norm) {
  reserve(count);
  if (count > 0) std::memcpy(block_.data(), rows, count * dim_ * sizeof(float));
  max_row_norm_.store(max_row_norm, std::memory_order_relaxed);
}

void RowStore::map(const char* rows, double max_row_norm) {
  mapped_ = rows;
  max_row_norm_.store(max_row_norm, std::memory_order_relaxed);
}

}  // namespace panvec
