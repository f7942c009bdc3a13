// What of an index is saved, and how it comes back: as FAISS's own index of the same kind, whose ids are slots.
#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "clustering.hpp"
#include "index_file.hpp"
#include "panvec_status.h"
#include "slot_index.hpp"
#include "status.hpp"

namespace panvec {
namespace {

constexpr std::uint32_t kNowhere = 0xFFFFFFFF;
// What an index with lists is said to have of them before it is trained, so that FAISS could train it.
constexpr std::uint64_t kListsBeforeTraining = 1;

const char* file_name(const IndexShape& shape) {
  switch (shape.type) {
    case IndexType::kHnsw: return "IHNf";
    case IndexType::kHnswSq8: return "IHNs";
    case IndexType::kIvfFlat: return "IwFl";
    case IndexType::kIvfSq8: return "IwSq";
    case IndexType::kIvfPq: return "IwPQ";
    case IndexType::kPq: return "IxPq";
    case IndexType::kSq8: return "IxSQ";
    case IndexType::kFlat: break;
  }
  return shape.metric == Metric::kL2 ? "IxF2" : "IxFI";
}

ListContent content_of(const IndexShape& shape) {
  return shape.type == IndexType::kIvfFlat  ? ListContent::kSlots
         : shape.type == IndexType::kIvfSq8 ? ListContent::kScalarCodes
                                            : ListContent::kProductCodes;
}

std::unique_ptr<Codec> empty_codec(const IndexShape& shape) {
  if (shape.is_product()) return std::make_unique<ProductCodec>(shape.dim, shape.pq_m, shape.pq_bits);
  if (shape.is_lossy()) return std::make_unique<ScalarCodec>(shape.dim);
  return nullptr;
}

// Bytes of an entry of a list in the file: where Panvec keeps slots alone, FAISS has the rows.
std::size_t entry_bytes(const IndexShape& shape, std::size_t code_bytes) {
  return shape.type == IndexType::kIvfFlat ? shape.dim * sizeof(float) : code_bytes;
}

}  // namespace

// ---------------------------------------------------------------------------------------------------------------------
// Writing

std::unique_ptr<FileSaver> SlotIndex::saver(std::int32_t file, std::int64_t slot_count) const {
  require(file == PANVEC_FILE_GRAPH || (file == PANVEC_FILE_ROWS && shape_.needs_training()), "there is no such file");
  require(slot_count >= 0 && slot_count <= linked(), "slots to save are not linked");
  auto parts = std::make_unique<FileParts>();
  if (file == PANVEC_FILE_ROWS) {
    require(rows_ != nullptr, "the index keeps no float32 rows");
    // Held, since an index that has been trained meanwhile may drop them.
    parts->add_units(static_cast<std::size_t>(slot_count), shape_.dim * sizeof(float),
                     [rows = std::shared_ptr<const RowStore>(rows_)] { return rows->rows().first; });
  } else if (mapped_graph_ != nullptr) {
    require(slot_count == linked(), "a view is saved as a whole");
    parts->add_bytes(mapped_graph_, mapped_bytes_);
  } else {
    save_graph(*parts, slot_count);
  }
  return parts;
}

// What is said of slots is said of those that are part of the structure now; what was learnt does not change any more.
void SlotIndex::save_graph(FileParts& file, std::int64_t slot_count) const {
  IndexHeader header;
  header.trained = is_trained();
  header.count = std::min(slot_count, structured_.load(std::memory_order_relaxed));
  if (header.trained && shape_.needs_training()) header.exponent = scaling().exponent();
  const auto count = static_cast<std::size_t>(header.count);
  const std::shared_ptr<const Codec> codec =
      header.trained ? codec_ : std::shared_ptr<const Codec>(empty_codec(shape_));
  const auto save_rows = [&] {
    put_flat_header(file, shape_.metric, shape_.dim, header.count);
    file.add_units(count, shape_.dim * sizeof(float), [this] { return rows_->rows().first; });
  };
  const auto save_codes = [&] {
    codec->save(file, codec);
    file.put<std::uint64_t>(count * code_bytes_);
    file.add_units(count, code_bytes_, [this] { return reinterpret_cast<const char*>(code(0)); });
  };

  if (shape_.type == IndexType::kFlat) {
    save_rows();
    return;
  }
  file.put_name(file_name(shape_));
  header.write(file, shape_.metric, shape_.dim);
  if (graph_ != nullptr) graph_->save(file, count);
  switch (shape_.type) {
    case IndexType::kHnsw:
      save_rows();
      break;
    case IndexType::kHnswSq8:
      file.put_name("IxSQ");
      header.write(file, shape_.metric, shape_.dim);
      save_codes();
      break;
    case IndexType::kSq8:
      save_codes();
      break;
    case IndexType::kPq:
      save_codes();
      file.put<std::int32_t>(0);  // how FAISS is to search it: by all codes
      file.put<std::uint8_t>(0);
      file.put<std::int32_t>(static_cast<std::int32_t>(shape_.pq_bits * shape_.pq_m + 1));
      break;
    default:
      save_lists(file, header, codec);
  }
}

void SlotIndex::save_lists(FileParts& file, const IndexHeader& header, std::shared_ptr<const Codec> untrained) const {
  const std::shared_ptr<const ListModel> model = header.trained ? inverted_->model() : nullptr;
  const std::size_t lists = model == nullptr ? 0 : model->list_count();
  file.put<std::uint64_t>(model == nullptr ? kListsBeforeTraining : lists);
  file.put<std::uint64_t>(1);  // nprobe, for FAISS
  put_flat_header(file, shape_.metric, shape_.dim, static_cast<std::int64_t>(lists));
  if (model != nullptr) {
    file.add_bytes(reinterpret_cast<const char*>(model->centroids()), lists * shape_.dim * sizeof(float), model);
  }
  file.put<std::uint8_t>(0);  // no map from ids to places
  file.put<std::uint64_t>(0);
  const bool by_residual = true;
  const auto save_codec = [&] {
    if (model == nullptr) {
      untrained->save(file, untrained);
    } else {
      model->codec()->save(file, model);
    }
  };
  if (shape_.type == IndexType::kIvfSq8) {
    save_codec();
    file.put<std::uint64_t>(code_bytes_);
    file.put<std::uint8_t>(by_residual);
  } else if (shape_.type == IndexType::kIvfPq) {
    file.put<std::uint8_t>(by_residual);
    file.put<std::uint64_t>(code_bytes_);
    save_codec();
  }
  const std::size_t each = entry_bytes(shape_, code_bytes_);
  std::vector<std::uint64_t> sizes(std::max<std::size_t>(lists, kListsBeforeTraining));
  for (std::size_t list = 0; list < lists; ++list) {
    sizes[list] = inverted_->lists().size_below(list, static_cast<std::uint32_t>(header.count));
  }
  put_list_sizes(file, sizes, each);
  file.add([this, each, sizes = std::move(sizes), list = std::size_t{0}, done = std::size_t{0}, ids = false](
               char* room, std::size_t capacity) mutable {
    std::size_t written = 0;
    while (list < sizes.size()) {
      if (done == sizes[list]) {
        done = 0;
        if (ids) ++list;
        ids = !ids;
        continue;
      }
      if (capacity - written < std::max(each, sizeof(std::int64_t))) break;
      const std::int64_t slot = inverted_->lists().slot(list, done);
      if (ids) {
        std::memcpy(room + written, &slot, sizeof slot);
        written += sizeof slot;
      } else {
        const void* entry = shape_.type == IndexType::kIvfFlat
                                ? static_cast<const void*>(rows_->rows().row(slot))
                                : inverted_->lists().code(list, done);
        std::memcpy(room + written, entry, each);
        written += each;
      }
      ++done;
    }
    return written;
  });
}

// ---------------------------------------------------------------------------------------------------------------------
// Reading

// What is in a file, its sizes checked.
struct SlotIndex::Saved {
  IndexHeader header;
  bool has_rows = true;        // by slot; otherwise they are in lists, or have been dropped
  const char* rows = nullptr;
  const char* codes = nullptr;  // by slot
  SavedLinks links;
  std::unique_ptr<Codec> codec;
  const char* centroids = nullptr;
  std::size_t list_count = 0;
  std::vector<SavedList> lists;

