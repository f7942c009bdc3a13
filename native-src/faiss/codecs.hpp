// Vectors as short codes: FAISS's quantisers, with the arithmetic kept away from overflow.
#pragma once

#include <omp.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <faiss/impl/ProductQuantizer.h>
#include <faiss/impl/ScalarQuantizer.h>

#include "code_kernels.hpp"
#include "index_file.hpp"
#include "panvec_kernels.hpp"
#include "stop.hpp"

namespace panvec {

// What the quantisers get to see: rows of absurd size are multiplied by a power of two and cut off, so that squares and
// their sums stay finite. Rows as users have them pass unchanged, whole slices of them without a copy.
class Scaling {
 public:
  // Components beyond it, after scaling, are cut off: 65,536 squares of it, and sums of a few such, are finite.
  static constexpr float kLimit = 0x1p50f;

  Scaling() = default;
  static Scaling for_rows(const float* rows, std::size_t components, const Stop& stop);

  // Of a snapshot: rows are multiplied by 2^-exponent.
  static Scaling of_exponent(int exponent);
  int exponent() const;

  bool is_identity() const { return factor_ == 1.0f; }
  // `rows` themselves when nothing changes, otherwise a copy in `buffer`.
  const float* apply(const float* rows, std::size_t components, std::vector<float>& buffer) const;
  void apply_to(float* row, std::size_t components) const;
  void undo(float* row, std::size_t components) const;

 private:
  float factor_ = 1.0f;
  float inverse_ = 1.0f;
};

class Codec {
 public:
  virtual ~Codec() = default;

  virtual std::size_t code_bytes() const = 0;
  virtual std::size_t memory_bytes() const = 0;
  // How many rows training makes use of.
  virtual std::size_t useful_rows() const = 0;
  // What encoding a row costs, as so many multiplications of a BLAS.
  virtual std::size_t products_per_row() const = 0;
  // On this thread and others, which need the stack of a BLAS.
  virtual void train(const float* rows, std::size_t count, unsigned threads, std::uint64_t seed,
                     const Stop& stop) = 0;
  virtual void encode(const float* row, std::uint8_t* code) const = 0;
  virtual void decode(const std::uint8_t* code, float* row) const = 0;
  // As FAISS writes a quantiser. `owner` keeps this.
  virtual void save(FileParts& file, const std::shared_ptr<const void>& owner) const = 0;
  // Takes over what was saved of a quantiser of this shape, learnt or not.
  virtual void load(FileBytes& file, bool trained) = 0;
};

// 8 bits for each component, between the least and the greatest of the training rows.
class ScalarCodec final : public Codec {
 public:
  explicit ScalarCodec(std::size_t dim);

  std::size_t code_bytes() const override { return quantizer_.code_size; }
  std::size_t memory_bytes() const override {
    return sizeof(ScalarCodec) +
           (quantizer_.trained.capacity() + bases_.capacity() + steps_.capacity()) * sizeof(float);
  }
  std::size_t useful_rows() const override { return 100000; }  // as IndexIVFScalarQuantizer
  std::size_t products_per_row() const override { return 8 * quantizer_.d; }
  void train(const float* rows, std::size_t count, unsigned threads, std::uint64_t seed, const Stop& stop) override;
  void encode(const float* row, std::uint8_t* code) const override { coder_->encode_vector(row, code); }
  void decode(const std::uint8_t* code, float* row) const override { coder_->decode_vector(code, row); }
  void save(FileParts& file, const std::shared_ptr<const void>& owner) const override;
  void load(FileBytes& file, bool trained) override;

  // A component decodes to base + step * code.
  std::size_t dim() const { return quantizer_.d; }
  const float* bases() const { return bases_.data(); }
  const float* steps() const { return steps_.data(); }

 private:
  void prepare_coder();

  faiss::ScalarQuantizer quantizer_;
  std::unique_ptr<faiss::ScalarQuantizer::SQuantizer> coder_;
  std::vector<float> bases_;
  std::vector<float> steps_;
};

// The distance of a query from scalar codes, as a rank: smaller is nearer. Never NaN, since queries and codes are
// scaled (Scaling).
class ScalarQuery {
 public:
  // `prepared`: room for dim floats that stays as long as this does.
  ScalarQuery(const ScalarCodec& codec, Metric metric, SimdLevel level, float* prepared);

  // From now on the distance is from `query`.
  void set(const float* query);
  // The same for L2 and codes of what is left of rows when `centroid` is taken away. (An inner product is the sum of
  // those with the centroid and with the rest.) The centroid need not be aligned.
  void set(const float* query, const float* centroid);
  float operator()(const std::uint8_t* code) const {
    return is_l2_ ? kernels_.l2_squared(prepared_, codec_.steps(), code, codec_.dim())
                  : offset_ - kernels_.product(prepared_, code, codec_.dim());
  }

 private:
  const ScalarCodec& codec_;
  const CodeKernels& kernels_;
  RankingKernel inner_product_;
  bool is_l2_;
  float offset_ = 0;
  float* prepared_;
};

// The vector cut into `m` parts of equal length, each the nearest of 2^bits centroids.
class ProductCodec final : public Codec {
 public:
  ProductCodec(std::size_t dim, std::size_t m, std::size_t bits);

  std::size_t code_bytes() const override { return quantizer_.code_size; }
  std::size_t memory_bytes() const override {
    return sizeof(ProductCodec) + quantizer_.centroids.capacity() * sizeof(float);
  }
  std::size_t useful_rows() const override;
  std::size_t products_per_row() const override { return 4 * quantizer_.ksub * quantizer_.d; }
  void train(const float* rows, std::size_t count, unsigned threads, std::uint64_t seed, const Stop& stop) override;
  void encode(const float* row, std::uint8_t* code) const override { quantizer_.compute_code(row, code); }
  void decode(const std::uint8_t* code, float* row) const override { quantizer_.decode(code, row); }
  void save(FileParts& file, const std::shared_ptr<const void>& owner) const override;
  void load(FileBytes& file, bool trained) override;

  const faiss::ProductQuantizer& quantizer() const { return quantizer_; }

 private:
  faiss::ProductQuantizer quantizer_;
};

}  // namespace panvec
