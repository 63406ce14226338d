// Several neighbouring elements read and written by one instruction of up to 16 bytes.
#ifndef MEMORY3_ENGINE_CUDA_PLATFORM_PACK_H_
#define MEMORY3_ENGINE_CUDA_PLATFORM_PACK_H_

#include <cstdint>

#include "engine/cuda/platform/element.h"

namespace memory3::cuda {

template <typename T, int kCount>
struct alignas(sizeof(T) * kCount) Pack {
  static_assert(sizeof(T) * kCount <= 16);
  T values[kCount];
};

// `address` is aligned to the pack.
template <int kCount, typename T>
M3_HOST_DEVICE Pack<T, kCount> LoadPack(const T* address) {
  return *reinterpret_cast<const Pack<T, kCount>*>(address);
}
template <int kCount, typename T>
M3_HOST_DEVICE void StorePack(T* address, const Pack<T, kCount>& pack) {
  *reinterpret_cast<Pack<T, kCount>*>(address) = pack;
}

// Row kernels work on packs of this many elements where the width of their rows allows it.
inline constexpr int32_t kRowPack = 4;

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_PLATFORM_PACK_H_
