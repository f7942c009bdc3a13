#include "search.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "distance_bound.hpp"
#include "query_distance.hpp"
#include "row_ids.hpp"

namespace panvec::sqlitevec {
namespace {

// sqlite-vec's own limit.
constexpr std::int64_t kMostNeighbours = 4096;
// Every neighbour more costs vec0 one more pass over the distances of a chunk, so the first try asks for few.
constexpr std::int64_t kSpareNeighbours = 4;
constexpr std::int64_t kGrowth = 4;
// How many neighbours are expected within a radius, about which nothing is known.
constexpr std::int64_t kWithinRadius = 64;
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

constexpr float kNoRadius = std::numeric_limits<float>::infinity();

struct Neighbour {
  std::int64_t id;
  float distance;  // sqlite-vec's, in float
};

class Search {
 public:
  Search(Connection& connection, const float* query, std::int64_t k, float radius, const Filter* filter)
      : connection_(connection),
        query_(query),
        radius_(radius),
        distance_(connection.shape().metric, query, connection.shape().dim),
        state_(connection.state()),
        filter_(filter == nullptr ? nullptr : filter->single()),
        row_(connection.shape().dim) {
    // What cannot be enumerated, or has more ids than there are rows, is replaced by those of its ids that have a row.
    if (filter != nullptr && (filter_ == nullptr || filter_->size() > state_.rows)) {
      restricted_ = IdFilter::owned(sorted_ids(connection, filter));
      filter_ = &*restricted_;
    }
    matches_ = filter_ == nullptr ? state_.rows : filter_->size();
    k_ = std::min(k, matches_);
  }

  std::vector<Hit> run() {
    if (k_ > 0 && !nearest()) {
      scan();
    }
    if (filter_ == nullptr && radius_ == kNoRadius && static_cast<std::int64_t>(hits_.size()) < k_) {
      fail(PANVEC_CORRUPT, connection_.path() + ": it has fewer rows than the " + std::to_string(state_.rows) +
                               " that it counts");
    }
    std::sort_heap(hits_.begin(), hits_.end());
    return std::move(hits_);
  }

 private:
  // Looks at every match with the reference kernel.
  void scan() {
    const ReadStatements& statements = connection_.reading();
    Execution rows(filter_ == nullptr ? statements.scan : statements.scan_filtered, connection_.path());
    if (filter_ != nullptr) {
      rows.bind(1, filter_, IdFilter::kPointerType);
    }
    hits_.clear();
    std::int64_t seen = 0;
    while (rows.step("scanning")) {
      // Pages that lead back to others would give rows without end.
      if (++seen > state_.rows) {
        fail(PANVEC_CORRUPT, connection_.path() + ": it has more rows than the " + std::to_string(state_.rows) +
                                 " that it counts");
      }
      offer({distance_(rows.row_bytes(1, row_.size())), rows.integer(0)});
    }
  }

  // By vec0's nearest neighbours, as long as those can be proved to hold the answer and cost less than a scan. True
  // when that was done.
  bool nearest() {
    const std::int64_t expected = radius_ < kNoRadius ? std::min(k_, kWithinRadius) : k_;
    if (connection_.shape().metric == Metric::kDot || expected >= kMostNeighbours) {
      return false;
    }
    const std::int64_t wanted = expected + kSpareNeighbours + expected / 16;
    // Of the neighbours that vec0 finds without the filter only a share passes it.
    const std::int64_t wanted_unfiltered = wanted * ((state_.rows + matches_ - 1) / matches_);
    const bool pushed_down = filter_ != nullptr && ids_are_comparable() &&
                             neighbours_cost(wanted, true) < neighbours_cost(wanted_unfiltered, false);
    const std::int64_t reachable = pushed_down ? matches_ : state_.rows;
    for (std::int64_t asked = pushed_down ? wanted : wanted_unfiltered; asked < reachable; asked *= kGrowth) {
      asked = std::min(asked, kMostNeighbours);
      if (neighbours_cost(asked, pushed_down) >= static_cast<double>(matches_) * lookup_cost()) {
        return false;
      }
      find_neighbours(asked, pushed_down);
      if (proves_answer(asked)) {
        return true;
      }
      if (asked == kMostNeighbours) {
        return false;
      }
    }
    return false;
  }

  double lookup_cost() const noexcept {
    return kLookup + kLookupPerComponent * static_cast<double>(connection_.shape().dim);
  }

  double neighbours_cost(std::int64_t asked, bool pushed_down) const noexcept {
    const double visit = kVisit + kVisitPerComponent * static_cast<double>(connection_.shape().dim);
    return static_cast<double>(state_.rows) * (visit + kSelect * static_cast<double>(asked)) +
           static_cast<double>(std::min(k_, asked)) * lookup_cost() +
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
      connection_.check_stop();
      offer({reference_distance_of(neighbour.id), neighbour.id});
    }
    if (static_cast<std::int64_t>(neighbours_.size()) < asked) {
      return true;
    }
    return is_beyond_hits(least_reference_distance(shape.metric, shape.dim, neighbours_.back().distance));
  }

  bool is_beyond_hits(double distance) const noexcept {
    return distance > double{radius_} ||
           (static_cast<std::int64_t>(hits_.size()) == k_ && distance > double{hits_.front().distance});
  }

  float reference_distance_of(std::int64_t id) {
    if (!connection_.read_row(id, row_.data())) {
      fail(PANVEC_CORRUPT, connection_.path() + ": the row of id " + std::to_string(id) + " is missing");
    }
    return distance_(row_.data());
  }

  // hits_ is a heap with the worst in front.
  void offer(const Hit& hit) {
    if (hit.distance > radius_) {
      return;
    }
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

  Connection& connection_;
  const float* query_;
  float radius_;
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

std::vector<Hit> search(Connection& connection, const float* query, std::int64_t k, float radius,
                        const Filter* filter) {
  const ReadTransaction transaction(connection);
  const StoppableStatements stoppable(connection);
  return Search(connection, query, k, radius, filter).run();
}

}  // namespace panvec::sqlitevec
