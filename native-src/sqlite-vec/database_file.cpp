#include "database_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>
#include <random>
#include <utility>
#include <vector>

#include "panvec_sqlitevec.h"
#include "sqlite_support.hpp"

namespace panvec::sqlitevec {
namespace {

constexpr std::size_t kHeaderBytes = 100;
constexpr char kMagic[16] = {'S', 'Q', 'L', 'i', 't', 'e', ' ', 'f', 'o', 'r', 'm', 'a', 't', ' ', '3', '\0'};
constexpr std::size_t kPageBytesAt = 16;
constexpr std::size_t kPageCountAt = 28;
constexpr std::size_t kUserVersionAt = 60;
constexpr std::size_t kApplicationIdAt = 68;

Database open_raw(const std::string& path, int flags) { return open_database(path, flags, nullptr, path); }

std::uint32_t big_endian(const unsigned char* bytes) noexcept {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3];
}

std::string hex(std::uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%08llx", static_cast<unsigned long long>(value));
  return text;
}

// Reads through SQLite's own file, without a statement: no lock, no journal, no recovery. A descriptor of our own must
// not be used: closing it would drop the locks that this process' other connections hold on the file (POSIX).
std::size_t read_header(const std::string& path, unsigned char (&header)[kHeaderBytes]) {
  const Database database = open_raw(path, SQLITE_OPEN_READONLY);
  sqlite3_file* file = nullptr;
  int code = sqlite3_file_control(database.get(), "main", SQLITE_FCNTL_FILE_POINTER, &file);
  if (code == SQLITE_OK && (file == nullptr || file->pMethods == nullptr)) {
    code = SQLITE_CANTOPEN;
  }
  if (code == SQLITE_OK) {
    code = file->pMethods->xRead(file, header, kHeaderBytes, 0);
    if (code == SQLITE_IOERR_SHORT_READ) {
      return 0;
    }
  }
  if (code != SQLITE_OK) {
    throw failure_of(nullptr, code, "reading the header of", path);
  }
  return kHeaderBytes;
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

StatusError system_failure(const std::string& what, const std::string& path, int error) {
  const bool read_only = error == EROFS || error == EACCES || error == EPERM;
  return StatusError(read_only ? PANVEC_READ_ONLY : PANVEC_IO, what + " " + path + ": " + std::strerror(error));
}

void force_directory(const std::string& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) {
    throw system_failure("opening the directory", directory, errno);
  }
  const int result = fsync(descriptor);
  const int error = errno;
  close(descriptor);
  // Some file systems cannot sync a directory and say so.
  if (result != 0 && error != EINVAL && error != ENOTSUP) {
    throw system_failure("forcing to disk the directory", directory, error);
  }
}

// Every writer of the process.
struct Registry {
  std::mutex mutex;
  std::multimap<std::string, FileIdentity> files;
};

Registry& registry() {
  // Never destroyed: threads may still open and close databases while the process ends.
  static Registry& instance = *new Registry;
  return instance;
}

void require_same_in(const Registry& all, const std::string& resolved, const std::string& path, FileIdentity identity) {
  const auto [begin, end] = all.files.equal_range(resolved);
  for (auto file = begin; file != end; ++file) {
    if (file->second != identity) {
      fail(PANVEC_IO, "opening " + path + ": the file was moved or deleted while open; another has taken its place");
    }
  }
}

// A new, empty file of a name of its own beside `path`. Removed on the way out, whatever happened to it.
class Draft {
 public:
  explicit Draft(const std::string& path) {
    // Not SQLite's generator: a forked process would draw the same name.
    std::random_device random;
    const std::string name = path + ".new-" + hex(std::uint64_t{random()} << 32 | random());
    // All of them beforehand: on the way out there may be no memory for another.
    for (const char* suffix : {"", "-journal", "-wal", "-shm"}) {
      names_.push_back(name + suffix);
    }
    const int descriptor = ::open(this->path().c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (descriptor < 0) {
      throw system_failure("creating", this->path(), errno);
    }
    close(descriptor);
  }
  ~Draft() {
    for (const std::string& name : names_) {
      unlink(name.c_str());
    }
  }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;
  const std::string& path() const noexcept { return names_.front(); }

 private:
  // The file's, and those that SQLite gives to what it keeps beside it.
  std::vector<std::string> names_;
};

}  // namespace

std::int64_t TableShape::user_version() const noexcept {
  return std::int64_t{PANVEC_SQLITEVEC_FORMAT} << 24 | std::int64_t{static_cast<std::int32_t>(metric)} << 16 |
         static_cast<std::int64_t>(dim);
}

std::string TableShape::text() const {
  return std::string("metric ") + metric_name(metric) + ", dimension " + std::to_string(dim);
}

const char* metric_name(Metric metric) noexcept {
  switch (metric) {
    case Metric::kL2:
      return "L2";
    case Metric::kCosine:
      return "COSINE";
    case Metric::kDot:
      return "DOT";
  }
  return "unknown";
}

FileIdentity FileIdentity::at(const std::string& path) noexcept {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    return {};
  }
  return {static_cast<std::uint64_t>(status.st_dev), static_cast<std::uint64_t>(status.st_ino)};
}

