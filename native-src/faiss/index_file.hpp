// FAISS's own file (faiss::write_index), piece by piece and in memory: what its indexes have in common, and its parts.
// Numbers are little-endian and not aligned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "panvec_kernels.hpp"
#include "saved_file.hpp"

namespace panvec {

// Number `i` of those at `numbers`, which need not be aligned.
template <typename T>
T number_at(const char* numbers, std::uint64_t i) {
  T value;
  std::memcpy(&value, numbers + i * sizeof value, sizeof value);
  return value;
}

// ---------------------------------------------------------------------------------------------------------------------
// Writing

// One part of a file after the other.
class FileParts final : public FileSaver {
 public:
  // The largest unit that a part does not split: a row of 65,536 components.
  static constexpr std::size_t kLargestUnit = std::size_t{256} << 10;
  static_assert(kLargestUnit <= kLeastRoom, "a piece has room for every unit");

  // The part's next bytes into a room of at least kLargestUnit; how many, 0 at its end.
  using Part = std::function<std::size_t(char* room, std::size_t capacity)>;

  std::size_t next(char* room, std::size_t capacity) override;

  // Numbers and text, gathered until another part follows.
  template <typename T>
  void put(const T& value) {
    text_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void put_name(const char* fourcc) { text_.append(fourcc, 4); }
  template <typename T>
  void put_vector(const std::vector<T>& values) {
    put<std::uint64_t>(values.size());
    text_.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  }
  void add(Part part);
  // Bytes that stay where they are as long as `owner` does.
  void add_bytes(const char* bytes, std::size_t count, std::shared_ptr<const void> owner = nullptr);
  void add_zeros(std::size_t count);
  // `count` units of `each` bytes, one after the other from first() on; where that is may change between two pieces.
  void add_units(std::size_t count, std::size_t each, std::function<const char*()> first);

 private:
  void flush();

  std::string text_;
  std::vector<Part> parts_;
  std::size_t at_ = 0;
};

// ---------------------------------------------------------------------------------------------------------------------
// Reading

struct SavedNumbers {
  const char* first = nullptr;
  std::uint64_t count = 0;
};

// A vector of units of so many bytes each.
SavedNumbers take_vector(FileBytes& file, std::size_t each);
// The same where it can only have so many.
const char* take_vector(FileBytes& file, const char* what, std::uint64_t count, std::size_t each);
void expect_name(FileBytes& file, const char* fourcc);
// Refuses anything but 0 and 1.
bool take_bool(FileBytes& file, const char* what);
// A copy, aligned, of numbers that are all finite.
std::vector<float> finite_floats(const char* what, const char* numbers, std::uint64_t count);

// ---------------------------------------------------------------------------------------------------------------------
// What every index begins with. FAISS ignores two of its numbers, which were dummies from the start; the first of them
// tells by which power of two rows were scaled (Scaling), and is as FAISS writes it when they were not.
struct IndexHeader {
  std::int64_t count = 0;
  bool trained = true;
  int exponent = 0;

  void write(FileParts& file, Metric metric, std::size_t dim) const;
  static IndexHeader read(FileBytes& file, Metric metric, std::size_t dim);
};

// What of an index Panvec does not choose: as FAISS sets it.
void put_flat_header(FileParts& file, Metric metric, std::size_t dim, std::int64_t count);
// The rows, checked to be `count`; where they are.
const char* take_flat(FileBytes& file, Metric metric, std::size_t dim, std::uint64_t count);

// A list of an inverted file: codes, then int64 ids.
struct SavedList {
  const char* codes = nullptr;
  std::uint64_t size = 0;

  std::uint32_t slot(std::size_t code_bytes, std::uint64_t position) const {
    return static_cast<std::uint32_t>(id(code_bytes, position));
  }
  std::int64_t id(std::size_t code_bytes, std::uint64_t position) const {
    return number_at<std::int64_t>(codes + size * code_bytes, position);
  }
};

// Their sizes, as FAISS notes them: full, or sparse when most are empty.
void put_list_sizes(FileParts& file, const std::vector<std::uint64_t>& sizes, std::size_t code_bytes);
// Refuses lists that do not have `count` entries in all.
std::vector<SavedList> take_lists(FileBytes& file, std::uint64_t lists, std::size_t code_bytes, std::uint64_t count);

}  // namespace panvec
