// The vocabulary of kernel code. It is CUDA's own (threadIdx, __syncthreads, __shfl_xor_sync ...):
// compiled by nvcc these are the compiler's, compiled by the host compiler they are the executor's
// (host/device_vocabulary.h), which runs every thread of a block as a fiber. What CUDA has as
// syntax has a macro or a function here:
//
//   M3_KERNEL               __global__            M3_DEVICE   __device__ __forceinline__
//   M3_LAUNCH_BOUNDS(n)     __launch_bounds__(n)  M3_UNROLL   #pragma unroll
//                                                 M3_UNROLL_BY(n)  #pragma unroll n
//   SharedMemory<T>()       the block's dynamic shared memory (there is no static one)
//   WaitForPreviousKernel()  until all kernels before this one have ended and their writes are
//                            seen; in kernels that are launched with LaunchShape::overlaps
//   LetNextKernelStart()     such a kernel behind this one may begin once all blocks have called
//                            this; it promises nothing about what was written
//
// A kernel file includes this, tensor_core.h where it needs tiles, and launch.h for its launcher.
#ifndef MEMORY3_ENGINE_CUDA_PLATFORM_KERNEL_H_
#define MEMORY3_ENGINE_CUDA_PLATFORM_KERNEL_H_

#include <cmath>
#include <cstdint>

#include "engine/cuda/platform/element.h"

#ifdef __CUDACC__

#define M3_KERNEL __global__
#define M3_DEVICE __device__ __forceinline__
#define M3_LAUNCH_BOUNDS(threads) __launch_bounds__(threads)
#define M3_UNROLL _Pragma("unroll")
#define M3_UNROLL_BY(times) M3_PRAGMA(unroll times)
#define M3_PRAGMA(text) _Pragma(#text)

namespace memory3::cuda {

template <typename T>
__device__ __forceinline__ T* SharedMemory() {
  extern __shared__ __align__(128) unsigned char m3_shared_memory[];
  return reinterpret_cast<T*>(m3_shared_memory);
}

__device__ __forceinline__ void WaitForPreviousKernel() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;\n" ::: "memory");
#endif
}

__device__ __forceinline__ void LetNextKernelStart() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;\n" ::: "memory");
#endif
}

}  // namespace memory3::cuda

#else

#include "engine/cuda/host/device_vocabulary.h"

#define M3_KERNEL
#define M3_DEVICE inline
#define M3_LAUNCH_BOUNDS(threads)
#define M3_UNROLL
#define M3_UNROLL_BY(times)

#endif

namespace memory3::cuda {

inline constexpr int kWarpSize = 32;
inline constexpr uint32_t kFullWarp = 0xFFFFFFFFu;

M3_DEVICE int Lane() { return static_cast<int>(threadIdx.x) % kWarpSize; }
M3_DEVICE int Warp() { return static_cast<int>(threadIdx.x) / kWarpSize; }

// Over the 32 lanes of a warp, in an order that is the same for every call; all lanes get the
// result.
M3_DEVICE float WarpSum(float value) {
  M3_UNROLL
  for (int offset = kWarpSize / 2; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(kFullWarp, value, offset);
  }
  return value;
}

M3_DEVICE float WarpMax(float value) {
  M3_UNROLL
  for (int offset = kWarpSize / 2; offset > 0; offset /= 2) {
    value = fmaxf(value, __shfl_xor_sync(kFullWarp, value, offset));
  }
  return value;
}

// Over all threads of a block of a multiple of 32; all threads get the result. `scratch`: one float
// of shared memory per warp. Begins and ends with a barrier, so scratch may be used again at once.
M3_DEVICE float BlockSum(float value, float* scratch) {
  value = WarpSum(value);
  __syncthreads();
  if (Lane() == 0) scratch[Warp()] = value;
  __syncthreads();
  float sum = 0;
  const int warps = static_cast<int>(blockDim.x) / kWarpSize;
  for (int warp = 0; warp < warps; ++warp) sum += scratch[warp];
  __syncthreads();
  return sum;
}

M3_DEVICE float BlockMax(float value, float* scratch) {
  value = WarpMax(value);
  __syncthreads();
  if (Lane() == 0) scratch[Warp()] = value;
  __syncthreads();
  float largest = scratch[0];
  const int warps = static_cast<int>(blockDim.x) / kWarpSize;
  for (int warp = 1; warp < warps; ++warp) largest = fmaxf(largest, scratch[warp]);
  __syncthreads();
  return largest;
}

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_PLATFORM_KERNEL_H_
