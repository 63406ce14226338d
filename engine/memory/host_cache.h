// Memories kept in host memory: a byte budget, least recently used out first.
#ifndef MEMORY3_ENGINE_MEMORY_HOST_CACHE_H_
#define MEMORY3_ENGINE_MEMORY_HOST_CACHE_H_

#include <cstdint>
#include <list>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "engine/memory/memory_id.h"
#include "engine/runner/memory_tensor.h"

namespace memory3 {

using SharedMemory = std::shared_ptr<const MemoryTensor>;

// What leaves is decided by the order of Get and Put alone. A memory that leaves stays valid for
// whoever holds it. Not thread-safe.
class HostCache {
 public:
  explicit HostCache(int64_t budget_bytes) : budget_(budget_bytes) {}

  // Null when absent; else it is the most recently used from now on.
  SharedMemory Get(const MemoryKey& key);
  // Replaces one of the same key. What has to leave is appended to *evicted, for the caller to drop
  // outside its locks; so is `memory` itself when it alone is beyond the budget.
  void Put(const MemoryKey& key, SharedMemory memory, std::vector<SharedMemory>* evicted);
  // The memory that was there, or null.
  SharedMemory Remove(const MemoryKey& key);

  int64_t bytes() const { return bytes_; }  // never above the budget

 private:
  struct Entry {
    MemoryKey key;
    SharedMemory memory;
  };
  using Entries = std::list<Entry>;

  SharedMemory Take(Entries::iterator entry);

  const int64_t budget_;
  int64_t bytes_ = 0;
  Entries entries_;  // most recently used first
  absl::flat_hash_map<MemoryKey, Entries::iterator> index_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_HOST_CACHE_H_
