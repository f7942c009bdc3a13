#include "slot_index.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include <faiss/impl/code_distance/code_distance.h>

#include "clustering.hpp"
#include "exact_scan.hpp"
#include "float_rows.hpp"
#include "parallel.hpp"
#include "slot_levels.hpp"
#include "status.hpp"

namespace panvec {
namespace {

// Distances for linking over the float32 rows.
class RowDistances final : public SlotDistances {
 public:
  RowDistances(const SlotRows& rows, RankingKernel kernel, bool is_l2)
      : rows_(rows), kernel_(kernel), is_l2_(is_l2), plan_(rows.dim * sizeof(float)) {}

  void from(std::uint32_t slot) override { query_ = rows_.row(slot); }
  float operator()(faiss::idx_t slot) override { return between(query_, rows_.row(slot)); }
  float symmetric_dis(faiss::idx_t a, faiss::idx_t b) override { return between(rows_.row(a), rows_.row(b)); }
  void distances_batch_4(const faiss::idx_t slot0, const faiss::idx_t slot1, const faiss::idx_t slot2,
                         const faiss::idx_t slot3, float& distance0, float& distance1, float& distance2,
                         float& distance3) override {
    for (const faiss::idx_t slot : {slot0, slot1, slot2, slot3}) plan_.fetch(rows_.row(slot));
    distance0 = (*this)(slot0);
    distance1 = (*this)(slot1);
    distance2 = (*this)(slot2);
    distance3 = (*this)(slot3);
  }

 private:
  float between(const float* a, const float* b) const {
    const float value = kernel_(a, b, rows_.dim);
    return is_l2_ ? value : negated_product(value);
  }

  SlotRows rows_;
  RankingKernel kernel_;
  bool is_l2_;
  PrefetchPlan plan_;
  const float* query_ = nullptr;
};

// Distances for linking over scalar codes: from what a code decodes to, so that the graph is the same with and without
// rows. Scaling keeps them from being NaN.
class CodeDistances final : public SlotDistances {
 public:
  CodeDistances(const ScalarCodec& codec, Metric metric, SimdLevel level, const std::uint8_t* codes)
      : codec_(codec),
        kernels_(code_kernels(level)),
        is_l2_(metric == Metric::kL2),
        codes_(codes),
        plan_(codec.code_bytes()) {}

  void from(std::uint32_t slot) override { query_ = at(slot); }
  float operator()(faiss::idx_t slot) override { return between(query_, at(slot)); }
  float symmetric_dis(faiss::idx_t a, faiss::idx_t b) override { return between(at(a), at(b)); }
  void distances_batch_4(const faiss::idx_t slot0, const faiss::idx_t slot1, const faiss::idx_t slot2,
                         const faiss::idx_t slot3, float& distance0, float& distance1, float& distance2,
                         float& distance3) override {
    for (const faiss::idx_t slot : {slot0, slot1, slot2, slot3}) plan_.fetch(at(slot));
    distance0 = (*this)(slot0);
    distance1 = (*this)(slot1);
    distance2 = (*this)(slot2);
    distance3 = (*this)(slot3);
  }

 private:
  const std::uint8_t* at(faiss::idx_t slot) const { return codes_ + static_cast<std::size_t>(slot) * codec_.dim(); }
  float between(const std::uint8_t* a, const std::uint8_t* b) const {
    return is_l2_ ? kernels_.l2_squared_between(codec_.steps(), a, b, codec_.dim())
                  : -kernels_.product_between(codec_.bases(), codec_.steps(), a, b, codec_.dim());
  }

  const ScalarCodec& codec_;
  const CodeKernels& kernels_;
  bool is_l2_;
  const std::uint8_t* codes_;
  PrefetchPlan plan_;
  const std::uint8_t* query_ = nullptr;
};

// The distance policy of a walk (walk.hpp) over scalar codes.
class ScalarCodes {
 public:
  ScalarCodes(const ScalarCodec& codec, Metric metric, SimdLevel level, const std::uint8_t* codes, const float* query,
              Scratch& scratch)
      : query_(codec, metric, level, scratch.row(codec.dim())),
        codes_(codes),
        code_bytes_(codec.code_bytes()),
        plan_(code_bytes_) {
    query_.set(query);
  }

  float operator()(std::uint32_t slot) const { return query_(at(slot)); }
  void prefetch(std::uint32_t slot) const { plan_.fetch(at(slot)); }
  std::size_t ahead() const { return plan_.ahead; }
  void four(const std::uint32_t* slots, float* distances) const {
    for (std::size_t i = 0; i < 4; ++i) distances[i] = (*this)(slots[i]);
  }

 private:
  const std::uint8_t* at(std::uint32_t slot) const { return codes_ + slot * code_bytes_; }

