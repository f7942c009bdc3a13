#include "search.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "distance_bound.hpp"
#include "distance_function.hpp"

namespace panvec::sqlitevec {
namespace {

// sqlite-vec's own limit.
constexpr std::int64_t kMostNeighbours = 4096;
// Every neighbour more costs vec0 one more pass over the distances of a chunk, so the first try asks for few.
constexpr std::int64_t kSpareNeighbours = 4;
constexpr std::int64_t kGrowth = 4;
// What steers the choice between ways that all give the same answer: nanoseconds, measured on 100 to 8192 dimensions in
// memory. Only their ratios matter. vec0 adds up one component after the other, the reference kernel eight side by
// side: many dimensions or many neighbours make the plain scan the quicker way.
constexpr double kLookup = 900;               // one row by its id ...
constexpr double kLookupPerComponent = 0.5;   // ... and its components
constexpr double kVisit = 15;                 // one row of a chunk that vec0 visits ...
constexpr double kVisitPerComponent = 0.8;    // ... and its components
constexpr double kSelect = 0.8;               // one row of a chunk, once more for every neighbour asked for
constexpr double kIdInFilter = 130;           // one id of a filter handed to vec0
// vec0 compares ids by the difference cut to 32 bits: its IN is right only where all ids lie closer together than this.
constexpr std::uint64_t kComparableRange = std::uint64_t{1} << 31;

struct Hit {
  float distance;
  std::int64_t id;
  bool operator<(const Hit& other) const noexcept {
    return distance != other.distance ? distance < other.distance : id < other.id;
  }
};

struct Neighbour {
  std::int64_t id;
  float distance;  // sqlite-vec's, in float
};

class Search {
 public:
  Search(Connection& connection, const float* query, std::int64_t k, const IdFilter* filter)
      : connection_(connection),
        query_(query),
        distance_(connection.shape().metric, query, connection.shape().dim),
        state_(connection.state()),
        filter_(filter),
        row_(connection.shape().dim) {
    if (filter_ != nullptr && filter_->size() > state_.rows) {
      restrict_filter_to_rows();
    }
    matches_ = filter_ == nullptr ? state_.rows : filter_->size();
    k_ = std::min(k, matches_);
  }

  std::int64_t run(const Results& results) {
    if (results.capacity < k_) {
      fail(PANVEC_INVALID_ARGUMENT, "room for " + std::to_string(results.capacity) + " results, but up to " +
                                        std::to_string(k_) + " are to be returned");
    }
    if (k_ == 0) {
      return 0;
    }
    if (std::optional<std::int64_t> count = nearest(results)) {
      return *count;
    }
    return scan(results);
  }

 private:
  // A filter with more ids than the table has rows is replaced by those of its ids that the table has.
  void restrict_filter_to_rows() {
    std::vector<std::int64_t> ids;
    Execution rows(connection_.reading().ids, connection_.path());
    while (rows.step("reading the ids of")) {
      if (filter_->contains(rows.integer(0))) {
        ids.push_back(rows.integer(0));
      }
    }
    std::sort(ids.begin(), ids.end());
    restricted_ = IdFilter::owned(std::move(ids));
    filter_ = &*restricted_;
  }

  // Looks at every match with the reference kernel; SQLite sorts.
  std::int64_t scan(const Results& results) {
    const ReadStatements& statements = connection_.reading();
    Execution rows(filter_ == nullptr ? statements.scan : statements.scan_filtered, connection_.path());
    rows.bind(1, &distance_, QueryDistance::kPointerType).bind(2, k_);
    if (filter_ != nullptr) {
      rows.bind(3, filter_, IdFilter::kPointerType);
    }
    std::int64_t count = 0;
    while (rows.step("scanning")) {
      results.ids[count] = rows.integer(0);
      results.distances[count] = static_cast<float>(rows.real(1));
      ++count;
    }
    return count;
  }

  // By vec0's nearest neighbours, as long as those can be proved to hold the answer and cost less than a scan.
  std::optional<std::int64_t> nearest(const Results& results) {
    if (connection_.shape().metric == Metric::kDot || k_ >= kMostNeighbours) {
      return std::nullopt;
    }
    const std::int64_t wanted = k_ + kSpareNeighbours + k_ / 16;
    // Of the neighbours that vec0 finds without the filter only a share passes it.
    const std::int64_t wanted_unfiltered = wanted * ((state_.rows + matches_ - 1) / matches_);
    const bool pushed_down = filter_ != nullptr && ids_are_comparable() &&
                             neighbours_cost(wanted, true) < neighbours_cost(wanted_unfiltered, false);
    const std::int64_t reachable = pushed_down ? matches_ : state_.rows;
    for (std::int64_t asked = pushed_down ? wanted : wanted_unfiltered; asked < reachable; asked *= kGrowth) {
      asked = std::min(asked, kMostNeighbours);
      if (neighbours_cost(asked, pushed_down) >= static_cast<double>(matches_) * lookup_cost()) {
        return std::nullopt;
      }
      find_neighbours(asked, pushed_down);
      if (proves_answer(asked)) {
        return write(results);
      }
      if (asked == kMostNeighbours) {
        return std::nullopt;
      }
    }
    return std::nullopt;
  }

