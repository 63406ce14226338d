// The numbers of a running softmax that all attention kernels share. Weights are powers of two:
// scores carry log2(e) in their scale, which saves a multiplication per exponential.
#ifndef MEMORY3_ENGINE_CUDA_KERNELS_SOFTMAX_NUMBERS_H_
#define MEMORY3_ENGINE_CUDA_KERNELS_SOFTMAX_NUMBERS_H_

#include <cmath>
#include <cstdint>

#include "engine/cuda/platform/kernel.h"

namespace memory3::cuda {

// The maximum over no keys, lowest finite float: exp2f(kNoMaximum - x) is 0 or 1, never NaN.
inline constexpr float kNoMaximum = -3.4028234663852886e38f;
// Of a place without a key.
inline constexpr float kNoScore = -__builtin_inff();

// log2(e) / sqrt(head_dim)
M3_DEVICE float ScoreScale(int32_t head_dim) {
  constexpr float kLog2OfE = 1.4426950408889634f;
  return kLog2OfE / sqrtf(static_cast<float>(head_dim));
}

// 2 to the power of x by the special function unit, to two units in the last place; 0 below 2^-126.
M3_DEVICE float Exp2(float x) {
#ifdef __CUDA_ARCH__
  float power;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x));
  return power;
#else
  return exp2f(x);
#endif
}

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_KERNELS_SOFTMAX_NUMBERS_H_
