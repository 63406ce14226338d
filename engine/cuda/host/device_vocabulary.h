// CUDA's names for kernel code, with the executor behind them. Full warps only, as in our kernels.
#ifndef MEMORY3_ENGINE_CUDA_HOST_DEVICE_VOCABULARY_H_
#define MEMORY3_ENGINE_CUDA_HOST_DEVICE_VOCABULARY_H_

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "engine/base/check.h"
#include "engine/cuda/host/executor.h"

#define threadIdx (::memory3::cuda::host::Context().thread)
#define blockIdx (::memory3::cuda::host::Context().block)
#define blockDim (::memory3::cuda::host::Context().block_size)
#define gridDim (::memory3::cuda::host::Context().grid)

namespace memory3::cuda {

template <typename T>
T* SharedMemory() {
  return reinterpret_cast<T*>(host::Context().shared);
}

inline void WaitForPreviousKernel() { host::NoteWait(); }
inline void LetNextKernelStart() {}

inline void __syncthreads() { host::BlockBarrier(); }

inline void __syncwarp(uint32_t mask = 0xFFFFFFFFu) {
  M3_CHECK(mask == 0xFFFFFFFFu);
  const char nothing = 0;
  char all[32];
  host::ExchangeInWarp(&nothing, 1, all);
}

// The value of lane `source`, or one's own when there is no such lane.
template <typename T>
T __shfl_sync(uint32_t mask, T value, int source) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
  M3_CHECK(mask == 0xFFFFFFFFu);
  T all[32];
  const int lanes = host::ExchangeInWarp(&value, sizeof(T), all);
  return source >= 0 && source < lanes ? all[source] : value;
}
template <typename T>
T __shfl_xor_sync(uint32_t mask, T value, int lane_mask) {
  return __shfl_sync(mask, value, static_cast<int>(threadIdx.x % 32) ^ lane_mask);
}
template <typename T>
T __shfl_down_sync(uint32_t mask, T value, int delta) {
  return __shfl_sync(mask, value, static_cast<int>(threadIdx.x % 32) + delta);
}
template <typename T>
T __shfl_up_sync(uint32_t mask, T value, int delta) {
  return __shfl_sync(mask, value, static_cast<int>(threadIdx.x % 32) - delta);
}

inline uint32_t __ballot_sync(uint32_t mask, bool predicate) {
  M3_CHECK(mask == 0xFFFFFFFFu);
  const uint8_t mine = predicate ? 1 : 0;
  uint8_t all[32];
  const int lanes = host::ExchangeInWarp(&mine, 1, all);
  uint32_t votes = 0;
  for (int lane = 0; lane < lanes; ++lane) votes |= static_cast<uint32_t>(all[lane]) << lane;
  return votes;
}
inline bool __any_sync(uint32_t mask, bool predicate) {
  return __ballot_sync(mask, predicate) != 0;
}

inline int __popc(uint32_t bits) { return std::popcount(bits); }
inline int __ffs(uint32_t bits) { return bits == 0 ? 0 : std::countr_zero(bits) + 1; }
inline int __clz(uint32_t bits) { return std::countl_zero(bits); }
inline float __uint_as_float(uint32_t bits) { return std::bit_cast<float>(bits); }
inline uint32_t __float_as_uint(float value) { return std::bit_cast<uint32_t>(value); }
// Never contracted with another operation; neither does the host compiler without -march.
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fadd_rn(float a, float b) { return a + b; }
template <typename T>
T __ldg(const T* address) {
  return *address;
}
template <typename T>
T __ldcg(const T* address) {
  return *address;
}

// Threads of the executor never run at the same time.
inline void __threadfence() {}
template <typename T>
T atomicAdd(T* address, std::type_identity_t<T> value) {
  const T old = *address;
  *address = old + value;
  return old;
}
template <typename T>
T atomicOr(T* address, std::type_identity_t<T> value) {
  const T old = *address;
  *address = old | value;
  return old;
}
template <typename T>
T atomicMax(T* address, std::type_identity_t<T> value) {
  const T old = *address;
  if (value > old) *address = value;
  return old;
}

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_HOST_DEVICE_VOCABULARY_H_
