// Tests of panvec_sqlitevec.h. The oracle of every search is a brute force over the vectors as given.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "check.hpp"
#include "distance_bound.hpp"
#include "id_filter.hpp"
#include "panvec_kernels.hpp"
#include "panvec_sqlitevec.h"
#include "sqlite3.h"

namespace {

using panvec::Metric;
using panvec::sqlitevec::IdFilter;

constexpr std::int64_t kMinId = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMaxId = std::numeric_limits<std::int64_t>::max();
constexpr int kMetrics[] = {PANVEC_L2, PANVEC_COSINE, PANVEC_DOT};

std::mt19937_64 random_bits;

std::int64_t random_below(std::int64_t bound) {
  return std::uniform_int_distribution<std::int64_t>(0, bound - 1)(random_bits);
}

std::vector<float> random_vectors(std::int64_t count, int dim) {
  std::normal_distribution<float> normal;
  std::vector<float> vectors(static_cast<std::size_t>(count * dim));
  for (float& component : vectors) {
    component = normal(random_bits);
  }
  return vectors;
}

std::vector<std::int64_t> consecutive_ids(std::int64_t count, std::int64_t first = 0) {
  std::vector<std::int64_t> ids(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    ids[static_cast<std::size_t>(i)] = first + i;
  }
  return ids;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

using Hits = std::vector<std::pair<float, std::int64_t>>;

using Step = panvec_sqlitevec_filter_step;
using Steps = std::vector<Step>;

// A filter of one step, or of several.
struct Filter {
  const std::vector<std::int64_t>* ids = nullptr;
  const std::vector<std::uint64_t>* bitmap = nullptr;
  std::int64_t first_id = 0;
  const Steps* steps = nullptr;

  Steps program() const {
    if (ids != nullptr) {
      return {{PANVEC_SQLITEVEC_IDS, 0, 0, static_cast<std::int64_t>(ids->size()), ids->data()}};
    }
    if (bitmap != nullptr) {
      return {{PANVEC_SQLITEVEC_BITMAP, first_id, 0, static_cast<std::int64_t>(bitmap->size()), bitmap->data()}};
    }
    return steps == nullptr ? Steps{} : *steps;
  }
};

constexpr std::int64_t kNoDeadline = std::numeric_limits<std::int64_t>::max();

// A connection that remembers the last error.
class Db {
 public:
  static constexpr int kTimeoutMs = 5000;
  static constexpr std::int64_t kMostIds = 100000;

  Db(const char* path, int metric, int dim, int timeout_ms = kTimeoutMs, bool reader = false) : dim_(dim) {
    status_ = (reader ? panvec_sqlitevec_open_reader : panvec_sqlitevec_open)(
        path, metric, dim, timeout_ms, &connection_, error_, sizeof error_);
    CHECK_EQUAL(status_ == PANVEC_OK, connection_ != nullptr);
  }
  // Over what panvec_sqlitevec_save wrote.
  Db(const void* bytes, std::int64_t size, int metric, int dim, bool view) : dim_(dim) {
    status_ = panvec_sqlitevec_open_bytes(bytes, size, "the/snapshot", metric, dim, view, &connection_, error_,
                                          sizeof error_);
    CHECK_EQUAL(status_ == PANVEC_OK, connection_ != nullptr);
  }
  // Takes a connection that is open.
  Db(panvec_sqlitevec* connection, int dim) : dim_(dim), status_(PANVEC_OK), connection_(connection) {}
  ~Db() { panvec_sqlitevec_close(connection_); }
  Db(const Db&) = delete;
  Db& operator=(const Db&) = delete;

  int status() const { return status_; }
  std::string error() const { return error_; }
  panvec_sqlitevec* connection() const { return connection_; }
  std::int64_t bad_row() const { return bad_row_; }
  std::int32_t bad_component() const { return bad_component_; }

  // For all calls to come.
  void stop_when(const std::int32_t* stop, std::int64_t nanos_left = kNoDeadline) {
    stop_ = stop;
    nanos_left_ = nanos_left;
  }
  int add(const std::vector<std::int64_t>& ids, const std::vector<float>& rows, bool replace = false) {
    CHECK_EQUAL(ids.size() * static_cast<std::size_t>(dim_), rows.size());
    return panvec_sqlitevec_add(connection_, ids.data(), rows.data(), static_cast<std::int64_t>(ids.size()), replace,
                                stop_, nanos_left_, &bad_row_, &bad_component_, error_, sizeof error_);
  }
  int begin() { return panvec_sqlitevec_begin(connection_, stop_, nanos_left_, error_, sizeof error_); }
  int commit() { return panvec_sqlitevec_commit(connection_, stop_, nanos_left_, error_, sizeof error_); }
  int rollback() { return panvec_sqlitevec_rollback(connection_, error_, sizeof error_); }
  int begin_read() { return panvec_sqlitevec_begin_read(connection_, error_, sizeof error_); }
  int end_read() { return panvec_sqlitevec_end_read(connection_, error_, sizeof error_); }

  int compact_slice(std::vector<std::int64_t>& state, std::int64_t& rows, std::int32_t& finished) {
    return panvec_sqlitevec_compact(connection_, state.data(), stop_, nanos_left_, &rows, &finished, error_,
                                    sizeof error_);
  }
  // Returns how many rows it passed.
  std::int64_t compact(const std::function<void()>& between = [] {}) {
    std::vector<std::int64_t> state(3);
    std::int64_t all = 0;
    for (std::int32_t finished = 0; finished == 0;) {
      std::int64_t rows = -1;
      const int status = compact_slice(state, rows, finished);
      if (status != PANVEC_OK) {
        std::fprintf(stderr, "compact: %s\n", error_);
      }
      CHECK_EQUAL(PANVEC_OK, status);
      all += rows;
      between();
    }
    return all;
  }
  struct Usage {
    std::int64_t database_bytes, free_bytes, cache_bytes, dead;
  };
  Usage usage() {
    Usage usage{-1, -1, -1, -1};
    CHECK_EQUAL(PANVEC_OK, panvec_sqlitevec_usage(connection_, &usage.database_bytes, &usage.free_bytes,
                                                  &usage.cache_bytes, &usage.dead, error_, sizeof error_));
    return usage;
  }
  int try_ids(const Filter& filter, std::vector<std::int64_t>& ids) {
    const Steps steps = filter.program();
    ids.resize(kMostIds);
    std::int64_t count = -1;
    const int status = panvec_sqlitevec_ids(connection_, steps.empty() ? nullptr : steps.data(),
                                            static_cast<std::int64_t>(steps.size()), stop_, nanos_left_, ids.data(),
                                            kMostIds, &count, error_, sizeof error_);
    CHECK(count <= kMostIds);
    ids.resize(status == PANVEC_OK ? static_cast<std::size_t>(count) : 0);
    return status;
  }
  std::vector<std::int64_t> ids(const Filter& filter = {}) {
    std::vector<std::int64_t> ids;
    CHECK_EQUAL(PANVEC_OK, try_ids(filter, ids));
    return ids;
  }

  std::int64_t remove(const std::vector<std::int64_t>& ids) {
    std::int64_t removed = -1;
    CHECK_EQUAL(PANVEC_OK, panvec_sqlitevec_remove(connection_, ids.data(), static_cast<std::int64_t>(ids.size()),
                                                   &removed, error_, sizeof error_));
    return removed;
  }
  int get(std::int64_t id, std::vector<float>& row) {
    row.resize(static_cast<std::size_t>(dim_));
    return panvec_sqlitevec_get(connection_, id, row.data(), error_, sizeof error_);
  }
  std::int64_t size() {
    std::int64_t size = -1;
    CHECK_EQUAL(PANVEC_OK, panvec_sqlitevec_size(connection_, &size, error_, sizeof error_));
    return size;
  }
  int try_search(const std::vector<float>& query, std::int64_t k, const Filter& filter, Hits& hits,
                 std::int64_t capacity = -1, float radius = INFINITY) {
    const std::size_t room = static_cast<std::size_t>(capacity < 0 ? std::min(k, size()) : capacity);
    std::vector<std::int64_t> ids(room + 1, -77);
    std::vector<float> distances(room + 1, -77);
    std::int64_t count = -1;
    const Steps steps = filter.program();
    int status = panvec_sqlitevec_search(connection_, query.data(), k, radius, steps.empty() ? nullptr : steps.data(),
                                         static_cast<std::int64_t>(steps.size()), stop_, nanos_left_, ids.data(),
                                         distances.data(), static_cast<std::int64_t>(room), &count, error_,
                                         sizeof error_);
    CHECK_EQUAL(-77, ids[room]);
    if (status == PANVEC_OK && count > static_cast<std::int64_t>(room)) {
      CHECK_EQUAL(-77, ids[0]);
      ids.resize(static_cast<std::size_t>(count));
      distances.resize(static_cast<std::size_t>(count));
      status = panvec_sqlitevec_take_hits(connection_, ids.data(), distances.data(), count, error_, sizeof error_);
    }
    hits.clear();
    for (std::int64_t i = 0; i < count; ++i) {
      hits.emplace_back(distances[static_cast<std::size_t>(i)], ids[static_cast<std::size_t>(i)]);
    }
    return status;
  }
  Hits search_range(const std::vector<float>& query, float radius, std::int64_t limit, const Filter& filter = {}) {
    Hits hits;
    CHECK_EQUAL(PANVEC_OK, try_search(query, limit, filter, hits, random_below(20), radius));
    return hits;
  }
  Hits search(const std::vector<float>& query, std::int64_t k, const Filter& filter = {}) {
    Hits hits;
    const int status = try_search(query, k, filter, hits);
    if (status != PANVEC_OK) {
      std::fprintf(stderr, "search: %s\n", error_);
    }
    CHECK_EQUAL(PANVEC_OK, status);
    return hits;
  }

 private:
  int dim_;
  int status_ = -1;
  panvec_sqlitevec* connection_ = nullptr;
  const std::int32_t* stop_ = nullptr;
  std::int64_t nanos_left_ = kNoDeadline;
  std::int64_t bad_row_ = -2;
  std::int32_t bad_component_ = -2;
  char error_[1024] = "";
};

// What the database should hold, and what it should answer.
class Oracle {
 public:
  Oracle(int metric, int dim) : metric_(static_cast<Metric>(metric)), dim_(static_cast<std::size_t>(dim)) {}

  void put(const std::vector<std::int64_t>& ids, const std::vector<float>& rows) {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      rows_[ids[i]] = stored(rows.data() + i * dim_);
    }
  }
  void remove(const std::vector<std::int64_t>& ids) {
    for (const std::int64_t id : ids) {
      rows_.erase(id);
    }
  }
  std::int64_t size() const { return static_cast<std::int64_t>(rows_.size()); }
  const std::vector<float>& row(std::int64_t id) const { return rows_.at(id); }

  Hits search(const std::vector<float>& query, std::int64_t k,
              const std::function<bool(std::int64_t)>& allowed = [](std::int64_t) { return true; }) const {
    const std::vector<float> q = stored(query.data());
    Hits hits;
    for (const auto& [id, row] : rows_) {
      if (allowed(id)) {
        hits.emplace_back(panvec::reference_distance(metric_, row.data(), q.data(), dim_), id);
      }
    }
    std::sort(hits.begin(), hits.end());
    hits.resize(std::min(hits.size(), static_cast<std::size_t>(k)));
    return hits;
  }

 private:
  std::vector<float> stored(const float* row) const {
    std::vector<float> copy(row, row + dim_);
    if (metric_ == Metric::kCosine) {
      CHECK(panvec::reference_unit(row, dim_, copy.data()));
    }
    return copy;
  }

  Metric metric_;
  std::size_t dim_;
  std::map<std::int64_t, std::vector<float>> rows_;
};

void check_hits(const Hits& expected, const Hits& actual) {
  CHECK_EQUAL(expected.size(), actual.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK_EQUAL(expected[i].second, actual[i].second);
    CHECK_EQUAL(expected[i].first, actual[i].first);
  }
}

class Directory {
 public:
  Directory() {
    const char* base = std::getenv("TMPDIR");
    path_ = std::string(base == nullptr ? "/tmp" : base) + "/panvec-sqlitevec-XXXXXX";
    CHECK(mkdtemp(path_.data()) != nullptr);
  }
  ~Directory() {
    CHECK_EQUAL(0, chmod(path_.c_str(), 0700));
    CHECK_EQUAL(0, std::system(("rm -rf '" + path_ + "'").c_str()));
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  std::string listing() const {
    std::string names;
    FILE* pipe = popen(("ls -A '" + path_ + "'").c_str(), "r");
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) {
      names += static_cast<char>(c);
    }
    pclose(pipe);
    return names;
  }

 private:
  std::string path_;
};

std::string bytes_of(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return {};
  }
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  CHECK(file.good());
}

