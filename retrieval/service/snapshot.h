// What can be retrieved at one moment: the index of a bank, what was taught since, without what was
// deleted. Immutable; calls in progress keep theirs while a newer one takes its place.
#ifndef MEMORY3_RETRIEVAL_SERVICE_SNAPSHOT_H_
#define MEMORY3_RETRIEVAL_SERVICE_SNAPSHOT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/memory/memory_id.h"
#include "retrieval/index/retrieval_index.h"
#include "retrieval/index/scored_id.h"

namespace memory3 {

struct TaughtReference {
  MemoryId id = 0;
  std::string text;
  std::vector<float> vector;  // by the bank's embedder
};

struct Snapshot {
  std::string manifest;  // the bytes of the bank's MANIFEST
  uint64_t epoch = 0;
  std::string model_fingerprint;
  std::shared_ptr<const RetrievalIndex> index;
  std::vector<std::shared_ptr<const TaughtReference>> taught;
  absl::flat_hash_set<MemoryId> deleted;  // of the bank's references
  uint64_t log_entries = 0;               // that are applied

  uint64_t references() const {
    return static_cast<uint64_t>(index->count()) - deleted.size() + taught.size();
  }
  // The k nearest that are not deleted, best first. query: one vector of the index's embedder.
  absl::StatusOr<std::vector<ScoredId>> Search(absl::Span<const float> query, int k) const;
};

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_SERVICE_SNAPSHOT_H_
