// The row-wise and attention kernels of the CPU runner, compiled once per instruction set and
// chosen at run time. Matrix products are in matmul.h.
//
//   const CpuKernels& kernels = KernelsFor(BestIsa());
//   kernels.rms_norm(x, weight, hidden, eps, out);
//
// Every kernel computes one row (or one query) in an order that depends on nothing but its own
// shape: results are the same bits whatever the batch. Thread safety: pure functions.
#ifndef MEMORY3_ENGINE_CPU_KERNELS_H_
#define MEMORY3_ENGINE_CPU_KERNELS_H_

#include <cstdint>

#include "engine/cpu/matmul.h"

namespace memory3 {

// Keys and values come in tiles of 16 tokens of one KV head, in the dtype of the cache:
//   keys   (head_dim, 16): one dimension of 16 tokens is one load, so that scores of 16 tokens are
//                          computed in the lanes of a vector, for any head_dim;
//   values (16, value_stride): a token's value, zero-padded to a multiple of 16.
inline constexpr int kTileTokens = 16;
inline constexpr int ValueStride(int head_dim) { return (head_dim + 15) / 16 * 16; }

struct KeyValueTile {
  const void* keys;
  const void* values;
  int tokens = kTileTokens;  // the first so many count; the others are in nobody's softmax
};

// Tiles folded in one step. A step rescales what was accumulated before, so a row's bits depend on
// where steps begin: at multiples of kFoldTokens of the position, never at the borders of a batch.
inline constexpr int kFoldTiles = 4;
inline constexpr int kFoldTokens = kFoldTiles * kTileTokens;

// Queries that share keys (the query heads of one KV head, over a few rows) and go through the
// kernel together.
inline constexpr int kQueryBlock = 24;
// Queries per pass of the inner kernel, and the interleave of packed queries.
inline constexpr int kQueryGroup = 6;

// The running softmax of up to kQueryBlock queries over all keys folded so far: output = acc / sum.
// A log-sum-exp state: parts that follow one another (prefix, memories, context) are folded in one
// after the other. Floats; the arrays belong to the caller.
struct AttentionState {
  float* max;  // (kQueryBlock)
  float* sum;  // (kQueryBlock, 16): partial sums by token modulo 16
  float* acc;  // (kQueryBlock, value_stride)
};

struct CpuKernels {
  // out = x / rms(x) * weight; `out` may be x.
  void (*rms_norm)(const float* x, const float* weight, int64_t size, float eps, float* out);
  // out = silu(gate) * up.
  void (*swiglu)(const float* gate, const float* up, int64_t size, float* out);
  // Rotary embedding of one head: out[i], out[i + half] from x[i], x[i + half], times `scale`.
  // `out` may be x.
  void (*rotate)(const float* x, const float* cosines, const float* sines, int half, float scale,
                 float* out);
  void (*reset_state)(int queries, int head_dim, const AttentionState& state);
  // Folds one run of at most kFoldTokens consecutive tokens into the state. queries: packed by
  // PackQuery; tiles: enough for the largest `visible`; visible[i]: the first so many places of the
  // run (16 a tile, full or not) are seen by query i (0: none).
  // Tokens beyond a query's own `visible` but within another's must hold finite numbers.
  void (*fold_f32)(const float* queries, int count, int head_dim, const KeyValueTile* tiles,
                   const int* visible, const AttentionState& state);
  void (*fold_bf16)(const float* queries, int count, int head_dim, const KeyValueTile* tiles,
                    const int* visible, const AttentionState& state);
  // The softmax-weighted mean of query `index`: head_dim floats.
  void (*finish)(const AttentionState& state, int index, int head_dim, float* out);

  // Token selection. `tokens` is a multiple of kTileTokens.
  // scores (tokens) = scale * query . keys, with keys (head_dim, tokens).
  void (*score_keys)(const float* query, const float* keys, int head_dim, int tokens, float scale,
                     float* scores);
  // weights[t] += softmax(scores)[t]; -infinity weighs nothing, not all are. Overwrites the scores.
  void (*add_softmax)(float* scores, int tokens, double* weights);
  // sums[t] += exp(scores[t] - largest[t]), where no score is above its largest. Overwrites the
  // scores.
  void (*add_exponentials)(float* scores, const float* largest, int tokens, double* sums);
};

// Packed queries: (ceil(count / kQueryGroup), head_dim, kQueryGroup).
inline int64_t PackedQueryFloats(int head_dim) {
  return int64_t{(kQueryBlock + kQueryGroup - 1) / kQueryGroup} * kQueryGroup * head_dim;
}
void PackQuery(const float* query, int index, int head_dim, float* packed);

// The best kernels for `isa`; the instruction set must be supported.
const CpuKernels& KernelsFor(CpuIsa isa);

// One table per translation unit; use KernelsFor.
extern const CpuKernels kPortableKernels;
#if defined(__x86_64__)
extern const CpuKernels kAvx2Kernels;
extern const CpuKernels kAvx512Kernels;
#endif

}  // namespace memory3

#endif  // MEMORY3_ENGINE_CPU_KERNELS_H_