  std::size_t count() const { return static_cast<std::size_t>(header.count); }
};

SlotIndex::Saved SlotIndex::find(FileBytes file, std::int64_t slot_count) const {
  Saved saved;
  saved.codec = empty_codec(shape_);
  const auto find_codes = [&] {
    saved.codec->load(file, saved.header.trained);
    saved.codes = take_vector(file, "the bytes of its codes", saved.count() * code_bytes_, 1);
  };
  if (shape_.type == IndexType::kFlat) {
    saved.header.count = slot_count;
    saved.rows = take_flat(file, shape_.metric, shape_.dim, static_cast<std::uint64_t>(slot_count));
    file.expect_end();
    return saved;
  }
  expect_name(file, file_name(shape_));
  saved.header = IndexHeader::read(file, shape_.metric, shape_.dim);
  const IndexHeader& header = saved.header;
  // Slots that came before a training may be missing.
  const std::int64_t least = shape_.needs_training() ? 0 : slot_count;
  const std::int64_t most = header.trained ? slot_count : 0;
  if (header.count < least || header.count > most) {
    FileBytes::corrupt_number("the number of rows", std::to_string(header.count), std::to_string(most));
  }
  if (!header.trained && !shape_.needs_training()) FileBytes::corrupt("says that it is not trained");
  if (header.exponent != 0 && !(header.trained && shape_.needs_training())) {
    FileBytes::corrupt("says that its rows were scaled");
  }
  if (graph_ != nullptr) saved.links = graph_->find(file, saved.count());
  switch (shape_.type) {
    case IndexType::kHnsw:
      saved.rows = take_flat(file, shape_.metric, shape_.dim, saved.count());
      break;
    case IndexType::kHnswSq8: {
      expect_name(file, "IxSQ");
      const IndexHeader codes = IndexHeader::read(file, shape_.metric, shape_.dim);
      if (codes.count != header.count || codes.trained != header.trained || codes.exponent != header.exponent) {
        FileBytes::corrupt("has other codes than links");
      }
      find_codes();
      break;
    }
    case IndexType::kSq8:
      find_codes();
      break;
    case IndexType::kPq:
      find_codes();
      file.take<std::int32_t>();  // how FAISS is to search it
      file.take<std::uint8_t>();
      file.take<std::int32_t>();
      break;
    default:
      find_lists(file, saved);
  }
  file.expect_end();
  return saved;
}

void SlotIndex::find_lists(FileBytes& file, Saved& saved) const {
  const auto lists = file.take<std::uint64_t>();
  // A number of lists is an int32 here.
  if (lists < 1 || lists > 0x7FFFFFFF || (!saved.header.trained && lists != kListsBeforeTraining)) {
    FileBytes::corrupt("has " + std::to_string(lists) + " lists");
  }
  file.take<std::uint64_t>();  // nprobe
  saved.centroids = take_flat(file, shape_.metric, shape_.dim, saved.header.trained ? lists : 0);
  if (file.take<std::uint8_t>() != 0) FileBytes::corrupt("has a map of its rows, which Panvec's have not");
  file.expect<std::uint64_t>("the size of the map of its rows", 0);
  const auto expect_residuals = [&] {
    if (!take_bool(file, "whether codes are of residuals")) FileBytes::corrupt("has codes of rows, not of residuals");
  };
  if (shape_.type == IndexType::kIvfSq8) {
    saved.codec->load(file, saved.header.trained);
    file.expect<std::uint64_t>("the bytes of a code", code_bytes_);
    expect_residuals();
  } else if (shape_.type == IndexType::kIvfPq) {
    expect_residuals();
    file.expect<std::uint64_t>("the bytes of a code", code_bytes_);
    saved.codec->load(file, saved.header.trained);
  }
  saved.list_count = lists;
  saved.lists = take_lists(file, lists, entry_bytes(shape_, code_bytes_), saved.count());
}

// Where each slot is, in `places`. Refuses lists that have not each of the first slots once.
void SlotIndex::find_places(const Saved& saved, GrowingBlock& places) const {
  places.grow(std::max<std::size_t>(saved.count(), 1) * sizeof(Place));
  auto* found = reinterpret_cast<Place*>(places.data());
  std::fill(found, found + saved.count(), Place{kNowhere, 0});
  const std::size_t each = entry_bytes(shape_, code_bytes_);
  for (std::size_t list = 0; list < saved.lists.size(); ++list) {
    for (std::uint64_t position = 0; position < saved.lists[list].size; ++position) {
      const std::int64_t id = saved.lists[list].id(each, position);
      const auto where = [&] { return " in list " + std::to_string(list); };
      if (id < 0 || id >= saved.header.count) {
        FileBytes::corrupt("has row " + std::to_string(id) + where() + ", which is not there");
      }
      if (found[id].list != kNowhere) FileBytes::corrupt("has row " + std::to_string(id) + " twice, also" + where());
      found[id] = {static_cast<std::uint32_t>(list), static_cast<std::uint32_t>(position)};
    }
  }
}

void SlotIndex::open(const SavedIndex& from, std::int64_t slot_count, double max_row_norm, bool as_view) {
  require(slot_count >= 0, "slot_count is negative");
  require(capacity_ == 0 && staged_end_ == 0 && mapped_graph_ == nullptr && is_trained() != shape_.needs_training(),
          "the index is not empty");
  Saved saved = find(FileBytes(from.graph, from.graph_bytes), slot_count);
  const bool complete = saved.header.trained && saved.header.count == slot_count;
  const bool separate_rows = shape_.needs_training() && (!complete || (shape_.is_lossy() && shape_.keep_vectors));
  if (!shape_.needs_training() && from.rows_bytes != 0) FileBytes::corrupt("has float32 rows in it and beside it");
  const std::uint64_t row_bytes = shape_.dim * sizeof(float);
  const std::uint64_t rows_bytes = static_cast<std::uint64_t>(slot_count) * row_bytes;
  if ((separate_rows || from.rows_bytes != 0) && static_cast<std::uint64_t>(from.rows_bytes) != rows_bytes) {
    FileBytes::corrupt("has " + std::to_string(slot_count) + " float32 rows beside it, which are " +
                       std::to_string(rows_bytes) + " bytes, not " + std::to_string(from.rows_bytes));
  }

  const Scaling scaling = Scaling::of_exponent(saved.header.exponent);
  std::shared_ptr<const ListModel> model;
  if (saved.header.trained && shape_.has_lists()) {
    on_own_thread([&] {
      model = std::make_shared<const ListModel>(shape_.metric, shape_.dim, saved.centroids, saved.list_count, as_view,
                                                scaling, std::move(saved.codec), content_of(shape_),
                                                !as_view && !shape_.drops_rows());
    });
    list_count_.store(static_cast<std::int32_t>(saved.list_count), std::memory_order_relaxed);
  } else if (saved.header.trained && shape_.needs_training()) {
    codec_ = std::move(saved.codec);
    scaling_ = scaling;
  }

  if (shape_.needs_training()) {
    saved.rows = separate_rows ? from.rows : nullptr;
    saved.has_rows = separate_rows;
  }
  max_row_norm_ = max_row_norm;
  if (as_view) {
    map(saved, model);
    mapped_graph_ = from.graph;
    mapped_bytes_ = static_cast<std::size_t>(from.graph_bytes);
    capacity_ = slot_count;
  } else {
    load(saved, model, slot_count);
  }
  structured_.store(saved.header.count, std::memory_order_relaxed);
  encoded_ = shape_.needs_training() ? saved.header.count : 0;
  staged_end_ = slot_count;
  linked_.store(slot_count, std::memory_order_relaxed);
  account();
  trained_.store(saved.header.trained, std::memory_order_release);
}

void SlotIndex::map(Saved& saved, const std::shared_ptr<const ListModel>& model) {
  if (saved.has_rows) {
    rows_->map(saved.rows, max_row_norm_);
  } else {
    rows_.reset();
    rows_in_lists_ = shape_.type == IndexType::kIvfFlat;
  }
  if (graph_ != nullptr) graph_->map(saved.links);
  mapped_codes_ = reinterpret_cast<const std::uint8_t*>(saved.codes);
  if (model == nullptr) return;
  GrowingBlock checked;
  find_places(saved, rows_ == nullptr ? places_ : checked);
  inverted_ = std::make_unique<InvertedFile>(
      model, InvertedLists(std::move(saved.lists), entry_bytes(shape_, code_bytes_)));
}

void SlotIndex::load(const Saved& saved, const std::shared_ptr<const ListModel>& model, std::int64_t slot_count) {
  const bool rows_in_lists = !saved.has_rows && shape_.type == IndexType::kIvfFlat;
  if (saved.has_rows) {
    rows_->load(saved.rows, static_cast<std::size_t>(slot_count), max_row_norm_);
  } else if (rows_in_lists) {
    rows_->load(nullptr, 0, max_row_norm_);
  } else {
    rows_.reset();
  }
  if (graph_ != nullptr) graph_->load(saved.links);
  reserve(static_cast<std::size_t>(slot_count));
  if (graph_ != nullptr) graph_->clear(saved.count(), static_cast<std::size_t>(slot_count) - saved.count());
  if (saved.codes != nullptr && saved.count() > 0) std::memcpy(code(0), saved.codes, saved.count() * code_bytes_);
  if (model == nullptr) return;

  GrowingBlock read;
  find_places(saved, read);
  inverted_ = std::make_unique<InvertedFile>(model);
  const std::size_t each = entry_bytes(shape_, code_bytes_);
  auto* places = reinterpret_cast<Place*>(places_.data());
  for (std::size_t slot = 0; slot < saved.count(); ++slot) {
    const Place from = reinterpret_cast<const Place*>(read.data())[slot];
    const char* codes = saved.lists[from.list].codes;
    const std::size_t position =
        inverted_->append(from.list, static_cast<std::uint32_t>(slot),
                          reinterpret_cast<const std::uint8_t*>(codes) + from.position * each);
    if (places != nullptr) places[slot] = {from.list, static_cast<std::uint32_t>(position)};
    if (rows_in_lists) {
      const auto at = static_cast<std::int32_t>(from.position);
      rows_->stage_from(static_cast<std::int64_t>(slot), {codes, each, shape_.dim}, &at, 1);
    }
  }
}

}  // namespace panvec
