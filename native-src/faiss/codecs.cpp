#include "codecs.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "clustering.hpp"
#include "parallel.hpp"

namespace panvec {
namespace {

float greatest_magnitude(const float* rows, std::size_t components) {
  float greatest = 0;
  for (std::size_t i = 0; i < components; ++i) greatest = std::max(greatest, std::fabs(rows[i]));
  return greatest;
}

float cut_off(float x) { return std::max(-Scaling::kLimit, std::min(x, Scaling::kLimit)); }

}  // namespace

Scaling Scaling::for_rows(const float* rows, std::size_t components, const Stop& stop) {
  // Within it, squares neither overflow nor vanish, and a snapshot holds what FAISS itself would have written.
  constexpr int usual_exponent = 30;
  Scaling scaling;
  constexpr std::size_t block = std::size_t{1} << 20;
  float greatest = 0;
  for (std::size_t at = 0; at < components; at += block) {
    stop.check();
    greatest = std::max(greatest, greatest_magnitude(rows + at, std::min(block, components - at)));
  }
  if (greatest == 0) return scaling;
  const int exponent = std::ilogb(greatest);
  if (std::abs(exponent) <= usual_exponent) return scaling;
  const int shift = std::max(-126, std::min(exponent, 126));
  scaling.factor_ = std::ldexp(1.0f, -shift);
  scaling.inverse_ = std::ldexp(1.0f, shift);
  return scaling;
}

Scaling Scaling::of_exponent(int exponent) {
  Scaling scaling;
  scaling.factor_ = std::ldexp(1.0f, -exponent);
  scaling.inverse_ = std::ldexp(1.0f, exponent);
  return scaling;
}

int Scaling::exponent() const { return std::ilogb(inverse_); }

const float* Scaling::apply(const float* rows, std::size_t components, std::vector<float>& buffer) const {
  if (is_identity() && greatest_magnitude(rows, components) <= kLimit) return rows;
  buffer.assign(rows, rows + components);
  apply_to(buffer.data(), components);
  return buffer.data();
}

void Scaling::apply_to(float* row, std::size_t components) const {
  for (std::size_t i = 0; i < components; ++i) row[i] = cut_off(row[i] * factor_);
}

void Scaling::undo(float* row, std::size_t components) const {
  if (is_identity()) return;
  for (std::size_t i = 0; i < components; ++i) row[i] *= inverse_;
}

ScalarCodec::ScalarCodec(std::size_t dim) : quantizer_(dim, faiss::ScalarQuantizer::QT_8bit) {}

void ScalarCodec::train(const float* rows, std::size_t count, unsigned, std::uint64_t, const Stop& stop) {
  const std::size_t dim = quantizer_.d;
  // FAISS looks at the extremes of each component alone, so it makes of a row of the least and one of the greatest
  // what it makes of all rows.
  std::vector<float> extremes(rows, rows + dim);
  extremes.insert(extremes.end(), rows, rows + dim);
  StopWatch watch(stop, dim);
  for (std::size_t row = 1; row < count; ++row) {
    watch.passed(1);
    for (std::size_t i = 0; i < dim; ++i) {
      extremes[i] = std::min(extremes[i], rows[row * dim + i]);
      extremes[dim + i] = std::max(extremes[dim + i], rows[row * dim + i]);
    }
  }
  quantizer_.train(2, extremes.data());
  prepare_coder();
}

void ScalarCodec::prepare_coder() {
  const std::size_t dim = quantizer_.d;
  coder_.reset(quantizer_.select_quantizer());
  const float* least = quantizer_.trained.data();
  const float* extent = least + dim;
  bases_.resize(dim);
  steps_.resize(dim);
  for (std::size_t i = 0; i < dim; ++i) {
    steps_[i] = extent[i] / 255.0f;
    bases_[i] = least[i] + 0.5f * steps_[i];
  }
}

// As write_ScalarQuantizer.
void ScalarCodec::save(FileParts& file, const std::shared_ptr<const void>&) const {
  file.put<std::int32_t>(quantizer_.qtype);
  file.put<std::int32_t>(quantizer_.rangestat);
  file.put<float>(quantizer_.rangestat_arg);
  file.put<std::uint64_t>(quantizer_.d);
  file.put<std::uint64_t>(quantizer_.code_size);
  file.put_vector(quantizer_.trained);
}

void ScalarCodec::load(FileBytes& file, bool trained) {
  file.expect<std::int32_t>("the kind of its codes", quantizer_.qtype);
  file.take<std::int32_t>();  // how it was trained
  file.take<float>();
  file.expect<std::uint64_t>("the dimension of its codes", quantizer_.d);
  file.expect<std::uint64_t>("the size of its codes", quantizer_.code_size);
  const std::uint64_t count = trained ? 2 * quantizer_.d : 0;
  const char* learnt = take_vector(file, "the number of ranges of components", count, sizeof(float));
  if (!trained) return;
  quantizer_.trained = finite_floats("ranges of components", learnt, count);
  prepare_coder();
}

ScalarQuery::ScalarQuery(const ScalarCodec& codec, Metric metric, SimdLevel level, float* prepared)
    : codec_(codec),
      kernels_(code_kernels(level)),
      inner_product_(inner_product_kernel(level)),
      is_l2_(metric == Metric::kL2),
      prepared_(prepared) {}

void ScalarQuery::set(const float* query) {
  const float* bases = codec_.bases();
  const float* steps = codec_.steps();
  if (is_l2_) {
    for (std::size_t i = 0; i < codec_.dim(); ++i) prepared_[i] = query[i] - bases[i];
    return;
  }
  for (std::size_t i = 0; i < codec_.dim(); ++i) prepared_[i] = query[i] * steps[i];
  offset_ = -inner_product_(query, bases, codec_.dim());
}

void ScalarQuery::set(const float* query, const float* centroid) {
  const float* bases = codec_.bases();
  const char* at = reinterpret_cast<const char*>(centroid);
  for (std::size_t i = 0; i < codec_.dim(); ++i) prepared_[i] = query[i] - number_at<float>(at, i) - bases[i];
}

ProductCodec::ProductCodec(std::size_t dim, std::size_t m, std::size_t bits) : quantizer_(dim, m, bits) {}

std::size_t ProductCodec::useful_rows() const { return kRowsPerCentroid * quantizer_.ksub; }

// As write_ProductQuantizer.
void ProductCodec::save(FileParts& file, const std::shared_ptr<const void>& owner) const {
  file.put<std::uint64_t>(quantizer_.d);
  file.put<std::uint64_t>(quantizer_.M);
  file.put<std::uint64_t>(quantizer_.nbits);
  file.put<std::uint64_t>(quantizer_.centroids.size());
  file.add_bytes(reinterpret_cast<const char*>(quantizer_.centroids.data()),
                 quantizer_.centroids.size() * sizeof(float), owner);
}

void ProductCodec::load(FileBytes& file, bool) {
  file.expect<std::uint64_t>("the dimension of its codes", quantizer_.d);
  file.expect<std::uint64_t>("the number of parts of its codes", quantizer_.M);
  file.expect<std::uint64_t>("the bits of a part of its codes", quantizer_.nbits);
  const std::uint64_t count = quantizer_.centroids.size();
  const char* learnt = take_vector(file, "the number of components of its codes' centroids", count, sizeof(float));
  quantizer_.centroids = finite_floats("its codes' centroids", learnt, count);
}

// ProductQuantizer::train goes through the parts one after the other.
void ProductCodec::train(const float* rows, std::size_t count, unsigned threads, std::uint64_t seed,
                         const Stop& stop) {
  const std::size_t dim = quantizer_.d, part_dim = quantizer_.dsub, centroids = quantizer_.ksub;
  const auto all_parts = static_cast<std::int64_t>(quantizer_.M);
  parallel_slices(all_parts, 1, threads, stop, [&](std::int64_t part, std::int64_t, unsigned) {
    const auto m = static_cast<std::size_t>(part);
    std::vector<float> parts(count * part_dim);
    for (std::size_t i = 0; i < count; ++i) {
      std::memcpy(&parts[i * part_dim], rows + i * dim + m * part_dim, part_dim * sizeof(float));
    }
    constexpr int iterations = 25;  // as ProductQuantizer
    const std::vector<float> found =
        k_means({parts.data(), count, part_dim}, centroids, faiss::METRIC_L2, iterations, 1, seed, stop);
    quantizer_.set_params(found.data(), static_cast<int>(m));
  });
}

}  // namespace panvec