WrittenFiles::Entry::Entry(const std::string& resolved, const std::string& path, FileIdentity identity)
    : resolved_(resolved), identity_(identity) {
  Registry& all = registry();
  const std::lock_guard<std::mutex> lock(all.mutex);
  require_same_in(all, resolved, path, identity);
  all.files.emplace(resolved_, identity_);
}

WrittenFiles::Entry::~Entry() {
  if (!identity_.exists()) {
    return;
  }
  Registry& all = registry();
  const std::lock_guard<std::mutex> lock(all.mutex);
  const auto [begin, end] = all.files.equal_range(resolved_);
  for (auto file = begin; file != end; ++file) {
    if (file->second == identity_) {
      all.files.erase(file);
      return;
    }
  }
}

WrittenFiles::Entry::Entry(Entry&& other) noexcept
    : resolved_(std::move(other.resolved_)), identity_(std::exchange(other.identity_, FileIdentity{})) {}

WrittenFiles::Entry& WrittenFiles::Entry::operator=(Entry&& other) noexcept {
  std::swap(resolved_, other.resolved_);
  std::swap(identity_, other.identity_);
  return *this;
}

void WrittenFiles::require_same(const std::string& resolved, const std::string& path, FileIdentity identity) {
  Registry& all = registry();
  const std::lock_guard<std::mutex> lock(all.mutex);
  require_same_in(all, resolved, path, identity);
}

std::string file_path(const char* path) {
  if (*path == '\0') {
    fail(PANVEC_INVALID_ARGUMENT, "the path of the database is empty");
  }
  return *path == '/' ? path : std::string("./") + path;
}

bool check_database_file(const std::string& path, const TableShape& shape) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    const int error = errno;
    const std::string directory = directory_of(path);
    if (error == ENOENT && stat(directory.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
      return false;
    }
    if (error == ENOENT || error == ENOTDIR) {
      fail(PANVEC_IO, "opening " + path + ": the directory " + directory + " does not exist");
    }
    throw StatusError(PANVEC_IO, "opening " + path + ": " + std::strerror(error));
  }
  if (!S_ISREG(status.st_mode)) {
    fail(PANVEC_FOREIGN_FILE, path + " is not a Panvec database: it is " +
                                  (S_ISDIR(status.st_mode) ? "a directory" : "not a regular file"));
  }
  unsigned char header[kHeaderBytes] = {};
  if (read_header(path, header) < kHeaderBytes) {
    fail(PANVEC_FOREIGN_FILE, path + " is not a Panvec database: it has only " + std::to_string(status.st_size) +
                                  " bytes");
  }
  if (std::memcmp(header, kMagic, sizeof kMagic) != 0) {
    fail(PANVEC_FOREIGN_FILE, path + " is not a Panvec database: it does not begin as an SQLite file does");
  }
  const std::uint32_t application = big_endian(header + kApplicationIdAt);
  if (application != PANVEC_SQLITEVEC_APPLICATION_ID) {
    fail(PANVEC_FOREIGN_FILE, path + " is an SQLite database of another application: its application_id is 0x" +
                                  hex(application) + ", Panvec's is 0x" + hex(PANVEC_SQLITEVEC_APPLICATION_ID));
  }
  const std::uint32_t version = big_endian(header + kUserVersionAt);
  const std::uint32_t format = version >> 24;
  if (format > PANVEC_SQLITEVEC_FORMAT) {
    fail(PANVEC_FOREIGN_FILE, path + " has format " + std::to_string(format) + "; this library reads formats up to " +
                                  std::to_string(PANVEC_SQLITEVEC_FORMAT));
  }
  const TableShape found{static_cast<Metric>(version >> 16 & 0xff), version & 0xffff};
  if (format == 0 || std::strcmp(metric_name(found.metric), "unknown") == 0 || found.dim == 0) {
    fail(PANVEC_CORRUPT, path + ": its header has an impossible user_version, 0x" + hex(version));
  }
  if (found.user_version() != shape.user_version()) {
    fail(PANVEC_FOREIGN_FILE, path + " holds vectors of " + found.text() + ", asked for were " + shape.text());
  }
  return true;
}

namespace {

std::int64_t page_bytes_of(const unsigned char* header) {
  const std::uint32_t field = std::uint32_t{header[kPageBytesAt]} << 8 | header[kPageBytesAt + 1];
  return field == 1 ? 65536 : field;
}

}  // namespace

