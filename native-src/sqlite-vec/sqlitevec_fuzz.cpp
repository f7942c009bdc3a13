// Hostile calls on libpanvec_sqlitevec, in memory and on files, some of which were damaged.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "fuzz_input.hpp"
#include "panvec_sqlitevec.h"

namespace {

using namespace panvec::fuzz;

struct Closer {
  void operator()(panvec_sqlitevec* connection) const { panvec_sqlitevec_close(connection); }
};
using Connection = std::unique_ptr<panvec_sqlitevec, Closer>;

// A filter's steps with their data, each in a block of exactly its size.
class Steps {
 public:
  explicit Steps(Input& input) {
    const std::size_t count = input.rarely(4) ? input.byte() % 6 : 1;
    steps_.reset(new panvec_sqlitevec_filter_step[count]);
    count_ = static_cast<std::int64_t>(count);
    for (std::size_t i = 0; i < count; ++i) steps_[i] = step(input, i);
    if (input.rarely(16)) count_ = input.number(0, 0) < 0 ? -1 : 0;
    is_absent_ = input.rarely(2);
  }

  const panvec_sqlitevec_filter_step* get() const { return is_absent_ ? nullptr : steps_.get(); }
  std::int64_t count() const { return count_; }

 private:
  panvec_sqlitevec_filter_step step(Input& input, std::size_t sets) {
    panvec_sqlitevec_filter_step made{};
    made.kind = input.rarely(16) ? input.number(0, 5) : sets > 1 && input.rarely(2) ? 3 + input.byte() % 3 : input.byte() % 3;
    made.first = input.number(-5, 5);
    made.last = input.number(0, 50);
    made.count = input.rarely(8) ? input.number(0, 3) : static_cast<std::int64_t>(input.byte() % 4);
    if (made.kind != PANVEC_SQLITEVEC_IDS && made.kind != PANVEC_SQLITEVEC_BITMAP) return made;
    // As long as it says: how much memory there is, a library cannot see. A negative count is refused before it is read.
    if (made.count > 64) made.count = 64;
    const auto words = static_cast<std::size_t>(std::max<std::int64_t>(made.count, 0));
    if (made.count > 0 && input.rarely(32)) return made;  // without data
    data_.emplace_back(new std::int64_t[words]);
    for (std::size_t i = 0; i < words; ++i) {
      data_.back()[i] = input.rarely(16) ? input.number(0, 40) : static_cast<std::int64_t>(i * 3 + input.byte() % 3);
    }
    made.data = data_.back().get();
    return made;
  }

  std::unique_ptr<panvec_sqlitevec_filter_step[]> steps_;
  std::vector<std::unique_ptr<std::int64_t[]>> data_;
  std::int64_t count_ = 0;
  bool is_absent_ = false;
};

class SqliteFuzzer {
 public:
  explicit SqliteFuzzer(Input& input) : input_(input) {}
  ~SqliteFuzzer() {
    reader_.reset();
    writer_.reset();
    remove_files();
  }
  SqliteFuzzer(const SqliteFuzzer&) = delete;
  SqliteFuzzer& operator=(const SqliteFuzzer&) = delete;

  void run() {
    metric_ = input_.number32(PANVEC_L2, PANVEC_DOT);
    dim_ = input_.number32(1, 12);
    if (input_.rarely(3)) {
      path_ = "/tmp/panvec-sqlitevec-fuzz-" + std::to_string(getpid());
      remove_files();
    }
    if (!open()) return;
    while (!input_.is_empty()) {
      panvec_sqlitevec* connection = reader_ != nullptr && input_.rarely(3) ? reader_.get() : writer_.get();
      if (input_.rarely(64)) connection = nullptr;
      if (!one_call(connection)) return;
    }
  }

 private:
  void remove_files() const {
    if (path_.empty()) return;
    for (const char* end : {"", "-wal", "-shm", "-journal"}) std::remove((path_ + end).c_str());
  }

