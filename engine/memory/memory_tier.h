// Where a memory was found when a chunk asked for it.
#ifndef MEMORY3_ENGINE_MEMORY_MEMORY_TIER_H_
#define MEMORY3_ENGINE_MEMORY_MEMORY_TIER_H_

#include <cstdint>

namespace memory3 {

enum class MemoryTier : uint8_t {
  kDevice,   // in a slot of the runner already
  kHost,     // in the host cache
  kDisk,     // read for this chunk, or for another that asked at the same time
  kEncoded,  // had a text only: encoded on this first retrieval
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_MEMORY_TIER_H_