// A process of its own, for locks (POSIX locks do not exclude within one process), for kill -9 and for another user.
class Child {
 public:
  // The parent waits with wait_until_ready() for each announce() of the body.
  explicit Child(const std::function<void(const std::function<void()>& announce)>& body) {
    int ends[2];
    CHECK_EQUAL(0, pipe(ends));
    std::fflush(nullptr);
    process_ = fork();
    CHECK(process_ >= 0);
    if (process_ == 0) {
      close(ends[0]);
      body([&] { CHECK_EQUAL(1, write(ends[1], "x", 1)); });
      _exit(0);
    }
    close(ends[1]);
    ready_ = ends[0];
  }
  ~Child() {
    close(ready_);
    if (process_ > 0) {
      kill();
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void wait_until_ready() const {
    char byte;
    CHECK_EQUAL(1, read(ready_, &byte, 1));
  }
  void kill() {
    ::kill(process_, SIGKILL);
    int status;
    waitpid(process_, &status, 0);
    process_ = -1;
  }
  void check_success() {
    int status = -1;
    waitpid(process_, &status, 0);
    process_ = -1;
    CHECK_EQUAL(0, status);
  }

 private:
  pid_t process_ = -1;
  int ready_ = -1;
};

// Lets another process get on with it, for a random stretch that no check depends on.
void give_way(std::int64_t times) {
  for (std::int64_t i = 0; i < times; ++i) {
    std::this_thread::yield();
  }
}

void execute_sql(const std::string& path, const std::string& sql) {
  sqlite3* database = nullptr;
  CHECK_EQUAL(SQLITE_OK, sqlite3_open(path.c_str(), &database));
  char* message = nullptr;
  if (sqlite3_exec(database, sql.c_str(), nullptr, nullptr, &message) != SQLITE_OK) {
    panvec::check::failed(__FILE__, __LINE__, message);
  }
  sqlite3_close(database);
}

// What a query answers first; nothing when there is nothing.
std::string text_of(const std::string& path, const std::string& sql) {
  sqlite3* database = nullptr;
  CHECK_EQUAL(SQLITE_OK, sqlite3_open(path.c_str(), &database));
  sqlite3_stmt* statement = nullptr;
  CHECK_EQUAL(SQLITE_OK, sqlite3_prepare_v2(database, sql.c_str(), -1, &statement, nullptr));
  std::string answer;
  if (sqlite3_step(statement) == SQLITE_ROW) {
    answer = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
  }
  sqlite3_finalize(statement);
  sqlite3_close(database);
  return answer;
}

std::string integrity(const std::string& path) { return text_of(path, "PRAGMA integrity_check"); }

// ---- Search
// ----------------------------------------------------------------------------------------------------------

void searches_are_exact_on_every_metric_and_dimension() {
  for (const int dim : {1, 2, 3, 7, 8, 17, 100, 768, 1536, 8192}) {
    for (const int metric : kMetrics) {
      const std::int64_t rows = dim > 2000 ? 100 : dim > 500 ? 600 : 2500;
      Db db(nullptr, metric, dim);
      Oracle oracle(metric, dim);
      const auto ids = consecutive_ids(rows, -rows / 2);
      const auto vectors = random_vectors(rows, dim);
      CHECK_EQUAL(PANVEC_OK, db.add(ids, vectors));
      oracle.put(ids, vectors);
      for (const std::int64_t k : {std::int64_t{1}, std::int64_t{10}, std::int64_t{60}, rows, rows + 10}) {
        const auto query = random_vectors(1, dim);
        check_hits(oracle.search(query, k), db.search(query, k));
      }
    }
  }
}

// Rows whose true distances differ by less than the float error of sqlite-vec: its ranking alone would be wrong.
void searches_are_exact_where_float_distances_cannot_tell_rows_apart() {
  constexpr int kDim = 100;
  for (const int metric : kMetrics) {
    for (const double spread : {1e-7, 1e-6, 1e-5, 1e-4}) {
      Db db(nullptr, metric, kDim);
      Oracle oracle(metric, kDim);
      const auto centre = random_vectors(1, kDim);
      auto vectors = random_vectors(3000, kDim);
      for (std::size_t i = 0; i < vectors.size(); ++i) {
        vectors[i] = centre[i % kDim] + static_cast<float>(spread) * vectors[i];
      }
      const auto ids = consecutive_ids(3000);
      CHECK_EQUAL(PANVEC_OK, db.add(ids, vectors));
      oracle.put(ids, vectors);
      for (int i = 0; i < 4; ++i) {
        const auto query = i == 0 ? centre : random_vectors(1, kDim);
        check_hits(oracle.search(query, 10), db.search(query, 10));
      }
    }
  }
}

void equal_distances_are_ordered_by_id() {
  for (const int metric : kMetrics) {
    Db db(nullptr, metric, 4);
    std::vector<std::int64_t> ids = consecutive_ids(5000, -2500);
    std::shuffle(ids.begin(), ids.end(), random_bits);
    std::vector<float> vectors;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      vectors.insert(vectors.end(), {1, 2, 3, 4});
    }
    CHECK_EQUAL(PANVEC_OK, db.add(ids, vectors));
    const Hits hits = db.search({4, 3, 2, 1}, 20);
    CHECK_EQUAL(std::size_t{20}, hits.size());
    for (std::int64_t i = 0; i < 20; ++i) {
      CHECK_EQUAL(-2500 + i, hits[static_cast<std::size_t>(i)].second);
      CHECK_EQUAL(hits[0].first, hits[static_cast<std::size_t>(i)].first);
    }
  }
}

void more_than_4096_neighbours_are_found() {
  for (const int metric : kMetrics) {
    Db db(nullptr, metric, 3);
    Oracle oracle(metric, 3);
    const auto ids = consecutive_ids(6000);
    const auto vectors = random_vectors(6000, 3);
    CHECK_EQUAL(PANVEC_OK, db.add(ids, vectors));
    oracle.put(ids, vectors);
    const auto query = random_vectors(1, 3);
    for (const std::int64_t k : std::initializer_list<std::int64_t>{4095, 4096, 4097, 5999, kMaxId}) {
      check_hits(oracle.search(query, k), db.search(query, k));
    }
  }
}

void extreme_components_are_searched_exactly() {
  const float most = std::numeric_limits<float>::max();
  const float least = std::numeric_limits<float>::denorm_min();
  for (const int metric : kMetrics) {
    Db db(nullptr, metric, 2);
    Oracle oracle(metric, 2);
    std::vector<std::int64_t> ids;
    std::vector<float> vectors;
    for (const float x : {most, -most, most / 2, 1e-30F, least, -least, 1.0F, 1e19F, 1e-19F}) {
      for (const float y : {most, -most, 1e20F, 1e-30F, least, -3 * least, 1.0F, 1e-22F}) {
        for (int copy = 0; copy < 12; ++copy) {
          ids.push_back(static_cast<std::int64_t>(ids.size()));
          vectors.insert(vectors.end(), {x, copy % 2 == 0 ? y : y / 2 + least});
        }
      }
    }
    CHECK_EQUAL(PANVEC_OK, db.add(ids, vectors));
    oracle.put(ids, vectors);
    for (const std::int64_t k : {1, 3, 10}) {
      for (std::size_t i = 0; i < vectors.size(); i += 10) {
        const std::vector<float> query = {vectors[i], vectors[i + 1]};
        check_hits(oracle.search(query, k), db.search(query, k));
      }
    }
  }
}

// The proof of a search rests on this bound: sqlite-vec's own distances, through SQL, against the reference.
void sqlite_vec_distances_keep_within_the_bound() {
  for (const int dim : {1, 2, 3, 16, 100, 1536}) {
    for (const Metric metric : {Metric::kL2, Metric::kCosine}) {
      const auto n = static_cast<std::size_t>(dim);
      for (int i = 0; i < 300; ++i) {
        auto a = random_vectors(1, dim);
        auto b = random_vectors(1, dim);
        if (i % 3 == 1) {
          for (std::size_t j = 0; j < n; ++j) {
            b[j] = a[j] + 1e-4F * b[j];
          }
        }
        if (metric == Metric::kCosine) {
          CHECK(panvec::reference_unit(a.data(), n, a.data()));
          CHECK(panvec::reference_unit(b.data(), n, b.data()));
        }
        // The same sums in the same order as sqlite-vec's.
        float dot = 0, aa = 0, bb = 0, squares = 0;
        for (std::size_t j = 0; j < n; ++j) {
          const float t = a[j] - b[j];
          squares += t * t;
          dot += a[j] * b[j];
          aa += a[j] * a[j];
          bb += b[j] * b[j];
        }
        const float value = metric == Metric::kL2
                                ? static_cast<float>(std::sqrt(double{squares}))
                                : static_cast<float>(1 - dot / (std::sqrt(double{aa}) * std::sqrt(double{bb})));
        const float reference = panvec::reference_distance(metric, a.data(), b.data(), n);
        const double bound = panvec::sqlitevec::least_reference_distance(metric, n, value);
        CHECK(bound <= reference);
        CHECK(reference - bound <= 1e-2 + 1e-2 * reference);
      }
    }
  }
}

void ids_may_be_any_int64() {
  for (const int metric : kMetrics) {
    Db db(nullptr, metric, 3);
    Oracle oracle(metric, 3);
    const std::vector<std::int64_t> ids = {0, -1, kMinId, kMaxId, 1, kMinId + 1, kMaxId - 1, std::int64_t{1} << 32};
    const auto vectors = random_vectors(static_cast<std::int64_t>(ids.size()), 3);
    CHECK_EQUAL(PANVEC_OK, db.add(ids, vectors));
    oracle.put(ids, vectors);
    const auto query = random_vectors(1, 3);
    check_hits(oracle.search(query, 100), db.search(query, 100));
    for (const std::int64_t id : ids) {
      std::vector<float> row;
      CHECK_EQUAL(PANVEC_OK, db.get(id, row));
      CHECK(std::memcmp(oracle.row(id).data(), row.data(), 3 * sizeof(float)) == 0);
      const std::vector<std::int64_t> only = {id};
      check_hits(oracle.search(query, 2, [&](std::int64_t other) { return other == id; }),
                 db.search(query, 2, {&only, nullptr, 0}));
      CHECK_EQUAL(PANVEC_DUPLICATE_ID, db.add({id}, {1, 2, 3}));
    }
    CHECK_EQUAL(std::int64_t{8}, db.remove(ids));
    CHECK_EQUAL(std::int64_t{0}, db.size());
  }
}

void check_filters(Db& db, const Oracle& oracle, const std::vector<std::int64_t>& stored, int dim) {
  const std::int64_t rows = oracle.size();
  for (const double share : {0.0, 0.0005, 0.01, 0.05, 0.15, 0.4, 0.8, 1.0}) {
    for (const bool with_missing : {false, true}) {
      std::set<std::int64_t> wanted;
      for (const std::int64_t id : stored) {
        if (std::uniform_real_distribution<double>()(random_bits) < share) {
          wanted.insert(id);
        }
      }
      if (with_missing) {
        for (std::int64_t i = 0; i < rows / 10; ++i) {
          wanted.insert(static_cast<std::int64_t>(random_bits()));
        }
      }
      const std::vector<std::int64_t> ids(wanted.begin(), wanted.end());
      for (const std::int64_t k : {1, 10, 50}) {
        const auto query = random_vectors(1, dim);
        check_hits(oracle.search(query, k, [&](std::int64_t id) { return wanted.count(id) > 0; }),
                   db.search(query, k, {&ids, nullptr, 0}));
      }
    }
  }
}

void id_lists_filter_exactly_at_any_selectivity() {
  for (const int metric : kMetrics) {
    for (const int dim : {8, 100}) {
      Db db(nullptr, metric, dim);
      Oracle oracle(metric, dim);
      const auto ids = consecutive_ids(4000);
      const auto vectors = random_vectors(4000, dim);
      CHECK_EQUAL(PANVEC_OK, db.add(ids, vectors));
      oracle.put(ids, vectors);
      check_filters(db, oracle, ids, dim);
    }
  }
}

// sqlite-vec compares the ids of a filter by their difference cut to 32 bits.
void filters_hold_for_ids_that_agree_in_their_low_bits() {
  for (const int metric : kMetrics) {
    Db db(nullptr, metric, 8);
    Oracle oracle(metric, 8);
    std::vector<std::int64_t> ids;
    for (std::int64_t i = 0; i < 4000; ++i) {
      ids.push_back((i - 2000) * (std::int64_t{1} << 32) + i % 3);
    }
    const auto vectors = random_vectors(4000, 8);
    CHECK_EQUAL(PANVEC_OK, db.add(ids, vectors));
    oracle.put(ids, vectors);
    check_filters(db, oracle, ids, 8);
  }
}

void filters_of_none_one_two_and_100000_ids_hold() {
  for (const int metric : kMetrics) {
    Db db(nullptr, metric, 8);
    Oracle oracle(metric, 8);
    const auto ids = consecutive_ids(3000, 50000);
    const auto vectors = random_vectors(3000, 8);
    CHECK_EQUAL(PANVEC_OK, db.add(ids, vectors));
    oracle.put(ids, vectors);
    const auto query = random_vectors(1, 8);
    const std::vector<std::vector<std::int64_t>> filters = {
        {}, {50001}, {7}, {50001, 52999}, {7, 50001}, consecutive_ids(100000)};
    for (const auto& filter : filters) {
      check_hits(oracle.search(query, 10,
                               [&](std::int64_t id) { return std::binary_search(filter.begin(), filter.end(), id); }),
                 db.search(query, 10, {&filter, nullptr, 0}));
    }
    const std::vector<std::int64_t> unsorted = {3, 2};
    Hits hits;
    CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, db.try_search(query, 10, {&unsorted, nullptr, 0}, hits));
  }
}

void bitmaps_filter_exactly() {
  for (const int metric : kMetrics) {
    Db db(nullptr, metric, 8);
    Oracle oracle(metric, 8);
    auto ids = consecutive_ids(3000, -1500);
    ids.insert(ids.end(), {kMinId, kMaxId, kMaxId - 3});
    const auto vectors = random_vectors(3003, 8);
    CHECK_EQUAL(PANVEC_OK, db.add(ids, vectors));
    oracle.put(ids, vectors);
    for (const std::int64_t first : {std::int64_t{-1500}, std::int64_t{-64}, std::int64_t{1499}, kMinId, kMaxId - 3}) {
      for (const std::size_t words : {std::size_t{0}, std::size_t{1}, std::size_t{46}, std::size_t{2000}}) {
        for (const int density : {1, 2, 3}) {
          std::vector<std::uint64_t> bitmap(words + 1);
          for (std::size_t word = 0; word < words; ++word) {
            bitmap[word] = density == 1 ? random_bits() & random_bits() & random_bits() & random_bits()
                           : density == 2 ? random_bits()
                                          : ~std::uint64_t{0};
          }
          bitmap.resize(std::max<std::size_t>(words, 1));
          const auto allowed = [&](std::int64_t id) {
            const __int128 bit = static_cast<__int128>(id) - first;
            return bit >= 0 && bit < static_cast<__int128>(bitmap.size() * 64) &&
                   (bitmap[static_cast<std::size_t>(bit / 64)] >> static_cast<int>(bit % 64) & 1) != 0;
          };
          const auto query = random_vectors(1, 8);
          check_hits(oracle.search(query, 10, allowed), db.search(query, 10, {nullptr, &bitmap, first}));
        }
      }
    }
  }
}

void a_bitmap_beyond_the_largest_id_stops_there() {
  const std::vector<std::uint64_t> words(3, ~std::uint64_t{0});
  const IdFilter filter = IdFilter::bitmap(words.data(), kMaxId - 69, 3);
  CHECK_EQUAL(std::int64_t{70}, filter.size());
  CHECK_EQUAL(kMaxId - 69, filter.least());
  CHECK_EQUAL(kMaxId, filter.largest());
  CHECK(filter.contains(kMaxId));
  CHECK(!filter.contains(kMinId));
  std::int64_t seen = 0;
  for (auto at = filter.first(); at != IdFilter::kEnd; at = filter.next(at)) {
    CHECK_EQUAL(kMaxId - 69 + seen, filter.id_at(at));
    ++seen;
  }
  CHECK_EQUAL(std::int64_t{70}, seen);
}

// What a program of steps means, by the book: sets of all ids that matter.
bool passes(const Steps& steps, std::int64_t id) {
  std::vector<bool> stack;
  for (const Step& step : steps) {
    if (step.kind == PANVEC_SQLITEVEC_IDS) {
      const auto* ids = static_cast<const std::int64_t*>(step.data);
      stack.push_back(std::find(ids, ids + step.count, id) != ids + step.count);
    } else if (step.kind == PANVEC_SQLITEVEC_BITMAP) {
      const __int128 bit = static_cast<__int128>(id) - step.first;
      const auto* words = static_cast<const std::uint64_t*>(step.data);
      stack.push_back(bit >= 0 && bit < step.count * 64 &&
                      (words[static_cast<std::size_t>(bit / 64)] >> static_cast<int>(bit % 64) & 1) != 0);
    } else if (step.kind == PANVEC_SQLITEVEC_RANGE) {
      stack.push_back(step.first <= id && id <= step.last);
    } else if (step.kind == PANVEC_SQLITEVEC_NOT) {
      stack.back() = !stack.back();
    } else {
      bool all = true;
      bool any = false;
      for (std::int64_t i = 0; i < step.count; ++i) {
        all = all && stack.back();
        any = any || stack.back();
        stack.pop_back();
      }
      stack.push_back(step.kind == PANVEC_SQLITEVEC_AND ? all : any);
    }
  }
  CHECK_EQUAL(std::size_t{1}, stack.size());
  return stack.back();
}

void filters_of_any_steps_hold() {
  const std::int64_t corners[] = {kMinId, kMinId + 1, -501, -500, -1, 0, 1, 499, 500, 900, kMaxId - 1, kMaxId};
  const auto any_id = [&] { return random_below(2) == 0 ? corners[random_below(12)] : random_below(1100) - 550; };
  for (const int metric : kMetrics) {
    for (const bool far_ids : {false, true}) {
      Db db(nullptr, metric, 5);
      Oracle oracle(metric, 5);
      auto ids = consecutive_ids(1000, -500);
      if (far_ids) {
        ids.insert(ids.end(), {kMinId, kMaxId});
      }
      const auto vectors = random_vectors(static_cast<std::int64_t>(ids.size()), 5);
      CHECK_EQUAL(PANVEC_OK, db.add(ids, vectors));
      oracle.put(ids, vectors);
      for (int round = 0; round < 300; ++round) {
        std::vector<std::vector<std::int64_t>> lists(4);
        std::vector<std::vector<std::uint64_t>> bitmaps(4);
        for (auto& list : lists) {
          std::set<std::int64_t> wanted;
          for (std::int64_t left = random_below(2) == 0 ? random_below(5) : random_below(700); left > 0; --left) {
            wanted.insert(any_id());
          }
          list.assign(wanted.begin(), wanted.end());
        }
        for (auto& bitmap : bitmaps) {
          bitmap.resize(static_cast<std::size_t>(random_below(20)));
          std::generate(bitmap.begin(), bitmap.end(), std::ref(random_bits));
        }
        Steps steps;
        std::int64_t sets = 0;
        for (std::int64_t left = random_below(8); left >= 0 || sets > 1; --left) {
          const std::int64_t kind = left < 0 ? PANVEC_SQLITEVEC_AND + random_below(2) : random_below(6);
          const auto which = static_cast<std::size_t>(random_below(4));
          if (kind == PANVEC_SQLITEVEC_IDS) {
            steps.push_back({kind, 0, 0, static_cast<std::int64_t>(lists[which].size()), lists[which].data()});
            ++sets;
          } else if (kind == PANVEC_SQLITEVEC_BITMAP) {
            const auto words = static_cast<std::int64_t>(bitmaps[which].size());
            steps.push_back({kind, any_id(), 0, words, bitmaps[which].data()});
            ++sets;
          } else if (kind == PANVEC_SQLITEVEC_RANGE || sets == 0) {
            const std::int64_t one = any_id();
            const std::int64_t two = any_id();
            steps.push_back({PANVEC_SQLITEVEC_RANGE, std::min(one, two), std::max(one, two), 0, nullptr});
            ++sets;
          } else if (kind == PANVEC_SQLITEVEC_NOT) {
            steps.push_back({kind, 0, 0, 0, nullptr});
          } else {
            const std::int64_t taken = 1 + random_below(sets);
            steps.push_back({kind, 0, 0, taken, nullptr});
            sets -= taken - 1;
          }
        }
        const auto query = random_vectors(1, 5);
        const auto allowed = [&](std::int64_t id) { return passes(steps, id); };
        const Filter filter{nullptr, nullptr, 0, &steps};
        check_hits(oracle.search(query, 10, allowed), db.search(query, 10, filter));
        std::vector<std::int64_t> expected;
        std::copy_if(ids.begin(), ids.end(), std::back_inserter(expected), allowed);
        std::sort(expected.begin(), expected.end());
        CHECK(expected == db.ids(filter));
      }
    }
  }
}

