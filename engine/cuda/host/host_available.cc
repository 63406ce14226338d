// On the host there is always a device.
#include "engine/cuda/cuda_runner.h"

namespace memory3 {

absl::Status CudaAvailable() { return absl::OkStatus(); }

}  // namespace memory3
