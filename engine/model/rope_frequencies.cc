// Rotary frequencies and their stretching. Llama-3's rule keeps short wavelengths, divides the
// frequency of long ones by `factor`, and blends linearly in between, by how many turns a pair
// makes within the original context.
#include <cmath>
#include <numbers>

#include "engine/model/model_config.h"

namespace memory3 {
namespace {

double ScaleLlama3(double frequency, const RopeScaling& scaling) {
  const double turns =
      scaling.original_max_position_embeddings * frequency / (2 * std::numbers::pi);
  if (turns > scaling.high_freq_factor) return frequency;
  if (turns < scaling.low_freq_factor) return frequency / scaling.factor;
  const double keep =
      (turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor);
  return (1 - keep) * frequency / scaling.factor + keep * frequency;
}

}  // namespace

std::vector<double> RopeFrequencies(const ModelConfig& config) {
  std::vector<double> frequencies(config.head_dim / 2);
  for (size_t i = 0; i < frequencies.size(); ++i) {
    double frequency = std::pow(config.rope_theta, -2.0 * static_cast<double>(i) / config.head_dim);
    if (config.rope_scaling.has_value()) {
      const RopeScaling& scaling = *config.rope_scaling;
      frequency = scaling.kind == RopeScaling::Kind::kLinear ? frequency / scaling.factor
                                                             : ScaleLlama3(frequency, scaling);
    }
    frequencies[i] = frequency;
  }
  return frequencies;
}

}  // namespace memory3
