// What a build without CUDA says of it.
#include "engine/cuda/cuda_runner.h"
#include "engine/cuda/device_ceiling.h"

namespace memory3 {

absl::Status CudaAvailable() {
  return absl::FailedPreconditionError("this program was built without CUDA");
}

absl::StatusOr<std::unique_ptr<Runner>> CreateCudaRunner(const ModelConfig&, const ModelWeights&,
                                                         const CudaRunnerOptions&) {
  return CudaAvailable();
}

absl::StatusOr<DeviceCeiling> MeasureDeviceCeiling() { return CudaAvailable(); }

}  // namespace memory3
