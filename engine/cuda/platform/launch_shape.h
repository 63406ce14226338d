// How many blocks of how many threads a kernel is launched with.
#ifndef MEMORY3_ENGINE_CUDA_PLATFORM_LAUNCH_SHAPE_H_
#define MEMORY3_ENGINE_CUDA_PLATFORM_LAUNCH_SHAPE_H_

#include <cstdint>

#include "engine/cuda/platform/runtime.h"

namespace memory3::cuda {

struct LaunchSize {
  uint32_t x = 1;
  uint32_t y = 1;
  uint32_t z = 1;
};

struct LaunchShape {
  LaunchSize grid;       // blocks
  uint32_t threads = 1;  // per block
  int shared_bytes = 0;  // of what SharedMemory() returns in the kernel
  // The kernel may begin before the one before it on the stream has ended, see
  // Stream::OverlapKernels. Every thread must then call WaitForPreviousKernel before it touches
  // what other kernels write or read.
  bool overlaps = false;
};

// On CUDA: `arguments` points at the kernel's parameters in order. Raises the kernel's limit of
// shared memory where the plain one is not enough.
void LaunchKernel(Stream& stream, const LaunchShape& shape, const void* kernel, void** arguments);

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_PLATFORM_LAUNCH_SHAPE_H_
