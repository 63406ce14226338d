// The worst token of a set of best ones, found without sorting the vocabulary: top-k, where every
// token counts 1, and top-p, where it counts what it weighs. Device code.
#ifndef MEMORY3_ENGINE_CUDA_KERNELS_SAMPLING_BOUNDARY_H_
#define MEMORY3_ENGINE_CUDA_KERNELS_SAMPLING_BOUNDARY_H_

#include <cstdint>

#include "engine/cuda/kernels/sampling_block.h"

namespace memory3::cuda {

// The keys of the tokens that may be the boundary.
struct BoundaryLevel {
  int32_t tokens = 0;
  uint32_t low = 0;
  uint32_t high = 0;
};

// One level: amounts per bin (best first), the bin where the running sum exceeds *target, and the
// tokens of that bin, listed as far as the list reaches. bin_of(score) ascends as scores descend;
// negative: no part in this level.
template <typename AmountOf, typename BinOf>
M3_DEVICE BoundaryLevel Descend(const float* scores, int32_t vocab, Amount* target,
                                SamplingScratch& scratch, AmountOf amount_of, BinOf bin_of) {
  scratch.bins[threadIdx.x] = 0;
  if (threadIdx.x == 0) scratch.listed = 0;
  __syncthreads();
  Amount rest = 0;  // the last bin takes the bulk of a vocabulary: not by atomics
  ForTokens(scores, vocab, [&](int32_t token, float score) {
    const Amount amount = amount_of(score);
    const int bin = amount == 0 ? -1 : bin_of(score);
    if (bin == kSamplingBins - 1) rest += amount;
    if (bin >= 0 && bin < kSamplingBins - 1) atomicAdd(&scratch.bins[bin], amount);
  });
  if (rest > 0) atomicAdd(&scratch.bins[kSamplingBins - 1], rest);
  __syncthreads();
  const Place place = FindPlace(scratch.bins[threadIdx.x], *target, scratch);
  *target -= place.before;
  uint32_t low = 0xFFFFFFFFu;
  uint32_t high = 0;
  ForTokens(scores, vocab, [&](int32_t token, float score) {
    if (amount_of(score) == 0 || bin_of(score) != place.index) return;
    const uint32_t key = KeyOf(score);
    low = key < low ? key : low;
    high = key > high ? key : high;
    const int32_t at = atomicAdd(&scratch.listed, 1);
    if (at < kListedRanks) scratch.list[at] = RankOf(score, token);
  });
  __syncthreads();
  const int32_t tokens = scratch.listed;
  low = ~static_cast<uint32_t>(BlockLargest(~low, scratch));
  high = static_cast<uint32_t>(BlockLargest(high, scratch));
  return {tokens, low, high};
}

// The rank at which the running sum of amounts, best first, exceeds `target`. amount_of(score) is
// the same for equal scores; tokens with amount 0 take no part; the sum of all is above `target`.
// first_bin: as Descend's bin_of, chosen so that tokens near the boundary spread over many bins.
template <typename AmountOf, typename FirstBin>
M3_DEVICE Rank FindBoundary(const float* scores, int32_t vocab, Amount target,
                            SamplingScratch& scratch, AmountOf amount_of, FirstBin first_bin) {
  constexpr int kBinBits = 10;
  static_assert(1 << kBinBits == kSamplingBins);
  BoundaryLevel level = Descend(scores, vocab, &target, scratch, amount_of, first_bin);
  while (level.tokens > kListedRanks && level.low < level.high) {
    const uint32_t low = level.low;
    const uint32_t high = level.high;
    const int span_bits = 32 - __clz(high - low);
    const int shift = span_bits > kBinBits ? span_bits - kBinBits : 0;
    level = Descend(scores, vocab, &target, scratch, amount_of, [=](float score) {
      const uint32_t key = KeyOf(score);
      return key < low || key > high ? -1 : static_cast<int>((high - key) >> shift);
    });
  }
  if (level.tokens > kListedRanks) {  // all of one score: the lower ids first
    const float score = ScoreOf(level.high);
    const auto tied = [=](int32_t token, float other) { return Amount{other == score ? 1u : 0u}; };
    SumSegments(scores, vocab, scratch, tied);
    const Amount index = target / amount_of(score);
    return RankOf(score, FindToken(scores, vocab, index, scratch, tied));
  }
  SortList(level.tokens, scratch);
  const auto amount_at = [&](int32_t i) {
    return i < level.tokens ? amount_of(ScoreOfRank(scratch.list[i])) : Amount{0};
  };
  const auto first = 2 * static_cast<int32_t>(threadIdx.x);
  const Place place = FindPlace(amount_at(first) + amount_at(first + 1), target, scratch);
  const int32_t at = 2 * place.index;
  const Rank rank = scratch.list[place.before + amount_at(at) > target ? at : at + 1];
  __syncthreads();
  return rank;
}

// first_bin for scores of any scale: how far below the best, 32 bins per power of two.
M3_DEVICE int BinOfDistance(float best, float score) {
  constexpr int kShift = 18;
  constexpr int kFirst = (127 - 16) << 5;  // distances up to 2^-16 share a bin
  const int bin = static_cast<int>(__float_as_uint(best - score) >> kShift) - kFirst;
  return bin < 0 ? 0 : bin < kSamplingBins ? bin : kSamplingBins - 1;
}

// first_bin for weights in (0, 1]: 32 bins per power of two.
M3_DEVICE int BinOfWeight(float weight) {
  constexpr int kShift = 18;
  constexpr uint32_t kOne = 0x3F800000u;
  const uint32_t bin = (kOne - __float_as_uint(weight)) >> kShift;
  return bin < kSamplingBins ? static_cast<int>(bin) : kSamplingBins - 1;
}

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_KERNELS_SAMPLING_BOUNDARY_H_
