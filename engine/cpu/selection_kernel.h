// Token selection for vectors of kLanes floats: scores of one query against many keys, and what
// their exponentials add to the keys' weights. Included only by the units that instantiate it (see
// row_kernels.h).
//
// Tokens lie in lanes, padded to a multiple of kTileTokens: every token's numbers are computed by
// the same operations in the same order wherever it stands, so equal tokens weigh exactly the same.
#ifndef MEMORY3_ENGINE_CPU_SELECTION_KERNEL_H_
#define MEMORY3_ENGINE_CPU_SELECTION_KERNEL_H_

#include "engine/base/vector_math.h"
#include "engine/cpu/kernels.h"

namespace memory3 {

template <int kLanes, int kVectors>
M3_INLINE void ScoreKeyVectors(const float* query, const float* keys, int head_dim, int stride,
                               float scale, float* scores) {
  using F = FloatVec<kLanes>;
  F acc[kVectors] = {};
  for (int d = 0; d < head_dim; ++d, keys += stride) {
    const F q = Splat<kLanes>(query[d]);
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) acc[v] += q * Load<kLanes>(keys + v * kLanes);
  }
#pragma GCC unroll 16
  for (int v = 0; v < kVectors; ++v) Store<kLanes>(scores + v * kLanes, acc[v] * scale);
}

template <int kLanes>
void ScoreKeys(const float* query, const float* keys, int head_dim, int tokens, float scale,
               float* scores) {
  constexpr int kVectors = 4;
  int t = 0;
  for (; t + kVectors * kLanes <= tokens; t += kVectors * kLanes) {
    ScoreKeyVectors<kLanes, kVectors>(query, keys + t, head_dim, tokens, scale, scores + t);
  }
  for (; t < tokens; t += kLanes) {
    ScoreKeyVectors<kLanes, 1>(query, keys + t, head_dim, tokens, scale, scores + t);
  }
}

template <int kLanes>
void AddSoftmax(float* scores, int tokens, double* weights) {
  using F = FloatVec<kLanes>;
  F largest = Load<kLanes>(scores);
  for (int t = kLanes; t < tokens; t += kLanes) {
    largest = Max<kLanes>(largest, Load<kLanes>(scores + t));
  }
  const float max = MaxOfLanes<kLanes>(largest);
  F sums = {};
  for (int t = 0; t < tokens; t += kLanes) {
    const F weight = Exp<kLanes>(Load<kLanes>(scores + t) - max);
    sums += weight;
    Store<kLanes>(scores + t, weight);
  }
  const double scale = 1.0 / static_cast<double>(SumOfLanes<kLanes>(sums));
  for (int t = 0; t < tokens; ++t) weights[t] += scale * static_cast<double>(scores[t]);
}

template <int kLanes>
void AddExponentials(float* scores, const float* largest, int tokens, double* sums) {
  for (int t = 0; t < tokens; t += kLanes) {
    Store<kLanes>(scores + t, Exp<kLanes>(Load<kLanes>(scores + t) - Load<kLanes>(largest + t)));
  }
  for (int t = 0; t < tokens; ++t) sums[t] += static_cast<double>(scores[t]);
}

}  // namespace memory3

#endif  // MEMORY3_ENGINE_CPU_SELECTION_KERNEL_H_
