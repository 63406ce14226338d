// What the device can do at best, so that a bench can say which share of it was reached.
#ifndef MEMORY3_ENGINE_CUDA_DEVICE_CEILING_H_
#define MEMORY3_ENGINE_CUDA_DEVICE_CEILING_H_

#include "absl/status/statusor.h"

namespace memory3 {

struct DeviceCeiling {
  double bytes_per_second = 0;       // of device memory: a large copy, bytes read and written
  double bf16_flops_per_second = 0;  // a large bf16 product of random numbers through the library
};

// Takes part of a second and 1.5 GiB of device memory. FailedPrecondition where CudaAvailable is
// not OK.
absl::StatusOr<DeviceCeiling> MeasureDeviceCeiling();

}  // namespace memory3

#endif  // MEMORY3_ENGINE_CUDA_DEVICE_CEILING_H_
