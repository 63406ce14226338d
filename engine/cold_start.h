// Encodes references that were retrieved before they had a memory: their text is fetched, encoded
// on the engine thread between steps, and kept for the next time.
#ifndef MEMORY3_ENGINE_COLD_START_H_
#define MEMORY3_ENGINE_COLD_START_H_

#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/encode_queue.h"
#include "engine/memory/cold_references.h"
#include "engine/memory_mailbox.h"
#include "engine/runner/runner.h"

namespace memory3 {

// Not thread-safe (the engine thread's).
class ColdStart {
 public:
  // `references` may be null: then nothing can be encoded. Everything must outlive this.
  ColdStart(ColdReferences* references, const RunnerInfo& info, EncodeQueue& encodes,
            std::shared_ptr<MemoryMailbox> mailbox);

  bool available() const { return references_ != nullptr; }
  // Answers `ticket` with a LoadCameBack of tier kEncoded. One encode however many ask.
  void Encode(const MemoryKey& key, CallTicket ticket);
  void TokensArrived(ColdTokensCameBack arrived);

 private:
  void Answer(const MemoryKey& key,
              const absl::StatusOr<std::shared_ptr<const MemoryTensor>>& memory);

  ColdReferences* const references_;
  const RunnerInfo& info_;
  EncodeQueue& encodes_;
  const std::shared_ptr<MemoryMailbox> mailbox_;
  absl::flat_hash_map<MemoryKey, std::vector<CallTicket>> waiting_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_COLD_START_H_
