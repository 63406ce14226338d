#include "engine/memory/host_cache.h"

#include <iterator>
#include <utility>

namespace memory3 {
namespace {

int64_t Cost(const MemoryTensor& memory) { return static_cast<int64_t>(memory.bytes.size()); }

}  // namespace

SharedMemory HostCache::Get(const MemoryKey& key) {
  const auto found = index_.find(key);
  if (found == index_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->memory;
}

void HostCache::Put(const MemoryKey& key, SharedMemory memory, std::vector<SharedMemory>* evicted) {
  if (SharedMemory old = Remove(key)) evicted->push_back(std::move(old));
  const int64_t cost = Cost(*memory);
  if (cost > budget_) {
    evicted->push_back(std::move(memory));
    return;
  }
  while (bytes_ + cost > budget_) evicted->push_back(Take(std::prev(entries_.end())));
  entries_.push_front({key, std::move(memory)});
  index_[key] = entries_.begin();
  bytes_ += cost;
}

SharedMemory HostCache::Remove(const MemoryKey& key) {
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : Take(found->second);
}

SharedMemory HostCache::Take(Entries::iterator entry) {
  SharedMemory memory = std::move(entry->memory);
  bytes_ -= Cost(*memory);
  index_.erase(entry->key);
  entries_.erase(entry);
  return memory;
}

}  // namespace memory3
