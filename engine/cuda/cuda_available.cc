#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/cuda/cublaslt_library.h"
#include "engine/cuda/cuda_runner.h"
#include "engine/cuda/device.h"

namespace memory3 {

absl::Status CudaAvailable() {
  constexpr int kComputeMajor = 8;  // tensor cores with bf16, asynchronous copies
  M3_ASSIGN_OR_RETURN(const CudaPlatform platform, QueryCudaPlatform());
  if (platform.devices.empty()) {
    return absl::FailedPreconditionError("the NVIDIA driver finds no CUDA device");
  }
  const CudaDevice& device = platform.devices.front();
  if (device.compute_major < kComputeMajor) {
    return absl::FailedPreconditionError(
        absl::StrCat(device.name, " has compute capability ", device.compute_major, ".",
                     device.compute_minor, ", at least ", kComputeMajor, ".0 is needed"));
  }
  return cuda::LoadCublasLt().status();
}

}  // namespace memory3
