#include "tools/percentiles.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/base/check.h"

namespace memory3 {

Percentiles::Percentiles(std::vector<double> samples) : sorted_(std::move(samples)) {
  std::sort(sorted_.begin(), sorted_.end());
}

double Percentiles::At(double percent) const {
  M3_CHECK(!sorted_.empty() && percent > 0 && percent <= 100);
  // The tolerance keeps 99.9 % of 1000 samples at rank 999 although 0.999 * 1000 rounds upwards.
  const double rank = std::ceil(percent / 100 * static_cast<double>(sorted_.size()) - 1e-9);
  return sorted_[static_cast<size_t>(std::max(rank, 1.0)) - 1];
}

}  // namespace memory3
