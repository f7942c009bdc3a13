#include "bytes_file.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace panvec::sqlitevec {
namespace {

constexpr char kVfsName[] = "panvec-bytes";
// SQLite reads a little beyond the end of a damaged page, and asks of those who hand out pages in place that there be
// something to read. The last page of the bytes is copied instead.
constexpr sqlite3_int64 kBehindPage = 256;
constexpr int kSectorBytes = 4096;

struct BytesFile {
  sqlite3_file base;  // SQLite's part comes first
  Bytes bytes;
};

const Bytes& bytes_of(sqlite3_file* file) noexcept { return reinterpret_cast<BytesFile*>(file)->bytes; }

int file_close(sqlite3_file*) noexcept { return SQLITE_OK; }

int file_read(sqlite3_file* file, void* target, int amount, sqlite3_int64 offset) noexcept {
  const Bytes& bytes = bytes_of(file);
  const sqlite3_int64 there = std::clamp<sqlite3_int64>(bytes.size - offset, 0, amount);
  std::memcpy(target, bytes.data + std::min<sqlite3_int64>(offset, bytes.size), static_cast<std::size_t>(there));
  if (there == amount) {
    return SQLITE_OK;
  }
  std::memset(static_cast<unsigned char*>(target) + there, 0, static_cast<std::size_t>(amount - there));
  return SQLITE_IOERR_SHORT_READ;
}

int file_write(sqlite3_file*, const void*, int, sqlite3_int64) noexcept { return SQLITE_READONLY; }
int file_truncate(sqlite3_file*, sqlite3_int64) noexcept { return SQLITE_READONLY; }
int file_sync(sqlite3_file*, int) noexcept { return SQLITE_OK; }

int file_size(sqlite3_file* file, sqlite3_int64* size) noexcept {
  *size = bytes_of(file).size;
  return SQLITE_OK;
}

int file_lock(sqlite3_file*, int) noexcept { return SQLITE_OK; }

int file_is_reserved(sqlite3_file*, int* reserved) noexcept {
  *reserved = 0;
  return SQLITE_OK;
}

int file_control(sqlite3_file*, int, void*) noexcept { return SQLITE_NOTFOUND; }
int file_sector_bytes(sqlite3_file*) noexcept { return kSectorBytes; }
// Nobody changes it: SQLite looks for no journal and takes no locks.
int file_characteristics(sqlite3_file*) noexcept { return SQLITE_IOCAP_IMMUTABLE; }

int file_fetch(sqlite3_file* file, sqlite3_int64 offset, int amount, void** page) noexcept {
  const Bytes& bytes = bytes_of(file);
  // SQLite does not write to what it fetches from a database that is only read.
  *page = offset <= bytes.size - amount - kBehindPage ? const_cast<unsigned char*>(bytes.data + offset) : nullptr;
  return SQLITE_OK;
}

int file_unfetch(sqlite3_file*, sqlite3_int64, void*) noexcept { return SQLITE_OK; }

const sqlite3_io_methods kMethods = [] {
  sqlite3_io_methods methods{};
  methods.iVersion = 3;
  methods.xClose = file_close;
  methods.xRead = file_read;
  methods.xWrite = file_write;
  methods.xTruncate = file_truncate;
  methods.xSync = file_sync;
  methods.xFileSize = file_size;
  methods.xLock = file_lock;
  methods.xUnlock = file_lock;
  methods.xCheckReservedLock = file_is_reserved;
  methods.xFileControl = file_control;
  methods.xSectorSize = file_sector_bytes;
  methods.xDeviceCharacteristics = file_characteristics;
  methods.xFetch = file_fetch;
  methods.xUnfetch = file_unfetch;
  return methods;
}();

// Where the bytes are is in the name, as parameters of its URI.
int vfs_open(sqlite3_vfs*, sqlite3_filename name, sqlite3_file* file, int flags, int* out_flags) noexcept {
  file->pMethods = nullptr;
  if (name == nullptr || (flags & SQLITE_OPEN_MAIN_DB) == 0) {
    return SQLITE_CANTOPEN;  // a journal, or a temporary file
  }
  auto* opened = reinterpret_cast<BytesFile*>(file);
  const sqlite3_int64 address = sqlite3_uri_int64(name, "address", 0);
  opened->bytes = {reinterpret_cast<const unsigned char*>(static_cast<std::intptr_t>(address)),
                   sqlite3_uri_int64(name, "size", 0)};
  if (opened->bytes.data == nullptr) {
    return SQLITE_CANTOPEN;
  }
  file->pMethods = &kMethods;
  if (out_flags != nullptr) {
    *out_flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB;
  }
  return SQLITE_OK;
}

int vfs_delete(sqlite3_vfs*, const char*, int) noexcept { return SQLITE_READONLY; }

int vfs_access(sqlite3_vfs*, const char*, int, int* result) noexcept {
  *result = 0;
  return SQLITE_OK;
}

int vfs_full_path(sqlite3_vfs*, const char* name, int capacity, char* target) noexcept {
  std::snprintf(target, static_cast<std::size_t>(capacity), "%s", name);
  return SQLITE_OK;
}

sqlite3_vfs* system_of(sqlite3_vfs* vfs) noexcept { return static_cast<sqlite3_vfs*>(vfs->pAppData); }

int vfs_randomness(sqlite3_vfs* vfs, int amount, char* target) noexcept {
  return system_of(vfs)->xRandomness(system_of(vfs), amount, target);
}

int vfs_sleep(sqlite3_vfs* vfs, int microseconds) noexcept {
  return system_of(vfs)->xSleep(system_of(vfs), microseconds);
}

int vfs_time(sqlite3_vfs* vfs, double* days) noexcept { return system_of(vfs)->xCurrentTime(system_of(vfs), days); }

int vfs_last_error(sqlite3_vfs*, int, char*) noexcept { return 0; }

// Once per process. Not the default one: it opens nothing that it is not asked for by name.
void register_vfs() {
  static const int code = [] {
    static sqlite3_vfs vfs{};
    vfs.iVersion = 1;
    vfs.szOsFile = sizeof(BytesFile);
    vfs.mxPathname = 128;
    vfs.zName = kVfsName;
    vfs.pAppData = sqlite3_vfs_find(nullptr);
    vfs.xOpen = vfs_open;
    vfs.xDelete = vfs_delete;
    vfs.xAccess = vfs_access;
    vfs.xFullPathname = vfs_full_path;
    vfs.xRandomness = vfs_randomness;
    vfs.xSleep = vfs_sleep;
    vfs.xCurrentTime = vfs_time;
    vfs.xGetLastError = vfs_last_error;
    return sqlite3_vfs_register(&vfs, 0);
  }();
  if (code != SQLITE_OK) {
    throw StatusError(PANVEC_NATIVE, std::string("SQLite does not take a file system: ") + sqlite3_errstr(code));
  }
}

}  // namespace

Database open_bytes(Bytes bytes, const std::string& name) {
  initialize_sqlite();
  register_vfs();
  const auto address = static_cast<sqlite3_int64>(reinterpret_cast<std::intptr_t>(bytes.data));
  const std::string uri =
      "file:snapshot?address=" + std::to_string(address) + "&size=" + std::to_string(bytes.size);
  Database database = open_database(uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, kVfsName, name);
  // More than nothing: how much is for file_fetch to say.
  execute(database.get(), "PRAGMA mmap_size = 1073741824", name, "opening");
  return database;
}

}  // namespace panvec::sqlitevec
