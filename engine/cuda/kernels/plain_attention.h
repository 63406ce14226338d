// Attention of one row in one KV head, in float and in simple loops: for parity in f32 and for
// heads that tensor cores do not take. Device code.
//
// A block of kPlainThreads keeps the running softmax of the group's query heads in shared memory
// and folds up to kPlainPlaces keys at a time into it.
#ifndef MEMORY3_ENGINE_CUDA_KERNELS_PLAIN_ATTENTION_H_
#define MEMORY3_ENGINE_CUDA_KERNELS_PLAIN_ATTENTION_H_

#include <cstdint>

#include "engine/cuda/kernels/decode_states.h"
#include "engine/cuda/kernels/row_keys.h"
#include "engine/cuda/kernels/softmax_numbers.h"

namespace memory3::cuda {

inline constexpr int kPlainThreads = 256;
inline constexpr int kPlainPlaces = 128;

// In shared memory. Maxima are of log2-scaled scores (softmax_numbers.h).
struct PlainState {
  int32_t group;
  int32_t head_dim;
  float* queries;  // (group, head_dim), scaled
  float* acc;      // (group, head_dim): sum of weights times values
  float* scores;   // (group, kPlainPlaces), then weights
  float* max;      // (group)
  float* sum;      // (group): of weights
  float* factor;   // (group): of what was summed under the maximum before

  static M3_HOST_DEVICE int64_t Floats(int32_t group, int32_t head_dim) {
    return int64_t{group} * (2 * head_dim + kPlainPlaces + 3);
  }
  M3_DEVICE PlainState(int32_t group_heads, int32_t dim, float* shared)
      : group(group_heads),
        head_dim(dim),
        queries(shared),
        acc(queries + group * head_dim),
        scores(acc + group * head_dim),
        max(scores + group * kPlainPlaces),
        sum(max + group),
        factor(sum + group) {}
};

// `queries`: (group, head_dim) of the row. A barrier follows before the first fold.
template <typename T>
M3_DEVICE void LoadQueries(const T* queries, const PlainState& state) {
  const float scale = ScoreScale(state.head_dim);
  for (int32_t i = static_cast<int32_t>(threadIdx.x); i < state.group * state.head_dim;
       i += kPlainThreads) {
    state.queries[i] = ToFloat(queries[i]) * scale;
  }
}

// Begins an empty softmax; after a barrier, before a barrier.
M3_DEVICE void Reset(const PlainState& state) {
  for (int32_t i = static_cast<int32_t>(threadIdx.x); i < state.group * state.head_dim;
       i += kPlainThreads) {
    state.acc[i] = 0;
  }
  for (int32_t i = static_cast<int32_t>(threadIdx.x); i < state.group; i += kPlainThreads) {
    state.max[i] = kNoMaximum;
    state.sum[i] = 0;
  }
}

// Scores of the keys at hand to weights, maximum and sum brought up to date: a warp per head.
M3_DEVICE void WeighScores(const PlainState& state, int32_t count) {
  for (int32_t head = Warp(); head < state.group; head += kPlainThreads / kWarpSize) {
    float* scores = state.scores + head * kPlainPlaces;
    // Of lane 0, which replaces it: no other lane reads what it writes.
    const float old_max = Lane() == 0 ? state.max[head] : kNoMaximum;
    float max = old_max;
    for (int32_t i = Lane(); i < count; i += kWarpSize) max = fmaxf(max, scores[i]);
    max = WarpMax(max);
    float sum = 0;
    for (int32_t i = Lane(); i < count; i += kWarpSize) {
      scores[i] = exp2f(scores[i] - max);
      sum += scores[i];
    }
    sum = WarpSum(sum);
    if (Lane() == 0) {
      const float factor = exp2f(old_max - max);
      state.max[head] = max;
      state.sum[head] = state.sum[head] * factor + sum;
      state.factor[head] = factor;
    }
  }
}

// Folds `count` keys, at most kPlainPlaces, into the softmax; locate(i) is the KeyValue of key i.
// Begins and ends with a barrier.
template <typename T, typename Locate>
M3_DEVICE void Fold(const PlainState& state, int32_t count, Locate locate) {
  __syncthreads();
  for (int32_t i = static_cast<int32_t>(threadIdx.x); i < count * state.group; i += kPlainThreads) {
    const int32_t head = i % state.group;
    const T* key = locate(i / state.group).key;
    float score = kNoScore;
    if (key != nullptr) {
      const float* query = state.queries + head * state.head_dim;
      score = 0;
      for (int32_t d = 0; d < state.head_dim; ++d) score += query[d] * ToFloat(key[d]);
    }
    state.scores[head * kPlainPlaces + i / state.group] = score;
  }
  __syncthreads();
  WeighScores(state, count);
  __syncthreads();
  for (int32_t i = static_cast<int32_t>(threadIdx.x); i < state.group * state.head_dim;
       i += kPlainThreads) {
    const int32_t head = i / state.head_dim;
    float acc = state.acc[i] * state.factor[head];
    for (int32_t place = 0; place < count; ++place) {
      const T* value = locate(place).value;
      if (value == nullptr) continue;
      acc += state.scores[head * kPlainPlaces + place] * ToFloat(value[i % state.head_dim]);
    }
    state.acc[i] = acc;
  }
  __syncthreads();
}

template <typename T>
M3_DEVICE void FoldMemory(const PlainState& state, const RowKeys<T>& keys) {
  for (int32_t begin = 0; begin < keys.memory_places(); begin += kPlainPlaces) {
    const int32_t left = keys.memory_places() - begin;
    Fold<T>(state, left < kPlainPlaces ? left : kPlainPlaces,
            [&](int32_t i) { return keys.Memory(begin + i); });
  }
}

template <typename T>
M3_DEVICE void FoldContext(const PlainState& state, const RowKeys<T>& keys, int32_t begin,
                           int32_t end) {
  for (; begin < end; begin += kPlainPlaces) {
    const int32_t left = end - begin;
    Fold<T>(state, left < kPlainPlaces ? left : kPlainPlaces,
            [&](int32_t i) { return keys.Context(begin + i); });
  }
}

M3_DEVICE void StoreState(const PlainState& state, const DecodeStates& all, float* to) {
  for (int32_t i = static_cast<int32_t>(threadIdx.x); i < state.group * state.head_dim;
       i += kPlainThreads) {
    to[i] = state.acc[i];
  }
  for (int32_t i = static_cast<int32_t>(threadIdx.x); i < state.group; i += kPlainThreads) {
    const DecodeHead head(all, to, i);
    *head.max = state.max[i];
    *head.sum = state.sum[i];
  }
}

// `out`: (group, head_dim) of the row.
template <typename T>
M3_DEVICE void StoreResult(const PlainState& state, T* out) {
  for (int32_t i = static_cast<int32_t>(threadIdx.x); i < state.group * state.head_dim;
       i += kPlainThreads) {
    out[i] = FromFloat<T>(state.acc[i] / state.sum[i / state.head_dim]);
  }
}

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_KERNELS_PLAIN_ATTENTION_H_