  bool open() {
    panvec_sqlitevec* opened = nullptr;
    ErrorText error(input_);
    std::int32_t status;
    {
      const ScarceMemory scarce(input_);
      status = panvec_sqlitevec_open(path_.empty() ? nullptr : path_.c_str(), metric_, dim_, input_.number32(0, 2) % 3,
                                     &opened, error.text(), error.capacity());
    }
    writer_.reset(opened);
    const bool done = error.ok(status);
    require_that(done == (opened != nullptr), "a connection is there when it was opened");
    // Answers of another width would not fit.
    return done && dim_ >= 1 && dim_ <= 8192;
  }

  // Whether there is still a connection.
  bool one_call(panvec_sqlitevec* connection) {
    switch (input_.byte() % 16) {
      case 0:
      case 1:
      case 2:
        add(connection);
        return true;
      case 3:
        transaction(connection);
        return true;
      case 4:
        remove(connection);
        return true;
      case 5:
        compact(connection);
        return true;
      case 6:
        get(connection);
        return true;
      case 7:
        ids(connection);
        return true;
      case 8:
      case 9:
      case 10:
      case 11:
        search(connection);
        return true;
      case 12:
        take_hits(connection, input_.number(0, 20));
        return true;
      case 13:
        usage(connection);
        return true;
      case 14:
        open_reader();
        return true;
      default:
        return input_.rarely(4) ? damage_and_open() : true;
    }
  }

  void add(panvec_sqlitevec* connection) {
    std::int64_t count = input_.number(0, 12);
    const auto rows = static_cast<std::size_t>(count > 0 && count <= 12 ? count : 0);
    if (count > 12) count = static_cast<std::int64_t>(rows);  // the caller's part: so many rows are there
    const std::unique_ptr<std::int64_t[]> ids(new std::int64_t[rows]);
    for (std::size_t i = 0; i < rows; ++i) ids[i] = input_.number(0, 60);
    const auto values = input_.floats(rows * static_cast<std::size_t>(dim_));
    const StopArguments stop(input_);
    std::int64_t bad_row = -2;
    std::int32_t bad_component = -2;
    const bool without = input_.rarely(32);
    const std::int32_t replace = input_.number32(0, 1);
    ErrorText error(input_);
    std::int32_t status;
    {
      const ScarceMemory scarce(input_);
      status = panvec_sqlitevec_add(connection, without ? nullptr : ids.get(), without ? nullptr : values.get(), count,
                                    replace, stop.flag.get(), stop.nanos_left, without ? nullptr : &bad_row,
                                    without ? nullptr : &bad_component, error.text(), error.capacity());
    }
    if (!error.ok(status) && status == PANVEC_INVALID_VECTOR && !without) {
      require_that(bad_row >= 0 && bad_row < count && bad_component >= -1 && bad_component < dim_,
                   "a bad row is one of those given");
    }
  }

  void transaction(panvec_sqlitevec* connection) {
    const StopArguments stop(input_);
    ErrorText error(input_);
    switch (input_.byte() % 5) {
      case 0:
        error.ok(panvec_sqlitevec_begin(connection, stop.flag.get(), stop.nanos_left, error.text(), error.capacity()));
        break;
      case 1:
        error.ok(panvec_sqlitevec_commit(connection, stop.flag.get(), stop.nanos_left, error.text(), error.capacity()));
        break;
      case 2:
        error.ok(panvec_sqlitevec_rollback(connection, error.text(), error.capacity()));
        break;
      case 3:
        error.ok(panvec_sqlitevec_begin_read(connection, error.text(), error.capacity()));
        break;
      default:
        error.ok(panvec_sqlitevec_end_read(connection, error.text(), error.capacity()));
    }
  }

