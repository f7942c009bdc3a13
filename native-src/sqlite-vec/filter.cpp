#include "filter.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "status.hpp"

namespace panvec::sqlitevec {
namespace {

constexpr std::int64_t kLeastId = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kLargestId = std::numeric_limits<std::int64_t>::max();

[[noreturn]] void refuse(std::int64_t step, const std::string& what) {
  fail(PANVEC_INVALID_ARGUMENT, "step " + std::to_string(step) + " of the filter " + what);
}

IdFilter set_of(const panvec_sqlitevec_filter_step& step, std::int64_t index) {
  if (step.kind == PANVEC_SQLITEVEC_RANGE) {
    if (step.first > step.last) {
      refuse(index, "is a range that does not go upwards");
    }
    return IdFilter::range(step.first, step.last);
  }
  if (step.count < 0 || (step.count > 0 && step.data == nullptr)) {
    refuse(index, "has no data, or a negative count");
  }
  return step.kind == PANVEC_SQLITEVEC_IDS
             ? IdFilter::list(static_cast<const std::int64_t*>(step.data), step.count)
             : IdFilter::bitmap(static_cast<const std::uint64_t*>(step.data), step.first, step.count);
}

}  // namespace

Filter::Filter(const panvec_sqlitevec_filter_step* steps, std::int64_t count) : bounds_{kLeastId, kLargestId} {
  std::vector<Bounds> stack;
  for (std::int64_t i = 0; i < count; ++i) {
    const panvec_sqlitevec_filter_step& step = steps[i];
    switch (step.kind) {
      case PANVEC_SQLITEVEC_IDS:
      case PANVEC_SQLITEVEC_BITMAP:
      case PANVEC_SQLITEVEC_RANGE:
        steps_.push_back({step.kind, 0, set_of(step, i)});
        stack.push_back(bounds_of(steps_.back().set));
        break;
      case PANVEC_SQLITEVEC_NOT:
      case PANVEC_SQLITEVEC_AND:
      case PANVEC_SQLITEVEC_OR: {
        const std::int64_t operands = step.kind == PANVEC_SQLITEVEC_NOT ? 1 : step.count;
        if (operands < 1 || operands > static_cast<std::int64_t>(stack.size())) {
          refuse(i, "takes " + std::to_string(operands) + " sets of " + std::to_string(stack.size()));
        }
        const auto taken = static_cast<std::size_t>(operands);
        const Bounds combined = combine(step.kind, stack.data() + stack.size() - taken, taken);
        stack.resize(stack.size() - taken, combined);
        stack.push_back(combined);
        steps_.push_back({step.kind, taken, IdFilter::range(0, 0)});
        break;
      }
      default:
        refuse(i, "has the unknown kind " + std::to_string(step.kind));
    }
  }
  if (stack.size() != 1) {
    fail(PANVEC_INVALID_ARGUMENT, "the filter leaves " + std::to_string(stack.size()) + " sets instead of one");
  }
  bounds_ = stack.back();
  stack_.reserve(steps_.size());
}

Filter::Bounds Filter::bounds_of(const IdFilter& set) noexcept {
  return set.size() == 0 ? Bounds{kLargestId, kLeastId} : Bounds{set.least(), set.largest()};
}

Filter::Bounds Filter::combine(std::int64_t kind, const Bounds* operands, std::size_t count) noexcept {
  if (kind == PANVEC_SQLITEVEC_NOT) {
    return {kLeastId, kLargestId};
  }
  Bounds bounds = operands[0];
  for (std::size_t i = 1; i < count; ++i) {
    const bool both = kind == PANVEC_SQLITEVEC_AND;
    bounds.least = both ? std::max(bounds.least, operands[i].least) : std::min(bounds.least, operands[i].least);
    bounds.most = both ? std::min(bounds.most, operands[i].most) : std::max(bounds.most, operands[i].most);
  }
  return bounds;
}

bool Filter::contains(std::int64_t id) const {
  if (id < bounds_.least || id > bounds_.most) {
    return false;
  }
  stack_.clear();
  for (const Step& step : steps_) {
    if (step.operands == 0) {
      stack_.push_back(step.set.contains(id));
      continue;
    }
    const auto operands = stack_.end() - static_cast<std::ptrdiff_t>(step.operands);
    const auto passes = [](char one) { return one != 0; };
    const bool result = step.kind == PANVEC_SQLITEVEC_NOT   ? *operands == 0
                        : step.kind == PANVEC_SQLITEVEC_AND ? std::all_of(operands, stack_.end(), passes)
                                                            : std::any_of(operands, stack_.end(), passes);
    stack_.erase(operands, stack_.end());
    stack_.push_back(result);
  }
  return stack_.back() != 0;
}

}  // namespace panvec::sqlitevec
