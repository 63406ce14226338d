// Passes over a vocabulary by one block of kSamplingThreads threads, and the reductions, scans and
// searches between them. Device code; every function is called by all threads of the block and ends
// with a barrier or has none.
#ifndef MEMORY3_ENGINE_CUDA_KERNELS_SAMPLING_BLOCK_H_
#define MEMORY3_ENGINE_CUDA_KERNELS_SAMPLING_BLOCK_H_

#include <cstdint>

#include "engine/cuda/kernels/sampling_rank.h"
#include "engine/cuda/platform/kernel.h"
#include "engine/cuda/platform/pack.h"

namespace memory3::cuda {

inline constexpr int kSamplingThreads = 1024;
inline constexpr int kSamplingWarps = kSamplingThreads / kWarpSize;
inline constexpr int kSamplingBins = kSamplingThreads;  // a thread holds one in scans
inline constexpr int kListedRanks = 2 * kSamplingThreads;

// A place in a running sum.
struct Place {
  int32_t index = 0;
  Amount before = 0;
};

// The block's shared memory.
struct SamplingScratch {
  Amount bins[kSamplingBins];
  Rank list[kListedRanks];
  Amount warp_values[kSamplingWarps];
  Amount segment_sums[kSamplingWarps];
  Place found;
  int32_t found_token;
  int32_t listed;
};

// The scores of four tokens from `token` on, finite; beyond the vocabulary -infinity.
M3_DEVICE Pack<float, kRowPack> LoadScores(const float* scores, int32_t vocab, int32_t token) {
  Pack<float, kRowPack> pack;
  if (vocab % kRowPack == 0) {
    pack = LoadPack<kRowPack>(scores + token);
  } else {
    M3_UNROLL
    for (int j = 0; j < kRowPack; ++j) {
      pack.values[j] = token + j < vocab ? scores[token + j] : MinusInfinity();
    }
  }
  M3_UNROLL
  for (float& value : pack.values) value = Finite(value);
  return pack;
}

// A warp's share of the vocabulary, in ascending order of ids and warps.
inline constexpr int32_t kWarpTokens = kWarpSize * kRowPack;
struct Segment {
  int32_t begin;
  int32_t end;
};
M3_DEVICE Segment SegmentOf(int warp, int32_t vocab) {
  constexpr int32_t kRound = kSamplingWarps * kWarpTokens;
  const int32_t size = (vocab + kRound - 1) / kRound * kWarpTokens;
  const int32_t begin = warp * size < vocab ? warp * size : vocab;
  return {begin, begin + size < vocab ? begin + size : vocab};
}

// f(token, score) for every token, each by one thread, always the same.
template <typename F>
M3_DEVICE void ForTokens(const float* scores, int32_t vocab, F f) {
  const Segment segment = SegmentOf(Warp(), vocab);
  int32_t token = segment.begin + Lane() * kRowPack;
  if (token >= segment.end) return;
  Pack<float, kRowPack> pack = LoadScores(scores, vocab, token);
  while (token < segment.end) {
    const int32_t next = token + kWarpTokens;
    Pack<float, kRowPack> next_pack = {};
    if (next < segment.end) next_pack = LoadScores(scores, vocab, next);
    M3_UNROLL
    for (int j = 0; j < kRowPack; ++j) {
      if (token + j < segment.end) f(token + j, pack.values[j]);
    }
    pack = next_pack;
    token = next;
  }
}

// `combine` is associative and commutative; all threads get the result.
template <typename T, typename Combine>
M3_DEVICE T WarpReduce(T value, Combine combine) {
  M3_UNROLL
  for (int offset = kWarpSize / 2; offset > 0; offset /= 2) {
    value = combine(value, __shfl_xor_sync(kFullWarp, value, offset));
  }
  return value;
}
M3_DEVICE Amount BlockLargest(Amount value, SamplingScratch& scratch) {
  const auto larger = [](Amount a, Amount b) { return a > b ? a : b; };
  value = WarpReduce(value, larger);
  if (Lane() == 0) scratch.warp_values[Warp()] = value;
  __syncthreads();
  value = WarpReduce(scratch.warp_values[Lane()], larger);
  __syncthreads();
  return value;
}

// Sum over the lanes up to this one.
M3_DEVICE Amount WarpRunningSum(Amount value) {
  M3_UNROLL
  for (int offset = 1; offset < kWarpSize; offset *= 2) {
    const Amount below = __shfl_up_sync(kFullWarp, value, offset);
    if (Lane() >= offset) value += below;
  }
  return value;
}

// The thread at which the running sum of `mine` exceeds `target`, and the sum before it. The sum of
// all is above `target`.
M3_DEVICE Place FindPlace(Amount mine, Amount target, SamplingScratch& scratch) {
  Amount sum = WarpRunningSum(mine);
  if (Lane() == kWarpSize - 1) scratch.warp_values[Warp()] = sum;
  __syncthreads();
  for (int warp = 0; warp < Warp(); ++warp) sum += scratch.warp_values[warp];
  if (sum > target && sum - mine <= target) {
    scratch.found = {static_cast<int32_t>(threadIdx.x), sum - mine};
  }
  __syncthreads();
  const Place found = scratch.found;
  __syncthreads();
  return found;
}

// Sum of amount_of(token, score) over all tokens; leaves the segments' sums for FindToken.
template <typename AmountOf>
M3_DEVICE Amount SumSegments(const float* scores, int32_t vocab, SamplingScratch& scratch,
                             AmountOf amount_of) {
  Amount mine = 0;
  ForTokens(scores, vocab, [&](int32_t token, float score) { mine += amount_of(token, score); });
  mine = WarpReduce(mine, [](Amount a, Amount b) { return a + b; });
  if (Lane() == 0) scratch.segment_sums[Warp()] = mine;
  __syncthreads();
  mine = WarpReduce(scratch.segment_sums[Lane()], [](Amount a, Amount b) { return a + b; });
  __syncthreads();
  return mine;
}

// The first token in ascending order at which the running sum of amounts exceeds `target`. After
// SumSegments of the same amounts, whose sum is above `target`.
template <typename AmountOf>
M3_DEVICE int32_t FindToken(const float* scores, int32_t vocab, Amount target,
                            SamplingScratch& scratch, AmountOf amount_of) {
  int warp = 0;
  while (warp + 1 < kSamplingWarps && scratch.segment_sums[warp] <= target) {
    target -= scratch.segment_sums[warp++];
  }
  if (Warp() == warp) {
    const Segment segment = SegmentOf(warp, vocab);
    for (int32_t base = segment.begin; base < segment.end; base += kWarpTokens) {
      const int32_t token = base + Lane() * kRowPack;
      Amount amounts[kRowPack] = {};
      Amount mine = 0;
      if (token < segment.end) {
        const Pack<float, kRowPack> pack = LoadScores(scores, vocab, token);
        M3_UNROLL
        for (int j = 0; j < kRowPack; ++j) {
          if (token + j < segment.end) amounts[j] = amount_of(token + j, pack.values[j]);
          mine += amounts[j];
        }
      }
      Amount sum = WarpRunningSum(mine) - mine;
      M3_UNROLL
      for (int j = 0; j < kRowPack; ++j) {
        if (sum <= target && sum + amounts[j] > target) scratch.found_token = token + j;
        sum += amounts[j];
      }
      const Amount all = __shfl_sync(kFullWarp, sum, kWarpSize - 1);
      if (all > target) break;
      target -= all;
    }
  }
  __syncthreads();
  const int32_t found = scratch.found_token;
  __syncthreads();
  return found;
}

// Sorts the first `count` ranks of the list, best first. Starts with a barrier.
M3_DEVICE void SortList(int32_t count, SamplingScratch& scratch) {
  Rank* list = scratch.list;
  int32_t size = 2;
  while (size < count) size *= 2;
  for (int32_t i = count + static_cast<int32_t>(threadIdx.x); i < size; i += kSamplingThreads) {
    list[i] = 0;
  }
  __syncthreads();
  for (int32_t run = 2; run <= size; run *= 2) {
    for (int32_t step = run / 2; step > 0; step /= 2) {
      for (auto i = static_cast<int32_t>(threadIdx.x); i < size / 2; i += kSamplingThreads) {
        const int32_t low = 2 * i - (i & (step - 1));
        const Rank a = list[low];
        const Rank b = list[low + step];
        const bool best_first = (low & run) == 0;
        if ((a < b) == best_first) {
          list[low] = b;
          list[low + step] = a;
        }
      }
      __syncthreads();
    }
  }
}

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_KERNELS_SAMPLING_BLOCK_H_
