// The CUDA devices of this machine, as the driver reports them.
//
// Part of the CUDA build only (preset `cuda`): nothing outside engine/cuda includes this header
// unless M3_HAVE_CUDA is on. Thread safety: safe to call from any thread.
#ifndef MEMORY3_ENGINE_CUDA_DEVICE_H_
#define MEMORY3_ENGINE_CUDA_DEVICE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace memory3 {

struct CudaDevice {
  int ordinal = 0;
  std::string name;
  int compute_major = 0;
  int compute_minor = 0;
  int multiprocessors = 0;
  int64_t memory_bytes = 0;
  double memory_bytes_per_second = 0;  // theoretical peak; 0 where the driver does not tell
};

struct CudaPlatform {
  int driver_version = 0;   // 13000 is CUDA 13.0
  int runtime_version = 0;  // what this binary was built with
  std::vector<CudaDevice> devices;
};

// No driver, or one that is too old, is FailedPrecondition with the driver's own words; a machine
// without devices is OK with an empty list.
absl::StatusOr<CudaPlatform> QueryCudaPlatform();

}  // namespace memory3

#endif  // MEMORY3_ENGINE_CUDA_DEVICE_H_