void programs_that_are_none_are_refused() {
  Db db(nullptr, PANVEC_L2, 2);
  CHECK_EQUAL(PANVEC_OK, db.add({1}, {1, 2}));
  const std::vector<std::int64_t> list = {1, 2};
  const Step ids = {PANVEC_SQLITEVEC_IDS, 0, 0, 2, list.data()};
  const Steps programs[] = {{{PANVEC_SQLITEVEC_IDS, 0, 0, -1, list.data()}},
                            {{PANVEC_SQLITEVEC_IDS, 0, 0, 1, nullptr}},
                            {{PANVEC_SQLITEVEC_BITMAP, 0, 0, -1, list.data()}},
                            {{PANVEC_SQLITEVEC_BITMAP, 0, 0, 1, nullptr}},
                            {{PANVEC_SQLITEVEC_RANGE, 2, 1, 0, nullptr}},
                            {{PANVEC_SQLITEVEC_NOT, 0, 0, 1, nullptr}},
                            {{PANVEC_SQLITEVEC_AND, 0, 0, 1, nullptr}},
                            {ids, {PANVEC_SQLITEVEC_AND, 0, 0, 2, nullptr}},
                            {ids, {PANVEC_SQLITEVEC_OR, 0, 0, 0, nullptr}},
                            {ids, {PANVEC_SQLITEVEC_OR, 0, 0, kMinId, nullptr}},
                            {ids, {PANVEC_SQLITEVEC_OR, 0, 0, kMaxId, nullptr}},
                            {ids, {6, 0, 0, 1, list.data()}},
                            {ids, {-1, 0, 0, 1, list.data()}},
                            {ids, ids}};
  for (const Steps& steps : programs) {
    Hits hits;
    CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, db.try_search({1, 2}, 1, {nullptr, nullptr, 0, &steps}, hits));
    CHECK(contains(db.error(), "filter"));
  }
  std::int64_t count;
  for (const std::int64_t steps : {std::int64_t{0}, std::int64_t{-1}}) {
    CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_sqlitevec_ids(db.connection(), &ids, steps, nullptr, kNoDeadline,
                                                              nullptr, 0, &count, nullptr, 0));
  }
}

void everything_within_a_radius_is_found() {
  for (const int metric : kMetrics) {
    for (const int dim : {3, 100}) {
      Db db(nullptr, metric, dim);
      Oracle oracle(metric, dim);
      const auto ids = consecutive_ids(6000);
      auto vectors = random_vectors(6000, dim);
      // Some rows are equal, so that distances are.
      std::copy_n(vectors.begin(), dim * 20, vectors.begin() + dim * 100);
      CHECK_EQUAL(PANVEC_OK, db.add(ids, vectors));
      oracle.put(ids, vectors);
      const std::vector<std::int64_t> some = consecutive_ids(2000, 1000);
      for (int round = 0; round < 10; ++round) {
        const auto query = random_vectors(1, dim);
        const Hits all = oracle.search(query, 6000);
        for (const std::size_t rank : {0, 1, 9, 63, 64, 300, 5000, 5999}) {
          // The distance of a hit itself belongs to it; the next smaller number does not.
          const float radius = all[rank].first;
          for (const float r : {radius, std::nextafter(radius, -INFINITY)}) {
            if (metric != PANVEC_DOT && r < 0) {
              continue;
            }
            for (const std::int64_t limit : {std::int64_t{1}, std::int64_t{50}, std::int64_t{1000000}}) {
              Hits expected = all;
              expected.erase(std::find_if(expected.begin(), expected.end(), [&](const auto& h) { return h.first > r; }),
                             expected.end());
              expected.resize(std::min(expected.size(), static_cast<std::size_t>(limit)));
              check_hits(expected, db.search_range(query, r, limit));
            }
            Hits expected = oracle.search(query, 6000, [](std::int64_t id) { return id >= 1000 && id < 3000; });
            expected.erase(std::find_if(expected.begin(), expected.end(), [&](const auto& h) { return h.first > r; }),
                           expected.end());
            check_hits(expected, db.search_range(query, r, 6000, {&some, nullptr, 0}));
          }
        }
        CHECK_EQUAL(std::size_t{0}, db.search_range(query, -INFINITY, 10).size());
        CHECK_EQUAL(std::size_t{6000}, db.search_range(query, INFINITY, 10000).size());
      }
    }
  }
}

void hits_without_room_are_kept_until_the_next_call() {
  Db db(nullptr, PANVEC_L2, 1);
  CHECK_EQUAL(PANVEC_OK, db.add(consecutive_ids(10), random_vectors(10, 1)));
  const float query = 0;
  std::int64_t ids[10];
  float distances[10];
  std::int64_t count = -1;
  const auto search = [&] {
    CHECK_EQUAL(PANVEC_OK, panvec_sqlitevec_search(db.connection(), &query, 7, INFINITY, nullptr, 0, nullptr,
                                                   kNoDeadline, nullptr, nullptr, 0, &count, nullptr, 0));
    CHECK_EQUAL(std::int64_t{7}, count);
  };
  search();
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, panvec_sqlitevec_take_hits(db.connection(), ids, distances, 6, nullptr, 0));
  search();
  CHECK_EQUAL(PANVEC_OK, panvec_sqlitevec_take_hits(db.connection(), ids, distances, 10, nullptr, 0));
  CHECK(distances[0] <= distances[6]);
  ids[0] = -77;
  CHECK_EQUAL(PANVEC_OK, panvec_sqlitevec_take_hits(db.connection(), ids, distances, 10, nullptr, 0));
  CHECK_EQUAL(std::int64_t{-77}, ids[0]);
  search();
  CHECK_EQUAL(std::int64_t{10}, db.size());
  CHECK_EQUAL(PANVEC_OK, panvec_sqlitevec_take_hits(db.connection(), nullptr, nullptr, 0, nullptr, 0));
}

void reads_between_begin_and_end_see_one_state() {
  Directory directory;
  const std::string path = directory.file("v.db");
  Db writer(path.c_str(), PANVEC_L2, 2);
  Db reader(path.c_str(), PANVEC_L2, 2, 50, true);
  CHECK_EQUAL(PANVEC_OK, writer.add({1}, {1, 1}));
  CHECK_EQUAL(PANVEC_OK, reader.begin_read());
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, reader.begin_read());
  CHECK_EQUAL(std::int64_t{1}, reader.size());
  CHECK_EQUAL(PANVEC_OK, writer.add({2}, {2, 2}));
  CHECK_EQUAL(std::size_t{1}, reader.ids().size());
  CHECK_EQUAL(std::size_t{1}, reader.search({0, 0}, 5).size());
  CHECK_EQUAL(std::int64_t{1}, reader.size());
  CHECK_EQUAL(PANVEC_OK, reader.end_read());
  CHECK_EQUAL(std::int64_t{2}, reader.size());
  CHECK_EQUAL(PANVEC_OK, reader.end_read());
  CHECK_EQUAL(PANVEC_OK, writer.begin());
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, writer.begin_read());
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, writer.end_read());
  CHECK_EQUAL(PANVEC_OK, writer.rollback());
}

void an_empty_table_finds_nothing() {
  for (const int metric : kMetrics) {
    Db db(nullptr, metric, 3);
    CHECK_EQUAL(std::size_t{0}, db.search({1, 2, 3}, 10).size());
    const std::vector<std::int64_t> filter = {1, 2};
    CHECK_EQUAL(std::size_t{0}, db.search({1, 2, 3}, 10, {&filter, nullptr, 0}).size());
    CHECK_EQUAL(std::int64_t{0}, db.remove({1, 2}));
  }
}

void bad_queries_are_refused() {
  Db db(nullptr, PANVEC_COSINE, 3);
  CHECK_EQUAL(PANVEC_OK, db.add({1, 2}, {1, 2, 3, 4, 5, 6}));
  Hits hits;
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, db.try_search({1, 2, 3}, 0, {}, hits, 5));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, db.try_search({1, 2, 3}, 2, {}, hits, 1, NAN));
  CHECK_EQUAL(PANVEC_INVALID_VECTOR, db.try_search({1, NAN, 3}, 2, {}, hits));
  CHECK_EQUAL(std::string("query: component 1 is NaN"), db.error());
  CHECK_EQUAL(PANVEC_INVALID_VECTOR, db.try_search({1, 2, -INFINITY}, 2, {}, hits));
  CHECK_EQUAL(std::string("query: component 2 is infinite"), db.error());
  CHECK_EQUAL(PANVEC_INVALID_VECTOR, db.try_search({0, 0, 0}, 2, {}, hits));
  CHECK_EQUAL(std::string("query: the vector is zero, which COSINE cannot take"), db.error());
  CHECK_EQUAL(std::size_t{2}, db.search({1, 2, 3}, 2).size());
}

// ---- Writes
// ----------------------------------------------------------------------------------------------------------

void a_refused_batch_changes_nothing() {
  for (const int metric : kMetrics) {
    Db db(nullptr, metric, 2);
    CHECK_EQUAL(PANVEC_OK, db.add({5, 6}, {1, 2, 3, 4}));
    CHECK_EQUAL(PANVEC_DUPLICATE_ID, db.add({7, 8, 6}, {1, 1, 1, 1, 1, 1}));
    CHECK_EQUAL(std::int64_t{2}, db.bad_row());
    CHECK(contains(db.error(), "id 6"));
    CHECK_EQUAL(PANVEC_DUPLICATE_ID, db.add({7, 8, 7}, {1, 1, 1, 1, 1, 1}));
    CHECK_EQUAL(PANVEC_INVALID_VECTOR, db.add({7, 8}, {1, 1, 1, INFINITY}));
    CHECK_EQUAL(std::int64_t{1}, db.bad_row());
    CHECK_EQUAL(1, db.bad_component());
    CHECK_EQUAL(std::string("row 1: component 1 is infinite"), db.error());
    CHECK_EQUAL(PANVEC_INVALID_VECTOR, db.add({7, 8}, {NAN, 1, 1, INFINITY}));
    CHECK_EQUAL(std::string("row 0: component 0 is NaN"), db.error());
    if (metric == PANVEC_COSINE) {
      CHECK_EQUAL(PANVEC_INVALID_VECTOR, db.add({7, 8}, {1, 1, 0, 0}));
      CHECK_EQUAL(std::int64_t{1}, db.bad_row());
      CHECK_EQUAL(-1, db.bad_component());
      CHECK_EQUAL(std::string("row 1: the vector is zero, which COSINE cannot take"), db.error());
    }
    CHECK_EQUAL(std::int64_t{2}, db.size());
    std::vector<float> row;
    CHECK_EQUAL(PANVEC_NOT_FOUND, db.get(7, row));
    CHECK_EQUAL(std::size_t{2}, db.search({1, 1}, 10).size());
    CHECK_EQUAL(PANVEC_OK, db.add({7, 8}, {1, 1, 2, 2}));
    CHECK_EQUAL(std::int64_t{4}, db.size());
  }
}

void upsert_replaces_and_inserts() {
  for (const int metric : kMetrics) {
    Db db(nullptr, metric, 2);
    Oracle oracle(metric, 2);
    CHECK_EQUAL(PANVEC_OK, db.add({1, 2}, {1, 2, 3, 4}));
    oracle.put({1, 2}, {1, 2, 3, 4});
    CHECK_EQUAL(PANVEC_OK, db.add({2, 3, 3}, {9, 8, 7, 6, 5, 4}, true));
    oracle.put({2, 3, 3}, {9, 8, 7, 6, 5, 4});
    CHECK_EQUAL(std::int64_t{3}, db.size());
    check_hits(oracle.search({1, 0}, 10), db.search({1, 0}, 10));
  }
}

void a_transaction_over_slices_is_one() {
  for (const int metric : kMetrics) {
    Db db(nullptr, metric, 2);
    CHECK_EQUAL(PANVEC_OK, db.add({1}, {1, 2}));
    CHECK_EQUAL(PANVEC_OK, db.begin());
    CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, db.begin());
    CHECK_EQUAL(PANVEC_OK, db.add({2, 3}, {1, 2, 3, 4}));
    CHECK_EQUAL(std::size_t{3}, db.search({1, 1}, 10).size());
    CHECK_EQUAL(PANVEC_DUPLICATE_ID, db.add({4, 2}, {1, 2, 3, 4}));
    CHECK_EQUAL(PANVEC_OK, db.rollback());
    CHECK_EQUAL(std::int64_t{1}, db.size());
    CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, db.commit());
    CHECK_EQUAL(PANVEC_OK, db.begin());
    CHECK_EQUAL(PANVEC_OK, db.add({2, 3}, {1, 2, 3, 4}));
    CHECK_EQUAL(std::int64_t{1}, db.remove({1, 1, 99}));
    CHECK_EQUAL(PANVEC_OK, db.commit());
    CHECK_EQUAL(std::int64_t{2}, db.size());
    CHECK_EQUAL(PANVEC_OK, db.add({4}, {1, 2}));
  }
}

void churn_keeps_rows_and_answers_right() {
  for (const int metric : kMetrics) {
    Directory directory;
    const std::string path = directory.file("churn.db");
    constexpr int kDim = 8;
    Db db(path.c_str(), metric, kDim);
    Oracle oracle(metric, kDim);
    for (int round = 0; round < 30; ++round) {
      std::set<std::int64_t> drawn;
      while (drawn.size() < 100) {
        drawn.insert(random_below(1500) - 700);
      }
      const std::vector<std::int64_t> ids(drawn.begin(), drawn.end());
      const auto vectors = random_vectors(100, kDim);
      if (round % 3 == 2) {
        const std::int64_t before = oracle.size();
        oracle.remove(ids);
        CHECK_EQUAL(before - oracle.size(), db.remove(ids));
      } else {
        CHECK_EQUAL(PANVEC_OK, db.add(ids, vectors, true));
        oracle.put(ids, vectors);
      }
      CHECK_EQUAL(oracle.size(), db.size());
      const auto query = random_vectors(1, kDim);
      check_hits(oracle.search(query, 20), db.search(query, 20));
    }
    const auto all = consecutive_ids(1500, -700);
    db.remove(all);
    CHECK_EQUAL(std::int64_t{0}, db.size());
    const auto vectors = random_vectors(1500, kDim);
    CHECK_EQUAL(PANVEC_OK, db.add(all, vectors));
    Oracle fresh(metric, kDim);
    fresh.put(all, vectors);
    const auto query = random_vectors(1, kDim);
    check_hits(fresh.search(query, 20), db.search(query, 20));
  }
}

// Sets a flag for a stop, a random while after start(), that no check depends on.
class Stopper {
 public:
  explicit Stopper(std::int64_t most_yields) : thread_([this, times = random_below(most_yields)] {
    runs_.store(true);
    while (!started_.load()) std::this_thread::yield();
    give_way(times);
    __atomic_store_n(&flag_, 1, __ATOMIC_RELAXED);
  }) {}
  ~Stopper() {
    started_.store(true);
    thread_.join();
  }
  const std::int32_t* flag() const { return &flag_; }
  // Not before the thread runs: else a short call would be over whenever it comes.
  void start() {
    while (!runs_.load()) std::this_thread::yield();
    started_.store(true);
  }

 private:
  std::int32_t flag_ = 0;
  std::atomic<bool> runs_{false};
  std::atomic<bool> started_{false};
  std::thread thread_;
};

// Calls until one was stopped; each is through, or stopped with nothing left of it.
void stop_calls(Db& db, const std::function<int()>& call) {
  constexpr int kEnough = 1000;
  int stopped = 0;
  for (int i = 0; i < kEnough && stopped == 0; ++i) {
    Stopper stopper(std::int64_t{1} << i % 12);
    db.stop_when(stopper.flag());
    stopper.start();
    const int status = call();
    CHECK(status == PANVEC_OK || (status == PANVEC_STOPPED && db.error() == "stopped"));
    stopped += status == PANVEC_STOPPED;
    db.stop_when(nullptr);
  }
  CHECK_EQUAL(1, stopped);
}

void a_stop_ends_a_write_and_leaves_nothing_of_it() {
  constexpr std::int64_t kRows = 3000;
  const auto vectors = random_vectors(kRows, 64);
  Db db(nullptr, PANVEC_L2, 64);
  for (std::int64_t round = 0; round < 20; ++round) {
    const std::int64_t before = db.size();
    std::int64_t calls = 0;
    stop_calls(db, [&] { return db.add(consecutive_ids(kRows, db.size()), vectors, ++calls % 2 == 0); });
    CHECK_EQUAL(before + (calls - 1) * kRows, db.size());
    CHECK_EQUAL(static_cast<std::size_t>(db.size()), db.ids().size());
    db.remove(db.ids());
  }
}

