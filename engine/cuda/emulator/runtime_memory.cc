// Memory and copies.
#include <cstdint>
#include <cstring>

#include "engine/cuda/emulator/device_memory.h"
#include "engine/cuda/emulator/enqueue.h"
#include "engine/cuda/emulator/runtime.h"

namespace memory3::cuda::emulator {
namespace {

// The device is done with everything, as after calls that wait for all of it.
void RunEverything() {
  for (cudaStream_t stream : TheRuntime().streams) stream->stream->RunAll();
}

}  // namespace

bool IsDeviceMemory(const void* address, int64_t bytes) {
  const Call call;
  return TheDeviceMemory().Contains(MemoryKind::kDevice, address, bytes);
}

// Of the library only these are seen from outside.
#pragma GCC visibility push(default)
extern "C" {

cudaError_t cudaMalloc(void** address, size_t bytes) {
  const Call call;
  if (!MayDisturb()) return Error(cudaErrorStreamCaptureUnsupported, "cudaMalloc");
  *address = TheDeviceMemory().Allocate(MemoryKind::kDevice, static_cast<int64_t>(bytes));
  return *address != nullptr ? cudaSuccess : Error(cudaErrorMemoryAllocation, "cudaMalloc");
}
cudaError_t cudaMallocHost(void** address, size_t bytes) {
  const Call call;
  if (!MayDisturb()) return Error(cudaErrorStreamCaptureUnsupported, "cudaMallocHost");
  *address = TheDeviceMemory().Allocate(MemoryKind::kPinned, static_cast<int64_t>(bytes));
  return *address != nullptr ? cudaSuccess : Error(cudaErrorMemoryAllocation, "cudaMallocHost");
}
cudaError_t cudaFree(void* address) {
  const Call call;
  if (!MayDisturb()) return Error(cudaErrorStreamCaptureUnsupported, "cudaFree");
  RunEverything();
  return TheDeviceMemory().Free(MemoryKind::kDevice, address)
             ? cudaSuccess
             : Error(cudaErrorInvalidValue, "cudaFree");
}
cudaError_t cudaFreeHost(void* address) {
  const Call call;
  if (!MayDisturb()) return Error(cudaErrorStreamCaptureUnsupported, "cudaFreeHost");
  RunEverything();
  return TheDeviceMemory().Free(MemoryKind::kPinned, address)
             ? cudaSuccess
             : Error(cudaErrorInvalidValue, "cudaFreeHost");
}
cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total) {
  const Call call;
  *free_bytes = TheDeviceMemory().free_bytes();
  *total = DeviceMemory::kBytes;
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  const Call call;
  if (!IsStream(stream)) return Error(cudaErrorInvalidResourceHandle, "cudaMemcpyAsync");
  if (bytes == 0) return cudaSuccess;
  const DeviceMemory& memory = TheDeviceMemory();
  const auto size = static_cast<int64_t>(bytes);
  const bool to_device = kind != cudaMemcpyDeviceToHost;
  const bool from_device = kind != cudaMemcpyHostToDevice;
  if ((to_device && !memory.Contains(MemoryKind::kDevice, to, size)) ||
      (from_device && !memory.Contains(MemoryKind::kDevice, from, size))) {
    return Error(cudaErrorInvalidValue, "cudaMemcpyAsync of what is not device memory");
  }
  // From and to pageable memory it is not asynchronous, and a graph may not hold it.
  const bool pinned = (to_device || memory.Contains(MemoryKind::kPinned, to, size)) &&
                      (from_device || memory.Contains(MemoryKind::kPinned, from, size));
  if (!pinned && !MayDisturb()) {
    return Error(cudaErrorStreamCaptureUnsupported, "cudaMemcpyAsync of pageable memory");
  }
  stream->stream->Add({.run = [=] { std::memcpy(to, from, bytes); }});
  if (!pinned) stream->stream->RunAll();
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* address, int value, size_t bytes, cudaStream_t stream) {
  const Call call;
  if (!IsStream(stream)) return Error(cudaErrorInvalidResourceHandle, "cudaMemsetAsync");
  if (bytes == 0) return cudaSuccess;
  if (!TheDeviceMemory().Contains(MemoryKind::kDevice, address, static_cast<int64_t>(bytes))) {
    return Error(cudaErrorInvalidValue, "cudaMemsetAsync of what is not device memory");
  }
  stream->stream->Add({.run = [=] { std::memset(address, value, bytes); }});
  return cudaSuccess;
}

}  // extern "C"
#pragma GCC visibility pop

}  // namespace memory3::cuda::emulator