  void remove(panvec_sqlitevec* connection) {
    std::int64_t count = input_.number(0, 12);
    const auto listed = static_cast<std::size_t>(count > 0 && count <= 12 ? count : 0);
    if (count > 12) count = 0;
    const std::unique_ptr<std::int64_t[]> ids(new std::int64_t[listed]);
    for (std::size_t i = 0; i < listed; ++i) ids[i] = input_.number(0, 60);
    std::int64_t removed = -1;
    ErrorText error(input_);
    std::int32_t status;
    {
      const ScarceMemory scarce(input_);
      status = panvec_sqlitevec_remove(connection, ids.get(), count, input_.rarely(32) ? nullptr : &removed,
                                       error.text(), error.capacity());
    }
    if (!error.ok(status)) return;
    require_that(removed >= 0 && removed <= count, "no more rows are removed than ids were given");
  }

  void compact(panvec_sqlitevec* connection) {
    std::int64_t state[3] = {0, 0, 0};
    std::int64_t rows = 0;
    std::int32_t finished = 0;
    for (int slice = 0; slice < 4 && finished == 0; ++slice) {
      const StopArguments stop(input_);
      ErrorText error(input_);
      std::int32_t status;
      {
        const ScarceMemory scarce(input_);
        status = panvec_sqlitevec_compact(connection, input_.rarely(32) ? nullptr : state, stop.flag.get(),
                                          stop.nanos_left, &rows, &finished, error.text(), error.capacity());
      }
      if (!error.ok(status)) return;
    }
  }

  void get(panvec_sqlitevec* connection) {
    const std::int64_t id = input_.number(0, 60);
    const std::unique_ptr<float[]> row(new float[static_cast<std::size_t>(dim_)]);
    std::int64_t size = -1;
    ErrorText error(input_);
    error.ok(panvec_sqlitevec_get(connection, id, input_.rarely(4) ? nullptr : row.get(), error.text(),
                                  error.capacity()));
    error.ok(panvec_sqlitevec_size(connection, input_.rarely(32) ? nullptr : &size, error.text(), error.capacity()));
  }

  // A capacity with so much room; what is not refused and larger than any database is brought down.
  static std::size_t room(std::int64_t& capacity) {
    capacity = std::min<std::int64_t>(capacity, 500);
    return static_cast<std::size_t>(std::max<std::int64_t>(capacity, 0));
  }

  void ids(panvec_sqlitevec* connection) {
    const Steps steps(input_);
    const StopArguments stop(input_);
    std::int64_t capacity = input_.number(0, 60);
    const std::unique_ptr<std::int64_t[]> found(new std::int64_t[room(capacity)]);
    std::int64_t count = -1;
    ErrorText error(input_);
    std::int32_t status;
    {
      const ScarceMemory scarce(input_);
      status = panvec_sqlitevec_ids(connection, steps.get(), steps.count(), stop.flag.get(), stop.nanos_left,
                                    input_.rarely(16) ? nullptr : found.get(), capacity,
                                    input_.rarely(32) ? nullptr : &count, error.text(), error.capacity());
    }
    if (!error.ok(status)) return;
    for (std::int64_t i = 1; i < std::min(count, capacity); ++i) {
      require_that(found[static_cast<std::size_t>(i - 1)] < found[static_cast<std::size_t>(i)], "ids ascend");
    }
  }

  void search(panvec_sqlitevec* connection) {
    const Steps steps(input_);
    const StopArguments stop(input_);
    const auto query = input_.floats(static_cast<std::size_t>(dim_));
    const std::int64_t k = input_.number(1, 30);
    const float radius = input_.rarely(3) ? input_.odd_float()
                         : input_.rarely(3) ? static_cast<float>(input_.byte() % 20)
                                            : std::numeric_limits<float>::infinity();
    std::int64_t capacity = input_.number(0, 60);
    const std::size_t hits = room(capacity);
    const std::unique_ptr<std::int64_t[]> ids(new std::int64_t[hits]);
    const std::unique_ptr<float[]> distances(new float[hits]);
    std::int64_t count = -1;
    ErrorText error(input_);
    std::int32_t status;
    {
      const ScarceMemory scarce(input_);
      status = panvec_sqlitevec_search(connection, input_.rarely(32) ? nullptr : query.get(), k, radius, steps.get(),
                                       steps.count(), stop.flag.get(), stop.nanos_left,
                                       input_.rarely(32) ? nullptr : ids.get(), distances.get(), capacity, &count,
                                       error.text(), error.capacity());
    }
    if (!error.ok(status)) return;
    require_that(k >= 1 && !std::isnan(radius) && capacity >= 0, "k, radius and capacity have their ranges");
    require_that(count >= 0 && count <= k, "no more hits than were asked for");
    if (count > capacity) {
      take_hits(connection, input_.rarely(4) ? input_.number(0, 30) : count);
      return;
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      require_that(distances[i] <= radius, "hits are within the radius");
      if (i == 0) continue;
      require_that(distances[i - 1] < distances[i] || (distances[i - 1] == distances[i] && ids[i - 1] < ids[i]),
                   "hits are sorted by distance and id");
    }
  }

