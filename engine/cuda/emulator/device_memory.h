// What has been allocated, so that every access of a kernel and every copy can be checked.
#ifndef MEMORY3_ENGINE_CUDA_EMULATOR_DEVICE_MEMORY_H_
#define MEMORY3_ENGINE_CUDA_EMULATOR_DEVICE_MEMORY_H_

#include <cstdint>
#include <map>

namespace memory3::cuda::emulator {

enum class MemoryKind : uint8_t { kDevice, kPinned };

// Not thread-safe: the runtime's lock guards it.
class DeviceMemory {
 public:
  static constexpr int64_t kBytes = int64_t{8} << 30;  // of the device

  // Null when there is not that much. Filled with NaN: nobody may count on zeros.
  void* Allocate(MemoryKind kind, int64_t bytes);
  // False when `address` is not the beginning of an allocation of that kind.
  bool Free(MemoryKind kind, void* address);

  // Whether all bytes lie in one allocation of that kind.
  bool Contains(MemoryKind kind, const void* address, int64_t bytes) const;
  // Of either kind: kernels reach both.
  bool Contains(const void* address, int64_t bytes) const {
    return Find(address, bytes) != nullptr;
  }

  int64_t free_bytes() const { return kBytes - device_bytes_; }

 private:
  struct Allocation {
    uintptr_t begin;
    uintptr_t end;
    MemoryKind kind;
  };
  const Allocation* Find(const void* address, int64_t bytes) const;

  std::map<uintptr_t, Allocation> allocations_;
  int64_t device_bytes_ = 0;
  mutable const Allocation* last_ = nullptr;  // found
};

DeviceMemory& TheDeviceMemory();

}  // namespace memory3::cuda::emulator

#endif  // MEMORY3_ENGINE_CUDA_EMULATOR_DEVICE_MEMORY_H_
