#include "engine/cpu/rope_angles.h"

#include <cmath>

namespace memory3 {

RopeAngles::RopeAngles(const ModelConfig& config, int max_rows)
    : frequencies_(RopeFrequencies(config)),
      half_(static_cast<int>(frequencies_.size())),
      values_(int64_t{max_rows} * 2 * half_) {}

void RopeAngles::Set(int64_t row, int64_t position) {
  float* values = values_.data() + row * 2 * half_;
  for (int i = 0; i < half_; ++i) {
    const double angle = static_cast<double>(position) * frequencies_[i];
    values[i] = static_cast<float>(std::cos(angle));
    values[half_ + i] = static_cast<float>(std::sin(angle));
  }
}

}  // namespace memory3
