// From a key to a checked memory in host memory, without ever making the caller wait.
//
//   auto ticket = loader.Load(key, [](LoadedMemory loaded) { ... });
//
// One read per memory however many ask (single flight), a host cache with a byte budget (least
// recently used out first), the checksum of every read compared before anybody sees a byte. A read
// that fails is repeated once, whatever the reason: a bit flipped on the way or a hiccup of the
// device costs one read. A record whose bytes are wrong or missing the second time is quarantined:
// refused at once from then on, and counted. A device's error the second time is passed on and
// quarantines nothing.
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
#include "engine/memory/record_buffers.h"
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

// Records that are remembered as damaged; later ones are read, checked and refused every time.
inline constexpr int kMaxQuarantinedRecords = 1 << 16;

struct MemoryLoaderOptions {
  int64_t host_cache_bytes = int64_t{1} << 30;  // 0: no cache
  int max_loads = 1024;                         // in flight at once; bounds buffers too
  // Of RecordBytes(shape) each, shared with the reader, which may have registered them. Null: the
  // loader makes its own, as many as LoaderBuffers() says.
  std::shared_ptr<RecordBuffers> buffers;
};
// What a full cache and the largest number of loads hold together. Memories that their users keep
// beyond that make loads fail with ResourceExhausted.
int LoaderBuffers(const MemoryLoaderOptions& options, int64_t record_bytes);

// Read from any thread.
struct MemoryLoaderCounters {
  uint64_t host_hits = 0;
  uint64_t disk_loads = 0;       // memories that came from disk, complete and checked
  uint64_t shared_loads = 0;     // joined a load in flight
  uint64_t read_errors = 0;      // reads that the reader reported as failed
  uint64_t checksum_errors = 0;  // reads whose bytes were not the record's
  uint64_t quarantined = 0;      // records that became so
  uint64_t quarantine_hits = 0;  // loads refused for that
  uint64_t rejected = 0;         // loads refused for want of room: loads, buffers or queue
  uint64_t disk_bytes = 0;
  int64_t host_cache_bytes = 0;
  int in_flight = 0;
};

// Thread-safe.
class MemoryLoader {
 public:
  // Everything passed must outlive the loader. `clock` may be null: the real one.
  MemoryLoader(const MemoryLoaderOptions& options, const MemoryStore& store, MemoryReader& reader,
               Clock* clock);
  // Waits for reads in progress; their callbacks run. Not to be called from one of them.
  ~MemoryLoader();
  MemoryLoader(const MemoryLoader&) = delete;
  MemoryLoader& operator=(const MemoryLoader&) = delete;

  using Done = absl::AnyInvocable<void(LoadedMemory)>;
  // `done` runs exactly once: at once on this thread when the memory is cached or cannot be had,
  // else on a thread of the reader's. It must be quick. Never blocks, does no I/O on this thread.
  void Load(const MemoryKey& key, Done done);

  // Takes a memory that was just encoded into the cache.
  void Insert(const MemoryKey& key, std::shared_ptr<const MemoryTensor> tensor);
  // Drops a deleted memory from the cache; a load in flight still ends, but is not kept.
  void Forget(const MemoryKey& key);

  MemoryLoaderCounters counters() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_MEMORY_LOADER_H_
