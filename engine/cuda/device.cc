#include "engine/cuda/device.h"

#include <cuda_runtime_api.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"

namespace memory3 {
namespace {

absl::Status ToStatus(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(what, ": ", cudaGetErrorString(error)));
}

// Attributes instead of fields of cudaDeviceProp: CUDA 13 removed the clock fields, the attributes
// stayed.
absl::StatusOr<int> Attribute(cudaDeviceAttr attribute, int ordinal) {
  int value = 0;
  M3_RETURN_IF_ERROR(
      ToStatus(cudaDeviceGetAttribute(&value, attribute, ordinal), "reading a device attribute"));
  return value;
}

absl::StatusOr<CudaDevice> QueryDevice(int ordinal) {
  cudaDeviceProp properties;
  M3_RETURN_IF_ERROR(
      ToStatus(cudaGetDeviceProperties(&properties, ordinal), "reading device properties"));
  M3_ASSIGN_OR_RETURN(const int clock_khz, Attribute(cudaDevAttrMemoryClockRate, ordinal));
  M3_ASSIGN_OR_RETURN(const int bus_bits, Attribute(cudaDevAttrGlobalMemoryBusWidth, ordinal));
  return CudaDevice{
      .ordinal = ordinal,
      .name = properties.name,
      .compute_major = properties.major,
      .compute_minor = properties.minor,
      .multiprocessors = properties.multiProcessorCount,
      .memory_bytes = static_cast<int64_t>(properties.totalGlobalMem),
      .memory_bytes_per_second = 2.0 * 1e3 * clock_khz * bus_bits / 8,  // double data rate
  };
}

}  // namespace

absl::StatusOr<CudaPlatform> QueryCudaPlatform() {
  CudaPlatform platform;
  M3_RETURN_IF_ERROR(ToStatus(cudaRuntimeGetVersion(&platform.runtime_version),
                              "reading the CUDA runtime's version"));
  M3_RETURN_IF_ERROR(ToStatus(cudaDriverGetVersion(&platform.driver_version),
                              "reading the CUDA driver's version"));
  if (platform.driver_version == 0)
    return absl::FailedPreconditionError("no NVIDIA driver is installed");
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaErrorNoDevice) return platform;
  M3_RETURN_IF_ERROR(ToStatus(error, "counting CUDA devices"));
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    M3_ASSIGN_OR_RETURN(CudaDevice device, QueryDevice(ordinal));
    platform.devices.push_back(std::move(device));
  }
  return platform;
}

}  // namespace memory3
