#include "tools/evaluate/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "absl/strings/str_format.h"
#include "engine/base/check.h"

namespace memory3 {
namespace {

constexpr double kNormal95 = 1.959963984540054;
constexpr int kResamples = 2000;

}  // namespace

double Proportion::share() const {
  if (trials == 0) return std::numeric_limits<double>::quiet_NaN();
  return static_cast<double>(successes) / static_cast<double>(trials);
}

Interval WilsonInterval(const Proportion& proportion) {
  if (proportion.trials == 0) return {0, 1};
  const auto n = static_cast<double>(proportion.trials);
  const double p = proportion.share(), z2 = kNormal95 * kNormal95;
  const double centre = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = kNormal95 / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  // Exactly 0 and 1 at the ends, where rounding would leave a trace.
  return {proportion.successes == 0 ? 0 : std::max(0.0, centre - half),
          proportion.successes == proportion.trials ? 1 : std::min(1.0, centre + half)};
}

std::string Describe(const Proportion& proportion) {
  if (proportion.trials == 0) return "–";
  const Interval interval = WilsonInterval(proportion);
  return absl::StrFormat("%.3f [%.3f, %.3f]", proportion.share(), interval.low, interval.high);
}

MeanError MeanOf(absl::Span<const double> values) {
  M3_CHECK(!values.empty());
  const auto n = static_cast<double>(values.size());
  MeanError result;
  for (const double value : values) result.mean += value / n;
  if (values.size() == 1) return result;
  double squares = 0;
  for (const double value : values) squares += (value - result.mean) * (value - result.mean);
  result.error = std::sqrt(squares / (n * (n - 1)));
  return result;
}

ShareOfGain ShareOfWay(absl::Span<const double> from, absl::Span<const double> at,
                       absl::Span<const double> to) {
  M3_CHECK(!from.empty() && from.size() == at.size() && from.size() == to.size());
  const auto share = [&](auto index) {
    double way = 0, whole = 0;
    for (size_t i = 0; i < from.size(); ++i) {
      const size_t text = index(i);
      way += from[text] - at[text];
      whole += from[text] - to[text];
    }
    return way / whole;
  };
  std::mt19937_64 random(1);
  std::uniform_int_distribution<size_t> any(0, from.size() - 1);
  std::vector<double> resampled(kResamples);
  for (double& value : resampled) value = share([&](size_t) { return any(random); });
  std::sort(resampled.begin(), resampled.end());
  return {share([](size_t i) { return i; }),
          {resampled[kResamples / 40], resampled[kResamples - 1 - kResamples / 40]}};
}

}  // namespace memory3
