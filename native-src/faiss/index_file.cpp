#include "index_file.hpp"

#include <algorithm>

namespace panvec {
namespace {

// What FAISS writes for a number that it does not use.
constexpr std::int64_t kDummy = std::int64_t{1} << 20;
constexpr int kMostExponent = 126;

// FAISS's numbers for metrics.
std::int32_t metric_number(Metric metric) { return metric == Metric::kL2 ? 1 : 0; }

const char* flat_name(Metric metric) { return metric == Metric::kL2 ? "IxF2" : "IxFI"; }

}  // namespace

std::size_t FileParts::next(char* room, std::size_t capacity) {
  flush();
  std::size_t written = 0;
  while (at_ < parts_.size() && capacity - written >= kLargestUnit) {
    const std::size_t bytes = parts_[at_](room + written, capacity - written);
    if (bytes == 0) {
      parts_[at_] = nullptr;
      ++at_;
    }
    written += bytes;
  }
  return written;
}

void FileParts::flush() {
  if (text_.empty()) return;
  const auto text = std::make_shared<const std::string>(std::move(text_));
  text_.clear();
  add_bytes(text->data(), text->size(), text);
}

void FileParts::add(Part part) {
  flush();
  parts_.push_back(std::move(part));
}

void FileParts::add_bytes(const char* bytes, std::size_t count, std::shared_ptr<const void> owner) {
  add([bytes, count, owner = std::move(owner), done = std::size_t{0}](char* room, std::size_t capacity) mutable {
    const std::size_t part = std::min(capacity, count - done);
    if (part > 0) std::memcpy(room, bytes + done, part);
    done += part;
    return part;
  });
}

void FileParts::add_zeros(std::size_t count) {
  add([left = count](char* room, std::size_t capacity) mutable {
    const std::size_t part = std::min(capacity, left);
    std::memset(room, 0, part);
    left -= part;
    return part;
  });
}

void FileParts::add_units(std::size_t count, std::size_t each, std::function<const char*()> first) {
  add([count, each, first = std::move(first), done = std::size_t{0}](char* room, std::size_t capacity) mutable {
    const std::size_t part = std::min(capacity / each, count - done);
    if (part > 0) std::memcpy(room, first() + done * each, part * each);
    done += part;
    return part * each;
  });
}

SavedNumbers take_vector(FileBytes& file, std::size_t each) {
  SavedNumbers numbers;
  numbers.count = file.take<std::uint64_t>();
  numbers.first = file.skip(numbers.count, each);
  return numbers;
}

const char* take_vector(FileBytes& file, const char* what, std::uint64_t count, std::size_t each) {
  file.expect<std::uint64_t>(what, count);
  return file.skip(count, each);
}

void expect_name(FileBytes& file, const char* fourcc) {
  const char* found = file.skip(4, 1);
  if (std::memcmp(found, fourcc, 4) == 0) return;
  std::string printable(found, 4);
  for (char& c : printable) c = c >= ' ' && c <= '~' ? c : '?';
  FileBytes::corrupt("has \"" + printable + "\" where \"" + fourcc + "\" begins");
}

bool take_bool(FileBytes& file, const char* what) {
  const auto value = file.take<std::uint8_t>();
  if (value > 1) FileBytes::corrupt_number(what, std::to_string(value), "0 or 1");
  return value == 1;
}

std::vector<float> finite_floats(const char* what, const char* numbers, std::uint64_t count) {
  std::vector<float> floats(count);
  if (count > 0) std::memcpy(floats.data(), numbers, count * sizeof(float));
  if (first_non_finite(floats.data(), count) >= 0) FileBytes::corrupt(std::string("has no numbers as ") + what);
  return floats;
}

void IndexHeader::write(FileParts& file, Metric metric, std::size_t dim) const {
  file.put<std::int32_t>(static_cast<std::int32_t>(dim));
  file.put<std::int64_t>(count);
  file.put<std::int64_t>(kDummy + exponent);
  file.put<std::int64_t>(kDummy);
  file.put<std::uint8_t>(trained ? 1 : 0);
  file.put<std::int32_t>(metric_number(metric));
}

IndexHeader IndexHeader::read(FileBytes& file, Metric metric, std::size_t dim) {
  IndexHeader header;
  file.expect<std::int32_t>("the dimension", static_cast<std::int32_t>(dim));
  header.count = file.take<std::int64_t>();
  const auto scaled = file.take<std::int64_t>();
  if (scaled < kDummy - kMostExponent || scaled > kDummy + kMostExponent) {
    FileBytes::corrupt_number("the first number without a meaning", std::to_string(scaled), std::to_string(kDummy));
  }
  header.exponent = static_cast<int>(scaled - kDummy);
  file.expect<std::int64_t>("the second number without a meaning", kDummy);
  header.trained = take_bool(file, "whether it is trained");
  file.expect<std::int32_t>("the metric", metric_number(metric));
  return header;
}

void put_flat_header(FileParts& file, Metric metric, std::size_t dim, std::int64_t count) {
  file.put_name(flat_name(metric));
  IndexHeader{count, true, 0}.write(file, metric, dim);
  file.put<std::uint64_t>(static_cast<std::uint64_t>(count) * dim);
}

const char* take_flat(FileBytes& file, Metric metric, std::size_t dim, std::uint64_t count) {
  expect_name(file, flat_name(metric));
  const IndexHeader header = IndexHeader::read(file, metric, dim);
  if (header.count != static_cast<std::int64_t>(count)) {
    FileBytes::corrupt_number("the number of rows", std::to_string(header.count), std::to_string(count));
  }
  if (!header.trained || header.exponent != 0) FileBytes::corrupt("has rows that are no rows");
  return take_vector(file, "the number of components", count * dim, sizeof(float));
}

void put_list_sizes(FileParts& file, const std::vector<std::uint64_t>& sizes, std::size_t code_bytes) {
  file.put_name("ilar");
  file.put<std::uint64_t>(sizes.size());
  file.put<std::uint64_t>(code_bytes);
  const auto used = sizes.size() - static_cast<std::size_t>(std::count(sizes.begin(), sizes.end(), std::uint64_t{0}));
  if (used > sizes.size() / 2) {
    file.put_name("full");
    file.put_vector(sizes);
    return;
  }
  file.put_name("sprs");
  std::vector<std::uint64_t> pairs;
  for (std::size_t list = 0; list < sizes.size(); ++list) {
    if (sizes[list] == 0) continue;
    pairs.push_back(list);
    pairs.push_back(sizes[list]);
  }
  file.put_vector(pairs);
}

std::vector<SavedList> take_lists(FileBytes& file, std::uint64_t lists, std::size_t code_bytes, std::uint64_t count) {
  expect_name(file, "ilar");
  file.expect<std::uint64_t>("the number of its lists", lists);
  file.expect<std::uint64_t>("the size of a code in a list", code_bytes);
  std::vector<SavedList> found(lists);
  const char* kind = file.skip(4, 1);
  if (std::memcmp(kind, "full", 4) == 0) {
    const char* sizes = take_vector(file, "the number of sizes of lists", lists, sizeof(std::uint64_t));
    for (std::uint64_t list = 0; list < lists; ++list) found[list].size = number_at<std::uint64_t>(sizes, list);
  } else if (std::memcmp(kind, "sprs", 4) == 0) {
    const SavedNumbers pairs = take_vector(file, sizeof(std::uint64_t));
    if (pairs.count % 2 != 0) FileBytes::corrupt("has a list without a size");
    for (std::uint64_t i = 0; i < pairs.count; i += 2) {
      const auto list = number_at<std::uint64_t>(pairs.first, i);
      if (list >= lists) FileBytes::corrupt("has a list " + std::to_string(list) + ", which is not there");
      found[list].size = number_at<std::uint64_t>(pairs.first, i + 1);
    }
  } else {
    FileBytes::corrupt("has lists of an unknown kind");
  }
  std::uint64_t entries = 0;
  for (SavedList& list : found) {
    list.codes = file.skip(list.size, code_bytes + sizeof(std::int64_t));
    entries += list.size;
  }
  if (entries != count) {
    FileBytes::corrupt_number("the number of entries of its lists", std::to_string(entries), std::to_string(count));
  }
  return found;
}

}  // namespace panvec