  double lookup_cost() const noexcept {
    return kLookup + kLookupPerComponent * static_cast<double>(connection_.shape().dim);
  }

  double neighbours_cost(std::int64_t asked, bool pushed_down) const noexcept {
    const double visit = kVisit + kVisitPerComponent * static_cast<double>(connection_.shape().dim);
    return static_cast<double>(state_.rows) * (visit + kSelect * static_cast<double>(asked)) +
           static_cast<double>(k_) * lookup_cost() +
           (pushed_down ? static_cast<double>(matches_) * kIdInFilter : 0.0);
  }

  bool ids_are_comparable() const noexcept {
    const std::int64_t least = std::min(state_.min_id, filter_->least());
    const std::int64_t most = std::max(state_.max_id, filter_->largest());
    return static_cast<std::uint64_t>(most) - static_cast<std::uint64_t>(least) < kComparableRange;
  }

  void find_neighbours(std::int64_t asked, bool pushed_down) {
    const ReadStatements& statements = connection_.reading();
    Execution rows(pushed_down ? statements.knn_filtered : statements.knn, connection_.path());
    rows.bind(1, query_, connection_.shape().dim).bind(2, asked);
    if (pushed_down) {
      rows.bind(3, filter_, IdFilter::kPointerType);
    }
    neighbours_.clear();
    while (rows.step("searching")) {
      neighbours_.push_back({rows.integer(0), static_cast<float>(rows.real(1))});
    }
  }

  // Takes the neighbours in ascending order of vec0's distance and stops at the first of which it is certain that
  // neither it nor any row after it can be among the k. True when it got there, or when no row comes after.
  bool proves_answer(std::int64_t asked) {
    const TableShape& shape = connection_.shape();
    hits_.clear();
    for (const Neighbour& neighbour : neighbours_) {
      if (filter_ != nullptr && !filter_->contains(neighbour.id)) {
        continue;
      }
      if (is_beyond_hits(least_reference_distance(shape.metric, shape.dim, neighbour.distance))) {
        return true;
      }
      connection_.check_interrupt();
      offer({reference_distance_of(neighbour.id), neighbour.id});
    }
    if (static_cast<std::int64_t>(neighbours_.size()) < asked) {
      return true;
    }
    return is_beyond_hits(least_reference_distance(shape.metric, shape.dim, neighbours_.back().distance));
  }

  bool is_beyond_hits(double distance) const noexcept {
    return static_cast<std::int64_t>(hits_.size()) == k_ && distance > double{hits_.front().distance};
  }

  float reference_distance_of(std::int64_t id) {
    if (!connection_.read_row(id, row_.data())) {
      fail(PANVEC_CORRUPT, connection_.path() + ": the row of id " + std::to_string(id) + " is missing");
    }
    return distance_(row_.data());
  }

  // hits_ is a heap with the worst in front.
  void offer(const Hit& hit) {
    if (static_cast<std::int64_t>(hits_.size()) == k_) {
      if (!(hit < hits_.front())) {
        return;
      }
      std::pop_heap(hits_.begin(), hits_.end());
      hits_.pop_back();
    }
    hits_.push_back(hit);
    std::push_heap(hits_.begin(), hits_.end());
  }

  std::int64_t write(const Results& results) {
    std::sort_heap(hits_.begin(), hits_.end());
    for (std::size_t i = 0; i < hits_.size(); ++i) {
      results.ids[i] = hits_[i].id;
      results.distances[i] = hits_[i].distance;
    }
    return static_cast<std::int64_t>(hits_.size());
  }

  Connection& connection_;
  const float* query_;
  QueryDistance distance_;
  TableState state_;
  const IdFilter* filter_;
  std::optional<IdFilter> restricted_;
  std::int64_t matches_ = 0;  // at most: a filter may name ids that are not there
  std::int64_t k_ = 0;
  std::vector<float> row_;
  std::vector<Neighbour> neighbours_;
  std::vector<Hit> hits_;
};

}  // namespace

std::int64_t search(Connection& connection, const float* query, std::int64_t k, const IdFilter* filter,
                    const Results& results) {
  const ReadTransaction transaction(connection);
  const InterruptibleStatements interruptible(connection);
  return Search(connection, query, k, filter).run(results);
}

}  // namespace panvec::sqlitevec
