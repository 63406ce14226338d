// From a key to a checked memory in host memory, without ever making the caller wait.
//
//   auto ticket = loader.Load(key, [](LoadedMemory loaded) { ... });
//
// One read per memory however many ask (single flight), a host cache with a byte budget (least
// recently used out first), the checksum of every read compared before anybody sees a byte. A
// record that fails is quarantined: read again once (a short read or a flipped bit on the way),
// then refused at once from then on, and counted.
#ifndef MEMORY3_ENGINE_MEMORY_MEMORY_LOADER_H_
#define MEMORY3_ENGINE_MEMORY_MEMORY_LOADER_H_

#include <cstdint>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/base/clock.h"
#include "engine/memory/memory_id.h"
#include "engine/memory/memory_reader.h"
#include "engine/memory/memory_store.h"
#include "engine/memory/memory_tier.h"
#include "engine/runner/memory_tensor.h"

namespace memory3 {

struct LoadedMemory {
  MemoryKey key;
  // NotFound (no such memory), DataLoss (damaged, quarantined), FailedPrecondition (text without a
  // memory), ResourceExhausted (too many loads), or the reader's error.
  absl::StatusOr<std::shared_ptr<const MemoryTensor>> tensor;
  MemoryTier tier = MemoryTier::kDisk;  // kHost or kDisk
  absl::Duration load_time;             // from Load to done
};

struct MemoryLoaderOptions {
  int64_t host_cache_bytes = int64_t{1} << 30;  // 0: no cache
  int max_loads = 1024;                         // in flight at once; bounds buffers too
};

// Read from any thread.
struct MemoryLoaderCounters {
  uint64_t host_hits = 0, disk_loads = 0, shared_loads = 0;  // shared: joined a load in flight
  uint64_t read_errors = 0, checksum_errors = 0, quarantined = 0, rejected = 0;
  uint64_t disk_bytes = 0;
  int64_t host_cache_bytes = 0;
  int in_flight = 0;
};

// Thread-safe.
class MemoryLoader {
 public:
  // Everything passed must outlive the loader. `clock` may be null.
  MemoryLoader(const MemoryLoaderOptions& options, const MemoryStore& store, MemoryReader& reader,
               Clock* clock);
  ~MemoryLoader();  // waits for reads in progress; their callbacks run
  MemoryLoader(const MemoryLoader&) = delete;
  MemoryLoader& operator=(const MemoryLoader&) = delete;

  using Done = absl::AnyInvocable<void(LoadedMemory)>;
  // `done` runs exactly once: at once on this thread when the memory is cached or cannot be had,
  // else on a thread of the reader's. It must be quick. Never blocks, does no I/O on this thread.
  void Load(const MemoryKey& key, Done done);

  // Takes a memory that was just encoded into the cache.
  void Insert(const MemoryKey& key, std::shared_ptr<const MemoryTensor> tensor);
  // Drops a deleted memory from the cache.
  void Forget(const MemoryKey& key);

  MemoryLoaderCounters counters() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_MEMORY_LOADER_H_