void a_stop_ends_a_batch_that_can_be_rolled_back() {
  constexpr std::int64_t kRows = 3000;
  const auto vectors = random_vectors(kRows, 64);
  Directory directory;
  Db db(directory.file("v.db").c_str(), PANVEC_L2, 64);
  CHECK_EQUAL(PANVEC_OK, db.add({-1}, random_vectors(1, 64)));
  stop_calls(db, [&] {
    // On a busy machine the stop may come before the large slice.
    int status = db.begin();
    if (status != PANVEC_OK) return status;
    status = db.add({-2}, random_vectors(1, 64));
    if (status == PANVEC_OK) status = db.add(consecutive_ids(kRows), vectors);
    CHECK_EQUAL(PANVEC_OK, db.rollback());
    return status;
  });
  CHECK_EQUAL(std::int64_t{1}, db.size());
  CHECK_EQUAL(PANVEC_OK, db.add(consecutive_ids(kRows), vectors));
}

void a_stop_ends_a_search_on_every_path() {
  constexpr std::int64_t kRows = 20000;
  for (const int metric : kMetrics) {
    Db db(nullptr, metric, 64);
    CHECK_EQUAL(PANVEC_OK, db.add(consecutive_ids(kRows), random_vectors(kRows, 64)));
    const auto query = random_vectors(1, 64);
    const std::vector<std::int64_t> many = consecutive_ids(kRows - 1);
    const Steps odd = {{PANVEC_SQLITEVEC_IDS, 0, 0, 3000, many.data()}, {PANVEC_SQLITEVEC_NOT, 0, 0, 0, nullptr}};
    for (const std::int64_t k : {std::int64_t{10}, kRows}) {
      for (const Filter& filter : {Filter{}, Filter{&many, nullptr, 0, nullptr}, Filter{nullptr, nullptr, 0, &odd}}) {
        stop_calls(db, [&] {
          Hits hits;
          return db.try_search(query, k, filter, hits, kRows);
        });
        CHECK_EQUAL(static_cast<std::size_t>(std::min(k, filter.steps == nullptr ? filter.ids == nullptr ? kRows
                                                                                                        : kRows - 1
                                                                                 : kRows - 3000)),
                    db.search(query, k, filter).size());
      }
    }
    stop_calls(db, [&] {
      std::vector<std::int64_t> ids;
      return db.try_ids({&many, nullptr, 0, nullptr}, ids);
    });
  }
}

void what_is_past_its_deadline_stops_at_once() {
  for (const int metric : kMetrics) {
    Db db(nullptr, metric, 2);
    CHECK_EQUAL(PANVEC_OK, db.add({1, 2}, {1, 2, 3, 4}));
    const std::int32_t asked = 1;
    const std::int32_t not_asked = 0;
    const std::pair<const std::int32_t*, std::int64_t> stops[] = {
        {nullptr, 0}, {nullptr, -5}, {&not_asked, kMinId}, {&asked, kNoDeadline}, {&asked, 0}};
    for (const auto& [flag, nanos_left] : stops) {
      db.stop_when(flag, nanos_left);
      Hits hits;
      CHECK_EQUAL(PANVEC_STOPPED, db.try_search({1, 2}, 1, {}, hits, 5));
      CHECK_EQUAL(PANVEC_STOPPED, db.add({3}, {5, 6}));
      CHECK_EQUAL(PANVEC_STOPPED, db.begin());
      std::vector<std::int64_t> state(3);
      std::int64_t rows;
      std::int32_t finished;
      CHECK_EQUAL(PANVEC_STOPPED, db.compact_slice(state, rows, finished));
      CHECK_EQUAL(std::string("stopped"), db.error());
    }
    db.stop_when(&not_asked, kNoDeadline - 1);
    CHECK_EQUAL(PANVEC_OK, db.add({3}, {5, 6}));
    db.stop_when(nullptr);
    CHECK_EQUAL(std::int64_t{3}, db.size());
  }
}

void a_stop_ends_the_wait_for_another_writer() {
  Directory directory;
  const std::string path = directory.file("v.db");
  constexpr int kForever = std::numeric_limits<int>::max();
  Db holder(path.c_str(), PANVEC_L2, 2);
  Db waiting(path.c_str(), PANVEC_L2, 2, kForever);
  CHECK_EQUAL(PANVEC_OK, holder.begin());
  {
    Stopper stopper(3000);
    waiting.stop_when(stopper.flag());
    stopper.start();
    CHECK_EQUAL(PANVEC_STOPPED, waiting.add({1}, {1, 2}));
  }
  waiting.stop_when(nullptr, 20'000'000);
  CHECK_EQUAL(PANVEC_STOPPED, waiting.begin());
  CHECK_EQUAL(PANVEC_STOPPED, waiting.add({1}, {1, 2}));
  CHECK_EQUAL(PANVEC_OK, holder.commit());
  waiting.stop_when(nullptr);
  CHECK_EQUAL(PANVEC_OK, waiting.add({1}, {1, 2}));
}

void a_stop_ends_the_wait_for_readers_of_a_long_log_but_not_the_commit() {
  Directory directory;
  const std::string path = directory.file("v.db");
  constexpr int kDim = 4000;  // a row is a page
  // What a commit waits for the reader at the least, while that reads on and the log has 4000 pages or more.
  constexpr std::chrono::milliseconds kPatience{500};
  Db db(path.c_str(), PANVEC_DOT, kDim);
  Db reader(path.c_str(), PANVEC_DOT, kDim, 50, true);
  CHECK_EQUAL(PANVEC_OK, reader.begin_read());
  CHECK_EQUAL(std::int64_t{0}, reader.size());
  std::int64_t rows = 0;
  const auto is_patient = [&](std::int64_t more, const std::int32_t* stop, std::int64_t nanos_left) {
    CHECK_EQUAL(PANVEC_OK, db.begin());
    CHECK_EQUAL(PANVEC_OK, db.add(consecutive_ids(more, rows),
                                  std::vector<float>(static_cast<std::size_t>(more * kDim), 1.0F)));
    rows += more;
    db.stop_when(stop, nanos_left);
    const auto began = std::chrono::steady_clock::now();
    CHECK_EQUAL(PANVEC_OK, db.commit());
    const auto took = std::chrono::steady_clock::now() - began;
    db.stop_when(nullptr);
    CHECK_EQUAL(rows, db.size());
    return took >= kPatience;
  };
  CHECK(is_patient(4100, nullptr, kNoDeadline));
  const std::int32_t asked = 1;
  const std::int32_t not_asked = 0;
  const std::pair<const std::int32_t*, std::int64_t> stops[] = {{&asked, kNoDeadline}, {&not_asked, 0}};
  for (const auto& [flag, nanos_left] : stops) {
    // A slow disk takes its time too; without the stop, none of them is quicker.
    int tries = 0;
    while (is_patient(1010, flag, nanos_left)) {
      CHECK(++tries < 10);
    }
  }
  CHECK_EQUAL(std::int64_t{0}, reader.size());
  CHECK_EQUAL(PANVEC_OK, reader.end_read());
  CHECK_EQUAL(rows, reader.size());
}

// ---- Compaction
// ------------------------------------------------------------------------------------------------------

void a_compaction_gives_the_room_of_removed_rows_back_and_answers_stay() {
  for (const int metric : kMetrics) {
    for (const bool in_file : {false, true}) {
      for (const int dim : {8, 100, 5000}) {
        Directory directory;
        const std::string path = directory.file("v.db");
        Db db(in_file ? path.c_str() : nullptr, metric, dim);
        Oracle oracle(metric, dim);
        const std::int64_t rows = dim == 5000 ? 400 : 10000;
        const auto ids = consecutive_ids(rows, -rows / 2);
        const auto vectors = random_vectors(rows, dim);
        CHECK_EQUAL(PANVEC_OK, db.add(ids, vectors));
        oracle.put(ids, vectors);
        const std::int64_t full = db.usage().database_bytes;
        std::vector<std::int64_t> gone;
        for (const std::int64_t id : ids) {
          if (random_below(2) != 0) {
            gone.push_back(id);
          }
        }
        CHECK_EQUAL(static_cast<std::int64_t>(gone.size()), db.remove(gone));
        oracle.remove(gone);
        db.compact([&] {
          const auto query = random_vectors(1, dim);
          check_hits(oracle.search(query, 10), db.search(query, 10));
        });
        const Db::Usage usage = db.usage();
        CHECK_EQUAL(std::int64_t{0}, usage.dead);
        CHECK_EQUAL(std::int64_t{0}, usage.free_bytes);
        // Half of the rows, a chunk that is not full, and pages of SQLite's own.
        CHECK(usage.database_bytes < full * 6 / 10 + (dim == 5000 ? std::int64_t{3} << 19 : std::int64_t{1} << 19));
        CHECK_EQUAL(oracle.size(), db.size());
        CHECK_EQUAL(oracle.size(), static_cast<std::int64_t>(db.ids().size()));
        for (const std::int64_t id : db.ids()) {
          std::vector<float> row;
          CHECK_EQUAL(PANVEC_OK, db.get(id, row));
          CHECK(row == oracle.row(id));
        }
        if (in_file) {
          CHECK_EQUAL(usage.database_bytes, static_cast<std::int64_t>(bytes_of(path).size()));
          CHECK(bytes_of(path + "-wal").empty());
        }
        // What was removed can come again, and a second compaction finds nothing to do.
        CHECK_EQUAL(PANVEC_OK, db.add({gone[0]}, random_vectors(1, dim)));
        const std::int64_t before = db.usage().database_bytes;
        db.compact();
        CHECK_EQUAL(before, db.usage().database_bytes);
      }
    }
  }
}

void writers_and_readers_go_on_between_the_slices_of_a_compaction() {
  for (const int metric : kMetrics) {
    Directory directory;
    const std::string path = directory.file("v.db");
    constexpr int kDim = 64;
    constexpr std::int64_t kRows = 20000;
    Db db(path.c_str(), metric, kDim);
    Db other(path.c_str(), metric, kDim);
    Db reader(path.c_str(), metric, kDim, 50, true);
    Oracle oracle(metric, kDim);
    const auto vectors = random_vectors(kRows, kDim);
    CHECK_EQUAL(PANVEC_OK, db.add(consecutive_ids(kRows), vectors));
    oracle.put(consecutive_ids(kRows), vectors);
    std::vector<std::int64_t> gone;
    for (std::int64_t id = 0; id < kRows; id += 2) {
      gone.push_back(id);
    }
    db.remove(gone);
    oracle.remove(gone);
    int slices = 0;
    db.compact([&] {
      ++slices;
      const auto row = random_vectors(1, kDim);
      const std::vector<std::int64_t> id = {random_below(kRows)};
      CHECK_EQUAL(PANVEC_OK, other.add(id, row, true));
      oracle.put(id, row);
      const std::vector<std::int64_t> removed = {random_below(kRows)};
      other.remove(removed);
      oracle.remove(removed);
      const auto query = random_vectors(1, kDim);
      check_hits(oracle.search(query, 5), reader.search(query, 5));
    });
    CHECK(slices > 5);
    CHECK_EQUAL(oracle.size(), reader.size());
    const auto query = random_vectors(1, kDim);
    check_hits(oracle.search(query, kRows), db.search(query, kRows));
    CHECK_EQUAL(std::string("ok"), integrity(path));
  }
}

void a_compaction_goes_on_beside_a_writer_that_keeps_it_waiting() {
  constexpr int kDim = 4;
  constexpr std::int64_t kRows = 5000;
  // Many times what a slice takes.
  constexpr std::chrono::milliseconds kLong{30};
  // Some few are enough.
  constexpr int kMostSlices = 200;
  for (const int metric : kMetrics) {
    Directory directory;
    const std::string path = directory.file("v.db");
    Db db(path.c_str(), metric, kDim);
    Db other(path.c_str(), metric, kDim);
    CHECK_EQUAL(PANVEC_OK, db.add(consecutive_ids(kRows), random_vectors(kRows, kDim)));
    std::vector<std::int64_t> gone;
    for (std::int64_t id = 0; id < kRows; id += 2) {
      gone.push_back(id);
    }
    db.remove(gone);
    std::vector<std::int64_t> state(3);
    int slices = 0;
    for (std::int32_t finished = 0; finished == 0; ++slices) {
      CHECK(slices < kMostSlices);
      CHECK_EQUAL(PANVEC_OK, other.begin());
      std::thread writer([&] {
        std::this_thread::sleep_for(kLong);
        CHECK_EQUAL(PANVEC_OK, other.add({random_below(kRows)}, random_vectors(1, kDim), true));
        CHECK_EQUAL(PANVEC_OK, other.commit());
      });
      std::int64_t rows = -1;
      CHECK_EQUAL(PANVEC_OK, db.compact_slice(state, rows, finished));
      writer.join();
    }
    CHECK_EQUAL(std::int64_t{0}, db.usage().dead);
    CHECK_EQUAL(std::string("ok"), integrity(path));
  }
}

void a_stop_ends_a_compaction_and_loses_nothing() {
  constexpr int kDim = 64;
  constexpr std::int64_t kRows = 20000;
  for (const int metric : kMetrics) {
    Db db(nullptr, metric, kDim);
    Oracle oracle(metric, kDim);
    const auto vectors = random_vectors(kRows, kDim);
    CHECK_EQUAL(PANVEC_OK, db.add(consecutive_ids(kRows), vectors));
    oracle.put(consecutive_ids(kRows), vectors);
    std::vector<std::int64_t> gone;
    for (std::int64_t id = 0; id < kRows; id += 2) {
      gone.push_back(id);
    }
    db.remove(gone);
    oracle.remove(gone);
    const auto query = random_vectors(1, kDim);
    for (int round = 0; round < 10; ++round) {
      Stopper stopper(3000);
      db.stop_when(stopper.flag());
      stopper.start();
      std::vector<std::int64_t> state(3);
      int status = PANVEC_OK;
      for (std::int32_t finished = 0; status == PANVEC_OK && finished == 0;) {
        std::int64_t rows;
        status = db.compact_slice(state, rows, finished);
      }
      CHECK(status == PANVEC_OK || status == PANVEC_STOPPED);
      db.stop_when(nullptr);
      check_hits(oracle.search(query, kRows), db.search(query, kRows));
    }
    db.compact();
    check_hits(oracle.search(query, kRows), db.search(query, kRows));
  }
}

void removed_rows_are_counted_only_when_asked_for() {
  for (const int metric : {PANVEC_L2, PANVEC_COSINE}) {
    Directory directory;
    const std::string path = directory.file("v.db");
    Db db(path.c_str(), metric, 4);
    CHECK_EQUAL(PANVEC_OK, db.add(consecutive_ids(3000), random_vectors(3000, 4)));
    db.remove(consecutive_ids(10));
    const Db::Usage all = db.usage();
    CHECK_EQUAL(std::int64_t{10}, all.dead);
    const auto check_rest = [&] {
      Db::Usage rest{-1, -1, -1, -1};
      char error[400] = "";
      CHECK_EQUAL(PANVEC_OK, panvec_sqlitevec_usage(db.connection(), &rest.database_bytes, &rest.free_bytes,
                                                    &rest.cache_bytes, nullptr, error, sizeof error));
      CHECK_EQUAL(all.database_bytes, rest.database_bytes);
      CHECK_EQUAL(all.free_bytes, rest.free_bytes);
      CHECK(rest.cache_bytes > 0);
    };
    check_rest();
    // Who counts cannot but see this.
    execute_sql(path, "UPDATE panvec_vectors_chunks SET validity = x'00'");
    Db::Usage damaged;
    char error[400] = "";
    CHECK_EQUAL(PANVEC_CORRUPT,
                panvec_sqlitevec_usage(db.connection(), &damaged.database_bytes, &damaged.free_bytes,
                                       &damaged.cache_bytes, &damaged.dead, error, sizeof error));
    check_rest();
  }
}

void impossible_states_of_a_compaction_are_refused_or_harmless() {
  for (const int metric : kMetrics) {
    Db db(nullptr, metric, 4);
    CHECK_EQUAL(PANVEC_OK, db.add(consecutive_ids(3000), random_vectors(3000, 4)));
    db.remove(consecutive_ids(1500));
    for (int i = 0; i < 200; ++i) {
      std::vector<std::int64_t> state = {random_below(8) - 1, static_cast<std::int64_t>(random_bits()),
                                         static_cast<std::int64_t>(random_bits())};
      std::int64_t rows;
      std::int32_t finished;
      const std::int64_t stage = state[0];
      const int status = db.compact_slice(state, rows, finished);
      CHECK_EQUAL(stage < 0 || stage > 4 ? PANVEC_INVALID_ARGUMENT : PANVEC_OK, status);
    }
    CHECK_EQUAL(consecutive_ids(1500, 1500).size(), db.ids().size());
  }
}