void check_snapshot_header(const unsigned char* bytes, std::int64_t size, const TableShape& shape,
                           const std::string& name) {
  const auto refuse = [&](const std::string& difference) { fail(PANVEC_CORRUPT, name + ": " + difference); };
  if (size < static_cast<std::int64_t>(kHeaderBytes)) {
    refuse("it has only " + std::to_string(size) + " bytes");
  }
  if (std::memcmp(bytes, kMagic, sizeof kMagic) != 0) {
    refuse("it does not begin as an SQLite file does");
  }
  const std::uint32_t application = big_endian(bytes + kApplicationIdAt);
  if (application != PANVEC_SQLITEVEC_APPLICATION_ID) {
    refuse("its application_id is 0x" + hex(application) + ", Panvec's is 0x" + hex(PANVEC_SQLITEVEC_APPLICATION_ID));
  }
  const std::uint32_t version = big_endian(bytes + kUserVersionAt);
  const std::uint32_t format = version >> 24;
  if (format != PANVEC_SQLITEVEC_FORMAT) {
    refuse("it has format " + std::to_string(format) + "; " + std::to_string(PANVEC_SQLITEVEC_FORMAT) +
           " is what this library reads");
  }
  const TableShape found{static_cast<Metric>(version >> 16 & 0xff), version & 0xffff};
  if (found.user_version() != shape.user_version()) {
    refuse("it holds vectors of " + found.text() + "; the manifest says " + shape.text());
  }
  const std::int64_t page_bytes = page_bytes_of(bytes);
  const std::int64_t pages = big_endian(bytes + kPageCountAt);
  if (page_bytes * pages != size) {
    refuse("it has " + std::to_string(size) + " bytes; its header says " + std::to_string(pages) + " pages of " +
           std::to_string(page_bytes));
  }
}

// As the file format says ("B-tree pages"): one byte of kind; of a page that leads to others the number of cells, the page
// behind all of them, and where each cell lies, which begins with the page before it.
void check_page_tree(const unsigned char* bytes, std::int64_t size, std::int64_t root, const std::string& name) {
  constexpr unsigned char kInterior = 5;
  constexpr unsigned char kLeaf = 13;
  constexpr std::int64_t kInteriorHeaderBytes = 12;
  const std::int64_t page_bytes = page_bytes_of(bytes);
  const std::int64_t pages = page_bytes < 512 ? 0 : size / page_bytes;
  std::vector<bool> found(static_cast<std::size_t>(pages + 1));
  std::vector<std::int64_t> left;
  const auto find = [&](std::int64_t page, std::int64_t from) {
    if (page < 1 || page > pages || found[static_cast<std::size_t>(page)]) {
      fail(PANVEC_CORRUPT, name + ": page " + std::to_string(from) + " leads to page " + std::to_string(page) +
                               (page < 1 || page > pages ? ", which is not there" : ", where another one has led before"));
    }
    found[static_cast<std::size_t>(page)] = true;
    left.push_back(page);
  };
  find(root, 0);
  while (!left.empty()) {
    const std::int64_t number = left.back();
    left.pop_back();
    const unsigned char* const page = bytes + (number - 1) * page_bytes;
    const std::int64_t header = number == 1 ? kHeaderBytes : 0;
    const unsigned char kind = page[header];
    if (kind == kLeaf) {
      continue;
    }
    const std::int64_t cells = page[header + 3] << 8 | page[header + 4];
    if (kind != kInterior || header + kInteriorHeaderBytes + 2 * cells > page_bytes) {
      fail(PANVEC_CORRUPT, name + ": page " + std::to_string(number) + " is not one of a table");
    }
    find(big_endian(page + header + 8), number);
    for (std::int64_t cell = 0; cell < cells; ++cell) {
      const unsigned char* const at = page + header + kInteriorHeaderBytes + 2 * cell;
      const std::int64_t begin = at[0] << 8 | at[1];
      if (begin + 4 > page_bytes) {
        fail(PANVEC_CORRUPT, name + ": page " + std::to_string(number) + " has a cell beyond its end");
      }
      find(big_endian(page + begin), number);
    }
  }
}

void check_no_leftover_log(const std::string& path) {
  for (const char* suffix : {"-wal", "-journal"}) {
    struct stat status {};
    const std::string log = path + suffix;
    // The database is asked for last: if another process has just made it, the log is that one's.
    if (stat(log.c_str(), &status) == 0 && status.st_size > 0 && !FileIdentity::at(path).exists()) {
      fail(PANVEC_IO, "creating " + path + ": " + log +
                          " lies there without its database; put the database back, or delete what is left of it");
    }
  }
}

void check_writable(const std::string& path) {
  if (faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0 && errno != ENOENT) {
    throw system_failure("opening for writing", path, errno);
  }
  const std::string directory = directory_of(path);
  if (faccessat(AT_FDCWD, directory.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
    throw system_failure("opening " + path + " for writing: the directory", directory, errno);
  }
}

void create_database_file(const std::string& path, void (*fill)(sqlite3*, const std::string&, const TableShape&),
                          const TableShape& shape) {
  const Draft draft(path);
  {
    const Database database = open_raw(draft.path(), SQLITE_OPEN_READWRITE);
    fill(database.get(), draft.path(), shape);
  }
  if (link(draft.path().c_str(), path.c_str()) != 0) {
    const int error = errno;
    struct stat status {};
    if (error == EEXIST) {
      return;
    }
    // No hard links here (FAT, some network file systems). The moment between the two calls is the price.
    if (lstat(path.c_str(), &status) == 0) {
      return;
    }
    if (rename(draft.path().c_str(), path.c_str()) != 0) {
      throw system_failure("creating", path, errno);
    }
  }
  force_directory(directory_of(path));
}

}  // namespace panvec::sqlitevec
