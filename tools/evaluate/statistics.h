// How sure a measured figure is.
#ifndef MEMORY3_TOOLS_EVALUATE_STATISTICS_H_
#define MEMORY3_TOOLS_EVALUATE_STATISTICS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"

namespace memory3 {

// How many of `trials` independent ones succeeded.
struct Proportion {
  int64_t successes = 0;
  int64_t trials = 0;

  void Add(bool success) {
    successes += success ? 1 : 0;
    ++trials;
  }
  double share() const;  // NaN without trials
};

struct Interval {
  double low, high;
};

// The Wilson score interval at 95 % (Wilson 1927): unlike the normal approximation it holds near 0
// and 1, where accuracies are. Whole [0, 1] without trials.
Interval WilsonInterval(const Proportion& proportion);

// "0.973 [0.961, 0.982]"; "–" without trials.
std::string Describe(const Proportion& proportion);

struct MeanError {
  double mean = 0;
  double error = 0;  // standard error of the mean; 0 for a single value
};
// At least one value.
MeanError MeanOf(absl::Span<const double> values);

// The share of the way from `from` down to `to` at which `at` lies, of means over the same texts:
// (mean(from) - mean(at)) / (mean(from) - mean(to)), with the 95 % interval that the texts' scatter
// gives (a bootstrap over texts, seeded). The three have equal, positive sizes.
struct ShareOfGain {
  double share;
  Interval interval;
};
ShareOfGain ShareOfWay(absl::Span<const double> from, absl::Span<const double> at,
                       absl::Span<const double> to);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_EVALUATE_STATISTICS_H_
