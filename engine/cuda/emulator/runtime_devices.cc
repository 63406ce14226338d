// Errors and devices.
#include <cstdio>
#include <utility>

#include "engine/cuda/emulator/device_memory.h"
#include "engine/cuda/emulator/runtime.h"

namespace memory3::cuda::emulator {
namespace {

constexpr int kComputeMajor = 9;  // what the PTX is compiled for

}  // namespace

Runtime& TheRuntime() {
  static auto* const runtime = new Runtime;
  return *runtime;
}

cudaError_t Error(cudaError_t error, const char* what) {
  std::fprintf(stderr, "CUDA emulator: %s: %s\n", what, cudaGetErrorString(error));
  TheRuntime().last_error = error;
  return error;
}

bool MayDisturb() {
  if (TheRuntime().capturing == nullptr) return true;
  TheRuntime().capture_is_valid = false;
  return false;
}

// Of the library only these are seen from outside.
#pragma GCC visibility push(default)
extern "C" {

cudaError_t cudaGetLastError() {
  const Call call;
  return std::exchange(TheRuntime().last_error, cudaSuccess);
}
const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorInvalidValue:
      return "invalid argument";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorInvalidResourceHandle:
      return "invalid resource handle";
    case cudaErrorNotReady:
      return "device not ready";
    case cudaErrorStreamCaptureUnsupported:
      return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated:
      return "operation failed due to a previous error during capture";
    case cudaErrorStreamCaptureIsolation:
      return "dependency created on uncaptured work in another stream";
    case cudaErrorCapturedEvent:
      return "operation not permitted on an event last recorded in a capturing stream";
    case cudaErrorInvalidDeviceFunction:
      return "invalid device function";
    case cudaErrorInvalidConfiguration:
      return "invalid configuration argument";
    default:
      return "another error";
  }
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device != 0) return Error(cudaErrorInvalidDevice, "cudaGetDeviceProperties");
  *properties = {};
  std::snprintf(properties->name, sizeof(properties->name), "emulated device");
  properties->major = kComputeMajor;
  properties->multiProcessorCount = 1;
  properties->totalGlobalMem = DeviceMemory::kBytes;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  if (device != 0) return Error(cudaErrorInvalidDevice, "cudaDeviceGetAttribute");
  *value = 0;
  if (attribute == cudaDevAttrComputeCapabilityMajor) *value = kComputeMajor;
  return cudaSuccess;
}

}  // extern "C"
#pragma GCC visibility pop

}  // namespace memory3::cuda::emulator