// Two readers of which one always reads, and the other begins before it ends: the log is never out of use.
void the_log_stays_short_beside_reads_without_a_pause() {
  Directory directory;
  const std::string path = directory.file("v.db");
  Db writer(path.c_str(), PANVEC_L2, 64);
  CHECK_EQUAL(PANVEC_OK, writer.add(consecutive_ids(3000), random_vectors(3000, 64)));
  std::atomic<std::int64_t> commits{0};
  std::atomic<bool> done{false};
  std::thread leapfrog([&] {
    Db readers[] = {{path.c_str(), PANVEC_L2, 64, 50, true}, {path.c_str(), PANVEC_L2, 64, 50, true}};
    CHECK_EQUAL(PANVEC_OK, readers[0].begin_read());
    CHECK_EQUAL(std::int64_t{3000}, readers[0].size());
    for (int next = 1; !done; next = 1 - next) {
      // Some commits long, or, when the writer waits for it, some milliseconds.
      const std::int64_t until = commits + 3;
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(3);
      while (commits < until && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::yield();
      }
      CHECK_EQUAL(PANVEC_OK, readers[next].begin_read());
      CHECK_EQUAL(std::int64_t{3000}, readers[next].size());
      CHECK_EQUAL(PANVEC_OK, readers[1 - next].end_read());
    }
  });
  for (; commits < 8000; ++commits) {
    CHECK_EQUAL(PANVEC_OK, writer.add({random_below(3000)}, random_vectors(1, 64), true));
  }
  done = true;
  leapfrog.join();
  struct stat status {};
  CHECK_EQUAL(0, stat((path + "-wal").c_str(), &status));
  CHECK(status.st_size < std::int64_t{7000} * 16384);
}

// ---- Files
// -----------------------------------------------------------------------------------------------------------

void a_file_keeps_its_rows_bit_for_bit() {
  for (const int metric : kMetrics) {
    Directory directory;
    const std::string path = directory.file("a b%41?x=1#'.db");
    Oracle oracle(metric, 5);
    const auto ids = consecutive_ids(2000, -1000);
    const auto vectors = random_vectors(2000, 5);
    oracle.put(ids, vectors);
    {
      Db db(path.c_str(), metric, 5);
      CHECK_EQUAL(PANVEC_OK, db.status());
      CHECK_EQUAL(PANVEC_OK, db.add(ids, vectors));
    }
    CHECK_EQUAL(std::string("a b%41?x=1#'.db\n"), directory.listing());
    Db db(path.c_str(), metric, 5);
    CHECK_EQUAL(std::int64_t{2000}, db.size());
    for (const std::int64_t id : ids) {
      std::vector<float> row;
      CHECK_EQUAL(PANVEC_OK, db.get(id, row));
      CHECK(std::memcmp(oracle.row(id).data(), row.data(), row.size() * sizeof(float)) == 0);
    }
    CHECK(db.usage().database_bytes >= 2000 * 5 * 4);
    CHECK(db.usage().cache_bytes > 0);
  }
}

// Opens and expects a refusal that leaves every file in the directory as it was.
void check_refused(const Directory& directory, const std::string& path, int metric, int dim, int expected,
                   const std::vector<std::string>& words) {
  const std::string before = bytes_of(path);
  const std::string listing = directory.listing();
  for (const bool reader : {false, true}) {
    Db db(path.c_str(), metric, dim, 50, reader);
    if (db.status() != expected) {
      std::fprintf(stderr, "%s: status %d: %s\n", path.c_str(), db.status(), db.error().c_str());
    }
    CHECK_EQUAL(expected, db.status());
    for (const std::string& word : words) {
      if (!contains(db.error(), word)) {
        panvec::check::failed(__FILE__, __LINE__, "\"" + db.error() + "\" does not say \"" + word + "\"");
      }
    }
  }
  CHECK(before == bytes_of(path));
  CHECK_EQUAL(listing, directory.listing());
}

void files_that_are_not_ours_are_refused_and_left_alone() {
  Directory directory;
  const std::string text = directory.file("notes.txt");
  write_bytes(text, std::string(5000, 'x'));
  check_refused(directory, text, PANVEC_L2, 3, PANVEC_FOREIGN_FILE, {text, "not a Panvec database"});
  const std::string empty = directory.file("empty");
  write_bytes(empty, "");
  check_refused(directory, empty, PANVEC_L2, 3, PANVEC_FOREIGN_FILE, {empty, "0 bytes"});
  const std::string shorter = directory.file("short");
  write_bytes(shorter, "SQLite format 3");
  check_refused(directory, shorter, PANVEC_L2, 3, PANVEC_FOREIGN_FILE, {shorter});
  const std::string other = directory.file("other.db");
  execute_sql(other, "CREATE TABLE t(x); INSERT INTO t VALUES (1)");
  check_refused(directory, other, PANVEC_L2, 3, PANVEC_FOREIGN_FILE, {other, "application_id is 0x00000000"});
  execute_sql(other, "PRAGMA application_id = 252006674; PRAGMA journal_mode = WAL; INSERT INTO t VALUES (2)");
  check_refused(directory, other, PANVEC_L2, 3, PANVEC_FOREIGN_FILE, {other, "application_id is 0x0f055112"});
  check_refused(directory, directory.path(), PANVEC_L2, 3, PANVEC_FOREIGN_FILE, {"directory"});
}

void another_metric_dimension_or_format_is_refused() {
  Directory directory;
  const std::string path = directory.file("v.db");
  {
    Db db(path.c_str(), PANVEC_COSINE, 12);
    CHECK_EQUAL(PANVEC_OK, db.add({1}, random_vectors(1, 12)));
  }
  check_refused(directory, path, PANVEC_L2, 12, PANVEC_FOREIGN_FILE, {"COSINE", "L2"});
  check_refused(directory, path, PANVEC_COSINE, 13, PANVEC_FOREIGN_FILE, {"12", "13"});
  std::string bytes = bytes_of(path);
  bytes[60] = 2;
  const std::string newer = directory.file("newer.db");
  write_bytes(newer, bytes);
  check_refused(directory, newer, PANVEC_COSINE, 12, PANVEC_FOREIGN_FILE, {"format 2"});
  // A WAL that waits to be written back stays as it is as well.
  const std::string live = directory.file("live.db");
  Child writer([&](const auto& announce) {
    Db db(live.c_str(), PANVEC_L2, 3);
    CHECK_EQUAL(PANVEC_OK, db.add({1}, {1, 2, 3}));
    announce();
    pause();
  });
  writer.wait_until_ready();
  writer.kill();
  const std::string wal = bytes_of(live + "-wal");
  CHECK(!wal.empty());
  check_refused(directory, live, PANVEC_DOT, 3, PANVEC_FOREIGN_FILE, {"L2", "DOT"});
  CHECK(wal == bytes_of(live + "-wal"));
}

void damaged_files_are_refused_and_left_alone() {
  Directory directory;
  const std::string path = directory.file("v.db");
  for (const int metric : {PANVEC_L2, PANVEC_DOT}) {
    unlink(path.c_str());
    {
      Db db(path.c_str(), metric, 16);
      CHECK_EQUAL(PANVEC_OK, db.add(consecutive_ids(3000), random_vectors(3000, 16)));
    }
    const std::string good = bytes_of(path);
    const std::string bad = directory.file("bad.db");
    write_bytes(bad, good.substr(0, good.size() / 2));
    check_refused(directory, bad, metric, 16, PANVEC_CORRUPT, {bad, "SQLite code 11"});
    write_bytes(bad, good.substr(0, 100) + std::string(good.size() - 100, '\x5a'));
    check_refused(directory, bad, metric, 16, PANVEC_CORRUPT, {bad});
    std::string header = good;
    header[16] = 3;  // no page size
    write_bytes(bad, header);
    check_refused(directory, bad, metric, 16, PANVEC_CORRUPT, {bad});
    write_bytes(bad, good);
    execute_sql(bad, "DROP TABLE panvec_meta");
    check_refused(directory, bad, metric, 16, PANVEC_CORRUPT, {bad, "panvec_meta"});
    unlink(bad.c_str());
  }
}

// Random damage may go unnoticed, as SQLite keeps no checksums, but it must never crash.
void random_damage_never_crashes() {
  Directory directory;
  const std::string path = directory.file("v.db");
  {
    Db db(path.c_str(), PANVEC_L2, 4);
    CHECK_EQUAL(PANVEC_OK, db.add(consecutive_ids(300), random_vectors(300, 4)));
  }
  const std::string good = bytes_of(path);
  for (int i = 0; i < 100; ++i) {
    std::string bytes = good;
    for (int flips = 0; flips < 8; ++flips) {
      // Most of the file is one half-empty chunk; the interesting bytes are at the pages' ends.
      const std::size_t page = static_cast<std::size_t>(random_below(static_cast<std::int64_t>(bytes.size() / 16384)));
      const std::int64_t offset = i % 2 == 0   ? random_below(16384)
                                  : i % 4 == 1 ? random_below(120)
                                               : 16383 - random_below(600);
      bytes[page * 16384 + static_cast<std::size_t>(offset)] ^= static_cast<char>(1 << random_below(8));
    }
    const std::string bad = directory.file("bad.db");
    write_bytes(bad, bytes);
    Child child([&](const auto&) {
      Db db(bad.c_str(), PANVEC_L2, 4, 50);
      if (db.status() == PANVEC_OK) {
        Hits hits;
        std::vector<float> row;
        db.try_search({1, 2, 3, 4}, 5, {}, hits, 1000);
        db.get(7, row);
        db.add({1000000}, {1, 2, 3, 4});
      }
    });
    child.check_success();
    unlink(bad.c_str());
    unlink((bad + "-wal").c_str());
    unlink((bad + "-shm").c_str());
  }
}

void a_missing_directory_or_file_is_named() {
  Directory directory;
  const std::string path = directory.file("none/v.db");
  Db db(path.c_str(), PANVEC_L2, 3);
  CHECK_EQUAL(PANVEC_IO, db.status());
  CHECK(contains(db.error(), directory.file("none") + " does not exist"));
  Db reader(directory.file("v.db").c_str(), PANVEC_L2, 3, 50, true);
  CHECK_EQUAL(PANVEC_IO, reader.status());
  CHECK(contains(reader.error(), "no such file"));
  CHECK_EQUAL(std::string(""), directory.listing());
  Db unnamed("", PANVEC_L2, 3);
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, unnamed.status());
}

void a_file_locked_by_another_process_is_busy() {
  for (const char* lock : {"BEGIN IMMEDIATE", "BEGIN EXCLUSIVE",
                           "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; "
                           "UPDATE panvec_meta SET value = value; COMMIT"}) {
    Directory directory;
    const std::string path = directory.file("v.db");
    {
      Db db(path.c_str(), PANVEC_L2, 3);
      CHECK_EQUAL(PANVEC_OK, db.add({1}, {1, 2, 3}));
    }
    const std::string before = bytes_of(path);
    Child holder([&](const auto& announce) {
      sqlite3* database = nullptr;
      CHECK_EQUAL(SQLITE_OK, sqlite3_open(path.c_str(), &database));
      CHECK_EQUAL(SQLITE_OK, sqlite3_exec(database, lock, nullptr, nullptr, nullptr));
      announce();
      pause();
    });
    holder.wait_until_ready();
    {
      Db db(path.c_str(), PANVEC_L2, 3, 50);
      CHECK_EQUAL(PANVEC_BUSY, db.status());
      CHECK(contains(db.error(), path));
      CHECK(contains(db.error(), "locked"));
    }
    CHECK(before == bytes_of(path));
    holder.kill();
    Db db(path.c_str(), PANVEC_L2, 3, 50);
    CHECK_EQUAL(PANVEC_OK, db.status());
    CHECK_EQUAL(std::int64_t{1}, db.size());
  }
}

void a_writer_waits_for_another_or_is_busy() {
  Directory directory;
  const std::string path = directory.file("v.db");
  Db first(path.c_str(), PANVEC_L2, 3);
  Db second(path.c_str(), PANVEC_L2, 3, 50);
  CHECK_EQUAL(PANVEC_OK, second.status());
  CHECK_EQUAL(PANVEC_OK, first.begin());
  CHECK_EQUAL(PANVEC_BUSY, second.add({1}, {1, 2, 3}));
  CHECK_EQUAL(PANVEC_BUSY, second.begin());
  CHECK_EQUAL(PANVEC_OK, first.add({2}, {1, 2, 3}));
  CHECK_EQUAL(PANVEC_OK, first.commit());
  CHECK_EQUAL(PANVEC_OK, second.add({1}, {1, 2, 3}));
  CHECK_EQUAL(std::int64_t{2}, first.size());
}

void read_only_files_and_directories_are_refused() {
  Directory directory;
  const std::string path = directory.file("v.db");
  const std::string fresh = directory.file("fresh.db");
  {
    Db db(path.c_str(), PANVEC_L2, 3);
    CHECK_EQUAL(PANVEC_OK, db.add({1}, {1, 2, 3}));
  }
  const auto expect_read_only = [&](const std::string& file, const std::string& word) {
    Child child([&](const auto&) {
      if (getuid() == 0) {  // no permission stops the superuser
        CHECK_EQUAL(0, setgid(65534));
        CHECK_EQUAL(0, setuid(65534));
      }
      Db db(file.c_str(), PANVEC_L2, 3, 50);
      CHECK_EQUAL(PANVEC_READ_ONLY, db.status());
      CHECK(contains(db.error(), word));
    });
    child.check_success();
  };
  const std::string before = bytes_of(path);
  CHECK_EQUAL(0, chmod(path.c_str(), 0444));
  CHECK_EQUAL(0, chmod(directory.path().c_str(), 0777));
  expect_read_only(path, path);
  CHECK_EQUAL(0, chmod(path.c_str(), 0666));
  CHECK_EQUAL(0, chmod(directory.path().c_str(), 0555));
  expect_read_only(path, directory.path());
  expect_read_only(fresh, directory.path());
  CHECK(before == bytes_of(path));
  CHECK_EQUAL(std::string("v.db\n"), directory.listing());
}

void readers_see_whole_commits_beside_a_writer() {
  for (const int metric : kMetrics) {
    Directory directory;
    const std::string path = directory.file("v.db");
    constexpr int kDim = 8;
    Db writer(path.c_str(), metric, kDim);
    CHECK_EQUAL(PANVEC_OK, writer.add(consecutive_ids(10), random_vectors(10, kDim)));
    std::atomic<bool> done{false};
    std::vector<std::thread> readers;
    for (int i = 0; i < 2; ++i) {
      readers.emplace_back([&, i] {
        Db reader(path.c_str(), metric, kDim, Db::kTimeoutMs, true);
        CHECK_EQUAL(PANVEC_OK, reader.status());
        const std::vector<float> query(kDim, static_cast<float>(1 + i));
        std::vector<std::int64_t> ids(5000);
        std::vector<float> distances(5000);
        std::int64_t last = 0;
        do {
          std::int64_t count = -1;
          CHECK_EQUAL(PANVEC_OK,
                      panvec_sqlitevec_search(reader.connection(), query.data(), 5000, INFINITY, nullptr, 0, nullptr,
                                              kNoDeadline, ids.data(), distances.data(), 5000, &count, nullptr, 0));
          CHECK_EQUAL(0, count % 10);
          CHECK(count >= last);
          last = count;
        } while (!done);
      });
    }
    for (std::int64_t batch = 1; batch <= 60; ++batch) {
      CHECK_EQUAL(PANVEC_OK, writer.add(consecutive_ids(10, batch * 10), random_vectors(10, kDim)));
    }
    done = true;
    for (std::thread& reader : readers) {
      reader.join();
    }
    Db reader(path.c_str(), metric, kDim, Db::kTimeoutMs, true);
    CHECK_EQUAL(std::int64_t{610}, reader.size());
    CHECK_EQUAL(PANVEC_READ_ONLY, reader.add({1}, random_vectors(1, kDim)));
    CHECK_EQUAL(PANVEC_READ_ONLY, reader.begin());
  }
}

// A reader's statements must not keep its first snapshot.
void a_reader_sees_what_is_committed_between_its_searches() {
  Directory directory;
  const std::string path = directory.file("v.db");
  Db writer(path.c_str(), PANVEC_L2, 2);
  Db reader(path.c_str(), PANVEC_L2, 2, 50, true);
  for (std::int64_t id = 1; id <= 5; ++id) {
    CHECK_EQUAL(PANVEC_OK, writer.add({id}, {static_cast<float>(id), 0}));
    CHECK_EQUAL(static_cast<std::size_t>(id), reader.search({0, 0}, 10).size());
    CHECK_EQUAL(id, reader.size());
    std::vector<float> row;
    CHECK_EQUAL(PANVEC_OK, reader.get(id, row));
  }
}

