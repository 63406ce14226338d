#include "engine/cuda/emulator/device_memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace memory3::cuda::emulator {
namespace {

constexpr int64_t kAlignment = 256;  // as cudaMalloc's

}  // namespace

void* DeviceMemory::Allocate(MemoryKind kind, int64_t bytes) {
  if (kind == MemoryKind::kDevice && bytes > free_bytes()) return nullptr;
  const int64_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  void* const data = std::aligned_alloc(kAlignment, rounded);
  if (data == nullptr) return nullptr;
  std::memset(data, 0xFF, rounded);
  const auto begin = reinterpret_cast<uintptr_t>(data);
  // Its end is the one that was asked for: reading on into the padding is an error.
  allocations_[begin] = {begin, begin + bytes, kind};
  if (kind == MemoryKind::kDevice) device_bytes_ += bytes;
  return data;
}

bool DeviceMemory::Free(MemoryKind kind, void* address) {
  const auto found = allocations_.find(reinterpret_cast<uintptr_t>(address));
  if (found == allocations_.end() || found->second.kind != kind) return false;
  if (kind == MemoryKind::kDevice) device_bytes_ -= found->second.end - found->second.begin;
  allocations_.erase(found);
  last_ = nullptr;
  std::free(address);
  return true;
}

bool DeviceMemory::Contains(MemoryKind kind, const void* address, int64_t bytes) const {
  const Allocation* const found = Find(address, bytes);
  return found != nullptr && found->kind == kind;
}

const DeviceMemory::Allocation* DeviceMemory::Find(const void* address, int64_t bytes) const {
  const auto begin = reinterpret_cast<uintptr_t>(address);
  if (last_ == nullptr || begin < last_->begin || begin >= last_->end) {
    auto after = allocations_.upper_bound(begin);
    if (after == allocations_.begin()) return nullptr;
    last_ = &std::prev(after)->second;
  }
  return begin >= last_->begin && begin + bytes <= last_->end ? last_ : nullptr;
}

// Never destroyed: programs free memory until their very end.
DeviceMemory& TheDeviceMemory() {
  static auto* const memory = new DeviceMemory;
  return *memory;
}

}  // namespace memory3::cuda::emulator
