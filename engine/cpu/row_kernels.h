// Row-wise kernels for vectors of kLanes floats. Included only by the units that instantiate them,
// each with the flags its width needs; every function is a template on the width, so that no two
// units share a symbol.
#ifndef MEMORY3_ENGINE_CPU_ROW_KERNELS_H_
#define MEMORY3_ENGINE_CPU_ROW_KERNELS_H_

#include <cstdint>

#include "engine/base/vector_math.h"

namespace memory3 {

template <int kLanes>
void RmsNorm(const float* x, const float* weight, int64_t size, float eps, float* out) {
  using F = FloatVec<kLanes>;
  constexpr int kUnroll = 4;
  F sums[kUnroll] = {};
  int64_t i = 0;
  for (; i + kUnroll * kLanes <= size; i += kUnroll * kLanes) {
    for (int u = 0; u < kUnroll; ++u) {
      const F v = Load<kLanes>(x + i + u * kLanes);
      sums[u] += v * v;
    }
  }
  float sum = SumOfLanes<kLanes>((sums[0] + sums[1]) + (sums[2] + sums[3]));
  for (; i < size; ++i) sum += x[i] * x[i];
  const float scale = 1.0f / __builtin_sqrtf(sum / static_cast<float>(size) + eps);
  for (i = 0; i + kLanes <= size; i += kLanes) {
    Store<kLanes>(out + i, Load<kLanes>(x + i) * scale * Load<kLanes>(weight + i));
  }
  for (; i < size; ++i) out[i] = x[i] * scale * weight[i];
}

template <int kLanes>
M3_INLINE FloatVec<kLanes> SwiGluOf(FloatVec<kLanes> gate, FloatVec<kLanes> up) {
  return gate / (1.0f + Exp<kLanes>(-gate)) * up;
}

template <int kLanes>
void SwiGlu(const float* gate, const float* up, int64_t size, float* out) {
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    Store<kLanes>(out + i, SwiGluOf<kLanes>(Load<kLanes>(gate + i), Load<kLanes>(up + i)));
  }
  for (; i < size; ++i) {
    out[i] = SwiGluOf<kLanes>(Splat<kLanes>(gate[i]), Splat<kLanes>(up[i]))[0];
  }
}

template <int kLanes>
void Rotate(const float* x, const float* cosines, const float* sines, int half, float scale,
            float* out) {
  using F = FloatVec<kLanes>;
  int i = 0;
  for (; i + kLanes <= half; i += kLanes) {
    const F a = Load<kLanes>(x + i), b = Load<kLanes>(x + half + i);
    const F c = Load<kLanes>(cosines + i) * scale, s = Load<kLanes>(sines + i) * scale;
    Store<kLanes>(out + i, a * c - b * s);
    Store<kLanes>(out + half + i, b * c + a * s);
  }
  for (; i < half; ++i) {
    const float a = x[i], b = x[half + i], c = cosines[i] * scale, s = sines[i] * scale;
    out[i] = a * c - b * s;
    out[half + i] = b * c + a * s;
  }
}

}  // namespace memory3

#endif  // MEMORY3_ENGINE_CPU_ROW_KERNELS_H_
