// Tensor core tiles and asynchronous copies to shared memory, as warps use them from sm_80 on.
//
// MmaBf16: one warp computes D += A B with A (16, 16), B (16, 8), D (16, 8); every lane holds a few
// elements. With group = lane / 4 and pair = 2 * (lane % 4), packed two to a register, lower index
// in the lower half:
//
//   a[0] A[group][pair..]      a[1] A[group + 8][pair..]
//   a[2] A[group][pair + 8..]  a[3] A[group + 8][pair + 8..]
//   b[0] B[pair..][group]      b[1] B[pair + 8..][group]
//   d[0], d[1] D[group][pair..]      d[2], d[3] D[group + 8][pair..]
//
// LoadTiles: four 8x8 tiles of 16-bit elements from shared memory, one register each; lane l names
// the 16-byte row l % 8 of tile l / 8. Lane l then holds elements (l / 4, 2 * (l % 4)..) of every
// tile; with kTransposed elements (2 * (l % 4).., l / 4).
//
// Source: PTX ISA, mma.m16n8k16, ldmatrix and cp.async.
#ifndef MEMORY3_ENGINE_CUDA_PLATFORM_TENSOR_CORE_H_
#define MEMORY3_ENGINE_CUDA_PLATFORM_TENSOR_CORE_H_

#include <cstdint>

#include "engine/cuda/platform/kernel.h"

#ifdef __CUDACC__

namespace memory3::cuda {

__device__ __forceinline__ void MmaBf16(float (&d)[4], const uint32_t (&a)[4],
                                        const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\n"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

template <bool kTransposed = false>
__device__ __forceinline__ void LoadTiles(uint32_t (&tiles)[4], const void* shared_row) {
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(shared_row));
  if constexpr (kTransposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(tiles[0]), "=r"(tiles[1]), "=r"(tiles[2]), "=r"(tiles[3])
                 : "r"(address)
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(tiles[0]), "=r"(tiles[1]), "=r"(tiles[2]), "=r"(tiles[3])
                 : "r"(address)
                 : "memory");
  }
}

// Starts copying 16 bytes, aligned to 16, to shared memory; zeros instead when not `valid`.
__device__ __forceinline__ void CopyAsync16(void* shared, const void* global, bool valid = true) {
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
  const int bytes = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(address), "l"(global),
               "r"(bytes)
               : "memory");
}

// Closes the group of copies that this thread started since the last call.
__device__ __forceinline__ void CommitCopies() {
  asm volatile("cp.async.commit_group;\n" ::: "memory");
}

// Until at most kPending groups of this thread are unfinished; other threads see what was copied
// after a barrier.
template <int kPending>
__device__ __forceinline__ void WaitCopies() {
  asm volatile("cp.async.wait_group %0;\n" ::"n"(kPending) : "memory");
}

}  // namespace memory3::cuda

#else

#include "engine/cuda/host/device_tiles.h"

#endif

namespace memory3::cuda {

// Two floats as the bf16 pair of a register, `low` in the lower half.
M3_DEVICE uint32_t PackBf16(float low, float high) {
  return static_cast<uint32_t>(FromFloat<BFloat16>(low).bits) |
         static_cast<uint32_t>(FromFloat<BFloat16>(high).bits) << 16;
}

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_PLATFORM_TENSOR_CORE_H_