void a_writer_killed_at_any_moment_leaves_whole_batches() {
  for (const int metric : kMetrics) {
    Directory directory;
    const std::string path = directory.file("v.db");
    for (int round = 0; round < 4; ++round) {
      Child writer([&](const auto& announce) {
        Db db(path.c_str(), metric, 16);
        CHECK_EQUAL(PANVEC_OK, db.status());
        const std::int64_t first = db.size();
        // On a busy machine the kill may be long in coming.
        for (std::int64_t batch = 0; batch < 100; ++batch) {
          CHECK_EQUAL(PANVEC_OK, db.add(consecutive_ids(100, first + 100 * batch), random_vectors(100, 16)));
          announce();
        }
        pause();
      });
      for (std::int64_t batches = 1 + random_below(20); batches > 0; --batches) {
        writer.wait_until_ready();
      }
      give_way(random_below(500));
      writer.kill();
      Db db(path.c_str(), metric, 16);
      CHECK_EQUAL(PANVEC_OK, db.status());
      CHECK_EQUAL(0, db.size() % 100);
      CHECK_EQUAL(static_cast<std::size_t>(db.size()), db.search(random_vectors(1, 16), db.size()).size());
    }
  }
}

void a_creation_killed_at_any_moment_leaves_nothing_or_a_database() {
  for (int round = 0; round < 15; ++round) {
    Directory directory;
    const std::string path = directory.file("v.db");
    Child creator([&](const auto& announce) {
      announce();
      Db db(path.c_str(), PANVEC_COSINE, 16);
      pause();
    });
    creator.wait_until_ready();
    give_way(random_below(4000));
    creator.kill();
    Db db(path.c_str(), PANVEC_COSINE, 16);
    CHECK_EQUAL(std::string(), db.error());
    CHECK_EQUAL(PANVEC_OK, db.add({1}, random_vectors(1, 16)));
  }
}

void many_creators_at_once_share_one_database() {
  for (int round = 0; round < 5; ++round) {
    Directory directory;
    const std::string path = directory.file("v.db");
    std::vector<std::thread> creators;
    for (std::int64_t i = 0; i < 4; ++i) {
      creators.emplace_back([&, i] {
        Db db(path.c_str(), PANVEC_L2, 2);
        CHECK_EQUAL(std::string(), db.error());
        CHECK_EQUAL(PANVEC_OK, db.add({i}, {1, 2}));
      });
    }
    for (std::thread& creator : creators) {
      creator.join();
    }
    CHECK_EQUAL(std::string("v.db\n"), directory.listing());
    Db db(path.c_str(), PANVEC_L2, 2);
    CHECK_EQUAL(std::int64_t{4}, db.size());
  }
}

// A limit on the size of files stands in for a full disk.
void a_write_that_the_disk_refuses_is_undone() {
  for (const int metric : kMetrics) {
    Directory directory;
    const std::string path = directory.file("v.db");
    Child child([&](const auto&) {
      signal(SIGXFSZ, SIG_IGN);
      Db db(path.c_str(), metric, 100);
      CHECK_EQUAL(PANVEC_OK, db.add(consecutive_ids(10), random_vectors(10, 100)));
      const rlimit limit{2 << 20, 2 << 20};
      CHECK_EQUAL(0, setrlimit(RLIMIT_FSIZE, &limit));
      // Larger than the page cache, so that pages are written before the commit as well.
      for (const std::int64_t rows : {std::int64_t{8000}, std::int64_t{50000}}) {
        const auto ids = consecutive_ids(rows, 1000);
        const std::vector<float> vectors(static_cast<std::size_t>(rows * 100), 0.5F);
        CHECK_EQUAL(PANVEC_IO, db.add(ids, vectors));
        CHECK(contains(db.error(), path));
        CHECK_EQUAL(std::int64_t{10}, db.size());
        CHECK_EQUAL(PANVEC_OK, db.begin());
        const int added = db.add(ids, vectors);
        CHECK_EQUAL(rows == 8000 ? PANVEC_OK : PANVEC_IO, added);
        // SQLite has undone everything by itself: what comes now must not be kept on its own.
        CHECK_EQUAL(added == PANVEC_OK, db.add({500000}, random_vectors(1, 100)) == PANVEC_OK);
        CHECK(db.commit() != PANVEC_OK);
        CHECK_EQUAL(PANVEC_OK, db.rollback());
        CHECK_EQUAL(std::int64_t{10}, db.size());
      }
      CHECK_EQUAL(PANVEC_OK, db.add({7777}, random_vectors(1, 100)));
    });
    child.check_success();
    Db db(path.c_str(), metric, 100);
    CHECK_EQUAL(std::int64_t{11}, db.size());
  }
}

constexpr const char* kMoved = "the file was moved or deleted while open";

void remove_file(const std::string& path) {
  for (const char* suffix : {"", "-wal", "-shm"}) {
    CHECK_EQUAL(0, unlink((path + suffix).c_str()));
  }
}

void a_deleted_file_takes_no_more_writes() {
  for (const int metric : kMetrics) {
    Directory directory;
    const std::string path = directory.file("v.db");
    Db db(path.c_str(), metric, 2);
    CHECK_EQUAL(PANVEC_OK, db.add({1, 2}, {1, 2, 3, 4}));
    Db reader(path.c_str(), metric, 2, 50, true);
    CHECK_EQUAL(PANVEC_OK, reader.status());
    remove_file(path);
    CHECK_EQUAL(PANVEC_IO, db.add({3}, {5, 6}));
    CHECK(contains(db.error(), path + ": " + kMoved));
    CHECK_EQUAL(PANVEC_IO, db.add({1}, {5, 6}, true));
    CHECK_EQUAL(PANVEC_IO, db.begin());
    const std::int64_t id = 1;
    std::int64_t removed = -1;
    char error[400] = "";
    CHECK_EQUAL(PANVEC_IO, panvec_sqlitevec_remove(db.connection(), &id, 1, &removed, error, sizeof error));
    CHECK(contains(error, kMoved));
    CHECK_EQUAL(std::size_t{2}, db.search({1, 1}, 5).size());
    CHECK_EQUAL(std::size_t{2}, reader.search({1, 1}, 5).size());
    CHECK_EQUAL(PANVEC_IO, Db(path.c_str(), metric, 2, 50, true).status());
    CHECK_EQUAL(std::string(), directory.listing());
  }
}

void a_file_moved_away_is_written_again_once_it_is_back() {
  Directory directory;
  const std::string path = directory.file("v.db");
  const std::string away = directory.file("away.db");
  Db db(path.c_str(), PANVEC_L2, 2);
  CHECK_EQUAL(PANVEC_OK, db.add({1}, {1, 2}));
  CHECK_EQUAL(0, rename(path.c_str(), away.c_str()));
  CHECK_EQUAL(PANVEC_IO, db.add({2}, {1, 2}));
  CHECK_EQUAL(0, rename(away.c_str(), path.c_str()));
  CHECK_EQUAL(PANVEC_OK, db.add({3}, {1, 2}));
  CHECK_EQUAL(std::int64_t{2}, db.size());
}

void a_batch_is_not_committed_to_a_file_deleted_meanwhile() {
  Directory directory;
  const std::string path = directory.file("v.db");
  Db db(path.c_str(), PANVEC_COSINE, 2);
  CHECK_EQUAL(PANVEC_OK, db.begin());
  CHECK_EQUAL(PANVEC_OK, db.add({1}, {1, 2}));
  remove_file(path);
  CHECK_EQUAL(PANVEC_IO, db.commit());
  CHECK(contains(db.error(), kMoved));
  CHECK_EQUAL(PANVEC_OK, db.rollback());
  CHECK_EQUAL(std::int64_t{0}, db.size());
}

void another_file_in_the_place_of_an_open_one_is_refused_until_that_is_closed() {
  Directory directory;
  const std::string path = directory.file("v.db");
  {
    Db db(path.c_str(), PANVEC_L2, 2);
    CHECK_EQUAL(PANVEC_OK, db.add({1, 2, 3}, {1, 2, 3, 4, 5, 6}));
    remove_file(path);
    const std::string elsewhere = directory.file("w.db");
    {
      Db created(elsewhere.c_str(), PANVEC_L2, 2);
      CHECK_EQUAL(PANVEC_OK, created.add({9}, {1, 1}));
    }
    const std::string bytes = bytes_of(elsewhere);
    CHECK_EQUAL(0, rename(elsewhere.c_str(), path.c_str()));
    for (const bool reader : {true, false}) {
      Db late(path.c_str(), PANVEC_L2, 2, 50, reader);
      CHECK_EQUAL(PANVEC_IO, late.status());
      CHECK(contains(late.error(), path + ": " + kMoved));
    }
    CHECK_EQUAL(PANVEC_IO, db.add({4}, {5, 6}));
    CHECK_EQUAL(std::size_t{3}, db.search({1, 1}, 5).size());
    CHECK(bytes == bytes_of(path));
  }
  CHECK_EQUAL(std::string("v.db\n"), directory.listing());
  Db db(path.c_str(), PANVEC_L2, 2);
  CHECK_EQUAL(PANVEC_OK, db.status());
  CHECK_EQUAL(std::int64_t{1}, db.size());
  Db reader(path.c_str(), PANVEC_L2, 2, 50, true);
  CHECK_EQUAL(std::size_t{1}, reader.search({1, 1}, 5).size());
}

// As when a backup is copied over the file of an index that is open: only the file itself is replaced.
void the_log_of_a_replaced_file_is_not_replayed_into_the_new_one() {
  Directory directory;
  const std::string path = directory.file("v.db");
  const std::string moved = directory.file("moved.db");
  const std::string backup = directory.file("backup.db");
  {
    Db db(backup.c_str(), PANVEC_L2, 2);
    CHECK_EQUAL(PANVEC_OK, db.add({9}, {1, 1}));
  }
  {
    Db db(path.c_str(), PANVEC_L2, 2);
    CHECK_EQUAL(PANVEC_OK, db.add({1, 2, 3}, {1, 2, 3, 4, 5, 6}));
    CHECK_EQUAL(0, rename(path.c_str(), moved.c_str()));
    CHECK_EQUAL(0, rename(backup.c_str(), path.c_str()));
    CHECK_EQUAL(PANVEC_IO, db.add({4}, {5, 6}));
    // However the path is spelled.
    CHECK_EQUAL(PANVEC_IO, Db(directory.file("./v.db").c_str(), PANVEC_L2, 2, 50, true).status());
    CHECK_EQUAL(PANVEC_IO, Db(directory.file("./v.db").c_str(), PANVEC_L2, 2, 50, false).status());
  }
  Db db(path.c_str(), PANVEC_L2, 2);
  CHECK_EQUAL(std::int64_t{1}, db.size());
  CHECK_EQUAL(std::size_t{1}, db.search({1, 1}, 5).size());
  Db old(moved.c_str(), PANVEC_L2, 2);
  CHECK_EQUAL(std::int64_t{3}, old.size());
}

void a_path_can_be_used_again_after_its_file_was_deleted_and_its_index_closed() {
  Directory directory;
  const std::string path = directory.file("v.db");
  {
    Db db(path.c_str(), PANVEC_DOT, 2);
    CHECK_EQUAL(PANVEC_OK, db.add({1}, {1, 2}));
    CHECK_EQUAL(0, unlink(path.c_str()));
  }
  Db db(path.c_str(), PANVEC_DOT, 2);
  CHECK_EQUAL(PANVEC_OK, db.status());
  CHECK_EQUAL(std::int64_t{0}, db.size());
}

void a_log_left_without_its_database_is_not_replayed_into_a_new_one() {
  Directory directory;
  const std::string path = directory.file("v.db");
  Child writer([&](const auto& announce) {
    Db db(path.c_str(), PANVEC_L2, 2);
    CHECK_EQUAL(PANVEC_OK, db.add({1}, {1, 2}));
    announce();
    pause();
  });
  writer.wait_until_ready();
  writer.kill();
  CHECK_EQUAL(0, unlink(path.c_str()));
  const std::string log = bytes_of(path + "-wal");
  CHECK(!log.empty());
  Db refused(path.c_str(), PANVEC_L2, 2);
  CHECK_EQUAL(PANVEC_IO, refused.status());
  CHECK(contains(refused.error(), path + "-wal lies there without its database"));
  CHECK(log == bytes_of(path + "-wal"));
  CHECK_EQUAL(0, unlink((path + "-wal").c_str()));
  Db db(path.c_str(), PANVEC_L2, 2);
  CHECK_EQUAL(PANVEC_OK, db.status());
  CHECK_EQUAL(std::int64_t{0}, db.size());
}

// ---- Snapshots

// Bytes that cannot be written to, and behind which nothing can be read.
class ReadOnlyBytes {
 public:
  explicit ReadOnlyBytes(const std::string& bytes) : size_(bytes.size()) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t room = (size_ + page - 1) / page * page;
    mapped_ = room + page;
    void* const memory = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    base_ = static_cast<char*>(memory);
    // At the end of the room: not one byte follows.
    data_ = base_ + room - size_;
    std::memcpy(data_, bytes.data(), size_);
    CHECK_EQUAL(0, mprotect(base_, room, PROT_READ));
    CHECK_EQUAL(0, mprotect(base_ + room, page, PROT_NONE));
  }
  ~ReadOnlyBytes() { munmap(base_, mapped_); }
  ReadOnlyBytes(const ReadOnlyBytes&) = delete;
  ReadOnlyBytes& operator=(const ReadOnlyBytes&) = delete;

  const void* data() const { return data_; }
  std::int64_t size() const { return static_cast<std::int64_t>(size_); }

 private:
  std::size_t size_;
  std::size_t mapped_;
  char* base_;
  char* data_;
};

constexpr const char* kSnapshot = "the/snapshot";
constexpr bool kAsView = true;
constexpr bool kAsCopy = false;

void save(Db& db, const std::string& path) {
  char error[1024] = "";
  const int status = panvec_sqlitevec_save(db.connection(), path.c_str(), error, sizeof error);
  if (status != PANVEC_OK) {
    std::fprintf(stderr, "save: %s\n", error);
  }
  CHECK_EQUAL(PANVEC_OK, status);
}

std::string saved_bytes(Db& db) {
  Directory directory;
  const std::string path = directory.file("saved");
  save(db, path);
  CHECK_EQUAL(std::string("saved\n"), directory.listing());
  return bytes_of(path);
}

// Rows that were added, replaced and removed.
void churn(Db& db, Oracle& oracle, int dim, std::int64_t count) {
  const auto put = [&](const std::vector<std::int64_t>& ids, const std::vector<float>& rows) {
    CHECK_EQUAL(PANVEC_OK, db.add(ids, rows, true));
    oracle.put(ids, rows);
  };
  const auto take = [&](const std::vector<std::int64_t>& ids) {
    CHECK_EQUAL(static_cast<std::int64_t>(ids.size()), db.remove(ids));
    oracle.remove(ids);
  };
  put(consecutive_ids(count), random_vectors(count, dim));
  take(consecutive_ids(count / 3));  // chunks and pages of them
  std::vector<std::int64_t> some;
  for (std::int64_t id = count / 3; id < count; id += 7) {
    some.push_back(id);
  }
  take(some);
  put(consecutive_ids(count / 10, count / 2), random_vectors(count / 10, dim));
  put({kMinId, kMaxId, -1}, random_vectors(3, dim));
}

void check_same(Db& db, const Oracle& oracle, int dim) {
  CHECK_EQUAL(oracle.size(), db.size());
  for (const std::int64_t k : {1, 10, 300}) {
    const std::vector<float> query = random_vectors(1, dim);
    check_hits(oracle.search(query, k), db.search(query, k));
    const std::vector<std::int64_t> ids = {-1, 500, 501, 502, 700, kMaxId};
    Filter filter;
    filter.ids = &ids;
    check_hits(oracle.search(query, k,
                             [&](std::int64_t id) { return std::binary_search(ids.begin(), ids.end(), id); }),
               db.search(query, k, filter));
  }
  std::vector<float> row;
  for (const std::int64_t id : db.ids()) {
    CHECK_EQUAL(PANVEC_OK, db.get(id, row));
    CHECK(row == oracle.row(id));
  }
}

void what_is_saved_is_viewed_and_opened_bit_for_bit() {
  for (const int metric : kMetrics) {
    for (const bool in_file : {false, true}) {
      const int dim = 24;
      Directory directory;
      const std::string path = directory.file("v.db");
      Db db(in_file ? path.c_str() : nullptr, metric, dim);
      Oracle oracle(metric, dim);
      churn(db, oracle, dim, 6000);
      const std::int64_t dead = db.usage().dead;
      const std::string bytes = saved_bytes(db);
      CHECK(bytes == saved_bytes(db));
      const ReadOnlyBytes span(bytes);
      Db view(span.data(), span.size(), metric, dim, kAsView);
      CHECK_EQUAL(PANVEC_OK, view.status());
      check_same(view, oracle, dim);
      CHECK_EQUAL(dead, view.usage().dead);
      CHECK_EQUAL(std::int64_t{0}, view.usage().free_bytes);
      CHECK_EQUAL(PANVEC_READ_ONLY, view.add({5}, random_vectors(1, dim)));
      Db copy(span.data(), span.size(), metric, dim, kAsCopy);
      CHECK_EQUAL(PANVEC_OK, copy.status());
      check_same(copy, oracle, dim);
      // Saved again it is the same file, from a view as well.
      CHECK(bytes == saved_bytes(view));
      CHECK(bytes == saved_bytes(copy));
      for (int round = 0; round < 3; ++round) {
        const std::vector<std::int64_t> ids = {random_below(6000), 10000 + round};
        const std::vector<float> rows = random_vectors(2, dim);
        CHECK_EQUAL(PANVEC_OK, copy.add(ids, rows, true));
        oracle.put(ids, rows);
        CHECK_EQUAL(std::int64_t{1}, copy.remove({ids[0]}));
        oracle.remove({ids[0]});
      }
      check_same(copy, oracle, dim);
      copy.compact();
      check_same(copy, oracle, dim);
      const ReadOnlyBytes again(saved_bytes(copy));
      Db second(again.data(), again.size(), metric, dim, kAsView);
      check_same(second, oracle, dim);
    }
  }
}

