// Cold start: references that have a text but no memory yet (MemoryStore::Find says
// FailedPrecondition). The engine encodes one the first time it is retrieved.
#ifndef MEMORY3_ENGINE_MEMORY_COLD_REFERENCES_H_
#define MEMORY3_ENGINE_MEMORY_COLD_REFERENCES_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "engine/memory/memory_id.h"
#include "engine/runner/memory_tensor.h"

namespace memory3 {

// Thread-safe.
class ColdReferences {
 public:
  using TokensDone = absl::AnyInvocable<void(absl::StatusOr<std::vector<int32_t>>)>;

  virtual ~ColdReferences() = default;
  // The text of a reference as token ids, as Runner::EncodeReferences takes them. Never waits;
  // `done` is called exactly once, on any thread, possibly before Tokens returns. NotFound when
  // there is no such reference (any more).
  virtual void Tokens(const MemoryKey& key, TokensDone done) = 0;
  // Keeps what was encoded, so that the next retrieval finds it. Called on the engine thread: must
  // not wait, so writing to a disk is left to another thread.
  virtual void Keep(const MemoryKey& key, std::shared_ptr<const MemoryTensor> memory) = 0;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_COLD_REFERENCES_H_
