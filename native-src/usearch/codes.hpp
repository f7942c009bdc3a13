// Rows as NumKong's kernels rank them: half precision, bfloat16, or bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "float_rows.hpp"
#include "growing_block.hpp"
#include "panvec_kernels.hpp"
#include "slot_calls.hpp"

namespace panvec {

enum class Quantization : std::int32_t { kF32 = 0, kF16 = 1, kBf16 = 2, kI8 = 3 };

// NumKong's kernel of this CPU for two codes. Smaller is nearer, never NaN.
class CodeKernel {
 public:
  // Fails when NumKong has none.
  CodeKernel(Metric metric, Quantization quantization, std::size_t dim);

  float operator()(const void* a, const void* b) const {
    float result = 0.0f;
    function_(a, b, dim_, &result);
    if (is_product_) return negated_product(result);
    // An overflow: bfloat16 kernels take a difference of sums.
    return result == result ? result : std::numeric_limits<float>::infinity();
  }

  // NumKong's name of the instruction set.
  const char* name() const { return name_; }

 private:
  void (*function_)(const void* a, const void* b, std::uint64_t dim, void* result) = nullptr;
  std::uint64_t dim_;
  bool is_product_;
  const char* name_ = "";
};

// The codes of an index, by slot.
class Codes final : public RowDecoder {
 public:
  Codes(Metric metric, Quantization quantization, std::size_t dim);

  std::size_t code_bytes() const { return dim_ * (quantization_ == Quantization::kI8 ? 1 : 2); }
  std::size_t bytes() const { return block_.size(); }
  const CodeKernel& kernel() const { return kernel_; }
  const char* first() const { return mapped_ != nullptr ? mapped_ : block_.data(); }
  const char* code(std::int64_t slot) const { return first() + static_cast<std::size_t>(slot) * code_bytes(); }

  // Room for `capacity` codes; strong guarantee, quick.
  void reserve(std::size_t capacity);
  // `row` is finite, and a unit vector for COSINE.
  void store(std::int64_t slot, const float* row);
  // A code of other codes of the same kind.
  void store_code(std::int64_t slot, const char* code);
  void encode(const float* row, char* code) const;
  // A unit vector for COSINE.
  void decode(std::int64_t slot, float* row) const override;

  // Takes over codes from a file: load copies them; after map they are read where they are, and none is stored any
  // more.
  void load(const char* codes, std::size_t count);
  void map(const char* codes) { mapped_ = codes; }

 private:
  Metric metric_;
  Quantization quantization_;
  std::size_t dim_;
  CodeKernel kernel_;
  const char* mapped_ = nullptr;
  GrowingBlock block_;
};

// The distance policy of a walk (walk.hpp) over codes.
class CodeRows {
 public:
  CodeRows(const Codes& codes, const char* query)
      : first_(codes.first()), bytes_(codes.code_bytes()), kernel_(codes.kernel()), query_(query), plan_(bytes_) {}

  float operator()(std::uint32_t slot) const { return kernel_(query_, first_ + slot * bytes_); }
  void prefetch(std::uint32_t slot) const { plan_.fetch(first_ + slot * bytes_); }
  std::size_t ahead() const { return plan_.ahead; }

 private:
  const char* first_;
  std::size_t bytes_;
  CodeKernel kernel_;
  const char* query_;
  PrefetchPlan plan_;
};

}  // namespace panvec
