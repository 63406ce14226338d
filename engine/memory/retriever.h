// Query texts in, memory ids out: the seam to the retrieval sidecar, plugged in by the server.
#ifndef MEMORY3_ENGINE_MEMORY_RETRIEVER_H_
#define MEMORY3_ENGINE_MEMORY_RETRIEVER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/memory/memory_id.h"

namespace memory3 {

struct RetrievedMemory {
  MemoryId id = 0;
  float score = 0;  // larger is nearer
};

struct RetrievalAnswer {
  uint64_t epoch = 0;                                 // of the bank the ids belong to
  std::vector<std::vector<RetrievedMemory>> results;  // one per query, best first
};

// Implementations need not be trusted: the engine checks the number of results, drops duplicates
// and ids that the bank does not have, and cuts to memories_per_chunk.
class Retriever {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<RetrievalAnswer>)>;

  virtual ~Retriever() = default;
  // Never waits; may be called from any thread. `done` is called exactly once, on any thread,
  // possibly before Retrieve returns: at the latest soon after `timeout`, with DeadlineExceeded.
  // The engine does not rely on it: it gives a call up by itself a little later.
  // Unavailable says that it may work later (no sidecar, an open circuit).
  virtual void Retrieve(std::vector<std::string> queries, absl::Duration timeout, Done done) = 0;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_RETRIEVER_H_
