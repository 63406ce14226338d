// What other emulated libraries of CUDA need of the emulated device.
#ifndef MEMORY3_ENGINE_CUDA_EMULATOR_ENQUEUE_H_
#define MEMORY3_ENGINE_CUDA_EMULATOR_ENQUEUE_H_

#include <driver_types.h>

#include <cstdint>
#include <functional>

#pragma GCC visibility push(default)
namespace memory3::cuda::emulator {

// False when there is no such stream. Thread-safe.
bool Enqueue(cudaStream_t stream, std::function<void()> operation);

// Whether all the bytes lie in one allocation of device memory. Thread-safe.
bool IsDeviceMemory(const void* address, int64_t bytes);

}  // namespace memory3::cuda::emulator
#pragma GCC visibility pop

#endif  // MEMORY3_ENGINE_CUDA_EMULATOR_ENQUEUE_H_
