#include "tools/synth_weights.h"

#include <cmath>
#include <cstring>

#include "engine/base/bfloat16.h"
#include "engine/base/half.h"

namespace memory3 {
namespace {

// The finalizer of splitmix64: neighbouring counters give unrelated numbers.
uint64_t Mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

// The sum of four 16-bit numbers has this standard deviation: sqrt(4 (2^32 - 1) / 12).
const float kSumDeviation = std::sqrt(4.0f * 4294967295.0f / 12.0f);
constexpr float kSumMean = 4 * 32767.5f;

}  // namespace

RandomWeights::RandomWeights(uint64_t seed, uint64_t tensor, float mean, float deviation)
    : stream_(Mix(Mix(seed) ^ tensor)), mean_(mean), scale_(deviation / kSumDeviation) {}

float RandomWeights::At(int64_t index) const {
  const uint64_t bits = Mix(stream_ + static_cast<uint64_t>(index));
  const uint64_t sum =
      (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48);
  return mean_ + scale_ * (static_cast<float>(sum) - kSumMean);
}

void RandomWeights::Fill(int64_t first, int64_t count, DType dtype, ThreadPool& pool,
                         uint8_t* out) const {
  pool.Run([&](int part, int parts) {
    const Range share = ShareOf(count, part, parts);
    for (int64_t i = share.begin; i < share.end; ++i) {
      const float value = At(first + i);
      if (dtype == DType::kF32) {
        std::memcpy(out + 4 * i, &value, sizeof(value));
      } else {
        const uint16_t rounded = dtype == DType::kBF16 ? ToBfloat16(value) : ToHalf(value);
        std::memcpy(out + 2 * i, &rounded, sizeof(rounded));
      }
    }
  });
}

}  // namespace memory3