void a_saved_file_is_sqlite_s_own_and_packed() {
  for (const int metric : kMetrics) {
    const int dim = 300;
    Directory directory;
    Db db(directory.file("v.db").c_str(), metric, dim);
    const std::vector<float> secret = random_vectors(2000, dim);
    CHECK_EQUAL(PANVEC_OK, db.add(consecutive_ids(2000), secret));
    std::vector<float> stored;
    CHECK_EQUAL(PANVEC_OK, db.get(1000, stored));
    CHECK_EQUAL(std::int64_t{1999}, db.remove(consecutive_ids(1999, 1)));
    const std::string path = directory.file("saved");
    save(db, path);
    CHECK_EQUAL(std::string("ok"), integrity(path));
    const std::string bytes = bytes_of(path);
    CHECK(bytes.size() < 2u << 20);
    const std::string row(reinterpret_cast<const char*>(stored.data()), stored.size() * sizeof(float));
    CHECK(!contains(bytes, row.substr(0, 64)));
    CHECK(!contains(bytes, row.substr(row.size() - 64)));
    // Not one that keeps a log beside it.
    CHECK_EQUAL('\1', bytes[18]);
    CHECK_EQUAL('\1', bytes[19]);
    CHECK_EQUAL('\0', bytes[36]);
    CHECK_EQUAL('\0', bytes[39]);
  }
}

void a_save_is_of_the_state_that_its_connection_sees() {
  for (const int metric : kMetrics) {
    const int dim = 8;
    Directory directory;
    const std::string path = directory.file("v.db");
    Db db(path.c_str(), metric, dim);
    Oracle oracle(metric, dim);
    churn(db, oracle, dim, 3000);
    Db reader(path.c_str(), metric, dim, Db::kTimeoutMs, true);
    CHECK_EQUAL(PANVEC_OK, reader.begin_read());
    CHECK_EQUAL(oracle.size(), reader.size());
    std::atomic<bool> done{false};
    std::thread writer([&] {
      for (std::int64_t id = 100000; !done || id < 100010; ++id) {
        CHECK_EQUAL(PANVEC_OK, db.add({id}, std::vector<float>(static_cast<std::size_t>(dim), 1)));
        db.remove({id - 99900});
      }
    });
    const std::string bytes = saved_bytes(reader);
    CHECK(bytes == saved_bytes(reader));
    done = true;
    writer.join();
    CHECK_EQUAL(PANVEC_OK, reader.end_read());
    const ReadOnlyBytes span(bytes);
    Db copy(span.data(), span.size(), metric, dim, kAsCopy);
    check_same(copy, oracle, dim);
  }
}

// A copy in the making, and then the connection on it.
class Copy {
 public:
  explicit Copy(Db& db) {
    CHECK_EQUAL(PANVEC_OK, panvec_sqlitevec_copy_begin(db.connection(), &copy_, error_, sizeof error_));
  }
  ~Copy() { panvec_sqlitevec_copy_end(copy_); }
  Copy(const Copy&) = delete;
  Copy& operator=(const Copy&) = delete;
  panvec_sqlitevec* next() {
    panvec_sqlitevec* copied = nullptr;
    CHECK_EQUAL(PANVEC_OK, panvec_sqlitevec_copy_next(copy_, &copied, error_, sizeof error_));
    return copied;
  }

 private:
  panvec_sqlitevec_copy* copy_ = nullptr;
  char error_[1024] = "";
};

void a_copy_of_a_database_in_memory_is_of_its_last_slice() {
  for (const bool writes_between : {false, true}) {
    for (const int metric : kMetrics) {
      const int dim = 2000;
      Db db(nullptr, metric, dim);
      Oracle oracle(metric, dim);
      churn(db, oracle, dim, 6000);
      Copy copy(db);
      panvec_sqlitevec* copied = nullptr;
      int slices = 0;
      for (; copied == nullptr; ++slices) {
        const std::vector<float> query = random_vectors(1, dim);
        check_hits(oracle.search(query, 3), db.search(query, 3));
        if (writes_between) {
          const std::vector<float> row = random_vectors(1, dim);
          const std::vector<std::int64_t> ids = {20000 + slices};
          CHECK_EQUAL(PANVEC_OK, db.add(ids, row));
          oracle.put(ids, row);
          const std::vector<std::int64_t> gone = {20000 + slices - 1};
          CHECK_EQUAL(slices == 0 ? 0 : 1, db.remove(gone));
          oracle.remove(gone);
        }
        copied = copy.next();
      }
      // With writes it is done at the second try; without them it takes as many turns as the machine is slow.
      CHECK(!writes_between || slices <= 3);
      Db on_copy(copied, dim);
      check_same(on_copy, oracle, dim);
      CHECK_EQUAL(PANVEC_OK, db.add({777777}, random_vectors(1, dim)));
      const ReadOnlyBytes span(saved_bytes(on_copy));
      Db view(span.data(), span.size(), metric, dim, kAsView);
      check_same(view, oracle, dim);
    }
  }
}

void a_copy_may_be_given_up() {
  Db db(nullptr, PANVEC_L2, 1000);
  CHECK_EQUAL(PANVEC_OK, db.add(consecutive_ids(5000), random_vectors(5000, 1000)));
  {
    Copy none(db);
    Copy some(db);
    // Complete already where the machine is quick.
    panvec_sqlitevec_close(some.next());
  }
  CHECK_EQUAL(PANVEC_OK, db.add({-1}, random_vectors(1, 1000)));
  CHECK_EQUAL(std::int64_t{5001}, db.size());
}

void views_take_little_memory() {
  const int dim = 100;
  Db db(nullptr, PANVEC_L2, dim);
  CHECK_EQUAL(PANVEC_OK, db.add(consecutive_ids(50000), random_vectors(50000, dim)));
  const ReadOnlyBytes span(saved_bytes(db));
  Db view(span.data(), span.size(), PANVEC_L2, dim, kAsView);
  for (int i = 0; i < 5; ++i) {
    view.search(random_vectors(1, dim), 20);
    view.ids();
  }
  const std::int64_t bytes = view.usage().cache_bytes;
  std::printf("    a view of %lld bytes keeps %lld in caches\n", static_cast<long long>(span.size()),
              static_cast<long long>(bytes));
  CHECK(bytes < 1 << 20);
}

