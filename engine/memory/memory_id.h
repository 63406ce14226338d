// Names a memory. Ids come from a bank and mean nothing without its epoch.
#ifndef MEMORY3_ENGINE_MEMORY_MEMORY_ID_H_
#define MEMORY3_ENGINE_MEMORY_MEMORY_ID_H_

#include <cstdint>
#include <utility>

namespace memory3 {

// Record number in the bank, from 0; references taught to a running server are numbered from
// kFirstTaughtId.
using MemoryId = uint64_t;
inline constexpr MemoryId kFirstTaughtId = MemoryId{1} << 48;

// A memory for good: banks of different epochs may give one id to different texts.
struct MemoryKey {
  uint64_t epoch = 0;
  MemoryId id = 0;

  bool operator==(const MemoryKey&) const = default;
  template <typename H>
  friend H AbslHashValue(H hash, const MemoryKey& key) {
    return H::combine(std::move(hash), key.epoch, key.id);
  }
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_MEMORY_ID_H_
