// The attention kernel for vectors of kLanes floats: folds runs of keys and values into the running
// softmax of a block of queries. Included only by the units that instantiate it (see
// row_kernels.h).
//
// Three stages per run, each over groups of queries so that loaded keys and values are shared:
// scores (tokens in lanes), softmax weights, and the sum of weighted values (dimensions in lanes).
// Sums over dimensions and over tokens run in ascending order for every query, with one accumulator
// each: nothing depends on the other queries of the block.
#ifndef MEMORY3_ENGINE_CPU_ATTENTION_KERNEL_H_
#define MEMORY3_ENGINE_CPU_ATTENTION_KERNEL_H_

#include <cstdint>

#include "engine/base/vector_math.h"
#include "engine/cpu/kernels.h"

namespace memory3 {

// How many tiles and vectors of values go through the inner loops at once, by register count.
template <int kLanes>
struct AttentionTuning {
  static constexpr bool kManyRegisters = kLanes == 16;
  static constexpr int kTilesPerPass = kManyRegisters ? kFoldTiles : 1;
  static constexpr int kValueVectors = kManyRegisters ? 4 : 2;
  static constexpr int kVectorsPerTile = kTileTokens / kLanes;
};

// Lowest finite float: the maximum over no keys. exp(kNoMaximum - x) is 0, never NaN.
inline constexpr float kNoMaximum = -3.4028234663852886e38f;

// scores (kQueries, kFoldTokens) of kTiles tiles.
template <int kLanes, typename T, int kQueries, int kTiles>
M3_INLINE void ScoreTiles(const float* queries, int head_dim, const KeyValueTile* tiles,
                          float* scores) {
  using F = FloatVec<kLanes>;
  constexpr int kPerTile = AttentionTuning<kLanes>::kVectorsPerTile;
  constexpr int kVectors = kTiles * kPerTile;
  F acc[kQueries][kVectors] = {};
  for (int d = 0; d < head_dim; ++d) {
    F keys[kVectors];
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
      keys[v] = Load<kLanes>(static_cast<const T*>(tiles[v / kPerTile].keys) + d * kTileTokens +
                             v % kPerTile * kLanes);
    }
#pragma GCC unroll 16
    for (int q = 0; q < kQueries; ++q) {
      const F query = Splat<kLanes>(queries[d * kQueryGroup + q]);
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) acc[q][v] += query * keys[v];
    }
  }
#pragma GCC unroll 16
  for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
      Store<kLanes>(scores + q * kFoldTokens + v * kLanes, acc[q][v]);
    }
  }
}

template <int kLanes, typename T, int kQueries>
void ScoreRun(const float* queries, int head_dim, const KeyValueTile* tiles, int tile_count,
              float* scores) {
  constexpr int kPass = AttentionTuning<kLanes>::kTilesPerPass;
  int tile = 0;
  for (; tile + kPass <= tile_count; tile += kPass) {
    ScoreTiles<kLanes, T, kQueries, kPass>(queries, head_dim, tiles + tile,
                                           scores + tile * kTileTokens);
  }
  for (; tile < tile_count; ++tile) {
    ScoreTiles<kLanes, T, kQueries, 1>(queries, head_dim, tiles + tile,
                                       scores + tile * kTileTokens);
  }
}

// Turns the scores of one query into weights relative to the new maximum, places from `visible` on
// and behind a tile's tokens into 0, and returns the factor for what was accumulated under the old
// maximum.
template <int kLanes>
M3_INLINE float WeighScores(int visible, const KeyValueTile* tiles, int tile_count, float* scores,
                            float* max, float* sums) {
  using F = FloatVec<kLanes>;
  using I = IntVec<kLanes>;
  constexpr float kMinusInfinity = -__builtin_inff();
  I lane;
  for (int i = 0; i < kLanes; ++i) lane[i] = i;
  constexpr int kPerTile = AttentionTuning<kLanes>::kVectorsPerTile;
  const int vectors = tile_count * kPerTile;
  F largest = Splat<kLanes>(*max);
  for (int v = 0; v < vectors; ++v) {
    F score = Load<kLanes>(scores + v * kLanes);
    const int seen = visible - v * kLanes;
    const int filled = tiles[v / kPerTile].tokens - v % kPerTile * kLanes;
    if (seen < kLanes || filled < kLanes) {
      score = lane < (seen < filled ? seen : filled) ? score : Splat<kLanes>(kMinusInfinity);
      Store<kLanes>(scores + v * kLanes, score);
    }
    largest = Max<kLanes>(score, largest);
  }
  const float new_max = MaxOfLanes<kLanes>(largest);
  for (int v = 0; v < vectors; ++v) {
    const F weight = Exp<kLanes>(Load<kLanes>(scores + v * kLanes) - new_max);
    Store<kLanes>(scores + v * kLanes, weight);
  }
  const float factor = new_max == *max ? 1.0f : Exp<kLanes>(Splat<kLanes>(*max - new_max))[0];
  for (int part = 0; part < kTileTokens; part += kLanes) {
    F sum = Load<kLanes>(sums + part) * factor;
    for (int t = 0; t < tile_count; ++t) sum += Load<kLanes>(scores + t * kTileTokens + part);
    Store<kLanes>(sums + part, sum);
  }
  *max = new_max;
  return factor;
}