  void take_hits(panvec_sqlitevec* connection, std::int64_t capacity) {
    const std::size_t hits = room(capacity);
    const std::unique_ptr<std::int64_t[]> ids(new std::int64_t[hits]);
    const std::unique_ptr<float[]> distances(new float[hits]);
    ErrorText error(input_);
    error.ok(panvec_sqlitevec_take_hits(connection, input_.rarely(32) ? nullptr : ids.get(), distances.get(), capacity,
                                        error.text(), error.capacity()));
  }

  void usage(panvec_sqlitevec* connection) {
    std::int64_t numbers[4] = {-1, -1, -1, -1};
    ErrorText error(input_);
    const bool counted = !input_.rarely(32);
    const std::int32_t status = panvec_sqlitevec_usage(connection, &numbers[0], &numbers[1], &numbers[2],
                                                       counted ? &numbers[3] : nullptr, error.text(), error.capacity());
    if (!error.ok(status)) return;
    require_that(counted || numbers[3] == -1, "what nobody asks for is not written");
    if (!counted) numbers[3] = 0;
    for (const std::int64_t number : numbers) require_that(number >= 0, "bytes and rows are not negative");
  }

  void open_reader() {
    reader_.reset();
    panvec_sqlitevec* opened = nullptr;
    ErrorText error(input_);
    const std::int32_t metric = input_.rarely(8) ? input_.number32(PANVEC_L2, PANVEC_DOT) : metric_;
    std::int32_t status;
    {
      const ScarceMemory scarce(input_);
      status = panvec_sqlitevec_open_reader(path_.empty() ? nullptr : path_.c_str(), metric, dim_, 0, &opened,
                                            error.text(), error.capacity());
    }
    reader_.reset(opened);
    const bool done = error.ok(status);
    require_that(done == (opened != nullptr), "a connection is there when it was opened");
    require_that(!done || metric == metric_, "a file of another metric is refused");
  }

  // Some bytes of the closed file become others, or its end is cut off.
  bool damage_and_open() {
    if (path_.empty()) return true;
    reader_.reset();
    writer_.reset();
    std::FILE* file = std::fopen(path_.c_str(), "r+b");
    if (file == nullptr) return false;
    std::fseek(file, 0, SEEK_END);
    const long size = std::ftell(file);
    for (std::uint32_t i = input_.byte() % 8; size > 0 && i > 0; --i) {
      const long at = static_cast<long>((input_.seed() << 8 | input_.byte()) % static_cast<std::uint64_t>(size));
      std::fseek(file, at, SEEK_SET);
      std::fputc(static_cast<int>(input_.byte()), file);
    }
    std::fclose(file);
    if (size > 0 && input_.rarely(8) && truncate(path_.c_str(), input_.below(static_cast<std::uint32_t>(size))) != 0) {
      return false;
    }
    return open();
  }

  Input& input_;
  std::string path_;
  std::int32_t metric_ = 0;
  std::int32_t dim_ = 1;
  Connection writer_;
  Connection reader_;
};

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) { return use_simd_level(panvec_sqlitevec_set_simd_level); }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  SqliteFuzzer(input).run();
  return 0;
}
