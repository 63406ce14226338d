// Teaching a running server a reference, and making it forget one.
//
// The order is what makes it safe: checked, encoded, written and synced, in the host cache, and
// only then told to the sidecar. A reference that could not be written is never retrieved.
#ifndef MEMORY3_SERVER_TAUGHT_REFERENCES_H_
#define MEMORY3_SERVER_TAUGHT_REFERENCES_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/engine.h"
#include "engine/memory/bank/reference_text.h"
#include "engine/memory/memory_id.h"
#include "server/served_memory.h"

namespace memory3 {

// Of title, source and source_id each.
inline constexpr int kMaxReferenceLabelBytes = 4096;

// Both wait for the disk and the sidecar, Teach for the engine as well. FailedPrecondition when
// nothing can be taught here, and when the change is stored but the sidecar did not take it up: it
// will, as soon as it reads what is stored.

// Sets reference->tokens and returns the new id. When there is a reference with exactly this text,
// of the bank or taught, *reference becomes that one, title and all, and its id is returned: a call
// can be repeated, and no text takes two places of a chunk. InvalidArgument naming the field,
// ResourceExhausted or Unavailable when the engine takes no more.
absl::StatusOr<MemoryId> Teach(Engine& engine, ServedMemory& memory, ReferenceText* reference);

// NotFound when there is no such reference, or none any more.
absl::Status Unteach(ServedMemory& memory, MemoryId id);

}  // namespace memory3

#endif  // MEMORY3_SERVER_TAUGHT_REFERENCES_H_