  ScalarQuery query_;
  const std::uint8_t* codes_;
  std::size_t code_bytes_;
  PrefetchPlan plan_;
};

// Product codes by a table of the query's distances to all centroids of all parts.
template <typename Decoder>
class ProductCodes {
 public:
  ProductCodes(const faiss::ProductQuantizer& quantizer, const float* table, Metric metric, const std::uint8_t* codes)
      : quantizer_(quantizer), table_(table), sign_(metric == Metric::kL2 ? 1.0f : -1.0f), codes_(codes) {}

  float operator()(std::uint32_t slot) const {
    return sign_ * faiss::distance_single_code<Decoder>(quantizer_.M, quantizer_.nbits, table_, at(slot));
  }
  void four(const std::uint32_t* slots, float* distances) const {
    float d0 = 0, d1 = 0, d2 = 0, d3 = 0;
    faiss::distance_four_codes<Decoder>(quantizer_.M, quantizer_.nbits, table_, at(slots[0]), at(slots[1]),
                                        at(slots[2]), at(slots[3]), d0, d1, d2, d3);
    distances[0] = sign_ * d0;
    distances[1] = sign_ * d1;
    distances[2] = sign_ * d2;
    distances[3] = sign_ * d3;
  }

 private:
  const std::uint8_t* at(std::uint32_t slot) const { return codes_ + slot * quantizer_.code_size; }

