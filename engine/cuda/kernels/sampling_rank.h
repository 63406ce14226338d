// How the sampling kernel compares and adds scores. Device code.
#ifndef MEMORY3_ENGINE_CUDA_KERNELS_SAMPLING_RANK_H_
#define MEMORY3_ENGINE_CUDA_KERNELS_SAMPLING_RANK_H_

#include <cstdint>

#include "engine/cuda/platform/kernel.h"

namespace memory3::cuda {

using Amount = unsigned long long;  // CUDA's atomics know this name of 64 bits only

// A score and its token as one number: the larger the better, ties to the lower id.
using Rank = unsigned long long;

M3_DEVICE float LargestFloat() { return __uint_as_float(0x7F7FFFFFu); }
M3_DEVICE float MinusInfinity() { return __uint_as_float(0xFF800000u); }

// NaN becomes -infinity, +infinity the largest float.
M3_DEVICE float Finite(float score) {
  return score == score ? fminf(score, LargestFloat()) : MinusInfinity();
}

// Orders as the scores do; -0 is 0.
M3_DEVICE uint32_t KeyOf(float score) {
  constexpr uint32_t kSign = 0x80000000u;
  const uint32_t bits = __float_as_uint(score);
  if (bits == kSign) return kSign;
  return (bits & kSign) != 0 ? ~bits : bits | kSign;
}
M3_DEVICE float ScoreOf(uint32_t key) {
  constexpr uint32_t kSign = 0x80000000u;
  return __uint_as_float((key & kSign) != 0 ? key & ~kSign : ~key);
}

M3_DEVICE Rank RankOf(float score, int32_t token) {
  return Rank{KeyOf(score)} << 32 | ~static_cast<uint32_t>(token);
}
M3_DEVICE int32_t TokenOfRank(Rank rank) {
  return static_cast<int32_t>(~static_cast<uint32_t>(rank));
}
M3_DEVICE float ScoreOfRank(Rank rank) { return ScoreOf(static_cast<uint32_t>(rank >> 32)); }

// Weights lie in [0, 1]; 2^18 of them fit into 63 bits.
inline constexpr double kWeightOne = 17592186044416.0;  // 2^44
M3_DEVICE Amount FixedPoint(float weight) {
  return static_cast<Amount>(weight * static_cast<float>(kWeightOne));
}

// e^x for x <= 0, step by step as Exp of engine/base/vector_math.h and therefore equal to it: no
// multiplication and addition are contracted.
M3_DEVICE float ExpOfNonPositive(float x) {
  constexpr float kLowest = -87.0f;
  constexpr float kLog2E = 1.44269504088896341f;
  constexpr float kLn2High = 0.693359375f;
  constexpr float kLn2Low = -2.12194440e-4f;
  constexpr float kRound = 12582912.0f;
  constexpr uint32_t kRoundBits = 0x4B400000u;
  constexpr uint32_t kBias = 127;
  if (x < kLowest) return 0;
  const float rounded = __fadd_rn(__fmul_rn(x, kLog2E), kRound);
  const float n = rounded - kRound;
  const float r = __fadd_rn(__fadd_rn(x, -__fmul_rn(n, kLn2High)), -__fmul_rn(n, kLn2Low));
  float p = __fadd_rn(__fmul_rn(r, 1.9875691500e-4f), 1.3981999507e-3f);
  p = __fadd_rn(__fmul_rn(p, r), 8.3334519073e-3f);
  p = __fadd_rn(__fmul_rn(p, r), 4.1665795894e-2f);
  p = __fadd_rn(__fmul_rn(p, r), 1.6666665459e-1f);
  p = __fadd_rn(__fmul_rn(p, r), 5.0000001201e-1f);
  p = __fadd_rn(__fadd_rn(__fmul_rn(p, __fmul_rn(r, r)), r), 1.0f);
  return p * __uint_as_float((__float_as_uint(rounded) - kRoundBits + kBias) << 23);
}

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_KERNELS_SAMPLING_RANK_H_
