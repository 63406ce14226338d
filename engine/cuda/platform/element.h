// The element types of weights, activations and KV cache: float (parity) and BFloat16 (serving),
// with conversions that round equally on host and device.
#ifndef MEMORY3_ENGINE_CUDA_PLATFORM_ELEMENT_H_
#define MEMORY3_ENGINE_CUDA_PLATFORM_ELEMENT_H_

#include <cstdint>

#ifdef __CUDACC__
#include <cuda_bf16.h>
#define M3_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define M3_HOST_DEVICE inline
#endif

#include "engine/base/bfloat16.h"

namespace memory3::cuda {

struct BFloat16 {
  uint16_t bits;
};
static_assert(sizeof(BFloat16) == 2);

M3_HOST_DEVICE float ToFloat(float value) { return value; }
M3_HOST_DEVICE float ToFloat(BFloat16 value) {
#ifdef __CUDA_ARCH__
  return __uint_as_float(static_cast<uint32_t>(value.bits) << 16);
#else
  return FromBfloat16(value.bits);
#endif
}

// Round to nearest, ties to even.
template <typename T>
M3_HOST_DEVICE T FromFloat(float value);
template <>
M3_HOST_DEVICE float FromFloat<float>(float value) {
  return value;
}
template <>
M3_HOST_DEVICE BFloat16 FromFloat<BFloat16>(float value) {
#ifdef __CUDA_ARCH__
  return {__bfloat16_as_ushort(__float2bfloat16_rn(value))};
#else
  return {ToBfloat16(value)};
#endif
}

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_PLATFORM_ELEMENT_H_