  const faiss::ProductQuantizer& quantizer_;
  const float* table_;
  float sign_;
  const std::uint8_t* codes_;
};

bool nearer(const Candidate& a, const Candidate& b) {
  return a.distance != b.distance ? a.distance < b.distance : a.slot < b.slot;
}

// The nearest `most` slots of a version in scratch.admitted, ascending; how many. Slots that are not of the version are
// passed over 64 at a time.
template <typename Distances>
std::size_t scan(const Distances& distances, const SlotVersion& version, std::size_t most, Scratch& scratch,
                 StopWatch& watch) {
  std::vector<Candidate>& best = scratch.admitted;
  best.clear();
  const auto offer = [&](float distance, std::uint32_t slot) {
    if (best.size() < most) {
      best.push_back({distance, slot});
      std::push_heap(best.begin(), best.end(), nearer);
    } else if (distance < best.front().distance) {
      std::pop_heap(best.begin(), best.end(), nearer);
      best.back() = {distance, slot};
      std::push_heap(best.begin(), best.end(), nearer);
    }
  };
  for (std::int64_t first = 0; first < version.slot_count; first += 64) {
    std::uint64_t bits = version.set.word(first / 64);
    if (version.slot_count - first < 64) bits &= ~(~std::uint64_t{0} << (version.slot_count - first));
    watch.passed(1);
    while (bits != 0) {
      std::uint32_t slots[4];
      std::size_t held = 0;
      for (; bits != 0 && held < 4; bits &= bits - 1) {
        slots[held++] = static_cast<std::uint32_t>(first + __builtin_ctzll(bits));
      }
      watch.passed(held);
      if (held == 4) {
        float values[4];
        distances.four(slots, values);
        for (std::size_t i = 0; i < 4; ++i) offer(values[i], slots[i]);
      } else {
        for (std::size_t i = 0; i < held; ++i) offer(distances(slots[i]), slots[i]);
      }
    }
  }
  std::sort_heap(best.begin(), best.end(), nearer);
  return best.size();
}

// Runs step(from, to) over 0 .. count: at once, or, when it may have to end early, in steps, with looks between them.
template <typename Step>
void in_steps(std::int64_t count, StopWatch& watch, Step&& step) {
  const std::int64_t most = watch.can_stop() ? (watch.period() + 63) / 64 * 64 : count;
  for (std::int64_t from = 0; from < count; from += most) {
    const std::int64_t to = std::min(count, from + most);
    watch.passed(static_cast<std::size_t>(to - from));
    step(from, to);
  }
}

[[noreturn]] void too_few_rows(IndexType type, const std::string& parameter, std::int64_t least, std::int64_t rows) {
  fail(PANVEC_INVALID_ARGUMENT, std::string(type_name(type)) + " with " + parameter + " needs at least " +
                                    std::to_string(least) + " training rows, not " + std::to_string(rows));
}

}  // namespace

const char* type_name(IndexType type) {
  switch (type) {
    case IndexType::kFlat: return "flat";
    case IndexType::kHnsw: return "hnsw";
    case IndexType::kHnswSq8: return "hnsw_sq8";
    case IndexType::kIvfFlat: return "ivf_flat";
    case IndexType::kIvfSq8: return "ivf_sq8";
    case IndexType::kIvfPq: return "ivf_pq";
    case IndexType::kPq: return "pq";
    case IndexType::kSq8: return "sq8";
  }
  return "unknown";
}

// The rows that a quantiser is trained on.
struct SlotIndex::Sample {
  // NULL when the stored rows serve as they are. Not a vector: that would fill all of it, and nobody could stop it.
  std::unique_ptr<float[]> copy;
  const float* rows = nullptr;
  std::size_t count = 0;
  Scaling scaling;
};

SlotIndex::SlotIndex(const IndexShape& shape)
    : shape_(shape),
      level_(simd_level()),
      trained_(!shape.needs_training()),
      rows_(std::make_shared<RowStore>(shape.metric, shape.dim)) {
  if (shape.has_graph()) graph_ = std::make_unique<LinkedGraph>(shape.m, shape.ef_construction, shape.seed);
  if (shape.is_product()) {
    code_bytes_ = (shape.pq_m * shape.pq_bits + 7) / 8;
  } else if (shape.is_lossy()) {
    code_bytes_ = shape.dim;
  }
  account();
}

RowSpace SlotIndex::row_space() const {
  RowSpace space;
  space.metric = shape_.metric;
  space.level = level_;
  space.rows.dim = shape_.dim;
  space.capacity = capacity_;
  if (rows_ != nullptr) {
    space.rows = rows_->rows();
    space.max_row_norm = rows_->max_row_norm();
  } else {
    space.decoder = this;
    space.max_row_norm = max_row_norm_;
  }
  return space;
}

void SlotIndex::account() {
  std::size_t bytes = sizeof(SlotIndex) + codes_.size() + places_.size() + assigned_.codes.capacity() +
                      assigned_.lists.capacity() * sizeof(std::uint32_t);
  if (rows_ != nullptr) bytes += rows_->bytes();
  if (late_rows_ != nullptr) bytes += late_rows_->bytes();
  if (graph_ != nullptr) bytes += graph_->memory_bytes();
  if (codec_ != nullptr) bytes += codec_->memory_bytes();
  if (inverted_ != nullptr) bytes += inverted_->memory_bytes();
  bytes_.store(bytes, std::memory_order_relaxed);
}

void SlotIndex::prepare(std::size_t capacity) {
  if (graph_ == nullptr) return;
  graph_->prepare(capacity);
  account();
}

// A failure half-way at most leaves a block larger than need be.
void SlotIndex::reserve(std::size_t capacity) {
  if (static_cast<std::int64_t>(capacity) <= capacity_) return;
  const std::size_t most = std::numeric_limits<std::size_t>::max() / std::max<std::size_t>(code_bytes_, 8);
  if (capacity > most) throw std::bad_alloc();
  if (rows_ != nullptr) rows_->reserve(capacity);
  if (shape_.has_codes_by_slot()) codes_.grow(capacity * code_bytes_);
  if (shape_.has_lists() && shape_.drops_rows()) places_.grow(capacity * sizeof(Place));
  if (graph_ != nullptr) graph_->reserve(capacity);
  capacity_ = static_cast<std::int64_t>(capacity);
  account();
}

const float* SlotIndex::staged_row(std::int64_t slot) const {
  return rows_ != nullptr ? rows_->rows().row(slot) : late_rows_->rows().row(slot - late_first_);
}

std::uint8_t* SlotIndex::code(std::int64_t slot) const {
  // Nobody writes to mapped ones.
  auto* codes = mapped_codes_ != nullptr ? const_cast<std::uint8_t*>(mapped_codes_)
                                         : reinterpret_cast<std::uint8_t*>(codes_.data());
  return codes + static_cast<std::size_t>(slot) * code_bytes_;
}

SlotIndex::Place SlotIndex::place(std::int64_t slot) const {
  return reinterpret_cast<const Place*>(places_.data())[slot];
}

void SlotIndex::check_stage(std::int64_t first_slot, std::int64_t count) const {
  require(count >= 0 && first_slot >= linked() && first_slot <= capacity_ && count <= capacity_ - first_slot,
          "slots to stage are linked already or beyond the reserved capacity");
  require(first_slot <= staged_end_, "slots to stage must follow those staged before");
}

// Where rows to stage go; slots there count from the result's late_first_ when it is late_rows_.
RowStore& SlotIndex::room_for_rows(std::int64_t first_slot, std::int64_t count) {
  if (rows_ != nullptr) return *rows_;
  if (late_rows_ == nullptr) late_rows_ = std::make_unique<RowStore>(shape_.metric, shape_.dim);
  // Of what is encoded the codes are enough.
  if (first_slot <= encoded_) late_first_ = first_slot;
  late_rows_->reserve(static_cast<std::size_t>(first_slot - late_first_ + count));
  return *late_rows_;
}

void SlotIndex::forget_from(std::int64_t slot) {
  staged_end_ = slot;
  encoded_ = std::min(encoded_, slot);
  if (assigned_.lists.empty()) return;
  const auto kept = static_cast<std::size_t>(std::max<std::int64_t>(encoded_ - assigned_.first_slot, 0));
  if (assigned_.lists.size() > kept) assigned_.lists.resize(kept);
}

void SlotIndex::count_staged(std::int64_t first_slot, std::int64_t count) {
  if (graph_ != nullptr) graph_->clear(static_cast<std::size_t>(first_slot), static_cast<std::size_t>(count));
  staged_end_ = first_slot + count;
  account();
}

void SlotIndex::stage(std::int64_t first_slot, const float* rows, std::int64_t count, std::int64_t* bad_row,
                      std::int32_t* bad_component) {
  check_stage(first_slot, count);
  RowStore& store = room_for_rows(first_slot, count);
  const std::int64_t at = rows_ != nullptr ? first_slot : first_slot - late_first_;
  forget_from(first_slot);
  BadRow bad;
  if (!store.stage(at, rows, count, bad)) {
    fail_stage(bad, store.rows().row(at + bad.row), bad_row, bad_component);
  }
  count_staged(first_slot, count);
}

bool SlotIndex::learnt_with(const SlotIndex& other) const {
  if (inverted_ == nullptr) return codec_ != nullptr && codec_ == other.codec_;
  return other.inverted_ != nullptr && inverted_->model() == other.inverted_->model();
}

void SlotIndex::stage_from(std::int64_t first_slot, const SlotIndex& source, const std::int32_t* slots,
                           std::int64_t count) {
  check_stage(first_slot, count);
  require(&source != this, "the source must be another index");
  require(!source.is_mapped(), "a view cannot be a source");
  require(source.shape_.metric == shape_.metric && source.shape_.dim == shape_.dim &&
              source.shape_.type == shape_.type,
          "the source has another metric, dimension or type");
  check_source_slots(slots, count, source.linked());
  if (source.rows_ == nullptr) {
    stage_codes(first_slot, source, slots, count);
  } else {
    RowStore& store = room_for_rows(first_slot, count);
    const std::int64_t at = rows_ != nullptr ? first_slot : first_slot - late_first_;
    forget_from(first_slot);
    store.stage_from(at, source.rows_->rows(), slots, count);
  }
  count_staged(first_slot, count);
}

void SlotIndex::stage_codes(std::int64_t first_slot, const SlotIndex& source, const std::int32_t* slots,
                            std::int64_t count) {
  require(rows_ == nullptr && learnt_with(source), "the source has codes alone: the index must be trained like it");
  require(encoded_ >= first_slot, "slots before those to stage have not been encoded");
  forget_from(first_slot);
  if (inverted_ == nullptr) {
    for (std::int64_t i = 0; i < count; ++i) std::memcpy(code(first_slot + i), source.code(slots[i]), code_bytes_);
  } else {
    if (assigned_.lists.empty()) assigned_.first_slot = first_slot;
    const auto held = static_cast<std::size_t>(first_slot - assigned_.first_slot);
    const auto all = held + static_cast<std::size_t>(count);
    assigned_.codes.resize(all * code_bytes_);
    assigned_.lists.resize(all);
    for (std::size_t i = held; i < all; ++i) {
      const Place from = source.place(slots[i - held]);
      assigned_.lists[i] = from.list;
      std::memcpy(&assigned_.codes[i * code_bytes_], source.inverted_->code(from.list, from.position), code_bytes_);
    }
  }
  encoded_ = first_slot + count;
}

// Of more rows than `most` a part chosen by the seed, each with the same probability, in the order given.
SlotIndex::Sample SlotIndex::sample_of(const float* rows, const std::int32_t* slots, std::int64_t count, bool stored,
                                       std::size_t most, const Stop& stop, std::int64_t* bad_row,
                                       std::int32_t* bad_component) const {
  const std::size_t dim = shape_.dim;
  const auto available = static_cast<std::size_t>(count);
  Sample sample;
  sample.count = std::min(available, most);
  sample.rows = rows;
  if (!stored || slots != nullptr || sample.count < available) {
    sample.copy.reset(new float[(sample.count + 1) * dim]);  // the last row is for those that are only checked
    StopWatch watch(stop, 4 * dim);
    std::size_t chosen = 0;
    double ignored_norm = 0;
    BadRow bad;
    for (std::size_t i = 0; i < available; ++i) {
      watch.passed(1);
      const double uniform = static_cast<double>(mixed(shape_.seed, i) >> 11) * 0x1p-53;  // [0, 1)
      const bool take = uniform * static_cast<double>(available - i) < static_cast<double>(sample.count - chosen);
      float* to = &sample.copy[(take ? chosen : sample.count) * dim];
      if (take) ++chosen;
      if (stored) {
        const std::size_t row = slots == nullptr ? i : static_cast<std::size_t>(slots[i]);
        if (take) std::memcpy(to, rows + row * dim, dim * sizeof(float));
      } else if (!store_row(shape_.metric, rows + i * dim, dim, to, ignored_norm, bad.component)) {
        bad.row = static_cast<std::int64_t>(i);
        fail_stage(bad, to, bad_row, bad_component);
      }
    }
    sample.rows = sample.copy.get();
  }
  const std::size_t components = sample.count * dim;
  sample.scaling = Scaling::for_rows(sample.rows, components, stop);
  if (!sample.scaling.is_identity()) {
    if (sample.copy == nullptr) {
      sample.copy.reset(new float[components]);
      std::copy_n(rows, components, sample.copy.get());
    }
    StopWatch watch(stop, dim);
    for (std::size_t i = 0; i < sample.count; ++i) {
      watch.passed(1);
      sample.scaling.apply_to(&sample.copy[i * dim], dim);
    }
    sample.rows = sample.copy.get();
  }
  return sample;
}

void SlotIndex::train(std::int32_t nlist, const float* rows, const std::int32_t* slots, std::int64_t row_count,
                      unsigned threads, const Stop& stop, std::int64_t* bad_row, std::int32_t* bad_component) {
  require(shape_.needs_training(), "an index of this type needs no training");
  require(!is_trained(), "the index is trained already");
  require(row_count >= 0 && (rows != nullptr || row_count <= staged_end_), "sample_count is beyond the staged rows");
  for (std::int64_t i = 0; rows == nullptr && slots != nullptr && i < row_count; ++i) {
    require(slots[i] >= 0 && slots[i] < staged_end_, "a slot to train on has not been staged");
  }
  std::unique_ptr<Codec> codec;
  std::size_t useful = 0;
  if (row_count == 0) {
    fail(PANVEC_INVALID_ARGUMENT, std::string(type_name(shape_.type)) + " needs at least 1 training row, not 0");
  }
  if (shape_.is_product() && row_count < (std::int64_t{1} << shape_.pq_bits)) {
    too_few_rows(shape_.type, "pqBits=" + std::to_string(shape_.pq_bits), std::int64_t{1} << shape_.pq_bits, row_count);
  }
  if (shape_.has_lists()) {
    require(nlist >= 1, "nlist must be at least 1");
    if (nlist > row_count) too_few_rows(shape_.type, "nlist=" + std::to_string(nlist), nlist, row_count);
    useful = kRowsPerCentroid * static_cast<std::size_t>(nlist);
  }
  if (shape_.is_product()) {
    auto product = std::make_unique<ProductCodec>(shape_.dim, shape_.pq_m, shape_.pq_bits);
    useful = std::max(useful, product->useful_rows());
    codec = std::move(product);
  } else if (shape_.is_lossy()) {
    auto scalar = std::make_unique<ScalarCodec>(shape_.dim);
    useful = std::max(useful, scalar->useful_rows());
    codec = std::move(scalar);
  }

  stop.check();
  const bool stored = rows == nullptr;
  std::unique_ptr<InvertedFile> inverted;
  Scaling scaling;
  on_own_thread([&] {
    const Sample sample =
        sample_of(stored ? rows_->rows().row(0) : rows, stored ? slots : nullptr, row_count, stored, useful, stop,
                  bad_row, bad_component);
    scaling = sample.scaling;
    if (shape_.has_lists()) {
      const ListContent content = shape_.type == IndexType::kIvfFlat  ? ListContent::kSlots
                                  : shape_.type == IndexType::kIvfSq8 ? ListContent::kScalarCodes
                                                                      : ListContent::kProductCodes;
      inverted = std::make_unique<InvertedFile>(std::make_shared<const ListModel>(
          shape_.metric, RowBatch{sample.rows, sample.count, shape_.dim}, scaling, static_cast<std::size_t>(nlist),
          content, CodecShape{shape_.pq_m, shape_.pq_bits}, !shape_.drops_rows(), threads, shape_.seed, stop));
    } else {
      codec->train(sample.rows, sample.count, threads, shape_.seed, stop);
    }
  });
  if (shape_.has_lists()) {
    inverted_ = std::move(inverted);
    list_count_.store(nlist, std::memory_order_relaxed);
  } else {
    codec_ = std::move(codec);
    scaling_ = scaling;
  }
  encoded_ = structured_.load(std::memory_order_relaxed);
  account();
  trained_.store(true, std::memory_order_release);
}

void SlotIndex::train_like(const SlotIndex& source) {
  require(&source != this, "the source must be another index");
  require(!source.is_mapped(), "a view cannot be a source");
  require(shape_.needs_training(), "an index of this type needs no training");
  require(source.shape_.metric == shape_.metric && source.shape_.dim == shape_.dim &&
              source.shape_.type == shape_.type && source.shape_.pq_m == shape_.pq_m &&
              source.shape_.pq_bits == shape_.pq_bits && source.shape_.keep_vectors == shape_.keep_vectors,
          "the source has another metric, dimension, type or other codes");
  require(!is_trained(), "the index is trained already");
  require(staged_end_ == 0 && linked() == 0, "the index has slots already");
  require(source.is_trained(), "the source is not trained");
  if (source.inverted_ != nullptr) {
    inverted_ = std::make_unique<InvertedFile>(source.inverted_->model());
    list_count_.store(source.list_count(), std::memory_order_relaxed);
  } else {
    codec_ = source.codec_;
    scaling_ = source.scaling_;
  }
  if (shape_.drops_rows()) rows_.reset();
  account();
  trained_.store(true, std::memory_order_release);
}

void SlotIndex::encode_slice(std::int64_t begin, std::int64_t end) {
  const auto count = static_cast<std::size_t>(end - begin);
  if (inverted_ != nullptr) {
    const auto at = static_cast<std::size_t>(begin - assigned_.first_slot);
    std::uint8_t* codes = assigned_.codes.data() + at * code_bytes_;
    inverted_->model()->encode(staged_row(begin), count, &assigned_.lists[at], codes);
    return;
  }
  std::vector<float> copy;
  const float* scaled = scaling_.apply(staged_row(begin), count * shape_.dim, copy);
  for (std::size_t i = 0; i < count; ++i) {
    codec_->encode(scaled + i * shape_.dim, code(begin + static_cast<std::int64_t>(i)));
  }
}

void SlotIndex::encode(std::int64_t end, unsigned threads, const Stop& stop) {
  if (!shape_.needs_training() || !is_trained() || end <= encoded_) return;
  require(end <= staged_end_, "slots to encode have not been staged");
  stop.check();
  const std::int64_t begin = encoded_;
  if (inverted_ != nullptr) {
    if (assigned_.lists.empty()) assigned_.first_slot = begin;
    const auto held = static_cast<std::size_t>(end - assigned_.first_slot);
    assigned_.codes.resize(held * code_bytes_);
    assigned_.lists.resize(held);
  }
  if (end - begin <= static_cast<std::int64_t>(ListModel::most_without_blas())) {
    encode_slice(begin, end);
  } else {
    const std::int64_t slice =
        rows_per_slice(inverted_ != nullptr ? inverted_->model()->products_per_row() : codec_->products_per_row());
    const auto slices = [&] {
      parallel_slices(end - begin, slice, threads, stop,
                      [&](std::int64_t from, std::int64_t to, unsigned) { encode_slice(begin + from, begin + to); });
    };
    if (inverted_ != nullptr) {
      on_own_thread(slices);
    } else {
      slices();
    }
  }
  encoded_ = end;
  account();
}

std::unique_ptr<SlotDistances> SlotIndex::link_distances() const {
  if (codec_ != nullptr) {
    return std::make_unique<CodeDistances>(static_cast<const ScalarCodec&>(*codec_), shape_.metric, level_, code(0));
  }
  const RowSpace space = row_space();
  return std::make_unique<RowDistances>(space.rows, space.kernel(), shape_.metric == Metric::kL2);
}

// Makes slots up to `end` part of the structure; how many are, also when this throws. A slot that fails in a graph is
// counted: it can be linked again, or be given up.
std::int64_t SlotIndex::extend(std::int64_t end, unsigned threads, const std::int32_t* yield,
                               std::int64_t slice_nanos) {
  const std::int64_t begin = structured_.load(std::memory_order_relaxed);
  if (graph_ != nullptr) {
    std::int64_t done = 0;
    const bool backlog = begin < linked();
    try {
      graph_->link(begin, end - begin, threads, yield, slice_nanos, [this] { return link_distances(); }, done);
    } catch (...) {
      // The backlog's slots are published: they are linked again, until all are.
      if (!backlog) structured_.store(begin + done, std::memory_order_relaxed);
      throw;
    }
    structured_.store(begin + done, std::memory_order_relaxed);
  } else if (inverted_ != nullptr) {
    constexpr std::int64_t slots_per_look = 256;
    using Clock = std::chrono::steady_clock;
    const auto start = Clock::now();
    auto* places = reinterpret_cast<Place*>(places_.data());
    for (std::int64_t slot = begin; slot < end; ++slot) {
      const auto at = static_cast<std::size_t>(slot - assigned_.first_slot);
      const std::uint32_t list = assigned_.lists[at];
      const std::size_t position =
          inverted_->append(list, static_cast<std::uint32_t>(slot), assigned_.codes.data() + at * code_bytes_);
      if (places != nullptr) places[slot] = {list, static_cast<std::uint32_t>(position)};
      structured_.store(slot + 1, std::memory_order_relaxed);
      if (yield != nullptr && (slot + 1 - begin) % slots_per_look == 0 &&
          __atomic_load_n(yield, __ATOMIC_RELAXED) != 0 && (Clock::now() - start).count() >= slice_nanos) {
        break;
      }
    }
  } else {
    structured_.store(end, std::memory_order_relaxed);
  }
  return structured_.load(std::memory_order_relaxed);
}

void SlotIndex::link(std::int64_t first_slot, std::int64_t count, unsigned threads, const std::int32_t* yield,
                     std::int64_t slice_nanos, std::int64_t& linked) {
  linked = 0;
  slice_nanos = slice_within_a_day(slice_nanos);
  require(first_slot == this->linked(), "linking must go on at the first slot that is not linked");
  require(count >= 0 && count <= staged_end_ - first_slot, "slots to link have not been staged");
  const std::int64_t end = first_slot + count;
  if (!is_trained()) {
    linked_.store(end, std::memory_order_relaxed);
    linked = count;
    return;
  }
  require(!shape_.needs_training() || encoded_ >= end, "slots to link have not been encoded");
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  if (backlog() > 0) {
    if (extend(first_slot, threads, yield, slice_nanos) < first_slot) {
      account();
      return;
    }
    slice_nanos = std::max<std::int64_t>(slice_nanos - (Clock::now() - start).count(), 0);
  }
  const auto count_linked = [&] {
    const std::int64_t reached = structured_.load(std::memory_order_relaxed);
    linked_.store(reached, std::memory_order_relaxed);
    linked = reached - first_slot;
    drop_rows_if_done();
    account();
  };
  try {
    extend(end, threads, yield, slice_nanos);
  } catch (...) {
    count_linked();
    throw;
  }
  count_linked();
}

void SlotIndex::drop_rows_if_done() {
  constexpr std::size_t worth_freeing = 1 << 16;
  if (encoded_ < staged_end_ && shape_.needs_training()) return;
  if (linked() == encoded_) {
    assigned_.lists.clear();
    assigned_.codes.clear();
    if (assigned_.codes.capacity() + assigned_.lists.capacity() > worth_freeing) assigned_ = Assigned();
  }
  if (!shape_.drops_rows()) return;
  rows_.reset();
  if (linked() == staged_end_) late_rows_.reset();
}

void SlotIndex::decode(std::int64_t slot, float* row) const {
  if (slot >= structured_.load(std::memory_order_relaxed)) {
    std::fill(row, row + shape_.dim, 0.0f);
  } else if (rows_in_lists_) {
    const Place at = place(slot);
    std::memcpy(row, inverted_->code(at.list, at.position), shape_.dim * sizeof(float));
  } else if (inverted_ != nullptr) {
    const Place at = place(slot);
    inverted_->model()->decode(at.list, inverted_->code(at.list, at.position), row);
  } else {
    codec_->decode(code(slot), row);
    scaling_.undo(row, shape_.dim);
  }
}

void SlotIndex::copy_row(std::int64_t slot, float* row) const {
  if (rows_in_lists_ && slot >= 0 && slot < capacity_) {
    decode(slot, row);
  } else {
    panvec::copy_row(row_space(), slot, row);
  }
}

std::size_t SlotIndex::scan_codes(const SlotVersion& version, const float* query, std::size_t most,
                                  Scratch& scratch, StopWatch& watch) const {
  if (shape_.type == IndexType::kSq8) {
    const auto& scalar = static_cast<const ScalarCodec&>(*codec_);
    return scan(ScalarCodes(scalar, shape_.metric, level_, code(0), query, scratch), version, most, scratch, watch);
  }
  const faiss::ProductQuantizer& quantizer = static_cast<const ProductCodec&>(*codec_).quantizer();
  float* table = scratch.row(quantizer.M * quantizer.ksub);
  if (shape_.metric == Metric::kL2) {
    quantizer.compute_distance_table(query, table);
  } else {
    quantizer.compute_inner_prod_table(query, table);
  }
  if (quantizer.nbits == 8) {
    const ProductCodes<faiss::PQDecoder8> codes(quantizer, table, shape_.metric, code(0));
    return scan(codes, version, most, scratch, watch);
  }
  const ProductCodes<faiss::PQDecoderGeneric> codes(quantizer, table, shape_.metric, code(0));
  return scan(codes, version, most, scratch, watch);
}

// The candidates of a lossy type or a graph, ascending by rank; how many.
std::size_t SlotIndex::rank(const SlotVersion& version, const float* query, std::size_t wanted, std::size_t considered,
                            const SearchWidth& width, Scratch& scratch, StopWatch& watch,
                            const Candidate*& best) const {
  const std::int64_t linked = structured_.load(std::memory_order_relaxed);
  if (shape_.type == IndexType::kHnsw) {
    const auto ef = static_cast<std::size_t>(
        std::min(std::max(width.ef_search, static_cast<std::int64_t>(wanted)), linked));
    const auto walk = [&](const auto& view) {
      return walk_rows(view, row_space(), query, version, graph_->reachable(), ef, scratch, watch, best);
    };
    return graph_->is_mapped() ? walk(graph_->mapped_view()) : walk(graph_->view());
  }
  std::vector<float> copy;
  const float* scaled = scaling().apply(query, shape_.dim, copy);
  if (shape_.type == IndexType::kHnswSq8) {
    const auto ef = static_cast<std::size_t>(
        std::min(std::max(width.ef_search, static_cast<std::int64_t>(considered)), linked));
    const ScalarCodes codes(static_cast<const ScalarCodec&>(*codec_), shape_.metric, level_, code(0), scaled, scratch);
    const auto walk = [&](const auto& view) {
      return walk_graph(view, codes, version, graph_->reachable(), ef, scratch, watch, best);
    };
    return graph_->is_mapped() ? walk(graph_->mapped_view()) : walk(graph_->view());
  }
  const std::size_t found = inverted_ != nullptr
                                ? inverted_->search(scaled, width.lists(), considered, version, linked, scratch, watch)
                                : scan_codes(version, scaled, considered, scratch, watch);
  best = scratch.admitted.data();
  return found;
}

// The rows of the nearest lists, where they lie: one scan of each list, whose slots are its positions.
void SlotIndex::scan_lists(const SlotVersion& version, const float* query, const std::int64_t* const* id_pages,
                           std::size_t nprobe, const TopK& top, Scratch& scratch, StopWatch& watch) const {
  const ListModel& model = *inverted_->model();
  const InvertedLists& lists = inverted_->lists();
  std::vector<float> copy;
  const float* scaled = model.scaling().apply(query, shape_.dim, copy);
  const std::size_t probes = model.nearest_lists(scaled, nprobe, scratch, watch);
  const RowSpace space = row_space();
  std::vector<std::int64_t> ids;
  std::vector<const std::int64_t*> pages;
  std::vector<std::uint32_t>& positions = scratch.neighbours;
  for (std::size_t i = 0; i < probes; ++i) {
    const std::uint32_t list = scratch.candidates[i].slot;
    const std::size_t size = lists.size(list);
    if (size == 0) continue;
    ids.resize(size);
    positions.clear();
    std::uint32_t position = 0;
    lists.visit(list, [&](const std::uint32_t* slots, const std::uint8_t*, std::size_t count) {
      for (std::size_t j = 0; j < count; ++j, ++position) {
        if (!version(slots[j])) continue;
        ids[position] = id_of(id_pages, slots[j]);
        positions.push_back(position);
      }
    });
    pages.clear();
    for (std::size_t first = 0; first < size; first += kSlotsPerPage) pages.push_back(&ids[first]);
    const SlotRows rows{reinterpret_cast<const char*>(lists.code(list, 0)), shape_.dim * sizeof(float), shape_.dim};
    ExactScan scan(space.metric, space.level, rows, space.max_row_norm, query, pages.data(), top);
    const auto* listed = reinterpret_cast<const std::int32_t*>(positions.data());
    in_steps(static_cast<std::int64_t>(positions.size()), watch,
             [&](std::int64_t from, std::int64_t to) { scan.list(listed + from, to - from); });
  }
}

void SlotIndex::search(const SlotVersion& version, const std::int64_t* const* id_pages, const float* query,
                       std::int32_t k, const SearchWidth& width, const Stop& stop, const SearchResult& result) const {
  *result.count = 0;
  require(k >= 1, "k must be at least 1");
  require(version.slot_count >= 0 && version.slot_count <= capacity_, "slot_count is beyond the reserved capacity");
  const ScratchPool::Lease lease = scratch_.take();
  Scratch& scratch = *lease;
  const float* checked = checked_query(shape_.metric, shape_.dim, query, scratch);
  // No list is longer than the slots are many, whatever k is.
  const std::int64_t wanted = std::min<std::int64_t>(k, version.slot_count);
  stop.check();
  if (wanted == 0 || version.slot_count > structured_.load(std::memory_order_relaxed)) return;

  const RowSpace space = row_space();
  StopWatch watch(stop, shape_.dim);
  if (shape_.type == IndexType::kFlat || shape_.type == IndexType::kIvfFlat) {
    std::int32_t count = 0;
    TopK top(result.ids, result.distances, &count, k);
    if (rows_in_lists_) {
      scan_lists(version, checked, id_pages, width.lists(), top, scratch, watch);
      top.sort();
      *result.count = count;
      return;
    }
    ExactScan scan(space.metric, space.level, space.rows, space.max_row_norm, checked, id_pages, top);
    if (shape_.type == IndexType::kFlat) {
      in_steps(version.slot_count, watch,
               [&](std::int64_t from, std::int64_t to) { scan.range(from, to, version.set); });
    } else {
      std::vector<float> copy;
      const float* scaled = inverted_->model()->scaling().apply(checked, shape_.dim, copy);
      const std::size_t found = inverted_->collect(scaled, width.lists(), version,
                                                   structured_.load(std::memory_order_relaxed), scratch, watch);
      const auto* slots = reinterpret_cast<const std::int32_t*>(scratch.neighbours.data());
      in_steps(static_cast<std::int64_t>(found), watch,
               [&](std::int64_t from, std::int64_t to) { scan.list(slots + from, to - from); });
    }
    top.sort();
    *result.count = count;
    return;
  }
  if (graph_ != nullptr && graph_->max_level() < 0) return;
  const std::int64_t factor = shape_.is_lossy() ? std::max<std::int64_t>(width.refine_factor, 1) : 1;
  const auto considered = static_cast<std::size_t>(std::min(wanted * factor, version.slot_count));
  const Candidate* best = nullptr;
  const std::size_t found =
      rank(version, checked, static_cast<std::size_t>(wanted), considered, width, scratch, watch, best);
  *result.count = static_cast<std::int32_t>(report(space, checked, id_pages, best, found, considered,
                                                   static_cast<std::size_t>(wanted), scratch, watch,
                                                   result.ids, result.distances));
}

}  // namespace panvec