// acc (kQueries, stride) = acc * factors + weights (kQueries, kFoldTokens) x values, for kVectors
// vectors of dimensions.
template <int kLanes, typename T, int kQueries, int kVectors>
M3_INLINE void AddValueColumns(const float* weights, const float* factors, int tokens, int column,
                               int stride, const KeyValueTile* tiles, float* acc) {
  using F = FloatVec<kLanes>;
  F sums[kQueries][kVectors];
#pragma GCC unroll 16
  for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
      sums[q][v] = Load<kLanes>(acc + q * stride + column + v * kLanes) * factors[q];
    }
  }
  for (int first = 0; first < tokens; first += kTileTokens) {
    const T* row = static_cast<const T*>(tiles[first / kTileTokens].values) + column;
    const int filled = first + tiles[first / kTileTokens].tokens;
    const int end = tokens < filled ? tokens : filled;
    for (int token = first; token < end; ++token, row += stride) {
      F values[kVectors];
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) values[v] = Load<kLanes>(row + v * kLanes);
#pragma GCC unroll 16
      for (int q = 0; q < kQueries; ++q) {
        const F weight = Splat<kLanes>(weights[q * kFoldTokens + token]);
#pragma GCC unroll 16
        for (int v = 0; v < kVectors; ++v) sums[q][v] += weight * values[v];
      }
    }
  }
#pragma GCC unroll 16
  for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
      Store<kLanes>(acc + q * stride + column + v * kLanes, sums[q][v]);
    }
  }
}

template <int kLanes, typename T, int kQueries>
void AddValues(const float* weights, const float* factors, int tokens, int stride,
               const KeyValueTile* tiles, float* acc) {
  constexpr int kPass = AttentionTuning<kLanes>::kValueVectors;
  int column = 0;
  for (; column + kPass * kLanes <= stride; column += kPass * kLanes) {
    AddValueColumns<kLanes, T, kQueries, kPass>(weights, factors, tokens, column, stride, tiles,
                                                acc);
  }
  for (; column < stride; column += kLanes) {
    AddValueColumns<kLanes, T, kQueries, 1>(weights, factors, tokens, column, stride, tiles, acc);
  }
}

// One group of at most kQueryGroup queries.
template <int kLanes, typename T, int kQueries>
void FoldGroup(const float* queries, int head_dim, const KeyValueTile* tiles, const int* visible,
               const AttentionState& state) {
  alignas(64) float scores[kQueries * kFoldTokens];
  int tokens = 0;
  for (int q = 0; q < kQueries; ++q) tokens = visible[q] > tokens ? visible[q] : tokens;
  if (tokens == 0) return;
  const int tile_count = (tokens + kTileTokens - 1) / kTileTokens;
  ScoreRun<kLanes, T, kQueries>(queries, head_dim, tiles, tile_count, scores);
  float factors[kQueries];
  for (int q = 0; q < kQueries; ++q) {
    factors[q] = WeighScores<kLanes>(visible[q], tiles, tile_count, scores + q * kFoldTokens,
                                     state.max + q, state.sum + q * kTileTokens);
  }
  AddValues<kLanes, T, kQueries>(scores, factors, tokens, ValueStride(head_dim), tiles, state.acc);
}

template <int kLanes, typename T>
void FoldRun(const float* queries, int count, int head_dim, const KeyValueTile* tiles,
             const int* visible, const AttentionState& state) {
  for (int first = 0; first < count; first += kQueryGroup) {
    const AttentionState group = {state.max + first, state.sum + first * kTileTokens,
                                  state.acc + int64_t{first} * ValueStride(head_dim)};
    const float* packed = queries + int64_t{first} * head_dim;
    const auto fold = [&]<int kQueries>() {
      FoldGroup<kLanes, T, kQueries>(packed, head_dim, tiles, visible + first, group);
    };
    switch (count - first) {
      case 1:
        fold.template operator()<1>();
        break;
      case 2:
        fold.template operator()<2>();
        break;
      case 3:
        fold.template operator()<3>();
        break;
      case 4:
        fold.template operator()<4>();
        break;
      case 5:
        fold.template operator()<5>();
        break;
      default:
        fold.template operator()<kQueryGroup>();
        break;
    }
  }
}

template <int kLanes>
void ResetState(int queries, int head_dim, const AttentionState& state) {
  const int stride = ValueStride(head_dim);
  const FloatVec<kLanes> zero = {};
  for (int q = 0; q < queries; ++q) state.max[q] = kNoMaximum;
  for (int i = 0; i < queries * kTileTokens; i += kLanes) Store<kLanes>(state.sum + i, zero);
  for (int i = 0; i < queries * stride; i += kLanes) Store<kLanes>(state.acc + i, zero);
}

template <int kLanes>
void FinishQuery(const AttentionState& state, int index, int head_dim, float* out) {
  float sum = 0;
  for (int i = 0; i < kTileTokens; ++i) sum += state.sum[index * kTileTokens + i];
  const float scale = 1.0f / sum;
  const float* acc = state.acc + int64_t{index} * ValueStride(head_dim);
  int d = 0;
  for (; d + kLanes <= head_dim; d += kLanes) Store<kLanes>(out + d, Load<kLanes>(acc + d) * scale);
  for (; d < head_dim; ++d) out[d] = acc[d] * scale;
}

}  // namespace memory3

#endif  // MEMORY3_ENGINE_CPU_ATTENTION_KERNEL_H_
