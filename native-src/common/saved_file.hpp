// Files of indexes: written piece by piece, read from memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

#include "status.hpp"

namespace panvec {

// Writes one file, in order, as somebody asks for the next piece. Between two pieces rows may be added to the index; what
// is written is about the slots that there were at first.
class FileSaver {
 public:
  // Pieces at least this large hold any unit that is not split, whatever the dimension.
  static constexpr std::size_t kLeastRoom = std::size_t{1} << 20;

  FileSaver() = default;
  FileSaver(const FileSaver&) = delete;
  FileSaver& operator=(const FileSaver&) = delete;
  virtual ~FileSaver() = default;

  // The next bytes into `room` (at least kLeastRoom of them); how many, 0 at the end.
  virtual std::size_t next(char* room, std::size_t capacity) = 0;

 protected:
  // What next returns: that a unit does not fit is not the end.
  static std::size_t piece(std::size_t written, bool all) {
    if (written == 0 && !all) fail(PANVEC_NATIVE, "a part of the file is larger than the room for it");
    return written;
  }
};

// No graph that we read has more: layers are drawn from random numbers of 53 bits, and each is at most half as likely as
// the one below.
constexpr int kHighestLayer = 63;

// panvec_x_save_next, but for its arguments.
inline std::int64_t save_next(FileSaver& file, char* room, std::int64_t capacity) {
  if (capacity < static_cast<std::int64_t>(FileSaver::kLeastRoom)) {
    fail(PANVEC_INVALID_ARGUMENT, "room for at least " + std::to_string(FileSaver::kLeastRoom) + " bytes is needed");
  }
  return static_cast<std::int64_t>(file.next(room, static_cast<std::size_t>(capacity)));
}

// Reads a file that may be damaged: never beyond its end.
class FileBytes {
 public:
  FileBytes(const char* data, std::int64_t size) : data_(data), size_(static_cast<std::uint64_t>(size)) {}

  std::uint64_t position() const { return at_; }
  std::uint64_t left() const { return size_ - at_; }

  template <typename T>
  T take() {
    static_assert(std::is_trivially_copyable<T>::value, "numbers alone");
    T value;
    std::memcpy(&value, skip(sizeof(T), 1), sizeof(T));
    return value;
  }

  // Past `count` units of so many bytes each; where they begin.
  const char* skip(std::uint64_t count, std::uint64_t each) {
    if (each != 0 && count > left() / each) {
      corrupt("ends after " + std::to_string(size_) + " bytes, in the middle");
    }
    const char* begin = data_ + at_;
    at_ += count * each;
    return begin;
  }

  void expect_end() const {
    if (left() != 0) corrupt("has " + std::to_string(left()) + " bytes too many");
  }

  // A number that can only be this one.
  template <typename T>
  void expect(const char* what, T expected) {
    const T found = take<T>();
    if (found != expected) corrupt_number(what, std::to_string(found), std::to_string(expected));
  }

  [[noreturn]] static void corrupt(const std::string& what) { fail(PANVEC_CORRUPT, what); }
  [[noreturn]] static void corrupt_number(const char* what, const std::string& found, const std::string& expected) {
    corrupt(std::string("says ") + what + " is " + found + ", not " + expected);
  }

 private:
  const char* data_;
  std::uint64_t size_;
  std::uint64_t at_ = 0;
};

}  // namespace panvec
