// What the parts of a decode row leave behind for their merge (flash-decoding): a softmax state per
// row, KV head and part in the scratch, and a count of the blocks that have left theirs. The block
// that comes last merges all parts in their order: no second launch, and bits that do not depend on
// who came last. Device code, but for the layout.
#ifndef MEMORY3_ENGINE_CUDA_KERNELS_DECODE_STATES_H_
#define MEMORY3_ENGINE_CUDA_KERNELS_DECODE_STATES_H_

#include <cstdint>

#include "engine/cuda/kernels/attention.h"
#include "engine/cuda/kernels/softmax_numbers.h"
#include "engine/cuda/platform/kernel.h"

namespace memory3::cuda {

// Rows that share one launch; the counts lie before the states, whatever the rows of a call.
inline constexpr int32_t kMaxDecodeRows = 1024;

// A state: (group, head_dim) sums of weights times values, (group) maxima, (group) sums of weights.
struct DecodeStates {
  int32_t* arrivals = nullptr;  // (kMaxDecodeRows, kv_heads): zeros between launches
  float* states = nullptr;      // (rows, kv_heads, parts, state_floats)
  int32_t kv_heads = 0;
  int32_t group = 0;
  int32_t head_dim = 0;
  int32_t parts = 0;  // that a row has at most

  static M3_HOST_DEVICE int32_t PartsOf(int32_t context) {
    return (context + kDecodePartTokens - 1) / kDecodePartTokens;
  }
  M3_HOST_DEVICE int32_t state_floats() const { return group * (head_dim + 2); }
  M3_HOST_DEVICE float* state(int32_t row, int32_t kv_head, int32_t part) const {
    return states + ((int64_t{row} * kv_heads + kv_head) * parts + part) * state_floats();
  }
};

// Of one head of a state.
struct DecodeHead {
  float* acc;  // (head_dim)
  float* max;
  float* sum;

  M3_DEVICE DecodeHead(const DecodeStates& all, float* state, int32_t head)
      : acc(state + head * all.head_dim),
        max(state + all.group * all.head_dim + head),
        sum(max + all.group) {}
};

// Called by all threads when the block's states are written. Whether it is the last of `blocks` to
// come; then all states of the others can be read. `flag`: of shared memory.
M3_DEVICE bool ArriveLast(int32_t* arrivals, int32_t blocks, int32_t* flag) {
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    const bool last = atomicAdd(arrivals, 1) == blocks - 1;
    if (last) *arrivals = 0;
    *flag = last ? 1 : 0;
    __threadfence();
  }
  __syncthreads();
  return *flag != 0;
}

// One output element of a row from the states of its parts.
M3_DEVICE float MergeParts(const DecodeStates& all, int32_t row, int32_t kv_head, int32_t parts,
                           int32_t head, int32_t d) {
  // States were written by other blocks: past the first-level cache, which may hold what lay there.
  float max = kNoMaximum;
  for (int32_t part = 0; part < parts; ++part) {
    max = fmaxf(max, __ldcg(DecodeHead(all, all.state(row, kv_head, part), head).max));
  }
  float acc = 0;
  float sum = 0;
  M3_UNROLL_BY(8)
  for (int32_t part = 0; part < parts; ++part) {
    const DecodeHead state(all, all.state(row, kv_head, part), head);
    const float factor = Exp2(__ldcg(state.max) - max);
    acc += factor * __ldcg(state.acc + d);
    sum += factor * __ldcg(state.sum);
  }
  return acc / sum;
}

// `out`: (group, head_dim) of the row.
template <typename T>
M3_DEVICE void StoreMerged(const DecodeStates& all, int32_t row, int32_t kv_head, int32_t parts,
                           T* out) {
  for (int32_t i = static_cast<int32_t>(threadIdx.x); i < all.group * all.head_dim;
       i += static_cast<int32_t>(blockDim.x)) {
    const int32_t head = i / all.head_dim;
    out[i] = FromFloat<T>(MergeParts(all, row, kv_head, parts, head, i - head * all.head_dim));
  }
}

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_KERNELS_DECODE_STATES_H_
