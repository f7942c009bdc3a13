#include "codes.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>
#include <string>

#include <usearch/index_plugins.hpp>

#if !USEARCH_USE_NUMKONG
#error "usearch's own kernels find orthogonal vectors of bytes identical: compile with NumKong"
#endif

namespace panvec {
namespace {

namespace us = unum::usearch;

constexpr float kLargestF16 = 65504.0f;
constexpr float kLargestBf16 = 0x1.FEp127f;
constexpr float kLargestI8 = 127.0f;

nk_dtype_t type_of(Quantization quantization) {
  switch (quantization) {
    case Quantization::kF16: return nk_f16_k;
    case Quantization::kBf16: return nk_bf16_k;
    default: return nk_i8_k;
  }
}

// Bytes are scaled row by row, which only the angle does not notice. The others are unit vectors for COSINE, up to
// rounding.
nk_kernel_kind_t kernel_of(Metric metric, Quantization quantization) {
  if (quantization == Quantization::kI8) return nk_kernel_angular_k;
  return metric == Metric::kL2 ? nk_kernel_sqeuclidean_k : nk_kernel_dot_k;
}

// One conversion of usearch's for each component, kept off infinity: differences of infinities would be NaN.
template <typename Convert>
void encode_halves(const float* row, std::size_t dim, float largest, char* code, Convert&& convert) {
  for (std::size_t i = 0; i < dim; ++i) {
    const std::uint16_t half = convert(std::clamp(row[i], -largest, largest));
    std::memcpy(code + i * sizeof half, &half, sizeof half);
  }
}

template <typename Convert>
void decode_halves(const char* code, std::size_t dim, float* row, Convert&& convert) {
  for (std::size_t i = 0; i < dim; ++i) {
    std::uint16_t half;
    std::memcpy(&half, code + i * sizeof half, sizeof half);
    row[i] = convert(half);
  }
}

// The largest component becomes 127. usearch's cast makes it 127 times its share of the norm, cut to an integer: that
// leaves a few values to each component of a long row, and none to one of more than 16,129 equal components.
void encode_bytes(const float* row, std::size_t dim, char* code) {
  float largest = 0.0f;
  for (std::size_t i = 0; i < dim; ++i) largest = std::max(largest, std::fabs(row[i]));
  for (std::size_t i = 0; i < dim; ++i) {
    const float scaled = largest > 0.0f ? row[i] / largest * kLargestI8 : 0.0f;
    code[i] = static_cast<char>(static_cast<std::int8_t>(std::lrint(scaled)));
  }
}

}  // namespace

CodeKernel::CodeKernel(Metric metric, Quantization quantization, std::size_t dim)
    : dim_(dim), is_product_(kernel_of(metric, quantization) == nk_kernel_dot_k) {
  static_assert(sizeof(nk_size_t) == sizeof(std::uint64_t));
  const nk_dtype_t type = type_of(quantization);
  const nk_kernel_kind_t kind = kernel_of(metric, quantization);
  nk_metric_dense_punned_t found = nullptr;
  nk_capability_t capability = nk_cap_any_k;
  // Not usearch's metric: it would hand on 1 - product as a float, which cannot tell products apart that are small
  // against 1, and configure the calling thread for kernels that are not used here.
  nk_find_kernel_punned(kind, type, nk_capabilities(), reinterpret_cast<nk_kernel_punned_t*>(&found), &capability);
  if (found == nullptr || nk_kernel_output_dtype(kind, type) != nk_f32_k) {
    fail(PANVEC_UNSUPPORTED, "NumKong has no kernel for this quantization and metric");
  }
  static_assert(sizeof found == sizeof function_);
  std::memcpy(&function_, &found, sizeof found);
  name_ = us::capability_name(capability);
}

Codes::Codes(Metric metric, Quantization quantization, std::size_t dim)
    : metric_(metric), quantization_(quantization), dim_(dim), kernel_(metric, quantization, dim) {}

void Codes::reserve(std::size_t capacity) {
  if (capacity > std::numeric_limits<std::size_t>::max() / code_bytes()) throw std::bad_alloc();
  if (capacity * code_bytes() > block_.size()) block_.grow(capacity * code_bytes());
}

void Codes::store(std::int64_t slot, const float* row) {
  encode(row, block_.data() + static_cast<std::size_t>(slot) * code_bytes());
}

void Codes::store_code(std::int64_t slot, const char* code) {
  std::memcpy(block_.data() + static_cast<std::size_t>(slot) * code_bytes(), code, code_bytes());
}

void Codes::load(const char* codes, std::size_t count) {
  reserve(count);
  if (count > 0) std::memcpy(block_.data(), codes, count * code_bytes());
}

void Codes::encode(const float* row, char* code) const {
  switch (quantization_) {
    case Quantization::kF16:
      encode_halves(row, dim_, kLargestF16, code, [](float x) { return us::f32_to_f16(x); });
      break;
    case Quantization::kBf16:
      encode_halves(row, dim_, kLargestBf16, code, [](float x) { return us::f32_to_bf16(x); });
      break;
    default:
      encode_bytes(row, dim_, code);
  }
}

void Codes::decode(std::int64_t slot, float* row) const {
  const char* from = code(slot);
  switch (quantization_) {
    case Quantization::kF16:
      decode_halves(from, dim_, row, [](std::uint16_t x) { return us::f16_to_f32(x); });
      break;
    case Quantization::kBf16:
      decode_halves(from, dim_, row, [](std::uint16_t x) { return us::bf16_to_f32(x); });
      break;
    default:
      for (std::size_t i = 0; i < dim_; ++i) row[i] = static_cast<float>(static_cast<std::int8_t>(from[i]));
  }
  if (metric_ == Metric::kCosine) (void)reference_unit(row, dim_, row);
}

}  // namespace panvec
