// What the runtime seam is made of on CUDA: for the few files that call CUDA libraries themselves.
#ifndef MEMORY3_ENGINE_CUDA_PLATFORM_CUDA_NATIVE_H_
#define MEMORY3_ENGINE_CUDA_PLATFORM_CUDA_NATIVE_H_

#include <cuda_runtime_api.h>

#include "absl/status/status.h"
#include "engine/cuda/platform/runtime.h"

namespace memory3::cuda {

// "CUDA: <what>: <the runtime's words>"; ResourceExhausted for want of memory, else Internal.
absl::Status ToStatus(cudaError_t error, const char* what);

struct Stream::Native {
  ~Native();
  // Remembers the first error until it is asked for.
  void Keep(cudaError_t error, const char* what) {
    if (error != cudaSuccess && status.ok()) status = ToStatus(error, what);
  }

  cudaStream_t stream = nullptr;
  bool overlaps_kernels = false;
  absl::Status status;
};

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_PLATFORM_CUDA_NATIVE_H_