void many_views_share_their_bytes() {
  const int dim = 16;
  Db db(nullptr, PANVEC_COSINE, dim);
  Oracle oracle(PANVEC_COSINE, dim);
  churn(db, oracle, dim, 2000);
  const ReadOnlyBytes span(saved_bytes(db));
  std::vector<std::vector<float>> queries;
  std::vector<Hits> expected;
  for (int i = 0; i < 20; ++i) {
    queries.push_back(random_vectors(1, dim));
    expected.push_back(oracle.search(queries.back(), 10));
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      Db view(span.data(), span.size(), PANVEC_COSINE, dim, kAsView);
      for (std::size_t q = 0; q < queries.size(); ++q) {
        check_hits(expected[q], view.search(queries[q], 10));
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

void check_no_snapshot(const std::string& bytes, int metric, int dim, const std::string& words) {
  const ReadOnlyBytes span(bytes);
  for (const bool view : {kAsView, kAsCopy}) {
    Db refused(span.data(), span.size(), metric, dim, view);
    CHECK_EQUAL(PANVEC_CORRUPT, refused.status());
    CHECK(contains(refused.error(), kSnapshot));
    if (!contains(refused.error(), words)) {
      panvec::check::failed(__FILE__, __LINE__, "\"" + words + "\" is not in: " + refused.error());
    }
  }
}

void bytes_that_are_something_else_are_refused() {
  Db db(nullptr, PANVEC_L2, 4);
  CHECK_EQUAL(PANVEC_OK, db.add(consecutive_ids(100), random_vectors(100, 4)));
  const std::string good = saved_bytes(db);
  check_no_snapshot("x", PANVEC_L2, 4, "only 1 bytes");
  check_no_snapshot(std::string(5000, 'x'), PANVEC_L2, 4, "does not begin");
  check_no_snapshot(good, PANVEC_COSINE, 4, "metric L2, dimension 4; the manifest says metric COSINE, dimension 4");
  check_no_snapshot(good, PANVEC_L2, 5, "metric L2, dimension 4; the manifest says metric L2, dimension 5");
  check_no_snapshot(good.substr(0, good.size() - 16384), PANVEC_L2, 4, "its header says");
  check_no_snapshot(good + std::string(16384, '\0'), PANVEC_L2, 4, "its header says");
  const auto with = [&](std::size_t at, char value) {
    std::string bytes = good;
    bytes[at] = value;
    return bytes;
  };
  check_no_snapshot(with(71, 'x'), PANVEC_L2, 4, "application_id");
  check_no_snapshot(with(60, 2), PANVEC_L2, 4, "format 2");
  Directory directory;
  const std::string path = directory.file("x");
  const auto changed = [&](const std::string& sql) {
    write_bytes(path, good);
    execute_sql(path, sql);
    return bytes_of(path);
  };
  check_no_snapshot(changed("CREATE TABLE more(x)"), PANVEC_L2, 4, "its tables");
  check_no_snapshot(changed("CREATE VIEW more AS SELECT 1"), PANVEC_L2, 4, "its tables");
  check_no_snapshot(changed("DROP TABLE panvec_vectors_info"), PANVEC_L2, 4, "its tables");
  check_no_snapshot(changed("PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = replace(sql, 'chunk_size=1024', "
                            "'chunk_size=1025')"),
                    PANVEC_L2, 4, "its tables");
  check_no_snapshot(changed("UPDATE panvec_meta SET value = 1000000 WHERE key = 'rows'"), PANVEC_L2, 4, "1000000");
  check_no_snapshot(changed("UPDATE panvec_meta SET value = -1 WHERE key = 'rows'"), PANVEC_L2, 4, "panvec_meta");
  check_no_snapshot(changed("DELETE FROM panvec_meta"), PANVEC_L2, 4, "panvec_meta");
}

// All that a connection can be asked, with an answer or PANVEC_CORRUPT each; returns how many of the latter.
int ask_damaged(Db& db, const std::vector<float>& query) {
  int corrupt = 0;
  const auto check_status = [&](int status) {
    if (status != PANVEC_OK && status != PANVEC_CORRUPT && status != PANVEC_NOT_FOUND) {
      panvec::check::failed(__FILE__, __LINE__, "status " + std::to_string(status) + ": " + db.error());
    }
    if (status == PANVEC_CORRUPT) {
      CHECK(contains(db.error(), kSnapshot));
      ++corrupt;
    }
  };
  Hits hits;
  std::vector<float> row;
  std::vector<std::int64_t> ids;
  const std::vector<std::int64_t> some = {3, 50, 51, 200};
  Filter filter;
  filter.ids = &some;
  const std::vector<std::int64_t> others = {7, 60};
  const Steps steps = {{PANVEC_SQLITEVEC_IDS, 0, 0, 2, others.data()}, {PANVEC_SQLITEVEC_NOT, 0, 0, 0, nullptr}};
  Filter besides;
  besides.steps = &steps;
  check_status(db.try_search(query, 5, {}, hits, 1000));
  check_status(db.try_search(query, 5000, {}, hits, 5000));
  check_status(db.try_search(query, 3, filter, hits, 1000));
  check_status(db.try_search(query, 3, besides, hits, 1000));
  check_status(db.try_search(query, 500, {}, hits, 1000, 1.5F));
  check_status(db.try_ids({}, ids));
  for (const std::int64_t id : {0, 7, 150, 299, 1000000}) {
    check_status(db.get(id, row));
  }
  std::int64_t number[4];
  char error[1024] = "";
  const int measured = panvec_sqlitevec_usage(db.connection(), number, number + 1, number + 2, number + 3, error,
                                              sizeof error);
  CHECK(measured == PANVEC_OK || measured == PANVEC_CORRUPT);
  return corrupt;
}

// What sqlite-vec makes of blobs and places that are not as it left them.
void wrong_sizes_in_a_view_are_corrupt() {
  Db db(nullptr, PANVEC_L2, 4);
  CHECK_EQUAL(PANVEC_OK, db.add(consecutive_ids(2000), random_vectors(2000, 4)));
  const std::string good = saved_bytes(db);
  Directory directory;
  const std::string path = directory.file("x");
  for (const char* sql :
       {"UPDATE panvec_vectors_chunks SET validity = zeroblob(1)",
        "UPDATE panvec_vectors_chunks SET validity = zeroblob(100000)",
        "UPDATE panvec_vectors_chunks SET validity = ''", "UPDATE panvec_vectors_chunks SET validity = 7",
        "UPDATE panvec_vectors_chunks SET rowids = zeroblob(8)",
        "UPDATE panvec_vectors_chunks SET rowids = zeroblob(8 * 1023)",
        "UPDATE panvec_vectors_chunks SET rowids = 'text'", "UPDATE panvec_vectors_chunks SET rowids = 1.5",
        "UPDATE panvec_vectors_chunks SET rowids = zeroblob(8 * 1024)",
        "UPDATE panvec_vectors_chunks SET size = 1000000000000",
        "UPDATE panvec_vectors_chunks SET size = -1", "UPDATE panvec_vectors_chunks SET size = 'x'",
        "UPDATE panvec_vectors_vector_chunks00 SET vectors = zeroblob(4)",
        "UPDATE panvec_vectors_vector_chunks00 SET vectors = zeroblob(1000000)",
        "UPDATE panvec_vectors_vector_chunks00 SET vectors = 'text'",
        "UPDATE panvec_vectors_vector_chunks00 SET vectors = 0",
        "UPDATE panvec_vectors_vector_chunks00 SET rowid = rowid + 5, _rowid_ = _rowid_ + 5",
        "DELETE FROM panvec_vectors_vector_chunks00", "DELETE FROM panvec_vectors_chunks",
        "DELETE FROM panvec_vectors_rowids", "UPDATE panvec_vectors_rowids SET chunk_offset = 1024",
        "UPDATE panvec_vectors_rowids SET chunk_offset = -1",
        "UPDATE panvec_vectors_rowids SET chunk_offset = 268435456",
        "UPDATE panvec_vectors_rowids SET chunk_offset = 9223372036854775807",
        "UPDATE panvec_vectors_rowids SET chunk_offset = 'x'", "UPDATE panvec_vectors_rowids SET chunk_offset = NULL",
        "UPDATE panvec_vectors_rowids SET chunk_id = 99", "UPDATE panvec_vectors_rowids SET chunk_id = NULL",
        "UPDATE panvec_vectors_rowids SET rowid = -rowid",
        "PRAGMA writable_schema = 1; "
        "UPDATE sqlite_schema SET sql = replace(sql, 'chunk_size=1024', 'chunk_size=2048')",
        "UPDATE panvec_meta SET value = 1999 WHERE key = 'rows'",
        "UPDATE panvec_meta SET value = 2001 WHERE key = 'rows'"}) {
    write_bytes(path, good);
    execute_sql(path, sql);
    const ReadOnlyBytes span(bytes_of(path));
    Child child([&](const auto&) {
      Db copy(span.data(), span.size(), PANVEC_L2, 4, kAsCopy);
      if (copy.status() != PANVEC_CORRUPT || !contains(copy.error(), kSnapshot)) {
        panvec::check::failed(__FILE__, __LINE__, std::string(sql) + ": " + copy.error());
      }
      Db view(span.data(), span.size(), PANVEC_L2, 4, kAsView);
      CHECK_EQUAL(PANVEC_OK, view.status());
      const int corrupt = ask_damaged(view, {0.1F, 0.2F, 0.3F, 0.4F});
      // Some make it find other rows only; that is for whoever verifies checksums.
      const bool found_by_none = contains(sql, "= -rowid") || contains(sql, "'x'") || contains(sql, "= NULL") ||
                                 contains(sql, "268435456");
      if (corrupt == 0 && !found_by_none) {
        panvec::check::failed(__FILE__, __LINE__, std::string(sql) + ": no call fails");
      }
    });
    child.check_success();
  }
}

// 2,000 bits a metric, one after another and several at once, in a file whose end is the end of what can be read.
void flipped_bits_in_a_view_never_crash() {
  constexpr int kFlips = 2000;
  constexpr int kFlipsPerProcess = 100;
  for (const int metric : kMetrics) {
    const int dim = 60;
    Db db(nullptr, metric, dim);
    CHECK_EQUAL(PANVEC_OK, db.add(consecutive_ids(300), random_vectors(300, dim)));
    db.remove(consecutive_ids(20, 100));
    const std::string good = saved_bytes(db);
    const auto pages = static_cast<std::int64_t>(good.size() / 16384);
    const auto seed = static_cast<std::uint64_t>(random_below(kMaxId));
    for (int first = 0; first < kFlips; first += kFlipsPerProcess) {
      Child child([&](const auto&) {
        random_bits.seed(seed + static_cast<std::uint64_t>(first));
        alarm(120);
        int refused = 0;
        int corrupt = 0;
        for (int i = first; i < first + kFlipsPerProcess; ++i) {
          std::string bytes = good;
          const int flips = i % 3 == 0 ? 1 : i % 3 == 1 ? 4 : 16;
          for (int flip = 0; flip < flips; ++flip) {
            // Anywhere, in a page's header and pointers, or at its end, where the first cells are.
            const std::int64_t offset = flip % 2 == 0   ? random_below(16384)
                                        : flip % 4 == 1 ? random_below(120)
                                                        : 16383 - random_below(600);
            bytes[static_cast<std::size_t>(random_below(pages) * 16384 + offset)] ^=
                static_cast<char>(1 << random_below(8));
          }
          const ReadOnlyBytes span(bytes);
          for (const bool view : {kAsView, kAsCopy}) {
            Db damaged(span.data(), span.size(), metric, dim, view);
            if (damaged.status() != PANVEC_OK) {
              if (damaged.status() != PANVEC_CORRUPT || !contains(damaged.error(), kSnapshot)) {
                panvec::check::failed(__FILE__, __LINE__,
                                      "status " + std::to_string(damaged.status()) + ": " + damaged.error());
              }
              ++refused;
            } else {
              corrupt += view ? ask_damaged(damaged, random_vectors(1, dim)) > 0 : 0;
            }
          }
        }
        CHECK(refused > 0);
        (void)corrupt;
      });
      child.check_success();
    }
  }
}

// A database's pages as they lie in its file.
class Pages {
 public:
  explicit Pages(const std::string& bytes) : bytes_(bytes) {
    const std::size_t said = number(16, 2);
    size_ = said == 1 ? 65536 : said;
  }

  const std::string& bytes() const { return bytes_; }
  std::size_t count() const { return bytes_.size() / size_; }

  // A page whose cells, as many as it holds, all name the child; at the number it gets, or at `page`.
  std::size_t put_interior(std::size_t child, std::size_t page = 0) {
    if (page == 0) {
      bytes_.append(size_, '\0');
      page = count();
      set(28, 4, count());
    }
    const std::size_t begin = (page - 1) * size_;
    const std::size_t header = page == 1 ? 100 : 0;
    std::memset(&bytes_[begin + header], 0, size_ - header);
    const std::size_t cells = std::min<std::size_t>((size_ - header - 12) / 7, 1000);
    bytes_[begin + header] = 5;
    set(begin + header + 3, 2, cells);
    set(begin + header + 5, 2, size_ - 5 * cells);
    set(begin + header + 8, 4, child);
    for (std::size_t cell = 0; cell < cells; ++cell) {
      const std::size_t at = size_ - 5 * (cell + 1);
      set(begin + header + 12 + 2 * cell, 2, at);
      set(begin + at, 4, child);
      bytes_[begin + at + 4] = 1;
    }
    return page;
  }

  // The first page, which has the database's header before its own, as another one.
  std::size_t copy_first() {
    std::string page = bytes_.substr(0, size_);
    const std::size_t cells = number(103, 2);
    std::memmove(&page[0], &page[100], 8 + 2 * cells);
    bytes_ += page;
    set(28, 4, count());
    return count();
  }

 private:
  std::size_t number(std::size_t at, std::size_t length) const {
    std::size_t value = 0;
    for (std::size_t i = 0; i < length; ++i) value = value << 8 | static_cast<unsigned char>(bytes_[at + i]);
    return value;
  }
  void set(std::size_t at, std::size_t length, std::size_t value) {
    for (std::size_t i = 0; i < length; ++i) bytes_[at + i] = static_cast<char>(value >> 8 * (length - 1 - i));
  }

  std::string bytes_;
  std::size_t size_;
};

// Three layers of pages, each of which leads to the next one a thousand times: 10^9 rows, or none that ends.
void tables_without_end_are_corrupt() {
  for (const int metric : kMetrics) {
    Db db(nullptr, metric, 4);
    CHECK_EQUAL(PANVEC_OK, db.add(consecutive_ids(3000), random_vectors(3000, 4)));
    const std::string good = saved_bytes(db);
    std::vector<std::pair<std::string, std::size_t>> roots = {{"sqlite_schema", 1}};
    {
      Directory directory;
      const std::string path = directory.file("x");
      write_bytes(path, good);
      for (const char* table : {"panvec_meta", "panvec_vectors", "panvec_vectors_info", "panvec_vectors_chunks",
                                "panvec_vectors_rowids", "panvec_vectors_vector_chunks00"}) {
        const std::string root = text_of(path, std::string("SELECT rootpage FROM sqlite_schema WHERE name = '") + table + "'");
        if (!root.empty() && root != "0") roots.emplace_back(table, std::stoul(root));
      }
    }
    CHECK(roots.size() >= 3);
    for (const auto& [table, root] : roots) {
      Pages pages(good);
      const std::size_t size = good.size() / pages.count();
      std::size_t leaf = 0;
      if (root == 1) {
        leaf = pages.copy_first();
      } else {
        // The root itself, one page further on, whatever it is.
        std::string bytes = pages.bytes() + good.substr((root - 1) * size, size);
        pages = Pages(bytes);
        leaf = pages.count();
      }
      pages.put_interior(pages.put_interior(pages.put_interior(leaf)), root);
      const ReadOnlyBytes span(pages.bytes());
      for (const bool view : {kAsView, kAsCopy}) {
        Child child([&](const auto&) {
          alarm(60);
          std::printf("    %s of metric %d, %s\n", table.c_str(), metric, view == kAsView ? "viewed" : "copied");
          std::fflush(stdout);
          Db damaged(span.data(), span.size(), metric, 4, view);
          const bool ok = damaged.status() == PANVEC_OK;
          if (!ok && damaged.status() != PANVEC_CORRUPT) {
            panvec::check::failed(__FILE__, __LINE__, table + ": " + damaged.error());
          }
          const int corrupt = ok ? ask_damaged(damaged, {0.1F, 0.2F, 0.3F, 0.4F}) : 1;
          // Of some tables only single rows are ever looked for.
          const bool is_read = table == "sqlite_schema" || table == "panvec_vectors_chunks" || table == "panvec_vectors";
          if (corrupt == 0 && (is_read || view == kAsCopy)) {
            panvec::check::failed(__FILE__, __LINE__, table + ": no call fails");
          }
        });
        child.check_success();
      }
    }
  }
}

void a_save_that_fails_leaves_nothing() {
  Directory directory;
  Db db(nullptr, PANVEC_DOT, 100);
  CHECK_EQUAL(PANVEC_OK, db.add(consecutive_ids(20000), random_vectors(20000, 100)));
  char error[1024] = "";
  const auto try_save = [&](const std::string& path) {
    return panvec_sqlitevec_save(db.connection(), path.c_str(), error, sizeof error);
  };
  const std::string taken = directory.file("taken");
  write_bytes(taken, "somebody's");
  CHECK_EQUAL(PANVEC_IO, try_save(taken));
  CHECK(contains(error, taken));
  CHECK_EQUAL(std::string("somebody's"), bytes_of(taken));
  CHECK_EQUAL(PANVEC_IO, try_save(directory.file("missing/x")));
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, try_save(""));
  const std::string full = directory.file("full");
  Child child([&](const auto&) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{2 << 20, 2 << 20};
    CHECK_EQUAL(0, setrlimit(RLIMIT_FSIZE, &limit));
    CHECK_EQUAL(PANVEC_IO, try_save(full));
    CHECK(contains(error, full));
  });
  child.check_success();
  CHECK_EQUAL(std::string("taken\n"), directory.listing());
  const std::string odd = directory.file("100% of?mode=ro&x=#y;'\"\xc3\xa4");
  CHECK_EQUAL(PANVEC_OK, try_save(odd));
  CHECK_EQUAL(std::string("ok"), integrity(odd));
}

void bad_arguments_of_snapshots_are_refused() {
  char error[256] = "";
  panvec_sqlitevec* connection = nullptr;
  panvec_sqlitevec_copy* copy = nullptr;
  Db db(nullptr, PANVEC_L2, 2);
  const int size = sizeof error;
  const int bad = PANVEC_INVALID_ARGUMENT;
  CHECK_EQUAL(bad, panvec_sqlitevec_save(nullptr, "x", error, size));
  CHECK_EQUAL(bad, panvec_sqlitevec_save(db.connection(), nullptr, error, size));
  CHECK_EQUAL(bad, panvec_sqlitevec_copy_begin(nullptr, &copy, error, size));
  CHECK_EQUAL(bad, panvec_sqlitevec_copy_begin(db.connection(), nullptr, error, size));
  CHECK_EQUAL(bad, panvec_sqlitevec_copy_next(nullptr, &connection, error, size));
  panvec_sqlitevec_copy_end(nullptr);
  CHECK_EQUAL(PANVEC_OK, panvec_sqlitevec_copy_begin(db.connection(), &copy, error, size));
  CHECK_EQUAL(bad, panvec_sqlitevec_copy_next(copy, nullptr, error, size));
  CHECK_EQUAL(PANVEC_OK, panvec_sqlitevec_copy_next(copy, &connection, error, size));
  panvec_sqlitevec_close(connection);
  CHECK_EQUAL(bad, panvec_sqlitevec_copy_next(copy, &connection, error, size));
  panvec_sqlitevec_copy_end(copy);
  CHECK_EQUAL(bad, panvec_sqlitevec_open_bytes(nullptr, 1, "x", 0, 2, 1, &connection, error, size));
  CHECK_EQUAL(bad, panvec_sqlitevec_open_bytes("x", -1, "x", 0, 2, 1, &connection, error, size));
  CHECK_EQUAL(bad, panvec_sqlitevec_open_bytes("x", 1, nullptr, 0, 2, 1, &connection, error, size));
  CHECK_EQUAL(bad, panvec_sqlitevec_open_bytes("x", 1, "x", 3, 2, 1, &connection, error, size));
  CHECK_EQUAL(bad, panvec_sqlitevec_open_bytes("x", 1, "x", 0, 0, 1, &connection, error, size));
  CHECK_EQUAL(bad, panvec_sqlitevec_open_bytes("x", 1, "x", 0, 2, 1, nullptr, error, size));
}

void bad_arguments_of_open_are_refused() {
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, Db(nullptr, 3, 3).status());
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, Db(nullptr, PANVEC_L2, 0).status());
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, Db(nullptr, PANVEC_L2, 8193).status());
  CHECK_EQUAL(PANVEC_INVALID_ARGUMENT, Db(nullptr, PANVEC_L2, 3, 50, true).status());
}

void versions_are_told() {
  CHECK_EQUAL(PANVEC_ABI_VERSION, panvec_sqlitevec_abi_version());
  CHECK_EQUAL(std::string("0.1.9"), panvec_sqlitevec_upstream_version());
  CHECK_EQUAL(std::string(SQLITE_VERSION), panvec_sqlitevec_sqlite_version());
  char error[200] = "";
  CHECK_EQUAL(PANVEC_UNSUPPORTED, panvec_sqlitevec_set_simd_level("mmx", error, sizeof error));
  CHECK(contains(error, "baseline"));
  CHECK_EQUAL(PANVEC_OK, panvec_sqlitevec_set_simd_level("auto", error, sizeof error));
}

}  // namespace

#define RUN(test) panvec::check::run(#test, test)

int main(int argc, char** argv) {
  const std::uint64_t seed = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : std::random_device{}();
  std::printf("seed %llu (give it as the argument to repeat this run)\n", static_cast<unsigned long long>(seed));
  random_bits.seed(seed);
  RUN(versions_are_told);
  RUN(bad_arguments_of_open_are_refused);
  RUN(sqlite_vec_distances_keep_within_the_bound);
  RUN(searches_are_exact_on_every_metric_and_dimension);
  RUN(searches_are_exact_where_float_distances_cannot_tell_rows_apart);
  RUN(equal_distances_are_ordered_by_id);
  RUN(more_than_4096_neighbours_are_found);
  RUN(extreme_components_are_searched_exactly);
  RUN(ids_may_be_any_int64);
  RUN(id_lists_filter_exactly_at_any_selectivity);
  RUN(filters_hold_for_ids_that_agree_in_their_low_bits);
  RUN(filters_of_none_one_two_and_100000_ids_hold);
  RUN(bitmaps_filter_exactly);
  RUN(a_bitmap_beyond_the_largest_id_stops_there);
  RUN(filters_of_any_steps_hold);
  RUN(programs_that_are_none_are_refused);
  RUN(everything_within_a_radius_is_found);
  RUN(hits_without_room_are_kept_until_the_next_call);
  RUN(reads_between_begin_and_end_see_one_state);
  RUN(an_empty_table_finds_nothing);
  RUN(bad_queries_are_refused);
  RUN(a_refused_batch_changes_nothing);
  RUN(upsert_replaces_and_inserts);
  RUN(a_transaction_over_slices_is_one);
  RUN(churn_keeps_rows_and_answers_right);
  RUN(a_stop_ends_a_write_and_leaves_nothing_of_it);
  RUN(a_stop_ends_a_batch_that_can_be_rolled_back);
  RUN(a_stop_ends_a_search_on_every_path);
  RUN(what_is_past_its_deadline_stops_at_once);
  RUN(a_stop_ends_the_wait_for_another_writer);
  RUN(a_stop_ends_the_wait_for_readers_of_a_long_log_but_not_the_commit);
  RUN(a_compaction_gives_the_room_of_removed_rows_back_and_answers_stay);
  RUN(writers_and_readers_go_on_between_the_slices_of_a_compaction);
  RUN(a_compaction_goes_on_beside_a_writer_that_keeps_it_waiting);
  RUN(a_stop_ends_a_compaction_and_loses_nothing);
  RUN(removed_rows_are_counted_only_when_asked_for);
  RUN(impossible_states_of_a_compaction_are_refused_or_harmless);
  RUN(the_log_stays_short_beside_reads_without_a_pause);
  RUN(a_file_keeps_its_rows_bit_for_bit);
  RUN(files_that_are_not_ours_are_refused_and_left_alone);
  RUN(another_metric_dimension_or_format_is_refused);
  RUN(damaged_files_are_refused_and_left_alone);
  RUN(random_damage_never_crashes);
  RUN(a_missing_directory_or_file_is_named);
  RUN(a_file_locked_by_another_process_is_busy);
  RUN(a_writer_waits_for_another_or_is_busy);
  RUN(read_only_files_and_directories_are_refused);
  RUN(readers_see_whole_commits_beside_a_writer);
  RUN(a_reader_sees_what_is_committed_between_its_searches);
  RUN(a_writer_killed_at_any_moment_leaves_whole_batches);
  RUN(a_creation_killed_at_any_moment_leaves_nothing_or_a_database);
  RUN(many_creators_at_once_share_one_database);
  RUN(a_write_that_the_disk_refuses_is_undone);
  RUN(a_deleted_file_takes_no_more_writes);
  RUN(a_file_moved_away_is_written_again_once_it_is_back);
  RUN(a_batch_is_not_committed_to_a_file_deleted_meanwhile);
  RUN(another_file_in_the_place_of_an_open_one_is_refused_until_that_is_closed);
  RUN(the_log_of_a_replaced_file_is_not_replayed_into_the_new_one);
  RUN(a_path_can_be_used_again_after_its_file_was_deleted_and_its_index_closed);
  RUN(a_log_left_without_its_database_is_not_replayed_into_a_new_one);
  RUN(what_is_saved_is_viewed_and_opened_bit_for_bit);
  RUN(a_saved_file_is_sqlite_s_own_and_packed);
  RUN(a_save_is_of_the_state_that_its_connection_sees);
  RUN(a_copy_of_a_database_in_memory_is_of_its_last_slice);
  RUN(a_copy_may_be_given_up);
  RUN(views_take_little_memory);
  RUN(many_views_share_their_bytes);
  RUN(bytes_that_are_something_else_are_refused);
  RUN(wrong_sizes_in_a_view_are_corrupt);
  RUN(flipped_bits_in_a_view_never_crash);
  RUN(tables_without_end_are_corrupt);
  RUN(a_save_that_fails_leaves_nothing);
  RUN(bad_arguments_of_snapshots_are_refused);
  std::printf("all well\n");
  return 0;
}
